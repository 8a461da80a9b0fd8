"""What a rule says about an event depends on rule, event, moment and memory alone."""

from __future__ import annotations

import datetime as dt
import itertools
import zoneinfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.alerts.conftest import NOON_NS, SECOND, a_rule, an_event

from faultline.alerts.matching import AlertMemory, Verdict, matches, subject_of, verdict_of
from faultline.store.alert_rules import AlertRule, QuietHours, RateLimit

MOMENTS = st.integers(NOON_NS - 400 * 86_400 * SECOND, NOON_NS + 400 * 86_400 * SECOND)
CLOCK_TIMES = st.tuples(st.integers(0, 23), st.integers(0, 59)).map(lambda t: f"{t[0]:02d}:{t[1]:02d}")
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])


def ns(text, tz):
    local = dt.datetime.fromisoformat(text).replace(tzinfo=zoneinfo.ZoneInfo(tz))
    return int(local.timestamp()) * SECOND


@pytest.mark.parametrize(
    ("rule", "event", "expected"),
    [
        ({}, {}, True),
        ({"enabled": False}, {}, False),
        ({"types": ("ZONE_HIT",)}, {}, True),
        ({"types": ("ZONE_SWEPT", "DIVERGENCE")}, {}, False),
        ({"assets": ("ETH",)}, {}, False),
        ({"assets": ("ETH", "BTC")}, {}, True),
        ({"venues": ("binance",)}, {"venue": "binance"}, True),
        ({"venues": ("okx",)}, {"venue": "binance"}, False),
        ({"venues": ("okx",)}, {"venue": None}, False),
        ({"sides": ("LONG",)}, {}, True),
        ({"sides": ("SHORT",)}, {}, False),
        ({"priorities": (1, 2)}, {}, False),
        ({"priorities": (0,)}, {}, True),
        ({"max_distance_ratio": 0.01}, {"distance_ratio": -0.0099}, True),
        ({"max_distance_ratio": 0.01}, {"distance_ratio": -0.0101}, False),
        ({"max_distance_ratio": 0.01}, {"distance_ratio": None}, False),
        ({"max_distance_ratio": 0.01}, {"distance_ratio": float("nan")}, False),
        ({"max_distance_ratio": 0.5}, {"kind": "SOURCE_DOWN"}, False),
        ({"min_notional_usd": 31.2e6}, {}, True),
        ({"min_notional_usd": 31.3e6}, {}, False),
        ({"min_notional_usd": 0}, {"notional_usd": None}, False),
        ({"min_density_level": 8}, {}, True),
        ({"min_density_level": 9}, {}, False),
        ({"min_density_level": 1}, {"density_level": None}, False),
        ({"min_density_level": 1}, {"density_level": True}, False),
        ({}, {"mode": "replay"}, False),
        ({}, {"mode": "rebuilt"}, False),
        ({}, {"mode": "simulated"}, False),
        ({"modes": ("live", "simulated")}, {"mode": "simulated"}, True),
        ({"modes": ("live", "simulated", "replay")}, {"mode": "replay"}, True),
        ({"modes": ("live", "simulated", "replay")}, {"mode": "rebuilt"}, False),
    ],
)
def test_a_rule_takes_what_meets_all_its_conditions(rule, event, expected):
    assert matches(a_rule(**rule), an_event(**event)) is expected


def test_a_zone_approached_and_then_hit_is_two_subjects_and_another_moment_is_none():
    first, again = an_event(at_ns=NOON_NS), an_event(at_ns=NOON_NS + SECOND)
    assert subject_of(first) == subject_of(again)
    assert subject_of(first) != subject_of(an_event("ZONE_APPROACHED"))
    assert subject_of(first) != subject_of(an_event(zone_id="BTC-L-other-0"))


