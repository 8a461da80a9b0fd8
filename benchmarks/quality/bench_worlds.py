"""How well leverage is recovered in simulated worlds, where it is known: permanent scenarios, judged by ``lines.toml``.

Run ``make bench-quality``, or this script with ids of scenarios to run only those (the others keep their last
figures). Figures go to ``results/worlds.json``, the worst world first. A missed gate makes the script fail. Scenario
ids are permanent: a scenario is never changed, only replaced by one with another id.

``textbook`` scenarios give the engine the margins and lifetimes of the well-specified world as its kernel; the others
run the engine as it comes.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc
import quality_lines

from faultline.evaluation.evaluate import evaluate
from faultline.evaluation.recovered import recovered_mixes
from faultline.evaluation.truth import RecoveredMap, read_truth, score_truth, worst_first, write_truth
from faultline.evaluation.truth_scores import distance_w1, shares_on_grid, total_variation
from faultline.heatmap.ledger import LedgerParameters
from faultline.learning.reporting import Reporting
from faultline.pipeline.parameters import PipelineParameters
from faultline.pipeline.replay import TapeReplay
from faultline.simulator import Simulation, load_world
from faultline.tape import Tape, TapeWriter
from faultline.units import DAY_NS, HOUR_NS, SECOND_NS, parse_time_ns

if TYPE_CHECKING:
    from faultline.evaluation.truth import RecoveredMix
    from faultline.pipeline.shard import Shard
    from faultline.pipeline.step import StepOutputs

START = parse_time_ns("2026-01-01")
#: Margins and lifetimes of the well-specified world: no buffer, no scatter, 36 hours at 10x.
TEXTBOOK = PipelineParameters(
    ledger=LedgerParameters(
        margin_buffer_ratio=0.0, dispersion=0.05, hazard_per_hour_at_10x=1.0 / 36.0, hazard_exponent=0.5
    )
)
LATEST_ONLY = PipelineParameters(
    ledger=TEXTBOOK.ledger, reporting={"simy": Reporting(scheme="latest", window_ns=SECOND_NS)}
)
AS_IT_COMES = PipelineParameters()
#: Everything that is not said here is as in the well-specified world.
NOISY = """
name = "noise-30"
title = "As well-specified, but posted margins are noisy by thirty percent."
extends = "well-specified"
"""
LATEST = """
name = "latest"
title = "As well-specified, but of each second only the latest liquidation is published; the mark is seen every second."
extends = "well-specified"
step_s = 1.0
bars = false
marks_every_s = 1

[[venues]]
slug = "simy"
archetype = "latest-per-second"
mark_lag_s = 3.0
tiers = [{ cap_usd = 1.0e9, maintenance_ratio = 0.005, max_leverage = 125 }]
"""
TRADER = """
[[traders]]
name = "{name}"
share_ratio = {share}
leverage_median = {median}
leverage_sigma = {sigma}
size_median_usd = 3000.0
size_sigma = 1.0
pareto_prob = 0.0
life_hours_at_10x = 36.0
life_exponent = 0.5
life_shape = 1.0
cross_prob = 0.0
margin_noise = 0.30
topup_prob = 0.0
stop_prob = 0.0
partial_close_prob = 0.0
"""
NOISY += TRADER.format(name="bold", share=0.4, median=22.0, sigma=0.9)
NOISY += TRADER.format(name="steady", share=0.6, median=3.0, sigma=0.5)


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A world, or the text of one, and how it is run."""

    world: str
    days: float
    parameters: PipelineParameters = AS_IT_COMES
    #: Mixes before are not scored: most that is liquidated then was opened before the tape begins.
    settle_days: float = 3.0
    seed: int = 1
    follows_chains: bool = False
    evaluated: bool = False


SCENARIOS = {
    "textbook-well-specified-s1-8d": Scenario("well-specified", 8, TEXTBOOK),
    "textbook-misspecified-s1-8d": Scenario("misspecified", 8, TEXTBOOK),
    "textbook-noise30-s1-8d": Scenario(NOISY, 8, TEXTBOOK),
    "textbook-latest-s1-1d": Scenario(LATEST, 1, LATEST_ONLY, settle_days=0.0),
    "well-specified-s1-8d": Scenario("well-specified", 8),
    "misspecified-s1-8d": Scenario("misspecified", 8),
    "null-leverage-s1-5d": Scenario("null-leverage", 5),
    "null-contagion-s1-5d": Scenario("null-contagion", 5, follows_chains=True),
    "regime-switch-s1-10d": Scenario("regime-switch", 10, evaluated=True),
}


