from __future__ import annotations

import math

import numpy as np
import pytest

from faultline.errors import StoreError
from faultline.learning.calibrator.spread import OFFSET_EDGES_BPS, RECEIPT_EDGES_S, Spread


def test_quartiles_are_those_of_the_values():
    values = np.random.default_rng(1).normal(-39.0, 3.0, 5_000)
    spread = Spread(OFFSET_EDGES_BPS, half_life_events=1e9)
    spread.add(values)
    assert spread.quantiles() == pytest.approx(np.quantile(values, (0.25, 0.5, 0.75)), abs=0.3)
    assert spread.n_events == pytest.approx(5_000, rel=1e-3)


def test_two_venues_in_one_feed_are_two_clusters():
    rng = np.random.default_rng(2)
    spread = Spread(OFFSET_EDGES_BPS)
    mixed = np.concatenate([rng.normal(-40.0, 1.5, 1200), rng.normal(-51.0, 1.5, 800)])
    spread.add(rng.permutation(mixed))
    (first, second) = spread.clusters()
    assert first == (pytest.approx(-40.0, abs=1.0), pytest.approx(0.6, abs=0.05))
    assert second == (pytest.approx(-51.0, abs=1.0), pytest.approx(0.4, abs=0.05))


@pytest.mark.parametrize("seed", range(10))
def test_one_venue_is_one_cluster_however_its_noise_falls(seed):
    rng = np.random.default_rng(seed)
    spread = Spread(OFFSET_EDGES_BPS)
    values = rng.normal(-40.0, 4.0, 1500)
    values[rng.random(1500) < 0.06] += 80.0
    spread.add(values)
    assert len(spread.clusters()) == 1


def test_old_events_fade():
    spread = Spread(OFFSET_EDGES_BPS, half_life_events=100.0)
    spread.add(np.full(1000, -40.0))
    spread.add(np.full(1000, -60.0))
    assert spread.quantiles((0.5,))[0] == pytest.approx(-60.0, abs=0.5)
    assert spread.n_events == pytest.approx(100.0 / math.log(2.0), rel=0.02)


def test_few_events_have_no_clusters_and_none_no_quantiles():
    spread = Spread(RECEIPT_EDGES_S)
    assert all(math.isnan(value) for value in spread.quantiles())
    spread.add(np.array([0.3, math.nan, -1.0, 1e9]))
    assert spread.n_events == 1.0
    assert spread.clusters() == ()


def test_any_cut_gives_the_same_bytes_even_after_many_events():
    values = np.random.default_rng(3).normal(0.0, 20.0, 3000)
    whole, found = Spread(OFFSET_EDGES_BPS, 5.0), Spread(OFFSET_EDGES_BPS, 5.0)
    whole.add(values)
    for part in np.split(values, [1, 1500, 1501]):
        found = Spread.from_state(found.state(), OFFSET_EDGES_BPS, 5.0)
        found.add(part)
    assert found.state()["mass"].tobytes() == whole.state()["mass"].tobytes()
    with pytest.raises(StoreError, match="histogram"):
        Spread.from_state(found.state(), RECEIPT_EDGES_S)
