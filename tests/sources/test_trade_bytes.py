"""Frames of trades that wait: together they say what the mapper says of each alone, in the same order."""

from __future__ import annotations

import collections
import json
import math
import os
import random

import pytest
from tests.sources.depth_mutations import mutated

from faultline.instruments import ContractKind, FormulaFamily, Instrument, Tier
from faultline.messages import Kind
from faultline.sources.registry import venue_of
from faultline.sources.rows import Reason, Rows

NOW_MS = 1_793_613_602_000
NOW_NS = NOW_MS * 1_000_000
TIERS = (Tier(0.0, math.inf, 0.005, 100.0),)
#: Venues, a symbol, whether its contracts are worth USD, and how many of what one contract is.
CONTRACTS = [
    ("binance", "BTCUSDT", False, 1.0),
    ("binance-coinm", "BTCUSD_PERP", True, 100.0),
    ("aster", "BTCUSDT", False, 1.0),
    ("bybit", "BTCUSDT", False, 1.0),
    ("bybit", "BTCUSD", True, 1.0),
]
N_FRAMES = 1_000_000 if os.environ.get("FAULTLINE_FUZZ") == "1" else 16_000


def instrument(slug, symbol, is_inverse, unit):
    kind = ContractKind.INVERSE if is_inverse else ContractKind.LINEAR
    family = FormulaFamily.MARK_VALUED
    return Instrument(
        f"{slug}:{symbol}",
        "BTC",
        "USD" if is_inverse else "USDT",
        kind,
        family,
        unit,
        0.1,
        0.001,
        math.nan,
        TIERS,
    )


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


def trade(slug, symbol, number, price="100000.1", qty="0.014", *, n=1, sells=False, extra=None):
    """A frame of ``n`` trades; Binance's have one."""
    if slug == "bybit":
        row = {
            "T": NOW_MS - 3, "s": symbol, "S": "Sell" if sells else "Buy", "v": qty, "p": price, "L": "PlusTick",
            "i": f"00000000-0000-5000-8000-{number:012d}", "BT": False, "RPI": True,
        }  # fmt: skip
        rows = [{**row, **(extra or {}), "seq": number + i} for i in range(n)]
        return compact({"topic": f"publicTrade.{symbol}", "type": "snapshot", "ts": NOW_MS, "data": rows})
    data = {
        "e": "aggTrade", "E": NOW_MS, "a": number, "s": symbol, "p": price, "q": qty, "f": 7, "l": 8,
        "T": NOW_MS - 3, "m": sells, **(extra or {}),
    }  # fmt: skip
    return compact({"stream": f"{symbol.lower()}@aggTrade", "data": data})


def mapped(slug, frames, contracts, *, every=None):
    """Rows of trades as bytes by symbol, and numbers of rejects; frame by frame, or drained every so many."""
    mapper, out = venue_of(slug).mapper(contracts), Rows(slug)
    rows = {}

    def drain():
        for batch in out.drain():
            assert batch.kind is Kind.TRADE
            rows[batch.instrument_id] = rows.get(batch.instrument_id, b"") + batch.rows.tobytes()

    for number, frame in enumerate(frames):
        mapper.map(frame, NOW_NS + number, out)
        if every is None or number % every == every - 1:
            drain()
    drain()
    assert out.n_rows == 0
    reasons = collections.Counter()  # the channel of the first frames of a stream may not be known
    for (_, reason), found in out.rejects.items():
        reasons[reason] += found.n
    return rows, reasons


