"""Every alert reaches its targets, or the log says why not, whatever fails and whenever the process ends."""

from __future__ import annotations

import random
import threading
import time

import pytest
from tests.alerts.conftest import NOON_NS, SECOND, Post, a_rule, an_event

from faultline.alerts.delivery import Courier, CourierSettings, backoff_s
from faultline.alerts.sending import Refused
from faultline.alerts.targets import make_target
from faultline.errors import StoreError
from faultline.store.alert_rules import RateLimit


def refuse(reason="the target answered 500", *, is_final=False):
    def answer(target, text):
        raise Refused(reason, is_final=is_final)

    return answer


def happen(events, *items):
    events.append(items)
    events.flush()


def settled(desk, until, limit_s=10.0):
    """Turns of the courier until something holds."""
    end = time.monotonic() + limit_s
    while not until():
        assert time.monotonic() < end, desk.courier.counters()
        desk.courier.turn()
        time.sleep(0.002)


def states(store):
    return sorted((item.target, item.state, item.error or "") for item in store.newest(100))


def test_an_event_reaches_every_target_of_every_rule_that_asks_for_it(make_desk, events, store, post):
    desk = make_desk(
        a_rule("one", targets=("phone", "mail", "phone")),
        a_rule("two"),
        a_rule("three", types=("ZONE_SWEPT",)),
    )
    happen(events, an_event())
    settled(desk, lambda: len(post.taken) == 3)
    settled(desk, lambda: store.counts() == {"sent": 3})
    line = "BTC: price reached long zone 96,150-96,400 (est. $31.2M, level 8)"
    assert sorted(post.taken) == [("mail", line), ("phone", line), ("phone", line)]
    assert [item.attempts for item in store.newest(10)] == [1, 1, 1]
    assert desk.courier.counters()["sent"] == 3


def test_what_happened_before_the_first_start_alerts_nobody(make_desk, events, post):
    happen(events, an_event())
    desk = make_desk(a_rule())
    happen(events, an_event(asset="ETH"))
    settled(desk, lambda: post.taken)
    assert [line.partition(":")[0] for _, line in post.taken] == ["ETH"]


def test_what_happened_while_nothing_ran_is_told_unless_it_is_old(make_desk, events, post, clock, store):
    make_desk(a_rule())
    happen(
        events, an_event(asset="OLD", at_ns=NOON_NS), an_event(asset="NEAR", at_ns=NOON_NS + 3000 * SECOND)
    )
    clock.advance(4000 * SECOND)
    desk = make_desk(a_rule())
    settled(desk, lambda: post.taken)
    assert [line.partition(":")[0] for _, line in post.taken] == ["NEAR"]
    assert desk.courier.counters()["late"] == 1


def test_a_failed_attempt_is_made_again_after_a_growing_pause(make_desk, events, store, post, clock):
    desk = make_desk(a_rule())
    post.answer = refuse()
    happen(events, an_event())
    pauses = []
    for attempt in range(1, 4):
        settled(desk, lambda attempt=attempt: store.newest(1) and store.newest(1)[0].error)
        settled(desk, lambda attempt=attempt: desk.courier.counters()["retries"] == attempt)
        kept = store.newest(1)[0]
        assert (kept.state, kept.attempts, kept.error) == ("pending", attempt, "the target answered 500")
        pauses.append((kept.due_ns - clock.now_ns()) / SECOND)
        desk.courier.turn()
        assert post.tries == attempt, "not before it is due"
        clock.advance(kept.due_ns - clock.now_ns())
    post.answer = lambda target, text: None
    settled(desk, lambda: store.counts() == {"sent": 1})
    assert store.newest(1)[0].error is None
    assert all(2 ** (n - 1) <= pause <= 2**n for n, pause in enumerate(pauses, 1)), pauses


@pytest.mark.parametrize(
    ("answer", "attempts"),
    [(refuse(), 6), (refuse("the target answered 404", is_final=True), 1)],
    ids=["a fault that may pass", "one that will not"],
)
def test_attempts_are_bounded(make_desk, events, store, post, clock, answer, attempts):
    desk = make_desk(a_rule())
    post.answer = answer
    happen(events, an_event())
    end = time.monotonic() + 10
    while store.counts() != {"failed": 1}:
        assert time.monotonic() < end
        desk.courier.turn()
        clock.advance(SECOND * 10)
        time.sleep(0.002)
    assert post.tries == attempts
    assert store.newest(1)[0].attempts == attempts


