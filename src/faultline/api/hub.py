"""Changes of the store in, messages on the bus out: what a stream client can subscribe to."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from faultline.bus.interface import subject_word
from faultline.store.columns import CANDLE_FIELDS, CandleChange, Change, ColumnChange, MapKey, Resync
from faultline.units import MILLISECOND_NS

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultline.bus.interface import Bus
    from faultline.signals.events import Event
    from faultline.store.events import EventStore
    from faultline.store.maps import MapStore
    from faultline.store.zones import ZoneStore

__all__ = (
    "EVENT_PREFIX",
    "PATTERNS",
    "STATUS_SUBJECT",
    "Hub",
    "candle_subject",
    "event_message",
    "map_subject",
    "zones_subject",
)

#: Subject of status messages.
STATUS_SUBJECT: Final = "status"
#: Begin of the subject of an event; type and asset follow.
EVENT_PREFIX: Final = "event."
#: Everything that is published here.
PATTERNS: Final = (STATUS_SUBJECT, "map.>", "candle.>", "zones.>", f"{EVENT_PREFIX}>")
#: Shortest time between two notes that the zones of a scope changed.
_ZONES_INTERVAL_S: Final = 1.0


class Hub:
    """Turns what the writers' threads report into bus messages.

    Columns, candles and events are passed on at once; of the status only the newest is sent, at most once per
    interval, and of changed zones at most one note per scope and second.
    """

    def __init__(
        self,
        store: MapStore,
        bus: Bus,
        status_interval_s: float,
        events: EventStore | None = None,
        zones: ZoneStore | None = None,
    ) -> None:
        self.bus = bus
        self._store, self._events, self._zones = store, events, zones
        self._status_interval_s = status_interval_s
        self._status_is_new = False
        self._zones_changed: dict[str, int] = {}
        self._zones_told_s: dict[str, float] = {}
        self._unsubscribe: list[Callable[[], None]] = []

    def start(self) -> None:
        """Begin to listen to the stores."""
        self._unsubscribe.append(self._store.subscribe(self._on_change))
        if self._events is not None:
            self._unsubscribe.append(self._events.subscribe(self._on_event))
        if self._zones is not None:
            self._unsubscribe.append(self._zones.subscribe(self._zones_changed.__setitem__))

    def stop(self) -> None:
        """Stop listening."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe.clear()

    async def run(self, status_body: Callable[[], Any]) -> None:
        """Publish the status and what zones changed, until cancelled."""
        while True:
            await asyncio.sleep(self._status_interval_s)
            if self._status_is_new:
                self._status_is_new = False
                content = {"type": "status", **msgspec.to_builtins(status_body())}
                self.bus.publish(STATUS_SUBJECT, msgspec.json.encode(content))
            self._tell_zones(time.monotonic())

    def _tell_zones(self, now_s: float) -> None:
        for scope in list(self._zones_changed):
            if now_s - self._zones_told_s.get(scope, -math.inf) >= _ZONES_INTERVAL_S:
                self._zones_told_s[scope] = now_s
                note = {"type": "zones", "scope": scope, "version": self._zones_changed.pop(scope)}
                self.bus.publish(zones_subject(scope), msgspec.json.encode(note))

    def _on_event(self, seq: int, event: Event, body: bytes) -> None:
        subject = f"{EVENT_PREFIX}{event.type}.{subject_word(event.asset)}"
        self.bus.publish(subject, event_message(seq, body))

    def _on_change(self, change: Change) -> None:
        if isinstance(change, ColumnChange):
            self.bus.publish(map_subject(change.key), change.frame)
        elif isinstance(change, Resync):
            content = {"type": "resync", "sub": change.sub, "seq": change.seq}
            self.bus.publish(map_subject(change.key), msgspec.json.encode(content))
        elif isinstance(change, CandleChange):
            self.bus.publish(candle_subject(change.scope, change.timeframe), _candle_message(change))
        else:
            self._status_is_new = True


def map_subject(key: MapKey) -> str:
    """Subject of the frames of one plane and side."""
    return ".".join(("map", subject_word(key.scope), key.timeframe, key.plane, key.side))


def candle_subject(scope: str, timeframe: str) -> str:
    """Subject of the candles of one map."""
    return ".".join(("candle", subject_word(scope), timeframe))


def zones_subject(scope: str) -> str:
    """Subject of the notes that zones of a scope changed."""
    return f"zones.{subject_word(scope)}"


def event_message(seq: int, body: bytes) -> bytes:
    """One event as a client gets it; ``body`` is its JSON."""
    return b'{"type":"event","seq":%d,"event":%b}' % (seq, body)


def _candle_message(change: CandleChange) -> bytes:
    names = ("o", "h", "l", "c", *CANDLE_FIELDS[4:])
    values = (value if math.isfinite(value) else None for value in change.values.tolist())
    return msgspec.json.encode(
        {
            "type": "candle",
            "scope": change.scope,
            "tf": change.timeframe,
            "index": change.index,
            "t_ms": change.t_ns // MILLISECOND_NS,
            **dict(zip(names, values, strict=True)),
            "closed": change.closed,
        }
    )
