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

__all__ = ("advance_kernel", "heat_kernel", "standing_kernel", "totals_kernel")

_SECOND: Final = 1_000_000_000
_MINUTE: Final = 60 * _SECOND
_DAY: Final = 86_400 * _SECOND


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
def heat_kernel(
    state: Any, tables: Any, j: int, side: int, weights: Any, begin: int, end: int, out: Any
) -> None:
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
def standing_kernel(state: Any, tables: Any, scale: Any, begin: int, end: int, out: Any) -> None:
    """Units of buckets ``begin..end`` (indices of the window) by side and leverage, waiting openings included.

    ``out`` f8 (J, 2, end - begin, L), zero, filled; ``scale`` f8 (J, Lp) at the present clock.
    """
    ints = state.integers
    for j in range(out.shape[0]):
        for side in range(2):
            low = max(begin, ints[I_LO + side] - ints[I_FIRST])
            high = min(end, ints[I_HI + side] - ints[I_FIRST] + 1)
            for index in range(low, high):
                for lev in range(tables.n_leverages):
                    out[j, side, index - begin, lev] = state.mass[j, side, index, lev] * scale[j, lev]
            for position in range(ints[I_PENDING]):
                slot = state.pending_order[position]
                entry = state.pending_bin[slot]
                base, part = entry // ENTRY_SPLIT - ints[I_FIRST], entry % ENTRY_SPLIT
                for lev in range(tables.n_leverages):
                    units = state.pending[j, slot, side, lev] * scale[j, lev]
                    for node in range(tables.weights.shape[1]):
                        index = base + tables.offsets[j, part, side, lev, node]
                        if begin <= index < end:
                            out[j, side, index - begin, lev] += units * tables.weights[j, node]


@njit(cache=True, nogil=True)
def totals_kernel(state: Any, tables: Any, mix: Any, scale: Any, out: Any) -> None:
    """Standing units per side under ``mix`` (J, L), summed over hypotheses, into ``out`` f8 (2,)."""
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
                out[side] += mix[j, lev] * scale[j, lev] * units
        out[side] = max(out[side], 0.0)


@njit(cache=True, nogil=True)
def _standing_kernel(state: Any, side: int, begin: int, end: int) -> tuple[int, int]:
    """The part of ``begin..end`` (indices of the window) in which anything of a side can stand.

    Waiting longs stand somewhere below their entries, waiting shorts above.
    """
    ints = state.integers
    low, high = ints[I_LO + side] - ints[I_FIRST], ints[I_HI + side] - ints[I_FIRST] + 1
    if low >= high:
        low, high = end, begin
    for position in range(ints[I_PENDING]):
        entry = state.pending_bin[state.pending_order[position]] // ENTRY_SPLIT - ints[I_FIRST]
        low = min(low, entry) if side == 1 else begin
        high = max(high, entry + 1) if side == 0 else end
    low = max(begin, min(low, end))
    return low, max(low, min(high, end))


@njit(cache=True, nogil=True)
def _weights_kernel(mix: Any, scale: Any, j: int, out: Any) -> None:
    """Mix times scale of a hypothesis into ``out`` f4 (Lp,)."""
    for lev in range(mix.shape[1]):
        out[lev] = mix[j, lev] * scale[j, lev]


@njit(cache=True, nogil=True)
def _near_kernel(state: Any, tables: Any, price: float, low: int, high: int, heat: Any) -> float:
    """Units of buckets ``low..high`` weighted with their nearness to the price (``heatmap.anchor``).

    Nearness has fallen below one in a million where a map ends, so the near units are all in view.
    """
    centre = math.floor(position_kernel(price)) - state.integers[I_FIRST]
    nearness, last = tables.nearness, tables.nearness.shape[0] - 1
    near = 0.0
    for index in range(low, high):
        near += heat[index] * nearness[min(abs(index - centre), last)]
    return near


@njit(cache=True, nogil=True)
def _price_kernel(
    state: Any, tables: Any, price: float, above: float, below: float, low: int, high: int, heat: Any
) -> None:
    """Turn units of buckets ``low..high`` into USD: ``above`` per unit near the price, ``below`` far from it."""
    centre = math.floor(position_kernel(price)) - state.integers[I_FIRST]
    nearness, last = tables.nearness, tables.nearness.shape[0] - 1
    for index in range(low, high):
        heat[index] *= np.float32(below + (above - below) * nearness[min(abs(index - centre), last)])


