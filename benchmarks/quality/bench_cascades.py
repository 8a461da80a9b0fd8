"""Skill of the cascade learner in made-up markets with and without contagion, and on a recorded tape if one is given.

``python benchmarks/quality/bench_cascades.py`` runs the made-up markets of ``tests/cascades/worlds.py``; figures go to
``results/cascades.json``, and a missed gate makes the script fail. With ``--tape PATH --asset BTC --from T --to T`` it
replays that stretch instead and reports what chains and hazard did there; no gate is set on recorded data. Ids are
permanent: a scenario is never changed, only replaced by one with another id.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.cascades.worlds import (  # noqa: E402 - the repository's own tests are not a package
    DepthBetas,
    World,
    log_loss,
    outcome,
    reliability_slope,
    simulate,
)

from faultline.cascades.chain import CascadeLearner  # noqa: E402 - after the path is set
from faultline.cascades.episodes import ExcessTally  # noqa: E402 - the same
from faultline.cascades.situation import passage_probs  # noqa: E402 - the same
from faultline.cascades.stream import CascadeStream  # noqa: E402 - the same
from faultline.cascades.sweeps import FORCED, Column  # noqa: E402 - the same
from faultline.units import DAY_NS, parse_time_ns  # noqa: E402 - the same

#: id: world, seed, hits.
SCENARIOS = {
    "sqrt-s1-3000": (World("sqrt", 4.0), 1, 3000),
    "sqrt-s2-3000": (World("sqrt", 4.0), 2, 3000),
    "sqrt-dense-s3-3000": (World("sqrt", 3.0, gap=0.002), 3, 3000),
    "linear-s1-3000": (World("linear", 0.6), 1, 3000),
    "linear-s2-3000": (World("linear", 0.6), 2, 3000),
    "none-s1-3000": (World("none"), 1, 3000),
    "none-dense-s2-3000": (World("none", gap=0.002), 2, 3000),
}
BURN_IN = 600
#: id of a gate: what it is about (contagion, none or all) and the condition on a scenario's figures.
GATES = {
    "CASC-1 log loss at least 30 % below depth-wise Betas": (
        "contagion",
        lambda f: f["log_loss"]["said"] <= 0.7 * f["log_loss"]["betas"],
    ),
    "CASC-2 reliability slope within 0.9 and 1.1": ("all", lambda f: 0.9 <= f["reliability_slope"] <= 1.1),
    "CASC-3 excess below 0.02 of hops without contagion": ("none", lambda f: abs(f["excess"]) < 0.02),
    "CASC-4 not worse than plain volatility by 0.005": (
        "all",
        lambda f: f["log_loss"]["said"] <= f["log_loss"]["volatility"] + 0.005,
    ),
    "CASC-5 excess found where there is contagion": ("contagion", lambda f: f["excess_tail_prob"] < 1e-6),
}


def simulated(world: World, seed: int, n_hits: int) -> dict[str, object]:
    situations, reached, delays, released = simulate(world, n_hits, seed)
    learner, betas, tally = CascadeLearner(), DepthBetas(), ExcessTally(10_000 * DAY_NS)
    hops, chains, covered = [], [], []
    for i, situation in enumerate(situations):
        raw = learner.raw_probs(situation)
        said = learner.recalibration.map(raw)
        n, at_risk = situation.levels.n, min(reached[i] + 1, situation.levels.n)
        alone = passage_probs(situation)[:at_risk]
        if i >= BURN_IN:
            happened = np.arange(at_risk) < reached[i]
            each = said / np.concatenate([[1.0], said[:-1]])
            hops += zip(each[:at_risk], betas.hazards()[:at_risk], alone, happened, strict=True)
            chains += zip(said, np.arange(n) < reached[i], np.arange(1, n + 1), strict=True)
            if i % 20 == 0:
                forecast = learner.forecast(situation)
                covered.append([math.log(hi / lo) for lo, hi in zip(forecast.lo, forecast.hi, strict=True)])
        tally.apply(situation.time_ns, alone, int(reached[i]))
        learner.apply(outcome(situation, reached[i], delays[i], released[i], raw))
        passed = slice(0, int(reached[i]) + 1)
        learner.fraction.apply(
            situation.time_ns, released[i][passed].sum(), sum(situation.levels.mass_usd[passed])
        )
        betas.apply(reached[i], at_risk)
    return figures(np.array(hops, float), np.array(chains, float), tally) | {
        "reached": np.bincount(reached, minlength=11).tolist(),
        "interval_log_width_by_depth": np.median(covered, axis=0).round(3).tolist(),
        "model_share": round(learner.hazard.model_share, 3),
        "share_liquidated": round(learner.fraction.mean, 3),
    }


def figures(hops, chains, tally) -> dict[str, object]:
    said, betas, alone, happened = hops.T
    loss = {
        name: round(float(log_loss(p, happened).mean()), 4)
        for name, p in (("said", said), ("betas", betas), ("volatility", alone))
    }
    p, reached, depth = chains.T
    slope, intercept = reliability_slope(p, reached)
    return {
        "hops_at_risk": len(hops),
        "log_loss": loss,
        "gain_over_betas": round(1 - loss["said"] / loss["betas"], 3),
        "reliability_slope": round(float(slope), 3),
        "reliability_intercept": round(float(intercept), 3),
        "said_and_seen": {
            int(k): [round(float(x[depth == k].mean()), 3) for x in (p, reached)] for k in (1, 2, 3, 6)
        },
        "excess": round(tally.excess, 4),
        "excess_ratio": round(tally.ratio, 3),
        "excess_tail_prob": float(f"{tally.tail_prob:.3g}"),
    }


def replayed(path: str, asset: str, start: str, end: str):
    """Closed 1-minute columns, bars of the path, zone hits and liquidations of a stretch of a tape."""
    from faultline.pipeline.parameters import PipelineParameters
    from faultline.pipeline.replay import TapeReplay
    from faultline.tape import Tape
    from faultline.zones.parameters import ZoneParameters

    replay = TapeReplay(Tape(Path(path)), asset, PipelineParameters())
    span = replay.span(parse_time_ns(start), parse_time_ns(end))
    shard = replay.shard(span.warm_ns)
    shard.watch_from(ZoneParameters(), span.from_ns + 1)
    columns, bars, hits, forced = [], [], [], []
    follow = shard.watch.apply_columns

    def record(scope, rows, close_ns, usd, path) -> None:
        follow(scope, rows, close_ns, usd, path)
        if scope == asset:
            recent = np.flatnonzero(close_ns > span.from_ns).tolist()
            columns.extend(Column(int(close_ns[k]), rows, usd[k].copy()) for k in recent)
            bars.append(path[path["end_ns"] > span.from_ns])

    def receive(outputs) -> None:
        events = outputs.events
        part = np.zeros(len(events.received_ns), dtype=FORCED)
        part["time_ns"], part["side"] = events.received_ns, events.side < 0
        part["price_usd"], part["notional_usd"] = events.trigger_usd, events.notional_usd
        forced.append(part)

    shard.watch.apply_columns = record
    # Hits as the engine follows them, with what it knew of volume, books and funding before each.
    shard.watch.cascades.stream.add_hits = hits.extend
    replay.run(shard, span, receive, freeze=False)
    return columns, np.concatenate(bars), hits, np.concatenate(forced)


def recorded(path: str, asset: str, start: str, end: str) -> dict[str, object]:
    columns, path_bars, hits, forced = replayed(path, asset, start, end)
    stream, betas = CascadeStream(asset, CascadeLearner()), DepthBetas()
    learner = stream.learner
    stream.add_columns(columns)
    stream.add_hits(hits)
    stream.add_liquidations(forced)
    outcomes, changes, hops, depths = [], [], [], []
    for k in range(len(path_bars)):
        stream.apply_path(path_bars[k : k + 1])
        ended, told = stream.collector.take()
        changes += told
        for item in ended:
            said = np.array(item.said)
            each = said / np.concatenate([[1.0], said[:-1]])
            happened = np.arange(item.resolved) < item.reached
            alone = passage_probs(item.situation)
            hops += zip(each, betas.hazards(), alone, happened, strict=False)
            depths += zip(said, np.arange(len(said)) < item.reached, np.arange(1, len(said) + 1), strict=True)
            betas.apply(item.reached, item.resolved)
        outcomes += ended
    gaps = [np.median(item.situation.levels.increments()) * 1e4 for item in outcomes]
    tally = stream.collector.tally
    return figures(np.array(hops, float), np.array(depths, float), tally) | {
        "races": round(tally.races, 1),
        "race_share": round(tally.race_share, 3),
        "race_tail_prob": float(f"{tally.race_tail_prob:.3g}"),
        "stretch": [asset, start, end],
        "bars": len(path_bars),
        "hits": len(hits),
        "unknown": stream.unknown,
        "counts": stream.collector.counts,
        "reached": np.bincount([item.reached for item in outcomes], minlength=11).tolist(),
        "levels_per_hit": round(float(np.mean([item.situation.levels.n for item in outcomes])), 2),
        "hop_bps_median": round(float(np.median(gaps)), 1),
        "hop_delay_s": [round(x, 1) for x in learner.delay.quantiles_s(np.array([0.1, 0.5, 0.9])).tolist()],
        "tau_s": learner.tau_ns() / 1e9,
        "share_liquidated": float(f"{learner.fraction.mean:.3g}"),
        "model_share": round(learner.hazard.model_share, 3),
        "observations_by_depth": learner.hazard.observations(outcomes[-1].end_ns).round(1).tolist(),
        "episodes": {
            kind: sum(c.kind == kind for c in changes) for kind in ("started", "extended", "excess", "ended")
        },
    }


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    for name in ("tape", "asset", "from", "to"):
        asked.add_argument(f"--{name}", dest=name)
    given = vars(asked.parse_args())
    folder = Path(__file__).parent / "results"
    if given["tape"]:
        result = recorded(given["tape"], given["asset"] or "BTC", given["from"], given["to"])
        print(json.dumps(result, indent=1))
        return
    result = {}
    for name, (world, seed, hits) in SCENARIOS.items():
        found = simulated(world, seed, hits)
        kind = "none" if world.impact == "none" else "contagion"
        found["gates"] = {
            gate: bool(holds(found)) for gate, (about, holds) in GATES.items() if about in {kind, "all"}
        }
        result[name] = found
        print(name, json.dumps(found, indent=1), flush=True)
    folder.mkdir(exist_ok=True)
    (folder / "cascades.json").write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(not all(all(row["gates"].values()) for row in result.values()))


if __name__ == "__main__":
    main()