QUIET_CASES = [
    ("22:00", "07:00", "2026-03-02T21:59:59", False),
    ("22:00", "07:00", "2026-03-02T22:00:00", True),
    ("22:00", "07:00", "2026-03-03T00:00:00", True),
    ("22:00", "07:00", "2026-03-03T06:59:59", True),
    ("22:00", "07:00", "2026-03-03T07:00:00", False),
    ("12:00", "13:00", "2026-03-02T12:30:00", True),
    ("12:00", "13:00", "2026-03-02T13:00:00", False),
    # Clocks in Berlin go from 02:00 to 03:00 on 2026-03-29 and from 03:00 back to 02:00 on 2026-10-25.
    ("22:00", "07:00", "2026-03-29T06:59:00", True),
    ("22:00", "07:00", "2026-03-29T07:00:00", False),
    ("22:00", "07:00", "2026-10-25T06:59:00", True),
    ("22:00", "07:00", "2026-10-25T07:00:00", False),
    ("02:00", "03:00", "2026-10-25T02:30:00", True),
]


@pytest.mark.parametrize(("start", "end", "local", "expected"), QUIET_CASES)
def test_quiet_hours_follow_the_clock_on_the_wall(start, end, local, expected):
    hours = msgspec.convert({"from": start, "to": end, "tz": "Europe/Berlin"}, QuietHours)
    assert hours.holds_at(ns(local, "Europe/Berlin")) is expected


def test_an_hour_that_the_clock_skips_is_never_quiet_and_one_that_comes_twice_is_quiet_twice():
    hours = msgspec.convert({"from": "02:00", "to": "03:00", "tz": "Europe/Berlin"}, QuietHours)
    spring, autumn = ns("2026-03-29T00:00", "UTC"), ns("2026-10-25T00:00", "UTC")

    def minutes(start):
        return sum(hours.holds_at(start + minute * 60 * SECOND) for minute in range(180))

    assert minutes(spring) == 0
    assert minutes(autumn) == 120


@given(moment=MOMENTS, start=CLOCK_TIMES, end=CLOCK_TIMES, tz=ZONES)
def test_every_moment_is_in_the_hours_or_in_their_complement(moment, start, end, tz):
    if start == end:
        return
    inside = msgspec.convert({"from": start, "to": end, "tz": tz}, QuietHours)
    outside = msgspec.convert({"from": end, "to": start, "tz": tz}, QuietHours)
    assert inside.holds_at(moment) is not outside.holds_at(moment)


def test_urgent_events_break_through_quiet_hours_only_where_the_rule_says_so():
    hours = (msgspec.convert({"from": "11:00", "to": "13:00"}, QuietHours),)
    quiet, loud = a_rule(quiet_hours=hours), a_rule(quiet_hours=hours, p0_ignores_quiet=True)
    hit, near = an_event("ZONE_HIT"), an_event("ZONE_APPROACHED")
    assert verdict_of(quiet, hit, NOON_NS, (), None) is Verdict.QUIET
    assert verdict_of(loud, hit, NOON_NS, (), None) is Verdict.SEND
    assert verdict_of(loud, near, NOON_NS, (), None) is Verdict.QUIET
    assert verdict_of(quiet, hit, NOON_NS + 3600 * SECOND, (), None) is Verdict.SEND


@given(
    gaps=st.lists(st.integers(0, 40), min_size=1, max_size=60),
    n=st.integers(1, 5),
    per_s=st.integers(1, 60),
)
def test_no_window_of_a_rate_limit_holds_more_than_it_allows_and_none_is_held_back_without_need(
    gaps, n, per_s
):
    rule = a_rule(rate_limit=RateLimit(n=n, per_s=per_s))
    memory, sent, now = AlertMemory(), [], NOON_NS
    for gap in gaps:
        now += gap * SECOND
        inside = [moment for moment in sent if moment > now - per_s * SECOND]
        verdict = memory.verdict(rule, an_event(), now)
        assert verdict is (Verdict.RATE if len(inside) >= n else Verdict.SEND)
        if verdict is Verdict.SEND:
            memory.note(rule.name, subject_of(an_event()), now)
            sent.append(now)
    for start in sent:
        assert sum(start <= moment < start + per_s * SECOND for moment in sent) <= n


@given(gaps=st.lists(st.integers(0, 50), min_size=1, max_size=40), dedupe=st.integers(0, 90))
def test_alerts_about_one_subject_lie_at_least_the_given_time_apart(gaps, dedupe):
    rule, memory, sent, now = a_rule(dedupe_s=dedupe), AlertMemory(), [], NOON_NS
    for gap in gaps:
        now += gap * SECOND
        if memory.verdict(rule, an_event(), now) is Verdict.SEND:
            memory.note(rule.name, subject_of(an_event()), now)
            sent.append(now)
    assert all(later - sooner >= dedupe * SECOND for sooner, later in itertools.pairwise(sent))
    assert sent


