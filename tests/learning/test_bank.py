from __future__ import annotations

import numpy as np
import pytest

from faultline.errors import RequestError
from faultline.heatmap.ledger import LedgerParameters
from faultline.learning.bank import BankSteps, Hypothesis, distinct_kernels, star_bank, weigh_members


def test_the_star_varies_one_assumption_at_a_time():
    bank = star_bank()
    assert len(bank) == 13
    assert bank[0].name == "incumbent"
    assert len({member.name for member in bank}) == 13
    here = bank[0]
    for member in bank[1:]:
        kernel = [
            name
            for name in LedgerParameters.__struct_fields__
            if getattr(member.kernel, name) != getattr(here.kernel, name)
        ]
        own = [
            name
            for name in ("deposit_exponent", "half_life_h")
            if getattr(member, name) != getattr(here, name)
        ]
        assert len(kernel) + len(own) == 1


def test_a_step_of_nothing_adds_no_member():
    still = BankSteps(hazard=1, exponent=0, dispersion=1, margin_ratio=0, deposit=0, half_life=1)
    assert len(star_bank(steps=still)) == 1
    assert len(star_bank(steps=BankSteps(hazard=1, exponent=0))) == 9


def test_members_share_the_ledgers_they_can():
    groups, index = distinct_kernels(star_bank())
    assert sum(len(kernels) for _, kernels in groups) == 11
    assert {power for power, _ in groups} == {0.5, 1.0, 1.5}
    flat = [(power, kernel) for power, kernels in groups for kernel in kernels]
    for member, place in zip(star_bank(), index, strict=True):
        assert flat[place] == (member.deposit_exponent, member.kernel)


def test_banks_without_one_grid_are_refused():
    with pytest.raises(RequestError, match="bank"):
        distinct_kernels([])
    with pytest.raises(RequestError, match="grids"):
        distinct_kernels([Hypothesis(), Hypothesis(kernel=LedgerParameters(leverages=(2.0, 3.0)))])
    with pytest.raises(ValueError, match="half-life"):
        Hypothesis(half_life_h=0.0)


def test_weights_follow_scores_over_the_dispersion():
    score = np.array([0.0, 2.0, -1e9])
    np.testing.assert_allclose(
        weigh_members(score, np.array(1.0)), [1 / (1 + np.e**2), 1 / (1 + np.e**-2), 0]
    )
    even = weigh_members(score, np.array(1e12))
    assert even[0] == pytest.approx(even[1])
