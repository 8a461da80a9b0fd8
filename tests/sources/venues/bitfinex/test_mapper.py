"""Bitfinex's traps, on frames of our own, and its recorded frames."""

from __future__ import annotations

import collections
import json

import numpy as np
import pytest
from tests.sources.venues.play import NOW_NS, Play, book_of, raw_frames

from faultline.messages import Flag, Kind
from faultline.sources.control import Confirmed, Refused, Resync
from faultline.sources.rows import Reason, Rows
from faultline.units import HOUR_NS, MILLISECOND_NS, PriceKind

NOW_MS = NOW_NS // MILLISECOND_NS
BTC = "tBTCF0:USTF0"
TRADES, BOOK, LIQUIDATIONS, STATUS = 11, 12, 13, 14


@pytest.fixture
def play():
    return Play("bitfinex")


@pytest.fixture
def mapper(play):
    """A mapper that knows the numbers of four channels."""
    made = play.venue.mapper(play.contracts)
    for number, more in (
        (TRADES, {"channel": "trades", "symbol": BTC}),
        (BOOK, {"channel": "book", "symbol": BTC, "prec": "P0"}),
        (LIQUIDATIONS, {"channel": "status", "key": "liq:global"}),
        (STATUS, {"channel": "status", "key": f"deriv:{BTC}"}),
    ):
        made.map(json.dumps({"event": "subscribed", "chanId": number, **more}).encode(), NOW_NS, play.out)
    return made


def push(play, mapper, *frame):
    mapper.map(json.dumps(frame, separators=(",", ":")).encode(), NOW_NS, play.out)
    return play.drain()


def test_numbers_of_channels_are_those_of_the_confirmations(play, mapper):
    assert play.out.controls == [
        Confirmed(f"trades|{BTC}"), Confirmed(f"book|{BTC}"), Confirmed("liq:global|all"), Confirmed(f"deriv|{BTC}"),
    ]  # fmt: skip
    assert push(play, mapper, 99, "te", [1, NOW_MS, 1.0, 5.0], NOW_MS) == {}
    assert ("?", Reason.UNKNOWN_CHANNEL) in play.out.rejects
    play.out.rejects.clear()
    mapper.map(b'{"event":"unsubscribed","status":"OK","chanId":11}', NOW_NS, play.out)
    assert push(play, mapper, TRADES, "te", [1, NOW_MS, 1.0, 5.0], NOW_MS) == {}
    assert ("?", Reason.UNKNOWN_CHANNEL) in play.out.rejects


def test_a_trade_is_told_once_though_it_comes_as_executed_and_as_booked(play, mapper):
    latest = [[8, NOW_MS - 5, -0.5, 101.0], [7, NOW_MS - 9, 0.25, 100.0]]
    rows = push(play, mapper, TRADES, latest, NOW_MS)[(Kind.TRADE, BTC)]
    assert rows["seq"].tolist() == [7, 8], "oldest first"
    assert rows["taker_side"].tolist() == [1, -1]
    assert all(rows["flags"] & Flag.SNAPSHOT)
    assert push(play, mapper, TRADES, "te", [8, NOW_MS - 5, -0.5, 101.0], NOW_MS) == {}
    new = push(play, mapper, TRADES, "te", [9, NOW_MS, 0.5, 102.0], NOW_MS)[(Kind.TRADE, BTC)]
    assert (new[0]["seq"], new[0]["flags"]) == (9, 0)
    assert push(play, mapper, TRADES, "tu", [9, NOW_MS, 0.5, 102.0], NOW_MS) == {}
    assert push(play, mapper, TRADES, "tu", [10, NOW_MS, 0.5, 102.0], NOW_MS).keys() == {(Kind.TRADE, BTC)}
    assert push(play, mapper, TRADES, "hb", NOW_MS) == {}
    assert play.out.rejects == {}


def position(amount, *, is_match=0, symbol=BTC, at_ms=NOW_MS):
    return [
        "pos",
        5,
        at_ms,
        None,
        symbol,
        amount,
        100_400.5,
        None,
        is_match,
        1,
        None,
        100_100.0 * is_match or None,
    ]


@pytest.mark.parametrize(("amount", "side"), [(0.25, 1), (-0.25, -1)])
def test_the_sign_of_a_liquidation_is_the_position_and_its_price_the_entry(play, mapper, amount, side):
    row = push(play, mapper, LIQUIDATIONS, [position(amount)], NOW_MS)[(Kind.LIQUIDATION, BTC)][0]
    assert (row["side"], row["price_kind"], row["price_usd"], row["qty_base"]) == (
        side, PriceKind.ENTRY, 100_400.5, 0.25,
    )  # fmt: skip
    np.testing.assert_allclose(row["notional_usd"], 0.25 * 100_400.5)