def test_a_message_that_is_too_old_to_be_of_use_is_given_up(make_desk, events, store, post, clock):
    desk = make_desk(a_rule(), settings=CourierSettings(expires_s=60, attempts_max=1000))
    post.answer = refuse()
    happen(events, an_event())
    settled(desk, lambda: desk.courier.counters()["retries"] == 1)
    clock.advance(61 * SECOND)
    settled(desk, lambda: store.counts() == {"failed": 1})
    assert store.newest(1)[0].error == "given up after 60 s: the target answered 500"


def test_a_process_that_is_killed_resumes_what_waited_and_repeats_nothing_that_was_sent(
    make_desk, events, store, post, clock
):
    first = make_desk(a_rule(targets=("phone", "mail")))
    post.answer = lambda target, text: refuse()(target, text) if target.name == "mail" else None
    happen(events, an_event())
    settled(first, lambda: post.tries == 2 and store.counts() == {"pending": 1, "sent": 1})
    post.answer = lambda target, text: None
    clock.advance(30 * SECOND)
    second = make_desk(a_rule(targets=("phone", "mail")))
    settled(second, lambda: store.counts() == {"sent": 2})
    assert [name for name, _ in post.taken] == ["phone", "mail"]
    assert store.newest(2)[0].attempts + store.newest(2)[1].attempts == 3


def test_a_kill_between_the_targets_answer_and_our_note_of_it_repeats_the_message(
    make_desk, events, store, post
):
    """At least once: the one moment in which a message can be repeated."""
    first = make_desk(a_rule())
    happen(events, an_event())
    first.courier.turn()
    end = time.monotonic() + 10
    while not post.taken:
        assert time.monotonic() < end
        time.sleep(0.002)
    second = make_desk(a_rule())
    settled(second, lambda: store.counts() == {"sent": 1})
    assert len(post.taken) == 2


def test_rates_and_repetitions_are_remembered_across_restarts(make_desk, events, store, post, clock):
    rule = a_rule(dedupe_s=600, rate_limit=RateLimit(n=2, per_s=600))
    first = make_desk(rule)
    happen(events, an_event(zone_id="a"))
    settled(first, lambda: len(post.taken) == 1)
    clock.advance(60 * SECOND)
    second = make_desk(rule)
    happen(events, an_event(zone_id="a"), an_event(zone_id="b"), an_event(zone_id="c"))
    settled(second, lambda: len(post.taken) == 2)
    assert [item.error for item in store.newest(3)] == [
        "rate limit of the rule",
        None,
        "same subject as a moment ago",
    ]
    assert second.courier.counters()["suppressed_rate"] == 1
    assert second.courier.counters()["suppressed_duplicate"] == 1


def test_events_that_could_not_be_kept_are_asked_about_again_and_are_no_repetitions(
    make_desk, events, store, post, monkeypatch
):
    desk = make_desk(a_rule(dedupe_s=900))
    happen(events, an_event())
    keep = store.record

    def fail(seen_seq, deliveries):
        raise StoreError("disk full", where="x", hint="y")

    monkeypatch.setattr(store, "record", fail)
    with pytest.raises(StoreError):
        desk.courier.turn()
    monkeypatch.setattr(store, "record", keep)
    settled(desk, lambda: store.counts() == {"sent": 1})
    assert len(post.taken) == 1


def test_an_event_that_cannot_be_read_is_counted_and_the_next_one_alerts(make_desk, events, store, post):
    desk = make_desk(a_rule())
    happen(events, an_event(), an_event(asset="ETH"))
    real = events.after

    def damaged(seq, limit):
        rows = real(seq, limit)
        return [row._replace(body=b"{}") if row.seq == 1 else row for row in rows]

    events.after = damaged
    settled(desk, lambda: store.counts() == {"sent": 1})
    assert post.taken[0][1].startswith("ETH")
    assert desk.courier.counters()["unreadable"] == 1


def test_too_many_waiting_messages_give_way_to_urgent_ones(make_desk, events, store, post):
    desk = make_desk(a_rule(targets=("phone",)), settings=CourierSettings(pending_max=3, backoff_s=500))
    post.answer = refuse()
    happen(events, *(an_event("ZONE_CREATED", zone_id=f"z{n}") for n in range(5)))
    settled(desk, lambda: post.tries == 3)
    settled(desk, lambda: desk.courier.counters()["retries"] == 3)
    assert store.counts() == {"failed": 2, "pending": 3}
    assert {item.error for item in store.newest(2)} == {"too many alerts wait"}
    happen(events, an_event("ZONE_HIT", zone_id="urgent"))
    settled(desk, lambda: post.tries == 4)
    gone = [item for item in store.newest(10) if item.error == "gave way to a more urgent alert"]
    assert [item.id for item in gone] == [1], "the oldest of the least urgent"
    assert store.counts()["pending"] == 3
    assert desk.courier.counters()["dropped"] == 3


