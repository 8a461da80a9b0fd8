"""Rules, targets and deliveries over HTTP: what may be changed, what never shows, what is refused."""

from __future__ import annotations

import json
import random
import time

import pytest
from litestar.testing import TestClient

from faultline.alerts.desk import AlertDesk
from faultline.alerts.rules import RULES_MAX
from faultline.alerts.sending import Refused, is_usable
from faultline.alerts.targets import make_target
from faultline.api.app import build_app
from faultline.api.keys import hash_key
from faultline.api.settings import ApiSettings
from faultline.clock import ManualClock
from faultline.errors import StoreError
from faultline.signals.events import EventType, make_event
from faultline.store.alert_rules import AlertRule
from faultline.store.alerts import AlertStore
from faultline.store.events import EventStore

NOON_NS = 1_772_452_800_000_000_000
SECOND = 1_000_000_000
SECRET = "hunter2-s3cr3t"
BASE = "http://127.0.0.1:8787"
RULES = "/api/v1/alerts/rules"
FILE_RULE = AlertRule(name="from the file", types=[EventType.SOURCE_DOWN], targets=["phone"])


class World:
    """An engine's stores, a desk and a client of the API around them."""

    def __init__(self, folder, store, **settings):
        self.events = EventStore(folder / "facts.db")
        self.store = AlertStore(folder / "facts.db")
        self.clock = ManualClock(NOON_NS)
        self.sent = []
        self.send = lambda target, text: self.sent.append((target.name, text.summary))
        self.desk = AlertDesk(
            self.events,
            self.store,
            rules=[FILE_RULE],
            targets=[make_target(name, f"json://u:{SECRET}@127.0.0.1:9", "x") for name in ("phone", "mail")],
            clock=self.clock,
            rng=random.Random(1),
            send=self._post,
        )
        app = build_app(store, None, ApiSettings(**settings), alerts=self.desk)
        self.client = TestClient(app, base_url=BASE, raise_server_exceptions=False)

    def _post(self, target, text):
        self.send(target, text)

    def happen(self, *seconds, mode="live", **fields):
        for number, second in enumerate(seconds):
            known = dict.fromkeys(("zone_id", "scope", "low_usd", "high_usd", "peak_usd", "loaded"))
            event = make_event(
                EventType.ZONE_HIT,
                asset="BTC",
                subject=f"{number}-{second}-{mode}",
                detected_at_ns=NOON_NS + second * SECOND,
                data={
                    **known,
                    "side": "LONG",
                    "notional_usd": 5e6,
                    "distance_ratio": 0.0,
                    "density_level": 8,
                    "price_usd": 96_000.0,
                    "zone_id": "z1",
                    **fields,
                },
                simulated=False,
                mode=mode,
            )
            self.events.append([event])
        self.events.flush()

    def put(self, at="mine", /, **fields):
        return self.client.put(f"{RULES}/{at}", json={"targets": ["phone"], **fields})


@pytest.fixture(scope="module", autouse=True)
def _loaded_library():
    """Load apprise before any thread does: what it warns of while it loads belongs to no test."""
    assert is_usable(make_target("phone", "json://127.0.0.1", "x"))


@pytest.fixture
def make_world(tmp_path, store):
    made = []

    def make(**settings):
        world = World(tmp_path, store, **settings)
        world.client.__enter__()
        made.append(world)
        return world

    yield make
    for world in made:
        world.client.__exit__(None, None, None)
        world.desk.stop()
        world.events.close()
        world.store.close()


@pytest.fixture
def world(make_world):
    return make_world()


def test_the_overview_shows_rules_with_their_source_and_targets_without_their_addresses(world):
    world.put(types=["ZONE_HIT"], quiet_hours=[{"from": "22:00", "to": "07:00", "tz": "Europe/Berlin"}])
    body = world.client.get("/api/v1/alerts").json()
    assert [(rule["name"], rule["source"]) for rule in body["rules"]] == [
        ("from the file", "config"),
        ("mine", "page"),
    ]
    assert body["rules"][1] == {
        "name": "mine",
        "source": "page",
        "enabled": True,
        "types": ["ZONE_HIT"],
        "assets": [],
        "venues": [],
        "sides": [],
        "max_distance_ratio": None,
        "min_notional_usd": None,
        "min_density_level": None,
        "priorities": [],
        "modes": ["live"],
        "quiet_hours": [{"from": "22:00", "to": "07:00", "tz": "Europe/Berlin"}],
        "p0_ignores_quiet": False,
        "rate_limit": {"n": 10, "per_s": 600},
        "dedupe_s": 900,
        "targets": ["phone"],
    }
    assert [(item["name"], item["scheme"]) for item in body["targets"]] == [
        ("phone", "json"),
        ("mail", "json"),
    ]
    assert {"simulated", "as_of_ns", "as_of_ms", "stale"} <= set(body)
    assert (body["deliveries"], body["counters"]["sent"], body["counters"]["waiting"]) == ([], 0, 0)
    assert SECRET not in json.dumps(body)


