"""KuCoin's traps, on frames of our own, its recorded frames and answers, and its tokens over real sockets."""

from __future__ import annotations

import asyncio
import collections
import json

import numpy as np
import pytest
from tests.sources.local_venue import Recording, local, until
from tests.sources.venues.play import NOW_NS, Play, book_of, stored_frames

from faultline.instruments import FormulaFamily
from faultline.messages import Kind
from faultline.sources.control import Confirmed, Refused, Resync
from faultline.sources.rows import Reason, Rows
from faultline.testing.facts import TradeFact
from faultline.testing.venues import script_of
from faultline.units import HOUR_NS, MILLISECOND_NS

NOW_MS = NOW_NS // MILLISECOND_NS
LINEAR, INVERSE = "XBTUSDTM", "XBTUSDM"


@pytest.fixture
def play():
    return Play("kucoin")


@pytest.fixture
def mapper(play):
    return play.venue.mapper(play.contracts)


def push(play, mapper, name, subject, **row):
    frame = {"topic": f"/{name}:{LINEAR}", "type": "message", "subject": subject, "data": row}
    mapper.map(json.dumps(frame).encode(), NOW_NS, play.out)
    return play.drain()


def test_xbt_is_bitcoin(play):
    assert {play.contracts[symbol].asset for symbol in (LINEAR, INVERSE)} == {"BTC"}
    assert play.contracts[INVERSE].qty_base(1.0, 50_000.0) == 1 / 50_000
    assert "XBTMZ26" not in play.contracts, "a contract that ends"


def test_times_of_trades_are_nanoseconds(play, mapper):
    row = {
        "symbol": LINEAR,
        "sequence": 17,
        "side": "sell",
        "size": 13,
        "price": "100000.1",
        "ts": NOW_NS - 123,
    }
    found = push(play, mapper, "contractMarket/execution", "match", **row)[(Kind.TRADE, LINEAR)][0]
    assert (found["ts_event_ns"], found["seq"], found["taker_side"]) == (NOW_NS - 123, 17, -1)
    np.testing.assert_allclose(found["qty_base"], 0.013)


def change(play, mapper, number, text):
    row = {"sequence": number, "change": text, "timestamp": NOW_MS}
    return push(play, mapper, "contractMarket/level2", "level2", **row)


def whole(play, mapper, number, bids):
    body = {"symbol": LINEAR, "sequence": number, "bids": bids, "asks": [], "ts": NOW_NS}
    answer = json.dumps({"code": "200000", "data": body}).encode()
    mapper.map_answer("contractMarket/level2", LINEAR, answer, NOW_NS, play.out)
    return play.drain()


def test_single_levels_wait_for_the_snapshot_and_follow_by_number(play, mapper):
    for number, text in ((10, "99,buy,1"), (11, "98,buy,2"), (12, "101,sell,3")):
        assert change(play, mapper, number, text) == {}
    rows = whole(play, mapper, 10, [[100, 4]])[(Kind.BOOK_LEVEL, LINEAR)]
    assert sorted(book_of(rows)[1]) == [98.0, 100.0]
    assert sorted(book_of(rows)[-1]) == [101.0]
    play.out.controls.clear()
    assert change(play, mapper, 13, "0,sell,0") == {}, "a price of 0 moves the number only"
    assert set(change(play, mapper, 14, "100,buy,0")) == {(Kind.BOOK_LEVEL, LINEAR)}
    assert set(change(play, mapper, 16, "97,buy,1")) == {(Kind.GAP, LINEAR)}
    assert [type(one) for one in play.out.controls] == [Resync]
    assert play.out.rejects == {}


@pytest.mark.parametrize("text", ["", "99,buy", "99,hold,1", "x,buy,1", "99,buy,1,2"])
def test_a_change_of_another_shape_is_rejected_and_the_next_one_is_a_gap(play, mapper, text):
    whole(play, mapper, 10, [[100, 4]])
    assert change(play, mapper, 11, text) == {}
    assert ("contractMarket/level2", Reason.WRONG_SHAPE) in play.out.rejects
    assert set(change(play, mapper, 12, "99,buy,1")) == {(Kind.GAP, LINEAR)}


def test_rates_of_the_socket_are_passed_over_and_those_of_the_poll_are_read(play, mapper):
    row = {"granularity": 60000, "fundingRate": 0.5, "timestamp": NOW_MS}
    assert push(play, mapper, "contract/instrument", "funding.rate", **row) == {}
    state = {
        "symbol": LINEAR,
        "fundingFeeRate": -0.0002,
        "fundingRateGranularity": 14_400_000,
        "openInterest": "500",
    }
    state |= {"nextFundingRateTime": 5, "nextFundingRateDateTime": NOW_MS + 60_000}
    answer = json.dumps({"code": "200000", "data": state}).encode()
    mapper.map_answer("contracts", LINEAR, answer, NOW_NS, play.out)
    rows = play.drain()
    found = rows[(Kind.FUNDING, LINEAR)][0]
    assert (found["interval_ns"], found["next_ns"]) == (4 * HOUR_NS, NOW_NS + 60_000 * MILLISECOND_NS)
    assert rows[(Kind.OPEN_INTEREST, LINEAR)][0]["oi_base"] == 0.5
    assert play.out.rejects == {}


def test_answers_are_acknowledged_by_id(play, mapper):
    for answer in (
        {"id": "w", "type": "welcome"},
        {"id": "contractMarket/level2|public-0", "type": "ack"},
        {"id": "x", "type": "error", "code": 404, "topic": "/a:b", "data": "topic /a:b is not found"},
        {"id": "1777000000000", "type": "pong", "timestamp": NOW_MS * 1000},
    ):
        mapper.map(json.dumps(answer).encode(), NOW_NS, play.out)
    assert play.out.controls == [
        Confirmed("contractMarket/level2|public-0"),
        Refused("x", '404: "topic /a:b is not found"'),
    ]
    assert play.out.rejects == {}


