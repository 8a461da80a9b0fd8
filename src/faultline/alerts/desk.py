"""Rules of file and page, targets and stores in, the one object that the API and the wiring talk to out."""

from __future__ import annotations

import collections
import queue
import threading
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from faultline.alerts import sending
from faultline.alerts.delivery import Courier, CourierSettings
from faultline.alerts.matching import AlertMemory, Verdict, subject_of
from faultline.alerts.rules import RULES_MAX, unknown_target
from faultline.alerts.sending import Refused
from faultline.alerts.targets import nearest
from faultline.alerts.texts import AlertText, text_of
from faultline.clock import Clock, SystemClock
from faultline.errors import NotFound, RequestError, StoreError
from faultline.units import MILLISECOND_NS, MINUTE_NS

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

    from faultline.alerts.targets import Target
    from faultline.signals.events import Event
    from faultline.store.alert_rules import AlertRule
    from faultline.store.alerts import AlertStore
    from faultline.store.events import EventStore

__all__ = ("AlertDesk",)

#: Tests of targets per minute, all together.
_TESTS_PER_MINUTE: Final = 6
#: Longest that a test of a target is waited for; shorter than the API's own limit.
_TEST_TIMEOUT_S: Final = 12.0
#: Longest that the end waits for the first look at the targets.
_LOOKING_S: Final = 5.0
#: Events that a dry run of a rule looks at, and matches that it shows.
_DRY_RUN_EVENTS: Final = 1000
_DRY_RUN_SHOWN: Final = 10
_LOG: Final = structlog.get_logger("faultline.alerts")
_TEST_TEXT: Final = AlertText(
    summary="Faultline: this is a test",
    text="Alerts to this target work. Nothing has happened in the market.",
)


