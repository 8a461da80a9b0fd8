"""Traps of Kraken Futures, on frames of our own, and its recorded frames."""

from __future__ import annotations

import collections
import gzip
import json

import numpy as np
import pytest
from tests.sources.venues.play import NOW_NS, Play, book_of, raw_frames

from faultline.instruments import ContractKind
from faultline.messages import Flag, Kind, TradeCause
from faultline.sources.control import Confirmed, Refused, Resync
from faultline.sources.rows import Reason, Rows
from faultline.units import MILLISECOND_NS, PriceKind

NOW_MS = NOW_NS // MILLISECOND_NS
INVERSE, LINEAR = "PI_XBTUSD", "PF_XBTUSD"


@pytest.fixture
def play():
    return Play("kraken")


@pytest.fixture
def mapper(play):
    return play.venue.mapper(play.contracts)


def push(play, mapper, frame):
    mapper.map(json.dumps(frame).encode(), NOW_NS, play.out)
    return play.drain()


def trade(symbol=LINEAR, **more):
    row = {"feed": "trade", "product_id": symbol, "uid": "a", "side": "sell", "type": "fill", "seq": 5}
    return {**row, "time": NOW_MS, "qty": 500.0, "price": 100_000.0, **more}


@pytest.mark.parametrize(("side", "position"), [("sell", 1), ("buy", -1)])
def test_a_liquidating_trade_is_a_trade_and_a_liquidation_of_the_other_side(play, mapper, side, position):
    rows = push(play, mapper, trade(type="liquidation", side=side))
    found = rows[(Kind.LIQUIDATION, LINEAR)][0]
    assert (found["side"], found["price_kind"]) == (position, PriceKind.FILL)
    assert rows[(Kind.TRADE, LINEAR)][0]["cause"] == TradeCause.LIQUIDATION


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("fill", TradeCause.ORDINARY),
        ("assignment", TradeCause.INSURANCE_FUND),
        ("termination", TradeCause.ADL),
    ],
)
def test_other_types_are_trades_with_their_cause(play, mapper, kind, cause):
    rows = push(play, mapper, trade(type=kind))
    assert set(rows) == {(Kind.TRADE, LINEAR)}
    assert rows[(Kind.TRADE, LINEAR)][0]["cause"] == cause


def test_blocks_are_passed_over_and_unknown_types_rejected(play, mapper):
    assert push(play, mapper, trade(type="block")) == {}
    assert play.out.rejects == {}
    assert push(play, mapper, trade(type="gift")) == {}
    assert ("trade", Reason.UNKNOWN_WORD) in play.out.rejects


def test_repeated_trades_are_flagged_and_never_told_twice(play, mapper):
    old = [trade(uid="b", seq=6, type="liquidation"), trade(uid="a", seq=5)]
    rows = push(play, mapper, {"feed": "trade_snapshot", "product_id": LINEAR, "trades": old})
    assert rows[(Kind.TRADE, LINEAR)]["seq"].tolist() == [5, 6], "oldest first"
    assert all(row["flags"] & Flag.SNAPSHOT for row in rows[(Kind.TRADE, LINEAR)])
    assert rows[(Kind.LIQUIDATION, LINEAR)][0]["flags"] & Flag.SNAPSHOT
    assert push(play, mapper, trade(uid="b", seq=6, type="liquidation")) == {}
    assert push(play, mapper, trade(uid="c", seq=7))[(Kind.TRADE, LINEAR)][0]["flags"] == 0


def test_quantities_are_dollars_of_inverse_and_coins_of_linear_contracts(play, mapper):
    inverse = push(play, mapper, trade(INVERSE))[(Kind.TRADE, INVERSE)][0]
    linear = push(play, mapper, trade(uid="z", qty=0.25))[(Kind.TRADE, LINEAR)][0]
    assert (inverse["qty_base"], linear["qty_base"]) == (0.005, 0.25)


