"""What is shown of chains is what was said before them beside what came of them, and nothing that is not known."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from tests.cascades.worlds import DepthBetas, World, log_loss, outcome, simulate

from faultline.cascades.chain import CascadeLearner
from faultline.cascades.episodes import Episode, EpisodeChange
from faultline.cascades.strip import DailyStrip
from faultline.pipeline.cascade_record import CascadeRecord, strip_rows
from faultline.units import DAY_NS, SECOND_NS

EPISODE = Episode(
    id="BTC-L-a-0-7",
    zone_id="BTC-L-a-0",
    symbol="BTC",
    side=0,
    hit_ns=7 * SECOND_NS,
    at_ns=70 * SECOND_NS,
    depth=1,
    n_levels=4,
    level_usd=90_000.0,
    liquidated_usd=2e6,
    expected_usd=3e6,
    expected_depth=0.25,
    tail_prob=0.2,
    duration_s=63.0,
    next_prob=0.1,
)


@pytest.fixture(scope="module")
def chains():
    """Outcomes of sixty hits of a made-up market, with the probabilities that were shown at each."""
    situations, reached, delays, released = simulate(World("sqrt", 4.0), 60, 3)
    learner, found = CascadeLearner(), []
    for i, situation in enumerate(situations):
        raw = learner.raw_probs(situation)
        over = outcome(situation, reached[i], delays[i], released[i], raw)
        found.append((over, learner.recalibration.map(raw)))
        learner.apply(over)
    return found


def record_of(chains):
    record = CascadeRecord()
    for over, said in chains:
        record.apply_outcome(over, said)
    return record


def test_hops_and_losses_are_those_of_a_plain_count(chains):
    rival, losses, hops = DepthBetas(), [], np.zeros((10, 2), dtype=int)
    for over, said in chains:
        n = over.resolved
        happened = np.arange(n) < over.reached
        each = (said / np.concatenate([[1.0], said[:-1]]))[:n]
        losses += zip(log_loss(each, happened), log_loss(rival.hazards()[:n], happened), strict=True)
        hops[:n] += np.stack([np.ones(n, dtype=int), happened], axis=1)
        rival.apply(over.reached, n)
    report = record_of(chains).report()
    assert [[row["n_at_risk"], row["n_reached"]] for row in report["depths"]] == hops.tolist()
    assert (report["log_loss"], report["log_loss_beta"]) == pytest.approx(tuple(np.mean(losses, axis=0)))
    assert sum(row["n"] for row in report["reliability"]) == sum(len(said) for _, said in chains)
    for row in report["depths"]:
        assert row["greyed"] == (row["n_at_risk"] < 30)
        if row["n_at_risk"]:
            assert 0 <= row["low"] <= row["prob"] == row["n_reached"] / row["n_at_risk"] <= row["high"] <= 1
    times = [over.delay_s[0] for over, _ in chains if over.reached]
    assert report["depths"][0]["delay_s"]["median"] == pytest.approx(np.median(times))


def test_of_a_chain_that_was_cut_only_what_was_seen_counts(chains):
    over, said = next(pair for pair in chains if pair[0].resolved > pair[0].reached >= 1)
    cut = msgspec.structs.replace(over, is_cut=True, resolved=over.reached, waited_s=None)
    report = record_of([(cut, said)]).report()
    assert sum(row["n_at_risk"] for row in report["depths"]) == over.reached
    assert report["reliability"] == []


def test_before_the_first_chain_nothing_is_made_up():
    report = CascadeRecord().report()
    assert (report["n_hits"], report["log_loss"], report["log_loss_beta"]) == (0, None, None)
    assert (report["episodes"], report["reliability"]) == ([], [])
    assert {(row["prob"], row["low"], row["high"], row["delay_s"]) for row in report["depths"]} == {
        (None, None, None, None)
    }


def test_an_episode_is_shown_as_it_stands_with_its_start_and_its_end():
    record = CascadeRecord()
    later = msgspec.structs.replace(
        EPISODE, depth=2, at_ns=90 * SECOND_NS, liquidated_usd=5e6, tail_prob=0.01
    )
    over = msgspec.structs.replace(later, at_ns=400 * SECOND_NS)
    record.apply_change(EpisodeChange("started", EPISODE))
    assert record.report()["episodes"][0]["ended_ms"] is None
    for kind, state in (("extended", later), ("excess", later), ("ended", over)):
        record.apply_change(EpisodeChange(kind, state))
    assert record.report()["episodes"] == [
        {
            "id": EPISODE.id,
            "started_ms": 70_000,
            "ended_ms": 400_000,
            "side": "LONG",
            "depth": 2,
            "realised_usd": 5e6,
            "expected_usd": 3e6,
            "excess_ratio": 8.0,
            "tail_prob": 0.01,
        }
    ]


def test_a_ratio_is_shown_only_where_it_is_known_what_liquidations_are_a_share_of():
    strip = DailyStrip()
    at = np.arange(3, dtype=np.int64) * DAY_NS
    for venue in ("binance", "mixed"):
        times = at[:1] if venue == "binance" else at[1:2]
        strip.apply_liquidations(venue, times, np.zeros(1, dtype=np.int8), np.array([2e6]))
    strip.apply_interest("binance", at, np.full(3, 1e9))
    rows = strip_rows(strip.days(0, 10 * DAY_NS))
    assert [row["day_ms"] for row in rows] == [0, 86_400_000, 172_800_000]
    assert [row["liquidated_usd"] for row in rows] == [2e6, 2e6, None]
    assert [row["ratio"] for row in rows] == [pytest.approx(0.002), None, None]
    assert [row["oi_usd"] for row in rows] == [1e9] * 3
    assert not any(isinstance(value, float) and math.isnan(value) for row in rows for value in row.values())
