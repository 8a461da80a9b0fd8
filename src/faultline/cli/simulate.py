"""``faultline simulate`` and ``score-truth``: a world in, a labelled tape and its truth out, and back again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from faultline.cli.arguments import AsJson, time_ns
from faultline.cli.output import STDOUT, print_json, progress_bar
from faultline.evaluation.truth import score_truth, write_truth
from faultline.simulator import Simulation, load_world
from faultline.tape import TapeWriter
from faultline.units import DAY_NS, HOUR_NS

__all__ = ("score_truth_command", "simulate_command")


def simulate_command(
    world: Annotated[str, typer.Argument(help="Name of a built-in world or a TOML file.")],
    out: Annotated[Path, typer.Option(help="Folder of the tape to write.")],
    days: Annotated[float, typer.Option(min=0.001, max=366, help="Simulated days.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random number.")] = 1,
    truth: Annotated[Path | None, typer.Option(help="Folder for the truth behind the tape.")] = None,
    start: Annotated[str, typer.Option(help="First simulated moment, ISO-8601, UTC.")] = "2026-01-01",
    json: AsJson = False,
) -> None:
    """Simulate a market with a known truth."""
    settings = load_world(world)
    start_ns = time_ns(start, "--start") or 0
    end_ns = start_ns + round(days * DAY_NS)
    simulation = Simulation(settings, seed, start_ns, keeps_truth=truth is not None)
    rows: dict[str, int] = {}
    with (
        TapeWriter(out, simulated=True, world=settings.name) as tape,
        progress_bar("simulate", quiet=json) as progress,
    ):
        for moment in range(start_ns + HOUR_NS, end_ns + HOUR_NS, HOUR_NS):
            batches = simulation.advance(min(moment, end_ns))
            tape.append(batches)
            for batch in batches:
                rows[batch.kind] = rows.get(batch.kind, 0) + len(batch)
            progress(
                (min(moment, end_ns) - start_ns) / HOUR_NS, (end_ns - start_ns) / HOUR_NS, "hours simulated"
            )
    if truth is not None:
        write_truth(simulation, truth)
    body = {"world": settings.name, "seed": seed, "days": days, "tape": str(out), "rows": rows}
    if json:
        print_json("simulate", body, simulated=True)
        return
    STDOUT.print(f"SIMULATED world {settings.name}, seed {seed}, {days:g} days -> {out}")
    for kind, n in sorted(rows.items()):
        STDOUT.print(f"  {kind:<16} {n:>12,}")


def score_truth_command(
    recovered: Annotated[Path, typer.Argument(help="Folder with what was recovered, e.g. of a replay.")],
    truth: Annotated[Path, typer.Option(help="Folder that `simulate --truth` wrote.")],
    json: AsJson = False,
) -> None:
    """Compare recovered leverage and maps with the truth of a simulated market."""
    body = score_truth(recovered, truth)
    if json:
        print_json("score-truth", body, simulated=True)
        return
    _show_score(body)


def _show_score(body: dict[str, Any]) -> None:
    """Print how far venues and maps lie from the truth, the worst venue first, and what null worlds must show."""
    STDOUT.print(f"SIMULATED world {body['world']}, worst venue first")
    table = Table(
        "venue", "mix", "TV", "TV identified", "W1", "covered 95 %", "mass", "identified",
        box=None, header_style="bold",
    )  # fmt: skip
    for venue in body["venues"]:
        known = venue["identified"]
        table.add_row(
            venue["venue"],
            venue["mix_source"],
            *(
                _figure(venue[key])
                for key in ("tv", "tv_identified", "w1_log", "coverage95", "recovered_mass")
            ),
            " ".join(f"{leverage:g}x" for leverage in known) or "none",
        )
    STDOUT.print(table)
    STDOUT.print(
        f"standing maps: divergence {_figure(body['standing_kl'])} nats over {body['standing_maps']:,} maps"
    )
    if body["odds"] is not None:
        odds = body["odds"]
        STDOUT.print(
            f"odds: error {_figure(odds['hit_mae'])}, of what chains add {_figure(odds['excess_mae'])}, n {odds['n']:,}"
        )
    if body["causes"] is not None:
        causes = body["causes"]
        STDOUT.print(
            f"causes: Brier {_figure(causes['brier'])} (always the mean: {_figure(causes['brier_base'])}), "
            f"area {_figure(causes['auc'])}, n {causes['n']:,}"
        )
    for check in body["null_checks"]:
        word = {True: "holds", False: "FAILED", None: "not known"}[check["passed"]]
        STDOUT.print(
            f"null check {check['name']}: {_figure(check['value'])}, at most {check['limit']:g}: {word}"
        )
    if not body["null_checks"]:
        STDOUT.print("null checks: none, this world has effects to find")


def _figure(value: float | None) -> str:
    return "not known" if value is None else f"{value:.3f}"