def run(scenario: Scenario, folder: Path) -> dict[str, Any]:
    """Simulate, replay, and compare with the truth."""
    tape = simulate(scenario, folder)
    replay = TapeReplay(tape, "BTC", scenario.parameters)
    span = replay.span(None, None)
    shard = replay.shard(span.warm_ns)
    if scenario.follows_chains:
        shard.watch_from(scenario.parameters.zones, span.warm_ns + 3 * DAY_NS)
    manifest, tables = read_truth(folder / "truth")
    times = set(tables["standing"]["t_ns"].to_pylist())
    mixes: list[RecoveredMix] = []
    maps: list[RecoveredMap] = []
    forecasts: list[Any] = []
    excess: list[float] = []

    def receive(outputs: StepOutputs) -> None:
        if shard.reached_ns >= START + scenario.settle_days * DAY_NS:
            mixes.extend(recovered_mixes(shard))
        maps.extend(maps_of(outputs, times))
        forecasts.extend(outputs.forecasts)
        if shard.watch is not None:
            excess.extend(
                chain.excess_prob[0] for chain in shard.watch.cascades.chains.values() if chain.prob
            )

    replay.run(shard, span, receive, freeze=scenario.evaluated)
    report = score_truth((mixes, maps), folder / "truth")
    found: dict[str, Any] = {
        "truth": report,
        "feeds": {
            feed: compared(shard, feed, mixes, manifest, tables) for feed in sorted(shard.learner.feeds)
        },
    }
    if scenario.follows_chains:
        found["chain_excess"] = {"n": len(excess), "mean": float(np.mean(excess)) if excess else math.nan}
    if scenario.evaluated:
        found["evaluation"] = judged(tape, forecasts)
    return found


def simulate(scenario: Scenario, folder: Path) -> Tape:
    world = scenario.world
    if "\n" in world:
        (folder / "world.toml").write_text(world, encoding="utf-8")
        world = str(folder / "world.toml")
    settings = load_world(world)
    simulation = Simulation(settings, scenario.seed, START)
    with TapeWriter(folder / "tape", simulated=True, world=settings.name) as tape:
        for end in range(START + 6 * HOUR_NS, START + round(scenario.days * DAY_NS) + 1, 6 * HOUR_NS):
            tape.append(simulation.advance(end))
    write_truth(simulation, folder / "truth")
    return Tape(folder / "tape")


def maps_of(outputs: StepOutputs, times: set[int]) -> list[RecoveredMap]:
    """Minute columns that end at a moment of the truth."""
    found = []
    for scope, columns in outputs.columns:
        if columns.timeframe != "1m" or "synthetic" not in columns.usd or ":" not in scope:
            continue
        edges = (columns.rows.first_row + np.arange(columns.rows.n_rows + 1)) * columns.rows.row_usd
        for k in range(columns.n_closed):
            t_ns = int(columns.start_ns[k]) + 60 * SECOND_NS
            if t_ns in times:
                usd = columns.usd["synthetic"][k].astype(np.float64)
                found += [RecoveredMap(t_ns, scope, side, edges, usd[j]) for j, side in enumerate((1, -1))]
    return found