def test_a_clock_set_back_holds_nothing_back():
    rule = a_rule(dedupe_s=900, rate_limit=RateLimit(n=1, per_s=900))
    later = NOON_NS + 500 * SECOND
    assert verdict_of(rule, an_event(), NOON_NS, (later,), later) is Verdict.SEND


def test_a_held_back_alert_does_not_count_against_the_rate():
    rule = a_rule(dedupe_s=60, rate_limit=RateLimit(n=2, per_s=600))
    memory = AlertMemory()
    memory.note(rule.name, subject_of(an_event()), NOON_NS)
    assert memory.verdict(rule, an_event(), NOON_NS + SECOND) is Verdict.DUPLICATE
    assert memory.verdict(rule, an_event(zone_id="other"), NOON_NS + SECOND) is Verdict.SEND


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=30), st.integers(0, 30))
def test_what_is_undone_was_never_noted(notes, cut):
    rule = a_rule(dedupe_s=1000, rate_limit=RateLimit(n=3, per_s=1000))
    kept, undone = AlertMemory(), AlertMemory()
    for number, (zone, gap) in enumerate(notes):
        now = NOON_NS + (number + gap) * SECOND
        if number == cut:
            undone.commit()
        if number < cut:
            kept.note(rule.name, zone, now)
        undone.note(rule.name, zone, now)
    if len(notes) > cut:
        undone.undo()
    assert {name: list(sent) for name, sent in kept._sent.items() if sent} == {
        name: list(sent) for name, sent in undone._sent.items() if sent
    }
    assert kept._last.get(rule.name, {}) == undone._last.get(rule.name, {})


def test_memory_is_bounded():
    memory = AlertMemory(rate_max=10, subjects_max=20)
    for number in range(100):
        memory.note("r", f"s{number}", NOON_NS + number)
        memory.commit()
    assert len(memory._sent["r"]) == 10
    assert len(memory._last["r"]) == 20
    memory.note("r", "much later", NOON_NS + 2 * 86_400 * SECOND)
    assert list(memory._last["r"]) == ["much later"]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("quiet_hours", [{"from": "25:00", "to": "07:00"}], "from"),
        ("quiet_hours", [{"from": "22:00", "to": "22:00"}], "empty"),
        ("quiet_hours", [{"from": "22:00", "to": "07:00", "tz": "Europe/Berln"}], "Europe/Berln"),
        ("quiet_hours", [{"from": "22:00", "to": "07:00", "tz": "../../etc/passwd"}], "not known"),
        ("quiet_hours", [{"from": "22:00", "to": "07:00", "tz": "America"}], "not known"),
        ("max_distance_ratio", float("nan"), "max_distance_ratio"),
        ("max_distance_ratio", -1, "max_distance_ratio"),
        ("min_notional_usd", float("inf"), "min_notional_usd"),
        ("min_density_level", 11, "min_density_level"),
        ("priorities", [3], "priorities"),
        ("sides", ["UP"], "sides"),
        ("modes", ["rebuilt"], "modes"),
        ("modes", [], "modes"),
        ("targets", [], "targets"),
        ("targets", ["json://x"], "targets"),
        ("targets", ["a"] * 9, "targets"),
        ("assets", ["B" * 33], "assets"),
        ("assets", ["<b>"], "assets"),
        ("dedupe_s", 86_401, "dedupe_s"),
        ("rate_limit", {"n": 0, "per_s": 1}, "rate_limit"),
        ("name", "../x", "name"),
        ("name", "", "name"),
        ("name", "a" * 65, "name"),
        ("name", "a\n", "name"),
        ("name", "a ", "name"),
        ("surprise", 1, "surprise"),
    ],
)
def test_a_rule_with_a_value_of_no_use_is_refused(field, value, said):
    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.convert({"name": "near", "targets": ["phone"], field: value}, AlertRule)
