"""R of the rows of a map beside what a walk over them, row by row, gives."""

from __future__ import annotations

import numpy as np
import pytest

from faultline.cascades.chain import CascadeLearner
from faultline.cascades.reproduction import row_reproduction
from faultline.errors import RequestError
from faultline.units import HOUR_NS

EDGES = np.arange(980.0, 1021.0)
PRICE = 1_000.3
SIGMA, VOLUME = 0.03, 2e9


def heat() -> np.ndarray:
    usd = np.random.default_rng(4).uniform(1e5, 4e6, (2, len(EDGES) - 1))
    usd[0, EDGES[:-1] > PRICE] = 0.0
    usd[1, EDGES[1:] < PRICE] = 0.0
    return usd


def taught(n: int = 40) -> CascadeLearner:
    learner = CascadeLearner()
    for k in range(n):
        flow_usd = 1e6 * (1 + k % 7)
        learner.impact.apply(k * HOUR_NS, flow_usd, SIGMA * (flow_usd / VOLUME) ** 0.5, SIGMA, VOLUME)
        learner.fraction.apply(k * HOUR_NS, 2e5, 1e6)
    return learner


def asked(learner: CascadeLearner, usd=None, price_usd: float = PRICE):
    return row_reproduction(
        EDGES,
        heat() if usd is None else usd,
        price_usd,
        learner,
        sigma_day=SIGMA,
        volume_day_usd=VOLUME,
    )


def test_every_row_is_walked_to_from_the_price():
    learner, usd = taught(), heat()
    found, law, share = asked(learner), learner.impact.law, learner.fraction.mean
    for side, step in ((0, -1), (1, 1)):
        flow = 0.0
        row = int(np.searchsorted(EDGES, PRICE)) - 1
        while 0 <= row < len(EDGES) - 1:
            near = PRICE if EDGES[row] < PRICE < EDGES[row + 1] else EDGES[row + (side == 0)]
            far = EDGES[row + (side == 1)]
            released = share * usd[side, row] * abs(near - far)
            moved = law.of([flow, flow + released], SIGMA, VOLUME)
            # 1000.3 lies below the middle of its row: that row is shown as shorts.
            if not (side == 0 and near == PRICE):
                expected = (moved[1] - moved[0]) / abs(np.log(far / near))
                assert found.value[row] == pytest.approx(expected, rel=1e-9)
            flow += released
            row += step
    assert np.isfinite(found.value).all()


def test_the_interval_holds_the_value_and_narrows_with_what_was_seen():
    few, many = asked(taught(3)), asked(taught(120))
    for found in (few, many):
        assert (found.low <= found.value).all()
        assert (found.value <= found.high).all()
    assert np.median(many.high / many.low) < 0.5 * np.median(few.high / few.low)
    assert (few.n_flows < 3.01, many.n_flows > 30) == (True, True)
    assert asked(CascadeLearner()).n_flows == 0.0


def test_below_every_row_all_of_them_are_of_shorts():
    usd = np.zeros((2, len(EDGES) - 1))
    usd[1] = 1e6
    found = asked(taught(), usd, price_usd=970.0)
    assert (found.value > 0).all()
    assert asked(taught(), np.zeros_like(usd), price_usd=970.0).value.tolist() == [0.0] * (len(EDGES) - 1)


def test_missing_heat_is_an_error():
    usd = heat()
    usd[0, 3] = np.nan
    with pytest.raises(RequestError, match="negative or missing"):
        asked(taught(), usd)
