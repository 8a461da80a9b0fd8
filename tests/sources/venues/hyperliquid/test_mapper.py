"""Hyperliquid's traps, on frames of our own, and its recorded frames and answers."""

from __future__ import annotations

import collections
import gzip
import json

import numpy as np
import pytest
from tests.sources.venues.play import NOW_NS, WALLET, Play

from faultline.messages import Flag, Kind
from faultline.sources.control import Confirmed, Refused
from faultline.sources.rows import Reason, Rows
from faultline.units import HOUR_NS, MILLISECOND_NS, SECOND_NS

NOW_MS = NOW_NS // MILLISECOND_NS
BUYER, SELLER = "0x" + "b1" * 20, "0x" + "5e" * 20


@pytest.fixture
def play():
    return Play("hyperliquid")


@pytest.fixture
def mapper(play):
    return play.venue.mapper(play.contracts)


def mapped(play, mapper, channel, body, *, received_ns=NOW_NS):
    mapper.map(json.dumps({"channel": channel, "data": body}).encode(), received_ns, play.out)
    return play.drain()


def trade(**more):
    row = {
        "coin": "BTC",
        "side": "A",
        "px": "100000",
        "sz": "0.5",
        "hash": "0x00",
        "time": NOW_MS - 10,
        "tid": 7,
    }
    return {**row, "users": [BUYER, SELLER], **more}


def test_side_a_is_a_taker_that_sold_and_both_accounts_have_a_fill(play, mapper):
    rows = mapped(play, mapper, "trades", [trade()])
    assert rows[(Kind.TRADE, "BTC")][["taker_side", "seq"]][0].tolist() == (-1, 7)
    fills = {row["wallet"].decode(): row for row in rows[(Kind.WALLET_FILL, "BTC")]}
    assert [fills[BUYER]["taker_side"], fills[BUYER]["is_taker"]] == [1, 0]
    assert [fills[SELLER]["taker_side"], fills[SELLER]["is_taker"]] == [-1, 1]
    assert {row["is_liquidation"] for row in fills.values()} == {0}


def test_trades_without_accounts_are_trades(play, mapper):
    row = trade()
    del row["users"]
    assert set(mapped(play, mapper, "trades", [row])) == {(Kind.TRADE, "BTC")}


def test_repeated_trades_are_a_snapshot_and_not_told_twice(play, mapper):
    asked = {"method": "subscribe", "subscription": {"type": "trades", "coin": "BTC"}}
    mapped(play, mapper, "subscriptionResponse", asked)
    assert play.out.controls == [Confirmed("trades|BTC")]
    first = [trade(time=NOW_MS - 50_000, tid=1), trade(time=NOW_MS + 5, tid=2)]
    rows = mapped(play, mapper, "trades", first, received_ns=NOW_NS + SECOND_NS)
    assert rows[(Kind.TRADE, "BTC")]["flags"].tolist() == [Flag.SNAPSHOT, 0]
    assert len(rows[(Kind.WALLET_FILL, "BTC")]) == 2, "a repeated trade gives no fills"
    late = [trade(time=NOW_MS - 50_000, tid=1), trade(time=NOW_MS - 5, tid=3)]
    rows = mapped(play, mapper, "trades", late, received_ns=NOW_NS + SECOND_NS)
    assert rows[(Kind.TRADE, "BTC")][["seq", "flags"]].tolist() == [(3, 0)]


def test_there_is_no_liquidation_to_subscribe_to_and_it_says_so(play):
    assert "fills" in play.venue.absent[Kind.LIQUIDATION]
    told = b"".join(frame for plan in play.venue.feed.sockets(play.wanted()) for frame in plan.subscribe)
    assert b"liquidation" not in told


def test_a_liquidation_stands_on_both_fills_and_is_one_of_them(play, mapper):
    fill = {
        "coin": "BTC",
        "px": "100",
        "sz": "1",
        "side": "A",
        "time": NOW_MS,
        "startPosition": "1",
        "tid": 5,
    }
    fill |= {"closedPnl": "-3.5", "crossed": True, "liquidation": {"liquidatedUser": SELLER, "markPx": "101"}}
    for wallet, side, expected in ((SELLER, "A", 1), (BUYER, "B", 0)):
        body = json.dumps([fill | {"side": side}]).encode()
        mapper.map_answer("userFills", wallet, body, NOW_NS, play.out)
        row = play.drain(Kind.WALLET_FILL)["BTC"][0]
        assert (row["is_liquidation"], row["closed_pnl_usd"], row["start_qty_base"]) == (expected, -3.5, 1.0)


def account(*positions):
    rows = [
        {
            "type": "oneWay",
            "position": {
                "coin": coin, "szi": szi, "entryPx": "100", "leverage": {"type": "isolated", "value": 7},
                "liquidationPx": "80.5", "positionValue": "200", "unrealizedPnl": "-1", "marginUsed": "3",
            },
        }
        for coin, szi in positions
    ]  # fmt: skip
    return json.dumps(
        {"assetPositions": rows, "marginSummary": {"accountValue": "55"}, "time": NOW_MS}
    ).encode()


