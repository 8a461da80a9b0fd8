from __future__ import annotations

import sqlite3

import pytest
from tests.store.zone_bodies import zone

from faultline.errors import StoreError
from faultline.store.zones import ZoneStore, seen_ns
from faultline.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

DAY_S = 86_400.0


@pytest.fixture
def open_store(tmp_path):
    opened = []

    def open_one(**options):
        opened.append(ZoneStore(tmp_path / "facts.db", **options))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


def test_zones_of_any_past_moment_are_those_that_stood_then_as_they_were(open_store):
    store = open_store()
    first = [zone("a", age_s=60 * n, notional_usd=2e7 * 1.1**n) for n in range(5)]
    swept = zone("a", age_s=300, state="swept", notional_usd=0.0)
    other = zone("b", born_ns=2 * MINUTE_NS, side="SHORT")
    for state in [first[0], first[1], other, *first[2:], swept]:
        store.write("live", "BTC", [state])
    store.write("live", "ETH", [zone("c", scope="ETH")])
    store.write("other", "BTC", [zone("d")])
    store.flush()
    assert store.at("live", "BTC", -1) == []
    assert store.at("live", "BTC", MINUTE_NS) == [first[1]]
    assert store.at("live", "BTC", 3 * MINUTE_NS + 1) == [first[3], other]
    assert store.at("live", "BTC", 5 * MINUTE_NS) == [other]
    assert store.at("live", "BTC", 9 * DAY_NS) == [other]
    assert store.history("live", "BTC", "a") == [*first, swept]
    assert store.history("live", "BTC", "a", limit=2) == [first[4], swept]
    assert store.history("live", "BTC", "a", until_ns=MINUTE_NS) == first[:2]
    assert store.history("live", "ETH", "a") == []


def test_only_states_that_say_something_new_are_kept(open_store):
    store = open_store()
    quiet = [zone("a", age_s=60.0 * n, notional_usd=2e7 * (1 - n / 10_000)) for n in range(130)]
    store.write("live", "BTC", quiet)
    store.flush()
    assert store.history("live", "BTC", "a") == [quiet[0], quiet[60], quiet[120]]
    assert store.counters()["skipped"] == 127
    news = [
        {"state": "approached"},
        {"trend": "building"},
        {"density_level": 4},
        {"notional_usd": 2e7 * 1.06},
        {"low_usd": 97_900.0},
        {"high_usd": 98_600.0},
        {"touches": 1},
    ]
    for n, change in enumerate(news):
        store.write("live", "BTC", [zone("b", born_ns=n), zone("b", born_ns=n, age_s=1.0, **change)])
    store.flush()
    assert len(store.history("live", "BTC", "b")) == 2 * len(news)


def test_a_past_that_is_played_again_replaces_what_was_kept(open_store):
    store = open_store()
    store.write("replay", "BTC", [zone("a", age_s=0), zone("a", age_s=7_200), zone("a", age_s=14_400)])
    again = zone("a", age_s=7_200, touches=2)
    store.write("replay", "BTC", [again])
    store.flush()
    assert [state.touches for state in store.history("replay", "BTC", "a")] == [0, 2, 0]


def test_zones_survive_a_restart(open_store):
    store = open_store()
    store.write("live", "BTC", [zone("a")])
    store.close()
    assert open_store().at("live", "BTC", 1) == [zone("a")]


def test_old_states_go_but_for_those_that_still_hold(open_store):
    store = open_store(kept_ns=10 * DAY_NS)
    long_lived = [zone("long", age_s=n * DAY_S, touches=n) for n in range(31)]
    for day in range(31):
        short = f"short{day}"
        born_ns = day * DAY_NS
        states = [zone(short, born_ns=born_ns), zone(short, born_ns=born_ns, age_s=600, state="expired")]
        store.write("live", "BTC", [long_lived[day], *states])
        store.write("old run", "BTC", states)
        store.flush()
    kept = store.history("live", "BTC", "long")
    assert [state.touches for state in kept] == list(range(20, 31))
    assert store.at("live", "BTC", 20 * DAY_NS + 900 * SECOND_NS) == [long_lived[20]]
    assert store.at("live", "BTC", 21 * DAY_NS) == [long_lived[21], zone("short21", born_ns=21 * DAY_NS)]
    assert store.history("live", "BTC", "short3") == []
    assert store.counters()["pruned"] > 60
    connection = sqlite3.connect(store._engine.url.database)
    assert connection.execute("SELECT count(*) FROM zone_states WHERE run = 'live'").fetchone()[0] < 40
    connection.close()


def test_the_present_is_in_memory_and_changes_version_when_it_changes(open_store):
    store = open_store(first_version=7)
    told = []
    end = store.subscribe(lambda scope, version: told.append((scope, version)))
    assert store.latest("BTC") is None
    store.publish("BTC", 5, 99.0, [zone("a")], run="live", tracked_from_ns=1)
    now = store.latest("BTC")
    assert (now.version, now.at_ns, now.price_usd, now.tracked_from_ns, now.run) == (7, 5, 99.0, 1, "live")
    store.publish("BTC", 6, float("nan"), [zone("a")], run="live", tracked_from_ns=1)
    assert (store.latest("BTC").version, store.latest("BTC").at_ns, store.latest("BTC").price_usd) == (
        7,
        6,
        None,
    )
    store.publish("BTC", 7, 99.0, [zone("a", age_s=1)], run="live", tracked_from_ns=1)
    store.publish("ETH", 7, 99.0, [])
    end()
    store.publish("ETH", 8, 99.0, [zone("b")])
    assert told == [("BTC", 7), ("BTC", 8), ("ETH", 9)]
    assert store.scopes() == ["BTC", "ETH"]


def test_versions_of_two_runs_differ(open_store):
    versions = set()
    for _ in range(3):
        store = open_store()
        store.publish("BTC", 1, 1.0, [])
        versions.add(store.latest("BTC").version)
    assert len(versions) == 3


def test_a_kept_zone_of_another_form_is_an_error(open_store):
    store = open_store()
    store.write("live", "BTC", [zone("a")])
    store.flush()
    connection = sqlite3.connect(store._engine.url.database)
    connection.execute("UPDATE zone_states SET body = '{}'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="kept zone cannot be read"):
        store.at("live", "BTC", HOUR_NS)


def test_the_moment_of_a_description_is_its_end_or_birth_plus_age():
    assert seen_ns(zone(born_ns=5, age_s=2.5)) == 2_500_000_005
    assert seen_ns(zone(born_ns=5, age_s=2.5, state="swept")) == 2_500_000_005