@njit(cache=True, nogil=True)
def _worth_kernel(state: Any, tables: Any, first: Any, mix: Any, anchor: Any, scale: Any) -> None:
    """Turn the worth of a unit under the ``first`` mix, ``anchor[1]``, into that under ``mix``.

    Under another mix other units stand for the same open interest: ``worth' = worth * units / units'``.
    """
    sides = np.zeros(2)
    scale_kernel(state, tables, state.integers[I_CLOCK], scale, False)
    totals_kernel(state, tables, first, scale, sides)
    units = sides.sum()
    totals_kernel(state, tables, mix, scale, sides)
    if sides.sum() > 0.0:
        anchor[1] *= units / sides.sum()


@njit(cache=True, nogil=True)
def _column_kernel(
    state: Any,
    tables: Any,
    mix: Any,
    projection: Any,
    anchor: Any,
    scale: Any,
    heat: Any,
    column: Any,
    totals: Any,
) -> None:
    """One map column at the present clock into ``column`` f4 (2, n_rows), and units into ``totals`` f8 (2,).

    ``anchor`` is the open interest of a side in USD, the worth of a unit, and the price; NaN draws units.
    """
    scale_kernel(state, tables, state.integers[I_CLOCK], scale, False)
    totals_kernel(state, tables, mix, scale, totals)
    positions, buckets, shares = projection
    n_rows = column.shape[1]
    begin = max(0, int(np.searchsorted(positions, 0.0, side="right")) - 1)
    end = min(state.mass.shape[2], int(np.searchsorted(positions, float(n_rows), side="left")))
    weights = np.zeros(state.mass.shape[3], dtype=np.float32)
    n_hypotheses, anchored = state.mass.shape[0], anchor[0] >= 0.0 and anchor[2] > 0.0
    for side in range(2):
        low, high = _standing_kernel(state, side, begin, end)
        if low >= high:
            continue
        near, above, below = 0.0, 1.0, 1.0
        if anchored:
            for j in range(n_hypotheses):
                _weights_kernel(mix, scale, j, weights)
                heat_kernel(state, tables, j, side, weights, low, high, heat)
                near += _near_kernel(state, tables, anchor[2], low, high, heat)
            above, below = usd_per_unit_kernel(anchor[0], anchor[1], near, totals[side] - near)
        for j in range(n_hypotheses):
            if not anchored or n_hypotheses > 1:
                _weights_kernel(mix, scale, j, weights)
                heat_kernel(state, tables, j, side, weights, low, high, heat)
            if anchored:
                _price_kernel(state, tables, anchor[2], above, below, low, high, heat)
            first = max(0, math.floor(positions[low]))
            last = min(n_rows, math.floor(positions[high]) + 1)
            if first < last:
                # Rows at both rims reach into buckets in which nothing of this side stands.
                heat[buckets[first, 0] : low] = np.float32(0.0)
                heat[high : buckets[last - 1, 1] + 1] = np.float32(0.0)
                gather_rows_kernel(heat, buckets, shares, first, last, column[side])


@njit(cache=True, nogil=True)
def _reaches_kernel(reals: Any, low: float, high: float) -> bool:
    """Whether a path over ``[low, high]`` reaches anything that stands or waits."""
    if low < reals[R_TRIGGER] or low < reals[R_PENDING_TRIGGER]:
        return True
    return bool(high > reals[R_TRIGGER + 1] or high > reals[R_PENDING_TRIGGER + 1])


