"""An id is new once, until so many others came that it is forgotten."""

from __future__ import annotations

from faultline.sources.recent_ids import RecentIds


def test_an_id_is_new_once():
    ids = RecentIds(4)
    assert [ids.is_new(one) for one in (1, "a", 1, (2, 3), "a")] == [True, True, False, True, False]


def test_the_oldest_is_forgotten_first():
    ids = RecentIds(2)
    assert [ids.is_new(one) for one in (1, 2, 3)] == [True, True, True]
    assert not ids.is_new(3)
    assert not ids.is_new(2)
    assert ids.is_new(1), "two later ones came"
    assert ids.is_new(2)
