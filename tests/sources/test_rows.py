"""Facts become rows with the types of their kind; impossible ones are counted by channel and reason."""

from __future__ import annotations

import math

import numpy as np
import pytest

from faultline.messages import NO_SEQ, Flag, Kind, TradeCause
from faultline.sources.rows import LARGEST, Reason, Rows
from faultline.units import DAY_NS, HOUR_NS

NOW_NS = 1_762_000_000_000_000_000
BIDS = [(99.5, 2.0), (99.0, 0.0)]
ASKS = [(100.0, 1.5)]
IMPOSSIBLE = [
    *((price, 1.0) for price in (0.0, -1.0, math.nan, math.inf, -math.inf, LARGEST)),
    *((99.0, qty) for qty in (-1.0, math.nan, math.inf, -math.inf, LARGEST)),
]


@pytest.fixture
def out():
    rows = Rows("bybit")
    rows.begin(b'{"a":1}', NOW_NS)
    rows.channel = "book"
    return rows


def as_levels(levels, form):
    return {
        "pairs": lambda: levels,
        "lists": lambda: [list(level) for level in levels],
        "array": lambda: np.array(levels, dtype=np.float64).reshape(-1, 2),
        "read only": lambda: np.frombuffer(np.array(levels, dtype=np.float64).tobytes()).reshape(-1, 2),
        "every other": lambda: np.repeat(np.array(levels, dtype=np.float64).reshape(-1, 2), 2, axis=0)[::2],
        "float32": lambda: np.array(levels, dtype=np.float32).reshape(-1, 2),
    }[form]()


FORMS = ("pairs", "lists", "array", "read only", "every other", "float32")


@pytest.mark.parametrize("form", FORMS)
def test_levels_become_rows_bids_before_asks(out, form):
    out.levels("BTCUSDT", NOW_NS - 5, 7, as_levels(BIDS, form), as_levels(ASKS, form), is_snapshot=True)
    (batch,) = out.drain()
    assert (batch.kind, batch.instrument_id) == (Kind.BOOK_LEVEL, "bybit:BTCUSDT")
    flag = int(Flag.SNAPSHOT)
    assert batch.rows.tolist() == [
        (NOW_NS - 5, NOW_NS, flag, 7, 1, 99.5, 2.0),
        (NOW_NS - 5, NOW_NS, flag, 7, 1, 99.0, 0.0),
        (NOW_NS - 5, NOW_NS, flag, 7, -1, 100.0, 1.5),
    ]
    assert not out.rejects


@pytest.mark.parametrize("form", [form for form in FORMS if form != "float32"])
@pytest.mark.parametrize("bad", IMPOSSIBLE)
@pytest.mark.parametrize("side", [0, 1])
def test_one_impossible_level_rejects_them_all(out, form, bad, side):
    sides = [BIDS, ASKS]
    sides[side] = [*sides[side], bad]
    out.levels("BTCUSDT", NOW_NS, 7, *(as_levels(levels, form) for levels in sides))
    assert out.drain() == []
    ((channel, reason), found) = out.rejects.popitem()
    assert (channel, reason, found.n) == ("book", Reason.IMPOSSIBLE_VALUE, 1)
    assert found.detail == f"a level of {bad[1]} at {bad[0]}"


def test_levels_that_are_no_pairs_are_an_error_of_the_mapper(out):
    for levels in ([(1.0, 2.0, 3.0)], [(1.0,)], np.ones(4), np.ones((2, 3))):
        with pytest.raises(ValueError, match=r"levels|iterator|shape"):
            out.levels("BTCUSDT", NOW_NS, 7, levels, [])


@pytest.mark.parametrize("time_ns", [NOW_NS - 367 * DAY_NS, NOW_NS + 2 * HOUR_NS, 0, 10**40, -(10**40)])
def test_levels_and_trades_of_no_possible_time_are_rejected(out, time_ns):
    out.levels("BTCUSDT", time_ns, 7, BIDS, ASKS)
    out.trade("BTCUSDT", time_ns, 7, 100.0, 1.0, 1)
    assert out.drain() == []
    assert out.rejects["book", Reason.IMPOSSIBLE_TIME].n == 2


@pytest.mark.parametrize("seq", [2**63, -(2**63) - 1, 10**40])
def test_an_id_that_no_row_can_hold_is_rejected(out, seq):
    out.levels("BTCUSDT", NOW_NS, seq, BIDS, ASKS)
    out.trade("BTCUSDT", NOW_NS, seq, 100.0, 1.0, 1)
    out.liquidation("BTCUSDT", NOW_NS, 1, 1, 100.0, 1.0, 100.0, seq=seq)
    assert out.drain() == []
    assert out.rejects["book", Reason.IMPOSSIBLE_VALUE].n == 3


