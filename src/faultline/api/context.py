"""Store, scores and settings in, the one object that every route is given out."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from faultline.api.bodies import Envelope, StatusBody
from faultline.errors import RequestError
from faultline.units import MILLISECOND_NS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from faultline.api.alerting import AlertDeskLike
    from faultline.api.fanout import Fanout
    from faultline.api.hub import Hub
    from faultline.api.metrics import Metrics
    from faultline.api.settings import ApiSettings
    from faultline.store.events import EventStore
    from faultline.store.maps import MapStore
    from faultline.store.scores import ScoreStore
    from faultline.store.zones import ZoneStore

__all__ = ("ApiContext", "NotReady", "plain")

_Answer = TypeVar("_Answer")
_Body = TypeVar("_Body", bound=Envelope)


class NotReady(RequestError):
    """The engine cannot answer that yet; asking again later can help."""

    code = "not_ready"


class ApiContext:
    """What routes share: the store they read, the limits they keep, the counters they move."""

    def __init__(
        self,
        store: MapStore,
        scores: ScoreStore | None,
        settings: ApiSettings,
        hub: Hub,
        fanout: Fanout,
        metrics: Metrics,
        static_folder: Path,
        *,
        events: EventStore | None = None,
        zones: ZoneStore | None = None,
        alerts: AlertDeskLike | None = None,
    ) -> None:
        self.store = store
        self.scores = scores
        self.settings = settings
        self.hub = hub
        self.fanout = fanout
        self.events = events
        self.zones = zones
        self.alerts = alerts
        self.metrics = metrics
        self.static_folder = static_folder
        self._slow = asyncio.Semaphore(settings.concurrent_max)

    def envelope(self) -> dict[str, Any]:
        """The four fields of every body."""
        status = self.store.status
        paused = status.replay is not None and status.replay.paused
        silent = self.store.silence_s() > self.settings.stale_after_s and not paused
        late = status.mode == "live" and (status.data_age_s or 0.0) > self.settings.stale_after_s
        return {
            "simulated": status.simulated,
            "as_of_ns": status.as_of_ns,
            "as_of_ms": status.as_of_ns // MILLISECOND_NS,
            "stale": status.state != "ready" or silent or late,
        }

    def body(self, kind: type[_Body], /, **fields: Any) -> _Body:
        """A body of a kind with the four common fields filled in."""
        return kind(**self.envelope(), **fields)

    def status_body(self) -> StatusBody:
        """The engine's status as a body."""
        status = self.store.status
        return self.body(
            StatusBody,
            version=status.version or self.settings.version,
            mode=status.mode,
            world=status.world,
            state=status.state,
            progress=status.progress,
            error=status.error,
            data_age_s=status.data_age_s,
            replay=status.replay,
        )

    async def in_thread(self, ask: Callable[..., _Answer], *args: object) -> _Answer:
        """Run something slow beside the event loop, a bounded number at a time."""
        async with self._slow:
            return await asyncio.to_thread(ask, *args)


def plain(value: Any) -> Any:
    """A value of the pipeline as JSON knows it: arrays become lists, NaN and infinities None."""
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
