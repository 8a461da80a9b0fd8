"""Bybit's traps, on frames of our own, and everything of version 5 that was ever recorded."""

from __future__ import annotations

import collections
import json

import numpy as np
import pytest
from tests.sources.venues.play import NOW_NS, Play, stored_frames

from faultline.messages import Kind
from faultline.sources.control import Confirmed, Refused, Resync
from faultline.sources.rows import Reason, Rows
from faultline.units import MILLISECOND_NS, PriceKind

NOW_MS = NOW_NS // MILLISECOND_NS


@pytest.fixture
def play():
    return Play("bybit").connect()


def mapped(play, topic, kind, body, *, ts_ms=NOW_MS):
    mapper, out = play.connections[0].mapper, play.out
    frame = json.dumps({"topic": topic, "type": kind, "ts": ts_ms, "data": body}, separators=(",", ":"))
    mapper.map(frame.encode(), NOW_NS, out)
    return play.drain()


def test_a_buy_is_a_long_that_was_liquidated(play):
    row = {"T": NOW_MS, "s": "BTCUSDT", "S": "Buy", "v": "0.5", "p": "99000.5"}
    found = mapped(play, "allLiquidation.BTCUSDT", "snapshot", [row])[(Kind.LIQUIDATION, "BTCUSDT")][0]
    assert (found["side"], found["price_kind"]) == (1, PriceKind.BANKRUPTCY)
    assert found["notional_usd"] == 0.5 * 99000.5


def test_quantities_of_inverse_contracts_are_usd(play):
    row = {"T": NOW_MS, "s": "BTCUSD", "S": "Sell", "v": "50000", "p": "100000"}
    found = mapped(play, "allLiquidation.BTCUSD", "snapshot", [row])[(Kind.LIQUIDATION, "BTCUSD")][0]
    assert (found["qty_base"], found["notional_usd"], found["side"]) == (0.5, 50_000.0, -1)


def test_several_liquidations_in_one_frame_are_all_kept(play):
    rows = [{"T": NOW_MS, "s": "BTCUSDT", "S": "Buy", "v": "0.5", "p": "99000"}] * 3
    assert len(mapped(play, "allLiquidation.BTCUSDT", "snapshot", rows)[(Kind.LIQUIDATION, "BTCUSDT")]) == 3


def test_open_interest_is_that_of_one_side(play):
    ticker = {"symbol": "ETHUSDT", "openInterest": "800", "singleOpenInterest": "400", "markPrice": "3500"}
    assert (
        mapped(play, "tickers.ETHUSDT", "snapshot", ticker)[(Kind.OPEN_INTEREST, "ETHUSDT")]["oi_base"] == 400
    )
    older = {"symbol": "SOLUSDT", "openInterest": "800", "markPrice": "160"}
    assert (
        mapped(play, "tickers.SOLUSDT", "snapshot", older)[(Kind.OPEN_INTEREST, "SOLUSDT")]["oi_base"] == 800
    )


def test_a_change_tells_only_what_changed(play):
    mapped(
        play, "tickers.ETHUSDT", "snapshot", {"symbol": "ETHUSDT", "markPrice": "3500", "indexPrice": "3499"}
    )
    rows = mapped(play, "tickers.ETHUSDT", "delta", {"symbol": "ETHUSDT", "markPrice": "3501"})
    assert set(rows) == {(Kind.MARK, "ETHUSDT")}
    assert rows[(Kind.MARK, "ETHUSDT")][["mark_price_usd", "index_price_usd"]][0].tolist() == (3501.0, 3499.0)


def test_changes_before_a_snapshot_are_passed_over(play):
    assert mapped(play, "tickers.ETHUSDT", "delta", {"symbol": "ETHUSDT", "markPrice": "3501"}) == {}
    book = {"s": "ETHUSDT", "b": [["3500", "1"]], "a": [], "u": 7, "seq": 9}
    assert mapped(play, "orderbook.200.ETHUSDT", "delta", book) == {}
    assert play.out.rejects == {}


def test_a_step_back_of_the_book_is_told_and_its_changes_wait_for_a_snapshot(play):
    book = lambda u: {"s": "ETHUSDT", "b": [["3500", "1"]], "a": [["3501", "2"]], "u": u, "seq": 9}
    mapped(play, "orderbook.200.ETHUSDT", "snapshot", book(7))
    assert (Kind.BOOK_LEVEL, "ETHUSDT") in mapped(play, "orderbook.200.ETHUSDT", "delta", book(12)), (
        "ids may skip"
    )
    rows = mapped(play, "orderbook.200.ETHUSDT", "delta", book(12))
    assert set(rows) == {(Kind.GAP, "ETHUSDT")}
    assert [type(one) for one in play.out.controls] == [Resync]
    assert mapped(play, "orderbook.200.ETHUSDT", "delta", book(13)) == {}
    rows = mapped(play, "orderbook.200.ETHUSDT", "snapshot", book(1))
    assert len(rows[(Kind.BOOK_LEVEL, "ETHUSDT")]) == 2


