"""Orderly's traps, on frames of our own, and the examples that the venue published."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.sources.venues.play import NOW_NS, Play

from faultline.messages import NO_SEQ, Flag, Kind
from faultline.sources.control import Confirmed, Refused, Reply, Resync
from faultline.sources.rows import Reason, Rows
from faultline.units import MILLISECOND_NS, PriceKind

NOW_MS = NOW_NS // MILLISECOND_NS
BTC, ETH = "PERP_BTC_USDC", "PERP_ETH_USDC"


@pytest.fixture
def play():
    return Play("orderly")


@pytest.fixture
def mapper(play):
    return play.venue.mapper(play.contracts)


def push(play, mapper, topic, body, *, ts=NOW_MS):
    mapper.map(json.dumps({"topic": topic, "ts": ts, "data": body}).encode(), NOW_NS, play.out)
    return play.drain()


def liquidation(number=1, qty=-0.5, *, kind="liquidated", at_ms=NOW_MS - 200, symbol=BTC):
    positions = [{"symbol": symbol, "positionQty": qty, "liquidatorFee": 0.01}]
    return {"liquidationId": number, "timestamp": at_ms, "type": kind, "positionsByPerp": positions}


def mark(play, mapper, price, symbol=BTC):
    return push(play, mapper, "markprices", [{"symbol": symbol, "price": price}])


@pytest.mark.parametrize(("qty", "side"), [(0.5, 1), (-0.5, -1)])
def test_a_liquidation_has_the_side_of_its_sign_and_the_mark_price(play, mapper, qty, side):
    mark(play, mapper, 100_000.0)
    rows = push(play, mapper, "liquidation", [liquidation(9, qty)])
    assert set(rows) == {(Kind.LIQUIDATION, BTC)}
    row = rows[(Kind.LIQUIDATION, BTC)][0]
    assert (row["side"], row["price_kind"], row["price_usd"], row["qty_base"]) == (
        side, PriceKind.MARK, 100_000.0, 0.5,
    )  # fmt: skip
    assert (row["notional_usd"], row["seq"]) == (50_000.0, 9)


def test_a_liquidation_waits_for_a_mark_price(play, mapper):
    assert push(play, mapper, "liquidation", [liquidation()]) == {}
    assert set(mark(play, mapper, 3_000.0, ETH)) == {(Kind.MARK, ETH)}
    rows = mark(play, mapper, 99_000.0)
    assert rows[(Kind.LIQUIDATION, BTC)]["price_usd"].tolist() == [99_000.0]
    assert set(mark(play, mapper, 99_001.0)) == {(Kind.MARK, BTC)}


def test_a_liquidation_waits_beyond_its_connection_and_is_told_once(play, mapper):
    assert push(play, mapper, "liquidation", [liquidation(1)]) == {}
    following = play.venue.mapper(play.contracts)
    following.inherit(mapper)
    # The list is pushed again on the new connection.
    assert push(play, following, "liquidation", [liquidation(1)]) == {}
    rows = mark(play, following, 99_000.0)[(Kind.LIQUIDATION, BTC)]
    assert rows[["price_usd", "qty_base", "seq"]].tolist() == [(99_000.0, 0.5, 1)]
    following.finish(play.out)
    assert play.drain() == {}


def test_a_liquidation_whose_mark_comes_too_late_has_no_price(play, mapper):
    push(play, mapper, "liquidation", [liquidation(1, at_ms=NOW_MS - 50_000)])
    body = [{"symbol": BTC, "price": 99_000.0}]
    (row,) = push(play, mapper, "markprices", body, ts=NOW_MS + 11_000)[(Kind.LIQUIDATION, BTC)]
    assert (row["side"], row["price_kind"], row["qty_base"], row["seq"]) == (-1, PriceKind.UNKNOWN, 0.5, 1)
    assert np.isnan(row["price_usd"])
    assert np.isnan(row["notional_usd"])


def test_no_liquidation_that_waits_is_lost(play, mapper):
    """Neither by one too many, nor by a mark price that cannot be, nor by the end."""
    told = []
    for number in range(70):
        told.append(push(play, mapper, "liquidation", [liquidation(number, qty=1.0 + number)]))
        told.append(mark(play, mapper, -1.0))
    assert [set(rows) for rows in told].count({(Kind.LIQUIDATION, BTC)}) == 6
    mapper.finish(play.out)
    rows = np.concatenate([one[(Kind.LIQUIDATION, BTC)] for one in [*told, play.drain()] if one])
    assert rows["seq"].tolist() == list(range(70))
    assert rows["qty_base"].tolist() == [1.0 + number for number in range(70)]
    assert np.isnan(rows["price_usd"]).all()


def test_a_list_that_is_pushed_again_tells_nothing_twice_and_nothing_old(play, mapper):
    mark(play, mapper, 100_000.0)
    old = liquidation(1, at_ms=NOW_MS - 3_600_000)
    assert push(play, mapper, "liquidation", [old, liquidation(3, kind="claim")]) == {}
    both = [liquidation(2), liquidation(4, symbol="PERP_UNASKED_USDC")]
    assert len(push(play, mapper, "liquidation", both)[(Kind.LIQUIDATION, BTC)]) == 1
    assert push(play, mapper, "liquidation", both) == {}
    assert play.out.rejects == {}


def test_trades_have_no_id(play, mapper):
    row = {"symbol": BTC, "price": 100_000.0, "size": 0.2, "side": "SELL"}
    found = push(play, mapper, f"{BTC}@trade", row)[(Kind.TRADE, BTC)]
    assert found[["taker_side", "seq"]].tolist() == [(-1, NO_SEQ)]
    assert push(play, mapper, f"{BTC}@trade", row | {"side": "X"}) == {}
    assert set(play.out.rejects) == {("trade", Reason.UNKNOWN_WORD)}


def test_changes_are_chained_by_times_and_wait_for_the_book(play, mapper):
    def change(before, at):
        row = {"symbol": BTC, "prevTs": NOW_MS + before, "asks": [], "bids": [[99_000.0, 1.0]]}
        return push(play, mapper, f"{BTC}@orderbookupdate", row, ts=NOW_MS + at)

    def whole(at):
        data = {"symbol": BTC, "ts": NOW_MS + at, "asks": [], "bids": [[98_000.0, 2.0]]}
        frame = {"id": f"orderbook|{BTC}", "event": "request", "success": True, "ts": NOW_MS, "data": data}
        mapper.map(json.dumps(frame).encode(), NOW_NS, play.out)
        return play.drain()

    assert change(0, 200) == {}
    assert [type(one) for one in play.out.controls] == [Resync]
    rows = whole(100)[(Kind.BOOK_LEVEL, BTC)]
    assert rows[["flags", "price_usd"]].tolist() == [(Flag.SNAPSHOT, 98_000.0), (0, 99_000.0)]
    assert len(change(200, 400)[(Kind.BOOK_LEVEL, BTC)]) == 1
    assert set(change(600, 800)) == {(Kind.GAP, BTC)}
    assert len(play.out.controls) == 2
    assert len(whole(700)[(Kind.BOOK_LEVEL, BTC)]) == 2


def position(address="0xaa", account="0x01", **more):
    row = {"address": address, "account_id": account, "symbol": BTC, "side": "SHORT", "position_qty": "2"}
    row |= {"average_open_price": "100", "notional": "210", "est_liq_price": "150.5", "unrealized_pnl": "-5"}
    return {**row, "leverage": 7, "margin_mode": "ISOLATED", **more}


def positions(play, mapper, *rows, cursor=None):
    body = {"success": True, "data": {"rows": list(rows), "next_cursor": cursor}, "ts": NOW_MS}
    mapper.map_answer("platformPositions", BTC, json.dumps(body).encode(), NOW_NS, play.out)
    return play.drain(Kind.WALLET_POSITION).get(BTC, [])


def test_positions_have_leverage_mode_and_liquidation_price(play, mapper):
    (row,) = positions(play, mapper, position())
    assert (row["wallet"], row["side"], row["qty_base"], row["leverage"]) == (b"0xaa", -1, 2.0, 7.0)
    assert (row["is_cross"], row["liquidation_price_usd"], row["notional_usd"]) == (0, 150.5, 210.0)
    unknown = dict.fromkeys(("leverage", "margin_mode", "est_liq_price", "unrealized_pnl"))
    (row,) = positions(play, mapper, position(**unknown))
    assert row["is_cross"] == -1
    assert np.isnan([row["leverage"], row["liquidation_price_usd"], row["unrealized_pnl_usd"]]).all()
    assert play.out.rejects == {}


def test_a_position_that_is_gone_is_told_as_zero_once_and_only_by_a_whole_page(play, mapper):
    positions(play, mapper, position("0xaa"), position("0xbb"))
    assert [row["wallet"] for row in positions(play, mapper, position("0xbb"), cursor="more")] == [b"0xbb"]
    rows = positions(play, mapper, position("0xbb"))
    assert [(row["wallet"], row["side"]) for row in rows] == [(b"0xbb", -1), (b"0xaa", 0)]
    assert len(positions(play, mapper, position("0xbb"))) == 1


def test_two_accounts_of_one_address_are_told_apart(play, mapper):
    rows = positions(play, mapper, position(account="0x01"), position(account="0x02"))
    assert [row["wallet"] for row in rows] == [b"0x01", b"0x02"]
    assert len(positions(play, mapper, position(None, None))) == 2, "nobody's, and two that are gone"


def test_a_failed_query_is_an_error_of_the_venue(play, mapper):
    mapper.map_answer(
        "platformPositions", BTC, b'{"success":false,"code":"SERVICE_UNAVAILABLE"}', NOW_NS, play.out
    )
    assert set(play.out.rejects) == {("platformPositions", Reason.VENUE_ERROR)}


def test_pings_answers_and_refusals(play, mapper):
    for frame in (
        b'{"event":"ping","ts":1}',
        b'{"id":"markprices","event":"subscribe","success":true,"ts":1}',
        b'{"id":"X@trade","event":"subscribe","success":false,"errorMsg":"invalid symbol X"}',
    ):
        mapper.map(frame, NOW_NS, play.out)
    assert play.out.controls == [
        Reply(b'{"event":"pong"}'), Confirmed("markprices"), Refused("X@trade", "invalid symbol X"),
    ]  # fmt: skip


def test_liquidations_bring_marks_with_them_and_positions_stay_within_the_budget(play):
    (plan,) = play.venue.feed.sockets(play.wanted(kinds=frozenset({Kind.LIQUIDATION})))
    assert plan.expects == {"liquidation", "markprices"}
    polls = play.venue.feed.polls(play.wanted([play.instruments[0]] * 150))
    weight_per_minute = sum(poll.request.weight * 60.0 / poll.every_s for poll in polls)
    assert weight_per_minute <= 600


def test_margins_grow_with_the_power_of_the_position(play):
    contract = play.contracts[BTC]
    assert (contract.tiers[0].maintenance_ratio, contract.max_leverage) == (0.012, 50.0)
    for notional_usd in (5e6, 5e7):
        exact = 0.012 / 0.02 * max(0.02, 0.0000002 * notional_usd**0.8)
        assert exact / 1.25 <= contract.tier_of(notional_usd).maintenance_ratio <= exact


# -- published --------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
def test_published_examples_are_read_or_told_by_name(recorded, play):
    folder = recorded / "venue_messages/by_venue/orderly"
    like, near = play.contracts[BTC], "PERP_NEAR_USDC"
    mapper, out = play.venue.mapper({near: like, BTC: like}), Rows("orderly")
    frame = json.loads((folder / "liquidation_ws.json").read_text())
    ts_ns = frame["ts"] * MILLISECOND_NS
    marks = {"topic": "markprices", "ts": frame["ts"], "data": [{"symbol": near, "price": 2.15}]}
    mapper.map(json.dumps(marks).encode(), ts_ns, out)
    mapper.map(json.dumps(frame).encode(), ts_ns, out)
    assert {batch.kind for batch in out.drain()} == {Kind.MARK}, "it began a day before"
    frame["data"][0]["timestamp"] = frame["ts"] - 500
    mapper.map(json.dumps(frame).encode(), ts_ns, out)
    (batch,) = out.drain()
    assert batch.rows[["side", "qty_base"]].tolist() == [(1, 12.6)]
    body = (folder / "platformPositions.json").read_bytes()
    mapper.map_answer("platformPositions", BTC, body, json.loads(body)["ts"] * MILLISECOND_NS, out)
    (batch,) = out.drain()
    assert batch.rows[["side", "leverage", "liquidation_price_usd"]].tolist() == [(1, 5.0, 38_000.0)]
    assert out.rejects == {}
    mapper.map((folder / "traders_open_interests.json").read_bytes(), NOW_NS, out)
    assert set(out.rejects) == {("traders_open_interests", Reason.UNKNOWN_CHANNEL)}
