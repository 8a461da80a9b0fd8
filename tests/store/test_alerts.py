"""Rules and deliveries survive; what is kept can be asked for in the order it is needed."""

from __future__ import annotations

import sqlite3

import msgspec
import pytest

from faultline.errors import StoreError
from faultline.store.alert_rules import AlertRule, Delivery, QuietHours
from faultline.store.alerts import AlertStore
from faultline.store.scores import ScoreStore


def delivery(number=1, **fields):
    return Delivery(
        **{
            "rule": "r",
            "target": "phone",
            "event_id": f"e{number}",
            "event_type": "ZONE_HIT",
            "priority": 0,
            "subject": "s",
            "state": "pending",
            "matched_ns": 1,
            "due_ns": 100 - number,
            "expires_ns": 10**18,
            "updated_ns": number,
            "summary": "BTC: something",
            "text": "more",
            **fields,
        }
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "facts.db"


@pytest.fixture
def store(path):
    store = AlertStore(path)
    yield store
    store.close()


def test_rules_are_kept_replaced_and_forgotten(store, path):
    hours = msgspec.convert({"from": "22:00", "to": "07:00"}, QuietHours)
    rule = AlertRule(name="b", targets=["phone"], quiet_hours=[hours], rate_limit=None)
    store.write_rule(rule)
    store.write_rule(AlertRule(name="a", targets=["phone"]))
    store.write_rule(msgspec.structs.replace(rule, dedupe_s=7))
    again = AlertStore(path)
    assert again.rules() == [
        AlertRule(name="a", targets=["phone"]),
        msgspec.structs.replace(rule, dedupe_s=7),
    ]
    assert again.delete_rule("a") is True
    assert again.delete_rule("a") is False
    assert [item.name for item in store.rules()] == ["b"]
    again.close()


def test_deliveries_come_back_as_they_were_the_longest_due_first(store):
    assert store.seen_seq() is None
    assert (
        store.record(7, [delivery(1), delivery(2), delivery(3, state="suppressed", error="quiet hours")]) == 3
    )
    assert store.seen_seq() == 7
    assert [item.event_id for item in store.pending(10)] == ["e2", "e1"]
    assert [item.event_id for item in store.pending(1)] == ["e2"]
    assert [item.event_id for item in store.newest(2)] == ["e3", "e2"]
    assert [item.event_id for item in store.updated_since(2)] == ["e2", "e3"]
    assert store.counts() == {"pending": 2, "suppressed": 1}
    kept = store.pending(10)[1]
    assert kept == delivery(1, id=kept.id)
    sent = msgspec.structs.replace(kept, state="sent", attempts=2, updated_ns=99, due_ns=5)
    store.update(sent)
    assert store.newest(3)[2] == sent
    assert store.counts() == {"pending": 1, "sent": 1, "suppressed": 1}


def test_a_delivery_is_kept_once_per_rule_target_and_event(store):
    store.record(1, [delivery(1)])
    store.update(msgspec.structs.replace(store.pending(1)[0], state="sent"))
    assert store.record(2, [delivery(1), delivery(1, target="mail"), delivery(1, rule="q")]) == 2
    assert store.counts() == {"pending": 2, "sent": 1}
    assert store.seen_seq() == 2


def test_nothing_of_a_batch_is_kept_when_one_of_it_cannot_be(store):
    with pytest.raises(StoreError, match="cannot be kept"):
        store.record(9, [delivery(1), delivery(2, priority=0, target=None)])
    assert store.newest(10) == []
    assert store.seen_seq() is None


def test_old_finished_deliveries_are_forgotten_and_waiting_ones_never(store):
    store.record(1, [delivery(n, state="pending" if n == 1 else "sent") for n in range(1, 11)])
    assert store.prune(20) == 0
    assert store.prune(3) == 6
    assert [item.event_id for item in store.newest(20)] == ["e10", "e9", "e8", "e1"]
    store.record(2, [delivery(11)])
    assert store.newest(1)[0].id == 11, "numbers are not used again"


def test_it_shares_its_file_with_other_facts(store, path):
    scores = ScoreStore(path)
    scores.write_report("BTC", from_ns=0, to_ns=1, refresh_s=300, n_scored=1, report={})
    scores.close()
    store.record(3, [])
    assert AlertStore(path).seen_seq() == 3


@pytest.mark.parametrize(
    ("damage", "ask"),
    [
        ("update alert_rules set body = '{}'", lambda store: store.rules()),
        ("update alert_rules set body = 'x'", lambda store: store.rules()),
        ("update alert_deliveries set body = '{}'", lambda store: store.newest(1)),
        ("update alert_deliveries set state = 'lost'", lambda store: store.newest(1)),
        ("drop table alert_deliveries", lambda store: store.counts()),
        ("drop table alert_rules", lambda store: store.write_rule(AlertRule(name="a", targets=["x"]))),
    ],
)
def test_a_damaged_database_is_an_error_that_names_it(store, path, damage, ask):
    store.write_rule(AlertRule(name="a", targets=["phone"]))
    store.record(1, [delivery(1)])
    with sqlite3.connect(path) as connection:
        connection.execute(damage)
    connection.close()
    with pytest.raises(StoreError) as raised:
        ask(store)
    assert "facts.db" in raised.value.where
