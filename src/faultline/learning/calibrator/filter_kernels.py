"""Offsets, evidence and gains of events in order in, running estimates out: the calibrator's compiled loops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

__all__ = (
    "cumulative_sums_kernel",
    "margin_windows_kernel",
    "offset_filter_kernel",
    "side_evidence_kernel",
)

#: Median of the absolute value of a Student t with 4 degrees of freedom and unit scale.
_T4_MEDIAN = 0.7406971
#: What is left per event of the memory of how well the mark was known.
_BLUR_FADE = 0.998


@njit(cache=True, nogil=True)
def offset_filter_kernel(
    kinds: Any,
    signs: Any,
    offsets_bps: Any,
    times_ns: Any,
    mark_vars: Any,
    mean: Any,
    cov: Any,
    scale: Any,
    count: Any,
    blur: Any,
    last_ns: Any,
    settings: Any,
    residual: Any,
    variance: Any,
) -> None:
    """Two-state Student-t Kalman filter per price kind, in place.

    With ``h = (1, s)``, ``e = y - h m``, ``v = h P h'`` and ``c^2`` the squared noise of prints plus that of the mark::

        w = (nu + 1) / (nu + e^2 / (v + c^2));   S = v + c^2 / w;   K = P h / S
        m += K e;   P -= K h P;   P += drift^2 dt

    The noise follows the median of ``|e|``: its logarithm moves by a step up or down as ``|e|`` is above or below
    the median of such a distribution, so that gross outliers move it no more than any other event; the step shrinks
    as the part of the noise in all of ``v + c^2``.

    Args:
        kinds: i8 (n,), price kind of each event.
        signs: f8 (n,), +1 long, -1 short.
        offsets_bps: f8 (n,), ``log print - log mark``; NaN is passed over.
        times_ns: i8 (n,), in order of receipt.
        mark_vars: f8 (n,), variance of the mark at each event, bp squared.
        mean: f8 (K, 2), symmetric and antisymmetric part, bp.
        cov: f8 (K, 2, 2).
        scale: f8 (K,), bp.
        count: f8 (K,), events seen.
        blur: f8 (K, 2), fading sums of the mark's standard deviation and of 1, weighted as events weigh in the mean.
        last_ns: i8 (K,), time of the last event; -1 before the first.
        settings: f8 (5,): nu, drift in bp per square root of an hour, smallest scale, step of the scale, longest
            time in hours that drift is added for.
        residual: f8 (n,), written: ``e`` before the update, NaN where passed over.
        variance: f8 (n,), written: ``v + c^2`` before the update.
    """
    nu, drift, floor, step_min, hours_max = settings[0], settings[1], settings[2], settings[3], settings[4]
    for i in range(kinds.shape[0]):
        y, s, k = offsets_bps[i], signs[i], kinds[i]
        residual[i] = variance[i] = np.nan
        if np.isnan(y):
            continue
        if last_ns[k] >= 0:
            hours = min(max((times_ns[i] - last_ns[k]) / 3.6e12, 0.0), hours_max)
            cov[k, 0, 0] += drift * drift * hours
            cov[k, 1, 1] += drift * drift * hours
        last_ns[k] = max(last_ns[k], times_ns[i])
        to_sym = cov[k, 0, 0] + s * cov[k, 0, 1]
        to_anti = cov[k, 0, 1] + s * cov[k, 1, 1]
        v, c2 = to_sym + s * to_anti, scale[k] * scale[k] + mark_vars[i]
        e = y - mean[k, 0] - s * mean[k, 1]
        residual[i], variance[i] = e, v + c2
        weight = (nu + 1.0) / (nu + e * e / (v + c2))
        spread = v + c2 / weight
        mean[k, 0] += to_sym * e / spread
        mean[k, 1] += to_anti * e / spread
        blur[k, 0] = blur[k, 0] * _BLUR_FADE + np.sqrt(mark_vars[i]) / spread
        blur[k, 1] = blur[k, 1] * _BLUR_FADE + 1.0 / spread
        cov[k, 0, 0] -= to_sym * to_sym / spread
        cov[k, 0, 1] -= to_sym * to_anti / spread
        cov[k, 1, 1] -= to_anti * to_anti / spread
        cov[k, 1, 0] = cov[k, 0, 1]
        step = max(step_min, 2.0 / (count[k] + 4.0)) * scale[k] * scale[k] / (v + c2)
        step = step if abs(e) > _T4_MEDIAN * np.sqrt(v + c2) else -step
        scale[k] = max(scale[k] * np.exp(step), floor)
        count[k] += 1.0


@njit(cache=True, nogil=True)
def cumulative_sums_kernel(gains: Any, sums: Any, lengths: Any, drift: float, threshold: float) -> int:
    """Page's test: ``g_k = max(0, g_k + gain_k - drift)`` in place; the first row in which one passes ``threshold``.

    Args:
        gains: f8 (n, A), log likelihood of each alternative minus that of the present state, nats; rows with
            a NaN are passed over.
        sums: f8 (A,).
        lengths: i8 (A,), events since each sum was last zero.
        drift: nats.
        threshold: nats.

    Returns:
        Index of the row, or -1.
    """
    for i in range(gains.shape[0]):
        over = False
        for a in range(gains.shape[1]):
            gain = gains[i, a]
            if np.isnan(gain):
                continue
            value = sums[a] + gain - drift
            if value > 0.0:
                sums[a], lengths[a] = value, lengths[a] + 1
                over = over or value > threshold
            else:
                sums[a], lengths[a] = 0.0, 0
        if over:
            return i
    return -1


@njit(cache=True, nogil=True)
def side_evidence_kernel(evidence: Any, totals: Any, fade: float, cap: float, path: Any) -> None:
    """Log odds that sides mean what is recorded, clipped to ``+-cap``, and decayed votes, in place.

    A vote weighs at most the log odds of the majority among the votes so far, ``(max(for, against) + 2) / (n + 4)``:
    where a feed is right in seven cases of ten, a run of wrong ones says little.

    Args:
        evidence: f8 (n,), nats for the recorded side; 0 says nothing.
        totals: f8 (4,), log odds, decayed votes for and against, and how many should be for if sides are right.
        fade: weight of what came before, per vote.
        cap: nats.
        path: f8 (n, 4), written: totals after each event.
    """
    for i in range(evidence.shape[0]):
        value = evidence[i]
        if value != 0.0:
            n = totals[1] + totals[2]
            share = (max(totals[1], totals[2]) + 2.0) / (n + 4.0)
            most = np.log(max(share, 0.55) / min(1.0 - share, 0.45)) if n >= 20.0 else np.inf
            totals[0] = min(max(totals[0] + min(max(value, -most), most), -cap), cap)
            totals[1] = totals[1] * fade + (1.0 if value > 0.0 else 0.0)
            totals[2] = totals[2] * fade + (1.0 if value < 0.0 else 0.0)
            totals[3] = totals[3] * fade + 1.0 / (1.0 + np.exp(-abs(value)))
        for j in range(4):
            path[i, j] = totals[j]


@njit(cache=True, nogil=True)
def margin_windows_kernel(
    expected: Any,
    dispersion: Any,
    window: Any,
    tier: Any,
    rate: Any,
    count: Any,
    log_prior: Any,
    numbers: Any,
    scores: Any,
    marks: Any,
    whole: Any,
    sums: Any,
    found: Any,
) -> int:
    """Log likelihoods of margins per tier of size and the test for a change, window by window, in place.

    A tier's events are thinned from all by its share ``p``: a window adds ``(sum_i log rate_i - p expected) / phi``.

    Args:
        expected: f8 (W, H), events expected of the window under each margin; NaN where it teaches nothing.
        dispersion: f8 (W,), ``phi``.
        window: i8 (n,), window of each event, ascending.
        tier: i8 (n,), its tier; the number of tiers where its size is not known.
        rate: f8 (n, H), events expected of all that its bar swept.
        count: f8 (n,), liquidations that it stands for.
        log_prior: f8 (H,), of the margins.
        numbers: f8 (6,): weight of what came before per event over ``phi``, weight of scores, drift per event over
            ``phi``, threshold, most that a window counts, events between two looks at which margin is in use.
        scores: f8 (T, H), log likelihood, the best of a tier 0.
        marks: f8 (2, T + 1), faded events per tier that share the expectation, and those that were scored.
        whole: i8 (2, T), events of each tier since its last change, and the margin in use.
        sums: f8 (T, H), of Page's test; (T, H) more below, events since each was last zero.
        found: f8 (m, 6), filled: window, tier, margin before, margin after, its sum, events since it was zero.

    Returns:
        Number of changes found.
    """
    n_tiers, n_margins = scores.shape
    gain, now, n_found, first = np.zeros((n_tiers, n_margins)), np.zeros(n_tiers + 1), 0, 0
    assumed = np.argmax(log_prior)
    for w in range(expected.shape[0]):
        gain[:], now[:], end = 0.0, 0.0, first
        while end < window.shape[0] and window[end] == w:
            now[tier[end]] += count[end]
            if tier[end] < n_tiers:
                for h in range(n_margins):
                    gain[tier[end], h] += count[end] * math.log(max(rate[end, h], 1e-300))
            end += 1
        first = end
        marks[0] = marks[0] * numbers[0] ** (now.sum() / dispersion[w]) + now
        if math.isnan(expected[w, 0]) or marks[0].sum() <= 0.0:
            continue
        for k in range(n_tiers):
            n, score, in_use = now[k], scores[k], whole[1, k]
            share, fade = marks[0, k] / marks[0].sum(), numbers[0] ** (n / dispersion[w])
            for h in range(n_margins):
                gain[k, h] = (gain[k, h] - share * expected[w, h]) / dispersion[w]
            gain[k] -= gain[k, assumed]
            for h in range(n_margins):
                gain[k, h] = min(max(gain[k, h], -numbers[4]), numbers[4])
                score[h] = score[h] * fade + numbers[1] * gain[k, h]
            score -= score.max()
            marks[1, k] = marks[1, k] * fade + n
            before, over = gain[k, in_use], -1
            for h in range(n_margins):
                value = sums[k, h] + gain[k, h] - before - numbers[2] * n / dispersion[w]
                sums[k, h], sums[n_tiers + k, h] = max(value, 0.0), (sums[n_tiers + k, h] + n) * (value > 0.0)
                if value > numbers[3] and (over < 0 or value > sums[k, over]):
                    over = h
            is_due = (whole[0, k] + int(n)) // int(numbers[5]) > whole[0, k] // int(numbers[5])
            whole[0, k] += int(n)
            if over >= 0:
                if whole[0, k] > numbers[5]:
                    found[n_found, 0], found[n_found, 1], found[n_found, 2] = w, k, in_use
                    found[n_found, 3], found[n_found, 4] = over, sums[k, over]
                    found[n_found, 5] = sums[n_tiers + k, over]
                    n_found += 1
                    score[:], marks[1, k], whole[0, k] = 0.0, 0.0, 0
                whole[1, k] = over
            elif is_due:
                # What is learned slowly is no change of the venue.
                whole[1, k] = np.argmax(score + log_prior)
            if whole[1, k] != in_use:
                sums[k], sums[n_tiers + k] = 0.0, 0.0
    return n_found
