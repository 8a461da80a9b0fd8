"""Deribit's traps, on frames of our own, and its recorded frames."""

from __future__ import annotations

import collections
import json

import numpy as np
import pytest
from tests.sources.venues.play import NOW_NS, Play, book_of, raw_frames, stored_frames

from faultline.messages import Kind, TradeCause
from faultline.sources.control import Confirmed, Refused, Resync
from faultline.sources.rows import Reason, Rows
from faultline.units import MILLISECOND_NS, PriceKind

NOW_MS = NOW_NS // MILLISECOND_NS
INVERSE, LINEAR = "BTC-PERPETUAL", "BTC_USDC-PERPETUAL"


@pytest.fixture
def play():
    return Play("deribit")


@pytest.fixture
def mapper(play):
    return play.venue.mapper(play.contracts)


def push(play, mapper, channel, body):
    frame = {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": body}}
    mapper.map(json.dumps(frame, separators=(",", ":")).encode(), NOW_NS, play.out)
    return play.drain()


def trade(symbol=INVERSE, **more):
    row = {"trade_seq": 5, "trade_id": "9", "timestamp": NOW_MS, "price": 100_000.0, "amount": 500.0}
    return {**row, "instrument_name": symbol, "direction": "sell", **more}


@pytest.mark.parametrize(
    ("mark", "direction", "sides"),
    [("T", "sell", [1]), ("T", "buy", [-1]), ("M", "buy", [1]), ("M", "sell", [-1]), ("MT", "sell", [1, -1])],
)
def test_a_mark_says_whose_position_was_forced_out(play, mapper, mark, direction, sides):
    rows = push(play, mapper, f"trades.{INVERSE}.100ms", [trade(direction=direction, liquidation=mark)])
    found = rows[(Kind.LIQUIDATION, INVERSE)]
    assert found["side"].tolist() == sides
    assert set(found["price_kind"]) == {PriceKind.FILL}
    assert len(rows[(Kind.TRADE, INVERSE)]) == 1, "a liquidation is also a trade"
    assert rows[(Kind.TRADE, INVERSE)][0]["cause"] == TradeCause.LIQUIDATION


def test_an_unknown_mark_is_rejected(play, mapper):
    assert push(play, mapper, f"trades.{INVERSE}.100ms", [trade(liquidation="X")]) == {}
    assert ("trades", Reason.UNKNOWN_WORD) in play.out.rejects


def test_amounts_are_dollars_of_inverse_and_coins_of_linear_contracts(play, mapper):
    inverse = push(play, mapper, f"trades.{INVERSE}.100ms", [trade()])[(Kind.TRADE, INVERSE)][0]
    linear = push(play, mapper, f"trades.{LINEAR}.100ms", [trade(LINEAR, amount=0.25)])[(Kind.TRADE, LINEAR)][
        0
    ]
    assert (inverse["qty_base"], linear["qty_base"]) == (0.005, 0.25)


def book(kind, change_id, before=None, bids=()):
    body = {"type": kind, "timestamp": NOW_MS, "instrument_name": INVERSE, "change_id": change_id}
    return body | {"prev_change_id": before, "bids": list(bids), "asks": []}


def test_a_broken_chain_is_a_gap_and_changes_wait_for_the_next_snapshot(play, mapper):
    name = f"book.{INVERSE}.100ms"
    push(play, mapper, name, book("snapshot", 10, None, [("new", 100.0, 1000.0)]))
    rows = push(play, mapper, name, book("change", 12, 10, [("delete", 100.0, 0.0), ("new", 50.0, 100.0)]))
    assert book_of(rows[(Kind.BOOK_LEVEL, INVERSE)])[1] == {50.0: 2.0}
    assert set(push(play, mapper, name, book("change", 15, 13))) == {(Kind.GAP, INVERSE)}
    assert [type(one) for one in play.out.controls] == [Resync]
    assert push(play, mapper, name, book("change", 16, 15, [("new", 1.0, 1.0)])) == {}
    assert len(push(play, mapper, name, book("snapshot", 4, None, [("new", 99.0, 10.0)]))) == 1


def test_a_state_is_told_when_it_changes_or_after_a_second(play, mapper):
    name, state = (
        f"ticker.{INVERSE}.100ms",
        {"instrument_name": INVERSE, "mark_price": 100.0, "index_price": 99.0},
    )
    told = []
    for at_ms, interest in ((0, 5.0), (100, 5.0), (200, 6.0), (1_200, 6.0)):
        body = {**state, "open_interest": interest, "current_funding": 0.0, "timestamp": NOW_MS + at_ms}
        told.append(push(play, mapper, name, body).keys())
    assert [(Kind.OPEN_INTEREST, INVERSE) in kinds for kinds in told] == [True, False, True, True]
    assert all((Kind.MARK, INVERSE) in kinds for kinds in told)


def test_a_test_request_is_answered(play, mapper):
    mapper.map(play.script.ping, NOW_NS, play.out)
    assert b"public/test" in play.out.controls[0].frame
    mapper.map(b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}', NOW_NS, play.out)
    assert len(play.out.controls) == 1
    assert play.out.rejects == {}


def test_answers_confirm_what_they_name_and_unsubscribing_confirms_nothing(play, mapper):
    mapper.map(b'{"jsonrpc":"2.0","id":1,"result":["trades.X.100ms","book.X.100ms"]}', NOW_NS, play.out)
    mapper.map(b'{"jsonrpc":"2.0","id":2,"result":["book.X.100ms"]}', NOW_NS, play.out)
    mapper.map(
        b'{"jsonrpc":"2.0","id":1,"error":{"code":10028,"message":"too_many_requests"}}', NOW_NS, play.out
    )
    assert play.out.controls == [
        Confirmed("trades.X.100ms"), Confirmed("book.X.100ms"), Refused("", "10028: too_many_requests"),
    ]  # fmt: skip


def test_maintenance_grows_with_the_position(play):
    tiers = play.contracts[INVERSE].tiers
    assert (tiers[0].maintenance_ratio, tiers[0].max_leverage) == (0.01, 50.0)
    # 1,000 BTC: 1 % and a thousand times 0.005 %.
    np.testing.assert_allclose(
        play.contracts[INVERSE].tier_of(1_000 * 100_000.0).maintenance_ratio, 0.06, atol=0.0026
    )
    assert all(one.maintenance_ratio * one.max_leverage < 1 for one in tiers)


# -- recorded ---------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("depth", {Kind.BOOK_LEVEL}),
        ("oifunding", {Kind.MARK, Kind.FUNDING, Kind.OPEN_INTEREST}),
        ("trades", {Kind.TRADE}),
    ],
)
def test_recorded_frames_are_read(recorded, play, mapper, name, kinds):
    found = collections.Counter()
    path = recorded / f"venue_messages/moonstream_examples/deribit_perp_btcusd_{name}.json.gz"
    n = 0
    for received_ns, frame in stored_frames(path):
        mapper.map(frame, received_ns, play.out)
        n += 1
        for batch in play.out.drain():
            found[batch.kind] += len(batch.rows)
    print(name, n, dict(found))
    assert play.out.rejects == {}
    assert set(found) == kinds