def test_the_relative_funding_rate_is_read_and_not_the_amount_per_contract(play, mapper):
    ticker = {
        "feed": "ticker", "time": NOW_MS, "product_id": INVERSE, "markPrice": 100_000.0, "index": 99_990.0,
        "funding_rate": 1e-10, "relative_funding_rate": 1e-5, "next_funding_rate_time": NOW_MS + 60_000,
        "openInterest": 30_000_000.0,
    }  # fmt: skip
    rows = push(play, mapper, ticker)
    assert rows[(Kind.FUNDING, INVERSE)][0]["rate_ratio"] == 1e-5
    interest = rows[(Kind.OPEN_INTEREST, INVERSE)][0]
    assert interest["oi_usd"] == 30_000_000.0
    assert np.isnan(interest["oi_base"])
    dated = {**ticker, "openInterest": 0.0}
    del dated["relative_funding_rate"]
    assert set(push(play, mapper, dated)) == {(Kind.MARK, INVERSE)}, "missing is missing"


def change(seq, qty=2.0, **more):
    row = {"feed": "book", "product_id": LINEAR, "side": "buy", "seq": seq, "price": 99.0, "qty": qty}
    return {**row, "timestamp": NOW_MS, **more}


def test_a_broken_sequence_is_a_gap_and_changes_wait_for_the_next_snapshot(play, mapper):
    whole = {
        "feed": "book_snapshot", "product_id": LINEAR, "timestamp": NOW_MS, "seq": 10, "tickSize": None,
        "bids": [{"price": 100.0, "qty": 1.0}, {"price": 98.0, "qty": 0}], "asks": [{"price": 101.0, "qty": 3.0}],
    }  # fmt: skip
    first = push(play, mapper, whole)[(Kind.BOOK_LEVEL, LINEAR)]
    rows = push(play, mapper, change(11))[(Kind.BOOK_LEVEL, LINEAR)]
    assert book_of([*first, *rows])[1] == {100.0: 1.0, 99.0: 2.0}
    assert set(push(play, mapper, change(13))) == {(Kind.GAP, LINEAR)}
    assert [type(one) for one in play.out.controls] == [Resync]
    assert push(play, mapper, change(14)) == {}
    assert len(push(play, mapper, {**whole, "seq": 20})) == 1
    assert push(play, mapper, change(21, price=-1.0)).keys() == {(Kind.GAP, LINEAR)}


def test_answers_confirm_products_one_by_one(play, mapper):
    for event in (
        {"event": "subscribed", "feed": "book", "product_ids": ["PF_XBTUSD"]},
        {"event": "error", "message": "Invalid product id"},
        {"event": "unsubscribed", "feed": "book", "product_ids": ["PF_XBTUSD"]},
        {"event": "info", "version": 1},
    ):
        assert push(play, mapper, event) == {}
    assert play.out.controls == [Confirmed("book|PF_XBTUSD"), Refused("", "Invalid product id")]
    assert play.out.rejects == {}


def test_dated_contracts_and_closed_ones_are_left_out(play):
    assert "FI_XBTUSD_261225" not in play.contracts
    assert "PF_OLDUSD" not in play.contracts
    assert play.contracts[LINEAR].tier_of(600_000.0).maintenance_ratio == 0.02


def test_the_published_example_is_met(play):
    """1,000 USD long at 8,000 with 0.01 BTC of margin is leverage 12.5."""
    inverse = play.contracts[INVERSE]
    np.testing.assert_allclose(inverse.liquidation_price_usd(8_000.0, 12.5, 1), 7_481.48, atol=0.01)
    np.testing.assert_allclose(inverse.bankruptcy_price_usd(8_000.0, 12.5, 1), 7_407.41, atol=0.01)


# -- recorded ---------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
def test_a_recorded_connection_is_read(recorded, play):
    """Ten contracts of 2021, six of them dated: as if all were ours, only the ticker that is not ours is rejected."""
    frames = list(raw_frames(recorded / "venue_messages/cryptofeed/KRAKEN_FUTURES.ws.1.0.gz"))
    names = {json.loads(frame).get("product_id") for _, frame in frames} - {None}
    contracts = dict.fromkeys(names, play.contracts[INVERSE])
    mapper, out = play.venue.mapper(contracts), Rows("kraken")
    found = collections.Counter()
    for received_ns, frame in frames:
        mapper.map(frame, received_ns, out)
        for batch in out.drain():
            found[batch.kind] += len(batch.rows)
    assert {key: one.n for key, one in out.rejects.items()} == {("ticker_lite", Reason.UNKNOWN_CHANNEL): 107}
    assert Kind.GAP not in found, "seven thousand changes in an unbroken sequence"
    assert found[Kind.BOOK_LEVEL] > 7_000
    assert found[Kind.TRADE] == 1_003
    assert len([one for one in out.controls if isinstance(one, Confirmed)]) == 30
    mapper, out = play.venue.mapper(play.contracts), Rows("kraken")
    for received_ns, frame in frames:
        mapper.map(frame, received_ns, out)
    assert out.drain() == []
    assert {reason for _, reason in out.rejects} == {Reason.UNKNOWN_SYMBOL, Reason.UNKNOWN_CHANNEL}


