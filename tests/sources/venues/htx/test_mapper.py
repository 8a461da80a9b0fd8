"""HTX's traps, on frames of our own, and its recorded frames, which are gzip as they came."""

from __future__ import annotations

import ast
import collections
import gzip
import json
import zlib

import numpy as np
import pytest
from tests.sources.venues.play import NOW_NS, Play, book_of, stored_frames

from faultline.instruments import FormulaFamily
from faultline.messages import Kind
from faultline.sources.control import Confirmed, Refused, Reply, Resync
from faultline.sources.plan import Unzip
from faultline.sources.rows import Reason, Rows
from faultline.units import MILLISECOND_NS, PriceKind

NOW_MS = NOW_NS // MILLISECOND_NS
LINEAR, INVERSE = "BTC-USDT", "BTC-USD"


@pytest.fixture
def play():
    return Play("htx")


@pytest.fixture
def mapper(play):
    return play.venue.mapper(play.contracts)


def send(play, mapper, frame):
    mapper.map(json.dumps(frame).encode(), NOW_NS, play.out)
    return play.drain()


def tick(play, mapper, channel, symbol=LINEAR, **body):
    return send(play, mapper, {"ch": f"market.{symbol}.{channel}", "ts": NOW_MS, "tick": body})


def notice(play, mapper, channel, *rows):
    return send(
        play, mapper, {"op": "notify", "topic": f"public.X.{channel}", "ts": NOW_MS, "data": list(rows)}
    )


def trade(**more):
    base = {"amount": 24, "quantity": 0.024, "ts": NOW_MS, "id": 5, "price": 100_000.5, "direction": "buy"}
    return {**base, **more}


def test_amounts_of_trades_count_both_sides(play, mapper):
    row = tick(play, mapper, "trade.detail", data=[trade()])[(Kind.TRADE, LINEAR)][0]
    np.testing.assert_allclose(row["qty_base"], 0.012)
    row = tick(play, mapper, "trade.detail", INVERSE, data=[trade(price=50_000.0)])[(Kind.TRADE, INVERSE)][0]
    np.testing.assert_allclose(row["qty_base"], 12 * 100 / 50_000)


def test_a_trade_without_direction_has_no_taker_side(play, mapper):
    rows = tick(play, mapper, "trade.detail", data=[trade(direction=""), trade(direction="sell")])
    assert rows[(Kind.TRADE, LINEAR)]["taker_side"].tolist() == [0, -1]


def liquidation(**more):
    base = {"symbol": "BTC", "contract_code": LINEAR, "direction": "sell", "offset": "close", "volume": 250.0}
    return {**base, "price": 98_000.0, "created_at": NOW_MS - 40, "amount": 0.25, **more}


@pytest.mark.parametrize(("direction", "position"), [("sell", 1), ("buy", -1)])
def test_the_direction_is_that_of_the_order_that_closes(play, mapper, direction, position):
    row = notice(play, mapper, "liquidation_orders", liquidation(direction=direction))
    row = row[(Kind.LIQUIDATION, LINEAR)][0]
    assert (row["side"], row["price_kind"]) == (position, PriceKind.BANKRUPTCY)
    np.testing.assert_allclose([row["qty_base"], row["notional_usd"]], [0.25, 24_500.0])


def test_the_volume_counts_contracts_whatever_the_amount_says(play, mapper):
    row = notice(play, mapper, "liquidation_orders", liquidation(amount=250.0))[(Kind.LIQUIDATION, LINEAR)][0]
    assert row["qty_base"] == 0.25
    inverse = liquidation(contract_code=INVERSE)
    del inverse["amount"]
    row = notice(play, mapper, "liquidation_orders", inverse)[(Kind.LIQUIDATION, INVERSE)][0]
    assert row["notional_usd"] == 25_000.0
    assert notice(play, mapper, "liquidation_orders", liquidation(contract_code="X-USDT")) == {}
    assert play.out.rejects == {}, "contracts that were not asked for are passed over"


def test_both_dialects_want_their_own_answer_to_a_ping(play, mapper):
    assert send(play, mapper, {"ping": 1762000000123}) == {}
    assert send(play, mapper, {"op": "ping", "ts": "1762000000456"}) == {}
    assert [json.loads(one.frame) for one in play.out.controls if isinstance(one, Reply)] == [
        {"pong": 1762000000123},
        {"op": "pong", "ts": "1762000000456"},
    ]


