"""Skill of the map on recorded liquidations: the development windows, each line of ``lines.toml`` checked.

Run ``make bench-quality``; it needs the folder of recorded data (``FAULTLINE_DATA``, by default ``../shared/data``
beside the repository) and says so where there is none. Figures go to ``results/recorded.json``. A missed gate makes
the script fail, a missed goal does not. Tapes are imported once per run and used for all windows.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import quality_lines

from faultline.evaluation.evaluate import evaluate
from faultline.evaluation.hourly_totals import score_hourly_totals
from faultline.sources.archives import import_files
from faultline.tape import Tape
from faultline.units import MINUTE_NS, parse_time_ns

if TYPE_CHECKING:
    from faultline.evaluation.report import EvaluationReport

ROOT = Path(__file__).resolve().parents[2]
#: name: asset, first moment, end. Other windows of the same series are not looked at.
WINDOWS = {
    "BTC one venue": ("BTC", "2026-01-27", "2026-02-08"),
    "BTC mixed": ("BTC", "2026-02-23", "2026-02-28"),
    "ETH mixed": ("ETH", "2026-02-24T04:02:00Z", "2026-02-28"),
    "SOL mixed": ("SOL", "2026-02-24T04:02:00Z", "2026-02-28"),
}
REFRESHES_MIN = (1, 5, 15, 60, 240)
HOURS = ("2025-12-13", "2026-03-01")
SHOWN = (
    "B2",
    "B3h",
    "B4",
    "learned",
    "learned+inflow",
    "learned+assumed",
    "ages+inflow",
    "map",
    "map+inflow",
    "pool",
    "pool15m",
)


def record(data: Path, out: Path) -> Tape:
    """A tape of events, minutes and open interest of the three assets."""
    assets = ["BTC", "ETH", "SOL"]
    import_files("faultline-2026", [data / "liquidations_2026"], out, assets=assets)
    files = [data / "binance_oi_5m" / f"{asset}_oi_5m.csv.gz" for asset in assets]
    import_files("binance-oi-5m", files, out, assets=assets)
    return Tape(out)


def hourly(data: Path, out: Path) -> dict[str, dict[str, float]]:
    """Scores on the hourly totals of all venues, on the path of five-minute prices."""
    import_files("binance-oi-5m", [data / "binance_oi_5m" / "BTC_oi_5m.csv.gz"], out, assets=["BTC"])
    import_files("hourly-totals", [data / "all_venue_hourly_btc" / "regime_1h.csv.gz"], out, assets=["BTC"])
    span = [parse_time_ns(text) for text in HOURS]
    found = score_hourly_totals(
        Tape(out), "mixed-total:BTC", "binance:BTCUSDT", ratio=0.004, from_ns=span[0], to_ns=span[1]
    )
    return {
        score.model: {"n": score.n, "gain": score.gain, "spearman": score.spearman, "r2_log": score.r2_log,
                      "mae_log10": score.mae_log10}
        for score in found
    }  # fmt: skip


def summary(report: EvaluationReport) -> dict[str, object]:
    """The figures of one evaluation that are kept."""
    models = {m.name: m for m in report.models}
    gains = {f"{d.a} - {d.b} {d.metric}": (d.mean, *d.ci) for d in report.differences}
    return {
        "n_scored": report.n_scored,
        "n_fresh": report.n_fresh,
        "models": {
            name: {
                "t": round(models[name].t, 4),
                "ig": round(models[name].ig, 4),
                "n_ratio": round(models[name].n_ratio, 4),
                "top5": round(models[name].concentration["5"], 4),
                "fresh_rank": round(models[name].fresh_rank, 4),
                "fresh_ratio": round(models[name].fresh_ratio, 3),
            }
            for name in SHOWN
        },
        "differences": {name: [round(value, 4) for value in values] for name, values in gains.items()},
        "ablations": {a.without: [round(value, 4) for value in (a.t_lost, *a.ci)] for a in report.ablations},
    }


def figures(
    reports: dict[tuple[str, int], EvaluationReport], totals: dict[str, dict[str, float]]
) -> dict[str, dict[str, float]]:
    """Per line, its figure in every window that it is about."""
    out: dict[str, dict[str, float]] = {}
    for (window, minutes), report in reports.items():
        models = {m.name: m for m in report.models}
        gains = {(d.a, d.b, d.metric): d for d in report.differences}
        full, over = models["pool15m"], gains["pool15m", "B4", "t"]
        found: dict[str, float] = {}
        best = max(models[name].ig for name in ("B2", "B3h", "B4"))
        if minutes != 240:
            found["recorded-not-below-baselines"] = full.ig - best
        if minutes in {1, 5}:
            found["recorded-mirrored"] = abs(models["placebo_mirrored"].ig)
            found["recorded-over-ages"] = over.mean
            found["recorded-predicted-at-least"] = found["recorded-predicted-at-most"] = full.n_ratio
            found["recorded-learned-over-assumed-mix"] = gains["learned", "B3h", "t"].mean
        if minutes in {1, 5} and window.startswith("BTC"):
            found[f"recorded-btc-over-ages-{minutes}min"] = over.ci[0]
            found[f"recorded-btc-top5-{minutes}min"] = full.concentration["5"]
        if minutes in {1, 5} and window == "BTC one venue":
            found[f"recorded-gain-{minutes}min"] = over.mean
        if minutes == 1:
            found["recorded-fresh-ratio"] = full.fresh_ratio
        if minutes == 15:
            found["recorded-inflow-pays-15min"] = gains["learned+inflow", "learned", "ig"].mean
        if minutes == 60:
            found["recorded-over-ages-60min"] = over.mean
        if minutes in {15, 240}:
            found["recorded-over-ages-long"] = over.mean
        for name, value in found.items():
            out.setdefault(name, {})[f"{window}, {minutes} min"] = value
    learned = totals["learned from B3h"]
    out["recorded-hourly-r2"] = {"all venues": learned["r2_log"]}
    out["recorded-hourly-spearman"] = {"all venues": learned["spearman"]}
    return out


def main() -> None:
    data = Path(os.environ.get("FAULTLINE_DATA", ROOT.parent / "shared" / "data"))
    if not data.is_dir():
        print(f"SKIPPED: no recorded data at {data}; set FAULTLINE_DATA to the folder that holds it")
        sys.exit(os.environ.get("FAULTLINE_REQUIRE_DATA") == "1")
    begun = time.process_time()
    reports: dict[tuple[str, int], EvaluationReport] = {}
    with tempfile.TemporaryDirectory() as base:
        tape = record(data, Path(base) / "events")
        for name, (asset, start, end) in WINDOWS.items():
            span = parse_time_ns(start), parse_time_ns(end)
            for minutes in REFRESHES_MIN:
                refresh = minutes * MINUTE_NS
                found = evaluate(tape, asset, from_ns=span[0], to_ns=span[1], refresh_ns=refresh)
                reports[name, minutes] = found
                scored = {model.name: model for model in found.models}
                words = ", ".join(f"{m} {scored[m].t:.3f} ({scored[m].ig:.3f})" for m in SHOWN)
                print(f"{name}, every {minutes} min, {found.n_scored} events, T (IG): {words}", flush=True)
        totals = hourly(data, Path(base) / "totals")
    for model, row in totals.items():
        print("hourly totals,", model, ", ".join(f"{name} {value:.3f}" for name, value in row.items()))
    rows = quality_lines.judge("recorded", figures(reports, totals))
    kept = {f"{name}, {minutes} min": summary(report) for (name, minutes), report in reports.items()}
    holds = quality_lines.report("recorded", rows, {"windows": kept, "hourly_totals": totals})
    print(f"{time.process_time() - begun:.0f} s of CPU time")
    sys.exit(not holds)


if __name__ == "__main__":
    main()
