"""The traps of Paradex, on frames of our own, and the example that the venue published."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.sources.venues.play import NOW_NS, Play

from faultline.messages import NO_SEQ, Flag, Kind, TradeCause
from faultline.sources.control import Confirmed, Refused
from faultline.sources.rows import Reason
from faultline.units import MILLISECOND_NS, SECOND_NS, PriceKind

NOW_MS = NOW_NS // MILLISECOND_NS
BTC = "BTC-USD-PERP"


@pytest.fixture
def play():
    return Play("paradex")


@pytest.fixture
def mapper(play):
    return play.venue.mapper(play.contracts)


def push(play, mapper, channel, body):
    frame = {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": body}}
    mapper.map(json.dumps(frame).encode(), NOW_NS, play.out)
    return play.drain()


def trade(**more):
    row = {"id": "1718179273230201709233240002", "market": BTC, "side": "SELL", "size": "0.5"}
    return {**row, "price": "100000", "created_at": NOW_MS - 10, "trade_type": "FILL", **more}


@pytest.mark.parametrize(("side", "position"), [("SELL", 1), ("BUY", -1)])
def test_a_liquidation_is_a_trade_and_closes_the_other_side(play, mapper, side, position):
    rows = push(play, mapper, f"trades.{BTC}", trade(side=side, trade_type="LIQUIDATION"))
    assert rows[(Kind.TRADE, BTC)][0]["cause"] == TradeCause.LIQUIDATION
    found = rows[(Kind.LIQUIDATION, BTC)][0]
    assert (found["side"], found["price_kind"], found["notional_usd"]) == (position, PriceKind.FILL, 50_000.0)


@pytest.mark.parametrize("kind", ["UNWIND_TRANSFER", "SETTLE_MARKET", "BLOCK_TRADE"])
def test_what_was_made_elsewhere_is_no_trade_of_the_book(play, mapper, kind):
    assert push(play, mapper, f"trades.{BTC}", trade(trade_type=kind)) == {}
    assert play.out.rejects == {}


def test_fills_of_every_kind_are_trades_whose_ids_are_too_long(play, mapper):
    for kind in ("FILL", "RPI"):
        row = push(play, mapper, "trades.ALL", trade(trade_type=kind))[(Kind.TRADE, BTC)][0]
        assert (row["taker_side"], row["seq"], row["cause"]) == (-1, NO_SEQ, TradeCause.ORDINARY)
    assert push(play, mapper, f"trades.{BTC}", trade(trade_type="GIFT")) == {}
    assert set(play.out.rejects) == {("trades", Reason.UNKNOWN_WORD)}


def book(update_type="s", side="BUY"):
    level = {"side": side, "price": "99999", "size": "1.5"}
    head = {"seq_no": 7, "market": BTC, "last_updated_at": NOW_MS, "update_type": update_type}
    return head | {"inserts": [level], "updates": [], "deletes": []}


def test_every_book_is_whole_and_others_are_rejected(play, mapper):
    name = f"order_book.{BTC}.snapshot@15@100ms"
    rows = push(play, mapper, name, book())[(Kind.BOOK_LEVEL, BTC)]
    assert rows[["flags", "seq", "side"]].tolist() == [(Flag.SNAPSHOT, 7, 1)]
    assert push(play, mapper, name, book("d")) == {}
    assert push(play, mapper, name, book(side="HOLD")) == {}
    assert play.out.rejects[("order_book", Reason.UNKNOWN_WORD)].n == 2


def test_what_a_summary_does_not_tell_is_not_told(play, mapper):
    state = {"symbol": BTC, "created_at": NOW_MS, "mark_price": "100.5", "open_interest": "0"}
    rows = push(play, mapper, f"markets_summary.{BTC}", state)
    assert set(rows) == {(Kind.MARK, BTC)}
    assert np.isnan(rows[(Kind.MARK, BTC)]["index_price_usd"]).all()


def test_answers_confirm_or_refuse_and_unsubscribing_confirms_nothing(play, mapper):
    for frame in (
        b'{"jsonrpc":"2.0","result":{"channel":"trades.X"},"usIn":1,"usDiff":1,"id":3}',
        b'{"jsonrpc":"2.0","result":{"channel":"trades.X"},"usIn":1,"usDiff":1,"id":0}',
        b'{"jsonrpc":"2.0","error":{"code":-32600,"message":"no","data":"invalid channel"},"id":4}',
    ):
        mapper.map(frame, NOW_NS, play.out)
    assert play.out.controls == [Confirmed("trades.X"), Refused("", "-32600: no, invalid channel")]


def test_maintenance_is_a_share_of_the_initial_margin(play):
    (tier,) = play.contracts[BTC].tiers
    assert (tier.maintenance_ratio, tier.max_leverage) == (0.01, 50.0)


# -- published --------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
def test_the_published_trade_is_read(recorded, play):
    one = json.loads((recorded / "venue_messages/by_venue/paradex/trade_schema_example.json").read_text())
    market = one["market"]
    mapper = play.venue.mapper({market: play.contracts[BTC]})
    frame = {"method": "subscription", "params": {"channel": f"trades.{market}", "data": one}}
    mapper.map(json.dumps(frame).encode(), int(one["created_at"]) * MILLISECOND_NS + SECOND_NS, play.out)
    assert play.drain(Kind.TRADE)[market]["taker_side"].tolist() == [1]
    assert play.out.rejects == {}
