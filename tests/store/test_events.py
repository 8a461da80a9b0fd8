from __future__ import annotations

import sqlite3
import threading
import time

import pytest

from faultline.errors import NotFound, StoreError
from faultline.signals.events import EventType, make_event
from faultline.store.events import EventStore
from faultline.store.writer import RowWriter


def event(n, *, asset="BTC", kind=EventType.SOURCE_DOWN):
    return make_event(
        kind,
        asset=asset,
        subject=f"binance:{asset}USDT",
        detected_at_ns=1_000 + n,
        data={
            "instrument": f"binance:{asset}USDT",
            "silent_s": float(n),
            "channels": [],
            "status": "silent",
            "detail": "",
        },
        simulated=False,
        mode="live",
        latency_ms=2.5,
    )


@pytest.fixture
def open_store(tmp_path):
    opened = []

    def open_one(name="facts.db", **options):
        opened.append(EventStore(tmp_path / name, **options))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


def test_events_are_numbered_in_order_and_come_back_as_they_were(open_store):
    store = open_store()
    events = [event(n) for n in range(10)]
    store.append(events[:4])
    store.append(events[4:])
    store.flush()
    found = store.after(0, 100)
    assert [stored.seq for stored in found] == list(range(1, 11))
    assert [stored.event() for stored in found] == events
    assert store.last_seq == 10
    assert [stored.seq for stored in store.after(3, 2)] == [4, 5]
    assert [stored.seq for stored in store.newest(2)] == [10, 9]
    assert [stored.seq for stored in store.newest(2, before_seq=9)] == [8, 7]


def test_the_same_event_is_kept_once_also_after_a_restart(open_store):
    store = open_store()
    store.append([event(1), event(2), event(1)])
    store.flush()
    store.close()
    again = open_store()
    assert again.last_seq == 2
    heard = []
    again.subscribe(lambda seq, item, body: heard.append((seq, item.id)))
    again.append([event(2), event(3)])
    again.flush()
    assert [stored.event() for stored in again.after(0, 9)] == [event(1), event(2), event(3)]
    assert heard == [(3, event(3).id)]
    assert again.counters()["repeated"] == 1


