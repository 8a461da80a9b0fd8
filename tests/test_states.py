"""A state that is damaged, or another version's, is refused with what to do; parts are found under their own names."""

from __future__ import annotations

import numpy as np
import pytest

from faultline.errors import RequestError, StoreError
from faultline.states import part_of, restoring

STATE = {"version": np.array([3]), "a.mass": np.ones(2), "a.clock": np.zeros(1), "ab.mass": np.zeros(2)}


def test_a_part_has_its_own_names_and_nothing_of_its_neighbours():
    assert {name: part.tolist() for name, part in part_of(STATE, "a.").items()} == {
        "mass": [1.0, 1.0],
        "clock": [0.0],
    }


@pytest.mark.parametrize(
    "read",
    [
        lambda state: state["missing"],
        lambda state: np.copyto(np.zeros(3), state["a.mass"]),
        lambda state: state["a.mass"][7],
        lambda state: len(state["version"][0]),
        lambda _: (_ for _ in ()).throw(RequestError("no such bank")),
    ],
)
def test_whatever_a_wrong_state_raises_says_to_rebuild_it(read):
    with pytest.raises(StoreError, match="not the state of a bank") as found, restoring("a bank", STATE, 3):
        read(STATE)
    assert found.value.hint == "rebuild it from the tape"


@pytest.mark.parametrize("state", [STATE, {}])
def test_another_version_is_not_read_at_all(state):
    seen = []
    with pytest.raises(StoreError, match="version"), restoring("a bank", state, 4):
        seen.append(1)
    assert not seen


def test_what_is_not_the_states_fault_passes():
    with pytest.raises(ZeroDivisionError), restoring("a bank", STATE, 3):
        raise ZeroDivisionError
