"""CoinEx's traps, on frames of our own, and its published examples."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.sources.venues.play import NOW_NS, Play, book_of

from faultline.messages import Flag, Kind
from faultline.sources.control import Confirmed, Refused, Resync
from faultline.sources.plan import Unzip
from faultline.sources.rows import Reason
from faultline.units import HOUR_NS, MILLISECOND_NS, PriceKind

NOW_MS = NOW_NS // MILLISECOND_NS
LINEAR, INVERSE = "BTCUSDT", "BTCUSD"


@pytest.fixture
def play():
    return Play("coinex")


@pytest.fixture
def mapper(play):
    return play.venue.mapper(play.contracts)


def push(play, mapper, method, body):
    mapper.map(json.dumps({"method": method, "data": body, "id": None}).encode(), NOW_NS, play.out)
    return play.drain()


def poll(play, mapper, rows, symbol=LINEAR, code=0, now_ns=NOW_NS):
    body = json.dumps({"code": code, "data": rows, "message": "OK"}).encode()
    mapper.map_answer("liquidation-history", symbol, body, now_ns, play.out)
    return play.drain(Kind.LIQUIDATION).get(symbol, [])


def liquidation(**more):
    row = {"market": LINEAR, "side": "long", "liq_price": "99000", "liq_amount": "0.25", "bkr_price": "98505"}
    return {**row, "created_at": NOW_MS, **more}


@pytest.mark.parametrize(("side", "position"), [("long", 1), ("short", -1)])
def test_the_side_of_a_liquidation_is_the_position_and_its_price_the_trigger(play, mapper, side, position):
    row = poll(play, mapper, [liquidation(side=side)])[0]
    assert (row["side"], row["price_kind"], row["price_usd"]) == (position, PriceKind.TRIGGER, 99_000.0)
    assert (row["qty_base"], row["notional_usd"]) == (0.25, 24_750.0)


def test_a_row_is_told_once_however_often_it_is_answered(play, mapper):
    first = [liquidation(), liquidation(created_at=NOW_MS - 50)]
    assert poll(play, mapper, first)["ts_event_ns"].tolist() == [NOW_NS - 50 * MILLISECOND_NS, NOW_NS]
    assert len(poll(play, mapper, first)) == 0
    again = [liquidation(liq_amount="0.5"), *first]
    assert poll(play, mapper, again)["qty_base"].tolist() == [0.5], "the same moment, another position"


def test_the_past_in_the_first_answer_is_flagged(play, mapper):
    old = liquidation(created_at=NOW_MS - 3_600_000)
    assert [int(row["flags"]) for row in poll(play, mapper, [liquidation(), old])] == [Flag.SNAPSHOT, 0]
    late = liquidation(created_at=NOW_MS - 1_800_000)
    assert [int(row["flags"]) for row in poll(play, mapper, [late])] == [0], "new since the last answer"


def test_a_name_may_begin_with_a_space_and_must_be_the_one_asked_for(play, mapper):
    assert len(poll(play, mapper, [liquidation(market=f" {LINEAR}")])) == 1
    assert len(poll(play, mapper, [liquidation(market="ETHUSDT", liq_amount="9")])) == 0
    assert ("liquidation-history", Reason.UNKNOWN_WORD) in play.out.rejects
    poll(play, mapper, [], code=4213)
    assert ("liquidation-history", Reason.VENUE_ERROR) in play.out.rejects


def test_quantities_are_dollars_of_inverse_contracts(play, mapper):
    row = poll(play, mapper, [liquidation(market=INVERSE, liq_amount="4950")], INVERSE)[0]
    np.testing.assert_allclose([row["qty_base"], row["notional_usd"]], [0.05, 4_950.0])
    deal = {"deal_id": 7, "created_at": NOW_MS, "side": "sell", "price": "100000", "amount": "500"}
    rows = push(play, mapper, "deals.update", {"market": INVERSE, "deal_list": [deal]})
    assert rows[(Kind.TRADE, INVERSE)][0]["qty_base"] == 0.005


def test_trades_come_newest_first_and_may_overlap(play, mapper):
    deals = [
        {"deal_id": n, "created_at": NOW_MS - age, "side": "buy", "price": "100000", "amount": "0.5"}
        for n, age in ((9, 0), (8, 100), (7, 60_000))
    ]
    rows = push(play, mapper, "deals.update", {"market": LINEAR, "deal_list": deals})[(Kind.TRADE, LINEAR)]
    assert rows["seq"].tolist() == [7, 8, 9]
    assert rows["flags"].tolist() == [Flag.SNAPSHOT, 0, 0]
    again = push(
        play, mapper, "deals.update", {"market": LINEAR, "deal_list": [{**deals[0], "deal_id": 10}, deals[0]]}
    )
    assert again[(Kind.TRADE, LINEAR)]["seq"].tolist() == [10]


def depth(is_full, bids=(), asks=()):
    levels = {"bids": list(bids), "asks": list(asks), "updated_at": NOW_MS, "last": "1", "checksum": 5}
    return {"market": LINEAR, "is_full": is_full, "depth": levels}


def test_changes_wait_for_a_whole_book_and_gone_levels_are_left_out_of_it(play, mapper):
    assert push(play, mapper, "depth.update", depth(False, [["100", "1"]])) == {}
    whole = depth(True, [["100", "1"], ["98", "0"]], [["101", "2"]])
    first = push(play, mapper, "depth.update", whole)[(Kind.BOOK_LEVEL, LINEAR)]
    assert len(first) == 2
    more = push(play, mapper, "depth.update", depth(False, [["100", "0"]], [["102", "4"]]))[
        (Kind.BOOK_LEVEL, LINEAR)
    ]
    assert book_of([*first, *more]) == {1: {}, -1: {101.0: 2.0, 102.0: 4.0}}
    assert push(play, mapper, "depth.update", depth(False, [["-1", "1"]])).keys() == {(Kind.GAP, LINEAR)}
    assert [type(one) for one in play.out.controls] == [Resync]
    assert push(play, mapper, "depth.update", depth(False, [["99", "1"]])) == {}


def test_the_rate_of_the_next_settlement_is_read_and_states_are_of_now(play, mapper):
    state = {
        "market": LINEAR, "mark_price": "100000", "index_price": "99990", "open_interest_size": "924.5",
        "latest_funding_rate": "0.0009", "next_funding_rate": "0.0001", "latest_funding_time": NOW_MS - 4 * 3_600_000,
        "next_funding_time": NOW_MS + 4 * 3_600_000,
    }  # fmt: skip
    rows = push(play, mapper, "state.update", {"state_list": [state]})
    funding = rows[(Kind.FUNDING, LINEAR)][0]
    assert (funding["rate_ratio"], funding["interval_ns"]) == (0.0001, 8 * HOUR_NS)
    assert funding["ts_event_ns"] == NOW_NS
    assert rows[(Kind.OPEN_INTEREST, LINEAR)][0]["oi_base"] == 924.5
    inverse = push(
        play, mapper, "state.update", {"state_list": [{"market": INVERSE, "open_interest_size": "5000"}]}
    )
    assert inverse[(Kind.OPEN_INTEREST, INVERSE)][0]["oi_usd"] == 5_000.0
    assert len(inverse) == 1, "missing is missing"


def test_answers_are_told_apart_by_their_number(play, mapper):
    for answer in (
        {"id": 1000, "code": 0, "message": "OK"},
        {"id": 2001, "code": 20001, "message": "invalid argument"},
        {"id": 0, "code": 0, "data": {"result": "pong"}, "message": "OK"},
    ):
        mapper.map(json.dumps(answer).encode(), NOW_NS, play.out)
    assert play.out.controls == [Confirmed("deals|1000"), Refused("depth|2001", "20001: invalid argument")]
    plan = play.venue.feed.sockets(play.wanted())[0]
    assert plan.unzip is Unzip.GZIP
    assert plan.expects == {"deals|1000", "depth|2000", "state|3000"}


def test_levels_end_at_the_value_of_their_size(play):
    tiers = play.contracts[LINEAR].tiers
    np.testing.assert_allclose([tier.cap_usd for tier in tiers], [2e6, 5e6, 1e7])
    assert play.contracts[INVERSE].tier_of(3e6).maintenance_ratio == 0.01
    assert "OLDUSDT" not in play.contracts


def test_the_published_formulas_are_met(play):
    """Entry at the settlement price and a margin of 10 %: 0.9 / 0.995 of it, and 0.9 of it."""
    item = play.contracts[LINEAR]
    np.testing.assert_allclose(item.liquidation_price_usd(100_000.0, 10.0, 1), 100_000 * 0.9 / 0.995)
    np.testing.assert_allclose(item.bankruptcy_price_usd(100_000.0, 10.0, 1), 90_000.0)


# -- recorded ---------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
def test_published_liquidations_are_read(recorded, play):
    folder = recorded / "venue_messages/by_venue/coinex"
    for name, symbol, side in (
        ("liquidation_history", "LATUSDT", 1),
        ("liquidation_history_btc", LINEAR, -1),
    ):
        answer = json.loads((folder / f"{name}.json").read_text())
        newest_ns = max(row["created_at"] for row in answer["data"]) * MILLISECOND_NS
        mapper = play.venue.mapper({symbol: play.contracts[LINEAR]})
        body = json.dumps({"code": 0, **answer}).encode()
        mapper.map_answer("liquidation-history", symbol, body, newest_ns, play.out)
        rows = play.drain(Kind.LIQUIDATION)[symbol]
        assert len(rows) == len(answer["data"])
        assert set(rows["side"]) == {side}
        for row, told in zip(rows, answer["data"], strict=True):
            # The bankruptcy price, which is not kept, lies beyond the trigger.
            assert (float(told["bkr_price"]) - row["price_usd"]) * side < 0
    assert play.out.rejects == {}