def test_the_most_urgent_go_first(make_desk, events, store, post):
    desk = make_desk(a_rule(), settings=CourierSettings(parallel_max=1))
    happen(events, an_event("ZONE_CREATED"), an_event("ZONE_APPROACHED"), an_event("ZONE_HIT"))
    settled(desk, lambda: len(post.taken) == 3)
    said = [line for _, line in post.taken]
    assert ["reached" in said[0], "% from" in said[1] or "is 0" in said[1], "new" in said[2]] == [True] * 3


def test_a_target_that_hangs_delays_nobody_else_and_its_late_yes_counts(make_desk, events, store, post):
    released = threading.Event()
    post.answer = lambda target, text: released.wait(20) if target.name == "mail" else None
    settings = CourierSettings(send_timeout_s=0.1, parallel_max=1, backoff_s=0.0)
    desk = make_desk(a_rule(targets=("mail", "phone")), settings=settings)
    happen(events, an_event(zone_id="a"), an_event(zone_id="b"))
    settled(desk, lambda: [name for name, _ in post.taken] == ["phone", "phone"])
    settled(desk, lambda: desk.courier.counters()["timed_out"] == 1)
    assert ("mail", "pending", "no answer within 0.1 s") in states(store)
    assert post.tries == 3, "the target that hangs is left alone until it comes back"
    released.set()
    settled(desk, lambda: store.counts() == {"sent": 4})
    assert sorted(name for name, _ in post.taken) == ["mail", "mail", "phone", "phone"], "nothing twice"


def test_a_target_that_hangs_and_then_refuses_is_tried_again(make_desk, events, store, post):
    released = threading.Event()

    def answer(target, text):
        if post.tries == 1:
            released.wait(20)
            raise Refused("the target answered 503", is_final=False)

    post.answer = answer
    desk = make_desk(a_rule(), settings=CourierSettings(send_timeout_s=0.05, backoff_s=0.0))
    happen(events, an_event())
    settled(desk, lambda: desk.courier.counters()["timed_out"] == 1)
    released.set()
    settled(desk, lambda: store.counts() == {"sent": 1})
    assert post.tries == 2


def test_a_sender_that_breaks_is_a_failed_attempt_without_its_words(make_desk, events, store, post):
    def answer(target, text):
        raise RuntimeError(f"cannot open {target.secret_url()}")

    post.answer = answer
    desk = make_desk(a_rule())
    happen(events, an_event())
    settled(desk, lambda: desk.courier.counters()["retries"] == 1)
    assert states(store) == [("phone", "pending", "sending failed with RuntimeError")]


def test_a_target_that_is_not_configured_any_more_is_said(make_desk, events, store):
    desk = make_desk(a_rule(targets=("gone",)))
    happen(events, an_event())
    settled(desk, lambda: store.counts() == {"failed": 1})
    assert store.newest(1)[0].error == "this target is not configured (any more)"


def test_a_storm_is_counted_and_not_written_alert_by_alert(make_desk, events, store, post):
    desk = make_desk(a_rule(rate_limit=RateLimit(n=3, per_s=600), targets=("phone", "mail")))
    happen(events, *(an_event(zone_id=f"z{n}") for n in range(400)))
    began = time.process_time()
    desk.courier.turn()
    assert time.process_time() - began < 5
    counters = desk.courier.counters()
    assert (counters["events"], counters["queued"], counters["suppressed_rate"]) == (400, 6, 397)
    assert store.counts()["suppressed"] == 100


def test_quiet_hours_follow_the_desks_clock_and_the_log_says_so(make_desk, events, store):
    hours = [{"from": "11:00", "to": "13:00", "tz": "UTC"}]
    desk = make_desk(a_rule(quiet_hours=tuple(map(quiet, hours))))
    happen(events, an_event())
    settled(desk, lambda: store.counts() == {"suppressed": 1})
    assert store.newest(1)[0].error == "quiet hours"


def quiet(fields):
    import msgspec

    from faultline.store.alert_rules import QuietHours

    return msgspec.convert(fields, QuietHours)


def test_finished_deliveries_are_forgotten_after_a_while_and_waiting_ones_are_not(
    make_desk, events, store, post
):
    settings = CourierSettings(log_max=40, backoff_s=10_000, expires_s=100_000)
    desk = make_desk(a_rule(targets=("phone",)), settings=settings)
    post.answer = refuse()
    happen(events, an_event())
    settled(desk, lambda: desk.courier.counters()["retries"] == 1)
    post.answer = lambda target, text: None
    happen(events, *(an_event(zone_id=f"z{n}") for n in range(120)))
    settled(desk, lambda: len(post.taken) == 120)
    happen(events, *(an_event(zone_id=f"y{n}") for n in range(120)))
    settled(desk, lambda: desk.courier.counters()["sent"] == 240)
    assert store.counts()["pending"] == 1
    assert len(store.newest(1000)) <= 40 + 120 + 1


