"""What a stage found in, the fields of the event that tells of it out.

A notice is an event without its circumstances: which market it is and how long detection took are known only where
the engine runs.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from faultline.learning.calibrator.report import EngineChange
from faultline.learning.history import Fact
from faultline.signals.events import EventType, make_event
from faultline.units import SECOND_NS, PriceKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from faultline.learning.calibrator.report import SideTurn
    from faultline.learning.calibrator.sides import SideVerdict
    from faultline.signals.events import Event
    from faultline.signals.feeds import FeedChange
    from faultline.signals.silence import SilenceChange
    from faultline.zones.zone import ZoneChange

__all__ = (
    "Notice",
    "calibration_notice",
    "feed_notice",
    "learner_notice",
    "silence_notice",
    "zone_notice",
)

_ZONE_EVENTS: Final = {
    "created": EventType.ZONE_CREATED,
    "reinforced": EventType.ZONE_REINFORCED,
    "approached": EventType.ZONE_APPROACHED,
    "hit": EventType.ZONE_HIT,
    "swept": EventType.ZONE_SWEPT,
    "expired": EventType.ZONE_EXPIRED,
    "building": EventType.ZONE_BUILDING,
    "thinning": EventType.ZONE_THINNING,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened.

    Attributes:
        kind: type of the event.
        asset: e.g. ``BTC``.
        subject: id of the zone or instrument it is about.
        at_ns: market time: the receive time of the message that caused it, or the grid time it was found at.
        data: fields of the type (``signals.events.CATALOGUE``).
        venue: slug, where one venue caused it.
    """

    kind: EventType
    asset: str
    subject: str
    at_ns: int
    data: dict[str, Any]
    venue: str | None = None

    def event(self, *, simulated: bool, mode: str, latency_ms: float | None) -> Event:
        """The event, under the circumstances it was found in."""
        return make_event(
            self.kind,
            asset=self.asset,
            subject=self.subject,
            detected_at_ns=self.at_ns,
            data=self.data,
            simulated=simulated,
            mode=mode,
            venue=self.venue,
            latency_ms=latency_ms,
        )


def zone_notice(asset: str, change: ZoneChange, more: Mapping[str, Any]) -> Notice:
    """The notice of a zone's change.

    Args:
        asset: asset of the zone's scope.
        change: what the tracker or the account found.
        more: fields of the event's type beyond those that every zone event has.
    """
    zone = change.zone
    venue = zone.scope.partition(":")[0] if ":" in zone.scope else None
    fields = {
        "zone_id": zone.id,
        "scope": zone.scope,
        "side": zone.side,
        "low_usd": zone.low_usd,
        "high_usd": zone.high_usd,
        "peak_usd": zone.peak_usd,
        "notional_usd": zone.notional_usd,
        "distance_ratio": zone.distance_ratio,
        "density_level": zone.density_level,
        "loaded": zone.loaded,
    }
    return Notice(_ZONE_EVENTS[change.kind], asset, zone.id, change.at_ns, {**fields, **more}, venue)


def silence_notice(asset: str, instrument_id: str, change: SilenceChange) -> Notice:
    """The notice of an instrument that sends no prices, or sends them again."""
    kind = EventType.SOURCE_DOWN if change.is_down else EventType.SOURCE_RECOVERED
    fields: dict[str, Any] = {
        "instrument": instrument_id,
        "silent_s": change.silent_s,
        "channels": [],
        "status": "silent" if change.is_down else "live",
        "detail": "",
    }
    return Notice(kind, asset, instrument_id, change.at_ns, fields, _venue(instrument_id))


def feed_notice(asset: str, change: FeedChange) -> Notice:
    """The notice of feeds of a venue that fail, or work again; it is given for every asset that is mapped."""
    kind = EventType.SOURCE_DOWN if change.is_down else EventType.SOURCE_RECOVERED
    feeds_id = f"{change.venue}:all"
    fields: dict[str, Any] = {
        "instrument": feeds_id,
        "silent_s": (change.at_ns - change.since_ns) / SECOND_NS,
        "channels": list(change.channels),
        "status": change.status,
        "detail": change.detail,
    }
    subject = f"{feeds_id}|{','.join(change.channels)}"
    return Notice(kind, asset, subject, change.at_ns, fields, change.venue)


def learner_notice(asset: str, learner: str, subject: str, fact: Fact) -> Notice:
    """The notice of what happened to the parameters of a learner.

    Args:
        asset: e.g. ``BTC``.
        learner: ``leverage``, ``print offset`` or ``chains``.
        subject: feed of liquidations that it learns from; the asset for chains.
        fact: what happened; ``fallback`` and ``restored`` are told by the learner itself.
    """
    fields = {
        "instrument": subject,
        "learner": learner,
        "change": fact.kind,
        "advantage_nats": fact.balance_nats,
        "threshold_nats": -fact.threshold_nats,
    }
    about = f"{subject}|{learner}|{fact.kind}"
    venue = _venue(subject) if ":" in subject else None
    return Notice(EventType.LEARNER_FELL_BACK, asset, about, fact.time_ns, fields, venue)


def calibration_notice(
    asset: str, feed_id: str, at_ns: int, what: EngineChange | SideTurn | Fact, *, before: SideVerdict
) -> Notice:
    """The notice of what a feed's calibrator found.

    Args:
        asset: e.g. ``BTC``.
        feed_id: where the liquidations come from.
        at_ns: when it was found.
        what: what was found.
        before: what was known of the feed's sides until then.
    """
    if isinstance(what, Fact):
        return learner_notice(asset, "print offset", feed_id, dataclasses.replace(what, time_ns=at_ns))
    if isinstance(what, EngineChange):
        is_offset = what.what == "print offset"
        fields: dict[str, Any] = {
            "instrument": feed_id,
            "what": what.what,
            "part": PriceKind(what.subject).name if is_offset else f"tier {what.subject + 1}",
            "before_bps": what.before_bps,
            "after_bps": what.after_bps,
            "evidence_nats": what.evidence_nats,
            "n_events": what.n_events,
        }
        subject = f"{feed_id}|{what.what}|{what.subject}|{what.time_ns}"
        return Notice(EventType.ENGINE_CHANGED, asset, subject, at_ns, fields, _venue(feed_id))
    fields = {
        "instrument": feed_id,
        "verdict": str(what.verdict),
        "before": str(before),
        "log_odds_nats": what.log_odds_nats,
    }
    subject = f"{feed_id}|{what.verdict}|{what.time_ns}"
    return Notice(EventType.SIDE_CONVENTION_ALARM, asset, subject, at_ns, fields, _venue(feed_id))


def _venue(feed_id: str) -> str:
    return feed_id.partition(":")[0]
