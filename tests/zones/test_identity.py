from __future__ import annotations

import msgspec
from tests.zones.made import START_NS

from faultline.units import HOUR_NS, MINUTE_NS
from faultline.zones.identity import measure_identity
from faultline.zones.zone import Zone, ZoneChange


def zone(name, low, high, minute=0, **more):
    fields = dict.fromkeys(Zone.__struct_fields__)
    fields |= {
        "id": name,
        "scope": "BTC",
        "side": "LONG",
        "state": "standing",
        "born_ns": START_NS,
        "since_start": False,
        "at_ns": START_NS + minute * MINUTE_NS,
        "low_usd": low,
        "high_usd": high,
        "peak_usd": (low + high) / 2,
        "notional_usd": 1e6,
        "age_s": 0.0,
        "peak_notional_usd": 1e6,
        "share_ratio": 0.1,
        "touches": 0,
    }
    return Zone(**fields | more)


def told(kind, subject, minute):
    at_ns = START_NS + minute * MINUTE_NS
    return ZoneChange(kind=kind, zone=msgspec.structs.replace(subject, at_ns=at_ns), extra={}, at_ns=at_ns)


def measure(*sets, changes=()):
    return measure_identity([(START_NS + k * MINUTE_NS, zones) for k, zones in enumerate(sets)], changes)


A, B = zone("a", 100.0, 101.0), zone("b", 103.0, 104.0)


def test_zones_that_stay_change_nothing() -> None:
    report = measure(*[[A, B]] * 11)
    assert (report.zone_minutes, report.changed, report.changed_ratio, report.zones) == (20, 0, 0.0, 2)


def test_nothing_at_all_has_no_identity_to_lose() -> None:
    assert measure().changed_ratio == measure([], []).changed_per_zone == 0.0


def test_a_place_that_belongs_to_another_a_minute_later_is_a_change() -> None:
    moved = zone("b", 100.2, 101.0), zone("a", 103.0, 104.0)
    report = measure([A, B], moved, moved)
    assert (report.taken, report.zone_minutes) == (2, 4)
    assert report.changed_ratio == 0.5


def test_less_than_half_a_place_is_no_change() -> None:
    assert measure([A, B], [zone("a", 100.0, 100.6), zone("b", 100.6, 104.0)]).changed == 0


def test_a_zone_of_the_other_side_takes_no_place() -> None:
    assert measure([A], [A, zone("s", 100.0, 101.0, side="SHORT")]).changed == 0


def test_a_zone_that_is_gone_without_a_word_is_lost() -> None:
    assert measure([A, B], [B]).lost == 1


def test_swept_and_faded_zones_are_explained() -> None:
    assert measure([A, B], [], changes=[told("swept", A, 1), told("expired", B, 1)]).changed == 0
    hit = zone("a", 100.0, 101.0, state="hit")
    assert measure([hit], [hit, zone("b", 100.0, 101.0)]).changed == 0


def test_declaring_a_zone_expired_and_creating_it_again_is_a_change() -> None:
    for minute, again in ((1, 1), (29, 1), (-29, 1), (31, 0)):
        fresh = zone("c", 100.4, 101.4)
        changes = [told("expired", A, 1), told("created", fresh, 1 + minute)]
        assert measure([A], [], changes=changes).recreated == again
    elsewhere = zone("c", 100.6, 101.6)
    assert measure([A], [], changes=[told("expired", A, 1), told("created", elsewhere, 1)]).recreated == 0


def test_a_merger_with_a_zone_that_stood_is_told_apart() -> None:
    report = measure([A, B], [zone("b", 100.0, 104.0)], changes=[told("expired", A, 1)])
    assert (report.merged, report.changed) == (1, 0)


def test_a_zone_that_drifts_off_its_place_within_the_hour_is_a_change() -> None:
    sets = [[zone("a", 100.0 + k / 60, 101.0 + k / 60)] for k in range(61)]
    assert measure(*sets).drifted == 1
    slow = [[zone("a", 100.0 + k / 200, 101.0 + k / 200)] for k in range(61)]
    assert measure(*slow).drifted == 0
    # Price came in between: what is left of a zone lies elsewhere.
    touched = [*sets[:30], *([msgspec.structs.replace(z[0], touches=1)] for z in sets[30:])]
    assert measure(*touched).drifted == 0
    assert HOUR_NS == 60 * MINUTE_NS
