"""The model's answer as a real engine gives it."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from faultline.api.context import plain
from faultline.api.model_bodies import LearnedBody
from faultline.instruments import instruments_from_rows
from faultline.learning.constants import LearnerSettings
from faultline.messages import Kind
from faultline.pipeline.model_report import learned_of
from faultline.pipeline.parameters import PipelineParameters
from faultline.pipeline.shard import Shard
from faultline.pipeline.step import step
from faultline.simulator import Simulation, load_world
from faultline.units import HOUR_NS, parse_time_ns
from faultline.zones.parameters import ZoneParameters

START = parse_time_ns("2026-01-05")
ENVELOPE = {"simulated": True, "as_of_ns": 1, "as_of_ms": 0, "stale": False}


@pytest.fixture(scope="module")
def shard() -> Shard:
    batches = Simulation(load_world("three-assets"), 3, START, keeps_truth=False).advance(START + 3 * HOUR_NS)
    mine = [batch for batch in batches if batch.symbol.startswith("BTC")]
    contracts = {
        batch.instrument_id: instruments_from_rows(batch.instrument_id, batch.rows)[-1][1]
        for batch in mine
        if batch.kind is Kind.INSTRUMENT
    }
    shard = Shard("BTC", contracts, PipelineParameters(learner=LearnerSettings(pooled_below=5.0)), START - 1)
    shard.watch_from(ZoneParameters(), START)
    step(shard, sorted(mine, key=lambda batch: batch.sort_key), START + 3 * HOUR_NS)
    return shard


def test_every_feed_says_what_it_taught_and_how_sure_that_is(shard) -> None:
    body = msgspec.convert({**plain(learned_of(shard)), **ENVELOPE}, LearnedBody)
    assert [feed.feed for feed in body.feeds] == ["simx:BTCUSDT", "simy:BTCUSDT"]
    for feed in body.feeds:
        assert sum(feed.mix) == pytest.approx(1.0)
        assert sum(each.share for each in feed.bins) == pytest.approx(1.0)
        assert sum(each.assumed_share for each in feed.bins) == pytest.approx(1.0)
        assert all(each.low <= each.share <= each.high for each in feed.bins)
        assert sum(each.weight for each in feed.hypotheses) == pytest.approx(1.0)
        assert len(feed.history.t_ms) == len(feed.history.shares) == len(feed.history.effective_events)
        assert feed.events > 0
        assert feed.serves in ([feed.feed], [])
        assert feed.calibration.rows
        assert feed.map_trust == shard.learner.feeds[feed.feed].map_trust
        assert 0.0 <= feed.map_trust <= 1.0


def test_cascades_are_told_once_a_market_is_watched(shard) -> None:
    body = msgspec.convert({**plain(learned_of(shard)), **ENVELOPE}, LearnedBody)
    assert body.cascade is None or body.cascade.n_hits >= 0
    unwatched = Shard("BTC", {}, PipelineParameters(learns=False), START)
    assert learned_of(unwatched) == {"asset": "BTC", "feeds": [], "cascade": None}


def test_without_an_engine_the_route_says_so(client) -> None:
    answer = client.get("/api/v1/model/BTC")
    assert answer.status_code == 503
    assert answer.json()["code"] == "not_ready"


def test_values_that_are_not_known_are_null(shard) -> None:
    assert plain({"value": np.float64("nan")}) == {"value": None}
