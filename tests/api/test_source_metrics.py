"""Series of connected venues at ``/metrics``, and their absence where nothing is connected."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from faultline.api.source_metrics import STATUSES
from faultline.pipeline.source_report import HeardFeeds, connected_report
from faultline.sources.health import Health, Status, WriterHealth
from faultline.sources.registry import venue_of
from faultline.sources.rows import Reason, Rejects
from faultline.units import MILLISECOND_NS, SECOND_NS, parse_time_ns

NOW = parse_time_ns("2026-01-05T12:00")
DOCUMENTED = (Path(__file__).parents[2] / "docs" / "reference" / "api.md").read_text(encoding="utf-8")


@pytest.fixture
def recorded(store):
    """A store whose engine records Bybit, with some of everything that is counted."""
    venue, health = venue_of("bybit"), Health()
    meter = health.meter(venue, NOW - 60 * SECOND_NS)
    for channel in meter.channels:
        meter.status(channel, Status.LIVE, "rows come", NOW - 30 * SECOND_NS)
    meter.rows("publicTrade", 7, NOW - 2 * SECOND_NS, [40 * MILLISECOND_NS, 60 * MILLISECOND_NS])
    meter.gap("publicTrade")
    meter.counts.n_reconnects = 3
    meter.rejects({("publicTrade", Reason.UNKNOWN_WORD): Rejects(2, "00ff", "S 'Hold'", "{}")}, {})
    made_up = {
        (f'evil{number}"\n', Reason.UNKNOWN_CHANNEL): Rejects(1, "00ff", "no", "{}") for number in range(40)
    }
    meter.rejects(made_up, {})
    writer = WriterHealth(11, 1_000, 4_321, is_paused=True, n_pauses=2, paused_s=1.5, failure="")
    health.writer(writer, NOW)
    store.sources_of = lambda: connected_report(health.snapshot(NOW), {"bybit": venue}, (900, 1_000))
    store.write_status({"mode": "live", "state": "ready", "version": "1", "as_of_ns": NOW})
    return store


def series(client):
    """Every sample of the sources, by its name and labels."""
    text = client.get("/metrics").text
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith(("faultline_source_", "faultline_tape_"))
    }


def of(name, **labels):
    return (f"faultline_{name}", *sorted(labels.items()))


def test_a_connected_venue_is_told_by_state_and_channel(recorded, client):
    found = series(client)
    trades = {"venue": "bybit", "channel": "publicTrade"}
    states = {word: found[of("source_status", venue="bybit", status=word)] for word in STATUSES}
    assert states == {word: float(word == "live") for word in STATUSES}
    assert found[of("source_rows_total", **trades)] == 7
    assert found[of("source_gaps_total", **trades)] == 1
    assert found[of("source_row_age_seconds", **trades)] == 2
    assert found[of("source_lag_p95_seconds", **trades)] == pytest.approx(0.06)
    assert found[of("source_clock_offset_seconds", venue="bybit")] == pytest.approx(0.04)
    assert found[of("source_reconnects_total", venue="bybit")] == 3
    assert found[of("tape_rows_waiting")] == 11
    assert found[of("tape_rows_acknowledged_total")] == 4_321
    assert found[of("tape_disk_free_bytes")] == 900
    assert (found[of("tape_paused")], found[of("tape_pauses_total")], found[of("tape_failed")]) == (1, 2, 0)


def test_what_never_came_has_no_lag_and_no_age(recorded, client):
    found = series(client)
    told = {dict(key[1:])["channel"] for key in found if key[0] == "faultline_source_row_age_seconds"}
    assert told == {"publicTrade"}
    assert found[of("source_rows_total", venue="bybit", channel="tickers")] == 0


def test_channels_that_a_venue_makes_up_do_not_become_labels(recorded, client):
    found = series(client)
    venue = {"venue": "bybit", "reason": "unknown channel"}
    assert found[of("source_rejects_total", channel="other", **venue)] == 40
    asked = found[of("source_rejects_total", venue="bybit", channel="publicTrade", reason="unknown word")]
    assert asked == 2
    labels = {dict(key[1:]).get("channel") for key in found} - {None, "other"}
    assert labels == {line.channel for line in venue_of("bybit").coverage}


def test_every_state_of_a_venue_has_a_series():
    assert set(STATUSES) == {word.value for word in Status}


@pytest.mark.parametrize("mode", ["replay", "simulated"])
def test_nothing_connected_has_no_series_and_is_not_even_asked(recorded, client, mode):
    asked = []
    recorded.sources_of = lambda: asked.append(1) or HeardFeeds().report(mode, NOW)
    recorded.write_status({"mode": mode, "state": "ready", "version": "1", "as_of_ns": NOW})
    assert series(client) == {}
    recorded.write_status({"mode": "live", "state": "ready", "version": "1", "as_of_ns": NOW})
    assert asked == []


def test_a_live_engine_without_sources_has_no_series(recorded, client):
    recorded.sources_of = None
    assert series(client) == {}


def test_every_series_is_documented_and_every_documented_one_is_there(recorded, client):
    documented = set(re.findall(r"faultline_(?:source|tape)_\w+", DOCUMENTED))
    assert {key[0] for key in series(client)} == documented
