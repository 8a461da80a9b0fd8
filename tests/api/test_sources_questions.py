"""What `/sources` is asked and what it answers when the engine has nothing, something odd, or somebody else's words."""

from __future__ import annotations

import json
import math

import pytest

from faultline.pipeline.source_report import HeardFeeds, connected_report
from faultline.sources.health import Health, Status
from faultline.sources.registry import SLUGS, venue_of
from faultline.sources.rows import Reason, Rejects
from faultline.units import MILLISECOND_NS, parse_time_ns

NOW = parse_time_ns("2026-01-05T12:00")
PATH = "/api/v1/sources"
ODD = "<img src=x onerror=alert(1)>\x00\u202e\ud7ff\U0001f4a5\"'`"


@pytest.fixture
def recorded(store):
    """A store whose engine records every venue, and a venue that says odd things."""
    venues, health = {slug: venue_of(slug) for slug in SLUGS}, Health()
    for venue in venues.values():
        health.meter(venue, NOW)
    meter = health.meter(venues["bybit"], NOW)
    meter.refusal(ODD * 40)
    meter.status("publicTrade", Status.BLOCKED, ODD, NOW)
    meter.rejects({(ODD[:40], Reason.NOT_JSON): Rejects(2**40, "00ff", ODD, ODD)}, {})
    store.sources_of = lambda: connected_report(health.snapshot(NOW), venues)
    return store


def test_before_there_is_an_engine_it_says_to_ask_again(client, store):
    store.sources_of = None
    answer = client.get(PATH)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_ready"
    assert answer.json()["hint"]


def test_an_engine_that_fails_answers_a_problem_and_goes_on(client, store):
    def fail():
        msg = "secret words of the inside"
        raise RuntimeError(msg)

    store.sources_of = fail
    answer = client.get(PATH)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    store.sources_of = lambda: HeardFeeds().report("replay", NOW)
    assert client.get(PATH).json()["venues"] == []


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_can_only_be_read(client, recorded, method):
    assert getattr(client, method)(PATH).status_code == 405


@pytest.mark.parametrize("query", ["brief=maybe", "brief=2", "brief=", "brief=%00", "brief=[]", "brief=1e0"])
def test_a_question_that_is_neither_yes_nor_no_is_refused(client, recorded, query):
    answer = client.get(f"{PATH}?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", [f"{PATH}/bybit", f"{PATH}%2f..%2fstatus", f"{PATH}.json"])
def test_what_lies_beside_it_is_not_there(client, recorded, path):
    assert client.get(path).status_code == 404


def test_words_of_venues_are_text_and_come_back_as_they_are(client, recorded):
    answer = client.get(PATH)
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["x-content-type-options"] == "nosniff"
    bybit = next(one for one in answer.json()["venues"] if one["venue"] == "bybit")
    assert bybit["refusals"] == [(ODD * 40)[:300]]
    odd = next(one for one in bybit["channels"] if one["rejects"])
    assert odd["rejects"][0]["n"] == 2**40
    assert odd["rejects"][0]["detail"] == ODD


def test_a_lag_that_is_no_number_becomes_null(client, store):
    report = {**HeardFeeds().report("replay", NOW), "venues": []}
    channel = {"channel": "x", "kinds": ["trade"], "transport": "socket", "status": "live", "sentence": "s"}
    channel |= {"n_rows": 1, "lag_p50_ms": math.nan, "lag_p95_ms": math.inf, "rows_per_s": -math.inf}
    venue = {"venue": "x", "name": "X", "status": "live", "sentence": "s", "channels": [channel]}
    store.sources_of = lambda: {**report, "venues": [{**venue, "clock_offset_ms": math.nan}]}
    answer = client.get(PATH)
    [told] = json.loads(answer.text, parse_constant=pytest.fail)["venues"]
    assert (told["channels"][0]["lag_p50_ms"], told["channels"][0]["rows_per_s"]) == (None, None)
    assert told["clock_offset_ms"] is None


def test_brief_is_the_same_answer_without_what_is_long(client, recorded):
    full, brief = client.get(PATH).json(), client.get(f"{PATH}?brief=true").json()
    assert [one["venue"] for one in brief["venues"]] == list(SLUGS)
    for told, short in zip(full["venues"], brief["venues"], strict=True):
        for name in ("channels", "sockets", "coverage", "absent", "refusals"):
            assert short[name] == []
            told[name] = []
        assert told == short
    assert len(json.dumps(brief)) < 1_000 * len(SLUGS)


def test_every_time_fits_a_browsers_number(client, recorded):
    def walk(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                if isinstance(inner, int) and not isinstance(inner, bool) and key != "as_of_ns":
                    assert abs(inner) < 2**53, key
                assert not key.endswith("_ns") or key == "as_of_ns", key
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    body = client.get(PATH).json()
    walk(body)
    assert body["at_ms"] == NOW // MILLISECOND_NS
