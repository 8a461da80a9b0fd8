from __future__ import annotations

import math

import numpy as np
import pytest

from faultline.errors import RequestError
from faultline.evaluation.windows import Events, MinutePath, build_windows, cells_of
from faultline.heatmap.grid import BUCKET_LOG, bucket_of
from faultline.units import MINUTE_NS, PriceKind

START = 1_700_000_100_000_000_000 // (240 * MINUTE_NS) * (240 * MINUTE_NS)


def path(minutes=60, seed=1, coarse=True):
    rng = np.random.default_rng(seed)
    close = 1_000 * np.exp(np.cumsum(rng.normal(0, 5e-4, minutes)))
    before = np.concatenate([[1_000.0], close[:-1]])
    ends = close[4::5]
    unknown = np.full(minutes // 5, np.nan)
    return MinutePath(
        first_ns=START,
        low_usd=np.minimum(before, close) * 0.9998,
        high_usd=np.maximum(before, close) * 1.0002,
        close_usd=close,
        volume_usd=rng.exponential(1e6, minutes),
        coarse_first_usd=np.concatenate([[1_000.0], ends[:-1]]) if coarse else unknown,
        coarse_last_usd=ends.copy() if coarse else unknown,
        oi_base=rng.uniform(90, 110, minutes // 5),
    )


NO_GAPS = np.zeros((0, 2), dtype=np.int64)


def gap(first_minute, last_minute):
    return np.array([[START + first_minute * MINUTE_NS, START + last_minute * MINUTE_NS]], dtype=np.int64)


def test_windows_tile_the_path_and_know_the_price_before_them():
    found = path()
    for refresh in (1, 5, 15, 60):
        windows = build_windows(found, NO_GAPS, refresh * MINUTE_NS)
        assert len(windows.start_ns) == 60 // refresh
        assert windows.full.all()
        assert not windows.live[0]  # nothing is known before the first one
        assert windows.live[1:].all()
        np.testing.assert_array_equal(windows.low_usd, found.low_usd.reshape(-1, refresh).min(axis=1))
        np.testing.assert_array_equal(windows.open_usd[1:], found.close_usd[refresh - 1 :: refresh][:-1])


def test_a_missing_minute_masks_its_block_at_every_refresh():
    found = path()
    found.close_usd[17] = np.nan
    assert np.flatnonzero(~build_windows(found, NO_GAPS, MINUTE_NS).full).tolist() == [15, 16, 17, 18, 19]
    assert np.flatnonzero(~build_windows(found, NO_GAPS, 15 * MINUTE_NS).full).tolist() == [1]


def test_a_gap_masks_every_block_it_touches_and_no_other():
    windows = build_windows(path(), gap(12, 21), 5 * MINUTE_NS)
    assert np.flatnonzero(~windows.live).tolist() == [0, 2, 3, 4]
    assert windows.full.all()
    edges = build_windows(path(), gap(10, 20), 5 * MINUTE_NS)
    assert np.flatnonzero(~edges.live).tolist() == [0, 2, 3]


def test_a_block_that_contradicts_the_second_source_takes_its_path_and_is_masked():
    found = path()
    found.coarse_last_usd[3] *= 1.02
    windows = build_windows(found, NO_GAPS, 5 * MINUTE_NS)
    assert np.flatnonzero(~windows.full).tolist() == [3]
    ends = np.array([found.coarse_first_usd[3], found.coarse_last_usd[3]])
    assert windows.low_usd[3] < ends.min()
    assert windows.high_usd[3] > ends.max()
    assert windows.minute_close_usd[3, -1] == found.coarse_last_usd[3]


def test_where_nothing_is_known_price_is_missing_not_zero():
    found = path(coarse=False)
    for values in (found.low_usd, found.high_usd, found.close_usd):
        values[20:25] = np.nan
    windows = build_windows(found, NO_GAPS, 5 * MINUTE_NS)
    assert np.isnan(windows.low_usd[4])
    assert windows.open_usd[5] == found.close_usd[19]


@pytest.mark.parametrize("refresh_ns", [0, MINUTE_NS // 2, 7 * MINUTE_NS, 241 * MINUTE_NS])
def test_refresh_intervals_that_do_not_tile_a_day_are_refused(refresh_ns):
    with pytest.raises(RequestError, match="refreshed"):
        build_windows(path(), NO_GAPS, refresh_ns)


def test_a_path_of_broken_blocks_is_refused():
    with pytest.raises(RequestError, match="five-minute"):
        path(minutes=62)


def events(rows):
    columns = list(zip(*rows, strict=True))
    return Events(
        time_ns=np.array([START + int(t * MINUTE_NS) for t in columns[0]], dtype=np.int64),
        side=np.array(columns[1], dtype=np.int8),
        price_usd=np.array(columns[2], dtype=float),
        notional_usd=np.array(columns[3], dtype=float),
        price_kind=np.array(columns[4], dtype=np.uint8),
    )


def test_events_lie_at_their_trigger_and_inside_their_minute():
    found = path()
    windows = build_windows(found, NO_GAPS, 5 * MINUTE_NS)
    inside = math.sqrt(found.low_usd[23] * found.high_usd[23])
    rows = [
        (23.5, 0, inside * 0.996, 10.0, PriceKind.BANKRUPTCY),
        (23.5, 1, inside * 1.004, 20.0, PriceKind.BANKRUPTCY),
        (23.6, 0, inside, 30.0, PriceKind.FILL),
        (23.7, 0, inside * 0.9, 5e6, PriceKind.FILL),
    ]
    cells = cells_of(windows, events(rows), 0.004, cap_usd=100_000.0)
    owner = np.repeat(cells.window, np.diff(cells.starts))
    hit = np.flatnonzero(cells.count)
    assert set(owner[hit]) == {4}
    places = {(int(cells.side[c]), int(cells.bucket[c])): cells.count[c] for c in hit}
    assert sum(places.values()) == 4
    assert places[1, bucket_of(inside)] == 1
    assert places[0, bucket_of(inside)] >= 2
    assert (0, bucket_of(float(found.low_usd[23]))) in places
    assert cells.notional_usd.sum() == pytest.approx(5e6 + 60)
    assert cells.capped_usd.sum() == pytest.approx(1e5 + 60)


def test_every_event_is_scored_or_excluded_for_one_reason():
    found = path()
    found.close_usd[32] = np.nan
    windows = build_windows(found, gap(40, 45), 5 * MINUTE_NS)
    fill = PriceKind.FILL
    rows = [(-1, 0, 1e3, 1, fill), (7, 0, 1e3, 1, fill), (31, 1, 1e3, 1, fill), (41, 1, 1e3, 1, fill),
            (50, 0, math.nan, 1, fill), (99, 0, 1e3, 1, fill)]  # fmt: skip
    cells = cells_of(windows, events(rows), 0.004, 1e5)
    assert cells.excluded == {"outside_span": 2, "no_price": 1, "no_bar": 1, "gap": 1}
    assert cells.n_raw == 6
    assert cells.count.sum() == 1


def test_cells_cover_the_swept_range_on_both_sides():
    windows = build_windows(path(), NO_GAPS, 5 * MINUTE_NS)
    cells = cells_of(windows, events([(7, 0, 1e3, 1, 1)]), 0.004, 1e5)
    for k, w in enumerate(cells.window):
        row = slice(cells.starts[k], cells.starts[k + 1])
        for side in (0, 1):
            area = cells.covered_ratio[row][cells.side[row] == side].sum() * BUCKET_LOG
            assert area == pytest.approx(
                math.log(windows.high_usd[w] / windows.low_usd[w]), abs=3e-3 * BUCKET_LOG
            )