def test_a_position_that_is_gone_is_told_as_zero(play, mapper):
    mapper.map_answer(
        "clearinghouseState", WALLET, account(("BTC", "-2"), ("ETH", "1"), ("@107", "9")), NOW_NS, play.out
    )
    rows = play.drain(Kind.WALLET_POSITION)
    assert set(rows) == {"BTC", "ETH"}
    row = rows["BTC"][0]
    assert (row["side"], row["qty_base"], row["is_cross"], row["leverage"]) == (-1, 2.0, 0, 7.0)
    assert (row["liquidation_price_usd"], row["account_value_usd"]) == (80.5, 55.0)
    mapper.map_answer("clearinghouseState", WALLET, account(("ETH", "1")), NOW_NS, play.out)
    assert play.drain(Kind.WALLET_POSITION)["BTC"][["side", "qty_base"]].tolist() == [(0, 0.0)]
    mapper.map_answer("clearinghouseState", WALLET, account(("ETH", "1")), NOW_NS, play.out)
    assert set(play.drain(Kind.WALLET_POSITION)) == {"ETH"}, "it is told once"


def test_a_repeated_book_is_passed_over(play, mapper):
    side = [{"px": "100", "sz": "1", "n": 1}]
    body = {"coin": "BTC", "levels": [side, [{"px": "101", "sz": "1", "n": 1}]], "time": NOW_MS}
    assert len(mapped(play, mapper, "l2Book", body)[(Kind.BOOK_LEVEL, "BTC")]) == 2
    assert mapped(play, mapper, "l2Book", body) == {}


def test_funding_is_paid_at_the_next_full_hour(play, mapper):
    state = {"funding": "0.00001", "openInterest": "5", "markPx": "100", "oraclePx": "99"}
    row = mapped(play, mapper, "activeAssetCtx", {"coin": "BTC", "ctx": state})[(Kind.FUNDING, "BTC")][0]
    assert (row["next_ns"], row["interval_ns"]) == ((NOW_NS // HOUR_NS + 1) * HOUR_NS, HOUR_NS)


def test_an_error_is_a_refusal(play, mapper):
    mapped(play, mapper, "error", "Invalid subscription")
    assert play.out.controls == [Refused("", "Invalid subscription")]


def test_maintenance_is_half_the_initial_margin_of_the_tier(play):
    tiers = play.contracts["BTC"].tiers
    assert [(one.cap_usd, one.maintenance_ratio, one.max_leverage) for one in tiers] == [
        (150_000_000.0, 0.0125, 40.0), (np.inf, 0.025, 20.0),
    ]  # fmt: skip
    assert tiers[1].deduction_usd == 150_000_000.0 * 0.0125
    assert [one.max_leverage for one in play.contracts["DOT"].tiers] == [10.0]


# -- recorded ---------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
def test_a_recorded_connection_is_read(recorded, play, mapper):
    kinds, out = collections.Counter(), play.out
    with gzip.open(recorded / "venue_messages/hftbacktest_hl/btcusd_20250126.gz", "rb") as stream:
        for line in stream:
            stamp, _, frame = line.rstrip(b"\n").partition(b" ")
            mapper.map(frame, int(stamp), out)
            for batch in out.drain():
                kinds[batch.kind] += len(batch.rows)
    print(dict(kinds))
    assert kinds[Kind.TRADE] > 20
    assert kinds[Kind.WALLET_FILL] == 2 * kinds[Kind.TRADE]
    assert kinds[Kind.BOOK_LEVEL] % 40 == 0
    assert out.rejects == {}


@pytest.mark.recorded
def test_recorded_examples_are_read(recorded, play):
    folder = recorded / "venue_messages"
    like = play.contracts["BTC"]
    mapper, out = (
        play.venue.mapper(dict.fromkeys(("BTC", "FXS", "MOODENG", "ETH", "SUI", "INJ"), like)),
        Rows("hyperliquid"),
    )
    read = lambda name: json.loads((folder / name).read_text())
    frame = read("by_venue/hyperliquid/trades.json")
    mapper.map(json.dumps(frame).encode(), frame["data"][0]["time"] * MILLISECOND_NS, out)
    mapper.map(json.dumps(read("by_venue/hyperliquid/activeAssetCtx.json")).encode(), NOW_NS, out)
    book = read("nautilus/hyperliquid/ws_book_data.json")
    mapper.map(json.dumps({"channel": "l2Book", "data": book}).encode(), book["time"] * MILLISECOND_NS, out)
    mapper.map_answer(
        "clearinghouseState",
        WALLET,
        json.dumps(read("by_venue/hyperliquid/clearinghouseState.json")).encode(),
        NOW_NS,
        out,
    )
    fills = read("by_venue/hyperliquid/userFills.json")
    mapper.map_answer("userFills", WALLET, json.dumps(fills).encode(), fills[0]["time"] * MILLISECOND_NS, out)
    liquidated = read("by_venue/hyperliquid/user_fill_liquidation.json")["data"]["fills"]
    wallet = liquidated[0]["liquidation"]["liquidatedUser"]
    mapper.map_answer(
        "userFills", wallet, json.dumps(liquidated).encode(), liquidated[0]["time"] * MILLISECOND_NS, out
    )
    found = collections.Counter()
    for batch in out.drain():
        found[batch.kind] += len(batch.rows)
    assert out.rejects == {}
    assert found == {
        Kind.TRADE: 1, Kind.MARK: 1, Kind.FUNDING: 1, Kind.OPEN_INTEREST: 1, Kind.BOOK_LEVEL: 10,
        Kind.WALLET_POSITION: found[Kind.WALLET_POSITION], Kind.WALLET_FILL: len(fills) + 1,
    }  # fmt: skip
    assert found[Kind.WALLET_POSITION] >= 2


@pytest.mark.recorded
def test_other_recorded_channels_are_told_by_name(recorded, play, mapper):
    body = (recorded / "venue_messages/nautilus/hyperliquid/ws_all_dexs_asset_ctxs.json").read_bytes()
    mapper.map(body, NOW_NS, play.out)
    assert set(play.out.rejects) == {("allDexsAssetCtxs", Reason.UNKNOWN_CHANNEL)}
