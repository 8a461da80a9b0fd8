"""MEXC's traps, on frames of our own, and its recorded frames and answers."""

from __future__ import annotations

import collections
import json

import numpy as np
import pytest
from tests.sources.venues.play import NOW_NS, Play, book_of, stored_frames

from faultline.instruments import FormulaFamily
from faultline.messages import NO_SEQ, Kind
from faultline.sources.control import Confirmed, Refused, Resync
from faultline.sources.rows import Reason, Rows
from faultline.units import MILLISECOND_NS

NOW_MS = NOW_NS // MILLISECOND_NS
LINEAR, INVERSE = "BTC_USDT", "BTC_USD"


@pytest.fixture
def play():
    return Play("mexc")


@pytest.fixture
def mapper(play):
    return play.venue.mapper(play.contracts)


def push(play, mapper, channel, row, symbol=LINEAR):
    frame = {"symbol": symbol, "data": row, "channel": channel, "ts": NOW_MS}
    mapper.map(json.dumps(frame).encode(), NOW_NS, play.out)
    return play.drain()


def test_trades_come_one_by_one_or_as_a_list_with_or_without_their_id(play, mapper):
    deal = {"p": 100_000.1, "v": 55, "T": 2, "O": 3, "M": 1, "t": NOW_MS}
    row = push(play, mapper, "push.deal", deal)[(Kind.TRADE, LINEAR)][0]
    assert (row["seq"], row["taker_side"]) == (NO_SEQ, -1)
    np.testing.assert_allclose(row["qty_base"], 0.0055)
    rows = push(play, mapper, "push.deal", [deal | {"i": "13064218826"}, deal | {"T": 1, "i": "13064218827"}])
    assert rows[(Kind.TRADE, LINEAR)]["seq"].tolist() == [13064218826, 13064218827]
    assert rows[(Kind.TRADE, LINEAR)]["taker_side"].tolist() == [-1, 1]
    row = push(play, mapper, "push.deal", deal | {"p": 50_000.0}, INVERSE)[(Kind.TRADE, INVERSE)][0]
    np.testing.assert_allclose(row["qty_base"], 55 * 100 / 50_000)


def test_the_second_number_of_a_level_is_its_contracts(play, mapper):
    whole(play, mapper, 7, [])
    row = {"asks": [], "bids": [[99, 5000, 3]], "version": 8}
    rows = push(play, mapper, "push.depth", row)[(Kind.BOOK_LEVEL, LINEAR)]
    np.testing.assert_allclose(rows["qty_base"], [0.5])


def whole(play, mapper, version, bids):
    body = {"asks": [[200, 1, 1]], "bids": bids, "version": version, "timestamp": NOW_MS}
    answer = json.dumps({"success": True, "code": 0, "data": body}).encode()
    mapper.map_answer("push.depth", LINEAR, answer, NOW_NS, play.out)
    return play.drain()


def test_versions_follow_by_one_or_cover_a_stretch(play, mapper):
    change = lambda bids, **numbers: push(play, mapper, "push.depth", {"asks": [], "bids": bids, **numbers})
    assert change([[99, 1, 1]], version=9) == {}
    assert [one.symbol for one in play.out.controls] == [LINEAR]
    rows = whole(play, mapper, 8, [[100, 4, 1]])[(Kind.BOOK_LEVEL, LINEAR)]
    assert sorted(book_of(rows)[1]) == [99.0, 100.0]
    play.out.controls.clear()
    assert set(change([[98, 1, 1]], version=14, begin=10, end=14)) == {(Kind.BOOK_LEVEL, LINEAR)}
    assert set(change([[97, 1, 1]], version=15, begin=0, end=0)) == {(Kind.BOOK_LEVEL, LINEAR)}
    assert set(change([[96, 1, 1]], version=17)) == {(Kind.GAP, LINEAR)}
    assert [type(one) for one in play.out.controls] == [Resync]


def test_the_mark_is_the_fair_price(play, mapper):
    row = {
        "symbol": LINEAR,
        "lastPrice": 1.0,
        "fairPrice": 100_000.5,
        "indexPrice": 100_001.0,
        "timestamp": NOW_MS,
    }
    rows = push(play, mapper, "push.ticker", row)
    assert set(rows) == {(Kind.MARK, LINEAR)}, "what is not told is not zero"
    assert rows[(Kind.MARK, LINEAR)][0]["mark_price_usd"] == 100_000.5


