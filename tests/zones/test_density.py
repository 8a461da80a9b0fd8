from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.zones.made import START_NS

from faultline.units import DAY_NS, HOUR_NS
from faultline.zones.density import LEVEL_SAMPLES_MIN, DensityScale

HOUR = START_NS // HOUR_NS * HOUR_NS


def fed(turnovers, first_ns=HOUR):
    scale = DensityScale()
    for k, usd in enumerate(turnovers):
        scale.feed_hour(first_ns + k * HOUR_NS, usd)
    return scale


def test_density_is_exposure_over_the_median_hour() -> None:
    scale = fed([1e8, 9e8, 2e8])
    assert scale.hourly_turnover_usd == 2e8
    assert scale.ratio(5e8) == 2.5


def test_where_volume_is_unknown_what_stands_in_counts_and_where_both_are_nothing_does() -> None:
    scale = DensityScale()
    scale.feed_hour(HOUR, math.nan, 3e8)
    scale.feed_hour(HOUR + HOUR_NS, math.nan)
    assert scale.hourly_turnover_usd == 3e8
    scale.feed_hour(HOUR + 2 * HOUR_NS, 1e8, 9e8)
    assert scale.hourly_turnover_usd == 2e8


@pytest.mark.parametrize("turnovers", [[], [math.nan], [-1.0], [0.0, 0.0, 5.0]], ids=str)
def test_without_turnover_there_is_no_density(turnovers) -> None:
    scale = fed(turnovers)
    assert scale.ratio(1e8) is None
    assert scale.level(None) is None
    scale.sample(HOUR, [1e8])
    assert scale.n_samples == 0


def test_turnover_and_densities_of_thirty_days_count() -> None:
    scale = fed([1e8])
    scale.sample(HOUR, [1e8] * 200)
    scale.feed_hour(HOUR + 30 * DAY_NS, 4e8)
    assert scale.hourly_turnover_usd == 4e8
    scale.sample(HOUR + 29 * DAY_NS, [2e8])
    assert scale.n_samples == 201
    scale.sample(HOUR + 30 * DAY_NS, [2e8])
    assert scale.n_samples == 2


def test_there_is_no_level_before_there_are_enough_zones() -> None:
    scale = fed([1e8])
    scale.sample(HOUR, [1e6 * k for k in range(LEVEL_SAMPLES_MIN - 1)])
    assert scale.level(0.5) is None
    scale.sample(HOUR, [1e8])
    assert scale.level(0.5) is not None


def test_levels_are_deciles_of_the_zones_own_past() -> None:
    scale = fed([1.0])
    scale.sample(HOUR, list(range(1000)))
    assert [scale.level(100.0 * k + 50.0) for k in range(10)] == list(range(1, 11))
    assert (scale.level(-1.0), scale.level(1e9)) == (1, 10)


def test_a_zone_like_all_others_is_in_the_middle() -> None:
    scale = fed([1.0])
    scale.sample(HOUR, [7.0] * 500)
    assert scale.level(7.0) == 6


@given(st.lists(st.floats(0, 1e12), min_size=100, max_size=200), st.floats(0, 1e12))
def test_a_level_is_what_a_slow_count_says_and_grows_with_density(samples, ratio) -> None:
    scale = fed([1.0])
    scale.sample(HOUR, samples)
    rank = sum(other < ratio for other in samples) + sum(other == ratio for other in samples) / 2
    assert scale.level(ratio) == min(10, int(10 * rank / len(samples)) + 1)
    assert scale.level(ratio) <= scale.level(ratio * 2 + 1)


def test_a_scale_goes_on_from_its_state() -> None:
    scale = fed([1e8, 3e8])
    scale.sample(HOUR, list(range(150)))
    again = DensityScale.from_state(scale.state())
    for part in (scale, again):
        part.feed_hour(HOUR + 5 * HOUR_NS, 9e8)
        part.sample(HOUR + 5 * HOUR_NS, [4e8])
    assert again.level(0.5) == scale.level(0.5)
    assert all(np.array_equal(value, scale.state()[key]) for key, value in again.state().items())