def compared(
    shard: Shard, feed_id: str, mixes: list[RecoveredMix], manifest: dict[str, Any], tables: dict[str, Any]
) -> dict[str, Any]:
    """What a feed taught beside the truth, among leverages that the data identify; those are renormalised."""
    feed = shard.learner.feeds[feed_id]
    mix = [each for each in mixes if each.instrument == feed_id][-1]
    opens = tables["opens"].filter(pc.equal(tables["opens"]["instrument"], feed_id))
    recent = opens["from_ns"].to_numpy() >= (mix.t_ns - DAY_NS if switches(manifest) else 0)
    leverage, n_opens = (
        opens[name].to_numpy().astype(np.float64)[recent] for name in ("leverage", "n_opens")
    )
    true = shares_on_grid(leverage, n_opens, mix.leverages)
    known = mix.identified()
    mine, theirs = (part[known] / max(part[known].sum(), 1e-12) for part in (mix.shares, true))
    liquidations = tables["liquidations"].filter(pc.equal(tables["liquidations"]["instrument"], feed_id))
    belief = feed.learner.posterior()
    per_second = np.unique(liquidations["ts_event_ns"].to_numpy() // SECOND_NS, return_counts=True)[1]
    return {
        "events": feed.events,
        "effective_events": belief.effective_events,
        "dispersion": belief.dispersion,
        "basis": belief.basis,
        "advantage_nats": feed.gained_nats,
        "identified": mix.leverages[known].tolist(),
        "tv_among_identified": total_variation(mine, theirs) if known.any() else None,
        "w1_among_identified": distance_w1(mine, theirs, mix.leverages[known]) if known.sum() > 1 else None,
        "shares": np.round(mix.shares, 4).tolist(),
        "true_shares": np.round(true, 4).tolist(),
        "hypotheses": {
            member.name: round(float(weight), 3)
            for member, weight in zip(feed.learner.bank, belief.weights, strict=True)
            if weight >= 0.01
        },
        "liquidations": liquidations.num_rows,
        "published": int(liquidations["is_reported"].to_numpy(zero_copy_only=False).sum()),
        "liquidations_per_second_with_any": float(per_second.mean()) if len(per_second) else None,
        "expected_over_liquidations": feed.expected / max(liquidations.num_rows, 1),
    }


def switches(manifest: dict[str, Any]) -> bool:
    return manifest["world"]["leverage_switch_hours"] > 0


def judged(tape: Tape, forecasts: list[Any]) -> dict[str, Any]:
    """Differences of T over the whole stretch, with 95 % intervals."""
    report = evaluate(tape, "BTC", forecasts=forecasts)
    wanted = {(a, "B3h") for a in ("learned", "map", "pool", "pool15m")}
    return {
        f"{d.a} minus {d.b}": {"mean": d.mean, "ci": list(d.ci)}
        for d in report.differences
        if (d.a, d.b) in wanted and d.metric == "t"
    }


def figures_of(results: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Figures of every line, by scenario; what was not run has none."""
    figures: dict[str, dict[str, float]] = {}

    def note(line: str, scenario: str, value: float | None) -> None:
        if scenario in results:
            figures.setdefault(f"worlds-{line}", {})[scenario] = math.nan if value is None else value

    def feed(scenario: str, key: str) -> float | None:
        feeds = results.get(scenario, {}).get("feeds", {})
        found = [row[key] for row in feeds.values() if row[key] is not None]
        return max(found) if found and len(found) == len(feeds) else None

    def covered(scenario: str) -> float | None:
        venues = results.get(scenario, {}).get("truth", {}).get("venues", [])
        found = [venue["coverage95"] for venue in venues if venue["coverage95"] is not None]
        return min(found) if found else None

    note(
        "textbook-tv",
        "textbook-well-specified-s1-8d",
        feed("textbook-well-specified-s1-8d", "tv_among_identified"),
    )
    note(
        "harsh-tv",
        "textbook-misspecified-s1-8d",
        feed("textbook-misspecified-s1-8d", "tv_among_identified"),
    )
    note("misspecified-coverage", "textbook-misspecified-s1-8d", covered("textbook-misspecified-s1-8d"))
    note("noise30-w1", "textbook-noise30-s1-8d", feed("textbook-noise30-s1-8d", "w1_among_identified"))
    note("noise30-coverage", "textbook-noise30-s1-8d", covered("textbook-noise30-s1-8d"))
    ratio = feed("textbook-latest-s1-1d", "expected_over_liquidations")
    note("latest-mass", "textbook-latest-s1-1d", None if not ratio else min(ratio, 1.0 / ratio))
    for scenario in ("well-specified-s1-8d", "misspecified-s1-8d"):
        note("as-it-comes-tv", scenario, feed(scenario, "tv_among_identified"))
    for scenario in ("null-leverage-s1-5d", "null-contagion-s1-5d"):
        checks = results.get(scenario, {}).get("truth", {}).get("null_checks", [])
        note("nulls", scenario, float(sum(check["passed"] is not True for check in checks)))
    chains = results.get("null-contagion-s1-5d", {}).get("chain_excess", {})
    note("null-excess", "null-contagion-s1-5d", abs(chains.get("mean", math.nan)))
    scores = results.get("regime-switch-s1-10d", {}).get("evaluation", {})
    learned, pool = scores.get("learned minus B3h"), scores.get("pool minus B3h")
    note("switch-over-b3h", "regime-switch-s1-10d", learned["ci"][0] if learned else None)
    note("switch-pool-over-b3h", "regime-switch-s1-10d", pool["mean"] if pool else None)
    return figures


def main() -> None:
    chosen = sys.argv[1:] or list(SCENARIOS)
    if unknown := sorted(set(chosen) - set(SCENARIOS)):
        raise SystemExit(f"no scenarios {unknown}; there are {list(SCENARIOS)}")
    kept = quality_lines.FOLDER / "results" / "worlds.json"
    results = {
        name: found
        for name, found in (json.loads(kept.read_text()) if kept.is_file() and sys.argv[1:] else {}).items()
        if name in SCENARIOS
    }
    holds = False
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            results[name] = json.loads(json.dumps(run(SCENARIOS[name], Path(folder)), default=float))
        print(
            name, json.dumps({key: results[name][key] for key in results[name] if key != "truth"}), flush=True
        )
        ranked = worst_first({**found["truth"], "world": each} for each, found in results.items())
        rows = quality_lines.judge("worlds", figures_of(results))
        holds = quality_lines.report("worlds", rows, {**results, "worst_first": ranked})
    sys.exit(not holds)


if __name__ == "__main__":
    main()
