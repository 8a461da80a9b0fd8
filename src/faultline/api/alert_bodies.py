"""Fields of the bodies about alerts. No body has a field for the address of a target."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from faultline.api.bodies import Envelope
from faultline.store.alert_rules import AlertRule, DeliveryState, RuleFields

__all__ = (
    "AlertTestBody",
    "AlertTestRequest",
    "AlertsBody",
    "DeliveryBody",
    "MatchBody",
    "RuleBody",
    "RuleRequest",
    "TargetBody",
)

_Name = Annotated[str, Meta(min_length=1, max_length=64)]


class RuleBody(AlertRule, frozen=True, kw_only=True):
    """A rule and where it is kept: ``config`` (``alerts.toml``, read-only here) or ``page``."""

    source: Literal["config", "page"]


class RuleRequest(RuleFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule as it is to be. Its name stands in the path; where it stands here too, it must be the same."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    source: Literal["page"] | msgspec.UnsetType = msgspec.UNSET

    def rule(self, name: str) -> AlertRule:
        """The rule under its name.

        Raises:
            msgspec.ValidationError: the name cannot be one.
        """
        fields: dict[str, Any] = msgspec.to_builtins(self)
        fields.pop("source", None)
        return msgspec.convert({**fields, "name": name}, AlertRule)


class TargetBody(msgspec.Struct, kw_only=True):
    """A target: its name, how messages reach it, and whether its address can be used."""

    name: str
    scheme: str
    ready: bool


class DeliveryBody(msgspec.Struct, kw_only=True):
    """A message to one target: what it said, how often it was tried, what became of it."""

    id: int
    rule: str
    target: str
    event_id: str
    event_type: str
    summary: str
    state: DeliveryState
    attempts: int
    updated_ms: int
    error: str | None


class AlertsBody(Envelope):
    """Rules, targets, the newest deliveries first, and counters since the engine's start."""

    rules: list[RuleBody]
    targets: list[TargetBody]
    deliveries: list[DeliveryBody]
    counters: dict[str, int]


class AlertTestRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What to test: exactly one of a target (a message is sent) and a rule (nothing is sent)."""

    target: _Name | msgspec.UnsetType = msgspec.UNSET
    rule: _Name | msgspec.UnsetType = msgspec.UNSET


class MatchBody(msgspec.Struct, kw_only=True):
    """A kept event that a rule asks for, and what the rule would have done: ``send``, or why not."""

    seq: int
    event_id: str
    event_type: str
    at_ms: int
    verdict: Literal["send", "duplicate", "quiet", "rate"]
    summary: str


class AlertTestBody(Envelope):
    """How a test went. The last four fields are about rules; ``examples`` are the newest matches."""

    sent: bool
    detail: str
    looked_at: int | None = None
    would_send: int | None = None
    held_back: dict[str, int] | None = None
    examples: list[MatchBody] | None = None
