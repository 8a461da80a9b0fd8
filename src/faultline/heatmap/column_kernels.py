"""A ledger's arrays and path bars in, heat per bucket and map columns out: the fast path.

The sum over leverages is written as a fixed tree over lanes, so its rounding does not depend on how wide the
machine's registers are.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numba import njit

from faultline.heatmap.anchor import usd_per_unit_kernel
from faultline.heatmap.grid import (
    gather_rows_kernel,
    row_positions_kernel,
    row_shares_kernel,
)
from faultline.heatmap.ledger_kernels import (
    ACCOUNT_DEPOSITED,
    ACCOUNT_RUNNING,
    ENTRY_SPLIT,
    I_CLOCK,
    I_FIRST,
    I_HI,
    I_LO,
    I_PENDING,
    I_REF,
    I_REJECTED,
    N_SLOTS,
    NO_ENTRY,
    R_PENDING_TRIGGER,
    R_TRIGGER,
    apply_deposit_kernel,
    apply_sweep_kernel,
    decay_kernel,
    position_kernel,
    scale_kernel,
    take_slot_kernel,
)

__all__ = ("advance_kernel", "heat_kernel", "totals_kernel")

_SECOND: Final = 1_000_000_000
_MINUTE: Final = 60 * _SECOND


@njit(cache=True, nogil=True)
def _weigh_rows_kernel(rows: Any, weights: Any, out: Any) -> None:
    """out[b] += sum over l of rows[b, l] * weights[l]: blocks of sixteen lanes, each a balanced tree."""
    for k in range(0, rows.shape[1], 16):
        w0, w1, w2, w3 = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
        w4, w5, w6, w7 = weights[k + 4], weights[k + 5], weights[k + 6], weights[k + 7]
        w8, w9, w10, w11 = weights[k + 8], weights[k + 9], weights[k + 10], weights[k + 11]
        w12, w13, w14, w15 = weights[k + 12], weights[k + 13], weights[k + 14], weights[k + 15]
        for b in range(rows.shape[0]):
            r = rows[b, k : k + 16]
            even = ((r[0] * w0 + r[8] * w8) + (r[4] * w4 + r[12] * w12)) + (
                (r[2] * w2 + r[10] * w10) + (r[6] * w6 + r[14] * w14)
            )
            odd = ((r[1] * w1 + r[9] * w9) + (r[5] * w5 + r[13] * w13)) + (
                (r[3] * w3 + r[11] * w11) + (r[7] * w7 + r[15] * w15)
            )
            out[b] += even + odd


@njit(cache=True, nogil=True)
def heat_kernel(state: Any, tables: Any, j: int, side: int, weights: Any, begin: int, end: int, out: Any) -> None:
    """Heat of buckets ``begin..end`` (indices of the window) into ``out`` f4 (B,), waiting openings included.

    ``weights`` f4 (Lp,) is mix times scale. Only the active range is read; the rest of ``out`` is set to 0.
    """
    ints = state.integers
    out[begin:end] = np.float32(0.0)
    low = max(begin, ints[I_LO + side] - ints[I_FIRST])
    high = min(end, ints[I_HI + side] - ints[I_FIRST] + 1)
    if low < high:
        _weigh_rows_kernel(state.mass[j, side, low:high], weights, out[low:high])
    for position in range(ints[I_PENDING]):
        slot = state.pending_order[position]
        entry = state.pending_bin[slot]
        base, part = entry // ENTRY_SPLIT - ints[I_FIRST], entry % ENTRY_SPLIT
        for lev in range(tables.n_leverages):
            units = state.pending[j, slot, side, lev] * weights[lev]
            offsets = tables.offsets[j, part, side, lev]
            for node in range(offsets.shape[0]):
                index = base + offsets[node]
                if begin <= index < end:
                    out[index] += np.float32(units * tables.weights[j, node])


@njit(cache=True, nogil=True)
def totals_kernel(state: Any, tables: Any, mix: Any, scale: Any, out: Any) -> None:
    """Standing units per side and group under ``mix`` (J, L), summed over hypotheses, into ``out`` f8 (2, 2).

    Group 0 are the leverages above those that close the sum to the open interest, group 1 the closing ones.
    """
    ints = state.integers
    n_buckets = state.mass.shape[2]
    out[:] = 0.0
    for side in range(2):
        for j in range(state.mass.shape[0]):
            for lev in range(tables.n_leverages):
                units = state.accounts[j, ACCOUNT_RUNNING, side, lev]
                for position in range(ints[I_PENDING]):
                    slot = state.pending_order[position]
                    entry = state.pending_bin[slot]
                    base, part = entry // ENTRY_SPLIT - ints[I_FIRST], entry % ENTRY_SPLIT
                    offsets = tables.offsets[j, part, side, lev]
                    for node in range(offsets.shape[0]):
                        if 0 <= base + offsets[node] < n_buckets:
                            units += state.pending[j, slot, side, lev] * tables.weights[j, node]
                out[side, tables.closing[lev]] += mix[j, lev] * scale[j, lev] * units
    for side in range(2):
        for group in range(2):
            out[side, group] = max(out[side, group], 0.0)


@njit(cache=True, nogil=True)
def _standing_kernel(state: Any, side: int, begin: int, end: int) -> tuple[int, int]:
    """The part of ``begin..end`` (indices of the window) in which anything of a side can stand."""
    ints = state.integers
    if ints[I_PENDING] > 0:
        return begin, end
    low = max(begin, ints[I_LO + side] - ints[I_FIRST])
    return low, max(low, min(end, ints[I_HI + side] - ints[I_FIRST] + 1))


@njit(cache=True, nogil=True)
def _column_kernel(
    state: Any, tables: Any, mix: Any, projection: Any, anchor: Any, scale: Any, heat: Any, column: Any, totals: Any
) -> None:
    """One map column at the present clock into ``column`` f4 (2, n_rows), and units into ``totals`` f8 (2, 2).

    ``anchor`` is the open interest of a side in USD and the worth of a unit; NaN draws units instead of USD.
    """
    scale_kernel(state, tables, state.integers[I_CLOCK], scale, False)
    totals_kernel(state, tables, mix, scale, totals)
    positions, buckets, shares = projection
    n_rows = column.shape[1]
    begin = max(0, int(np.searchsorted(positions, 0.0, side="right")) - 1)
    end = min(state.mass.shape[2], int(np.searchsorted(positions, float(n_rows), side="left")))
    weights = np.zeros(state.mass.shape[3], dtype=np.float32)
    for side in range(2):
        above, below = 1.0, 1.0
        if not math.isnan(anchor[0]):
            above, below = usd_per_unit_kernel(anchor[0], anchor[1], totals[side, 0], totals[side, 1])
        for j in range(state.mass.shape[0]):
            for lev in range(tables.n_leverages):
                weights[lev] = mix[j, lev] * scale[j, lev] * (below if tables.closing[lev] else above)
            low, high = _standing_kernel(state, side, begin, end)
            if low < high:
                heat_kernel(state, tables, j, side, weights, begin, end, heat)
                first = max(0, math.floor(positions[low]))
                last = min(n_rows, math.floor(positions[high]) + 1)
                gather_rows_kernel(heat, buckets, shares, first, last, column[side])


@njit(cache=True, nogil=True)
def _apply_bar_kernel(state: Any, tables: Any, bar: Any, growth: Any, scale: Any) -> None:
    """Let time pass to the bar's end, consume its range, deposit at its close. Missing values move nothing."""
    ints = state.integers
    low, high, close = bar.low_usd, bar.high_usd, bar.close_usd
    long, short = bar.units_long, bar.units_short
    decay_kernel(state, tables, bar.end_ns, scale)
    if 0.0 < low <= high < math.inf:
        apply_sweep_kernel(state, tables, low, high, scale)
    elif not (math.isnan(low) or math.isnan(high)):
        ints[I_REJECTED] += 1
    if math.isnan(long) or math.isnan(short) or math.isnan(close) or long + short == 0.0:
        return
    if 0.0 <= long < math.inf and 0.0 <= short < math.inf and 0.0 < close < math.inf:
        scale_kernel(state, tables, ints[I_CLOCK], growth, True)
        apply_deposit_kernel(state, tables, close, long, short, growth, scale)
    else:
        ints[I_REJECTED] += 1


