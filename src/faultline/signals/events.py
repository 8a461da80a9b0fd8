"""What was detected in, one typed event out: the form in which the store, the stream and the alerts carry it."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = (
    "CATALOGUE",
    "EVENT_SCHEMA",
    "LATENCY_GOAL_MS",
    "Event",
    "EventSpec",
    "EventType",
    "Priority",
    "make_event",
)

#: Version of the form of an event.
EVENT_SCHEMA: Final = 1


class Priority(enum.IntEnum):
    """How soon an event must reach people; smaller is sooner."""

    P0 = 0
    P1 = 1
    P2 = 2


#: Longest time from our receipt of a message to the event that it caused, in milliseconds.
LATENCY_GOAL_MS: Final = {Priority.P0: 100.0, Priority.P1: 500.0, Priority.P2: 2000.0}


class EventType(enum.StrEnum):
    """Types of event, each with its row in ``CATALOGUE``."""

    ZONE_HIT = "ZONE_HIT"
    CASCADE_STARTED = "CASCADE_STARTED"
    CASCADE_EXTENDED = "CASCADE_EXTENDED"
    LIQUIDATION_LARGE = "LIQUIDATION_LARGE"
    ZONE_APPROACHED = "ZONE_APPROACHED"
    CASCADE_ENDED = "CASCADE_ENDED"
    CASCADE_EXCESS = "CASCADE_EXCESS"
    SOURCE_DOWN = "SOURCE_DOWN"
    SOURCE_RECOVERED = "SOURCE_RECOVERED"
    ZONE_CREATED = "ZONE_CREATED"
    ZONE_REINFORCED = "ZONE_REINFORCED"
    ZONE_BUILDING = "ZONE_BUILDING"
    ZONE_THINNING = "ZONE_THINNING"
    ZONE_SWEPT = "ZONE_SWEPT"
    ZONE_EXPIRED = "ZONE_EXPIRED"
    DIVERGENCE = "DIVERGENCE"
    LEARNER_FELL_BACK = "LEARNER_FELL_BACK"
    ENGINE_CHANGED = "ENGINE_CHANGED"
    SIDE_CONVENTION_ALARM = "SIDE_CONVENTION_ALARM"


@dataclasses.dataclass(frozen=True, slots=True)
class EventSpec:
    """One type of event: how urgent it is, when it happens, and the fields of its ``data``."""

    type: EventType
    priority: Priority
    happens_when: str
    fields: Mapping[str, str]


_ZONE: Final[dict[str, str]] = {
    "zone_id": "id of the zone",
    "scope": "asset or instrument whose map holds the zone",
    "side": "LONG or SHORT: the position that would be liquidated",
    "low_usd": "lower edge of the zone",
    "high_usd": "upper edge of the zone",
    "peak_usd": "price of the zone's hottest place",
    "notional_usd": "estimated exposure in the zone (model estimate)",
    "distance_ratio": "nearest edge over price, minus 1; 0 inside the zone",
    "density_level": "1-10, null before there is enough history",
    "loaded": "whether the density level is 5 or more, null as above",
}


_CASCADE: Final[dict[str, str]] = {
    "episode_id": "id of the cascade",
    "zone_id": "id of the zone whose hit began it",
    "side": "LONG or SHORT: the positions that are liquidated",
    "price_usd": "price of the deepest level reached",
    "depth": "levels reached beyond the zone",
    "n_levels": "levels that were known at the hit, at most 10",
    "liquidated_usd": "liquidations of the side seen since the hit; a lower bound where a venue samples",
    "expected_usd": "forced flow to expect from the levels that price went through (model estimate)",
    "expected_depth": "mean depth where only plain volatility moves price",
    "tail_prob": "probability of this depth or more under that",
    "duration_s": "seconds since the hit",
    "next_prob": "probability of the next level as said at the hit, given this one; null where none is left",
}


def _zone(**more: str) -> dict[str, str]:
    return _ZONE | more


def _source(status: str) -> dict[str, str]:
    return {
        "instrument": "instrument that sends no price, or venue:all where its feeds fail",
        "silent_s": "seconds without a price, or since the first of the feeds failed",
        "channels": "names of the feeds; empty where an instrument sends no price",
        "status": status,
        "detail": "what the recorder says of it; empty where an instrument sends no price",
    }


def _spec(kind: EventType, priority: Priority, happens_when: str, fields: Mapping[str, str]) -> EventSpec:
    return EventSpec(kind, priority, happens_when, fields)


#: Every type of event that the engine emits.
CATALOGUE: Final[dict[EventType, EventSpec]] = {
    spec.type: spec
    for spec in (
        _spec(
            EventType.ZONE_HIT,
            Priority.P0,
            "price reaches the nearest edge of a zone",
            _zone(price_usd="price that reached it"),
        ),
        _spec(
            EventType.CASCADE_STARTED,
            Priority.P0,
            "price reaches the first level beyond a zone that was hit, and forced flow was seen since the hit",
            _CASCADE,
        ),
        _spec(
            EventType.CASCADE_EXTENDED,
            Priority.P0,
            "a cascade that was told of reaches its next level",
            _CASCADE,
        ),
        _spec(
            EventType.LIQUIDATION_LARGE,
            Priority.P0,
            "one liquidation is larger than all but a thousandth of the asset's trailing 30 days",
            {
                "instrument": "instrument that was liquidated",
                "side": "LONG or SHORT: the position that was liquidated",
                "price_usd": "printed price",
                "trigger_usd": "price that forced it",
                "notional_usd": "size",
                "threshold_usd": "size that counted as large at that moment",
            },
        ),
        _spec(
            EventType.ZONE_APPROACHED,
            Priority.P1,
            "price comes close to a zone that is notable or was told of before: nearer than the asset usually moves "
            "in a quarter of an hour; or such a zone was created that close",
            _zone(price_usd="price that came close"),
        ),
        _spec(
            EventType.CASCADE_ENDED,
            Priority.P1,
            "a cascade did not reach its next level in time, reached the last one, or prices broke off",
            _CASCADE,
        ),
        _spec(
            EventType.CASCADE_EXCESS,
            Priority.P1,
            "a cascade is deeper than plain volatility alone would make it in nineteen of twenty cases",
            _CASCADE,
        ),
        _spec(
            EventType.SOURCE_DOWN,
            Priority.P1,
            "feeds of a venue have been down, blocked or stale for half a minute, or an instrument has sent no price "
            "for too long",
            _source("the worst of blocked, down and stale; silent where only prices are missing"),
        ),
        _spec(
            EventType.SOURCE_RECOVERED,
            Priority.P1,
            "feeds of a venue that were told of as failing work again, or an instrument that was silent sends prices",
            _source("live or partial"),
        ),
        _spec(
            EventType.ZONE_CREATED,
            Priority.P2,
            "a zone has stood out for ten minutes and is notable: it holds 3 % of its side's exposure, or is loaded",
            _zone(),
        ),
        _spec(
            EventType.ZONE_REINFORCED,
            Priority.P2,
            "a notable zone holds half as much again as when it was created or last reinforced",
            _zone(before_usd="exposure it had then"),
        ),
        _spec(
            EventType.ZONE_BUILDING,
            Priority.P2,
            "a notable zone's share of all exposure rises beyond what decay explains",
            _zone(
                opened_usd="opened in it over the last hour", closed_usd="modelled closes over the last hour"
            ),
        ),
        _spec(
            EventType.ZONE_THINNING,
            Priority.P2,
            "the share of all exposure of a zone that was told of before falls beyond what decay explains, while open "
            "interest falls",
            _zone(
                opened_usd="opened in it over the last hour",
                closed_usd="modelled closes over the last hour",
                interest_change_ratio="change of open interest over the last hour",
            ),
        ),
        _spec(
            EventType.ZONE_SWEPT,
            Priority.P2,
            "price has passed the far edge of a zone",
            _zone(
                before_usd="exposure before price reached it",
                liquidated_usd="liquidations seen inside it since then; a lower bound where a venue samples",
            ),
        ),
        _spec(
            EventType.ZONE_EXPIRED,
            Priority.P2,
            "a zone that was told of before has faded or given way to another before price passed its far edge",
            _zone(
                touches="how often price was in it; 0 where it was never reached",
                peak_notional_usd="largest exposure it ever held",
                merged_into="id of the zone that took its place, null where none did",
            ),
        ),
        _spec(
            EventType.DIVERGENCE,
            Priority.P2,
            "the maps of two venues differ by more than their estimates could by chance",
            {
                "side": "LONG or SHORT",
                "distance_bps": "Wasserstein distance of the two maps",
                "floor_bps": "what chance alone gives in 95 of 100 cases",
                "venues": "the two venues",
                "outlier": "the venue whose map lies farthest from the others, null with two venues",
            },
        ),
        _spec(
            EventType.LEARNER_FELL_BACK,
            Priority.P2,
            "a static prior (assumed leverage mix, usual print offset, plain volatility of chains) takes over because "
            "what was learned foretold worse, or what was learned is back",
            {
                "instrument": "feed of liquidations that is learned from; the asset where chains are",
                "learner": "leverage, print offset or chains",
                "change": "fallback: the static prior is in force; restored: what was learned is back",
                "advantage_nats": "discounted log score of what was learned over the static prior's",
                "threshold_nats": "the static prior takes over below this",
            },
        ),
        _spec(
            EventType.ENGINE_CHANGED,
            Priority.P2,
            "a venue prints its liquidations elsewhere than it used to: its liquidation engine must have changed",
            {
                "instrument": "feed of liquidations",
                "what": "print offset or margin",
                "part": "kind of price that moved, or the margin tier",
                "before_bps": "offset in the direction of the position's side, or margin correction, until then",
                "after_bps": "the same now, to the nearest value that was tested",
                "evidence_nats": "log likelihood by which the value now explains the latest liquidations better",
                "n_events": "liquidations since the change, about",
            },
        ),
        _spec(
            EventType.SIDE_CONVENTION_ALARM,
            Priority.P2,
            "prints and price say that a feed's sides do not mean what is assumed, or that they do again",
            {
                "instrument": "feed of liquidations",
                "verdict": "inverted, mixed, or right where they do again",
                "before": "unknown, right, inverted or mixed: what was known until then",
                "log_odds_nats": "log odds that the recorded sides are right",
            },
        ),
    )
}


class Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One event.

    Attributes:
        id: hash of type, asset, subject and moment: the same event found again has the same id.
        schema: version of this form.
        type: see ``CATALOGUE``.
        priority: 0, 1 or 2.
        asset: e.g. ``BTC``.
        venue: slug where one venue caused it, else None.
        confidence: 0-1 where a probability is known, else None.
        data: fields of the type.
        detected_at_ns: market time of detection.
        latency_ms: from our receipt of the causing message to detection; None in a rebuilt past.
        simulated: whether the market is simulated.
        mode: ``live``, ``replay``, ``simulated``, or ``rebuilt``: found in the past while the map was loading.
    """

    id: str
    schema: int
    type: EventType
    priority: int
    asset: str
    venue: str | None
    confidence: float | None
    data: dict[str, Any]
    detected_at_ns: int
    latency_ms: float | None
    simulated: bool
    mode: str


