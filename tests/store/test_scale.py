from __future__ import annotations

import numpy as np
import pytest

from faultline.store.maps import MapStore
from faultline.store.quantise import CodeRange
from faultline.store.scale import Legend, ValueHistory, choose_range
from faultline.testing.market import fake_market
from faultline.units import DAY_NS, HOUR_NS

DAY0 = 20_000


def history_of(values_by_day, dt_ns=HOUR_NS):
    history = ValueHistory()
    for day, values in values_by_day.items():
        t_ns = day * DAY_NS + np.arange(len(values), dtype=np.int64) * dt_ns
        history.add(t_ns, dt_ns, values.astype(np.float32))
    return history


@pytest.mark.parametrize("seed", range(3))
def test_legend_is_p30_and_p998_of_the_positive_cells_of_the_trailing_seven_closed_days(seed):
    rng = np.random.default_rng(seed)
    days = {DAY0 + n: rng.lognormal(10 + n / 5, 1.5, (24, 500)) for n in range(9)}
    for values in days.values():
        values[rng.random(values.shape) < 0.3] = 0.0
    legend = history_of(days).legend((DAY0 + 8) * DAY_NS + HOUR_NS)
    seven = np.concatenate([days[DAY0 + n] for n in range(1, 8)])
    lo, hi = np.quantile(seven[seven > 0], [0.30, 0.998])
    assert legend.lo_usd == pytest.approx(lo, rel=0.02)
    assert legend.hi_usd == pytest.approx(hi, rel=0.05)
    assert (legend.from_ns, legend.to_ns) == ((DAY0 + 1) * DAY_NS, (DAY0 + 8) * DAY_NS)


def test_todays_columns_and_the_future_do_not_move_the_scale():
    rng = np.random.default_rng(4)
    days = {DAY0 + n: rng.lognormal(10, 1, (24, 20)) for n in range(3)}
    now_ns = (DAY0 + 2) * DAY_NS + HOUR_NS
    before = history_of({day: days[day] for day in (DAY0, DAY0 + 1)}).legend(now_ns)
    assert history_of({**days, DAY0 + 3: days[DAY0] * 100}).legend(now_ns) == before


def test_before_a_day_has_closed_the_columns_so_far_stand_in():
    values = np.full((3, 4), 1e5)
    legend = history_of({DAY0: values}).legend(DAY0 * DAY_NS + 5 * HOUR_NS)
    assert legend.lo_usd == pytest.approx(1e5, rel=0.02)
    assert (legend.from_ns, legend.to_ns) == (DAY0 * DAY_NS, DAY0 * DAY_NS + 3 * HOUR_NS)


@pytest.mark.parametrize("cell", [0.0, np.nan, np.inf, -5.0])
def test_cells_without_a_positive_number_do_not_count(cell):
    assert history_of({DAY0: np.full((2, 3), cell)}).legend(DAY0 * DAY_NS) is None


def test_only_as_many_days_as_needed_are_kept():
    history = history_of({DAY0 + n: np.ones((1, 1)) for n in range(40)})
    assert len(history.basis((DAY0 + 40) * DAY_NS)[0]) == 7
    history.clear()
    assert history.legend((DAY0 + 40) * DAY_NS) is None
    assert history.max_usd() == 0.0


def test_the_range_covers_the_largest_value_and_starts_below_the_scale():
    legend = Legend(1e5, 1e7, 0, 1)
    chosen = choose_range(legend, 5e7, None)
    assert chosen.vmin_usd <= 1e5
    assert chosen.vmax_usd >= 5e7


def test_where_values_spread_too_far_the_scale_wins_over_the_largest_value():
    legend = Legend(1e5, 1e7, 0, 1)
    chosen = choose_range(legend, 1e12, None)
    assert chosen.vmin_usd <= 1e5
    assert chosen.vmax_usd >= 1e7
    wide = Legend(1e2, 1e9, 0, 1)
    assert choose_range(wide, 1e9, None).vmax_usd >= 1e9


def test_the_range_stays_while_it_fits():
    legend = Legend(1e5, 1e7, 0, 1)
    present = choose_range(legend, 2e7, None)
    for wiggle in (0.7, 1.0, 1.4):
        moved = Legend(1e5 * wiggle, 1e7 * wiggle, 0, 1)
        assert choose_range(moved, 2e7 * wiggle, present) == present
    assert choose_range(legend, present.vmax_usd * 1.01, present).rung > present.rung or (
        choose_range(legend, present.vmax_usd * 1.01, present).vmin_usd <= 1e5
    )
    assert choose_range(Legend(10.0, 1e3, 0, 1), 1e3, present).rung < present.rung
    assert choose_range(None, 1.0, present) == present


def test_a_range_before_anything_is_closed_covers_what_is_there():
    assert choose_range(None, 3e6, None).vmax_usd >= 3e6
    assert isinstance(choose_range(None, 0.0, None), CodeRange)


def test_a_range_before_anything_is_closed_follows_what_comes():
    """Open interest of one venue comes before that of the others: what was large is soon small."""
    small = choose_range(None, 1.5, None)
    large = choose_range(None, 4e7, small)
    assert large.vmax_usd >= 4e7
    assert choose_range(None, 1.0, large) == large


def test_the_range_of_a_map_rarely_changes_over_ten_days():
    market = fake_market(seed=5, n_columns=24 * 10, n_rows=120, timeframe="1h")
    store = MapStore(first_seq=0)
    ranges = set()
    for stop in range(2, 24 * 10):
        for side in ("long", "short"):
            store.write_columns(market.columns("BTC", "synthetic", side, stop - 2, stop, stop - 1))
        if stop > 48:
            ranges.add(store.snapshot("BTC", "1h", "synthetic", "long").vmin_usd)
    assert len(ranges) <= 3


def test_the_scale_of_a_map_does_not_depend_on_the_order_in_which_sides_are_written():
    market = fake_market(seed=6, n_columns=600, n_rows=100)
    legends = []
    for sides in (("long", "short"), ("short", "long")):
        store = MapStore()
        for side in sides:
            store.write_columns(market.columns("BTC", "synthetic", side, 0, 600, 600))
        store.write_columns(market.columns("BTC", "synthetic", sides[0], 599, 600, 600))
        legends.append(store.legend("BTC", "5m"))
    assert legends[0] == legends[1]