@pytest.mark.parametrize(("slug", "symbol", "is_inverse", "unit"), CONTRACTS)
@pytest.mark.fuzz
@pytest.mark.timeout(3_600)
def test_mutated_frames_say_together_what_they_say_alone(slug, symbol, is_inverse, unit):
    rng = random.Random(20_261_122)
    other = symbol.replace("BTC", "ETH")
    contracts = {name: instrument(slug, name, is_inverse, unit) for name in (symbol, other)}
    n_rows = 0
    for _ in range(N_FRAMES // len(CONTRACTS) // 400):
        frames = [trade(slug, name, number) for number, name in enumerate((symbol, other))]
        for number in range(398):
            price, qty = (
                f"{rng.randrange(10**7) / 10 ** rng.randrange(9):.{rng.randrange(9)}f}" for _ in "pq"
            )
            name = rng.choice((symbol, other))
            n, sells = rng.randrange(1, 4), rng.random() < 0.5
            extra = {"nq": qty} if rng.random() < 0.1 else {}
            frame = trade(slug, name, number, price, qty, n=n, sells=sells, extra=extra)
            frames.append(mutated(frame, rng) if rng.random() < 0.3 else frame)
        together = mapped(slug, frames, contracts, every=97)
        assert together == mapped(slug, frames, contracts)
        n_rows += sum(map(len, together[0].values()))
        assert together[1]
    assert n_rows


@pytest.mark.parametrize(("slug", "symbol", "is_inverse", "unit"), CONTRACTS)
def test_frames_as_the_venue_writes_them_are_not_given_to_the_mapper(
    slug, symbol, is_inverse, unit, monkeypatch
):
    contracts = {symbol: instrument(slug, symbol, is_inverse, unit)}
    frames = [trade(slug, symbol, number, sells=number % 2 == 0, n=3) for number in range(50)]
    expected = mapped(slug, frames, contracts)
    mapper, out = venue_of(slug).mapper(contracts), Rows(slug)
    for frame in frames[:2]:
        mapper.map(frame, NOW_NS, out)
    monkeypatch.setattr(mapper, "_map_frame", None)
    mapper._known.clear()
    out.drain()
    for number, frame in enumerate(frames[2:], start=2):
        mapper.map(frame, NOW_NS + number, out)
    (batch,) = out.drain()
    assert expected[0][batch.instrument_id].endswith(batch.rows.tobytes())
    assert len(batch) == 48 * (3 if slug == "bybit" else 1)
    assert not out.rejects


def test_every_waiting_frame_counts_as_a_row_until_it_is_read():
    contracts = {"BTCUSDT": instrument("bybit", "BTCUSDT", False, 1.0)}
    mapper, out = venue_of("bybit").mapper(contracts), Rows("bybit")
    for number in range(9):
        mapper.map(trade("bybit", "BTCUSDT", number, n=2), NOW_NS, out)
    assert (out.n_rows, out.channel) == (2 * 2 + 7, "publicTrade")
    (batch,) = out.drain()
    assert (len(batch), out.n_rows) == (18, 0)


def test_a_stream_whose_frames_teach_nothing_any_more_is_read_frame_by_frame():
    contracts = {"BTCUSDT": instrument("binance", "BTCUSDT", False, 1.0)}
    mapper, out = venue_of("binance").mapper(contracts), Rows("binance")
    for _ in range(2):
        mapper.map(trade("binance", "BTCUSDT", 1), NOW_NS, out)
    for number in range(9):
        mapper.map(trade("binance", "BTCUSDT", number, price="0"), NOW_NS, out)
    out.drain()
    assert out.rejects["aggTrade", Reason.IMPOSSIBLE_VALUE].n == 9
    mapper.map(trade("binance", "BTCUSDT", 1, price="0"), NOW_NS, out)
    assert out.n_rows == 0, "a frame that is rejected is not heard"
    assert out.rejects["aggTrade", Reason.IMPOSSIBLE_VALUE].n == 10
    mapper.map(trade("binance", "BTCUSDT", 1), NOW_NS, out)
    mapper.map(trade("binance", "BTCUSDT", 1), NOW_NS, out)
    assert out.n_rows == 2
    assert len(out.trade_frames) == 1


def test_trades_that_are_told_otherwise_stay_in_their_order():
    contracts = {"BTCUSDT": instrument("binance", "BTCUSDT", False, 1.0)}
    mapper, out = venue_of("binance").mapper(contracts), Rows("binance")
    frames = [trade("binance", "BTCUSDT", number) for number in range(40)]
    frames[20] = json.dumps(json.loads(frames[20])["data"]).encode()  # a bare event, written with spaces
    for frame in frames:
        mapper.map(frame, NOW_NS, out)
    (batch,) = out.drain()
    assert batch.rows["seq"].tolist() == list(range(40))


@pytest.mark.parametrize("broken", [b"\0", b"\0" * 9, b"{}", b"", b"\xff" * 200])
def test_a_frame_of_anything_does_not_shift_the_others(broken):
    contracts = {"BTCUSDT": instrument("bybit", "BTCUSDT", False, 1.0)}
    frames = [trade("bybit", "BTCUSDT", number) for number in range(30)]
    frames[15] = frames[15][:120] + broken + frames[15][120:-2]
    rows, rejects = mapped("bybit", frames, contracts, every=30)
    assert (rows, rejects) == mapped("bybit", frames, contracts)
    assert rejects
