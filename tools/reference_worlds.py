"""The schema of worlds and the built-in worlds in, ``docs/reference/worlds.md`` out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultline.simulator import builtin_worlds
from faultline.simulator.worlds import world_keys
from pages import GENERATED, page, table
from reference_truth import TRUTH

if TYPE_CHECKING:
    from collections.abc import Iterator

INTRODUCTION = """\
A world is a TOML file that describes a simulated market. `faultline simulate` takes the name of a built-in
world or the path of a file. How the market works is told in
[concepts/simulator.md](../concepts/simulator.md).

An unknown key is an error that names the nearest valid one. A file that says `extends = "three-assets"` takes
every top-level key that it does not give from that world; lists of tables are replaced whole.

```toml
name = "two-days-of-solana"
title = "SOL alone, without contagion."
extends = "three-assets"
contagion = false

[[assets]]
base = "SOL"
price_usd = 180.0
tick_usd = 0.01
lot_base = 0.1
round_step_usd = 5.0
daily_volume_usd = 1.2e9
opens_per_hour = 1500.0
```"""

#: Heading, prefix of the keys and sentence of every table of a world file.
SECTIONS = (
    ("Top level", "", ""),
    ("`[[assets]]`", "assets[].", "One asset; each venue lists one perpetual on it."),
    (
        "`[[venues]]`",
        "venues[].",
        "One simulated venue. Slugs start with `sim`, so that no row can be taken for a real venue's.",
    ),
    (
        "`tiers` of a venue",
        "venues[].tiers[].",
        "Margin tiers, smallest first; the cap of the last is ignored.",
    ),
    ("`[[traders]]`", "traders[].", "One class of traders."),
    ("`[[regimes]]`", "regimes[].", "One state of the market-wide Markov regime."),
    ("`[[schedule]]`", "schedule[].", "A regime forced at a given time."),
)


def worlds_page() -> str:
    """Every built-in world, every key of a world file and every column of the truth."""
    out = ["# Worlds", GENERATED, INTRODUCTION, "## Built-in worlds"]
    out.append(
        table(("name", "what it is for"), ((f"`{name}`", title) for name, title in builtin_worlds().items()))
    )
    for heading, prefix, sentence in SECTIONS:
        out += [f"## {heading}", sentence, table(("key", "type", "default", "meaning"), _rows(prefix))]
    return page([*out, TRUTH])


def _rows(prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for key in world_keys():
        if key.path.startswith(prefix) and "." not in key.path.removeprefix(prefix):
            yield (f"`{key.path}`", key.type, f"`{key.default}`" if key.default else "required", key.meaning)
