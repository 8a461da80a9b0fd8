"""Mixes that are given: what is fixed is served unchanged and not learned, what is a start is where learning begins."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from faultline.errors import ConfigError
from faultline.instruments import instruments_from_rows
from faultline.learning.constants import LearnerSettings
from faultline.messages import Batch, Kind
from faultline.pipeline.given_mixes import FixedMix, GivenMixes
from faultline.pipeline.parameters import PipelineParameters, read_parameters
from faultline.pipeline.shard import Shard
from faultline.pipeline.step import step
from faultline.simulator import Simulation, load_world
from faultline.units import HOUR_NS, parse_time_ns

START = parse_time_ns("2026-01-05")
HOURS = 3
FIXED = "simx:BTCUSDT"
LEVERAGES = len(PipelineParameters().ledger.leverages)


def shares(seed: int) -> tuple[float, ...]:
    drawn = np.random.default_rng(seed).random(LEVERAGES) + 0.01
    return tuple((drawn / drawn.sum()).tolist())


def fixed_mix(**changes: object) -> FixedMix:
    row = {"feed": FIXED, "serves": (FIXED,), "mix": shares(1), "low": shares(2), "high": shares(3)}
    return FixedMix(**(row | {"data_ratio": 0.75} | changes))


@pytest.fixture(scope="module")
def market() -> list[Batch]:
    batches = Simulation(load_world("three-assets"), 3, START, keeps_truth=False).advance(
        START + HOURS * HOUR_NS
    )
    return [batch for batch in batches if batch.symbol.startswith("BTC")]


def played(market: list[Batch], given: GivenMixes) -> Shard:
    contracts = {
        batch.instrument_id: instruments_from_rows(batch.instrument_id, batch.rows)[-1][1]
        for batch in market
        if batch.kind is Kind.INSTRUMENT
    }
    settings = LearnerSettings(pooled_below=5.0, starting_events=2.0)
    shard = Shard("BTC", contracts, PipelineParameters(learner=settings, given=given), START - 1)
    step(shard, sorted(market, key=lambda batch: batch.sort_key), START + HOURS * HOUR_NS)
    return shard


@pytest.fixture(scope="module")
def fixed(market) -> Shard:
    return played(market, GivenMixes(fixed=(fixed_mix(),)))


@pytest.fixture(scope="module")
def feeds(market) -> list[str]:
    found = sorted({batch.instrument_id for batch in market if batch.kind is Kind.LIQUIDATION})
    assert FIXED in found
    assert len(found) > 1
    return found


def test_a_fixed_mix_is_served_unchanged_and_its_feed_is_not_learned(fixed, feeds) -> None:
    served = fixed.members[FIXED].served
    np.testing.assert_array_equal(served.now, fixed_mix().mixes())
    assert served.learned_share == 0.75
    times = np.array([START, START + HOURS * HOUR_NS])
    mixes, which = served.at(times)
    np.testing.assert_array_equal(mixes[which], np.array([fixed_mix().mix] * 2))
    assert sorted(fixed.learner.feeds) == [feed for feed in feeds if feed != FIXED]
    assert fixed.learner.feeds[feeds[-1]].events > 0


def test_a_feed_that_had_nothing_to_say_is_fixed_at_the_assumed_mix(market) -> None:
    shard = played(market, GivenMixes(fixed=(fixed_mix(serves=()),)))
    assert not shard.members[FIXED].served.is_learned
    assert FIXED not in shard.learner.feeds


def test_a_shard_with_fixed_mixes_goes_on_from_its_checkpoint(fixed) -> None:
    again = Shard.from_state(fixed.state(), fixed.contracts.values(), fixed.parameters)
    np.testing.assert_array_equal(again.members[FIXED].served.now, fixed_mix().mixes())
    assert sorted(again.learner.feeds) == sorted(fixed.learner.feeds)


def test_a_learner_starts_from_the_mix_that_is_given(market, feeds) -> None:
    shard = played(market, GivenMixes(starts={FIXED: shares(4)}))
    np.testing.assert_array_equal(shard.learner.feeds[FIXED].learner.prior.mix, shares(4))
    assert "lognormal" in shard.learner.feeds[feeds[-1]].learner.prior.source


def test_what_is_served_now_is_what_the_map_holds(market) -> None:
    shard = played(market, GivenMixes())
    feed = shard.learner.feeds[FIXED]
    assert feed.speaks
    mixes, share = feed.served_now()
    np.testing.assert_allclose(mixes, shard.members[FIXED].served.now, rtol=1e-12)
    assert share == pytest.approx(shard.members[FIXED].served.learned_share)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"fixed": [msgspec.to_builtins(fixed_mix()) | {"mix": [0.5] * LEVERAGES}]}, "sum to 1"),
        ({"fixed": [msgspec.to_builtins(fixed_mix()) | {"mix": [0.5, 0.5]}]}, "shares"),
        ({"starts": {FIXED: [1.0]}}, "one per leverage"),
        ({"starts": {FIXED: [-1.0, 2.0]}}, "positive"),
        ({"starts": {FIXED: []}}, "positive"),
        ({"fixed": [{"feed": FIXED}]}, "serves"),
    ],
)
def test_mixes_that_cannot_be_are_named(tmp_path, given, word) -> None:
    path = tmp_path / "parameters.json"
    path.write_bytes(msgspec.json.encode({"given": given}))
    with pytest.raises(ConfigError, match=word):
        read_parameters(path)


def test_what_comes_from_no_parameter_file_has_the_hash_it_always_had() -> None:
    assert msgspec.json.encode(GivenMixes()) == b'{"fixed":[],"starts":{}}'