def test_listeners_hear_of_every_event_in_order_and_only_when_it_can_be_read(open_store):
    store = open_store()
    heard = []

    def listen(seq, item, body):
        heard.append((seq, item, [stored.body for stored in store.after(seq - 1, 1)] == [body]))

    end = store.subscribe(listen)
    threads = [
        threading.Thread(target=lambda k=k: [store.append([event(1_000 * k + n)]) for n in range(50)])
        for k in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.flush()
    assert [seq for seq, _, _ in heard] == list(range(1, 201))
    assert all(was_there for _, _, was_there in heard)
    end()
    store.append([event(-1)])
    store.flush()
    assert len(heard) == 200


def test_a_listener_that_fails_is_counted_and_keeps_nothing_from_the_others(open_store):
    store = open_store()
    heard = []

    def fail(*_):
        raise ValueError

    store.subscribe(fail)
    store.subscribe(lambda seq, *_: heard.append(seq))
    store.append([event(1), event(2)])
    store.flush()
    assert heard == [1, 2]
    assert store.counters()["failed_listeners"] == 2


def test_types_assets_and_times_choose(open_store):
    store = open_store()
    store.append([event(n, asset=("BTC", "ETH", "SOL")[n % 3]) for n in range(9)])
    store.append([event(9, kind=EventType.SOURCE_RECOVERED)])
    store.flush()
    assert [stored.seq for stored in store.after(0, 9, asset="ETH")] == [2, 5, 8]
    assert [stored.seq for stored in store.after(2, 9, asset=["ETH", "SOL"])] == [3, 5, 6, 8, 9]
    assert [stored.seq for stored in store.newest(9, types=["SOURCE_RECOVERED"])] == [10]
    assert store.newest(9, types=[]) == []
    assert [stored.seq for stored in store.newest(9, from_ns=1_003, to_ns=1_005)] == [5, 4]
    assert [stored.seq for stored in store.after(1, 9, asset="BTC", before_seq=7)] == [4]
    assert store.seq_from_end(0, 2, asset="SOL") == 6
    assert store.seq_from_end(6, 2, asset="SOL") is None
    assert store.seq_of(event(4, asset="ETH").id) == 5
    with pytest.raises(NotFound, match="there is no event 'f00'"):
        store.seq_of("f00")


def test_the_oldest_go_when_there_are_too_many_and_numbers_go_on(open_store):
    store = open_store(kept=100)
    for start in range(0, 350, 50):
        store.append([event(n) for n in range(start, start + 50)])
        store.flush()
    assert [stored.seq for stored in store.after(0, 1_000)] == list(range(251, 351))
    assert (store.first_seq, store.last_seq, store.counters()["pruned"]) == (251, 350, 250)
    store.close()
    again = open_store(kept=100)
    again.append([event(1_000)])
    again.flush()
    assert (again.first_seq, again.last_seq) == (252, 351)


def test_a_full_queue_makes_the_writer_of_events_wait_and_is_counted():
    gate, committed = threading.Event(), []

    def commit(rows):
        gate.wait(10)
        committed.extend(rows)

    writer = RowWriter("t", commit, limit=4)
    writer.put([0])
    while writer.waiting and len(writer._rows):
        time.sleep(0.001)
    writer.put([1, 2, 3, 4])
    thread = threading.Thread(target=writer.put, args=([5, 6],))
    thread.start()
    deadline = time.monotonic() + 5
    while not writer.waits:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    assert thread.is_alive()
    gate.set()
    thread.join(5)
    writer.flush()
    assert committed == list(range(7))
    writer.close()


def test_a_database_that_never_takes_anything_is_an_error_with_its_name():
    gate = threading.Event()
    writer = RowWriter("events", lambda _: gate.wait(10), limit=1, patience_s=0.05)
    writer.put([0])
    with pytest.raises(StoreError, match="database is not done") as caught:
        writer.flush()
    assert caught.value.where == "events"
    writer.put([1])
    with pytest.raises(StoreError, match="has no room"):
        writer.put([2])
    gate.set()
    writer.flush()
    writer.close()
    with pytest.raises(StoreError, match="was closed"):
        writer.put([3])


def test_a_writer_that_fails_says_so_to_everybody_who_writes():
    def commit(rows):
        raise ValueError(rows)

    writer = RowWriter("zones", commit, limit=1)
    writer.put([0])
    with pytest.raises(StoreError, match="ValueError"):
        writer.flush()
    with pytest.raises(StoreError, match="ValueError"):
        writer.put([1])
    writer.close()


def test_a_locked_database_is_tried_again_and_nothing_is_lost(open_store, tmp_path):
    store = open_store()
    store.append([event(0)])
    store.flush()
    store._engine.dispose()
    other = sqlite3.connect(tmp_path / "facts.db", isolation_level=None)
    other.execute("PRAGMA busy_timeout=0")
    other.execute("BEGIN EXCLUSIVE")
    from sqlalchemy import event as sa_event

    sa_event.listen(
        store._engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=1")
    )
    store.append([event(1), event(2)])
    deadline = time.monotonic() + 10
    while not store.counters()["retries"]:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    other.execute("COMMIT")
    other.close()
    store.flush()
    assert [stored.event() for stored in store.after(0, 9)] == [event(0), event(1), event(2)]


def test_an_event_of_another_form_is_an_error_that_names_it(open_store, tmp_path):
    store = open_store()
    store.append([event(1)])
    store.flush()
    other = sqlite3.connect(tmp_path / "facts.db")
    other.execute("""UPDATE events SET body = '{"id": 3}'""")
    other.commit()
    other.close()
    with pytest.raises(StoreError, match="kept event 1 cannot be read"):
        store.after(0, 1)[0].event()
