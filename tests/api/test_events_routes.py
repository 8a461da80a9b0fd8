from __future__ import annotations

import msgspec
import pytest
from tests.api.event_bodies import event

from faultline.signals.events import EventType
from faultline.store.events import EventStore


@pytest.fixture
def events(tmp_path):
    store = EventStore(tmp_path / "facts.db")
    yield store
    store.close()


@pytest.fixture
def client(open_client, events):
    return open_client(events=events)


def seqs(client, query=""):
    body = client.get(f"/api/v1/events{query}").json()
    return [each["seq"] for each in body["events"]]


def test_an_event_is_what_the_engine_said_with_its_number(client, events):
    events.append([event(1)])
    events.flush()
    body = client.get("/api/v1/events").json()
    assert body["events"] == [{**msgspec.to_builtins(event(1)), "seq": 1}]
    assert body["last_seq"] == 1
    assert body["simulated"] is True


def test_pages_go_back_from_the_newest_and_forward_from_any(client, events):
    log = [event(n) for n in range(12)]
    events.append(log)
    events.flush()
    assert seqs(client, "?limit=3") == [12, 11, 10]
    assert seqs(client, "?limit=3&before_id=10") == [9, 8, 7]
    assert seqs(client, "?limit=3&after_id=10") == [11, 12]
    assert seqs(client, "?after_id=3&before_id=7") == [4, 5, 6]
    assert seqs(client, f"?after_id={log[9].id}") == [11, 12]
    assert seqs(client, f"?before_id={log[2].id}") == [2, 1]
    assert seqs(client, "?after_id=99") == []


def test_type_asset_and_time_choose(client, events):
    events.append([event(n, asset=("BTC", "ETH")[n % 2]) for n in range(6)])
    events.append(
        [event(6, kind=EventType.SOURCE_RECOVERED), event(7, kind=EventType.SOURCE_RECOVERED, asset="ETH")]
    )
    events.flush()
    assert seqs(client, "?asset=ETH") == [8, 6, 4, 2]
    assert seqs(client, "?type=SOURCE_RECOVERED") == [8, 7]
    assert len(seqs(client, "?type=SOURCE_RECOVERED&type=SOURCE_DOWN")) == 8
    assert seqs(client, "?type=SOURCE_RECOVERED&asset=BTC") == [7]
    start = event(2).detected_at_ns // 1_000_000
    assert seqs(client, f"?from_ms={start}&to_ms={start + 2_000}") == [4, 3]


@pytest.mark.parametrize(
    ("query", "status", "where"),
    [
        ("limit=0", 400, "limit"),
        ("limit=1001", 400, "limit"),
        ("type=SHOUTED", 400, "event_type"),
        ("after_id=x", 400, "after_id"),
        ("before_id=-1", 400, "before_id"),
        (f"after_id={'ab' * 12}", 404, "id"),
        ("asset=", 400, "asset"),
    ],
)
def test_what_cannot_be_answered_is_a_problem_that_names_it(client, query, status, where):
    response = client.get(f"/api/v1/events?{query}")
    assert response.headers["content-type"].startswith("application/problem+json")
    assert (response.status_code, response.json()["where"]) == (status, where)


def test_without_a_log_it_says_so(open_client):
    response = open_client().get("/api/v1/events")
    assert (response.status_code, response.json()["code"]) == (503, "not_ready")


def test_metrics_count_events_by_type_and_latency_by_priority(client, events):
    events.append(
        [event(1, latency_ms=40.0), event(2, latency_ms=400.0), event(3, mode="rebuilt", latency_ms=None)]
    )
    events.append([event(3, mode="live")])
    events.flush()
    text = client.get("/metrics").text
    assert 'faultline_events_total{type="SOURCE_DOWN"} 3.0' in text
    assert 'faultline_event_latency_seconds_bucket{le="0.05",priority="P1"} 1.0' in text
    assert 'faultline_event_latency_seconds_bucket{le="0.5",priority="P1"} 2.0' in text
    assert 'faultline_event_latency_seconds_count{priority="P1"} 2.0' in text
    assert "faultline_event_log_repeated 1.0" in text
    assert "faultline_event_log_seq 3.0" in text