def test_matches_and_margin_trading_are_passed_over(play, mapper):
    rows = [position(0.25, is_match=1), position(0.25, symbol="tBTCUSD")]
    assert push(play, mapper, LIQUIDATIONS, rows, NOW_MS) == {}
    assert play.out.rejects == {}


def test_the_last_liquidation_is_repeated_after_a_subscription_and_flagged(play, mapper):
    old = push(play, mapper, LIQUIDATIONS, [position(0.25, at_ms=NOW_MS - 12 * 3_600_000)], NOW_MS)
    new = push(play, mapper, LIQUIDATIONS, [position(0.25, at_ms=NOW_MS - 50)], NOW_MS)
    assert old[(Kind.LIQUIDATION, BTC)][0]["flags"] == Flag.SNAPSHOT
    assert new[(Kind.LIQUIDATION, BTC)][0]["flags"] == 0


def test_frames_have_the_time_at_their_end_or_none(play, mapper):
    level = [100.0, 2, 1.5]
    push(play, mapper, BOOK, [level], NOW_MS)
    told = push(play, mapper, BOOK, level, 7, NOW_MS - 3)[(Kind.BOOK_LEVEL, BTC)]
    assert told[0]["ts_event_ns"] == (NOW_MS - 3) * MILLISECOND_NS
    for tail in ((), (7,)):  # a sequence number is no time
        told = push(play, mapper, BOOK, level, *tail)[(Kind.BOOK_LEVEL, BTC)]
        assert told[0]["ts_event_ns"] == NOW_NS


def test_amounts_tell_the_side_of_a_level_and_counts_whether_it_is_there(play, mapper):
    first = push(play, mapper, BOOK, [[100.0, 2, 1.5], [101.0, 1, -3.0]], NOW_MS)[(Kind.BOOK_LEVEL, BTC)]
    gone = push(play, mapper, BOOK, [100.0, 0, 1], NOW_MS)[(Kind.BOOK_LEVEL, BTC)]
    more = push(play, mapper, BOOK, [102.0, 4, -0.5], NOW_MS)[(Kind.BOOK_LEVEL, BTC)]
    assert book_of([*first, *gone, *more]) == {1: {}, -1: {101.0: 3.0, 102.0: 0.5}}


def test_a_rejected_change_loses_the_book_and_what_changes_until_it_is_fetched_is_kept(play, mapper):
    push(play, mapper, BOOK, [[100.0, 2, 1.5], [101.0, 1, -3.0]], NOW_MS)
    play.out.controls.clear()
    assert push(play, mapper, BOOK, [-1.0, 1, 2.0], NOW_MS).keys() == {(Kind.GAP, BTC)}
    assert [type(one) for one in play.out.controls] == [Resync]
    assert push(play, mapper, BOOK, [99.0, 1, 4.0], NOW_MS) == {}
    assert push(play, mapper, BOOK, [100.0, 0, 1], NOW_MS) == {}
    mapper.map_answer("book", BTC, b"[[100.0,2,1.5],[101.0,1,-3.0]]", NOW_NS, play.out)
    assert book_of(play.drain(Kind.BOOK_LEVEL)[BTC]) == {1: {99.0: 4.0}, -1: {101.0: 3.0}}


def test_nothing_of_a_state_is_something_else(play, mapper):
    state = [
        NOW_MS,
        None,
        99.0,
        98.5,
        None,
        1e7,
        None,
        NOW_MS + 60_000,
        1e-5,
        3,
        None,
        2e-5,
        None,
        None,
        99.5,
    ]
    rows = push(play, mapper, STATUS, [*state, None, None, 5_775.25], NOW_MS)
    assert (rows[(Kind.MARK, BTC)][0]["mark_price_usd"], rows[(Kind.MARK, BTC)][0]["index_price_usd"]) == (
        99.5,
        98.5,
    )
    funding = rows[(Kind.FUNDING, BTC)][0]
    assert (funding["rate_ratio"], funding["interval_ns"]) == (2e-5, 8 * HOUR_NS), (
        "not what has accrued for the next"
    )
    assert rows[(Kind.OPEN_INTEREST, BTC)][0]["oi_base"] == 5_775.25
    assert push(play, mapper, STATUS, [*state, None, None, 5_775.25], NOW_MS + 1) == {}, "repeated"
    state[0], state[11], state[14] = NOW_MS + 3_000, None, None
    assert push(play, mapper, STATUS, [*state, None, None, None], NOW_MS) == {}
    assert play.out.rejects == {}


