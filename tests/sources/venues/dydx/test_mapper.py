"""The traps of dYdX v4, on frames of our own, and its recorded frames."""

from __future__ import annotations

import collections
import json

import numpy as np
import pytest
from tests.sources.venues.play import NOW_NS, Play, raw_frames

from faultline.messages import Flag, Kind, TradeCause
from faultline.sources.control import Confirmed, Refused, Resync
from faultline.sources.rows import Reason, Rows
from faultline.units import HOUR_NS, SECOND_NS, PriceKind, format_time_ns, parse_time_ns

BTC = "BTC-USD"


@pytest.fixture
def play():
    return Play("dydx")


@pytest.fixture
def mapper(play):
    return play.venue.mapper(play.contracts)


def told(play, mapper, channel, contents, *, kind="channel_data", message_id=1, symbol=BTC):
    frame = {"type": kind, "channel": channel, "id": symbol, "message_id": message_id, "contents": contents}
    mapper.map(json.dumps(frame).encode(), NOW_NS, play.out)
    return play.drain()


def trade(name="a1", **more):
    row = {"id": name, "side": "SELL", "size": "0.5", "price": "100000", "type": "LIMIT"}
    return {**row, "createdAt": "2026-11-02T09:59:59.875Z", **more}


@pytest.mark.parametrize(("side", "position"), [("SELL", 1), ("BUY", -1)])
def test_a_liquidated_trade_is_both_and_closes_the_other_side(play, mapper, side, position):
    rows = told(play, mapper, "v4_trades", {"trades": [trade(side=side, type="LIQUIDATED")]})
    assert rows[(Kind.TRADE, BTC)][0]["cause"] == TradeCause.LIQUIDATION
    found = rows[(Kind.LIQUIDATION, BTC)][0]
    assert (found["side"], found["price_kind"], found["notional_usd"]) == (position, PriceKind.FILL, 50_000.0)
    assert found["ts_event_ns"] == parse_time_ns("2026-11-02T09:59:59.875Z")


def test_a_deleveraged_trade_is_an_adl_of_the_position_in_profit_and_no_liquidation(play, mapper):
    rows = told(play, mapper, "v4_trades", {"trades": [trade(side="BUY", type="DELEVERAGED")]})
    assert set(rows) == {(Kind.TRADE, BTC), (Kind.ADL, BTC)}
    assert rows[(Kind.TRADE, BTC)][0]["cause"] == TradeCause.ADL
    assert rows[(Kind.ADL, BTC)][0]["side"] == 1, "a bankrupt short is bought back from a long"


def test_repeated_trades_are_a_snapshot_and_not_told_twice(play, mapper):
    old = [trade("b"), trade("a", type="LIQUIDATED")]
    rows = told(play, mapper, "v4_trades", {"trades": old}, kind="subscribed")
    assert rows[(Kind.TRADE, BTC)]["flags"].tolist() == [Flag.SNAPSHOT, Flag.SNAPSHOT]
    assert rows[(Kind.TRADE, BTC)]["cause"].tolist() == [TradeCause.LIQUIDATION, 0], "oldest first"
    assert rows[(Kind.LIQUIDATION, BTC)]["flags"].tolist() == [Flag.SNAPSHOT]
    assert play.out.controls == [Confirmed(f"v4_trades|{BTC}")]
    assert set(told(play, mapper, "v4_trades", {"trades": [trade("a"), trade("c")]})) == {(Kind.TRADE, BTC)}
    assert told(play, mapper, "v4_trades", {"trades": old}, kind="subscribed") == {}


def test_an_unknown_type_of_trade_is_rejected(play, mapper):
    assert told(play, mapper, "v4_trades", {"trades": [trade(type="GIVEN")]}) == {}
    assert set(play.out.rejects) == {("v4_trades", Reason.UNKNOWN_WORD)}


