"""Bitget's traps, on frames of our own, and its recorded frames; recordings of older protocols are told by name."""

from __future__ import annotations

import collections
import json

import numpy as np
import pytest
from tests.sources.venues.play import NOW_NS, Play, book_of, raw_frames, stored_frames

from faultline.instruments import ContractKind
from faultline.messages import Flag, Kind
from faultline.sources.control import Confirmed, Refused, Resync
from faultline.sources.rows import Reason, Rows
from faultline.units import MILLISECOND_NS, PriceKind

NOW_MS = NOW_NS // MILLISECOND_NS


@pytest.fixture
def play():
    return Play("bitget")


@pytest.fixture
def mapper(play):
    return play.venue.mapper(play.contracts)


def push(play, mapper, topic, rows, *, action="update", symbol="BTCUSDT", received_ns=NOW_NS):
    arg = {"instType": "usdt-futures", "topic": topic, "symbol": symbol}
    frame = {"action": action, "arg": arg, "data": rows, "ts": NOW_MS}
    mapper.map(json.dumps(frame).encode(), received_ns, play.out)
    return play.drain()


def liquidation(**more):
    base = {
        "symbol": "BTCUSDT",
        "side": "buy",
        "price": "98000",
        "amount": "24500",
        "ts": str(NOW_MS - 12_000),
    }
    return {**base, **more}


def test_the_amount_of_a_liquidation_is_quote_value(play, mapper):
    row = push(play, mapper, "liquidation", [liquidation()], symbol="")[(Kind.LIQUIDATION, "BTCUSDT")][0]
    np.testing.assert_allclose([row["qty_base"], row["notional_usd"]], [0.25, 24_500.0])
    assert row["price_kind"] == PriceKind.UNKNOWN
    assert row["ts_event_ns"] == (NOW_MS - 12_000) * MILLISECOND_NS, "late, but at its own time"


@pytest.mark.parametrize(("side", "position"), [("buy", 1), ("sell", -1)])
def test_the_side_is_that_of_the_position(play, mapper, side, position):
    rows = push(play, mapper, "liquidation", [liquidation(side=side)], symbol="")
    row = rows[(Kind.LIQUIDATION, "BTCUSDT")][0]
    assert row["side"] == position
    assert row["flags"] & Flag.SAMPLED, "the largest of a second is a sample"


def test_the_largest_long_and_the_largest_short_are_both_kept(play, mapper):
    sent = [liquidation(), liquidation(side="sell", price="98500"), liquidation(symbol="NOTOURSUSDT")]
    rows = push(play, mapper, "liquidation", sent, symbol="")
    assert rows[(Kind.LIQUIDATION, "BTCUSDT")]["side"].tolist() == [1, -1]
    assert play.out.rejects == {}, "contracts that were not asked for are passed over"


def test_a_liquidation_without_a_price_is_rejected(play, mapper):
    assert push(play, mapper, "liquidation", [liquidation(price="0")], symbol="") == {}
    assert ("liquidation", Reason.IMPOSSIBLE_VALUE) in play.out.rejects


def test_trades_from_before_the_subscription_are_dropped(play, mapper):
    trade = {"i": "14", "p": "100000.1", "v": "0.3", "S": "sell", "T": str(NOW_MS), "L": "15"}
    assert push(play, mapper, "publicTrade", [trade], action="snapshot") == {}
    row = push(play, mapper, "publicTrade", [trade])[(Kind.TRADE, "BTCUSDT")][0]
    assert (row["seq"], row["taker_side"], row["qty_base"]) == (14, -1, 0.3)


def test_inverse_contracts_count_base_units(play, mapper):
    assert play.contracts["BTCUSD"].contract_kind is ContractKind.INVERSE
    trade = {"i": "14", "p": "100000.5", "v": "0.3", "S": "buy", "T": str(NOW_MS), "L": "15"}
    assert (
        push(play, mapper, "publicTrade", [trade], symbol="BTCUSD")[(Kind.TRADE, "BTCUSD")][0]["qty_base"]
        == 0.3
    )
    row = push(play, mapper, "liquidation", [liquidation(symbol="BTCUSD")])[(Kind.LIQUIDATION, "BTCUSD")][0]
    np.testing.assert_allclose([row["qty_base"], row["notional_usd"]], [0.25, 24_500.0])