def test_the_pause_doubles_up_to_a_limit_and_chance_takes_up_to_half():
    settings, rng = CourierSettings(), random.Random(1)
    for attempts in range(1, 200):
        full = min(300.0, 2.0 * 2.0 ** (attempts - 1))
        pauses = [backoff_s(attempts, settings, rng) for _ in range(20)]
        assert full / 2 <= min(pauses) <= max(pauses) <= full
        assert len(set(pauses)) == 20


def test_the_thread_alerts_at_once_and_ends_when_told(make_desk, events, store, post):
    desk = make_desk(a_rule())
    desk.start()
    delays = []
    for number in range(5):
        began = time.monotonic()
        happen(events, an_event(zone_id=f"z{number}"))
        while len(post.taken) <= number:
            assert time.monotonic() < began + 5
            time.sleep(0.001)
        delays.append(time.monotonic() - began)
    desk.stop()
    assert sorted(delays)[2] < 0.5, delays
    assert not [thread for thread in threading.enumerate() if thread.name == "alerts"]
    happen(events, an_event(zone_id="after"))
    assert len(post.taken) == 5


def test_an_end_waits_for_what_is_on_its_way_so_that_the_next_start_does_not_repeat_it(
    make_desk, events, store, post
):
    began = threading.Event()

    def answer(target, text):
        began.set()
        time.sleep(0.3)

    post.answer = answer
    desk = make_desk(a_rule())
    desk.start()
    happen(events, an_event())
    assert began.wait(10)
    desk.stop()
    assert store.counts() == {"sent": 1}


def test_an_end_does_not_wait_for_ever(make_desk, events, store, post):
    released, began = threading.Event(), threading.Event()

    def answer(target, text):
        began.set()
        released.wait(20)

    post.answer = answer
    desk = make_desk(a_rule())
    desk.start()
    happen(events, an_event())
    assert began.wait(10)
    started = time.monotonic()
    desk.courier.stop(patience_s=0.3)
    assert time.monotonic() - started < 5
    released.set()
    assert store.counts() == {"pending": 1}


def test_a_fault_in_one_turn_does_not_end_alerting(make_desk, events, store, post, monkeypatch):
    desk = make_desk(a_rule())
    real, calls = Courier.turn, []

    def turn(self):
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("a bug")
        if len(calls) == 2:
            raise StoreError("locked", where="x", hint="y")
        return real(self)

    monkeypatch.setattr(Courier, "turn", turn)
    desk.start()
    happen(events, an_event())
    end = time.monotonic() + 10
    while not post.taken:
        assert time.monotonic() < end
        desk.courier.wake()
        time.sleep(0.01)
    desk.stop()
    assert desk.courier.counters()["faults"] == 2


def test_many_writers_and_a_restless_page_lose_and_repeat_nothing(make_desk, events, store, post):
    desk = make_desk(a_rule(targets=("phone", "mail")), settings=CourierSettings(parallel_max=2))
    desk.start()
    done = threading.Event()

    def write(writer):
        for number in range(25):
            events.append([an_event(zone_id=f"{writer}-{number}")])

    def click():
        while not done.is_set():
            desk.put_rule(a_rule("extra", types=("ZONE_EXPIRED",)))
            desk.overview(10)
            desk.delete_rule("extra")

    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    page = threading.Thread(target=click)
    for thread in [*writers, page]:
        thread.start()
    for thread in writers:
        thread.join()
    events.flush()
    end = time.monotonic() + 30
    while len(post.taken) < 200:
        assert time.monotonic() < end, desk.courier.counters()
        time.sleep(0.01)
    done.set()
    page.join()
    desk.stop()
    assert len(post.taken) == 200
    assert desk.courier.counters()["faults"] == 0
    assert {item.state for item in store.newest(1000)} == {"sent"}


def test_a_target_tells_its_address_only_when_asked(make_desk):
    target = make_target("phone", "json://user:hunter2@127.0.0.1:9/path", "x")
    assert "hunter2" not in f"{target} {target!r} {[target]} {target.__class__.__slots__}"
    with pytest.raises(TypeError):
        vars(target)
    assert "hunter2" in target.secret_url()


def test_post_is_what_the_courier_calls():
    post = Post()
    post.answer = refuse()
    with pytest.raises(Refused):
        post(make_target("phone", "json://127.0.0.1", "x"), None)
    assert (post.tries, post.taken) == (1, [])