def test_margins_are_valued_at_entry_as_in_the_example_of_the_venue(play):
    item = play.contracts[LINEAR]
    assert item.formula_family is FormulaFamily.ENTRY_VALUED
    np.testing.assert_allclose(item.liquidation_price_usd(40_000.0, 40.0, 1, notional_usd=1_000.0), 39_160.0)
    np.testing.assert_allclose([one.cap_usd for one in play.contracts[INVERSE].tiers], [250_000.0, 500_000.0])
    assert len(play.contracts["DOTUSDTM"].tiers) == 1, "without risk limits the listing's own"


# -- tokens -----------------------------------------------------------------------------------------------------------


def test_a_token_is_quoted_into_the_address(play):
    (plan,) = play.venue.feed.sockets(play.wanted())
    body = json.dumps({"code": "200000", "data": {"token": "a/b=", "instanceServers": []}}).encode()
    assert plan.ticket.address("wss://x/", body) == "wss://x/?token=a%2Fb%3D&connectId=faultline"
    with pytest.raises(ValueError, match="400100"):
        plan.ticket.address("wss://x/", b'{"code":"400100","msg":"no"}')
    assert (plan.ticket.request.path, plan.ticket.request.body) == ("/api/v1/bullet-public", b"{}")


def test_every_connection_asks_for_a_token_of_its_own():
    async def go():
        async with local(script_of("kucoin")) as server:
            recording = Recording([server])

            def asked():
                return sum(path == "/api/v1/bullet-public" for _, _, path in server.requests)

            async with recording.running():
                topic = f"/contractMarket/execution:{LINEAR}"
                await server.subscribed(topic, timeout_s=20.0)
                now_ns = server.clock.now_ns() // 1000 * 1000
                await server.publish(TradeFact(LINEAR, now_ns, 1, 100_000.0, 0.004, 1))
                await until(lambda: recording.rows(Kind.TRADE, f"kucoin:{LINEAR}"))
                assert asked() == 1
                await server.cut()
                await server.subscribed(topic, timeout_s=20.0)
                assert asked() == 2

    asyncio.run(go())


# -- recorded ---------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
def test_recorded_frames_are_read_with_the_snapshot_that_was_fetched(recorded, play):
    folder = recorded / "venue_messages/moonstream_examples"
    mapper, out, kinds = play.venue.mapper(play.contracts), Rows("kucoin"), collections.Counter()
    frames = [*stored_frames(folder / "kucoin_perp_btcusdt_trades.json.gz")]
    for received_ns, frame in stored_frames(folder / "kucoin_perp_btcusdt_depth.json.gz"):
        body = json.loads(frame)
        body = body.get("response", body)
        if "code" in body:
            mapper.map_answer("contractMarket/level2", LINEAR, json.dumps(body).encode(), received_ns, out)
        else:
            frames.append((received_ns, frame))
    for received_ns, frame in frames:
        if frame != b"{}":
            mapper.map(frame, received_ns, out)
        for batch in out.drain():
            kinds[batch.kind] += len(batch.rows)
    print(dict(kinds), {key: one.sample[:90] for key, one in out.rejects.items()})
    assert out.rejects == {}
    assert kinds[Kind.TRADE] >= 5
    assert kinds[Kind.BOOK_LEVEL] > 500


@pytest.mark.recorded
def test_the_recorded_chain_of_changes_is_unbroken(recorded, play):
    """From a whole book that ends where the changes begin, the chain holds to the end."""
    path = recorded / "venue_messages/moonstream_examples/kucoin_perp_btcusdt_depth.json.gz"
    frames = [(ns, frame) for ns, frame in stored_frames(path) if b'"level2"' in frame]
    first = json.loads(frames[0][1])["data"]["sequence"]
    mapper, out = play.venue.mapper(play.contracts), Rows("kucoin")
    body = {"symbol": LINEAR, "sequence": first - 1, "bids": [], "asks": [], "ts": frames[0][0]}
    answer = json.dumps({"code": "200000", "data": body}).encode()
    mapper.map_answer("contractMarket/level2", LINEAR, answer, frames[0][0], out)
    for received_ns, frame in frames:
        mapper.map(frame, received_ns, out)
    kinds = {batch.kind: len(batch.rows) for batch in out.drain()}
    assert set(kinds) == {Kind.BOOK_LEVEL}
    assert kinds[Kind.BOOK_LEVEL] > 200
    assert out.controls == []


@pytest.mark.recorded
def test_recorded_states_are_read_and_list_the_contract(recorded, play, mapper):
    path = recorded / "venue_messages/moonstream_examples/kucoin_perp_btcusdt_oifunding.json.gz"
    for received_ns, body in stored_frames(path):
        mapper.map_answer("contracts", LINEAR, body, received_ns, play.out)
        rows = play.drain()
        assert set(rows) == {(Kind.FUNDING, LINEAR), (Kind.OPEN_INTEREST, LINEAR)}
        assert 5_000 < rows[(Kind.OPEN_INTEREST, LINEAR)][0]["oi_base"] < 12_000
        listed = json.dumps({"code": "200000", "data": [json.loads(body)["data"]]}).encode()
        empty = {name: [b'{"code":"200000","data":[]}'] for name in play.answers}
        (found,) = play.venue.feed.contracts({**empty, "contracts": [listed]})
        assert (found.symbol, found.asset, found.max_leverage) == (LINEAR, "BTC", 125.0)
    assert play.out.rejects == {}
