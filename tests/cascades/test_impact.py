"""Impact: the law and its inverse, the walk through a book, and what is learned of Y and delta."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.cascades.impact import Book, Impact, ImpactLaw, book_flow_usd, book_impact
from faultline.cascades.levels import HeatAhead
from faultline.cascades.reproduction import reproduction, sustained_stretches
from faultline.errors import RequestError
from faultline.units import DAY_NS


@given(scale=st.floats(0.1, 5), exponent=st.floats(0.2, 1.0), flow=st.floats(1.0, 1e11))
def test_the_inverse_of_the_law_gives_the_flow_back(scale, exponent, flow):
    law = Impact(scale, exponent)
    moved = law.of(flow, 0.03, 1e10)
    assert law.flow_usd(moved, 0.03, 1e10) == pytest.approx(flow, rel=1e-6)


def test_the_law_is_a_square_root_of_the_share_of_a_day():
    assert Impact().of(2.5e9, 0.04, 1e10) == pytest.approx(0.02)
    assert Impact().of(0.0, 0.04, 1e10) == 0.0


def book_twin(book, flow):
    """Eat level by level."""
    left = flow
    for distance, usd in zip(book.distance, book.usd, strict=True):
        left -= usd
        if left <= 0:
            return distance
    return math.nan


@given(flow=st.floats(0, 2000), seed=st.integers(0, 50))
def test_the_walk_through_the_book_is_eating_level_by_level(flow, seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 20))
    book = Book(tuple(np.cumsum(rng.random(n)) * 1e-4), tuple(rng.random(n) * 100 + 1))
    np.testing.assert_equal(float(book_impact(book, flow)), book_twin(book, flow))


def test_a_book_shorter_than_the_flow_is_missing_and_not_a_guess():
    book = Book((0.001, 0.002), (10.0, 20.0))
    np.testing.assert_equal(
        book_impact(book, np.array([5.0, 30.0, 31.0, np.nan])), [0.001, 0.002, np.nan, np.nan]
    )
    np.testing.assert_equal(
        book_flow_usd(book, np.array([0.0005, 0.001, 0.002, 0.003])), [0.0, 10.0, 30.0, np.nan]
    )


def test_y_and_delta_are_learned_and_forgotten_toward_the_prior():
    rng = np.random.default_rng(3)
    law = ImpactLaw(30 * DAY_NS)
    for k in range(3000):
        flow = 1e8 * math.exp(1.5 * rng.standard_normal())
        moved = 2.2 * 0.03 * (flow / 2e10) ** 0.62 * math.exp(0.3 * rng.standard_normal())
        law.apply(k * 10**9, flow, moved, 0.03, 2e10)
    assert law.law.exponent == pytest.approx(0.62, abs=0.02)
    assert math.log(law.law.scale / 2.2) == pytest.approx(0.0, abs=0.1)
    resumed = ImpactLaw.from_state(30 * DAY_NS, law.state())
    for one in (law, resumed):
        one.apply(400 * DAY_NS, 1e8, 0.002, 0.03, 2e10)
    assert law.law == resumed.law
    assert abs(law.law.exponent - 0.5) < 0.1
    assert law.sd[1] == pytest.approx(0.1, abs=0.03)
    drawn = [one.exponent for one in law.draws(rng.standard_normal((500, 2)))]
    assert np.std(drawn) == pytest.approx(law.sd[1], rel=0.15)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_a_hop_without_flow_or_move_teaches_nothing(bad):
    law = ImpactLaw(DAY_NS)
    with pytest.raises(RequestError, match="no impact"):
        law.apply(0, bad, 0.001, 0.03, 1e10)
    with pytest.raises(RequestError, match="no impact"):
        law.apply(0, 1e6, bad, 0.03, 1e10)


def test_reproduction_is_the_slope_of_impact_times_heat():
    usd = np.array([4e7, 0.0, 1e8, 2e6])
    ahead = HeatAhead(0, 50_000.0, np.array([0.0, 0.001, 0.002, 0.003, 0.01]), usd)
    law, sigma, volume = Impact(1.3, 0.5), 0.03, 2e10
    numbers = reproduction(
        ahead, law, sigma_day=sigma, volume_day_usd=volume, liquidated_ratio=0.5, released_usd=1e7
    )
    flow = 1e7
    for k in range(4):
        # The slope of the law, integrated over the cell in small steps.
        steps = np.linspace(flow, flow + 0.5 * usd[k], 20_001)
        middle = (steps[1:] + steps[:-1]) / 2
        slope = 0.5 * law.of(middle, sigma, volume) / middle
        width = ahead.distance[k + 1] - ahead.distance[k]
        assert numbers[k] == pytest.approx((slope * np.diff(steps)).sum() / width, rel=1e-6, abs=1e-12)
        flow += 0.5 * usd[k]
    assert sustained_stretches(ahead, np.array([2.0, 0.5, 3.0, 1.5])) == [(0.0, 0.001), (0.002, 0.01)]
    assert sustained_stretches(ahead, np.zeros(4)) == []


def test_reproduction_is_finite_where_nothing_was_released_yet():
    ahead = HeatAhead(1, 1.0, np.array([0.0, 0.001, 0.002]), np.array([0.0, 1e6]))
    numbers = reproduction(ahead, Impact(), sigma_day=0.03, volume_day_usd=1e9)
    assert np.isfinite(numbers).all()
    assert numbers[0] == 0.0