def test_a_rule_read_from_the_overview_can_be_written_back(world):
    world.put(modes=["simulated"])
    rule = world.client.get("/api/v1/alerts").json()["rules"][1]
    answer = world.client.put(f"{RULES}/mine", json={**rule, "min_density_level": 9})
    assert answer.status_code == 200, answer.text
    assert answer.json()["rules"][1] == {**rule, "min_density_level": 9}


def test_a_rule_made_on_the_page_alerts_and_is_logged_and_survives_a_restart(make_world):
    first = make_world()
    first.desk.start()
    first.put("BTC zones", types=["ZONE_HIT"], targets=["mail"])
    first.happen(0)
    end = time.monotonic() + 10
    while not first.store.counts().get("sent"):
        assert time.monotonic() < end
        time.sleep(0.01)
    [item] = first.client.get("/api/v1/alerts").json()["deliveries"]
    assert {key: item[key] for key in item if key not in ("id", "event_id")} == {
        "rule": "BTC zones",
        "target": "mail",
        "event_type": "ZONE_HIT",
        "summary": "BTC: price reached long zone ?-? (est. $5.0M, level 8)",
        "state": "sent",
        "attempts": 1,
        "updated_ms": NOON_NS // 1_000_000,
        "error": None,
    }
    assert first.client.get("/api/v1/alerts?limit=1").json()["deliveries"] == [item]
    second = make_world()
    assert [rule["name"] for rule in second.client.get("/api/v1/alerts").json()["rules"]] == [
        "from the file",
        "BTC zones",
    ]


def test_a_deleted_rule_is_gone_and_what_waited_for_it_is_held_back(world):
    world.put()
    world.desk.courier.resume()
    world.happen(0)

    def refuse(target, text):
        raise OSError(SECRET)

    world.send = refuse
    end = time.monotonic() + 10
    while world.desk.courier.counters()["retries"] == 0:
        assert time.monotonic() < end
        world.desk.courier.turn()
    answer = world.client.delete(f"{RULES}/mine")
    assert answer.status_code == 200
    assert [rule["name"] for rule in answer.json()["rules"]] == ["from the file"]
    [item] = answer.json()["deliveries"]
    assert (item["state"], item["error"]) == ("suppressed", "the rule was deleted")
    assert world.client.delete(f"{RULES}/mine").status_code == 404


def test_a_rule_that_is_switched_off_stops_what_waits(world):
    world.put()
    world.desk.courier.resume()
    world.happen(0)
    world.send = lambda target, text: time.sleep(0.3)
    world.desk.courier.turn()
    answer = world.put(enabled=False)
    assert answer.json()["rules"][1]["enabled"] is False
    end = time.monotonic() + 10
    while world.store.counts().get("pending"):
        assert time.monotonic() < end
        world.desk.courier.turn()
    assert world.store.counts() == {"sent": 1}, "it was on its way already"
    world.happen(1000)
    world.desk.courier.turn()
    assert world.store.counts() == {"sent": 1}


@pytest.mark.parametrize("method", ["put", "delete"])
def test_rules_of_the_file_cannot_be_changed_here(world, method):
    content = {"json": {"targets": ["phone"]}} if method == "put" else {}
    answer = getattr(world.client, method)(f"{RULES}/from the file", **content)
    assert answer.status_code == 400
    assert "alerts.toml" in answer.json()["detail"]


