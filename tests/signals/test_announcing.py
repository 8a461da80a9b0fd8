from __future__ import annotations

import pytest
from tests.store.zone_bodies import zone

from faultline.signals.announcing import NOTABLE_SHARE_RATIO, Announcer, is_notable
from faultline.zones.zone import CHANGE_KINDS, ZoneChange

SMALL, LARGE = {"share_ratio": NOTABLE_SHARE_RATIO / 2}, {"share_ratio": NOTABLE_SHARE_RATIO}
ENDS = {"swept", "expired"}


def change(kind, **fields):
    more = {"state": kind} if kind in ENDS else {}
    return ZoneChange(kind=kind, zone=zone(**more, **fields), extra={}, at_ns=0)


def told(announcer, *kinds, **fields):
    return [kind for kind in kinds if announcer.tells(change(kind, **fields))]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (LARGE, True),
        (SMALL, False),
        (SMALL | {"density_level": 5, "loaded": True}, True),
        (SMALL | {"density_level": 4, "loaded": False}, False),
        (LARGE | {"density_level": 4, "loaded": False}, True),
    ],
)
def test_a_zone_is_notable_by_its_share_or_because_it_is_loaded(fields, expected) -> None:
    assert is_notable(zone(**fields)) is expected


def test_a_small_zone_comes_and_goes_without_a_word() -> None:
    story = ("created", "reinforced", "building", "approached", "thinning", "expired")
    assert told(Announcer(), *story, **SMALL) == []


def test_a_notable_zone_is_told_of_from_beginning_to_end() -> None:
    for end in sorted(ENDS):
        life = [kind for kind in CHANGE_KINDS if kind not in ENDS] + [end]
        assert told(Announcer(), *life, **LARGE) == life


def test_what_was_told_of_is_told_to_its_end_though_it_has_become_small() -> None:
    announcer = Announcer()
    assert told(announcer, "created", **LARGE) == ["created"]
    story = ("reinforced", "building", "approached", "thinning", "expired")
    assert told(announcer, *story, **SMALL) == ["approached", "thinning", "expired"]
    assert told(announcer, "expired", **SMALL) == []


def test_price_inside_is_told_of_every_zone_and_so_is_what_follows() -> None:
    assert told(Announcer(), "created", "hit", "expired", **SMALL) == ["hit", "expired"]
    assert told(Announcer(), "created", "hit", "swept", **SMALL) == ["hit", "swept"]


def test_a_zone_that_grows_is_told_of_from_then_on() -> None:
    announcer = Announcer()
    assert told(announcer, "created", **SMALL) == []
    assert told(announcer, "reinforced", **LARGE) == ["reinforced"]
    assert told(announcer, "expired", **SMALL) == ["expired"]


def test_zones_are_told_apart_and_the_memory_goes_on() -> None:
    announcer = Announcer()
    announcer.tells(change("created", name="b", **LARGE))
    announcer.tells(change("created", name="a", **LARGE))
    announcer.tells(change("created", name="c", **SMALL))
    assert announcer.told() == ["a", "b"]
    again = Announcer(announcer.told())
    assert again.tells(change("expired", name="a", **SMALL))
    assert not again.tells(change("expired", name="c", **SMALL))
    assert again.told() == ["b"]