def test_batches_are_read_one_by_one(play, mapper):
    batch = [{"trades": [trade("a")]}, {"trades": [trade("b")]}]
    rows = told(play, mapper, "v4_trades", batch, kind="channel_batch_data")
    assert len(rows[(Kind.TRADE, BTC)]) == 2


def test_changes_wait_for_the_book_and_a_number_that_falls_loses_it(play, mapper):
    change = {"bids": [["99999", "1"]]}
    assert told(play, mapper, "v4_orderbook", change) == {}
    whole = {"bids": [{"price": "99990", "size": "2"}], "asks": []}
    first = told(play, mapper, "v4_orderbook", whole, kind="subscribed", message_id=5)[(Kind.BOOK_LEVEL, BTC)]
    assert first[["flags", "seq"]].tolist() == [(Flag.SNAPSHOT, 5)]
    assert len(told(play, mapper, "v4_orderbook", change, message_id=9)[(Kind.BOOK_LEVEL, BTC)]) == 1
    assert set(told(play, mapper, "v4_orderbook", change, message_id=8)) == {(Kind.GAP, BTC)}
    assert isinstance(play.out.controls[-1], Resync)
    assert told(play, mapper, "v4_orderbook", change, message_id=10) == {}


def test_a_change_with_an_impossible_level_loses_the_book(play, mapper):
    whole = {"bids": [{"price": "99990", "size": "2"}], "asks": []}
    told(play, mapper, "v4_orderbook", whole, kind="subscribed")
    bad = {"bids": [["99991", "1"], ["-5", "1"]]}
    assert set(told(play, mapper, "v4_orderbook", bad, message_id=2)) == {(Kind.GAP, BTC)}
    assert isinstance(play.out.controls[-1], Resync)
    assert told(play, mapper, "v4_orderbook", {"bids": [["99991", "1"]]}, message_id=3) == {}