def test_confirmations_name_the_channel_and_errors_nothing(play, mapper):
    for answer in (
        {"channel": "rs.sub.deal", "data": "success", "ts": NOW_MS},
        {"channel": "rs.sub.depth", "data": "not today", "ts": NOW_MS},
        {"channel": "rs.error", "data": "Contract [X] not exists", "ts": NOW_MS},
        {"channel": "rs.unsub.deal", "data": "success", "ts": NOW_MS},
        {"channel": "pong", "data": NOW_MS},
    ):
        mapper.map(json.dumps(answer).encode(), NOW_NS, play.out)
    assert play.out.controls == [
        Confirmed("push.deal"),
        Refused("push.depth", "not today"),
        Refused("", "Contract [X] not exists"),
    ]
    assert play.out.rejects == {}
    mapper.map(b'{"channel":"push.fair.price","data":{"price":1},"symbol":"BTC_USDT"}', NOW_NS, play.out)
    assert set(play.out.rejects) == {("push.fair.price", Reason.UNKNOWN_CHANNEL)}


def test_tiers_are_a_table_or_steps_in_contracts_or_value(play):
    item = play.contracts[LINEAR]
    assert item.formula_family is FormulaFamily.ENTRY_VALUED
    np.testing.assert_allclose([one.cap_usd for one in item.tiers], [1e6, 2e6, np.inf])
    np.testing.assert_allclose([one.cap_usd for one in play.contracts[INVERSE].tiers], [1e7, 2e7, np.inf])
    steps = play.contracts["DOT_USDT"].tiers
    np.testing.assert_allclose([one.cap_usd for one in steps], [40_000, 120_000, np.inf])
    np.testing.assert_allclose([one.maintenance_ratio for one in steps], [0.004, 0.008, 0.012])
    np.testing.assert_allclose([one.max_leverage for one in steps], [125.0, 1 / 0.012, 1 / 0.016])
    listed = json.loads(play.answers["contracts"][0])
    for row in listed["data"]:
        row["riskLimitType"] = "BY_VALUE"
    found = play.venue.feed.contracts({**play.answers, "contracts": [json.dumps(listed).encode()]})
    by_value = next(one for one in found if one.symbol == LINEAR)
    assert [one.cap_usd for one in by_value.tiers] == [1e5, 2e5, np.inf]


# -- recorded ---------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("trades", {Kind.TRADE}),
        ("oifunding", {Kind.MARK, Kind.FUNDING, Kind.OPEN_INTEREST}),
        ("depth", {Kind.BOOK_LEVEL}),
    ],
)
def test_recorded_frames_are_read(recorded, play, mapper, name, kinds):
    path = recorded / f"venue_messages/moonstream_examples/mexc_perp_btcusdt_{name}.json.gz"
    found = collections.Counter()
    for received_ns, frame in stored_frames(path):
        body = json.loads(frame)
        body = body.get("response", body)
        if "success" in body:
            mapper.map_answer("push.depth", LINEAR, json.dumps(body).encode(), received_ns, play.out)
        elif frame != b"{}":
            mapper.map(frame, received_ns, play.out)
        for (kind, _), rows in play.drain().items():
            found[kind] += len(rows)
    print(name, dict(found), {key: one.sample[:90] for key, one in play.out.rejects.items()})
    assert play.out.rejects == {}
    assert set(found) - {Kind.GAP} == kinds
    assert any(isinstance(one, Confirmed) for one in play.out.controls)


@pytest.mark.recorded
def test_the_recorded_chain_of_versions_is_unbroken(recorded, play):
    """From a book that ends where the changes begin, the chain holds to the end."""
    path = recorded / "venue_messages/moonstream_examples/mexc_perp_btcusdt_depth.json.gz"
    frames = [(ns, frame) for ns, frame in stored_frames(path) if b"push.depth" in frame]
    first = json.loads(frames[0][1])["data"]["version"]
    mapper, out = play.venue.mapper(play.contracts), Rows("mexc")
    stamp_ms = frames[0][0] // MILLISECOND_NS
    body = {"asks": [], "bids": [], "version": first - 1, "timestamp": stamp_ms}
    answer = json.dumps({"success": True, "code": 0, "data": body}).encode()
    mapper.map_answer("push.depth", LINEAR, answer, frames[0][0], out)
    for received_ns, frame in frames:
        mapper.map(frame, received_ns, out)
    kinds = {batch.kind: len(batch.rows) for batch in out.drain()}
    assert set(kinds) == {Kind.BOOK_LEVEL}
    assert kinds[Kind.BOOK_LEVEL] > 250
    assert out.controls == []
    assert out.rejects == {}
