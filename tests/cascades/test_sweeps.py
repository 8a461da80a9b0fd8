"""Columns, bars and liquidations in, what was swept beside what was liquidated, by hour and side, out."""

from __future__ import annotations

import numpy as np
import pytest

from faultline.cascades.sweeps import FORCED, Column, SweepTally
from faultline.heatmap.display import DisplayRows
from faultline.market.path import PATH_ROW
from faultline.units import HOUR_NS, MINUTE_NS

START = 480_000 * HOUR_NS
ROWS = DisplayRows(10.0, 90, 20)  # 900 .. 1100 USD


def bars(*prices, first=0):
    """A bar a minute that goes straight from one price to the next."""
    path = np.zeros(len(prices) - 1, dtype=PATH_ROW)
    path["start_ns"] = START + (first + np.arange(len(path))) * MINUTE_NS
    path["end_ns"] = path["start_ns"] + MINUTE_NS
    path["low_usd"], path["high_usd"] = (
        np.minimum(prices[:-1], prices[1:]),
        np.maximum(prices[:-1], prices[1:]),
    )
    path["close_usd"] = prices[1:]
    return path


def column(minute, usd=1.0):
    return Column(START + minute * MINUTE_NS, ROWS, np.full((2, ROWS.n_rows), usd, dtype=np.float32))


def forced(*rows):
    return np.array([(START + int(m * MINUTE_NS), side, 1.0, usd) for m, side, usd in rows], dtype=FORCED)


def hour(columns, path, flow=(), cuts=()):
    tally = SweepTally()
    # The hour before is not whole: nothing is known of it.
    tally.apply_path(bars(1000.0, 1000.0, first=-1))
    assert tally.close_hour(START) == []
    tally.add_liquidations(forced(*flow))
    tally.add_columns(columns)
    for part in np.split(path, list(cuts)):
        if len(part):
            tally.apply_path(part)
            tally = SweepTally.from_state(tally.state())
    return tally.close_hour(START + HOUR_NS)


def test_what_lies_between_the_close_and_the_farthest_price_is_swept():
    path = bars(1000.0, 975.0, 1005.0, 1005.0)
    flow = [(-1, 0, 99.0), (0.5, 0, 2.0), (1.5, 0, 0.5), (1.5, 1, 0.25)]
    long, short = hour(
        [column(k) for k in range(4)], np.concatenate([path, bars(1005.0, 1005.0, first=3)]), flow
    )
    assert (long.side, long.end_ns, long.seen_usd) == (0, START + HOUR_NS, 2.5)
    assert long.swept_usd == pytest.approx(2.5)
    # From 975 up to 1005 shorts are swept: three rows of them.
    assert (short.side, short.seen_usd) == (1, 0.25)
    assert short.swept_usd == pytest.approx(3.0)


def test_a_column_holds_until_the_next_one():
    path = bars(1000.0, 990.0, 970.0, 970.0, 970.0)
    found = hour([column(0), column(2, 5.0)], path)
    assert [(sweep.side, sweep.swept_usd) for sweep in found] == [(0, pytest.approx(3.0))]


@pytest.mark.parametrize("cuts", [(), (1,), (2, 5), range(1, 59)])
def test_cuts_and_restarts_change_nothing(cuts):
    rng = np.random.default_rng(2)
    path = bars(*(1000.0 + np.cumsum(rng.normal(0, 5, 61))))
    columns = [column(k, 1.0 + k) for k in range(60)]
    flow = [(float(m), int(m) % 2, 1.0) for m in rng.uniform(0, 60, 30)]
    assert hour(columns, path, flow, cuts) == hour(columns, path, flow)
    assert len(hour(columns, path, flow)) == 2


def test_an_hour_in_which_map_or_path_broke_off_says_nothing():
    steps = 1000.0 + 5.0 * np.sin(np.arange(61))
    columns = [column(k) for k in range(60)]
    assert len(hour(columns, bars(*steps))) == 2
    assert hour([column(k) for k in range(60) if not 20 < k < 35], bars(*steps)) == []
    whole = bars(*steps)
    assert (
        hour(
            columns,
            whole[(whole["end_ns"] < START + 20 * MINUTE_NS) | (whole["start_ns"] > START + 35 * MINUTE_NS)],
        )
        == []
    )
    missing = [*columns[:30], column(30, np.nan), *columns[31:]]
    assert hour(missing, bars(*steps)) == []