def test_a_fact_that_no_row_can_hold_is_rejected_and_costs_no_other(out):
    for bad in (10**400, None, "20"):
        out.wallet_position("BTCUSDT", NOW_NS, "0xab", 1, 2.0, 100.0, leverage=bad)
    out.wallet_position("BTCUSDT", NOW_NS, "0xab", 1, 2.0, 100.0, leverage=20)
    (batch,) = out.drain()
    assert batch.rows["leverage"].tolist() == [20.0]
    assert (out.rejects["book", Reason.IMPOSSIBLE_VALUE].n, out.n_rows) == (3, 0)


def test_a_change_without_levels_is_heard_and_gives_no_rows(out):
    out.levels("BTCUSDT", NOW_NS, 7, [], np.empty((0, 2)))
    assert out.heard == {"book": 0}
    assert out.drain() == []


def test_more_levels_than_ever_before_fit(out):
    prices = np.arange(1.0, 5_001.0)
    levels = np.stack([prices, prices / 7], axis=1)
    for n in (10, 1_024, 1_025, 5_000, 3):
        out.levels("BTCUSDT", NOW_NS, n, levels[:n], levels[: n // 2])
    (batch,) = out.drain()
    expected = np.concatenate(
        [part for n in (10, 1_024, 1_025, 5_000, 3) for part in (levels[:n], levels[: n // 2])]
    )
    assert np.array_equal(batch.rows["price_usd"], expected[:, 0])
    assert np.array_equal(batch.rows["qty_base"], expected[:, 1])


def test_trades_become_rows_and_are_counted_by_channel(out):
    out.trade("BTCUSDT", NOW_NS - 9, 3, 100.5, 0.25, -1, TradeCause.LIQUIDATION, Flag.SNAPSHOT)
    out.trade("ETHUSDT", NOW_NS - 3, NO_SEQ, 10.5, 1.0, 0)
    out.trade("BTCUSDT", NOW_NS - 7, 4, 100.0, 1.0, 1)
    assert (out.n_rows, out.heard) == (3, {"book": 3})
    first, second = out.drain()
    assert first.rows.tolist() == [
        (NOW_NS - 9, NOW_NS, int(Flag.SNAPSHOT), 3, 100.5, 0.25, -1, int(TradeCause.LIQUIDATION)),
        (NOW_NS - 7, NOW_NS, 0, 4, 100.0, 1.0, 1, 0),
    ]
    assert second.rows.tolist() == [(NOW_NS - 3, NOW_NS, 0, -1, 10.5, 1.0, 0, 0)]
    assert (out.n_rows, out.heard, out.drain()) == (0, {}, [])


def test_drained_rows_stay_as_they_are(out):
    out.trade("BTCUSDT", NOW_NS, 1, 100.0, 1.0, 1)
    out.levels("BTCUSDT", NOW_NS, 1, BIDS, ASKS)
    batches = out.drain()
    before = [batch.rows.copy() for batch in batches]
    out.trade("BTCUSDT", NOW_NS, 2, 200.0, 2.0, -1)
    out.levels("BTCUSDT", NOW_NS, 2, ASKS, BIDS)
    out.drain()
    for batch, rows in zip(batches, before, strict=True):
        assert np.array_equal(batch.rows, rows)
        assert batch.rows.flags.writeable


def test_rejects_of_channels_that_a_venue_makes_up_are_bounded(out):
    out.channel = "x" * 10_000
    out.reject(Reason.UNKNOWN_CHANNEL, "no")
    for n in range(10_000):
        out.begin(b"{}", NOW_NS)
        out.channel = f"no such channel {n}"
        out.reject(Reason.UNKNOWN_CHANNEL, "no")
    assert len(out.rejects) <= 256
    assert sum(found.n for found in out.rejects.values()) == 10_001
    assert out.rejects["?", Reason.UNKNOWN_CHANNEL].n > 9_000


@pytest.mark.parametrize(
    ("from_ns", "expected"), [(10**40, NOW_NS), (-(10**40), 0), (NOW_NS - 5, NOW_NS - 5)]
)
def test_a_gap_of_no_possible_beginning_begins_where_it_can(out, from_ns, expected):
    out.gap("BTCUSDT", Kind.BOOK_LEVEL, from_ns, NOW_NS, "sequence")
    (batch,) = out.drain()
    assert batch.rows["from_ns"].tolist() == [expected]
    assert batch.rows["to_ns"].tolist() == [NOW_NS]