BAD = [
    ({"targets": ["fone"]}, "targets", "did you mean 'phone'"),
    ({"targets": []}, "targets", ""),
    ({"targets": ["json://u:p@evil.example"]}, "targets", ""),
    ({"targets": ["a"] * 9}, "targets", ""),
    ({"url": "json://evil.example"}, "url", ""),
    ({"types": ["NOPE"]}, "types", ""),
    ({"types": ["ZONE_HIT"] * 65}, "types", ""),
    ({"assets": ["<script>"]}, "assets", ""),
    ({"venues": ["B" * 40]}, "venues", ""),
    ({"sides": ["LONG"] * 3}, "sides", ""),
    ({"priorities": [9]}, "priorities", ""),
    ({"modes": ["rebuilt"]}, "modes", ""),
    ({"quiet_hours": [{"from": "22:00", "to": "22:00"}]}, "quiet_hours", ""),
    ({"quiet_hours": [{"from": "22:00", "to": "07:00", "tz": "../../etc/passwd"}]}, "quiet_hours", ""),
    ({"quiet_hours": [{"from": "22:00", "to": "07:00"}] * 9}, "quiet_hours", ""),
    ({"rate_limit": {"n": 10**9, "per_s": 1}}, "rate_limit", ""),
    ({"max_distance_ratio": 1e300}, "max_distance_ratio", ""),
    ({"max_distance_ratio": "x"}, "max_distance_ratio", ""),
    ({"min_notional_usd": -1}, "min_notional_usd", ""),
    ({"min_density_level": 0}, "min_density_level", ""),
    ({"dedupe_s": 10**6}, "dedupe_s", ""),
    ({"name": "another"}, "name", ""),
    ({"source": "config"}, "source", ""),
]


@pytest.mark.parametrize(("fields", "key", "hint"), BAD, ids=lambda value: str(value)[:40])
def test_a_rule_of_no_use_is_refused_with_its_key(world, fields, key, hint):
    answer = world.put(**fields)
    assert answer.status_code == 400, answer.text
    problem = answer.json()
    assert key in f"{problem['where']} {problem['hint']} {problem['detail']}"
    assert hint in problem["hint"]
    assert len(world.client.get("/api/v1/alerts").json()["rules"]) == 1
    assert world.store.rules() == []


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("a" * 64, 200),
        ("a" * 65, 400),
        ("%2e%2e%2fx", 404),
        ("%3Cb%3E", 400),
        ("a%0A", 400),
        ("a%20", 400),
        ("%00", 400),
        ("%C3%A4", 400),
        ("x/y", 404),
        ("A b_c.d-9", 200),
    ],
)
def test_names_of_rules_are_plain(world, name, status):
    assert world.put(name).status_code == status


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"null", 400),
        (b"[]", 400),
        (b"{", 400),
        (b'{"targets": ["phone"], "targets": 1}', 400),
        (b"\xff\xfe", 400),
        (b"[" * 8000, 400),
        (b'{"targets": ["phone"], "assets": ["' + b"x" * 20_000 + b'"]}', 413),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_hostile_body_is_refused(world, content, status):
    answer = world.client.put(f"{RULES}/x", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert world.store.rules() == []


def test_only_json_is_read(world):
    for content_type in ("text/plain", "application/x-www-form-urlencoded"):
        answer = world.client.put(
            f"{RULES}/x", content=b'{"targets": ["phone"]}', headers={"content-type": content_type}
        )
        assert answer.status_code == 400


@pytest.mark.parametrize(
    ("method", "path"), [("put", f"{RULES}/x"), ("delete", f"{RULES}/x"), ("post", "/api/v1/alerts/test")]
)
def test_another_site_can_neither_change_rules_nor_send_tests(world, method, path):
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
        answer = world.client.request(method, path, json={"targets": ["phone"]}, headers=headers)
        assert answer.status_code == 403
    assert world.store.rules() == []
    assert world.sent == []


def test_with_a_key_configured_alerts_need_it(make_world):
    key = "a-key-that-is-long-enough-to-be-random"
    world = make_world(key_hashes=(hash_key(key),))
    assert world.client.get("/api/v1/alerts").status_code == 401
    assert world.put().status_code == 401
    assert world.client.get("/api/v1/alerts", headers={"x-api-key": key}).status_code == 200


def test_there_is_a_bound_of_rules(world):
    for number in range(RULES_MAX):
        world.desk.put_rule(AlertRule(name=f"r{number}", targets=["phone"]))
    assert world.put("one more").status_code == 400
    assert world.put("r5", enabled=False).status_code == 200


def test_a_test_message_is_sent_at_once_and_not_too_often(world):
    test = lambda **body: world.client.post("/api/v1/alerts/test", json=body)
    answer = test(target="phone")
    assert (answer.status_code, answer.json()["sent"]) == (200, True)
    assert world.sent == [("phone", "Faultline: this is a test")]
    assert [test(target="phone").status_code for _ in range(6)] == [200] * 5 + [400]
    assert "wait" in test(target="phone").json()["hint"]
    world.clock.advance(61 * SECOND)
    assert test(target="mail").status_code == 200
    assert len(world.sent) == 7
    assert world.client.get("/api/v1/alerts").json()["deliveries"] == []


def test_a_test_that_fails_says_why_without_the_address(world):
    def break_down(target, text):
        raise RuntimeError(target.secret_url())

    world.send = break_down
    answer = world.client.post("/api/v1/alerts/test", json={"target": "phone"}).json()
    assert (answer["sent"], answer["detail"]) == (False, "sending failed with RuntimeError")


def test_a_rule_is_tried_on_past_events_without_sending(world):
    world.put(types=["ZONE_HIT"], dedupe_s=60, min_notional_usd=5e6, enabled=False)
    world.happen(0, 30, 61, 200)
    world.happen(300, notional_usd=1e6)
    world.happen(-500, mode="rebuilt")
    answer = world.client.post("/api/v1/alerts/test", json={"rule": "mine"}).json()
    assert answer["sent"] is False
    assert (answer["looked_at"], answer["would_send"]) == (6, 4)
    assert answer["held_back"] == {"duplicate": 1, "quiet": 0, "rate": 0}
    assert answer["detail"] == "4 of the last 6 events would have alerted, 1 more were held back"
    assert [(item["verdict"], item["at_ms"] - NOON_NS // 1_000_000) for item in answer["examples"]][:3] == [
        ("send", -500_000),
        ("send", 200_000),
        ("send", 61_000),
    ]
    assert world.sent == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"target": "fone"}, 404),
        ({"rule": "nine"}, 404),
        ({}, 400),
        ({"target": "phone", "rule": "mine"}, 400),
        ({"target": "json://evil.example"}, 404),
        ({"url": "json://evil.example"}, 400),
        ({"target": ""}, 400),
        ({"target": None}, 400),
    ],
)
def test_a_test_of_something_else_is_refused(world, body, status):
    answer = world.client.post("/api/v1/alerts/test", json=body)
    assert answer.status_code == status
    assert world.sent == []


