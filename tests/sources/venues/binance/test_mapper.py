"""Binance's traps, on frames of our own, and its recorded frames: every book without a gap, best prices exact."""

from __future__ import annotations

import collections
import gzip
import json

import msgspec
import numpy as np
import pytest
from tests.sources.venues.play import NOW_NS, Play, book_of, raw_frames, stored_frames

from faultline.messages import Flag, Kind
from faultline.sources.control import Refused, Resync
from faultline.sources.rows import Reason, Rows
from faultline.sources.venue import Throttle
from faultline.sources.venues.binance.feed import LARGEST_SINCE_NS
from faultline.units import MILLISECOND_NS, PriceKind, parse_time_ns

NOW_MS = NOW_NS // MILLISECOND_NS
SYMBOL = "BTCUSDT"


@pytest.fixture
def play():
    return Play("binance")


@pytest.fixture
def mapper(play):
    return play.venue.mapper(play.contracts)


def mapped(play, mapper, event, *, stream=""):
    frame = {"stream": stream or f"btcusdt@{event['e']}", "data": event}
    mapper.map(json.dumps(frame, separators=(",", ":")).encode(), NOW_NS, play.out)
    return play.drain()


def change(before, first, last, bids=(), asks=()):
    levels = {"b": [list(one) for one in bids], "a": [list(one) for one in asks]}
    return {
        "e": "depthUpdate", "E": NOW_MS, "T": NOW_MS, "s": SYMBOL, "U": first, "u": last, "pu": before, **levels,
    }  # fmt: skip


def snapshot(last, bids=(("100", "1"),), asks=(("101", "1"),)):
    sides = {"bids": [list(one) for one in bids], "asks": [list(one) for one in asks]}
    return json.dumps({"lastUpdateId": last, "E": NOW_MS, "T": NOW_MS, **sides}).encode()


def order(**more):
    o = {
        "s": SYMBOL,
        "S": "SELL",
        "o": "LIMIT",
        "f": "IOC",
        "q": "3",
        "p": "99000",
        "ap": "99390",
        "X": "FILLED",
    }
    return {"e": "forceOrder", "E": NOW_MS, "o": {**o, "l": "1", "z": "3", "T": NOW_MS - 5, **more}}


def test_a_sell_order_closes_a_long_at_its_bankruptcy_price(play, mapper):
    row = mapped(play, mapper, order())[(Kind.LIQUIDATION, SYMBOL)][0]
    assert (row["side"], row["price_kind"], row["price_usd"]) == (1, PriceKind.BANKRUPTCY, 99_000.0)
    assert row["qty_base"] == 3.0, "all that was filled, not the last fill"
    assert row["flags"] & Flag.SAMPLED


def test_an_order_that_did_not_fill_is_no_liquidation(play, mapper):
    assert mapped(play, mapper, order(X="EXPIRED", z="0")) == {}
    assert play.out.rejects == {}


def test_which_order_of_a_second_is_shown_is_a_dated_fact(play):
    line = play.venue.line
    assert line(Kind.LIQUIDATION, LARGEST_SINCE_NS - 1).throttle is Throttle.LATEST
    assert line(Kind.LIQUIDATION, LARGEST_SINCE_NS).throttle is Throttle.LARGEST
    assert parse_time_ns("2026-04-14") == LARGEST_SINCE_NS


def test_books_have_an_address_of_their_own(play):
    plans = {plan.url.split("/")[3]: plan for plan in play.venue.feed.sockets(play.wanted())}
    assert set(plans["public"].channels) == {"depth"}
    assert set(plans["market"].channels) == {"aggTrade", "forceOrder", "markPrice"}


def test_a_trade_at_price_zero_moves_nothing(play, mapper):
    event = {"e": "aggTrade", "E": NOW_MS, "a": 5, "s": SYMBOL, "p": "0", "q": "1", "T": NOW_MS, "m": False}
    assert mapped(play, mapper, event) == {}
    assert play.out.rejects[("aggTrade", Reason.IMPOSSIBLE_VALUE)].n == 1


def test_the_taker_sold_where_the_buyer_was_the_maker(play, mapper):
    event = {"e": "aggTrade", "E": NOW_MS, "a": 5, "s": SYMBOL, "p": "100", "q": "1", "T": NOW_MS, "m": True}
    assert mapped(play, mapper, event)[(Kind.TRADE, SYMBOL)][["taker_side", "seq"]][0].tolist() == (-1, 5)


