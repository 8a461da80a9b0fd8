from __future__ import annotations

import numpy as np
import pytest

from faultline.errors import RequestError
from faultline.learning.closure import close_mix

SHARES = np.array([0.3, 0.3, 0.2, 0.2])
STANDING = np.array([40.0, 30.0, 5.0, 2.0])
SIZES = np.full(4, 1_000.0)
LOW = np.array([True, True, False, False])
PRIOR = np.array([0.05, 0.05, 0.45, 0.45])
#: Events per unit of the prior that give high leverage its true total rate.
LEVEL = 7.0 * 0.4 / 0.9


def test_the_true_share_of_low_leverage_comes_out_of_open_interest():
    theta = 7.0 * SHARES
    oi = float((theta * SIZES * STANDING).sum())
    found = close_mix(np.where(LOW, 1e-9, theta), SIZES, STANDING, oi, LOW, PRIOR, level=LEVEL)
    np.testing.assert_allclose(found, SHARES, rtol=1e-6)


def test_half_of_the_liquidations_published_is_half_the_rate():
    theta = 7.0 * SHARES
    oi = float((theta * SIZES * STANDING).sum())
    found = close_mix(0.5 * theta, SIZES, STANDING, oi, LOW, PRIOR, level=0.5 * LEVEL, reported_ratio=0.5)
    np.testing.assert_allclose(found, SHARES, rtol=1e-6)


def test_low_leverage_keeps_a_floor_when_the_rest_explains_everything():
    theta = 7.0 * SHARES
    little = float((theta * SIZES * STANDING)[~LOW].sum()) * 0.5
    found = close_mix(theta, SIZES, STANDING, little, LOW, PRIOR, level=LEVEL, floor_ratio=0.1)
    rates = found * theta[~LOW].sum() / found[~LOW].sum()
    assert float((rates * SIZES * STANDING)[LOW].sum()) == pytest.approx(0.1 * little)


@pytest.mark.parametrize(
    ("oi", "low", "ratio"),
    [(0.0, LOW, 1.0), (np.nan, LOW, 1.0), (1e6, LOW & False, 1.0), (1e6, LOW | True, 1.0), (1e6, LOW, 0.0)],
)
def test_impossible_closures_are_refused(oi, low, ratio):
    with pytest.raises(RequestError, match="open interest"):
        close_mix(SHARES, SIZES, STANDING, oi, low, PRIOR, level=LEVEL, reported_ratio=ratio)


def test_unknown_sizes_are_refused():
    with pytest.raises(RequestError, match="open interest"):
        close_mix(SHARES, SIZES * np.nan, STANDING, 1e6, LOW, PRIOR, level=LEVEL)
