from __future__ import annotations

import dataclasses

import pytest

from faultline.errors import RequestError
from faultline.evaluation.frozen import check_frozen


@dataclasses.dataclass
class Record:
    value: int

    @property
    def sha256(self):
        return f"hash of {self.value}"


def test_equal_hashes_match_and_others_are_named():
    records = [Record(i) for i in range(50)]
    assert check_frozen(lambda r: r.sha256, records, n=10).matched == 10
    found = check_frozen(lambda r: r.sha256 if r.value != 7 else "else", records, n=50)
    assert (found.checked, found.matched, found.different) == (50, 49, [7])


def test_the_draw_is_repeatable_and_told():
    records = [Record(i) for i in range(50)]

    def drawn():
        values = []
        check_frozen(lambda r: values.append(r.value) or r.sha256, records, n=5, seed=3)
        return values

    seen = [drawn(), drawn()]
    assert seen[0] == seen[1]
    assert len(set(seen[0])) == 5
    told = []
    check_frozen(lambda r: r.sha256, records, n=4, progress=lambda *args: told.append(args))
    assert len(told) == 4


def test_nothing_to_check_is_refused():
    with pytest.raises(RequestError, match="no frozen forecast"):
        check_frozen(lambda r: r.sha256, [])
