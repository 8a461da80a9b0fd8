"""Path bars and event cells in, exposures per hypothesis and one filter step per window out: compiled loops.

Hypothesis ``h`` has kernel columns of its own; a member ``m`` of the bank is a hypothesis with a half-life. Columns:
the leverages, and last the covered share of the bucket (the floor of the rate).
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit

from faultline.fallback_kernels import fall_back_kernel
from faultline.heatmap.ledger_kernels import (
    I_CLOCK,
    I_FIRST,
    I_HI,
    I_LO,
    I_PENDING,
    R_PENDING_TRIGGER,
    apply_deposit_kernel,
    apply_sweep_kernel,
    decay_kernel,
    exposure_kernel,
    flush_kernel,
    position_kernel,
    scale_kernel,
)
from faultline.learning.newton_kernels import newton_step_kernel

__all__ = (
    "BankArrays",
    "WindowSums",
    "expose_bars_kernel",
    "filter_bank_kernel",
    "fold_mix_kernel",
    "judge_kernel",
    "rates_kernel",
    "weigh_kernel",
)

#: Smallest covered share of a bucket, so that every event has a rate.
_COVERED_FLOOR: Final = 1e-3
#: Expected events that dilute the estimate of the dispersion of counts.
_DISPERSION_PSEUDO: Final = 20.0
#: Smallest number of events that sets the scale of the prior.
_LEAST_EVENTS: Final = 0.5
#: Exposure, in units (what an average hour opens), before which events over exposure are no level: a feed that is first
#: heard in a burst has its events before anything could be swept of a ledger that was empty.
_LEAST_EXPOSURE: Final = 0.01


class WindowSums(NamedTuple):
    """What the windows of a call hold: the input of the filter."""

    #: i8 (W + 1,), first bar and first event cell of each window.
    bar_starts: Any
    cell_starts: Any
    #: f8 (H, C, K), blurred exposure of each event cell.
    rows: Any
    #: f8 (C,), events; f8 (C, 2), those with a size and the sum of their winsorised log sizes.
    counts: Any
    sizes: Any
    #: f8 (H, bars, K), exposure that counts against the published events, and all of it.
    effective: Any
    full: Any
    #: f8 (W,), recorded hours of the window; NaN where it teaches nothing.
    hours: Any


class BankArrays(NamedTuple):
    """State of the filter of a bank: what a checkpoint holds."""

    #: f8 (M, K) log rates, (M, K, K) precision.
    x: Any
    precision: Any
    #: f8 (M, 3): events, exposure under the prior's shape and covered area that set the prior's scale.
    scale: Any
    #: f8 (M, 4): faded log likelihood, events in a half-life, sum of squared and of expected counts.
    score: Any
    #: f8 (M, K, K) products of responsibilities, lower half, and (M, K) responsibilities times log size, both of events
    #: with a size; (M, K) exposure of each column; all faded.
    size_gram: Any
    size_sums: Any
    travel: Any


@njit(cache=True, nogil=True)
def _swept_kernel(state: Any, ends: Any, reached: Any, scale: Any, cells: Any) -> None:
    """Units that a path consumes per hypothesis, side and bucket from its low on, into ``cells`` f8 (J, 2, n, L).

    ``ends`` f8 (2,) are low and high in buckets, ``reached`` f8 (2,) where longs and shorts stop being consumed. What
    a jump of the path passed outside of low and high is added to the bucket nearest to it.
    """
    ints = state.integers
    first, last = math.floor(ends[0]), math.floor(ends[1])
    cells[:] = 0.0
    exposure_kernel(state, 0, first, reached[0], scale, cells[:, 0])
    exposure_kernel(state, 1, first, reached[1], scale, cells[:, 1])
    for side in range(2):
        begin = last + 1 if side == 0 else ints[I_LO + side]
        end = ints[I_HI + side] if side == 0 else first - 1
        edge = last - first if side == 0 else 0
        for bucket in range(max(begin, ints[I_LO + side]), min(end, ints[I_HI + side]) + 1):
            for j in range(cells.shape[0]):
                row = state.mass[j, side, bucket - ints[I_FIRST]]
                for lev in range(cells.shape[3]):
                    cells[j, side, edge, lev] += row[lev] * scale[j, lev]


@njit(cache=True, nogil=True)
def _blurred_kernel(cells: Any, index: int, blur: Any, out: Any) -> None:
    """Row ``index`` of ``cells`` (n, L) blurred by symmetric weights ``blur`` (2 R + 1,), reflected at both ends."""
    width, reach = cells.shape[0], blur.shape[0] // 2
    for k in range(-reach, reach + 1):
        place = (index + k) % (2 * width)
        if place >= width:
            place = 2 * width - 1 - place
        weight = blur[k + reach]
        for lev in range(cells.shape[1]):
            out[lev] += weight * cells[place, lev]


@njit(cache=True, nogil=True)
def _weigh_kernel(
    cells: Any, short: Any, ends: Any, after: Any, b: int, standing: Any, effective: Any, full: Any
) -> None:
    """Sum the consumed ``cells`` (J, 2, n, L) of a bar: all of them, and those that count against its events.

    ``after`` f8 (4,) as in ``expose_bars_kernel``; ``short`` is what a path that ends at the event consumes.
    """
    n_leverages, width = cells.shape[3], cells.shape[2]
    low, high = ends
    area = max(high - low, _COVERED_FLOOR)
    if width > 1:
        area = width - 2.0
        area += max(math.floor(low) + 1.0 - low, _COVERED_FLOOR) + max(
            high - math.floor(high), _COVERED_FLOOR
        )
    for side in range(2):
        partial = after[2] == side
        weight = after[side]
        if partial:
            weight = (after[3] - low if side == 0 else high - after[3]) / max(high - low, 1e-12)
        for j in range(cells.shape[0]):
            full[j, b, n_leverages] += area
            effective[j, b, n_leverages] += area * min(max(weight, 0.0), 1.0)
            for index in range(width):
                for lev in range(n_leverages):
                    units = cells[j, side, index, lev]
                    full[j, b, lev] += units
                    standing[j, side, lev] -= units
                    counted = units - short[j, side, index, lev] if partial else units * weight
                    effective[j, b, lev] += max(counted, 0.0)


@njit(cache=True, nogil=True)
def _wait_kernel(state: Any, tables: Any, time_ns: int, scale: Any, standing: Any) -> None:
    """Let time pass until ``time_ns`` for the ledger and for ``standing`` f8 (J, 2, L)."""
    elapsed = time_ns - state.integers[I_CLOCK]
    for j in range(standing.shape[0]):
        for lev in range(standing.shape[2]):
            fade = math.exp(-tables.hazard[j, lev] * elapsed)
            standing[j, 0, lev] *= fade
            standing[j, 1, lev] *= fade
    decay_kernel(state, tables, time_ns, scale)


@njit(cache=True, nogil=True)
def _open_kernel(
    state: Any, tables: Any, bar: Any, power: float, mean: Any, scale: Any, growth: Any, standing: Any
) -> None:
    """Open the units of a bar at its close, each to the ``power`` relative to the mean (sum, number) so far."""
    longs, shorts = bar.units_long, bar.units_short
    if not (bar.close_usd > 0.0 and longs >= 0.0 and shorts >= 0.0 and 0.0 < longs + shorts < math.inf):
        return
    mean[0] += 0.5 * (longs + shorts)
    mean[1] += 1.0
    if power != 1.0:
        level = mean[0] / mean[1]
        longs, shorts = level * (longs / level) ** power, level * (shorts / level) ** power
    scale_kernel(state, tables, state.integers[I_CLOCK], growth, True)
    apply_deposit_kernel(state, tables, bar.close_usd, longs, shorts, growth, scale)
    standing[:, 0] += longs
    standing[:, 1] += shorts


@njit(cache=True, nogil=True)
def expose_bars_kernel(
    state: Any,
    tables: Any,
    bars: Any,
    after: Any,
    cell_starts: Any,
    cell_index: Any,
    blur: Any,
    power: float,
    mean: Any,
    standing: Any,
    rows: Any,
    effective: Any,
    full: Any,
) -> None:
    """Per bar: note what its range consumes, consume it, let time pass to its end, open its units at its close.

    Args:
        state: LedgerArrays.
        tables: LedgerTables.
        bars: record array of PATH_BAR.
        after: f8 (bars, 4): weight of what longs and shorts lose; side (-1: none) and place, in buckets, of the last
            published event: of its side only what the path consumes beyond it counts.
        cell_starts: i8 (bars + 1,), first event cell of each bar.
        cell_index: i8 (C, 2), side and bucket.
        blur: f8 (2 R + 1,), weights over buckets.
        power: exponent of the units over their mean so far.
        mean: f8 (2,), sum and number of units so far; moved on.
        standing: f8 (J, 2, L), units that stand at any price; moved on.
        rows: f8 (J, C, K), zero, filled.
        effective: f8 (J, bars, K), zero, filled.
        full: f8 (J, bars, K), zero, filled.
    """
    n_leverages, n_hypotheses = tables.n_leverages, state.mass.shape[0]
    scale, growth = np.zeros(tables.hazard.shape), np.zeros(tables.hazard.shape)
    widest = 1
    for b in range(bars.shape[0]):
        if bars[b].low_usd > 0.0:
            first = math.floor(position_kernel(bars[b].low_usd))
            widest = max(widest, math.floor(position_kernel(bars[b].high_usd)) - first + 1)
    cells = np.zeros((n_hypotheses, 2, widest, n_leverages))
    short = np.zeros((n_hypotheses, 2, widest, n_leverages))
    ends, reached = np.zeros(2), np.zeros(2)
    for b in range(bars.shape[0]):
        bar = bars[b]
        _wait_kernel(state, tables, bar.start_ns, scale, standing)
        if bar.low_usd > 0.0:
            reals = state.reals
            pending = state.integers[I_PENDING] > 0
            if pending and (
                bar.low_usd < reals[R_PENDING_TRIGGER] or bar.high_usd > reals[R_PENDING_TRIGGER + 1]
            ):
                flush_kernel(state, tables, scale)
            scale_kernel(state, tables, state.integers[I_CLOCK], scale, False)
            ends[0], ends[1] = position_kernel(bar.low_usd), position_kernel(bar.high_usd)
            first, width = math.floor(ends[0]), math.floor(ends[1]) - math.floor(ends[0]) + 1
            inside, part = cells[:, :, :width], short[:, :, :width]
            _swept_kernel(state, ends, ends, scale, inside)
            if after[b, 2] >= 0.0:
                reached[:] = ends
                reached[int(after[b, 2])] = after[b, 3]
                _swept_kernel(state, ends, reached, scale, part)
            _weigh_kernel(inside, part, ends, after[b], b, standing, effective, full)
            for c in range(cell_starts[b], cell_starts[b + 1]):
                bucket = cell_index[c, 1]
                covered = min(ends[1], bucket + 1.0) - max(ends[0], float(bucket))
                for j in range(n_hypotheses):
                    _blurred_kernel(inside[j, cell_index[c, 0]], bucket - first, blur, rows[j, c])
                    rows[j, c, n_leverages] = max(covered, _COVERED_FLOOR)
            apply_sweep_kernel(state, tables, bar.low_usd, bar.high_usd, scale)
        _wait_kernel(state, tables, bar.end_ns, scale, standing)
        _open_kernel(state, tables, bar, power, mean, scale, growth, standing)


@njit(cache=True, nogil=True)
def _prior_kernel(scale: Any, shape: Any, kernel_share: float, first: Any, prior: Any) -> None:
    """Log rates of the prior into ``prior`` (K,): its log ``shape`` at the level of the events seen so far.

    ``scale`` f8 (3,) as in BankArrays; before anything was exposed, ``first`` f8 (2,) (exposure and area of the window
    at hand) stands in and half an event is assumed. The last column has the share of events the kernel leaves.
    """
    size = shape.shape[0]
    events = max(scale[0], _LEAST_EVENTS)
    kernel = scale[1] if scale[1] > 0.0 else max(first[0], 1e-12)
    area = scale[2] if scale[2] > 0.0 else max(first[1], 1e-12)
    for k in range(size - 1):
        prior[k] = shape[k] + math.log(kernel_share * events / kernel)
    prior[size - 1] = shape[size - 1] + math.log((1.0 - kernel_share) * events / area)


@njit(cache=True, nogil=True)
def _read_kernel(sums: Any, h: int, w: int, shape: Any, total: Any, seen: Any, first: Any) -> None:
    """Sums of window ``w`` of hypothesis ``h``: ``total`` (2, K) counted and full, ``seen``, ``first`` (2,)."""
    total[:] = 0.0
    size = total.shape[1]
    for b in range(sums.bar_starts[w], sums.bar_starts[w + 1]):
        for k in range(size):
            total[0, k] += sums.effective[h, b, k]
            total[1, k] += sums.full[h, b, k]
    seen[:] = 0.0
    first[:] = 0.0
    for k in range(size - 1):
        seen[0] += math.exp(shape[k]) * total[0, k]
        first[0] += math.exp(shape[k]) * total[1, k]
    seen[1], first[1] = total[0, size - 1], total[1, size - 1]


@njit(cache=True, nogil=True)
def _count_kernel(
    sums: Any, h: int, w: int, now: Any, gradient: Any, information: Any, share: Any, sizes: Any
) -> tuple[float, float, float]:
    """Events of window ``w`` under rates ``now`` (K,): number, those with a size, log likelihood; sums are filled."""
    size, events, sized, fit = now.shape[0], 0.0, 0.0, 0.0
    gradient[:] = 0.0
    information[:] = 0.0
    sizes[:] = 0.0
    for c in range(sums.cell_starts[w], sums.cell_starts[w + 1]):
        rate, n = 0.0, sums.counts[c]
        for k in range(size):
            share[k] = now[k] * sums.rows[h, c, k]
            rate += share[k]
        events += n
        sized += sums.sizes[c, 0]
        fit += n * math.log(max(rate, 1e-300))
        for k in range(size):
            share[k] /= max(rate, 1e-300)
        for k in range(size):
            weighted = n * share[k]
            gradient[k] += weighted
            sizes[k] += share[k] * sums.sizes[c, 1]
            for m in range(k + 1):
                information[k, m] += weighted * share[m]
    return events, sized, fit


@njit(cache=True, nogil=True)
def filter_bank_kernel(
    bank: Any,
    sums: Any,
    members: Any,
    half_lives_h: Any,
    shape: Any,
    prior_precision: Any,
    numbers: Any,
    theta: Any,
    fits: Any,
) -> None:
    """Score and learn every window for every member of the bank.

    Args:
        bank: BankArrays, moved on.
        sums: WindowSums.
        members: i8 (M,), hypothesis of each member.
        half_lives_h: f8 (M,), recorded hours.
        shape: f8 (K,), log shares of the prior over the leverages; the last is the shift of the floor.
        prior_precision: f8 (K, K).
        numbers: f8 (9,): step limit, temper (here divided by the dispersion of the first member's counts), damping,
            whether unused information is returned (``newton_step_kernel``), kernel share, events before learning
            starts, half-life of the scale and of the score in hours, 0 to score without moving rates.
        theta: f8 (W, M, K), filled: rates before each window.
        fits: f8 (W, M, 6), filled: log likelihood (0 before learning starts: the first member has too few events or
            exposure), events, expected of what counts, expected of all; log score and
            dispersion of counts before the window.
    """
    size, learns = shape.shape[0], numbers[8] != 0.0
    total, seen, first = np.zeros((2, size)), np.zeros(2), np.zeros(2)
    gradient, share, prior, sizes = np.zeros(size), np.zeros(size), np.zeros(size), np.zeros(size)
    information, scratch, settings = np.zeros((size, size)), np.zeros((size, size)), np.zeros(4)
    for w in range(sums.bar_starts.shape[0] - 1):
        hours = sums.hours[w]
        starting = bank.scale[0, 0] < numbers[5] or bank.scale[0, 1] < _LEAST_EXPOSURE
        for m in range(members.shape[0]):
            x, scale, score = bank.x[m], bank.scale[m], bank.score[m]
            _read_kernel(sums, members[m], w, shape, total, seen, first)
            _prior_kernel(scale, shape, numbers[4], first, prior)
            if starting and learns:
                x[:] = prior
            now = theta[w, m]
            counted, expected = 0.0, 0.0
            for k in range(size):
                now[k] = math.exp(x[k])
                counted += now[k] * total[0, k]
                expected += now[k] * total[1, k]
            events, sized, fit = _count_kernel(sums, members[m], w, now, gradient, information, share, sizes)
            # Rates without a level of their own foretell nothing: such windows are not scored.
            fits[w, m, 0], fits[w, m, 1] = 0.0 if starting else fit - counted, events
            fits[w, m, 2], fits[w, m, 3] = counted, expected
            fits[w, m, 4] = score[0]
            fits[w, m, 5] = max(1.0, (score[2] + _DISPERSION_PSEUDO) / (score[3] + _DISPERSION_PSEUDO))
            if np.isnan(hours):
                continue
            fade, slow = 2.0 ** (-hours / half_lives_h[m]), 2.0 ** (-hours / numbers[7])
            if not starting:
                score[0] = slow * score[0] + fit - counted
                score[2] = slow * score[2] + (events - counted) ** 2
                score[3] = slow * score[3] + counted
            score[1] = fade * score[1] + events
            for k in range(size):
                bank.size_sums[m, k] = fade * bank.size_sums[m, k] + sizes[k]
                for n in range(k + 1):
                    known = information[k, n] * sized / max(events, 1e-300)
                    bank.size_gram[m, k, n] = fade * bank.size_gram[m, k, n] + known
                bank.travel[m, k] = fade * bank.travel[m, k] + total[0, k]
            slow = 2.0 ** (-hours / numbers[6])
            scale[0] = slow * scale[0] + events
            scale[1] = slow * scale[1] + seen[0]
            scale[2] = slow * scale[2] + seen[1]
            if learns and not starting:
                # Events come in bursts: as many tell as much as their number over the dispersion of counts.
                settings[:] = numbers[:4]
                settings[1] /= fits[w, 0, 5]
                for k in range(size):
                    total[0, k] *= now[k]
                newton_step_kernel(
                    x,
                    bank.precision[m],
                    prior,
                    prior_precision,
                    total[0],
                    gradient,
                    information,
                    fade,
                    settings,
                    scratch,
                )


@njit(cache=True, nogil=True)
def fold_mix_kernel(values: Any, mix: Any, out: Any) -> None:
    """Leverages as one column: ``out`` f8 (n, 2) is ``mix`` (L,) over the first columns of (n, L + 1), and the last."""
    for row in range(values.shape[0]):
        total = 0.0
        for lev in range(mix.shape[0]):
            total += mix[lev] * values[row, lev]
        out[row, 0], out[row, 1] = total, values[row, mix.shape[0]]


@njit(cache=True, nogil=True)
def weigh_kernel(score: Any, dispersion: float, weights: Any) -> None:
    """Weights of members from their discounted log scores, both (M,): ``exp(score / dispersion)`` over its sum."""
    best, total = score.max(), 0.0
    for m in range(score.shape[0]):
        weights[m] = math.exp((score[m] - best) / dispersion)
        total += weights[m]
    for m in range(score.shape[0]):
        weights[m] /= total


@njit(cache=True, nogil=True)
def rates_kernel(x: Any, theta: Any) -> None:
    """Rates (M, K) of the members now, to the byte what the next window will be given: ``exp(x)``."""
    for m in range(x.shape[0]):
        for k in range(x.shape[1]):
            theta[m, k] = math.exp(x[m, k])


@njit(cache=True, nogil=True)
def judge_kernel(
    fits: Any,
    static: Any,
    hours: Any,
    half_life_h: float,
    threshold: float,
    guard: Any,
    weights: Any,
    out: Any,
) -> None:
    """Compare the bank with the prior that does not learn, window by window.

    Args:
        fits: f8 (W, M, 6) of the bank, as ``filter_bank_kernel`` fills it.
        static: f8 (W, 1, 6) of the prior.
        hours: f8 (W,), NaN where nothing is learned.
        half_life_h: recorded hours after which a difference counts half.
        threshold: of ``fall_back_kernel``, and what the past may count at most.
        guard: f8 (3,), discounted difference of log scores over the dispersion of counts; 1 while the prior is in
            force; the balance of the same difference. Moved on.
        weights: f8 (W, M), filled: weights of the members before each window.
        out: f8 (W, 4), filled: log likelihood of the bank and of the prior, whether the prior was in force before
            the window, and the balance after it.
    """
    n_members = fits.shape[1]
    for w in range(fits.shape[0]):
        dispersion = fits[w, 0, 5]
        weigh_kernel(fits[w, :, 4], dispersion, weights[w])
        top, mixed = fits[w, :, 0].max(), 0.0
        for m in range(n_members):
            mixed += weights[w, m] * math.exp(fits[w, m, 0] - top)
        out[w, 0], out[w, 1], out[w, 2] = top + math.log(mixed), static[w, 0, 0], guard[1]
        out[w, 3] = guard[2]
        if math.isnan(hours[w]):
            continue
        gain, fade = (out[w, 0] - out[w, 1]) / dispersion, 2.0 ** (-hours[w] / half_life_h)
        guard[0] = fade * guard[0] + gain
        guard[2], guard[1] = fall_back_kernel(guard[2], guard[1] > 0.0, fade, gain, threshold, threshold)
        out[w, 3] = guard[2]