@pytest.mark.recorded
def test_a_recorded_connection_of_options_is_read_as_what_it_is(recorded, play):
    """Options of 2021 are no contracts of ours; as if they were, every frame of them is read."""
    frames = list(raw_frames(recorded / "venue_messages/cryptofeed/DERIBIT.ws.1.0.gz"))
    messages = [json.loads(frame) for _, frame in frames]
    pushed = [one["params"]["channel"] for one in messages if one.get("method") == "subscription"]
    names = {name.partition(".")[2].rpartition(".")[0] for name in pushed}
    mapper, out = play.venue.mapper(play.contracts), Rows("deribit")
    for received_ns, frame in frames:
        mapper.map(frame, received_ns, out)
    assert {reason for _, reason in out.rejects} == {Reason.UNKNOWN_SYMBOL}
    assert out.drain() == []
    mapper, out = play.venue.mapper(dict.fromkeys(names, play.contracts[LINEAR])), Rows("deribit")
    for received_ns, frame in frames:
        mapper.map(frame, received_ns, out)
    found = collections.Counter()
    for batch in out.drain():
        found[batch.kind] += len(batch.rows)
    print(len(pushed), dict(found), {key: (one.n, one.detail) for key, one in out.rejects.items()})
    assert found[Kind.BOOK_LEVEL] > 100
    # Options without interest print 0, which is not an open interest.
    assert {reason for _, reason in out.rejects} <= {Reason.IMPOSSIBLE_VALUE}
    assert {channel for channel, _ in out.rejects} <= {"ticker"}


@pytest.mark.recorded
def test_recorded_liquidations_and_examples_are_read(recorded, play, mapper):
    folder = recorded / "venue_messages"
    frames = json.loads((folder / "by_venue/deribit/trades_liquidation.json").read_text())
    for frame in frames:
        mapper.map(
            json.dumps(frame).encode(), frame["params"]["data"][0]["timestamp"] * MILLISECOND_NS, play.out
        )
    rows = play.drain(Kind.LIQUIDATION)[INVERSE]
    assert rows["side"].tolist() == [1, 1], "a taker that sold, and a maker that sold to a buyer"
    for name, kind in (
        ("ws_book_snapshot", Kind.BOOK_LEVEL),
        ("ws_book_delta", Kind.BOOK_LEVEL),
        ("ws_ticker", Kind.MARK),
        ("ws_trades", Kind.TRADE),
    ):
        body = (folder / f"nautilus/deribit/{name}.json").read_bytes()
        told = json.loads(body)["params"]["data"]
        stamp_ms = (told[0] if isinstance(told, list) else told)["timestamp"]
        mapper.map(body, stamp_ms * MILLISECOND_NS, play.out)
        assert kind in {one for one, _ in play.drain()}, name
    for name in ("ws_subscribe_response", "ws_error", "ws_test_request"):
        mapper.map((folder / f"nautilus/deribit/{name}.json").read_bytes(), NOW_NS, play.out)
    assert len(play.out.controls) == 4
    assert play.out.rejects == {}


@pytest.mark.recorded
def test_recorded_contracts_are_read(recorded, play):
    listed = (recorded / "venue_messages/nautilus/deribit/http_get_instruments.json").read_bytes()
    prices = json.dumps({"result": [{"instrument_name": INVERSE, "mark_price": 100_000.0}]}).encode()
    answers = {name: [b'{"result":[]}'] for name in play.answers} | {
        "contracts": [listed],
        "prices-BTC": [prices],
    }
    found = play.venue.feed.contracts(answers)
    assert [one.symbol for one in found] == [INVERSE]
    assert found[0].qty_base(1.0, 100_000.0) == 0.0001
