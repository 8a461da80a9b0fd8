"""Extended's traps, on frames of our own, and the examples that were published."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.sources.venues.play import NOW_NS, Play

from faultline.messages import NO_SEQ, Flag, Kind, TradeCause
from faultline.sources.control import Refused, Resync
from faultline.sources.rows import Reason
from faultline.units import HOUR_NS, MILLISECOND_NS, PriceKind

NOW_MS = NOW_NS // MILLISECOND_NS
BTC = "BTC-USD"


@pytest.fixture
def play():
    return Play("extended")


@pytest.fixture
def mapper(play):
    return play.venue.mapper(play.contracts)


def told(play, mapper, data, *, seq=1, **more):
    mapper.map(json.dumps({**more, "data": data, "ts": NOW_MS, "seq": seq}).encode(), NOW_NS, play.out)
    return play.drain()


def trade(number=1, **more):
    row = {"m": BTC, "S": "SELL", "tT": "TRADE", "T": NOW_MS - 10, "p": "100000", "q": "0.5", "i": number}
    return row | more


def test_every_request_and_every_connection_says_who_it_is(play):
    plans, polls = play.venue.feed.sockets(play.wanted()), play.venue.feed.polls(play.wanted())
    requests = [request for _, request in play.venue.feed.listing()]
    requests += [poll.request for poll in (*polls, play.venue.feed.book_snapshot(BTC))]
    for one in (*plans, *requests):
        assert dict(one.headers).get("User-Agent"), one


def test_books_are_streams_of_one_market_and_the_rest_of_all(play):
    urls = [plan.url.partition("/v1/")[2] for plan in play.venue.feed.sockets(play.wanted())]
    assert urls == [
        "publicTrades", "prices/mark", "funding", *(f"orderbooks/{item.symbol}" for item in play.instruments),
    ]  # fmt: skip
    alone = play.venue.feed.sockets(play.wanted([play.contracts[BTC]]))
    assert all(plan.url.endswith(f"/{BTC}") for plan in alone)


@pytest.mark.parametrize(("side", "position"), [("SELL", 1), ("BUY", -1)])
def test_a_liquidation_is_a_trade_and_closes_the_other_side(play, mapper, side, position):
    rows = told(play, mapper, [trade(S=side, tT="LIQUIDATION")])
    assert rows[(Kind.TRADE, BTC)][0]["cause"] == TradeCause.LIQUIDATION
    found = rows[(Kind.LIQUIDATION, BTC)][0]
    assert (found["side"], found["price_kind"], found["seq"]) == (position, PriceKind.FILL, 1)


def test_a_deleverage_is_an_adl_and_others_are_unknown(play, mapper):
    rows = told(play, mapper, [trade(S="BUY", tT="DELEVERAGE")])
    assert set(rows) == {(Kind.TRADE, BTC), (Kind.ADL, BTC)}
    assert (rows[(Kind.TRADE, BTC)][0]["cause"], rows[(Kind.ADL, BTC)][0]["side"]) == (TradeCause.ADL, 1)
    assert told(play, mapper, [trade(tT="GIFT")]) == {}
    assert set(play.out.rejects) == {("publicTrades", Reason.UNKNOWN_WORD)}


def test_trades_of_other_markets_are_passed_over_and_none_is_told_twice(play, mapper):
    rows = told(play, mapper, [trade(1), trade(1), trade(2, m="XYZ-USD")])
    assert len(rows[(Kind.TRADE, BTC)]) == 1
    assert set(rows) == {(Kind.TRADE, BTC)}
    assert play.out.rejects == {}


def book(play, mapper, kind, seq, *levels):
    bids = [dict(zip("pqc", level, strict=False)) for level in levels]
    rows = told(play, mapper, {"t": kind, "m": BTC, "b": bids, "a": []}, seq=seq, type=kind)
    found = rows.get((Kind.BOOK_LEVEL, BTC), [])
    return [(row["price_usd"], row["qty_base"], row["flags"]) for row in found], rows


def test_what_stands_after_a_change_is_c(play, mapper):
    assert book(play, mapper, "SNAPSHOT", 1, ("99", "5", "5"))[0] == [(99.0, 5.0, Flag.SNAPSHOT)]
    assert book(play, mapper, "DELTA", 2, ("99", "-2", "3"))[0] == [(99.0, 3.0, 0)]
    assert book(play, mapper, "DELTA", 3, ("99", "-3", "0"))[0] == [(99.0, 0.0, 0)]
    rows = book(play, mapper, "DELTA", 4, ("98", "1"))[1]
    assert set(rows) == {(Kind.GAP, BTC)}, "a change alone says little"
    assert isinstance(play.out.controls[-1], Resync)


def test_a_gap_waits_for_a_whole_book_and_writes_changes_again_over_it(play, mapper):
    assert book(play, mapper, "DELTA", 7, ("99", "1", "1"))[1] == {}
    book(play, mapper, "SNAPSHOT", 8, ("99", "5"))
    assert set(book(play, mapper, "DELTA", 11, ("97", "1", "1"))[1]) == {(Kind.GAP, BTC)}
    assert book(play, mapper, "DELTA", 12, ("96", "2", "2"))[1] == {}
    whole = {"data": {"market": BTC, "bid": [{"qty": "4", "price": "99"}], "ask": []}, "status": "OK"}
    mapper.map_answer("orderbooks", BTC, json.dumps(whole).encode(), NOW_NS, play.out)
    rows = play.drain(Kind.BOOK_LEVEL)[BTC]
    assert rows[["price_usd", "flags", "seq"]].tolist() == [
        (99.0, Flag.SNAPSHOT, NO_SEQ), (97.0, 0, 11), (96.0, 0, 12),
    ]  # fmt: skip
    assert book(play, mapper, "DELTA", 13, ("95", "1", "1"))[0] == [(95.0, 1.0, 0)]
    assert book(play, mapper, "SNAPSHOT", 14, ("94", "1"))[0] == [(94.0, 1.0, Flag.SNAPSHOT)]


def test_marks_have_the_time_of_the_frame_and_funding_its_own(play, mapper):
    row = told(play, mapper, {"m": BTC, "p": "100.5", "ts": 0}, type="MP")[(Kind.MARK, BTC)][0]
    assert (row["ts_event_ns"], row["mark_price_usd"]) == (NOW_NS, 100.5)
    assert np.isnan(row["index_price_usd"])
    row = told(play, mapper, {"m": BTC, "T": NOW_MS - 500, "f": "-0.00001"})[(Kind.FUNDING, BTC)][0]
    assert (row["ts_event_ns"], row["interval_ns"]) == (NOW_NS - 500 * MILLISECOND_NS, HOUR_NS)


def test_interest_that_is_zero_is_not_told(play, mapper):
    for body, expected in (
        (b'{"status":"OK","data":{"openInterest":"0","openInterestBase":"0"}}', 0),
        (b'{"status":"OK","data":{"openInterest":"500.5","openInterestBase":"5"}}', 1),
    ):
        mapper.map_answer("stats", BTC, body, NOW_NS, play.out)
        assert len(play.drain()) == expected
    assert play.out.rejects == {}


def test_an_unknown_market_is_a_refusal_and_other_streams_are_told_by_name(play, mapper):
    mapper.map(b'{"status":"ERROR","error":{"code":1001,"message":"Market not found."}}', NOW_NS, play.out)
    assert play.out.controls == [Refused("", "1001: Market not found.")]
    assert told(play, mapper, {"m": BTC, "p": "1"}, type="IP") == {}
    assert set(play.out.rejects) == {("IP", Reason.UNKNOWN_CHANNEL)}


def test_tiers_follow_the_risk_factors(play):
    tiers = play.contracts[BTC].tiers
    assert [(one.cap_usd, one.maintenance_ratio, one.max_leverage) for one in tiers] == [
        (400_000.0, 0.01, 50.0), (np.inf, 0.025, 20.0),
    ]  # fmt: skip


# -- published --------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("publicTrades", {Kind.TRADE}),
        ("publicTrades_liquidation_testfixture", {Kind.TRADE, Kind.LIQUIDATION}),
    ],
)
def test_published_examples_are_read(recorded, play, mapper, name, kinds):
    body = (recorded / f"venue_messages/by_venue/extended/{name}.json").read_bytes()
    mapper.map(body, json.loads(body)["ts"] * MILLISECOND_NS, play.out)
    assert {kind for kind, _ in play.drain()} == kinds
    assert play.out.rejects == {}
