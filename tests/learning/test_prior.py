from __future__ import annotations

import numpy as np
import pytest

from faultline.errors import RequestError
from faultline.learning.prior import (
    HierarchySettings,
    LearnedShape,
    MixPrior,
    generic_prior,
    refresh_priors,
)

GRID = (5.0, 10.0, 20.0, 50.0, 100.0)


def shape_of(name, mix, events, asset_class="major", level=3.0):
    """An instrument that learned ``mix`` from as many events per leverage."""
    precision = np.diag(np.asarray(events, dtype=float))
    return LearnedShape(name, asset_class, precision, precision @ (np.log(mix) + level))


LOW = np.array([0.4, 0.3, 0.15, 0.1, 0.05])
HIGH = LOW[::-1]


def test_nothing_learned_leaves_the_generic_mix():
    none = shape_of("a:X", LOW, np.zeros(5))
    found = refresh_priors([none], GRID)["a:X"]
    np.testing.assert_allclose(found.mix, generic_prior(GRID).mix, rtol=1e-9)


def test_siblings_of_a_venue_pull_and_the_level_does_not_matter():
    busy = [shape_of(f"a:X{n}", LOW, np.full(5, 500.0), level=n) for n in range(6)]
    quiet = shape_of("a:Q", HIGH, np.zeros(5))
    elsewhere = shape_of("b:Q", HIGH, np.zeros(5))
    priors = refresh_priors([*busy, quiet, elsewhere], GRID)

    def away(name):
        return 0.5 * np.abs(priors[name].mix - LOW).sum()

    assert away("a:Q") < 0.08
    assert away("a:Q") < away("b:Q") < 0.5 * np.abs(generic_prior(GRID).mix - LOW).sum()
    shifted = [
        LearnedShape(
            one.instrument_id, one.asset_class, one.precision, one.information + one.precision @ np.ones(5)
        )
        for one in busy
    ]
    again = refresh_priors([*shifted, quiet, elsewhere], GRID)
    np.testing.assert_allclose(again["a:Q"].mix, priors["a:Q"].mix, atol=0.02)


def test_an_instrument_is_left_out_of_its_own_prior():
    others = [shape_of(f"a:X{n}", LOW, np.full(5, 300.0)) for n in range(3)]
    one, two = (
        refresh_priors([*others, shape_of("a:Y", mix, np.full(5, 900.0))], GRID) for mix in (LOW, HIGH)
    )
    np.testing.assert_allclose(one["a:Y"].mix, two["a:Y"].mix)
    assert not np.allclose(one["a:X0"].mix, two["a:X0"].mix)


def test_what_was_not_travelled_is_not_pulled():
    events = np.array([0.0, 0.0, 400.0, 400.0, 400.0])
    priors = refresh_priors(
        [shape_of(f"a:X{n}", LOW, events) for n in range(5)] + [shape_of("a:Q", LOW, events * 0)], GRID
    )
    prior, generic = priors["a:Q"], generic_prior(GRID)
    assert prior.mix[4] / prior.mix[2] == pytest.approx(LOW[4] / LOW[2], rel=0.3)
    variance = np.diagonal(np.linalg.inv(prior.precision))
    assert variance[0] > variance[3]
    assert generic.mix[4] / generic.mix[2] > 1.2 * LOW[4] / LOW[2]


def test_classes_do_not_mix():
    busy = [shape_of(f"a:X{n}", LOW, np.full(5, 500.0), "minor") for n in range(4)]
    found = refresh_priors([*busy, shape_of("a:Q", LOW, np.zeros(5), "major")], GRID)["a:Q"]
    np.testing.assert_allclose(found.mix, generic_prior(GRID).mix, rtol=1e-9)


def test_wider_scatter_shares_less():
    learned = [
        *(shape_of(f"a:X{n}", LOW, np.full(5, 500.0)) for n in range(3)),
        shape_of("a:Q", LOW, np.zeros(5)),
    ]
    near, far = (
        refresh_priors(learned, GRID, HierarchySettings(within=value))["a:Q"] for value in (0.1, 2.0)
    )
    assert np.trace(np.linalg.inv(near.precision)) < np.trace(np.linalg.inv(far.precision))


def test_impossible_priors_are_refused():
    with pytest.raises(RequestError, match="twice"):
        refresh_priors([shape_of("a:X", LOW, np.ones(5)), shape_of("a:X", LOW, np.ones(5))], GRID)
    with pytest.raises(RequestError, match="grid"):
        refresh_priors([shape_of("a:X", LOW, np.ones(5))], GRID[:3])
    with pytest.raises(RequestError, match="prior"):
        MixPrior(np.array([0.5, 0.6]), np.eye(2), "too much")
