"""Measured figures in, which lines of ``lines.toml`` they hold out."""

from __future__ import annotations

import json
import math
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).parent


def read_lines(bench: str) -> list[dict[str, Any]]:
    """Lines of one bench that are not retired, in the order of the registry."""
    lines = tomllib.loads((FOLDER / "lines.toml").read_text(encoding="utf-8"))["line"]
    ids = [line["id"] for line in lines]
    if len(set(ids)) != len(ids):
        raise SystemExit(f"lines.toml names an id twice: {sorted(i for i in ids if ids.count(i) > 1)}")
    return [line for line in lines if line["bench"] == bench and line["kind"] in {"gate", "goal"}]


def judge(bench: str, figures: Mapping[str, Mapping[str, float]]) -> list[dict[str, Any]]:
    """The worst figure of every line and whether it holds; a line without figures, or a NaN, does not hold.

    Args:
        bench: whose lines.
        figures: per id, the figure of each scenario or window.
    """
    lines = read_lines(bench)
    unknown = sorted(set(figures) - {line["id"] for line in lines})
    if unknown:
        raise SystemExit(f"no lines in lines.toml for {unknown}")
    rows = []
    for line in lines:
        sign = 1.0 if line["direction"] == "above" else -1.0
        measured = figures.get(line["id"], {})
        worst = min(measured, key=lambda where: sign * measured[where], default="not measured")
        value = measured.get(worst, float("nan"))
        whole = bool(measured) and not any(math.isnan(found) for found in measured.values())
        holds = whole and sign * (value - line["line"]) >= -line["tolerance"]
        rows.append({"id": line["id"], "kind": line["kind"], "figure": value, "where": worst, "line": line["line"],
                     "direction": line["direction"], "holds": holds})  # fmt: skip
    return rows


def report(bench: str, rows: list[dict[str, Any]], result: Mapping[str, object]) -> bool:
    """Print the lines, keep the result, and tell whether all gates hold."""
    for row in rows:
        word = "holds" if row["holds"] else "MISSED" if row["kind"] == "gate" else "not reached"
        asked = f"{row['direction']} {row['line']:g}"
        print(f"{row['kind']} {row['id']}: {row['figure']:.4f} ({row['where']}), {asked}: {word}")
    folder = FOLDER / "results"
    folder.mkdir(exist_ok=True)
    (folder / f"{bench}.json").write_text(json.dumps({**result, "lines": rows}, indent=1) + "\n")
    return all(row["holds"] for row in rows if row["kind"] == "gate")
