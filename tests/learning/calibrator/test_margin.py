from __future__ import annotations

import numpy as np
import pytest

from faultline.errors import RequestError, StoreError
from faultline.learning.calibrator.margin import MarginBank, MarginSettings

GRID = np.array(MarginSettings().corrections_bps)
CAPS = (300_000.0, 800_000.0)


def scores(rng, n, true_bps, width_bps=12.0):
    """Log likelihood of trigger places that scatter around the true margin, under each correction."""
    places = rng.normal(true_bps, width_bps, n)[:, None]
    return -0.5 * ((places - GRID) / width_bps) ** 2


def sizes(rng, n, tier):
    low, high = ((1e3, 3e5), (3e5, 8e5), (8e5, 5e6))[tier]
    return rng.uniform(low, high, n)


@pytest.mark.parametrize("true_bps", [-10.0, 0.0, 10.0])
def test_a_tier_with_events_finds_its_correction(true_bps):
    rng = np.random.default_rng(1)
    bank = MarginBank(CAPS)
    bank.apply(scores(rng, 1500, true_bps), sizes(rng, 1500, 1))
    found = bank.correction(1)
    assert found.low <= true_bps <= found.high
    assert abs(found.value - true_bps) < 2.0
    assert found.data_share > 0.9


def test_a_tier_without_events_leans_on_the_others_and_says_so():
    rng = np.random.default_rng(2)
    bank = MarginBank(CAPS)
    bank.apply(scores(rng, 1500, 10.0), sizes(rng, 1500, 0))
    found = bank.correction(2)
    assert found.data_share == 0.0
    assert found.n_events == 0.0
    assert found.value > 4.0
    assert found.high - found.low > 20.0


def test_without_events_the_prior_is_told():
    found = MarginBank().correction(0)
    assert abs(found.value) < 1.0
    assert (found.n_events, found.data_share) == (0.0, 0.0)


def test_twenty_thousand_events_without_a_change_raise_no_alarm():
    rng = np.random.default_rng(3)
    bank = MarginBank(CAPS)
    tiers = np.concatenate([sizes(rng, 10_000, 0), sizes(rng, 10_000, 1)])
    assert bank.apply(scores(rng, 20_000, 5.0), tiers) == []


@pytest.mark.parametrize(("after_bps", "within"), [(10.0, 250), (-25.0, 80)])
def test_a_change_of_one_tier_is_found_and_what_was_learned_is_dropped(after_bps, within):
    rng = np.random.default_rng(4)
    bank = MarginBank(CAPS)
    assert bank.apply(scores(rng, 1000, 0.0), sizes(rng, 1000, 0)) == []
    changes = bank.apply(scores(rng, 400, after_bps), sizes(rng, 400, 0))
    assert len(changes) == 1
    assert (changes[0].tier, changes[0].before_bps) == (0, 0.0)
    assert abs(changes[0].after_bps - after_bps) <= 5.0
    assert changes[0].row < within
    assert bank.correction(0).n_events < 400
    assert abs(bank.correction(0).value - after_bps) < 5.0


def test_settling_on_a_correction_is_no_change():
    rng = np.random.default_rng(5)
    bank = MarginBank()
    assert bank.apply(scores(rng, 290, 25.0), sizes(rng, 290, 0)) == []
    assert bank.in_use_bps()[0] == 25.0


def test_any_cut_gives_the_same_bytes():
    rng = np.random.default_rng(6)
    values, notional = scores(rng, 600, 10.0), rng.uniform(1e3, 1e6, 600)
    values[5, 2] = np.nan
    whole, found = MarginBank(CAPS), MarginBank(CAPS)
    whole.apply(values, notional)
    for part in np.split(np.arange(600), [1, 99, 400]):
        found = MarginBank.from_state(found.state(), CAPS)
        found.apply(values[part], notional[part])
    assert {k: v.tobytes() for k, v in found.state().items()} == {
        k: v.tobytes() for k, v in whole.state().items()
    }


def test_what_does_not_fit_is_refused():
    with pytest.raises(RequestError, match="ascend"):
        MarginBank((5.0, 4.0))
    with pytest.raises(RequestError, match="corrections"):
        MarginBank().apply(np.zeros((2, 3)), np.zeros(2))
    with pytest.raises(RequestError, match="tier"):
        MarginBank().correction(1)
    with pytest.raises(StoreError, match="margin bank"):
        MarginBank.from_state(MarginBank().state(), CAPS)