def make_event(
    kind: EventType,
    *,
    asset: str,
    subject: str,
    detected_at_ns: int,
    data: dict[str, Any],
    simulated: bool,
    mode: str,
    venue: str | None = None,
    confidence: float | None = None,
    latency_ms: float | None = None,
) -> Event:
    """An event with its id and priority filled in.

    Args:
        kind: type of event.
        asset: e.g. ``BTC``.
        subject: what it is about: a zone id, an instrument id; part of the id.
        detected_at_ns: market time of detection.
        data: the fields that ``CATALOGUE`` lists for the type.
        simulated: whether the market is simulated.
        mode: ``live``, ``replay``, ``simulated`` or ``rebuilt``.
        venue: slug, where one venue caused it.
        confidence: 0-1, where known.
        latency_ms: see ``Event``.

    Raises:
        ValueError: ``data`` does not have exactly the fields of the type.
    """
    spec = CATALOGUE[kind]
    if data.keys() != spec.fields.keys():
        odd = ", ".join(sorted(data.keys() ^ spec.fields.keys()))
        raise ValueError(f"{kind} has other fields: {odd}")
    text = f"{kind}|{asset}|{subject}|{detected_at_ns}".encode()
    return Event(
        id=hashlib.sha256(text).hexdigest()[:24],
        schema=EVENT_SCHEMA,
        type=kind,
        priority=int(spec.priority),
        asset=asset,
        venue=venue,
        confidence=confidence,
        data=data,
        detected_at_ns=detected_at_ns,
        latency_ms=latency_ms,
        simulated=simulated,
        mode=mode,
    )
