"""What venues tell of each other in simulated worlds of several: shares that they print, and mixes to start from.

Run ``make bench-quality``, or this script. Every world runs through the engine twice, once as it comes and once where
every hour quiet feeds get the prior that the others taught (``learning.prior``). A feed's mix is compared with the true
mix of what was opened, from 10x up; the share that a venue prints with the truth. Figures go to
``results/venues.json``, judged by ``lines.toml``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import quality_lines
from bench_worlds import START, Scenario, simulate

from faultline.evaluation.truth import read_truth
from faultline.evaluation.truth_scores import distance_w1, shares_on_grid, total_variation
from faultline.learning.prior import refresh_priors
from faultline.learning.reporting import Reporting
from faultline.pipeline.kinds import ENGINE_KINDS, STEP_FIELDS
from faultline.pipeline.parameters import PipelineParameters
from faultline.pipeline.replay import TapeReplay
from faultline.pipeline.step import step
from faultline.units import HOUR_NS

if TYPE_CHECKING:
    from faultline.pipeline.learn import FeedLearner
    from faultline.pipeline.shard import Shard
    from faultline.tape import Tape

DAYS, SEEDS, HOURS = 3, (1, 2, 3), (12, 24, 48, 72)
VENUE = """
[[venues]]
slug = "{slug}"
archetype = "all-events"
share_ratio = {share}
leverage_ratio = {leverage}
mark_lag_s = 3.0
tiers = [{{ cap_usd = 1.0e9, maintenance_ratio = 0.005, max_leverage = 125 }}]
"""
FOUR = """
name = "four-venues"
title = "Four textbook venues, each with leverage of its own, one of them quiet."
extends = "well-specified"
"""
for _slug, _share, _leverage in (
    ("simone", 1.0, 1.0),
    ("simtwo", 0.6, 1.15),
    ("simthree", 0.3, 0.9),
    ("simfour", 0.04, 1.1),
):
    FOUR += VENUE.format(slug=_slug, share=_share, leverage=_leverage)
#: World and the venues in it that say that they print everything.
WORLDS = {
    "six-venues": ("six-venues", ("simall", "simonchain", "simcoin")),
    "four-venues": (FOUR, ("simone", "simtwo", "simthree", "simfour")),
}


def lend_priors(feeds: list[FeedLearner]) -> None:
    """Give every quiet feed the prior that all others taught, where one of them speaks for itself."""
    quiet = [feed for feed in feeds if feed.events < feed.learner.settings.pooled_below]
    if quiet and any(feed.learner.effective_events >= feed.learner.settings.pooled_below for feed in feeds):
        learned = [feed.learner.taught(feed.feed_id) for feed in feeds]
        priors = refresh_priors(learned, feeds[0].learner.leverages)
        for feed in quiet:
            feed.learner.set_prior(priors[feed.feed_id])


def learn_tape(
    tape: Tape, complete: tuple[str, ...], opened: dict[str, Any], *, lends: bool
) -> tuple[Shard, dict[int, Any]]:
    """Run a tape through the engine; the distance of each feed's mix from what was opened, by hour."""
    parameters = PipelineParameters(reporting={venue: Reporting() for venue in complete})
    replay = TapeReplay(tape, "BTC", parameters)
    span = replay.span(None, None)
    shard = replay.shard(span.warm_ns)
    found: dict[int, Any] = {}
    stream = tape.stream(
        span.warm_ns, span.to_ns, kinds=ENGINE_KINDS, ids=replay.ids, chunk_ns=HOUR_NS, fields=STEP_FIELDS
    )
    for _, end_ns, batches in stream:
        step(shard, batches, end_ns)
        if lends and shard.learner is not None:
            lend_priors(list(shard.learner.feeds.values()))
        hour = round((end_ns - START) / HOUR_NS)
        if hour in HOURS and shard.learner is not None:
            found[hour] = {
                feed_id: distances(
                    feed.learner.mix(), np.asarray(feed.learner.leverages, dtype=float), opened[feed_id]
                )
                for feed_id, feed in shard.learner.feeds.items()
            }
    return shard, found