class AlertDesk:
    """Alerts as a whole: who wants to hear what, and whether they have heard it.

    Args:
        events: the event log.
        store: rules made on the page, and deliveries; closed by its owner.
        rules: rules of ``alerts.toml``; the page shows them and cannot change them.
        targets: where messages can go.
        settings: limits and times of delivery.
        clock: tells the time.
        rng: chance of the pauses between attempts.
        send: delivers a message; by default through apprise.

    Raises:
        StoreError: the kept rules cannot be read.
    """

    def __init__(
        self,
        events: EventStore,
        store: AlertStore,
        *,
        rules: Iterable[AlertRule] = (),
        targets: Iterable[Target] = (),
        settings: CourierSettings | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        send: Callable[[Target, AlertText], None] = sending.send,
    ) -> None:
        self._events = events
        self._store = store
        self._clock = clock or SystemClock()
        self._send = send
        self._targets = {target.name: target for target in targets}
        self._usable: dict[str, bool] = {}
        self._configured = {rule.name: rule for rule in rules}
        self._made = {rule.name: rule for rule in store.rules() if rule.name not in self._configured}
        self._in_force: tuple[AlertRule, ...] = ()
        self._lock = threading.Lock()
        self._tests_ns: collections.deque[int] = collections.deque(maxlen=_TESTS_PER_MINUTE)
        self._testing: set[str] = set()
        self._looking: threading.Thread | None = None
        self._refresh()
        self._courier = Courier(
            events,
            store,
            self._targets,
            lambda: self._in_force,
            settings=settings,
            clock=self._clock,
            rng=rng,
            send=send,
        )

    # ---- life

    def start(self) -> None:
        """Take up what waits, and begin to alert.

        Raises:
            StoreError: the deliveries cannot be read.
        """
        self._courier.start()
        self._looking = threading.Thread(target=self._look_at_targets, name="alert-targets", daemon=True)
        self._looking.start()

    def stop(self) -> None:
        """End; what is not delivered is taken up by the next start."""
        self._courier.stop()
        if self._looking is not None:
            self._looking.join(_LOOKING_S)

    @property
    def courier(self) -> Courier:
        """The part that delivers."""
        return self._courier

    # ---- what the API asks

    def counters(self) -> dict[str, int]:
        """Counters of the courier since its start."""
        return self._courier.counters()

    def rule_counts(self) -> dict[str, dict[str, int]]:
        """What became of the matches of every rule since the start, by name (``Courier.rule_counts``)."""
        return self._courier.rule_counts()

    def overview(self, limit: int) -> dict[str, Any]:
        """Rules with their source, targets without their addresses, the newest deliveries, counters.

        Raises:
            StoreError: the deliveries cannot be read.
        """
        rules = [(rule, "config") for rule in self._configured.values()]
        rules += [(rule, "page") for rule in self._made.values()]
        deliveries = [
            {
                "id": item.id,
                "rule": item.rule,
                "target": item.target,
                "event_id": item.event_id,
                "event_type": item.event_type,
                "summary": item.summary,
                "state": item.state,
                "attempts": item.attempts,
                "updated_ms": item.updated_ns // MILLISECOND_NS,
                "error": item.error,
            }
            for item in self._store.newest(limit)
        ]
        return {
            "rules": [{**msgspec.to_builtins(rule), "source": source} for rule, source in rules],
            "targets": [
                {"name": item.name, "scheme": item.scheme, "ready": self._usable.get(item.name, False)}
                for item in self._targets.values()
            ],
            "deliveries": deliveries,
            "counters": {**self._courier.counters(), "waiting": self._store.counts().get("pending", 0)},
        }

    def put_rule(self, rule: AlertRule) -> None:
        """Make or change a rule of the page.

        Raises:
            RequestError: its name belongs to a rule of the file, it names an unknown target, or there are too
                many.
            StoreError: it cannot be kept.
        """
        with self._lock:
            self._check_is_made_here(rule.name)
            if (missing := unknown_target(rule, self._targets)) is not None:
                raise RequestError(
                    f"there is no target {missing!r}",
                    where="targets",
                    hint=f"{nearest(missing, self._targets)}; targets are set up where the engine runs, "
                    "never here",
                )
            if rule.name not in self._made and len(self._made) >= RULES_MAX:
                raise RequestError(f"there are {RULES_MAX} rules already", where="name", hint="delete one")
            self._store.write_rule(rule)
            self._made[rule.name] = rule
            self._refresh()
        if not rule.enabled:
            self._courier.cancel(rule.name, "the rule was switched off")

    def delete_rule(self, name: str) -> None:
        """Delete a rule of the page; what still waits because of it is held back.

        Raises:
            NotFound: there is no such rule.
            RequestError: it is a rule of the file.
            StoreError: it cannot be deleted.
        """
        with self._lock:
            self._check_is_made_here(name)
            if not self._store.delete_rule(name):
                raise NotFound(f"there is no rule {name!r}", where="name", hint=nearest(name, self._made))
            self._made.pop(name, None)
            self._refresh()
        self._courier.cancel(name, "the rule was deleted")

    def test_target(self, name: str) -> dict[str, Any]:
        """Send a test message now: ``sent`` and ``detail``.

        Raises:
            NotFound: there is no such target.
            RequestError: there were too many tests in the last minute, or the last one has not come back.
        """
        target = self._targets.get(name)
        if target is None:
            raise NotFound(f"there is no target {name!r}", where="target", hint=nearest(name, self._targets))
        with self._lock:
            now_ns = self._clock.now_ns()
            is_full = len(self._tests_ns) == _TESTS_PER_MINUTE and now_ns - self._tests_ns[0] < MINUTE_NS
            if is_full or name in self._testing:
                raise RequestError(
                    "too many tests of targets" if is_full else f"a test of {name!r} is still under way",
                    where="target",
                    hint="wait a minute",
                )
            self._tests_ns.append(now_ns)
            self._testing.add(name)
        answer: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._test, args=(target, answer), name=f"test-{name}", daemon=True).start()
        try:
            refusal = answer.get(timeout=_TEST_TIMEOUT_S)
        except queue.Empty:
            refusal = f"no answer within {_TEST_TIMEOUT_S:g} s"
        return {"sent": not refusal, "detail": refusal or f"{name} took the message"}

    def test_rule(self, name: str) -> dict[str, Any]:
        """Which of the newest kept events a rule would have alerted about; nothing is sent.

        The rule is asked as it would have been at the time, with its quiet hours, its rate limit and its
        de-duplication, whatever the mode of the events and whether it is in force or not.

        Raises:
            NotFound: there is no such rule.
            StoreError: the events cannot be read.
        """
        found = self._configured.get(name) or self._made.get(name)
        if found is None:
            known = [*self._configured, *self._made]
            raise NotFound(f"there is no rule {name!r}", where="rule", hint=nearest(name, known))
        rule = msgspec.structs.replace(found, enabled=True, modes=("live", "simulated", "replay"))
        memory = AlertMemory()
        counts: collections.Counter[str] = collections.Counter()
        examples: list[dict[str, Any]] = []
        kept = self._events.newest(_DRY_RUN_EVENTS)
        for stored in reversed(kept):
            try:
                event = stored.event()
            except StoreError:
                counts["unreadable"] += 1
                continue
            # An event of the rebuilt past never alerts; how the rule would have liked it is the question here.
            event = msgspec.structs.replace(event, mode="replay") if event.mode == "rebuilt" else event
            verdict = memory.verdict(rule, event, event.detected_at_ns)
            counts[verdict] += 1
            if verdict is Verdict.NO:
                continue
            if verdict is Verdict.SEND:
                memory.note(rule.name, subject_of(event), event.detected_at_ns)
            examples.append(_example(stored.seq, event, verdict))
        sent, held = counts[Verdict.SEND], len(examples) - counts[Verdict.SEND]
        return {
            "sent": False,
            "detail": f"{sent} of the last {len(kept)} events would have alerted, {held} more were held back",
            "looked_at": len(kept),
            "would_send": sent,
            "held_back": {
                verdict.value: counts[verdict] for verdict in (Verdict.DUPLICATE, Verdict.QUIET, Verdict.RATE)
            },
            "examples": examples[: -_DRY_RUN_SHOWN - 1 : -1],
        }

    # ---- inside

    def _check_is_made_here(self, name: str) -> None:
        if name in self._configured:
            raise RequestError(
                f"rule {name!r} stands in alerts.toml",
                where="name",
                hint="change it there, or choose another name",
            )

    def _refresh(self) -> None:
        self._in_force = (*self._configured.values(), *self._made.values())

    def _test(self, target: Target, answer: queue.SimpleQueue[str]) -> None:
        refusal = ""
        try:
            self._send(target, _TEST_TEXT)
        except Refused as exc:
            refusal = exc.reason
        except Exception as exc:  # noqa: BLE001 - the one who asked must hear of it; the text may hold an address
            refusal = f"sending failed with {type(exc).__name__}"
        with self._lock:
            self._testing.discard(target.name)
        answer.put(refusal)

    def _look_at_targets(self) -> None:
        """Find out which addresses apprise can use: its first import takes a while."""
        for target in self._targets.values():
            self._usable[target.name] = sending.is_usable(target)
            if not self._usable[target.name]:
                _LOG.warning(
                    "the address of a target cannot be used", target=target.name, scheme=target.scheme
                )


def _example(seq: int, event: Event, verdict: Verdict) -> dict[str, Any]:
    return {
        "seq": seq,
        "event_id": event.id,
        "event_type": event.type.value,
        "at_ms": event.detected_at_ns // MILLISECOND_NS,
        "verdict": verdict.value,
        "summary": text_of(event).summary,
    }