def book(seq, before, bids):
    return {"a": [], "b": [[str(p), str(q)] for p, q in bids], "seq": seq, "pseq": before, "ts": str(NOW_MS)}


def test_a_broken_chain_is_a_gap_and_changes_wait_for_the_next_snapshot(play, mapper):
    push_book = lambda action, *row: push(play, mapper, "books", [book(*row)], action=action)
    assert push_book("update", 8, 7, [(99, 1)]) == {}, "before the snapshot"
    rows = push_book("snapshot", 10, 0, [(100, 5)])
    assert book_of(rows[(Kind.BOOK_LEVEL, "BTCUSDT")])[1] == {100.0: 5.0}
    assert set(push_book("update", 15, 10, [(99, 4)])) == {(Kind.BOOK_LEVEL, "BTCUSDT")}
    assert set(push_book("update", 21, 17, [(98, 3)])) == {(Kind.GAP, "BTCUSDT")}
    assert [type(one) for one in play.out.controls] == [Resync]
    assert push_book("update", 24, 21, [(97, 3)]) == {}, "no storm of resyncs"
    rows = push_book("snapshot", 3, 0, [(96, 2)])
    assert book_of(rows[(Kind.BOOK_LEVEL, "BTCUSDT")])[1] == {96.0: 2.0}


def test_a_ticker_tells_what_it_has(play, mapper):
    rows = push(play, mapper, "ticker", [{"openInterest": "12.5"}], action="update")
    assert {kind for kind, _ in rows} == {Kind.OPEN_INTEREST}
    rows = push(play, mapper, "ticker", [{"fundingRate": "-0.0001", "nextFundingTime": ""}])
    assert rows[(Kind.FUNDING, "BTCUSDT")][0]["next_ns"] == 0


def test_events_confirm_and_refuse_by_topic_and_symbol(play, mapper):
    for event in (
        {"event": "subscribe", "arg": {"instType": "usdt-futures", "topic": "books", "symbol": "BTCUSDT"}},
        {"event": "subscribe", "arg": {"instType": "USDT-FUTURES", "topic": "liquidation"}},
        {"event": "error", "arg": {"instType": "usdt-futures", "topic": "boks", "symbol": "X"}, "code": 30001,
         "msg": "no"},
        {"event": "error", "code": "30003", "msg": "op invalid"},
    ):  # fmt: skip
        mapper.map(json.dumps(event).encode(), NOW_NS, play.out)
    assert play.out.controls == [
        Confirmed("books|BTCUSDT"),
        Confirmed("liquidation|usdt-futures"),
        Refused("boks|X", "30001: no"),
        Refused("", "30003: op invalid"),
    ]
    assert play.out.rejects == {}


def test_every_category_subscribes_its_own_liquidations_once(play):
    asked = [json.loads(frame) for plan in play.venue.feed.sockets(play.wanted()) for frame in plan.subscribe]
    args = [arg for ask in asked for arg in ask["args"] if arg["topic"] == "liquidation"]
    assert sorted(arg["instType"] for arg in args) == ["coin-futures", "usdc-futures", "usdt-futures"]
    assert all("symbol" not in arg for arg in args)


def test_the_newest_ratio_is_told_in_whatever_order_they_come(play, mapper):
    rows = [
        {"longAccountRatio": str(share), "shortAccountRatio": str(1 - share), "ts": str(NOW_MS - age_ms)}
        for share, age_ms in ((0.5, 600_000), (0.75, 0), (0.25, 300_000))
    ]
    body = json.dumps({"code": "00000", "data": rows}).encode()
    mapper.map_answer("futures-account-long-short", "BTCUSDT", body, NOW_NS, play.out)
    found = play.drain(Kind.RATIO)["BTCUSDT"]
    assert found["long_share_ratio"].tolist() == [0.75]
    error = b'{"code":"40054","msg":"empty","data":[]}'
    mapper.map_answer("futures-account-long-short", "BTCUSDT", error, NOW_NS, play.out)
    assert ("futures-account-long-short", Reason.VENUE_ERROR) in play.out.rejects


