"""An id is new once, until so many others came that it is forgotten."""

from __future__ import annotations

from faultline.sources.recent_ids import RecentIds


def test_an_id_is_new_once():
    ids = RecentIds(4)
    assert [ids.admit(one) for one in (1, "a", 1, (2, 3), "a")] == [True, True, False, True, False]


def test_the_oldest_is_forgotten_first():
    ids = RecentIds(2)
    assert [ids.admit(one) for one in (1, 2, 3)] == [True, True, True]
    assert not ids.admit(3)
    assert not ids.admit(2)
    assert ids.admit(1), "two later ones came"
    assert ids.admit(2)