@pytest.mark.recorded
def test_recorded_liquidations_are_read(recorded, play):
    rows = json.loads(
        (recorded / "venue_messages/by_venue/kraken_futures/trade_liquidation.json").read_text()
    )
    mapper = play.venue.mapper({row["product_id"]: play.contracts[INVERSE] for row in rows})
    for row in rows:
        mapper.map(json.dumps(row).encode(), row["time"] * MILLISECOND_NS, play.out)
    found = play.drain(Kind.LIQUIDATION)
    assert found["PI_XRPUSD"][0]["side"] == 1, "a sell closed a long"
    assert found["PI_XRPUSD"][0]["notional_usd"] == 12_000.0
    assert found["PI_ETHUSD"][0]["side"] == -1
    assert play.out.rejects == {}


@pytest.mark.recorded
def test_published_examples_are_read(recorded, play, mapper):
    folder = recorded / "venue_messages/nautilus/kraken"
    for name, stamp, kinds in (
        ("ws_futures_ticker", "time", {Kind.MARK, Kind.FUNDING, Kind.OPEN_INTEREST}),
        ("ws_futures_trade", "time", {Kind.TRADE}),
        ("ws_futures_trade_snapshot", "trades", {Kind.TRADE}),
        ("ws_futures_book_snapshot", "timestamp", {Kind.BOOK_LEVEL}),
        ("ws_futures_book_snapshot_with_zero_qty", "timestamp", {Kind.BOOK_LEVEL}),
        ("ws_futures_book_delta", "timestamp", {Kind.GAP}),  # of another moment than the snapshot
    ):
        body = (folder / f"{name}.json").read_bytes()
        told = json.loads(body)[stamp]
        stamp_ms = told[0]["time"] if isinstance(told, list) else told
        mapper.map(body, stamp_ms * MILLISECOND_NS, play.out)
        assert {kind for kind, _ in play.drain()} == kinds, name
    assert play.out.rejects == {}
    for path in sorted(folder.glob("ws_futures_*.json")):
        if "fills" in path.name or "open_orders" in path.name:
            mapper.map(path.read_bytes(), NOW_NS, play.out)
    assert {reason for _, reason in play.out.rejects} == {Reason.UNKNOWN_CHANNEL}
    private = {channel for channel, _ in play.out.rejects}
    assert private == {"fills", "open_orders"}, "feeds of accounts are not ours"


@pytest.mark.recorded
def test_recorded_contracts_are_read(recorded, play):
    folder = recorded / "venue_messages"
    answers = {
        "contracts": [(folder / "nautilus/kraken/http_futures_instruments.json").read_bytes()],
        "prices": [(folder / "nautilus/kraken/http_futures_tickers.json").read_bytes()],
    }
    found = {one.symbol: one for one in play.venue.feed.contracts(answers)}
    assert {"PI_XBTUSD", "PF_ETHUSD"} <= set(found)
    assert found["PI_XBTUSD"].contract_kind is ContractKind.INVERSE
    assert found["PI_XBTUSD"].tier_of(700_000.0).maintenance_ratio == 0.02
    assert found["PF_ETHUSD"].max_leverage == 50.0
    # 2021: eight levels a contract, symbols in small letters, and no name of the asset: none can be taken for ours.
    with gzip.open(folder / "cryptofeed/KRAKEN_FUTURES.0.gz", "rt", encoding="utf-8") as stream:
        old = stream.readline().partition(": ")[2].encode()
    assert play.venue.feed.contracts({**answers, "contracts": [old]}) == []
