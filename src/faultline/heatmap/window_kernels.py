"""A ledger's arrays and a sequence of windows in, what each window would consume out: the evaluation's fast path."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from faultline.heatmap.ledger_kernels import (
    I_CLOCK,
    apply_sweep_kernel,
    decay_kernel,
    deposit_passed_kernel,
    exposure_kernel,
    flush_kernel,
    position_kernel,
    scale_kernel,
)

__all__ = ("windows_kernel",)


@njit(cache=True, nogil=True)
def windows_kernel(
    state: Any,
    tables: Any,
    times: Any,
    ranges: Any,
    entries: Any,
    units: Any,
    cells: Any,
    consumes: bool,
    out: Any,
) -> None:
    """For each window: fade to its start, note its exposure, consume its range, fade to its end, deposit.

    Args:
        state: LedgerArrays.
        tables: LedgerTables.
        times: i8 (W, 2), start and end.
        ranges: f8 (W, 2), low and high; NaN where price is unknown.
        entries: f8 (W, m, 3), price and the low and high since, NaN where there is none.
        units: f8 (W,), units opened per side and entry.
        cells: i8 (W, 3), first row of ``out``, lowest bucket, buckets (0: not noted); longs first, then shorts.
        consumes: whether the path consumes.
        out: f8 (J, C, L), filled where cells say so.
    """
    n_leverages = out.shape[2]
    scale = np.zeros(tables.hazard.shape)
    growth = np.zeros(tables.hazard.shape)
    amounts = np.zeros(2)
    for w in range(times.shape[0]):
        low, high = ranges[w]
        decay_kernel(state, tables, times[w, 0], scale)
        if not (math.isnan(low) or math.isnan(high)):
            flush_kernel(state, tables, scale)
            row, bucket, width = cells[w]
            if width > 0:
                scale_kernel(state, tables, state.integers[I_CLOCK], scale, False)
                longs, shorts = out[:, row : row + width], out[:, row + width : row + 2 * width]
                exposure_kernel(state, 0, bucket, position_kernel(low), scale, longs[:, :, :n_leverages])
                exposure_kernel(state, 1, bucket, position_kernel(high), scale, shorts[:, :, :n_leverages])
            if consumes:
                apply_sweep_kernel(state, tables, low, high, scale)
        if not units[w] > 0.0:
            continue
        decay_kernel(state, tables, times[w, 1], scale)
        scale_kernel(state, tables, state.integers[I_CLOCK], growth, True)
        amounts[:] = units[w]
        for k in range(entries.shape[1]):
            if not math.isnan(entries[w, k, 0]):
                deposit_passed_kernel(
                    state, tables, entries[w, k, 0], amounts, entries[w, k, 1:], growth, scale
                )