def test_trades_of_single_fills_are_not_ours(play, mapper):
    """They carry insurance fund and ADL trades at impossible prices; the aggregated stream leaves these out."""
    event = {
        "e": "trade",
        "E": NOW_MS,
        "t": 5,
        "s": SYMBOL,
        "p": "0",
        "q": "1",
        "X": "INSURANCE_FUND",
        "m": True,
    }
    assert mapped(play, mapper, event) == {}
    assert set(play.out.rejects) == {("trade", Reason.UNKNOWN_CHANNEL)}


def test_a_mark_without_index_or_funding_tells_neither(play, mapper):
    event = {"e": "markPriceUpdate", "E": NOW_MS, "s": SYMBOL, "p": "100.5", "i": "", "r": "", "T": 0}
    event["i"] = "0"
    rows = mapped(play, mapper, event, stream="btcusdt@markPrice@1s")
    assert set(rows) == {(Kind.MARK, SYMBOL)}
    assert np.isnan(rows[(Kind.MARK, SYMBOL)]["index_price_usd"][0])


def test_changes_wait_for_the_snapshot_and_those_inside_it_are_dropped(play, mapper):
    assert mapped(play, mapper, change(90, 92, 100, [("100", "9")]), stream="btcusdt@depth@100ms") == {}
    assert mapped(play, mapper, change(100, 103, 110, [("99", "4")]), stream="btcusdt@depth@100ms") == {}
    assert mapped(play, mapper, change(110, 113, 120, [("98", "5")]), stream="btcusdt@depth@100ms") == {}
    assert play.out.controls == [Resync(SYMBOL, "a book begins with a snapshot", is_first=True)]
    mapper.map_answer("depth", SYMBOL, snapshot(105), NOW_NS, play.out)
    rows = play.drain(Kind.BOOK_LEVEL)[SYMBOL]
    assert rows["seq"].tolist() == [105, 105, 110, 120]
    assert book_of(rows)[1] == {100.0: 1.0, 99.0: 4.0, 98.0: 5.0}


def test_a_snapshot_older_than_every_change_is_asked_for_again(play, mapper):
    mapped(play, mapper, change(110, 113, 120, [("98", "5")]), stream="btcusdt@depth@100ms")
    mapper.map_answer("depth", SYMBOL, snapshot(105), NOW_NS, play.out)
    assert len(play.out.controls) == 2
    mapper.map_answer("depth", SYMBOL, snapshot(118), NOW_NS, play.out)
    assert book_of(play.drain(Kind.BOOK_LEVEL)[SYMBOL])[1] == {100.0: 1.0, 98.0: 5.0}


def test_a_broken_chain_is_a_gap_until_the_next_snapshot(play, mapper):
    mapped(play, mapper, change(90, 92, 100), stream="btcusdt@depth@100ms")
    mapper.map_answer("depth", SYMBOL, snapshot(100), NOW_NS, play.out)
    assert (Kind.BOOK_LEVEL, SYMBOL) in mapped(
        play, mapper, change(100, 101, 105, [("97", "1")]), stream="btcusdt@depth@100ms"
    )
    rows = mapped(play, mapper, change(107, 108, 110, [("96", "1")]), stream="btcusdt@depth@100ms")
    assert set(rows) == {(Kind.GAP, SYMBOL)}
    assert mapped(play, mapper, change(110, 111, 112, [("95", "1")]), stream="btcusdt@depth@100ms") == {}
    assert len(play.out.controls) == 2
    mapper.map_answer("depth", SYMBOL, snapshot(111), NOW_NS, play.out)
    assert book_of(play.drain(Kind.BOOK_LEVEL)[SYMBOL])[1] == {100.0: 1.0, 95.0: 1.0}


def test_a_late_answer_does_not_rewind_the_book(play, mapper):
    mapped(play, mapper, change(90, 92, 100), stream="btcusdt@depth@100ms")
    mapper.map_answer("depth", SYMBOL, snapshot(100), NOW_NS, play.out)
    mapped(play, mapper, change(100, 101, 105), stream="btcusdt@depth@100ms")
    mapper.map_answer("depth", SYMBOL, snapshot(103), NOW_NS, play.out)
    assert play.drain() == {}


def test_waiting_changes_are_bounded(play, mapper):
    for number in range(1500):
        mapped(play, mapper, change(number, number + 1, number + 1), stream="btcusdt@depth@100ms")
    assert len(mapper._chains[SYMBOL].waiting) == 1000


