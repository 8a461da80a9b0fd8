"""Slow and obvious twins of the zones stage."""

from __future__ import annotations


def prominence(heat, peak):
    """How far one must come down from a peak before it goes up to something higher."""
    valleys = []
    for step in (-1, 1):
        lowest, place = heat[peak], peak + step
        while 0 <= place < len(heat) and heat[place] <= heat[peak]:
            lowest = min(lowest, heat[place])
            place += step
        valleys.append(lowest)
    return heat[peak] - max(valleys)


def edge(heat, peak, step, bound, level):
    """Where heat first falls to a level on the way from a peak to a bound, between two rows by straight line."""
    place = peak
    while place != bound and heat[place] > level:
        place += step
    if heat[place] < level:
        before = heat[place - step]
        return place - step + step * (before - level) / (before - heat[place])
    return float(place)


def finds(heat, row_bps, here, side, p):
    """(peak, low, high, share) of one side in rows, by walking; no zone stands yet."""
    total_heat = sum(heat)
    taken = []
    for k in range(1, len(heat) - 1):
        if not heat[k - 1] < heat[k] > heat[k + 1]:
            continue
        if (k >= here) == (side == 0) or abs(k - here) * row_bps > p.reach_ratio * 1e4:
            continue
        height = prominence(heat, k)
        if height < p.birth_peak_ratio * heat[k]:
            continue
        if height * 100.0 / row_bps < p.birth_side_ratio * total_heat:
            continue
        taken.append(k)
    out = []
    far = -int(-p.half_width_max_bps // row_bps)
    for n, k in enumerate(taken):
        low_bound = taken[n - 1] if n else 0
        high_bound = taken[n + 1] if n + 1 < len(taken) else len(heat) - 1
        below = min(range(low_bound, k + 1), key=lambda j: heat[j])
        above = min(range(k, high_bound + 1), key=lambda j: heat[j])
        ends = []
        for step, valley, bound in ((-1, below, max(below, k - far)), (1, above, min(above, k + far))):
            drop = p.edge_ratio * min(heat[k] - heat[valley], p.edge_drop_ratio * heat[k])
            ends.append(edge(heat, k, step, bound, heat[k] - drop))
        out.append((k, ends[0], ends[1], prominence(heat, k) / heat[k]))
    return out


def held(usd, rows, low_usd, high_usd):
    """USD of one side between two prices, row by row."""
    total = 0.0
    for k, amount in enumerate(usd):
        bottom, top = (rows.first_row + k) * rows.row_usd, (rows.first_row + k + 1) * rows.row_usd
        total += amount * max(0.0, min(top, high_usd) - max(bottom, low_usd)) / rows.row_usd
    return total


def moved_bps(one, other, bucket_bps):
    """Earth that must be carried to turn one shape into another, bucket by bucket from the left."""
    carried = distance = 0.0
    for a, b in zip(one, other, strict=True):
        carried += a - b
        distance += abs(carried) * bucket_bps
    return distance


def fits(zone, find, p):
    """Whether a zone and a find can be the same: enough of the narrower one overlaps, or peaks are near."""
    overlap = min(zone.high, find.high) - max(zone.low, find.low)
    narrower = min(zone.high - zone.low, find.high - find.low)
    holds = find.low <= zone.peak <= find.high or zone.low <= find.peak <= zone.high
    near = abs(zone.peak - find.peak) / find.peak * 1e4 <= p.near_bps
    return (holds and overlap >= p.overlap_ratio * narrower) or near
