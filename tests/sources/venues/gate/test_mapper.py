"""Gate's traps, on frames of our own, and its recorded frames and answers."""

from __future__ import annotations

import collections
import gzip
import json

import msgspec
import numpy as np
import pytest
from tests.sources.venues.play import NOW_NS, Play, book_of, raw_frames, stored_frames

from faultline.messages import Flag, Kind, TradeCause
from faultline.sources.control import Confirmed, Refused, Resync
from faultline.sources.rows import Reason, Rows
from faultline.sources.venue import Throttle, TimeUnit
from faultline.units import HOUR_NS, MILLISECOND_NS, SECOND_NS, parse_time_ns

NOW_MS = NOW_NS // MILLISECOND_NS
LINEAR, INVERSE = "BTC_USDT", "BTC_USD"


@pytest.fixture
def play():
    return Play("gate")


@pytest.fixture
def mapper(play):
    return play.venue.mapper(play.contracts)


def push(play, mapper, channel, result, *, event="update"):
    frame = {"time": NOW_MS // 1000, "time_ms": NOW_MS, "channel": channel, "event": event, "result": result}
    mapper.map(json.dumps(frame).encode(), NOW_NS, play.out)
    return play.drain()


def liquidation(size, **more):
    return {"price": "99000", "size": size, "time": NOW_MS - 300, "contract": LINEAR, **more}


@pytest.mark.parametrize(("size", "side"), [("2500", 1), ("-2500", -1), (2500, 1), (-2500, -1)])
def test_the_sign_of_the_size_is_the_position(play, mapper, size, side):
    row = push(play, mapper, "futures.public_liquidates", [liquidation(size)])[(Kind.LIQUIDATION, LINEAR)][0]
    assert row["side"] == side
    np.testing.assert_allclose([row["qty_base"], row["notional_usd"]], [0.25, 24_750.0])


def test_all_liquidations_of_a_batch_are_kept_and_are_no_sample(play, mapper):
    sent = [
        liquidation(-1),
        liquidation("-2"),
        liquidation(3, contract=INVERSE),
        liquidation(4, contract="X_USDT"),
    ]
    rows = push(play, mapper, "futures.public_liquidates", sent)
    assert len(rows[(Kind.LIQUIDATION, LINEAR)]) == 2
    assert rows[(Kind.LIQUIDATION, INVERSE)][0]["notional_usd"] == 3.0
    assert not rows[(Kind.LIQUIDATION, LINEAR)][0]["flags"] & Flag.SAMPLED
    assert play.out.rejects == {}, "contracts that were not asked for are passed over"


def test_times_of_liquidations_are_milliseconds_and_were_seconds(play, mapper):
    sent = [liquidation(1), liquidation(1, time=NOW_MS // 1000), liquidation(1, time=0, time_ms=NOW_MS - 7)]
    rows = push(play, mapper, "futures.public_liquidates", sent)[(Kind.LIQUIDATION, LINEAR)]
    expected = [(NOW_MS - 300) * MILLISECOND_NS, NOW_MS // 1000 * SECOND_NS, (NOW_MS - 7) * MILLISECOND_NS]
    assert rows["ts_event_ns"].tolist() == expected


def test_the_coverage_changed_on_the_day_the_channel_did(play):
    before, after = (
        play.venue.line(Kind.LIQUIDATION, parse_time_ns("2026-08-20T00:00:00Z") + step) for step in (-1, 0)
    )
    assert (before.throttle, before.time_unit) == (Throttle.ONE, TimeUnit.SECONDS)
    assert (after.throttle, after.time_unit) == (Throttle.BATCHED, TimeUnit.MILLISECONDS)


def trade(**more):
    return {
        "size": "-120",
        "id": 7,
        "create_time_ms": NOW_MS,
        "price": "100000.1",
        "contract": LINEAR,
        **more,
    }


def test_internal_trades_are_of_the_insurance_fund(play, mapper):
    rows = push(play, mapper, "futures.trades", [trade(), trade(is_internal=True, size="5")])[
        (Kind.TRADE, LINEAR)
    ]
    assert rows["cause"].tolist() == [TradeCause.ORDINARY, TradeCause.INSURANCE_FUND]
    assert rows["taker_side"].tolist() == [-1, 1]
    np.testing.assert_allclose(rows["qty_base"], [0.012, 0.0005])


def change(first, last, bids):
    return {
        "t": NOW_MS,
        "s": LINEAR,
        "U": first,
        "u": last,
        "a": [],
        "b": [{"p": str(p), "s": s} for p, s in bids],
    }


def snapshot(play, mapper, last, bids):
    body = {"id": last, "current": NOW_MS / 1e3, "update": NOW_MS / 1e3 - 1, "asks": []}
    body["bids"] = [{"p": str(p), "s": s} for p, s in bids]
    mapper.map_answer("futures.order_book_update", LINEAR, json.dumps(body).encode(), NOW_NS, play.out)
    return play.drain()


def test_changes_wait_for_the_snapshot_and_those_in_it_are_dropped(play, mapper):
    channel = "futures.order_book_update"
    for one in (change(5, 8, [(90, 1)]), change(9, 12, [(99, 3)]), change(13, 13, [(98, 4)])):
        assert push(play, mapper, channel, one) == {}
    assert [one.symbol for one in play.out.controls] == [LINEAR], "one snapshot is asked for"
    rows = snapshot(play, mapper, 10, [(100, 5), (99, 2)])[(Kind.BOOK_LEVEL, LINEAR)]
    found = book_of(rows)[1]
    assert {price: round(qty / 0.0001) for price, qty in found.items()} == {100.0: 5, 99.0: 3, 98.0: 4}
    play.out.controls.clear()
    assert set(push(play, mapper, channel, change(15, 15, [(97, 1)]))) == {(Kind.GAP, LINEAR)}
    assert [type(one) for one in play.out.controls] == [Resync]
    rows = snapshot(play, mapper, 15, [(96, 1)])[(Kind.BOOK_LEVEL, LINEAR)]
    assert list(book_of(rows)[1]) == [96.0]


def test_a_snapshot_older_than_what_waits_is_fetched_again(play, mapper):
    push(play, mapper, "futures.order_book_update", change(20, 21, [(99, 1)]))
    play.out.controls.clear()
    assert (Kind.GAP, LINEAR) in snapshot(play, mapper, 11, [(100, 5)])
    assert [type(one) for one in play.out.controls] == [Resync]
    assert (Kind.GAP, LINEAR) not in snapshot(play, mapper, 19, [(100, 5)])


def test_a_whole_book_on_the_socket_replaces_ours(play, mapper):
    rows = push(play, mapper, "futures.order_book_update", change(0, 40, [(95, 2)]) | {"full": True})
    assert rows[(Kind.BOOK_LEVEL, LINEAR)][0]["flags"] & Flag.SNAPSHOT
    assert push(play, mapper, "futures.order_book_update", change(41, 41, [(94, 2)]))
    assert play.out.controls == []


def test_ratios_that_are_not_counted_yet_are_left_out(play, mapper):
    body = [{"time": NOW_MS // 1000 - 200, "lsr_taker": 0, "lsr_account": 3.0, "top_lsr_size": "1"}]
    mapper.map_answer("contract_stats", LINEAR, json.dumps(body).encode(), NOW_NS, play.out)
    rows = play.drain(Kind.RATIO)[LINEAR]
    assert dict(zip(rows["ratio_kind"].tolist(), rows["long_share_ratio"].tolist(), strict=True)) == {
        b"accounts": 0.75,
        b"top_positions": 0.5,
    }


def test_requests_are_answered_by_id(play, mapper):
    for answer in (
        {"id": 3, "channel": "futures.trades", "event": "subscribe", "result": {"status": "success"}},
        {"id": 4, "channel": "futures.tickers", "event": "subscribe", "result": {"status": "fail"}},
        {"id": 5, "channel": "futures.trades", "event": "subscribe", "error": {"code": 2, "message": "no"},
         "result": None},
        {"channel": "futures.trades", "event": "subscribe", "error": None, "result": {"status": "success"}},
        {"channel": "futures.pong", "event": "", "result": None},
    ):  # fmt: skip
        mapper.map(json.dumps({"time": 1, **answer}).encode(), NOW_NS, play.out)
    assert play.out.controls == [
        Confirmed("futures.trades|3"),
        Refused("futures.tickers|4", "status 'fail'"),
        Refused("futures.trades|5", "2: no"),
        Confirmed(""),
    ]
    assert play.out.rejects == {}


def test_tiers_are_marginal_and_others_have_the_one_of_their_listing(play):
    tiers = play.contracts[LINEAR].tiers
    np.testing.assert_allclose([one.deduction_usd for one in tiers], [0.0, 500_000 * 0.004])
    assert play.contracts[LINEAR].taker_fee_ratio == 0.00075
    assert [(one.maintenance_ratio, one.max_leverage) for one in play.contracts[INVERSE].tiers] == [
        (0.005, 100.0)
    ]


def test_sizes_are_asked_for_with_their_decimals(play):
    assert ("X-Gate-Size-Decimal", "1") in play.venue.feed.book_snapshot(LINEAR).request.headers
    assert all(
        ("X-Gate-Size-Decimal", "1") in plan.headers for plan in play.venue.feed.sockets(play.wanted())
    )


# -- recorded ---------------------------------------------------------------------------------------------------------


def recorded_contracts(recorded, play):
    """Contracts of the listing that was recorded with the frames."""
    with gzip.open(recorded / "venue_messages/cryptofeed/GATEIO_FUTURES.0.gz", "rt") as stream:
        line = stream.readline()
    listed = line.partition(": ")[2].encode()
    empty = {name: [b"[]"] for name in play.answers}
    found = play.venue.feed.contracts({**empty, "contracts usdt": [listed]})
    assert len(found) > 200
    return {one.symbol: one for one in found}


@pytest.mark.recorded
def test_a_recorded_connection_is_read_with_the_snapshots_that_were_fetched(recorded, play):
    """Trades of small contracts did not happen; books wait, begin with their snapshot and never break."""
    contracts = recorded_contracts(recorded, play)
    folder = recorded / "venue_messages/cryptofeed"
    answers = []
    with gzip.open(folder / "GATEIO_FUTURES.http.0.0.gz", "rt") as stream:
        for line in stream:
            head, arrow, rest = line.partition(" -> ")
            if not arrow:
                continue
            seconds, _, body = rest.partition(": ")
            symbol = head.partition("contract=")[2].partition("&")[0]
            answers.append((int(float(seconds) * 1e6) * 1000, symbol, body.encode()))
    mapper, out = play.venue.mapper(contracts), Rows("gate")
    kinds, levels = collections.Counter(), collections.defaultdict(list)

    def drain():
        for batch in out.drain():
            kinds[batch.kind] += len(batch.rows)
            if batch.kind is Kind.BOOK_LEVEL:
                levels[batch.instrument_id.partition(":")[2]] += list(batch.rows)

    for received_ns, frame in raw_frames(folder / "GATEIO_FUTURES.ws.1.0.gz"):
        while answers and answers[0][0] <= received_ns:
            at_ns, symbol, body = answers.pop(0)
            mapper.map_answer("futures.order_book_update", symbol, body, at_ns, out)
        mapper.map(frame, received_ns, out)
        drain()
    assert kinds[Kind.BOOK_LEVEL] > 1_000
    assert kinds[Kind.GAP] == 0
    assert set(out.rejects) == {
        (name, Reason.UNKNOWN_CHANNEL) for name in ("futures.book_ticker", "futures.candlesticks")
    }
    for symbol, rows in levels.items():
        bids, asks = book_of(rows)[1], book_of(rows)[-1]
        assert max(bids) < min(asks), f"the rebuilt book of {symbol} is crossed"


@pytest.mark.recorded
def test_recorded_answers_are_read(recorded, play):
    folder = recorded / "venue_messages/moonstream_examples"
    mapper, kinds = play.venue.mapper(play.contracts), collections.Counter()
    for name in ("oi", "liquidations"):
        for received_ns, body in stored_frames(folder / f"gateio_perp_btcusdt_{name}.json.gz"):
            mapper.map_answer("contract_stats", LINEAR, body, received_ns, play.out)
            kinds.update(row["ratio_kind"] for row in play.drain(Kind.RATIO).get(LINEAR, ()))
    assert set(kinds) == {b"accounts", b"top_accounts", b"top_positions", b"taker_volume"}
    for received_ns, body in stored_frames(folder / "gateio_perp_btcusdt_trades.json.gz"):
        rows = [row | {"create_time_ms": row["create_time"]} for row in json.loads(body)]
        frame = {"channel": "futures.trades", "event": "update", "result": rows}
        mapper.map(msgspec.json.encode(frame), received_ns, play.out)
        kinds[Kind.TRADE] += len(play.drain(Kind.TRADE)[LINEAR])
    assert kinds[Kind.TRADE] >= 40
    for received_ns, body in stored_frames(folder / "gateio_perp_btcusdt_depth.json.gz"):
        whole = {"id": 1, **json.loads(body)}  # it was asked for without its id
        mapper.map_answer(
            "futures.order_book_update", LINEAR, msgspec.json.encode(whole), received_ns, play.out
        )
    assert len(play.drain(Kind.BOOK_LEVEL)[LINEAR]) > 10
    for _, body in stored_frames(folder / "gateio_perp_btcusdt_funding.json.gz"):
        answers = {name: [b"[]"] for name in play.answers} | {"contracts usdt": [b"[" + body + b"]"]}
        (found,) = play.venue.feed.contracts(answers)
        assert (found.symbol, found.qty_base(1.0, 1.0), found.max_leverage) == (LINEAR, 0.0001, 125.0)
    assert play.out.rejects == {}


@pytest.mark.recorded
def test_published_examples_are_read(recorded, play):
    """The liquidations are of 2018 in the example: only its times are not possible today."""
    folder = recorded / "venue_messages/by_venue/gate"
    frame = json.loads((folder / "public_liquidates.json").read_text())
    mapper = play.venue.mapper(play.contracts)
    received_ns = max(row["time"] for row in frame["result"]) * MILLISECOND_NS + HOUR_NS
    mapper.map(msgspec.json.encode(frame), received_ns, play.out)
    rows = play.drain(Kind.LIQUIDATION)[LINEAR]
    assert rows["side"].tolist() == [-1, -1]
    np.testing.assert_allclose(rows["qty_base"], [0.0124, 0.001])
    stats = json.loads((folder / "contract_stats_rest.json").read_text())
    received_ns = int(stats[0]["time"]) * SECOND_NS + HOUR_NS
    mapper.map_answer("contract_stats", LINEAR, msgspec.json.encode(stats), received_ns, play.out)
    assert len(play.drain(Kind.RATIO)[LINEAR]) == 2
    assert play.out.rejects == {}
    info = json.loads((folder / "contract_info.json").read_text())  # pushes of tiers: not subscribed
    mapper.map(msgspec.json.encode(info), NOW_NS, play.out)
    assert set(play.out.rejects) == {("futures.contract_info", Reason.UNKNOWN_CHANNEL)}
