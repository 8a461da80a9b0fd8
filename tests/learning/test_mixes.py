from __future__ import annotations

import math

import numpy as np
import pytest

from faultline.errors import RequestError
from faultline.heatmap.ledger import LEVERAGES
from faultline.learning.mixes import smooth_prior, spikes


def test_a_smooth_mix_is_lognormal_over_the_grid():
    mix = smooth_prior(LEVERAGES, centre=50.0, sd=1.0)
    assert mix.sum() == pytest.approx(1.0)
    assert LEVERAGES[int(mix.argmax())] == 50.0
    assert mix[LEVERAGES.index(10.0)] / mix[LEVERAGES.index(50.0)] == pytest.approx(
        math.exp(-0.5 * math.log(5) ** 2)
    )


def test_spikes_weigh_a_few_leverages_equally():
    mix = spikes(LEVERAGES)
    assert np.flatnonzero(mix).tolist() == [LEVERAGES.index(x) for x in (10.0, 25.0, 50.0, 100.0)]
    assert set(mix[mix > 0]) == {0.25}


@pytest.mark.parametrize("case", [{"centre": 0.0}, {"sd": -1.0}, {"sd": math.nan}, {"leverages": ()}])
def test_impossible_mixes_are_refused(case):
    with pytest.raises(RequestError, match="no smooth mix"):
        smooth_prior(**{"leverages": LEVERAGES, **case})


def test_a_spike_off_the_grid_is_refused():
    with pytest.raises(RequestError, match="not on the grid"):
        spikes(LEVERAGES, at=(11.0,))