def test_an_error_names_the_request_it_answers(play, mapper):
    mapper.map(b'{"error":{"code":2,"msg":"Invalid request"},"id":3}', NOW_NS, play.out)
    assert play.out.controls == [Refused("3", "2: Invalid request")]


def test_an_error_of_a_poll_is_not_an_answer(play, mapper):
    mapper.map_answer("openInterest", SYMBOL, b'{"code":-1003,"msg":"Too many requests"}', NOW_NS, play.out)
    assert play.out.rejects[("openInterest", Reason.VENUE_ERROR)].n == 1


def test_first_tiers_are_the_published_ones(play):
    tiers = play.contracts[SYMBOL].tiers
    assert [(one.cap_usd, one.maintenance_ratio, one.max_leverage) for one in tiers[:2]] == [
        (300_000.0, 0.004, 150.0), (800_000.0, 0.005, 100.0),
    ]  # fmt: skip
    np.testing.assert_allclose([one.deduction_usd for one in tiers[:5]], [0, 300, 1_500, 12_000, 132_000])


# -- recorded ---------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])
def test_the_recorded_book_has_no_gap_and_the_best_prices_of_its_time(recorded, play, symbol):
    """Best prices after a change are those of the last ``bookTicker`` up to the change's last update."""
    mapper, out = play.venue.mapper(play.contracts), play.out
    book, tickers, best, n_compared = {1: {}, -1: {}}, [], {}, 0
    kinds = collections.Counter()
    path = recorded / f"binance_raw_frames/usdm_{symbol.lower()}_20240808.gz"
    with gzip.open(path, "rb") as stream:
        for line in stream:
            stamp, _, frame = line.rstrip(b"\n").partition(b" ")
            event = msgspec.json.decode(frame)
            event = event.get("data", event)
            # The recorder's clock is behind the venue's.
            received_ns = int(stamp) + 1_500 * MILLISECOND_NS
            kinds[event.get("e", "snapshot")] += 1
            if "lastUpdateId" in event:
                mapper.map_answer("depth", symbol, json.dumps(event).encode(), received_ns, out)
            else:
                mapper.map(frame, received_ns, out)
            if event.get("e") == "bookTicker":
                tickers.append(
                    (event["u"], float(event["b"]), float(event["B"]), float(event["a"]), float(event["A"]))
                )
            drained = {batch.kind: batch.rows for batch in out.drain()}
            assert Kind.GAP not in drained
            for row in drained.get(Kind.BOOK_LEVEL, ()):
                side = book[int(row["side"])]
                side[float(row["price_usd"])] = float(row["qty_base"])
                if row["qty_base"] == 0:
                    del side[float(row["price_usd"])]
                best[int(row["seq"])] = None
            if Kind.BOOK_LEVEL in drained:
                bid, ask = max(book[1]), min(book[-1])
                best[int(drained[Kind.BOOK_LEVEL]["seq"][-1])] = (bid, book[1][bid], ask, book[-1][ask])
    resyncs = [one for one in out.controls if isinstance(one, Resync)]
    assert len(resyncs) == 1, "the first snapshot, and none after it"
    ids = np.array([one[0] for one in tickers])
    for last_id, prices in best.items():
        at = int(np.searchsorted(ids, last_id, side="right")) - 1
        if prices is not None and at >= 0 and ids[at] == last_id:
            assert prices == tickers[at][1:], last_id
            n_compared += 1
    print(symbol, dict(kinds), "best prices compared:", n_compared)
    assert n_compared > 100
    assert {channel for channel, _ in out.rejects} <= {"bookTicker", "trade"}
    assert sum(one.n for one in out.rejects.values()) == kinds["bookTicker"] + kinds["trade"]