@njit(cache=True, nogil=True)
def _quiet_bars_kernel(state: Any, tables: Any, bars: Any, begin: int, end: int, base: Any) -> int:
    """Apply bars that reach no level and end in the minute of the one before; returns the first that needs more.

    Nothing is spread, consumed, moved or folded here, so a bar costs one logarithm and two rows of multiply-adds. The
    growth of the scale is the product of ``scale_kernel`` in the same order, its first two factors kept in ``base``.
    """
    ints, reals = state.integers, state.reals
    pending, pending_bin, accounts, growth = state.pending, state.pending_bin, state.accounts, tables.growth
    n_buckets, centre = state.mass.shape[2], ints[I_FIRST] + state.mass.shape[2] // 2
    reference, kept = ints[I_REF], -1
    for i in range(begin, end):
        bar = bars[i]
        time, long, short, close = bar.end_ns, bar.units_long, bar.units_short, bar.close_usd
        elapsed = time - reference
        seconds = elapsed // _SECOND
        if time // _MINUTE != ints[I_CLOCK] // _MINUTE or seconds >= 86_400 or seconds * _SECOND != elapsed:
            return i
        calm = reals[R_TRIGGER] <= bar.low_usd <= bar.high_usd <= reals[R_TRIGGER + 1]
        calm = calm and reals[R_PENDING_TRIGGER] <= bar.low_usd and bar.high_usd <= reals[R_PENDING_TRIGGER + 1]
        calm = calm and bar.low_usd > 0.0 and bar.high_usd < math.inf
        if not calm or not (0.0 < close < math.inf and 0.0 <= long < math.inf and 0.0 <= short < math.inf):
            return i
        if long + short > 0.0:
            entry = math.floor(position_kernel(close) * ENTRY_SPLIT)
            slot = entry % N_SLOTS
            if pending_bin[slot] != entry:
                far = abs(entry // ENTRY_SPLIT - centre) > n_buckets // 8
                if far or pending_bin[slot] != NO_ENTRY:
                    return i
                take_slot_kernel(state, tables, slot, entry)
            if seconds // 60 != kept:
                kept = seconds // 60
                for j in range(base.shape[0]):
                    for lane in range(base.shape[1]):
                        base[j, lane] = growth[j, 0, kept // 60, lane] * growth[j, 1, kept % 60, lane]
            second = seconds % 60
            for j in range(base.shape[0]):
                for lane in range(base.shape[1]):
                    factor = base[j, lane] * growth[j, 2, second, lane]
                    pending[j, slot, 0, lane] += long * factor
                    pending[j, slot, 1, lane] += short * factor
                accounts[j, ACCOUNT_DEPOSITED, 0, 0] += long
                accounts[j, ACCOUNT_DEPOSITED, 1, 0] += short
        ints[I_CLOCK] = time
    return end


@njit(cache=True, nogil=True)
def _apply_bars_kernel(state: Any, tables: Any, bars: Any, begin: int, end: int, base: Any, scratch: Any) -> None:
    """Apply bars ``begin..end``: quiet ones in one pass, the others one by one."""
    while begin < end:
        begin = _quiet_bars_kernel(state, tables, bars, begin, end, base)
        if begin < end:
            _apply_bar_kernel(state, tables, bars[begin], scratch[1], scratch[0])
            begin += 1


@njit(cache=True, nogil=True)
def advance_kernel(
    state: Any,
    tables: Any,
    bars: Any,
    mix: Any,
    column_at: Any,
    anchors: Any,
    rows: Any,
    columns: Any,
    totals: Any,
    scratch: Any,
) -> None:
    """Apply ``bars`` in order; before bar ``column_at[k]`` draw column ``k``.

    Args:
        state: LedgerArrays.
        tables: LedgerTables.
        bars: record array of PATH_BAR.
        mix: f8 (J, L).
        column_at: i8 (n,), sorted, number of bars applied before each column.
        anchors: f8 (n, 2), open interest per side and worth of a unit in USD; NaN for units.
        rows: f8 (3,): height of a row in USD, first row, number of rows.
        columns: f4 (n, 2, n_rows), zero, filled.
        totals: f8 (n, 2, 2), filled: units per side and group.
        scratch: f8 (2, J, Lp).
    """
    n_buckets = state.mass.shape[2]
    positions = np.empty(n_buckets + 1)
    heat = np.zeros(n_buckets, dtype=np.float32)
    n_rows = int(rows[2])
    buckets, shares = np.empty((n_rows, 2), dtype=np.int64), np.empty((n_rows, 2), dtype=np.float32)
    base = np.zeros(scratch.shape[1:])
    drawn_first = state.integers[I_FIRST] - 1
    applied = 0
    for column in range(column_at.shape[0]):
        _apply_bars_kernel(state, tables, bars, applied, column_at[column], base, scratch)
        applied = column_at[column]
        if drawn_first != state.integers[I_FIRST]:
            drawn_first = state.integers[I_FIRST]
            row_positions_kernel(drawn_first, n_buckets, rows[0], int(rows[1]), positions)
            row_shares_kernel(positions, buckets, shares)
        _column_kernel(
            state,
            tables,
            mix,
            (positions, buckets, shares),
            anchors[column],
            scratch[0],
            heat,
            columns[column],
            totals[column],
        )
    _apply_bars_kernel(state, tables, bars, applied, bars.shape[0], base, scratch)