def test_without_alerts_the_routes_say_so(client):
    for answer in (
        client.get("/api/v1/alerts"),
        client.put(f"{RULES}/x", json={"targets": ["phone"]}),
        client.delete(f"{RULES}/x"),
        client.post("/api/v1/alerts/test", json={"target": "phone"}),
    ):
        assert answer.status_code == 503
        assert answer.json()["code"] == "not_ready"


def test_a_database_that_fails_is_a_503_and_the_rule_is_not_in_force(world, monkeypatch):
    def fail(rule):
        raise StoreError("alerts cannot be kept", where="x", hint="y")

    monkeypatch.setattr(world.store, "write_rule", fail)
    assert world.put().status_code == 503
    assert len(world.client.get("/api/v1/alerts").json()["rules"]) == 1


def test_metrics_count_what_became_of_every_rules_matches_and_forget_a_deleted_rule(world):
    world.put("loud", types=["ZONE_HIT"], dedupe_s=0, rate_limit=None)
    world.put(
        "calm", types=["ZONE_HIT"], targets=["phone", "mail"], dedupe_s=0, rate_limit={"n": 1, "per_s": 600}
    )
    world.desk.courier.resume()
    world.happen(1, 2, 3)
    end_s = time.monotonic() + 20

    def counted():
        world.desk.courier.turn()
        text = world.client.get("/metrics").text
        return dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("faultline_alert"))

    while (now := counted())['faultline_alert_messages_total{outcome="sent",rule="loud"}'] != "3.0":
        assert time.monotonic() < end_s, now
    assert now['faultline_alert_matches_total{rule="loud"}'] == "3.0"
    assert now['faultline_alert_matches_total{rule="calm"}'] == "3.0"
    assert now['faultline_alert_matches_total{rule="from the file"}'] == "0.0"
    assert now['faultline_alert_suppressed_total{reason="rate",rule="calm"}'] == "2.0"
    assert now['faultline_alert_suppressed_total{reason="rate",rule="loud"}'] == "0.0"
    assert now["faultline_alert_courier_suppressed_rate"] == "2.0"

    def refuse(_target, _text):
        raise Refused("the target said no", is_final=True)

    world.send = refuse
    world.happen(5)
    while (now := counted())['faultline_alert_messages_total{outcome="failed",rule="loud"}'] != "1.0":
        assert time.monotonic() < end_s, now
    world.client.delete(f"{RULES}/loud")
    assert not any('rule="loud"' in name for name in counted())


def test_what_can_be_done_to_a_rule_is_told(world):
    answer = world.client.options(f"{RULES}/x")
    assert (answer.status_code, answer.headers["allow"]) == (204, "DELETE, OPTIONS, PUT")