def distances(mix: Any, grid: Any, opened: tuple[Any, Any]) -> dict[str, float]:
    """Total variation and Wasserstein-1 distance of log leverage from 10x up."""
    high = grid >= 10.0
    true = shares_on_grid(*opened, grid)
    mine, theirs = mix[high] / mix[high].sum(), true[high] / true[high].sum()
    return {"tv": total_variation(mine, theirs), "w1": distance_w1(mine, theirs, grid[high])}


def run(world: str, complete: tuple[str, ...], seed: int) -> dict[str, Any]:
    """One world: shares printed, and distances with and without borrowed priors."""
    with tempfile.TemporaryDirectory() as name:
        tape = simulate(Scenario(world, DAYS, seed=seed), Path(name))
        _, tables = read_truth(Path(name) / "truth")
        opens = {
            key: np.asarray(tables["opens"][key].to_pylist()) for key in ("instrument", "leverage", "n_opens")
        }
        opened = {}
        for feed_id in np.unique(opens["instrument"]).tolist():
            mine = opens["instrument"] == feed_id
            opened[feed_id] = opens["leverage"][mine].astype(float), opens["n_opens"][mine].astype(float)
        shard, alone = learn_tape(tape, complete, opened, lends=False)
        _, borrowed = learn_tape(tape, complete, opened, lends=True)
        forced = {key: np.asarray(tables["liquidations"][key].to_pylist())
                  for key in ("instrument", "notional_usd", "is_reported")}  # fmt: skip
    shares = {}
    for feed_id, feed in shard.calibrator.feeds.items() if shard.calibrator is not None else ():
        mine = forced["instrument"] == feed_id
        usd = forced["notional_usd"][mine]
        estimate = feed.calibrator.share()
        shares[feed_id] = {
            "true": float(usd[forced["is_reported"][mine]].sum() / usd.sum()),
            "value": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
        }
    return {"shares": shares, "borrowed": borrowed, "alone": alone}


def is_covered(share: dict[str, float]) -> bool:
    """Whether the range holds the truth; that of a venue that prints all never reaches 1 itself."""
    return share["low"] <= share["true"] <= share["high"] or (share["true"] > 0.95 and share["high"] > 0.9)


def figures_of(results: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, float]]:
    """Figures of every line: by world, means over seeds and feeds, the worst hour."""

    def mean(runs: list[dict[str, Any]], way: str, hour: int) -> float:
        return float(np.mean([row["tv"] for one in runs for row in one[way][hour].values()]))

    gains = {
        world: max(mean(runs, "borrowed", hour) - mean(runs, "alone", hour) for hour in HOURS)
        for world, runs in results.items()
    }
    shares = [share for one in results["six-venues"] for share in one["shares"].values()]
    known = [share for share in shares if np.isfinite(share["value"])]
    errors = [np.log(share["value"] / share["true"]) for share in known]
    return {
        "venues-borrowed-tv": gains,
        "venues-share-covered": {"six-venues": float(np.mean([is_covered(share) for share in known]))},
        "venues-share-error": {"six-venues": float(np.sqrt(np.mean(np.square(errors))))},
    }


def main() -> None:
    results: dict[str, list[dict[str, Any]]] = {}
    for name, (world, complete) in WORLDS.items():
        results[name] = [run(world, complete, seed) for seed in SEEDS]
        for seed, row in zip(SEEDS, results[name], strict=True):
            print(
                name, seed, {iid: {k: round(v, 2) for k, v in s.items()} for iid, s in row["shares"].items()}
            )
            for hour in HOURS:
                means = [np.mean([d["tv"] for d in row[way][hour].values()]) for way in ("alone", "borrowed")]
                print(f"  {hour} h: TV alone {means[0]:.3f}, borrowed {means[1]:.3f}", flush=True)
    rows = quality_lines.judge("venues", figures_of(results))
    sys.exit(not quality_lines.report("venues", rows, results))


if __name__ == "__main__":
    main()
