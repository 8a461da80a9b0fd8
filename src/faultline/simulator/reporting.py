"""Liquidations that happened in, those that a venue publishes and when they arrive out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from faultline.simulator.state import LIQUIDATION
from faultline.units import MILLISECOND_NS, SECOND_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.simulator.schema import VenueSpec

__all__ = ("BATCH_NS", "Reported", "Reporter")

#: All-events venues push what happened each half second.
BATCH_NS = 500 * MILLISECOND_NS


class Reported(NamedTuple):
    """Published liquidations and their receive times, both sorted by receive time; ``position_id`` tells
    which.
    """

    events: NDArray[np.void]
    received_ns: NDArray[np.int64]


class Reporter:
    """The public liquidation channel of one instrument.

    ``all-events`` publishes every event at the end of the half second it falls in; ``latest-per-second``
    publishes, at the end of each whole second, only the last event of that second. Both arrive a latency
    later.
    """

    def __init__(self, venue: VenueSpec) -> None:
        self.is_sampled = venue.archetype == "latest-per-second"
        self._latency_ns = venue.latency_ms * MILLISECOND_NS
        self._window_ns = SECOND_NS if self.is_sampled else BATCH_NS
        self._waiting = np.zeros(0, dtype=LIQUIDATION)

    def publish(self, events: NDArray[np.void], now_ns: int) -> Reported:
        """Add events (sorted by time) and return what the windows that have ended by ``now_ns`` publish."""
        if len(self._waiting):
            events = np.concatenate([self._waiting, events])
        window = events["ts_ns"] // self._window_ns
        is_ended = (window + 1) * self._window_ns <= now_ns
        self._waiting = events[~is_ended]
        events, window = events[is_ended], window[is_ended]
        if self.is_sampled and len(events):
            is_latest = np.append(window[1:] != window[:-1], True)
            events, window = events[is_latest], window[is_latest]
        return Reported(events, (window + 1) * self._window_ns + self._latency_ns)
