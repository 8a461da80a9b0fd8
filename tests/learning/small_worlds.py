"""Tiny markets whose truth is known: positions one by one in a heap, nothing shared with the ledger."""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np

from faultline.heatmap.ledger import PATH_BAR
from faultline.learning.reporting import EVENT

START_NS = 1_760_000_400_000_000_000


class World(NamedTuple):
    bars: np.ndarray
    events: np.ndarray
    #: Index into the grid of leverages of each event.
    leverage: np.ndarray


def make_world(
    seed,
    leverages,
    shares,
    *,
    steps=40_000,
    step_s=10,
    sigma=7e-4,
    opens=1.0,
    hazard_per_h=1 / 36,
    exponent=0.5,
    spread=0.2,
    margin=0.005,
    size_sigma=1.0,
    mass_at=None,
    margin_at=None,
):
    """Positions opened at the end of each step, closed by chance or forced out when the path passes their price.

    ``opens`` per step and side on average, in proportion to a random activity that is told as units. ``mass_at(step)``
    may give other shares later on, ``margin_at(step)`` another margin to positions opened from then on.
    """
    rng = np.random.default_rng(seed)
    price = 100.0 * np.exp(np.concatenate([[0.0], np.cumsum(rng.standard_normal(steps) * sigma)]))
    activity = rng.lognormal(0.0, 0.5, steps)
    bars = np.zeros(steps, dtype=PATH_BAR)
    bars["start_ns"] = START_NS + np.arange(steps) * step_s * 10**9
    bars["end_ns"] = bars["start_ns"] + step_s * 10**9
    bars["low_usd"], bars["high_usd"] = np.minimum(price[:-1], price[1:]), np.maximum(price[:-1], price[1:])
    bars["close_usd"] = price[1:]
    bars["units_long"] = bars["units_short"] = activity
    levels = ([], [])
    rows = []
    grid = np.asarray(leverages, dtype=float)
    for step in range(steps):
        now, before = price[step + 1], price[step]
        for side, edge in ((0, min(now, before)), (1, max(now, before))):
            heap = levels[side]
            while heap and _passed(heap[0][0], edge, side):
                key, ends, lev = heapq.heappop(heap)
                if ends > step:
                    level = abs(key)
                    # Where on the way of this step the level lies tells when it was passed.
                    part = (level - before) / (now - before) if now != before else 0.5
                    rows.append((step, min(max(part, 0.0), 0.999), side, level, lev))
        mix = shares if mass_at is None else mass_at(step)
        kept = margin if margin_at is None else margin_at(step)
        for side in (0, 1):
            for lev in rng.choice(len(grid), rng.poisson(opens * activity[step]), p=mix):
                distance = (1 / grid[lev] - kept) * np.exp(spread * rng.standard_normal())
                rate = hazard_per_h * (grid[lev] / 10) ** exponent * step_s / 3600
                ends = step + 1 + rng.exponential(1 / max(rate, 1e-12))
                level = now * (1 - distance) if side == 0 else now * (1 + distance)
                if level > 0:
                    heapq.heappush(levels[side], (-level if side == 0 else level, ends, int(lev)))
    rows.sort()
    events = np.zeros(len(rows), dtype=EVENT)
    for index, (step, part, side, level, _) in enumerate(rows):
        events[index]["time_ns"] = START_NS + int((step + part) * step_s * 10**9)
        events[index]["side"], events[index]["trigger_usd"] = side, level
    events["count"] = 1.0
    events["notional_usd"] = rng.lognormal(8.0, size_sigma, len(rows))
    return World(bars, events, np.array([row[4] for row in rows], dtype=int))


def _passed(key, edge, side):
    """Whether a path that reached ``edge`` passed the level of a heap's key."""
    return -key >= edge if side == 0 else key <= edge


def published(events, scheme, window_ns=10**9):
    """What a venue tells of all events: the latest or largest of each window, or all at the window's end."""
    slot = events["time_ns"] // window_ns
    if scheme == "batched":
        told = events.copy()
        told["time_ns"] = (slot + 1) * window_ns
        return told
    if scheme == "all":
        return events
    kept = {}
    for index, key in enumerate(slot.tolist()):
        old = kept.get(key)
        if scheme == "latest" or old is None or events["notional_usd"][index] > events["notional_usd"][old]:
            kept[key] = index
    return events[sorted(kept.values())]


def distance_between(one, two):
    """Total variation."""
    return 0.5 * float(np.abs(np.asarray(one) - np.asarray(two)).sum())
