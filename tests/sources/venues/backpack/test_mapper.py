"""Backpack's traps, on frames of our own, and its published schema."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.sources.venues.play import NOW_NS, Play, book_of

from faultline.messages import Kind
from faultline.sources.control import Confirmed, Refused, Resync
from faultline.sources.rows import Reason
from faultline.units import MILLISECOND_NS, SECOND_NS, PriceKind

NOW_US, NOW_MS = NOW_NS // 1000, NOW_NS // MILLISECOND_NS
BTC = "BTC_USDC_PERP"


@pytest.fixture
def play():
    return Play("backpack")


@pytest.fixture
def mapper(play):
    return play.venue.mapper(play.contracts)


def push(play, mapper, stream, body):
    mapper.map(json.dumps({"stream": stream, "data": body}).encode(), NOW_NS, play.out)
    return play.drain()


def liquidation(**more):
    return {
        "e": "liquidation",
        "E": NOW_US,
        "T": NOW_US - 7,
        "s": BTC,
        "S": "Ask",
        "p": "99000",
        "q": "0.25",
        **more,
    }


@pytest.mark.parametrize(("order", "side"), [("Ask", 1), ("Bid", -1)])
def test_the_order_that_closes_tells_the_other_side(play, mapper, order, side):
    row = push(play, mapper, "liquidation", liquidation(S=order))[(Kind.LIQUIDATION, BTC)][0]
    assert (row["side"], row["price_kind"]) == (side, PriceKind.UNKNOWN)
    assert row["ts_event_ns"] == (NOW_US - 7) * 1000, "microseconds"


def test_both_streams_of_liquidations_tell_an_event_once(play, mapper):
    assert push(play, mapper, "liquidation", liquidation())
    assert push(play, mapper, f"liquidation.{BTC}", liquidation(E=NOW_US + 1)) == {}
    assert push(play, mapper, "liquidation", liquidation(s="WIF_USDC_PERP")) == {}, "not wanted"
    assert play.out.rejects == {}
    assert push(play, mapper, "liquidation", liquidation(S="Sell")) == {}
    assert ("liquidation", Reason.UNKNOWN_WORD) in play.out.rejects


def mark(**more):
    return {
        "e": "markPrice",
        "E": NOW_US,
        "T": NOW_US,
        "s": BTC,
        "p": "100000.5",
        "i": "99990",
        "n": NOW_MS,
        **more,
    }


def test_the_first_mark_confirms_everything_and_errors_name_nothing(play, mapper):
    push(play, mapper, f"markPrice.{BTC}", mark())
    push(play, mapper, f"markPrice.{BTC}", mark())
    mapper.map(b'{"id":null,"error":{"code":4006,"message":"Invalid stream"}}', NOW_NS, play.out)
    assert play.out.controls == [Confirmed(""), Refused("", "4006: Invalid stream")]


def test_marks_are_asked_for_last_and_of_one_contract_where_they_are_not_wanted(play):
    for kinds in (frozenset({Kind.TRADE}), frozenset({Kind.MARK, Kind.TRADE, Kind.LIQUIDATION})):
        (plan,) = play.venue.feed.sockets(play.wanted(kinds=kinds))
        last = json.loads(plan.subscribe[-1])["params"]
        assert all(stream.startswith("markPrice.") for stream in last)
        assert len(last) == (3 if Kind.MARK in kinds else 1)


def test_a_rate_is_told_when_it_changes_or_after_a_minute(play, mapper):
    told = []
    for at_s, rate in ((0, "0.00001"), (1, "0.00001"), (2, "0.00002"), (63, "0.00002")):
        at_us = NOW_US + at_s * SECOND_NS // 1000
        rows = push(play, mapper, f"markPrice.{BTC}", mark(E=at_us, f=rate, n=NOW_MS + 60_000))
        told.append((Kind.FUNDING, BTC) in rows)
        assert (Kind.MARK, BTC) in rows
    assert told == [True, False, True, True]
    rows = push(play, mapper, f"markPrice.{BTC}", mark(f="0.00009", n=NOW_MS + 60_000))
    assert rows[(Kind.FUNDING, BTC)][0]["next_ns"] == (NOW_MS + 60_000) * MILLISECOND_NS, "milliseconds"
    assert set(push(play, mapper, f"markPrice.{BTC}", mark())) == {(Kind.MARK, BTC)}, "missing is missing"


def test_a_maker_that_bought_met_a_taker_that_sold(play, mapper):
    body = {"e": "trade", "E": str(NOW_US), "T": str(NOW_US), "s": BTC, "p": "100000.5", "q": "0.25", "t": 9}
    rows = push(play, mapper, f"trade.{BTC}", {**body, "m": True})[(Kind.TRADE, BTC)]
    assert (rows[0]["taker_side"], rows[0]["seq"], rows[0]["ts_event_ns"]) == (-1, 9, NOW_NS)


def depth(first, last, bids=(), asks=()):
    return {
        "e": "depth",
        "E": NOW_US,
        "T": NOW_US,
        "s": BTC,
        "U": first,
        "u": last,
        "b": list(bids),
        "a": list(asks),
    }


def test_changes_wait_for_a_snapshot_and_then_follow_without_a_break(play, mapper):
    stream = f"depth.200ms.{BTC}"
    assert push(play, mapper, stream, depth(8, 10, [["100.0", "1"]])) == {}
    assert push(play, mapper, stream, depth(11, 12, [["99.0", "2"]])) == {}
    assert [type(one) for one in play.out.controls] == [Resync]
    book = {
        "bids": [["98", "5"], ["100", "1"]],
        "asks": [["101", "2"]],
        "lastUpdateId": "10",
        "timestamp": NOW_US,
    }
    mapper.map_answer("depth", BTC, json.dumps(book).encode(), NOW_NS, play.out)
    rows = [*play.drain(Kind.BOOK_LEVEL)[BTC]]
    rows += [*push(play, mapper, stream, depth(13, 13, [["100.0", "0.00000"]]))[(Kind.BOOK_LEVEL, BTC)]]
    assert book_of(rows) == {1: {98.0: 5.0, 99.0: 2.0}, -1: {101.0: 2.0}}, "prices are compared as numbers"
    assert push(play, mapper, stream, depth(15, 16)).keys() == {(Kind.GAP, BTC)}
    assert len(play.out.controls) >= 2


def test_open_interest_is_in_base_units_and_nothing_is_not_zero(play, mapper):
    body = {"e": "openInterest", "E": NOW_US, "s": BTC, "o": "1273.852"}
    row = push(play, mapper, f"openInterest.{BTC}", body)[(Kind.OPEN_INTEREST, BTC)][0]
    assert row["oi_base"] == 1_273.852
    assert push(play, mapper, f"openInterest.{BTC}", {**body, "o": "0"}) == {}
    assert play.out.rejects == {}


def test_maintenance_grows_with_the_root_of_the_position(play):
    item = play.contracts[BTC]
    assert (item.tiers[0].maintenance_ratio, item.max_leverage) == (0.0125, 50.0)
    np.testing.assert_allclose(item.tiers[0].cap_usd, 62_500.0)
    for notional_usd in (100_000.0, 1e6, 2e7):
        expected = 0.00005 * notional_usd**0.5
        np.testing.assert_allclose(item.tier_of(notional_usd).maintenance_ratio, expected, rtol=0.2)
    assert all(tier.maintenance_ratio * tier.max_leverage < 1 for tier in item.tiers)
    assert set(play.contracts) == {BTC, "ETH_USDC_PERP", "SOL_USDC_PERP"}, "neither closed nor spot"


# -- recorded ---------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
def test_the_published_schema_of_a_liquidation_is_the_one_that_is_read(recorded, play, mapper):
    """There is no recording: the schema has words where values belong, and names the fields that are used."""
    schema = json.loads((recorded / "venue_messages/by_venue/backpack/liquidation_SCHEMA.json").read_text())
    assert schema["stream"] == "liquidation"
    assert set(schema["data"]) == set(liquidation())
    mapper.map(json.dumps(schema).encode(), NOW_NS, play.out)
    assert play.drain() == {}
    assert set(play.out.rejects) == {("liquidation", Reason.WRONG_SHAPE)}
