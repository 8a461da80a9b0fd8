"""The indexed book does what looking at every position would do."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from tests.simulator.conftest import START_NS, small

from faultline.simulator.asset_market import AssetMarket
from faultline.simulator.state import TRIGGER_LIQUIDATION, TRIGGER_STOP
from faultline.units import HOUR_NS, SECOND_NS


@pytest.fixture(scope="module")
def wild():
    """A market that moves a percent a minute, so that every step forces somebody out."""
    world = small(warmup_days=0.1, step_s=1.0)
    regime = msgspec.structs.replace(world.regimes[0], mean_hours=1000.0, vol_ratio=12.0, panic_per_hour=0.5)
    world = msgspec.structs.replace(world, regimes=(msgspec.structs.replace(regime, next={}),))
    return AssetMarket(world, world.assets[0], 3, START_NS)


def reachable(market, name):
    """Rows found by walking every list of an index."""
    state = market.state
    heads = state.level_head.ravel() if name == "level" else state.due_head
    rows = []
    for head in heads[heads >= 0]:
        row = int(head)
        before = -1
        while row >= 0:
            assert state.positions[row][f"prev_{name}"] == before
            rows.append(row)
            before, row = row, int(state.positions[row][f"next_{name}"])
    return sorted(rows)


def test_each_step_liquidates_exactly_the_positions_whose_level_the_mark_reached(wild):
    n_liquidated = 0
    for _ in range(400):
        before = wild.open_positions()
        happened = wild.run(wild.now_ns + SECOND_NS)
        mark = wild.state.venues["mark_log"][before["venue"]]
        is_beyond = before["side"] * (mark - before["level_log"]) <= 0
        plain = before["trigger"] != 2
        expected = set(before["id"][is_beyond & plain].tolist())
        found = set(happened.liquidations["position_id"].tolist())
        topped = set(before["id"][~plain].tolist())
        assert found - topped == expected
        n_liquidated += len(expected)
        stopped = before["id"][
            (before["trigger"] == TRIGGER_STOP)
            & (before["side"] * (mark - before["trigger_log"]) <= 0)
            & ~is_beyond
        ]
        assert not set(stopped.tolist()) & set(wild.open_positions()["id"].tolist())
    assert n_liquidated > 100


def test_no_open_position_lies_beyond_the_mark_or_past_its_time(wild):
    rows = wild.open_positions()
    mark = wild.state.venues["mark_log"][rows["venue"]]
    assert (rows["side"] * (mark - rows["trigger_log"]) > 0).all()
    assert (rows["due_ns"] >= wild.now_ns).all()
    is_plain = rows["trigger"] == TRIGGER_LIQUIDATION
    assert (rows["trigger_log"] == rows["level_log"])[is_plain].all()


@pytest.mark.parametrize("name", ["level", "due"])
def test_every_open_position_is_in_each_index_once(wild, name):
    rows = np.flatnonzero(wild.state.positions["is_open"] == 1).tolist()
    assert reachable(wild, name) == rows
    assert len(rows) == wild.state.market["n_open"][0]


def test_free_rows_and_open_rows_are_all_rows(wild):
    free = []
    row = int(wild.state.market["free_head"][0])
    while row >= 0:
        free.append(row)
        row = int(wild.state.positions[row]["next_level"])
    taken = np.flatnonzero(wild.state.positions["is_open"] == 1).tolist()
    assert sorted(free + taken) == list(range(len(wild.state.positions)))


def test_open_interest_is_the_sum_of_the_positions_and_long_equals_short(wild):
    rows = wild.open_positions()
    for venue, here in enumerate(wild.state.venues):
        longs = rows["lots"][(rows["venue"] == venue) & (rows["side"] == 1)].sum()
        shorts = rows["lots"][(rows["venue"] == venue) & (rows["side"] == -1)].sum()
        assert (here["long_lots"], here["short_lots"]) == (longs, shorts)
        assert longs + max(here["inventory_lots"], 0) == shorts + max(-here["inventory_lots"], 0)


def test_a_book_that_outgrows_its_array_goes_on():
    world = small(warmup_days=0.1)
    busy = msgspec.structs.replace(world.assets[0], opens_per_hour=150_000.0)
    market = AssetMarket(msgspec.structs.replace(world, assets=(busy,)), busy, 1, START_NS)
    market.run(START_NS + HOUR_NS // 4)
    assert len(market.state.positions) > 1 << 15
    assert reachable(market, "due") == np.flatnonzero(market.state.positions["is_open"] == 1).tolist()