def test_errors_refuse_what_they_name(play):
    mapper = play.venue.mapper(play.contracts)
    error = {"event": "error", "msg": "symbol: invalid", "code": 10300, "channel": "trades", "symbol": "tNO"}
    for event in (error, {"event": "error", "msg": "unknown", "code": 10000}):
        mapper.map(json.dumps(event).encode(), NOW_NS, play.out)
    assert play.out.controls == [
        Refused("trades|tNO", "10300: symbol: invalid"),
        Refused("", "10000: unknown"),
    ]


def test_assets_are_named_as_others_name_them_and_contracts_in_btc_are_left_out(play):
    assert "tETHF0:BTCF0" not in play.contracts
    item = play.contracts[BTC]
    assert (item.asset, item.quote, item.tick_usd, item.max_leverage) == ("BTC", "USDT", 10.0, 100.0)
    assert item.tiers[0].maintenance_ratio == 0.005


def test_a_connection_has_at_most_25_subscriptions(play):
    plans = play.venue.feed.sockets(play.wanted(play.instruments * 10))
    assert all(len(plan.expects) <= 25 for plan in plans)
    assert sum("liq:global|all" in plan.expects for plan in plans) == 1


# -- recorded ---------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
def test_a_recorded_connection_of_spot_pairs_is_read(recorded, play):
    """Spot pairs of 2021 are no contracts of ours; as if they were, every frame but the tickers is read."""
    frames = list(raw_frames(recorded / "venue_messages/cryptofeed/BITFINEX.ws.11.0.gz"))
    events = [json.loads(frame) for _, frame in frames if frame.startswith(b"{")]
    names = {one["symbol"] for one in events if "symbol" in one}
    mapper, out = play.venue.mapper(dict.fromkeys(names, play.contracts[BTC])), Rows("bitfinex")
    found = collections.Counter()
    for received_ns, frame in frames:
        mapper.map(frame, received_ns, out)
        for batch in out.drain():
            found[batch.kind] += len(batch.rows)
    print(len(frames), dict(found), {key: one.n for key, one in out.rejects.items()})
    assert set(out.rejects) == {("ticker", Reason.UNKNOWN_CHANNEL)}
    assert set(found) == {Kind.TRADE, Kind.BOOK_LEVEL}
    assert len([one for one in out.controls if isinstance(one, Confirmed)]) == 14
    mapper, out = play.venue.mapper(play.contracts), Rows("bitfinex")
    for received_ns, frame in frames:
        mapper.map(frame, received_ns, out)
    assert out.drain() == []
    assert {reason for _, reason in out.rejects} == {Reason.UNKNOWN_SYMBOL, Reason.UNKNOWN_CHANNEL}


@pytest.mark.recorded
def test_recorded_liquidations_are_read(recorded, play):
    folder = recorded / "venue_messages/by_venue/bitfinex"
    frames = json.loads((folder / "status_liq_global.json").read_text())
    mapper = play.venue.mapper(play.contracts)
    told = []
    for frame in frames:
        stamp_ns = frame[-1] * MILLISECOND_NS
        event = {"event": "subscribed", "channel": "status", "chanId": frame[0], "key": "liq:global"}
        mapper.map(json.dumps(event).encode(), stamp_ns, play.out)
        mapper.map(json.dumps(frame).encode(), stamp_ns, play.out)
        told.append(play.drain(Kind.LIQUIDATION))
    assert told[0][BTC][0]["side"] == 1
    assert told[0][BTC][0]["flags"] == Flag.SNAPSHOT, "twelve hours old"
    assert told[1] == {}, "a match"
    assert told[2]["tETHF0:USTF0"][0]["side"] == -1
    assert told[2]["tETHF0:USTF0"][0]["flags"] == 0
    assert play.out.rejects == {}


@pytest.mark.recorded
def test_recorded_rows_of_the_history_have_the_same_shape(recorded, play, mapper):
    """The history by REST repeats the socket; a row of it is a match."""
    folder = recorded / "venue_messages/by_venue/bitfinex"
    (rows,) = json.loads((folder / "liquidations_hist_rest.json").read_text())
    mapper.map(json.dumps([LIQUIDATIONS, rows, rows[0][2]]).encode(), rows[0][2] * MILLISECOND_NS, play.out)
    assert play.drain() == {}
    assert play.out.rejects == {}