def test_a_word_that_is_unknown_is_rejected(play):
    row = {"T": NOW_MS, "s": "BTCUSDT", "S": "Long", "v": "0.5", "p": "99000"}
    assert mapped(play, "allLiquidation.BTCUSDT", "snapshot", [row]) == {}
    assert play.out.rejects[("allLiquidation", Reason.UNKNOWN_WORD)].n == 1


def test_an_error_of_the_venue_is_not_an_empty_answer(play):
    body = b'{"retCode":10006,"retMsg":"Too many visits","result":{"list":[]}}'
    play.poller.map_answer("account-ratio", "BTCUSDT", body, NOW_NS, play.out)
    assert play.out.rejects[("account-ratio", Reason.VENUE_ERROR)].n == 1


def test_a_refusal_names_what_was_asked(play):
    frame = b'{"success":false,"ret_msg":"Invalid topic","conn_id":"c","req_id":"trade.X","op":"subscribe"}'
    play.connections[0].mapper.map(frame, NOW_NS, play.out)
    assert play.out.controls == [Refused("trade.X", "Invalid topic")]


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "rows", "rejected"),
    [
        ("btcusdt_trades", {Kind.TRADE: 685}, {}),
        ("btcusd_trades", {Kind.TRADE: 67}, {}),
        ("btcusd_oifunding", {Kind.MARK: 23, Kind.FUNDING: 65, Kind.OPEN_INTEREST: 4}, {}),
        # The snapshot that these changes belong to was fetched by REST, two answers of which are here too.
        ("btcusd_depth", {Kind.BOOK_LEVEL: 2538}, {("?", Reason.UNKNOWN_CHANNEL): 2}),
        # The one-a-second topic that is gone: not ours.
        ("btcusdt_liquidations", {}, {("liquidation", Reason.UNKNOWN_CHANNEL): 2}),
        ("btcusd_liquidations", {}, {}),
    ],
)
def test_recorded_frames_of_version_5_are_read(recorded, name, rows, rejected):
    play = Play("bybit")
    # The recorder subscribed to a contract that is linear under the name of the inverse one.
    contracts = {**play.contracts, "BTCPERP": play.contracts["BTCUSDT"]}
    mapper, out = play.venue.mapper(contracts), Rows("bybit")
    found = collections.Counter()
    path = recorded / f"venue_messages/moonstream_examples/bybit_perp_{name}.json.gz"
    for received_ns, frame in stored_frames(path):
        mapper.map(frame, received_ns, out)
        for batch in out.drain():
            found[batch.kind] += len(batch.rows)
    assert found == rows
    assert {key: one.n for key, one in out.rejects.items()} == rejected


@pytest.mark.recorded
@pytest.mark.parametrize("name", ["btcusdt", "btcusd"])
def test_recorded_ratios_are_read(recorded, name):
    play = Play("bybit")
    path = recorded / f"venue_messages/moonstream_examples/bybit_perp_{name}_gta.json.gz"
    for received_ns, body in stored_frames(path):
        play.venue.mapper(play.contracts).map_answer(
            "account-ratio", name.upper(), body, received_ns, play.out
        )
    assert len(play.drain(Kind.RATIO)[name.upper()]) > 9
    assert play.out.rejects == {}


@pytest.mark.recorded
def test_recorded_examples_are_read(recorded):
    folder = recorded / "venue_messages"
    mapper, out = Play("bybit").venue.mapper(Play("bybit").contracts), Rows("bybit")
    for name, expected in (
        ("ws_orderbook_snapshot", {Kind.BOOK_LEVEL}),
        ("ws_orderbook_delta", {Kind.BOOK_LEVEL}),
        ("ws_ticker_linear", {Kind.MARK, Kind.FUNDING, Kind.OPEN_INTEREST}),
        ("ws_subscription_ack", set()),
        ("ws_subscription_failure", set()),
    ):
        body = (folder / f"nautilus/bybit/{name}.json").read_bytes()
        stamp = json.loads(body).get("ts", NOW_MS) * MILLISECOND_NS
        mapper.map(body, stamp, out)
        assert {batch.kind for batch in out.drain()} == expected, name
    assert [type(one) for one in out.controls] == [Confirmed, Refused]
    assert out.rejects == {}


@pytest.mark.recorded
def test_recorded_liquidations_are_read(recorded):
    play = Play("bybit")
    one = play.contracts["BTCUSDT"]
    frames = [
        json.loads((recorded / f"venue_messages/by_venue/bybit/{name}.json").read_text())
        for name in ("allLiquidation", "allLiquidation_doc")
    ]
    symbols = {row["s"] for frame in frames for row in frame["data"]}
    mapper, out = play.venue.mapper(dict.fromkeys(symbols, one)), Rows("bybit")
    for frame in frames:
        mapper.map(json.dumps(frame).encode(), frame["ts"] * MILLISECOND_NS, out)
    rows = np.concatenate([batch.rows for batch in out.drain()])
    assert len(rows) == sum(len(frame["data"]) for frame in frames)
    assert out.rejects == {}