def test_both_dialects_confirm_and_refuse_by_topic(play, mapper):
    for answer in (
        {"id": "market.A.trade.detail", "status": "ok", "subbed": "market.A.trade.detail", "ts": NOW_MS},
        {
            "id": "market.B.x",
            "status": "error",
            "err-code": "bad-request",
            "err-msg": "invalid",
            "ts": NOW_MS,
        },
        {"op": "sub", "cid": "c", "topic": "public.*.liquidation_orders", "ts": NOW_MS, "err-code": 0},
        {
            "op": "sub",
            "cid": "c",
            "topic": "public.B.funding_rate",
            "ts": NOW_MS,
            "err-code": 2011,
            "err-msg": "no",
        },
        {"id": "1", "status": "ok", "unsubbed": "market.A.trade.detail", "ts": NOW_MS},
    ):
        send(play, mapper, answer)
    assert play.out.controls == [
        Confirmed("market.A.trade.detail"),
        Refused("market.B.x", "bad-request: invalid"),
        Confirmed("public.*.liquidation_orders"),
        Refused("public.B.funding_rate", "2011: no"),
    ]
    assert play.out.rejects == {}


def book(play, mapper, event, version, bids):
    more = {"asks": [], "bids": bids, "event": event, "id": 1, "ts": NOW_MS, "version": version}
    return tick(play, mapper, "depth.size_150.high_freq", **more)


def test_a_version_that_is_missing_is_a_gap(play, mapper):
    assert book(play, mapper, "update", 4, [[99, 1]]) == {}, "before the snapshot"
    book(play, mapper, "snapshot", 7, [[100, 5]])
    rows = book(play, mapper, "update", 8, [[99, 2]])[(Kind.BOOK_LEVEL, LINEAR)]
    np.testing.assert_allclose(rows["qty_base"], [0.002])
    assert set(book(play, mapper, "update", 10, [[98, 2]])) == {(Kind.GAP, LINEAR)}
    assert [type(one) for one in play.out.controls] == [Resync]
    assert book(play, mapper, "update", 11, [[97, 2]]) == {}
    assert list(book_of(book(play, mapper, "snapshot", 3, [[96, 1]])[(Kind.BOOK_LEVEL, LINEAR)])[1]) == [96.0]


def test_addresses_differ_by_margin_and_by_what_they_tell(play):
    plans = {plan.name: plan for plan in play.venue.feed.sockets(play.wanted())}
    assert set(plans) == {"linear-0", "linear-notices-0", "inverse-0", "inverse-notices-0", "prices-0"}
    assert all(plan.unzip is Unzip.GZIP for plan in plans.values())
    assert set(plans["linear-notices-0"].channels) == {"liquidation_orders", "funding_rate"}
    assert b"public.*.liquidation_orders" in plans["linear-notices-0"].subscribe[-1]
    ask = json.loads(plans["linear-0"].resubscribe(LINEAR)[-1])
    assert ask["data_type"] == "incremental"


def test_the_maintenance_depends_on_the_leverage(play):
    item = play.contracts[LINEAR]
    assert item.formula_family is FormulaFamily.LEVERAGE_ADJUSTED
    assert [one.maintenance_ratio for one in item.tiers] == [0.12, 0.22], "the factors of 20x"
    assert item.max_leverage == 75.0
    np.testing.assert_allclose(item.tiers[0].cap_usd, 10_000 * 0.001 * 100_000)
    np.testing.assert_allclose(
        item.liquidation_price_usd(100_000.0, 20.0, 1, notional_usd=1e3), 100_000 * (1 - (1 - 0.12) / 20)
    )


def test_errors_of_polls_are_told(play, mapper):
    mapper.map_answer(
        "swap_open_interest", LINEAR, b'{"status":"error","err_code":1017,"err_msg":"no"}', NOW_NS, play.out
    )
    assert ("swap_open_interest", Reason.VENUE_ERROR) in play.out.rejects


# -- recorded ---------------------------------------------------------------------------------------------------------


