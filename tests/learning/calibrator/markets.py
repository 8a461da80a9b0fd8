"""A seed in, a market whose venue prints with a known offset and delay out: path bars and liquidation rows."""

from __future__ import annotations

import numpy as np

from faultline.market.path import PATH_ROW
from faultline.messages import Flag, Kind, empty_rows
from faultline.units import SECOND_NS, PriceKind

START_NS = 1_770_000_000 * SECOND_NS


def market(
    seed,
    *,
    n_events=600,
    offset_bps=-40.0,
    delay_s=1.0,
    change_at=None,
    change_bps=0.0,
    spacing_s=20,
    outliers=0.06,
    inverted_from=None,
):
    """One-second bars of a random walk that has fast stretches, and prints of the mark ``delay_s`` before their stamp.

    Longs are forced out after falls. A share of prints is far off, nearly always on one side.
    """
    rng = np.random.default_rng(seed)
    steps = 10 * spacing_s * (n_events + 10)
    speed = np.where(np.repeat(rng.random(steps // 200 + 1) < 0.4, 200)[:steps], 3.0, 0.4)
    log_mark = np.log(60_000.0) + np.cumsum(rng.normal(0.0, 1e-4, steps) * speed)
    # The path that is known: closes, lows and highs of seconds.
    seconds = log_mark.reshape(-1, 10)
    path = np.zeros(len(seconds), PATH_ROW)
    path["start_ns"] = START_NS + np.arange(len(seconds)) * SECOND_NS
    path["end_ns"] = path["start_ns"] + SECOND_NS
    before = np.concatenate((log_mark[:1], seconds[:-1, -1]))
    path["low_usd"] = np.exp(np.minimum(seconds.min(axis=1), before))
    path["high_usd"] = np.exp(np.maximum(seconds.max(axis=1), before))
    path["close_usd"] = np.exp(seconds[:, -1])

    at = np.sort(rng.choice(np.arange(700, steps - 100), n_events, replace=False))
    fell = log_mark[at] < log_mark[at - 600]
    sides = np.where(fell, 1, -1)
    offsets = np.full(n_events, offset_bps)
    if change_at is not None:
        offsets[change_at:] += change_bps
    # Step k of the walk is reached at the end of its tenth of a second.
    triggers = log_mark[at - round(delay_s * 10)]
    noise = rng.normal(0.0, 1.0, n_events)
    noise[rng.random(n_events) < outliers] += 120.0
    rows = empty_rows(Kind.LIQUIDATION, n_events)
    rows["ts_event_ns"] = START_NS + (at + 1) * (SECOND_NS // 10)
    rows["ts_received_ns"] = rows["ts_event_ns"] + 50_000_000
    rows["side"] = sides
    if inverted_from is not None:
        rows["side"][inverted_from:] *= -1
    rows["price_kind"] = PriceKind.BANKRUPTCY
    rows["price_usd"] = np.exp(triggers + (sides * offsets + noise) * 1e-4)
    rows["notional_usd"] = rng.lognormal(9.0, 1.0, n_events)
    rows["flags"] = Flag.NONE
    return rows, path
