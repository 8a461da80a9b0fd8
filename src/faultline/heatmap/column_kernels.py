"""A ledger's arrays and path bars in, heat per bucket and map columns out: the fast path.

The sum over leverages is written as a fixed tree over lanes, so its rounding does not depend on how wide the
machine's registers are.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numba import njit

from faultline.heatmap.grid import project_kernel, row_positions_kernel
from faultline.heatmap.ledger_kernels import (
    ACCOUNT_RUNNING,
    ENTRY_SPLIT,
    I_CLOCK,
    I_FIRST,
    I_HI,
    I_LO,
    I_PENDING,
    I_REF,
    I_REJECTED,
    R_PENDING_TRIGGER,
    R_TRIGGER,
    apply_deposit_kernel,
    apply_sweep_kernel,
    decay_kernel,
    scale_kernel,
)

__all__ = ("advance_kernel", "heat_kernel", "totals_kernel")

#: Lanes of a row; rows of more leverages are several such blocks.
_LANES: Final = 8
_MINUTE: Final = 60_000_000_000
_DAY: Final = 86_400_000_000_000


@njit(cache=True, nogil=True)
def _weigh_rows_kernel(rows: Any, weights: Any, out: Any) -> None:
    """out[b] += sum over l of rows[b, l] * weights[l], as a fixed tree of eight lanes per block."""
    zero = np.float32(0.0)
    for b in range(rows.shape[0]):
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = zero
        for k in range(0, rows.shape[1], _LANES):
            s0 += rows[b, k] * weights[k]
            s1 += rows[b, k + 1] * weights[k + 1]
            s2 += rows[b, k + 2] * weights[k + 2]
            s3 += rows[b, k + 3] * weights[k + 3]
            s4 += rows[b, k + 4] * weights[k + 4]
            s5 += rows[b, k + 5] * weights[k + 5]
            s6 += rows[b, k + 6] * weights[k + 6]
            s7 += rows[b, k + 7] * weights[k + 7]
        out[b] += ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))


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
    """Standing units per side under ``mix`` (J, L), summed over hypotheses, into ``out`` f8 (2,)."""
    ints = state.integers
    n_buckets = state.mass.shape[2]
    for side in range(2):
        total = 0.0
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
                total += mix[j, lev] * scale[j, lev] * units
        out[side] = max(total, 0.0)


@njit(cache=True, nogil=True)
def _column_kernel(
    state: Any, tables: Any, mix: Any, positions: Any, scale: Any, heat: Any, column: Any, totals: Any
) -> None:
    """One map column at the present clock into ``column`` f4 (2, n_rows), and ``totals`` f8 (2,)."""
    scale_kernel(state, tables, state.integers[I_CLOCK], scale, False)
    totals_kernel(state, tables, mix, scale, totals)
    n_rows = column.shape[1]
    begin = max(0, int(np.searchsorted(positions, 0.0, side="right")) - 1)
    end = min(state.mass.shape[2], int(np.searchsorted(positions, float(n_rows), side="left")))
    weights = np.zeros(state.mass.shape[3], dtype=np.float32)
    for j in range(state.mass.shape[0]):
        for lev in range(tables.n_leverages):
            weights[lev] = mix[j, lev] * scale[j, lev]
        for side in range(2):
            heat_kernel(state, tables, j, side, weights, begin, end, heat)
            project_kernel(heat, positions, begin, end, column[side])


@njit(cache=True, nogil=True)
def _usable_kernel(value: float) -> bool:
    """Whether a price or an amount is positive and finite."""
    return 0.0 < value < math.inf


@njit(cache=True, nogil=True)
def _apply_bars_kernel(state: Any, tables: Any, bars: Any, begin: int, end: int, growth: Any, scale: Any) -> None:
    """Apply bars ``begin..end``: time passes, the range is consumed, the close is deposited at.

    Missing values move nothing, impossible ones are counted. Most bars reach no level, so the checks that tell
    stand here, before any call.
    """
    ints, reals = state.integers, state.reals
    for i in range(begin, end):
        bar = bars[i]
        clock, low, high, close = bar.end_ns, bar.low_usd, bar.high_usd, bar.close_usd
        long, short = bar.units_long, bar.units_short
        if clock // _MINUTE != ints[I_CLOCK] // _MINUTE or clock - ints[I_REF] >= _DAY:
            decay_kernel(state, tables, clock, scale)
        ints[I_CLOCK] = clock
        if _usable_kernel(low) and _usable_kernel(high) and low <= high:
            reached_long = low < reals[R_TRIGGER] or low < reals[R_PENDING_TRIGGER]
            if reached_long or high > reals[R_TRIGGER + 1] or high > reals[R_PENDING_TRIGGER + 1]:
                apply_sweep_kernel(state, tables, low, high, scale)
        elif not (math.isnan(low) or math.isnan(high)):
            ints[I_REJECTED] += 1
        if long < 0.0 or short < 0.0 or math.isinf(long) or math.isinf(short):
            ints[I_REJECTED] += 1
        elif long + short > 0.0:
            if _usable_kernel(close):
                scale_kernel(state, tables, clock, growth, True)
                apply_deposit_kernel(state, tables, close, long, short, growth, scale)
            elif not math.isnan(close):
                ints[I_REJECTED] += 1


@njit(cache=True, nogil=True)
def advance_kernel(
    state: Any, tables: Any, bars: Any, mix: Any, column_at: Any, rows: Any, columns: Any, totals: Any, scratch: Any
) -> None:
    """Apply ``bars`` in order; before bar ``column_at[k]`` draw column ``k``.

    Args:
        state: LedgerArrays.
        tables: LedgerTables.
        bars: record array of PATH_BAR.
        mix: f8 (J, L).
        column_at: i8 (n,), sorted, number of bars applied before each column.
        rows: f8 (3,): height of a row in USD, first row, number of rows.
        columns: f4 (n, 2, n_rows), zero, filled.
        totals: f8 (n, 2), filled.
        scratch: f8 (2, J, Lp).
    """
    n_buckets = state.mass.shape[2]
    positions = np.empty(n_buckets + 1)
    heat = np.zeros(n_buckets, dtype=np.float32)
    drawn_first = state.integers[I_FIRST] - 1
    applied = 0
    for column in range(column_at.shape[0]):
        _apply_bars_kernel(state, tables, bars, applied, column_at[column], scratch[1], scratch[0])
        applied = column_at[column]
        if drawn_first != state.integers[I_FIRST]:
            drawn_first = state.integers[I_FIRST]
            row_positions_kernel(drawn_first, n_buckets, rows[0], int(rows[1]), positions)
        _column_kernel(state, tables, mix, positions, scratch[0], heat, columns[column], totals[column])
    _apply_bars_kernel(state, tables, bars, applied, bars.shape[0], scratch[1], scratch[0])
