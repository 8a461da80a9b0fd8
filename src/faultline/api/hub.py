"""Changes of the store in, messages on the bus out: what a stream client can subscribe to."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

import msgspec

from faultline.bus.interface import subject_word
from faultline.store.columns import CANDLE_FIELDS, CandleChange, Change, ColumnChange, MapKey, Resync
from faultline.units import MILLISECOND_NS

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultline.bus.interface import Bus
    from faultline.store.maps import MapStore

__all__ = ("STATUS_SUBJECT", "Hub", "candle_subject", "map_subject")

#: Subject of status messages.
STATUS_SUBJECT = "status"


class Hub:
    """Turns what the writer's thread reports into bus messages.

    Columns and candles are passed on at once; of the status only the newest is sent, at most once per
    interval.
    """

    def __init__(self, store: MapStore, bus: Bus, status_interval_s: float) -> None:
        self.bus = bus
        self.n_clients = 0
        self._store = store
        self._status_interval_s = status_interval_s
        self._status_is_new = False
        self._unsubscribe: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin to listen to the store."""
        self._unsubscribe = self._store.subscribe(self._on_change)

    def stop(self) -> None:
        """Stop listening."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    async def run(self, status_body: Callable[[], Any]) -> None:
        """Publish the status while it changes, until cancelled."""
        while True:
            await asyncio.sleep(self._status_interval_s)
            if self._status_is_new:
                self._status_is_new = False
                content = {"type": "status", **msgspec.to_builtins(status_body())}
                self.bus.publish(STATUS_SUBJECT, msgspec.json.encode(content))

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
