"""A rule, an event and a moment in, whether to alert out; nothing here sends, waits or reads a clock."""

from __future__ import annotations

import collections
import enum
import math
from typing import TYPE_CHECKING, Any, Final

from faultline.signals.events import Priority
from faultline.units import SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultline.signals.events import Event
    from faultline.store.alert_rules import AlertRule

__all__ = ("MEMORY_NS", "AlertMemory", "Verdict", "matches", "subject_of", "verdict_of")

#: The longest that any rule looks back, for its rate limit or for repetitions.
MEMORY_NS: Final = 86_400 * SECOND_NS


class Verdict(enum.StrEnum):
    """What a rule says about an event."""

    SEND = "send"
    DUPLICATE = "duplicate"
    QUIET = "quiet"
    RATE = "rate"
    NO = "no"


def subject_of(event: Event) -> str:
    """What an event is about, with its type: two events of one subject within ``dedupe_s`` are a repetition.

    A zone that is approached and then hit gives two subjects, so both are told.
    """
    fields = event.data
    about = fields.get("zone_id") or fields.get("instrument") or fields.get("venues") or ""
    side = fields.get("side") or ""
    return f"{event.type}|{event.asset}|{about}|{side}"[:200]


def matches(rule: AlertRule, event: Event) -> bool:
    """Whether an event is of the kind that a rule asks for.

    A condition about a field that the event does not have, or does not know, is not met.
    """
    if not rule.enabled or event.mode not in rule.modes:
        return False
    fields = event.data
    named = (
        (rule.types, event.type),
        (rule.assets, event.asset),
        (rule.venues, event.venue),
        (rule.sides, fields.get("side")),
        (rule.priorities, event.priority),
    )
    if any(wanted and found not in wanted for wanted, found in named):
        return False
    distance = _number(fields.get("distance_ratio"))
    if rule.max_distance_ratio is not None and not abs(distance) <= rule.max_distance_ratio:
        return False
    if rule.min_notional_usd is not None and not _number(fields.get("notional_usd")) >= rule.min_notional_usd:
        return False
    level = _number(fields.get("density_level"))
    return rule.min_density_level is None or level >= rule.min_density_level


def verdict_of(
    rule: AlertRule, event: Event, now_ns: int, sent_ns: Sequence[int], last_same_ns: int | None
) -> Verdict:
    """What a rule says about an event at a moment.

    Args:
        rule: the rule.
        event: the event.
        now_ns: the moment, nanoseconds UTC.
        sent_ns: when the rule alerted before; at least the last ``per_s`` of its rate limit.
        last_same_ns: when the rule last alerted about the same subject, None where it never did.

    Moments after ``now_ns`` (the clock was set back) hold nothing back.
    """
    if not matches(rule, event):
        return Verdict.NO
    if last_same_ns is not None and 0 <= now_ns - last_same_ns < rule.dedupe_s * SECOND_NS:
        return Verdict.DUPLICATE
    breaks_through = rule.p0_ignores_quiet and event.priority == Priority.P0
    if not breaks_through and any(hours.holds_at(now_ns) for hours in rule.quiet_hours):
        return Verdict.QUIET
    limit = rule.rate_limit
    if limit is not None:
        since_ns = now_ns - limit.per_s * SECOND_NS
        if sum(since_ns < moment <= now_ns for moment in sent_ns) >= limit.n:
            return Verdict.RATE
    return Verdict.SEND


class AlertMemory:
    """When each rule alerted, about what; forgets what no rule looks back at.

    Args:
        rate_max: moments kept per rule: the largest ``n`` that a rate limit can have.
        subjects_max: subjects kept per rule; the one that alerted longest ago makes room.
    """

    def __init__(self, *, rate_max: int = 1000, subjects_max: int = 10_000) -> None:
        self._rate_max = rate_max
        self._subjects_max = subjects_max
        self._sent: dict[str, collections.deque[int]] = {}
        self._last: dict[str, dict[str, int]] = {}
        #: What was noted since the last ``commit``: rule, subject, and the moment that the new one replaced.
        self._noted: list[tuple[str, str, int | None]] = []

    def verdict(self, rule: AlertRule, event: Event, now_ns: int) -> Verdict:
        """``verdict_of`` with what is remembered."""
        last = self._last.get(rule.name, {}).get(subject_of(event))
        return verdict_of(rule, event, now_ns, self._sent.get(rule.name, ()), last)

    def note(self, rule_name: str, subject: str, now_ns: int) -> None:
        """Remember that a rule alerted."""
        sent = self._sent.setdefault(rule_name, collections.deque(maxlen=self._rate_max))
        sent.append(now_ns)
        last = self._last.setdefault(rule_name, {})
        self._noted.append((rule_name, subject, last.pop(subject, None)))
        last[subject] = now_ns
        while last and (len(last) > self._subjects_max or now_ns - next(iter(last.values())) > MEMORY_NS):
            del last[next(iter(last))]

    def commit(self) -> None:
        """What was noted has come true."""
        self._noted.clear()

    def undo(self) -> None:
        """What was noted since the last ``commit`` has not come true."""
        for rule_name, subject, before_ns in reversed(self._noted):
            self._sent[rule_name].pop()
            del self._last[rule_name][subject]
            if before_ns is not None:
                self._last[rule_name][subject] = before_ns
        self._noted.clear()

    def forget(self, rule_name: str) -> None:
        """Forget a rule that is no more."""
        self._sent.pop(rule_name, None)
        self._last.pop(rule_name, None)


def _number(value: Any) -> float:
    """A number, or NaN, which is neither above nor below anything."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