def zipped_frames(path):
    """Frames that were recorded as the text of their bytes, unzipped."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for line in stream:
            stamp, colon, frame = line.rstrip("\n").partition(": ")
            if colon and stamp.replace(".", "", 1).isdigit():
                yield int(float(stamp) * 1e6) * 1000, zlib.decompress(ast.literal_eval(frame), 31)


@pytest.mark.recorded
@pytest.mark.parametrize(("number", "like", "n_trades"), [(1, INVERSE, 8), (2, LINEAR, 17)])
def test_recorded_connections_are_read(recorded, play, number, like, n_trades):
    """Books were subscribed as whole pictures (``step0``), which is not ours; every amount of a trade is even."""
    frames = list(zipped_frames(recorded / f"venue_messages/cryptofeed/HUOBI_SWAP.ws.{number}.0.gz"))
    symbols = {message["ch"].split(".")[1] for _, frame in frames if "ch" in (message := json.loads(frame))}
    mapper, out = play.venue.mapper(dict.fromkeys(symbols, play.contracts[like])), Rows("htx")
    for received_ns, frame in frames:
        mapper.map(frame, received_ns, out)
    kinds = collections.Counter()
    for batch in out.drain():
        kinds[batch.kind] += len(batch.rows)
    assert kinds == {Kind.TRADE: n_trades}
    assert set(out.rejects) == {("depth.step0", Reason.UNKNOWN_CHANNEL)}
    assert len([one for one in out.controls if isinstance(one, Confirmed)]) == 10
    assert len([one for one in out.controls if isinstance(one, Reply)]) == 6
    amounts = [
        row["amount"] for _, frame in frames if b"trade.detail" in frame
        for row in json.loads(frame).get("tick", {}).get("data", ())
    ]  # fmt: skip
    assert all(amount % 2 == 0 for amount in amounts)


@pytest.mark.recorded
def test_recorded_listings_are_read(recorded, play):
    with gzip.open(recorded / "venue_messages/cryptofeed/HUOBI_SWAP.0.gz", "rt") as stream:
        bodies = {line.partition(" -> ")[0]: line.partition(": ")[2] for line in stream if " -> " in line}
    inverse, linear = (
        next(body for url, body in bodies.items() if name in url)
        for name in ("/swap-api/", "/linear-swap-api/")
    )
    answers = {}
    for margin, body in (("linear", linear), ("inverse", inverse)):
        codes = [row["contract_code"] for row in json.loads(body)["data"]]
        prices = [{"contract_code": code, "index_price": 10.0} for code in codes]
        factors = [
            {
                "contract_code": code,
                "list": [{"lever_rate": 10, "ladders": [{"min_size": 0, "adjust_factor": 0.1}]}],
            }
            for code in codes
        ]
        answers |= {
            f"contracts {margin}": [body.encode()],
            f"prices {margin}": [json.dumps({"status": "ok", "data": prices}).encode()],
            f"factors {margin}": [json.dumps({"status": "ok", "data": factors}).encode()],
        }
    found = {one.symbol: one for one in play.venue.feed.contracts(answers)}
    assert found[LINEAR].qty_base(1.0, 1.0) == 0.001
    assert found[INVERSE].qty_base(1.0, 50_000.0) == 0.002
    assert len(found) > 150


@pytest.mark.recorded
@pytest.mark.parametrize(("name", "kind"), [("trades", Kind.TRADE), ("depth", Kind.BOOK_LEVEL)])
def test_recorded_frames_are_read(recorded, play, mapper, name, kind):
    kinds = collections.Counter()
    path = recorded / f"venue_messages/moonstream_examples/htx_perp_btcusdt_{name}.json.gz"
    for received_ns, frame in stored_frames(path):
        if frame not in {b"{}", b'""'}:
            mapper.map(frame, received_ns, play.out)
        for (found, _), rows in play.drain().items():
            kinds[found] += len(rows)
    print(name, dict(kinds), {key: one.sample[:90] for key, one in play.out.rejects.items()})
    assert kinds[kind] > 0
    assert set(kinds) <= {kind, Kind.GAP}
    assert play.out.rejects == {}


@pytest.mark.recorded
@pytest.mark.parametrize("name", ["funding", "oi"])
def test_recorded_answers_of_other_requests_are_not_ours(recorded, play, mapper, name):
    """Candles of estimated rates, and open interest by the hour: requests that we do not make."""
    path = recorded / f"venue_messages/moonstream_examples/htx_perp_btcusdt_{name}.json.gz"
    for received_ns, body in stored_frames(path):
        mapper.map(body, received_ns, play.out)
    assert play.drain() == {}
    assert {reason for _, reason in play.out.rejects} <= {Reason.UNKNOWN_CHANNEL, Reason.WRONG_SHAPE}


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "symbol", "like", "side", "notional_usd"),
    [
        ("liquidation_orders_linear_swap", "BTC-USDT", LINEAR, 1, 5300.5635),
        ("liquidation_orders_coin_swap", "ETH-USD", INVERSE, -1, 23_100.0),
    ],
)
def test_recorded_liquidations_are_read(recorded, play, name, symbol, like, side, notional_usd):
    frame = json.loads((recorded / f"venue_messages/by_venue/htx/{name}.json").read_text())
    mapper = play.venue.mapper({symbol: play.contracts[like]})
    mapper.map(json.dumps(frame).encode(), frame["ts"] * MILLISECOND_NS, play.out)
    row = play.drain(Kind.LIQUIDATION)[symbol][0]
    assert row["side"] == side
    np.testing.assert_allclose(row["notional_usd"], notional_usd)
    assert play.out.rejects == {}


@pytest.mark.recorded
def test_liquidations_of_contracts_that_end_are_not_ours(recorded, play, mapper):
    body = (recorded / "venue_messages/by_venue/htx/liquidation_orders_coin_futures.json").read_bytes()
    mapper.map(body, json.loads(body)["ts"] * MILLISECOND_NS, play.out)
    assert play.drain() == {}
    assert play.out.rejects == {}, "they are of no contract that was asked for"