def test_tiers_are_in_quote_value_and_assumed_where_they_were_not_asked_for(play):
    tiers = play.contracts["BTCUSD"].tiers
    assert [(one.cap_usd, one.max_leverage) for one in tiers][:2] == [(150_000.0, 125.0), (300_000.0, 62.5)]
    answers = {name: [b'{"code":"00000","data":[]}'] if name.startswith("tiers") else pages
               for name, pages in play.answers.items()}  # fmt: skip
    assumed = {one.symbol: one for one in play.venue.feed.contracts(answers)}["BTCUSDT"]
    assert [(one.maintenance_ratio, one.max_leverage) for one in assumed.tiers] == [(0.004, 125.0)]


def test_contracts_that_end_are_left_out_and_old_listings_are_read(play):
    listed = json.loads(play.answers["contracts USDT-FUTURES"][0])
    assert any(row["type"] == "delivery" for row in listed["data"])
    for row in listed["data"]:
        row["symbolType"] = row.pop("type")
    answers = {**play.answers, "contracts USDT-FUTURES": [json.dumps(listed).encode()]}
    assert {one.symbol for one in play.venue.feed.contracts(answers)} == set(play.contracts)


# -- recorded ---------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
def test_recorded_frames_are_read(recorded, play):
    contracts = {**play.contracts, "APEUSDT": play.contracts["BTCUSDT"], "IPUSDT": play.contracts["BTCUSDT"]}
    mapper = play.venue.mapper(contracts)
    found = collections.Counter()
    for name in ("liquidation_uta", "liquidation_uta_doc", "ticker_uta"):
        body = (recorded / f"venue_messages/by_venue/bitget/{name}.json").read_bytes()
        mapper.map(body, json.loads(body)["ts"] * MILLISECOND_NS, play.out)
        for (kind, symbol), rows in play.drain().items():
            found[kind] += len(rows)
            if symbol == "APEUSDT":
                np.testing.assert_allclose(rows["qty_base"], [83.1], rtol=1e-12)
    assert found == {Kind.LIQUIDATION: 3, Kind.MARK: 1, Kind.FUNDING: 1, Kind.OPEN_INTEREST: 1}
    assert play.out.rejects == {}


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("cryptofeed/BITGET.ws.1.0", {"books", "candle1m", "ticker", "trade"}),  # spot, version 1
        ("cryptofeed/BITGET.ws.2.0", {"books", "candle1m", "ticker", "trade"}),  # version 1
        ("moonstream_examples/bitget_perp_btcusdt_depth.json", {"books"}),  # version 2
        ("moonstream_examples/bitget_perp_btcusdt_trades.json", {"trade"}),  # version 2
        ("moonstream_examples/bitget_perp_btcusdt_oifunding.json", {"ticker"}),  # version 2
    ],
)
def test_recordings_of_older_protocols_are_not_ours(recorded, play, name, channels):
    """They name ``channel`` and ``instId``, and are gone: every frame is rejected by that name and none is misread."""
    path = recorded / f"venue_messages/{name}.gz"
    mapper, out, n_frames = play.venue.mapper(play.contracts), Rows("bitget"), 0
    for received_ns, frame in raw_frames(path) if "ws" in name else stored_frames(path):
        if (
            frame not in {b"{}", b'"pong"'} and b'"requestTime"' not in frame
        ):  # nor the recorder's REST answers
            mapper.map(frame, received_ns, out)
            n_frames += 1
    assert out.drain() == []
    assert {reason for _, reason in out.rejects} == {Reason.UNKNOWN_CHANNEL}
    assert {channel for channel, _ in out.rejects} == channels | {"subscribe"}
    assert sum(one.n for one in out.rejects.values()) == n_frames > 20