@pytest.mark.recorded
def test_a_recorded_connection_of_other_symbols_is_read(recorded, play):
    """SUSHI, AKRO, KEEP and CTK of 2021: changes from the socket, snapshots from the answers beside them."""
    folder = recorded / "venue_messages/cryptofeed"
    symbols = ("SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT")
    mapper = play.venue.mapper(dict.fromkeys(symbols, play.contracts["DOTUSDT"]))
    out, inputs = Rows("binance"), []
    for received_ns, frame in raw_frames(folder / "BINANCE_FUTURES.ws.1.0.gz"):
        inputs.append((received_ns, "", frame))
    with gzip.open(folder / "BINANCE_FUTURES.http.0.0.gz", "rt") as stream:
        for line in stream:
            if " -> " in line and "symbol=" in line:
                url, _, rest = line.partition(" -> ")
                stamp, _, body = rest.partition(": ")
                symbol = url.partition("symbol=")[2].partition("&")[0]
                inputs.append((int(float(stamp) * 1e6) * 1000, symbol, body.encode()))
    for received_ns, symbol, frame in sorted(inputs):
        if symbol:
            mapper.map_answer("depth", symbol, frame, received_ns, out)
        else:
            mapper.map(frame, received_ns, out)
    kinds = collections.Counter()
    for batch in out.drain():
        kinds[batch.kind] += len(batch.rows)
    print(dict(kinds))
    assert kinds[Kind.TRADE] == 91
    assert kinds[Kind.BOOK_LEVEL] > 1000
    assert kinds[Kind.GAP] == 0
    assert {key: one.n for key, one in out.rejects.items()} == {
        ("bookTicker", Reason.UNKNOWN_CHANNEL): 613,
        ("kline", Reason.UNKNOWN_CHANNEL): 67,
    }


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "channel", "kind"),
    [
        ("trades", "", Kind.TRADE),
        ("depth", "", Kind.BOOK_LEVEL),
        ("oi", "openInterest", Kind.OPEN_INTEREST),
        ("gta", "globalLongShortAccountRatio", Kind.RATIO),
        ("tta", "topLongShortAccountRatio", Kind.RATIO),
        ("ttp", "topLongShortPositionRatio", Kind.RATIO),
    ],
)
@pytest.mark.parametrize(
    ("slug", "contract", "stem"),
    [("binance", "BTCUSDT", "btcusdt"), ("binance-coinm", "BTCUSD_PERP", "btcusd")],
)
def test_recorded_frames_and_answers_are_read(recorded, slug, contract, stem, name, channel, kind):
    play = Play(slug)
    mapper, found = play.venue.mapper(play.contracts), set()
    path = recorded / f"venue_messages/moonstream_examples/binance_perp_{stem}_{name}.json.gz"
    for received_ns, frame in stored_frames(path):
        if b'"result": null' in frame or frame == b"{}":
            continue
        if channel or b'"lastUpdateId"' in frame:
            mapper.map_answer(channel or "depth", contract, frame, received_ns, play.out)
        else:
            mapper.map(frame, received_ns, play.out)
        found |= {batch.kind for batch in play.out.drain()}
    # Beside real ones the recorder kept the documentation's example of 2019, which is out of time.
    rejected = {
        key for key in play.out.rejects if key[1] is not Reason.IMPOSSIBLE_TIME or name != "liquidations"
    }
    assert rejected == set(), play.out.rejects
    assert found - {Kind.GAP} == {kind}


@pytest.mark.recorded
def test_recorded_liquidations_are_read(recorded, play, mapper):
    folder = recorded / "venue_messages/by_venue/binance_usdm"
    frames = []
    for name in (
        "liquidation",
        "liquidation_doc",
        "liquidation_raw_stream_2023",
        "liquidation_user_captured_2022",
    ):
        one = json.loads((folder / f"{name}.json").read_text())
        frames += one if isinstance(one, list) else [one]
    for frame in frames:
        sent_ms = frame.get("data", frame)["E"]
        mapper.map(json.dumps(frame).encode(), sent_ms * MILLISECOND_NS, play.out)
    rows = play.drain(Kind.LIQUIDATION)[SYMBOL]
    assert len(rows) == len(frames)
    assert play.out.rejects == {}


@pytest.mark.recorded
def test_published_tiers_are_those_of_the_table(recorded, play):
    path = recorded / "venue_messages/by_venue/binance_usdm/leverage_brackets_2026_09.json"
    for name, brackets in json.loads(path.read_text()).items():
        tiers = play.contracts[name.partition("/")[0] + "USDT"].tiers
        assert [(one.floor_usd, one.cap_usd, one.maintenance_ratio, one.max_leverage) for one in tiers] == [
            (one["minNotional"], one["maxNotional"], one["maintenanceMarginRate"], one["maxLeverage"])
            for one in brackets
        ]
        np.testing.assert_allclose(
            [one.deduction_usd for one in tiers], [one["info"]["cum"] for one in brackets]
        )
