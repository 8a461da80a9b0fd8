"""Events and rules in, messages at their targets out, each kept from before its first attempt to its end.

Delivery is at least once. A message is kept before it is first tried, and marked as sent after its target took
it; a process that is killed between the two sends it again when it is started again, one that is killed at any
other moment neither loses nor repeats it.
"""

from __future__ import annotations

import collections
import random
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from faultline.alerts import sending
from faultline.alerts.attempts import Attempts, Outcome
from faultline.alerts.matching import MEMORY_NS, AlertMemory, Verdict, matches, subject_of
from faultline.alerts.texts import AlertText, text_of
from faultline.clock import Clock, SystemClock
from faultline.errors import FaultlineError, StoreError
from faultline.store.alert_rules import Delivery
from faultline.units import SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from faultline.alerts.targets import Target
    from faultline.signals.events import Event
    from faultline.store.alert_rules import AlertRule
    from faultline.store.alerts import AlertStore
    from faultline.store.events import EventStore

__all__ = ("COUNTERS", "Courier", "CourierSettings", "backoff_s")

#: Counters of a courier since its start, and what each counts.
COUNTERS: Final[dict[str, str]] = {
    "events": "events that the rules were asked about",
    "unreadable": "kept events that could not be read",
    "late": "events that were too old when the program came back",
    "queued": "messages taken up",
    "suppressed_quiet": "alerts held back by quiet hours",
    "suppressed_rate": "alerts held back by a rate limit",
    "suppressed_duplicate": "alerts held back as repetitions",
    "sent": "messages that their target took",
    "retries": "attempts that failed and are made again",
    "timed_out": "attempts that were given up because no answer came",
    "failed": "messages given up",
    "dropped": "messages given up because too many waited",
    "faults": "turns of the courier that ended in an error",
}
_EVENTS_PER_TURN: Final = 500
_IDLE_S: Final = 1.0
#: Alerts held back that one turn writes to the log; a storm of them is counted, not written.
_HELD_BACK_PER_TURN: Final = 100
_LOG: Final = structlog.get_logger("faultline.alerts")


class CourierSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How messages are sent.

    Attributes:
        attempts_max: attempts per message.
        backoff_s: pause after the first failure; it doubles with every further one, less up to half by chance.
        backoff_max_s: longest pause.
        send_timeout_s: when an attempt is given up.
        expires_s: age at which a message is of no more use and is given up.
        pending_max: messages that may wait; beyond that the least urgent ones are given up.
        parallel_max: targets that are sent to at the same time.
        log_max: finished deliveries that are kept.
    """

    attempts_max: int = 6
    backoff_s: float = 2.0
    backoff_max_s: float = 300.0
    send_timeout_s: float = 20.0
    expires_s: float = 3600.0
    pending_max: int = 1000
    parallel_max: int = 4
    log_max: int = 5000


def backoff_s(attempts: int, settings: CourierSettings, rng: random.Random) -> float:
    """Pause after so many failed attempts: exponential, capped, and less up to half by chance.

    Chance keeps many messages to one target from coming back at the same moment.
    """
    pause = min(settings.backoff_max_s, settings.backoff_s * 2.0 ** min(attempts - 1, 60))
    return pause * rng.uniform(0.5, 1.0)


class Courier:
    """Asks the rules about every new event and sends what they say, in one thread besides those of attempts.

    Args:
        events: the event log; the rules are asked about every event once, across restarts.
        store: where deliveries are kept.
        targets: by name.
        rules: gives the rules now in force.
        settings: limits and times.
        clock: tells the time for quiet hours, rates and pauses.
        rng: chance of the pauses.
        send: delivers a message; by default through apprise.
    """

    def __init__(
        self,
        events: EventStore,
        store: AlertStore,
        targets: Mapping[str, Target],
        rules: Callable[[], Sequence[AlertRule]],
        *,
        settings: CourierSettings | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        send: Callable[[Target, AlertText], None] = sending.send,
    ) -> None:
        self._events = events
        self._store = store
        self._targets = targets
        self._rules = rules
        self._settings = settings or CourierSettings()
        self._clock = clock or SystemClock()
        self._rng = rng or random.Random()  # noqa: S311 - spreads retries, keeps no secret
        self._attempts = Attempts(
            send,
            timeout_s=self._settings.send_timeout_s,
            parallel_max=self._settings.parallel_max,
            on_outcome=self.wake,
        )
        self._counters: collections.Counter[str] = collections.Counter(dict.fromkeys(COUNTERS, 0))
        #: By rule and what became of what it matched (see ``rule_counts``).
        self._by_rule: collections.Counter[tuple[str, str]] = collections.Counter()
        self._memory = AlertMemory()
        #: Held by a turn and by ``cancel``: a delivery is changed by one of them at a time.
        self._lock = threading.Lock()
        self._flying: dict[int, Delivery] = {}
        self._given_up: dict[int, Delivery] = {}
        self._cancelled: set[int] = set()
        self._seen_seq = 0
        self._old_seq = 0
        self._recorded = 0
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._unsubscribe: Callable[[], None] | None = None

    # ---- life

    def start(self) -> None:
        """Take up where the last process ended, and begin.

        Raises:
            StoreError: the deliveries cannot be read.
        """
        self.resume()
        self._unsubscribe = self._events.subscribe(lambda _seq, _event, _body: self.wake())
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._thread.start()

    def stop(self, patience_s: float = 5.0) -> None:
        """End. Attempts under way get ``patience_s`` to end; one that does not is made again by the next start."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._stopping.set()
        self.wake()
        if self._thread is not None:
            self._thread.join(patience_s)
            self._land(patience_s)

    def wake(self) -> None:
        """Look for something to do now."""
        self._wanted.set()

    def resume(self) -> None:
        """Learn what was done before: which events were seen, who was alerted about what, and when.

        Raises:
            StoreError: the deliveries cannot be read.
        """
        last = self._events.last_seq
        seen = self._store.seen_seq()
        if seen is None:
            # The first start: what happened before there were rules alerts nobody.
            self._store.record(last, ())
            seen = last
        self._seen_seq, self._old_seq = min(seen, last), last
        told = set()
        for item in self._store.updated_since(self._clock.now_ns() - MEMORY_NS):
            if item.state != "suppressed" and (item.rule, item.event_id) not in told:
                told.add((item.rule, item.event_id))
                self._memory.note(item.rule, item.subject, item.matched_ns)
        self._memory.commit()

    def counters(self) -> dict[str, int]:
        """Counts since the start, as in ``COUNTERS``."""
        return dict(self._counters)

    def rule_counts(self) -> dict[str, dict[str, int]]:
        """Counts since the start of every rule now in force, by name.

        ``matched``: events that it matched; ``quiet``, ``rate`` and ``duplicate``: those held back, by reason;
        ``sent``, ``failed`` and ``dropped``: messages, of which there is one per target.
        """
        known = {rule.name for rule in self._rules()}
        out: dict[str, dict[str, int]] = {name: {} for name in sorted(known)}
        for (name, outcome), n in self._by_rule.copy().items():
            if name in known:
                out[name][outcome] = n
            else:
                self._by_rule.pop((name, outcome), None)
        return out

    def cancel(self, rule_name: str, reason: str) -> None:
        """Hold back what still waits because of a rule.

        Raises:
            StoreError: the deliveries cannot be changed.
        """
        with self._lock:
            self._memory.forget(rule_name)
            for item in self._store.pending(self._settings.pending_max * 2):
                if item.rule != rule_name:
                    continue
                if item.id in self._flying:
                    self._cancelled.add(item.id)
                else:
                    self._close(item, "suppressed", reason)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wanted.clear()
            try:
                pause_s = self.turn()
            except FaultlineError as exc:
                self._counters["faults"] += 1
                _LOG.error("alerts are late", code=exc.code, error=exc.user_message)
                pause_s = _IDLE_S
            except Exception:  # noqa: BLE001 - one mistake must not end all alerts; it is counted and logged
                self._counters["faults"] += 1
                _LOG.exception("a turn of the alerts failed")
                pause_s = _IDLE_S
            self._wanted.wait(pause_s)

    def _land(self, patience_s: float) -> None:
        """Wait for attempts under way, and keep how they ended."""
        until_s = time.monotonic() + patience_s
        while self._flying and time.monotonic() < until_s:
            self._wanted.clear()
            try:
                with self._lock:
                    for outcome in self._attempts.outcomes():
                        self._settle(outcome)
            except FaultlineError as exc:
                _LOG.error("what was sent last could not be noted", code=exc.code, error=exc.user_message)
                return
            if self._flying:
                self._wanted.wait(min(0.1, patience_s))

    def turn(self) -> float:
        """Take note of what ended, ask the rules about new events, begin what is due.

        Returns:
            Seconds after which there is something to do even if nobody wakes the courier.

        Raises:
            StoreError: deliveries or events cannot be read or kept.
        """
        with self._lock:
            for outcome in self._attempts.outcomes():
                self._settle(outcome)
            is_behind = self._ask_rules()
            due_s = self._begin_due()
        if is_behind:
            return 0.0
        limit_s = self._attempts.next_limit_s()
        return min(_IDLE_S, due_s, _IDLE_S if limit_s is None else limit_s)

    # ---- events to deliveries

    def _ask_rules(self) -> bool:
        """Ask about the next events; True where there may be more."""
        found = self._events.after(self._seen_seq, _EVENTS_PER_TURN)
        if not found:
            return False
        now_ns = self._clock.now_ns()
        rules = self._rules()
        fresh: list[Delivery] = []
        for kept in found:
            self._counters["events"] += 1
            try:
                event = kept.event()
            except StoreError as exc:
                self._counters["unreadable"] += 1
                _LOG.warning("an event was left out", seq=kept.seq, error=exc.user_message)
                continue
            if kept.seq <= self._old_seq and self._is_late(event, now_ns):
                self._counters["late"] += any(matches(rule, event) for rule in rules)
                continue
            fresh += self._answers(rules, event, now_ns)
        fresh = _without_storm(fresh)
        try:
            self._store.record(found[-1].seq, self._admitted(fresh))
        except StoreError:
            # The same events are asked about again: they are no repetitions of themselves.
            self._memory.undo()
            raise
        self._memory.commit()
        self._seen_seq = found[-1].seq
        self._recorded += len(fresh)
        if self._recorded >= 100:
            self._recorded = 0
            self._store.prune(self._settings.log_max)
        return len(found) == _EVENTS_PER_TURN

    def _is_late(self, event: Event, now_ns: int) -> bool:
        """Whether an event that happened while nothing ran is too old; a replayed past has no age."""
        age_s = (now_ns - event.detected_at_ns) / SECOND_NS
        return event.mode != "replay" and age_s > self._settings.expires_s

    def _answers(self, rules: Iterable[AlertRule], event: Event, now_ns: int) -> list[Delivery]:
        """Deliveries that the rules ask for because of one event, those that they hold back among them."""
        found: list[Delivery] = []
        text: AlertText | None = None
        for rule in rules:
            verdict = self._memory.verdict(rule, event, now_ns)
            if verdict is Verdict.NO:
                continue
            text = text or text_of(event)
            is_sent = verdict is Verdict.SEND
            self._by_rule[rule.name, "matched"] += 1
            if is_sent:
                self._memory.note(rule.name, subject_of(event), now_ns)
            else:
                self._counters[f"suppressed_{verdict}"] += 1
                self._by_rule[rule.name, str(verdict)] += 1
            found += [
                Delivery(
                    rule=rule.name,
                    target=target,
                    event_id=event.id,
                    event_type=event.type,
                    priority=event.priority,
                    subject=subject_of(event),
                    state="pending" if is_sent else "suppressed",
                    matched_ns=now_ns,
                    due_ns=now_ns,
                    expires_ns=now_ns + int(self._settings.expires_s * SECOND_NS),
                    updated_ns=now_ns,
                    summary=text.summary,
                    text=text.text,
                    error=None if is_sent else _HELD_BACK[verdict],
                )
                for target in dict.fromkeys(rule.targets)
            ]
        return found

    def _admitted(self, fresh: list[Delivery]) -> list[Delivery]:
        """New deliveries, some of them given up where too many wait: the least urgent first, old before new."""
        queued = [item for item in fresh if item.state == "pending"]
        self._counters["queued"] += len(queued)
        room = self._settings.pending_max - self._store.counts().get("pending", 0) if queued else 0
        if len(queued) <= room:
            return fresh
        waiting = [
            item for item in self._store.pending(self._settings.pending_max) if item.id not in self._flying
        ]
        waiting.sort(key=lambda item: (item.priority, -item.id))
        refused: dict[int, Delivery] = {}
        for item in sorted(queued, key=lambda item: item.priority):
            if room > 0:
                room -= 1
                continue
            self._counters["dropped"] += 1
            if waiting and waiting[-1].priority > item.priority:
                self._close(waiting.pop(), "failed", "gave way to a more urgent alert")
            else:
                self._by_rule[item.rule, "dropped"] += 1
                refused[id(item)] = msgspec.structs.replace(
                    item, state="failed", error="too many alerts wait"
                )
        return [refused.get(id(item), item) for item in fresh]

    # ---- deliveries to targets

    def _begin_due(self) -> float:
        """Begin the attempts that are due and possible, the most urgent first; seconds until the next is due."""
        now_ns = self._clock.now_ns()
        later_s = _IDLE_S
        waiting = [
            item
            for item in self._store.pending(self._settings.pending_max * 2)
            if item.id not in self._flying
        ]
        for item in sorted(waiting, key=lambda item: (item.priority, item.id)):
            target = self._targets.get(item.target)
            if item.expires_ns <= now_ns:
                reason = f"given up after {self._settings.expires_s:g} s"
                self._close(item, "failed", f"{reason}: {item.error}" if item.error else reason)
            elif target is None:
                self._close(item, "failed", "this target is not configured (any more)")
            elif item.due_ns > now_ns:
                later_s = min(later_s, (item.due_ns - now_ns) / SECOND_NS)
            elif self._attempts.can_start(target.name):
                # Counted before it begins: a message that kills the process is not tried for ever.
                begun = msgspec.structs.replace(item, attempts=item.attempts + 1, updated_ns=now_ns)
                self._store.update(begun)
                self._flying[item.id] = begun
                text = AlertText(summary=item.summary, text=item.text, is_urgent=item.priority == 0)
                self._attempts.start(item.id, target, text)
        return later_s

    def _settle(self, outcome: Outcome) -> None:
        """Keep how an attempt ended."""
        if outcome.is_late:
            item = self._given_up.pop(outcome.key, None)
            if item is not None and outcome.refusal is None:
                self._close(item, "sent", None)
            return
        item = self._flying[outcome.key]
        refusal = outcome.refusal
        if refusal is None:
            self._close(item, "sent", None)
        elif outcome.key in self._cancelled:
            self._close(item, "suppressed", "the rule was changed while it was being sent")
        else:
            self._retry(item, refusal)
        del self._flying[outcome.key]
        self._cancelled.discard(outcome.key)
        if outcome.is_given_up:
            self._counters["timed_out"] += 1
            self._given_up[item.id] = item

    def _retry(self, item: Delivery, refusal: sending.Refused) -> None:
        """Try again later, or give up where that is of no use."""
        now_ns = self._clock.now_ns()
        due_ns = now_ns + int(backoff_s(item.attempts, self._settings, self._rng) * SECOND_NS)
        is_over = item.attempts >= self._settings.attempts_max or due_ns >= item.expires_ns
        if refusal.is_final or is_over:
            self._close(item, "failed", refusal.reason)
            return
        self._counters["retries"] += 1
        self._store.update(
            msgspec.structs.replace(item, due_ns=due_ns, updated_ns=now_ns, error=refusal.reason)
        )

    def _close(self, item: Delivery, state: Any, reason: str | None) -> None:
        """Keep the end of a delivery."""
        if state != "suppressed":
            self._counters[state] += 1
            self._by_rule[item.rule, str(state)] += 1
        if state == "failed":
            _LOG.warning("alert not delivered", rule=item.rule, target=item.target, error=reason)
        now_ns = self._clock.now_ns()
        self._store.update(msgspec.structs.replace(item, state=state, updated_ns=now_ns, error=reason))


_HELD_BACK: Final = {
    Verdict.QUIET: "quiet hours",
    Verdict.RATE: "rate limit of the rule",
    Verdict.DUPLICATE: "same subject as a moment ago",
}


def _without_storm(fresh: list[Delivery]) -> list[Delivery]:
    """Deliveries without those held back beyond the first few."""
    held = [item for item in fresh if item.state == "suppressed"]
    left_out = {id(item) for item in held[_HELD_BACK_PER_TURN:]}
    return [item for item in fresh if id(item) not in left_out]