@njit(cache=True, nogil=True)
def _apply_bars_kernel(
    state: Any, tables: Any, bars: Any, begin: int, end: int, base: Any, scratch: Any
) -> None:
    """Apply bars ``begin..end``: time passes, the range is consumed, the close is deposited at.

    Missing values move nothing, impossible ones are counted. Most bars reach no level and deposit at an entry bin that
    waits already: for them everything stands here, one logarithm and two rows of multiply-adds. The growth of the
    scale is the product of ``scale_kernel`` in the same order, its first two factors kept in ``base``.
    """
    ints, reals, growth = state.integers, state.reals, tables.growth
    pending, pending_bin, accounts = state.pending, state.pending_bin, state.accounts
    n_buckets, kept = state.mass.shape[2], -1
    for i in range(begin, end):
        bar = bars[i]
        time, low, high, close = bar.end_ns, bar.low_usd, bar.high_usd, bar.close_usd
        long, short = bar.units_long, bar.units_short
        if time // _MINUTE != ints[I_CLOCK] // _MINUTE or time - ints[I_REF] >= _DAY:
            decay_kernel(state, tables, time, scratch[0])
            kept = -1
        ints[I_CLOCK] = time
        if 0.0 < low <= high < math.inf:
            if _reaches_kernel(reals, low, high):
                apply_sweep_kernel(state, tables, low, high, scratch[0])
        elif not (math.isnan(low) or math.isnan(high)):
            ints[I_REJECTED] += 1
        if math.isnan(long) or math.isnan(short) or math.isnan(close) or long + short == 0.0:
            continue
        if not (0.0 <= long < math.inf and 0.0 <= short < math.inf and 0.0 < close < math.inf):
            ints[I_REJECTED] += 1
            continue
        entry = math.floor(position_kernel(close) * ENTRY_SPLIT)
        slot = entry % N_SLOTS
        elapsed = time - ints[I_REF]
        seconds = elapsed // _SECOND
        if pending_bin[slot] != entry or seconds * _SECOND != elapsed:
            far = abs(entry // ENTRY_SPLIT - ints[I_FIRST] - n_buckets // 2) > n_buckets // 8
            if far or pending_bin[slot] != NO_ENTRY or seconds * _SECOND != elapsed:
                scale_kernel(state, tables, time, scratch[1], True)
                apply_deposit_kernel(state, tables, close, long, short, scratch[1], scratch[0])
                continue
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


@njit(cache=True, nogil=True)
def advance_kernel(
    state: Any,
    tables: Any,
    bars: Any,
    mixes: Any,
    mix_of: Any,
    column_at: Any,
    anchors: Any,
    rows: Any,
    projection: Any,
    columns: Any,
    totals: Any,
    scratch: Any,
) -> None:
    """Apply ``bars`` in order; before bar ``column_at[k]`` draw column ``k``.

    Args:
        state: LedgerArrays.
        tables: LedgerTables.
        bars: record array of PATH_BAR.
        mixes: f8 (M, J, L); the worth of a unit is that under the first.
        mix_of: i8 (n,), which of the mixes each column is drawn with.
        column_at: i8 (n,), sorted, number of bars applied before each column.
        anchors: f8 (n, 3), open interest per side, worth of a unit and price in USD; NaN for units.
        rows: f8 (3,): height of a row in USD, first row, number of rows.
        projection: positions f8 (B + 1,), buckets i8 (n_rows, 2) and shares f4 (n_rows, 2) of the rows, and the
            first bucket they were made for, i8 (1,): made again when the window moved.
        columns: f4 (n, 2, n_rows), zero, filled.
        totals: f8 (n, 2), filled: units per side.
        scratch: f8 (2, J, Lp).
    """
    n_buckets = state.mass.shape[2]
    positions, buckets, shares, made_for = projection
    heat = np.zeros(n_buckets, dtype=np.float32)
    base = np.zeros(scratch.shape[1:])
    applied = 0
    for column in range(column_at.shape[0]):
        _apply_bars_kernel(state, tables, bars, applied, column_at[column], base, scratch)
        applied = column_at[column]
        if made_for[0] != state.integers[I_FIRST]:
            made_for[0] = state.integers[I_FIRST]
            row_positions_kernel(made_for[0], n_buckets, rows[0], int(rows[1]), positions)
            row_shares_kernel(positions, buckets, shares)
        if mix_of[column] != 0:
            _worth_kernel(state, tables, mixes[0], mixes[mix_of[column]], anchors[column], scratch[0])
        _column_kernel(
            state,
            tables,
            mixes[mix_of[column]],
            (positions, buckets, shares),
            anchors[column],
            scratch[0],
            heat,
            columns[column],
            totals[column],
        )
    _apply_bars_kernel(state, tables, bars, applied, bars.shape[0], base, scratch)