def test_states_of_all_markets_are_told_of_those_that_were_asked_for(play, mapper):
    states = {
        BTC: {"oraclePrice": "100001", "nextFundingRate": "-0.00002", "openInterest": "512.5"},
        "XYZ-USD": {"oraclePrice": "1"},
        "ETH-USD": {"openInterest": "0"},
    }
    rows = told(play, mapper, "v4_markets", {"markets": states}, kind="subscribed", symbol="v4_markets")
    assert set(rows) == {(Kind.MARK, BTC), (Kind.FUNDING, BTC), (Kind.OPEN_INTEREST, BTC)}
    funding = rows[(Kind.FUNDING, BTC)][0]
    assert (funding["interval_ns"], funding["next_ns"]) == (HOUR_NS, (NOW_NS // HOUR_NS + 1) * HOUR_NS)
    assert play.out.controls == [Confirmed("v4_markets|")]
    prices = {BTC: {"oraclePrice": "100002", "effectiveAt": format_time_ns(NOW_NS - SECOND_NS)}}
    rows = told(play, mapper, "v4_markets", {"oraclePrices": prices}, symbol="v4_markets")
    assert rows[(Kind.MARK, BTC)][0]["ts_event_ns"] == NOW_NS - SECOND_NS
    assert np.isnan(rows[(Kind.MARK, BTC)][0]["index_price_usd"])
    assert play.out.rejects == {}


def test_an_error_is_a_refusal(play, mapper):
    mapper.map(b'{"type":"error","message":"Invalid channel","message_id":1}', NOW_NS, play.out)
    assert play.out.controls == [Refused("", "Invalid channel")]


def test_margins_are_those_of_the_listing(play):
    (tier,) = play.contracts[BTC].tiers
    assert (tier.maintenance_ratio, tier.max_leverage, tier.cap_usd) == (0.012, 50.0, np.inf)


def test_a_connection_has_at_most_32_markets_and_one_has_the_states(play):
    many = [play.instruments[0]] * 70
    plans = play.venue.feed.sockets(play.wanted(many))
    assert [len(plan.subscribe) for plan in plans] == [65, 64, 12]
    assert ["v4_markets" in plan.channels for plan in plans] == [True, False, False]


# -- recorded ---------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
def test_a_recorded_liquidation_is_read(recorded, play):
    frame = json.loads((recorded / "venue_messages/by_venue/dydx_v4/trades_liquidated.json").read_text())
    one = frame["contents"]["trades"][0]
    mapper = play.venue.mapper({frame["id"]: play.contracts[BTC]})
    mapper.map(json.dumps(frame).encode(), parse_time_ns(one["createdAt"]) + SECOND_NS, play.out)
    rows = play.drain()
    assert rows[(Kind.LIQUIDATION, frame["id"])]["side"].tolist() == [1]
    assert (Kind.TRADE, frame["id"]) in rows
    assert play.out.rejects == {}


@pytest.mark.recorded
def test_published_examples_are_read_or_told_by_name(recorded, play):
    """Candles, blocks and accounts are channels that we do not ask for."""
    mapper, out, kinds = play.venue.mapper(play.contracts), Rows("dydx"), collections.Counter()
    received_ns = parse_time_ns("2024-01-01T00:02:00Z")
    names = sorted(path.name for path in (recorded / "venue_messages/nautilus/dydx").glob("ws_*.json"))
    order = [name for name in names if "subscribed" in name] + [
        name for name in names if "subscribed" not in name
    ]
    for name in order:
        mapper.map((recorded / "venue_messages/nautilus/dydx" / name).read_bytes(), received_ns, out)
    for batch in out.drain():
        kinds[batch.kind] += len(batch.rows)
    print(len(order), dict(kinds))
    assert set(kinds) == {Kind.TRADE, Kind.BOOK_LEVEL, Kind.MARK, Kind.FUNDING, Kind.OPEN_INTEREST}
    assert kinds[Kind.TRADE] == 3
    assert set(out.rejects) == {
        (channel, Reason.UNKNOWN_CHANNEL) for channel in ("v4_block_height", "v4_candles", "v4_subaccounts")
    }


@pytest.mark.recorded
def test_recorded_trades_of_the_indexer_have_the_same_shape(recorded, play, mapper):
    """The answer to a request holds the rows that the socket pushes."""
    rows = json.loads((recorded / "venue_messages/nautilus/dydx/http_get_trades.json").read_text())["result"]
    frame = {"type": "channel_data", "channel": "v4_trades", "id": BTC, "message_id": 4, "contents": rows}
    mapper.map(json.dumps(frame).encode(), parse_time_ns("2025-12-08T16:12:00Z"), play.out)
    assert len(play.drain(Kind.TRADE)[BTC]) == len(rows["trades"])
    assert play.out.rejects == {}


@pytest.mark.recorded
def test_recorded_contracts_are_read(recorded, play):
    path = recorded / "venue_messages/by_venue/dydx_v4/perpetualMarkets_2025_12.json"
    listed = json.dumps(json.loads(path.read_text())["result"]).encode()
    found = {item.symbol: item for item in play.venue.feed.contracts({"contracts": [listed]})}
    assert found[BTC].tiers[0].maintenance_ratio == 0.012
    assert found[BTC].max_leverage == 50.0


@pytest.mark.recorded
def test_a_recorded_connection_of_version_3_is_told_by_name(recorded, play, mapper):
    """The old protocol is closed; none of its frames becomes a row."""
    n = 0
    for received_ns, frame in raw_frames(recorded / "venue_messages/cryptofeed/DYDX.ws.1.0.gz"):
        mapper.map(frame, received_ns, play.out)
        n += 1
    print(n, {key: one.n for key, one in play.out.rejects.items()})
    assert play.drain() == {}
    assert n
    assert {reason for _, reason in play.out.rejects} == {Reason.UNKNOWN_CHANNEL}
    assert all(channel.startswith("v3_") for channel, _ in play.out.rejects)
