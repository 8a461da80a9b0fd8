"""What a person wants to hear about in, a checked rule out; and the record of every message about it."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from faultline.signals.events import EventType

__all__ = (
    "TIME_ZONES_HINT",
    "AlertRule",
    "Delivery",
    "DeliveryState",
    "QuietHours",
    "RateLimit",
    "RuleFields",
)

#: What to do about a time zone that is not known.
TIME_ZONES_HINT: Final = "a name of the IANA list, e.g. Europe/Berlin or UTC"

#: What became of a message: waiting (again), delivered, given up, or held back by its rule.
DeliveryState = Literal["pending", "sent", "failed", "suppressed"]

_ClockTime = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", max_length=5)]
_RuleName = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]*$", max_length=64, description="Name of the rule.")
]
_TargetName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=32)]
_Asset = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$", max_length=32)]
_Venue = Annotated[str, Meta(pattern=r"^[a-z0-9_-]+$", max_length=32)]


class QuietHours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of every day in which a rule stays silent, by the clock on a wall of a time zone.

    Attributes:
        from_: first minute, ``HH:MM``; called ``from`` in files and bodies.
        to: first minute after it; earlier than ``from`` where the hours cross midnight.
        tz: name of the time zone.
    """

    from_: _ClockTime = msgspec.field(name="from")
    to: _ClockTime
    tz: Annotated[str, Meta(min_length=1, max_length=64)] = "UTC"

    def __post_init__(self) -> None:
        """Refuse what cannot be looked up later.

        Raises:
            ValueError: the zone is not known, or the hours are empty.
        """
        if self.from_ == self.to:
            raise ValueError(
                f"quiet hours from {self.from_} to {self.to} are empty; disable the rule instead"
            )
        try:
            zoneinfo.ZoneInfo(self.tz)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"time zone {self.tz!r} is not known: {TIME_ZONES_HINT}") from None

    def holds_at(self, moment_ns: int) -> bool:
        """Whether a moment (nanoseconds UTC) lies in the hours, by the local clock as it stands there."""
        local = dt.datetime.fromtimestamp(moment_ns // 1_000_000_000, zoneinfo.ZoneInfo(self.tz))
        now = f"{local.hour:02d}:{local.minute:02d}"
        if self.from_ < self.to:
            return self.from_ <= now < self.to
        return now >= self.from_ or now < self.to


class RateLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most ``n`` alerts of a rule in any stretch of ``per_s`` seconds."""

    n: Annotated[int, Meta(ge=1, le=1000)]
    per_s: Annotated[int, Meta(ge=1, le=86_400)]


class RuleFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events reach whom, and when not. An empty list asks for nothing: any value passes.

    Attributes:
        enabled: whether the rule is in force.
        types: types of event.
        assets: assets, e.g. ``BTC``.
        venues: venues; only events that one venue caused pass.
        sides: ``LONG`` or ``SHORT``.
        max_distance_ratio: farthest edge of a zone from price, e.g. 0.01; only events with a distance pass.
        min_notional_usd: smallest size; only events with a size pass.
        min_density_level: lowest density level, 1-10; only events with a level pass.
        priorities: 0, 1, 2.
        modes: which engines may alert; a market rebuilt while the map loads never does.
        quiet_hours: when to stay silent.
        p0_ignores_quiet: whether the most urgent events break through quiet hours.
        rate_limit: bound of alerts over time; null for none.
        dedupe_s: seconds in which the same type of event about the same subject alerts once; 0 for always.
        targets: names of targets.
    """

    enabled: bool = True
    types: Annotated[list[EventType], Meta(max_length=64)] = []
    assets: Annotated[list[_Asset], Meta(max_length=64)] = []
    venues: Annotated[list[_Venue], Meta(max_length=64)] = []
    sides: Annotated[list[Literal["LONG", "SHORT"]], Meta(max_length=2)] = []
    max_distance_ratio: Annotated[float, Meta(gt=0, le=1)] | None = None
    min_notional_usd: Annotated[float, Meta(ge=0, le=1e15)] | None = None
    min_density_level: Annotated[int, Meta(ge=1, le=10)] | None = None
    priorities: Annotated[list[Literal[0, 1, 2]], Meta(max_length=3)] = []
    modes: Annotated[list[Literal["live", "simulated", "replay"]], Meta(min_length=1, max_length=3)] = (
        msgspec.field(default_factory=lambda: ["live"])
    )
    quiet_hours: Annotated[list[QuietHours], Meta(max_length=8)] = []
    p0_ignores_quiet: bool = False
    rate_limit: RateLimit | None = msgspec.field(default_factory=lambda: RateLimit(n=10, per_s=600))
    dedupe_s: Annotated[int, Meta(ge=0, le=86_400)] = 900
    targets: Annotated[list[_TargetName], Meta(min_length=1, max_length=8)]


class AlertRule(RuleFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule with its name: up to 64 letters, digits, spaces and ``_ . -``, the first a letter or digit."""

    name: _RuleName

    def __post_init__(self) -> None:
        """Refuse what a pattern cannot.

        Raises:
            ValueError: the name ends in white space.
        """
        if self.name != self.name.strip():
            raise ValueError("the name of a rule may not end in white space")


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one target, or the reason why there was none.

    Attributes:
        id: 0 before it is kept.
        rule: name of the rule.
        target: name of the target.
        event_id: event it is about.
        event_type: its type.
        priority: its priority.
        subject: what it is about, for de-duplication.
        state: see ``DeliveryState``.
        attempts: attempts begun.
        matched_ns: when the rule took the event up.
        due_ns: when the next attempt may be made.
        expires_ns: after that it is given up.
        updated_ns: last change.
        summary: the message's first line.
        text: the rest of it.
        error: why it is not delivered (yet), else None; never contains the target's address.
    """

    id: int = 0
    rule: str
    target: str
    event_id: str
    event_type: str
    priority: int
    subject: str
    state: DeliveryState
    attempts: int = 0
    matched_ns: int
    due_ns: int
    expires_ns: int
    updated_ns: int
    summary: str
    text: str
    error: str | None = None
