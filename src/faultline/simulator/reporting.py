"""Liquidations that happened in, those that a venue publishes and when they arrive out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from faultline.simulator.archetypes import venue_rules
from faultline.simulator.randomness import scatter, stream_key
from faultline.simulator.state import LIQUIDATION
from faultline.units import MILLISECOND_NS, SECOND_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.simulator.schema import VenueSpec

__all__ = ("BATCH_NS", "Reported", "Reporter", "event_key")

#: Venues that publish in batches push what happened each half second.
BATCH_NS = 500 * MILLISECOND_NS
#: Length of the window whose end publishes it, by way of reporting; 1: at once.
_WINDOW_NS = {
    "latest-per-second": SECOND_NS,
    "largest-per-second": SECOND_NS,
    "batch": BATCH_NS,
    "immediate": 1,
    "none": SECOND_NS,
}
#: Most steps in which one position can be taken away.
_MAX_STEPS = 64


class Reported(NamedTuple):
    """Published liquidations and their receive times, both sorted by receive time, and which print the wrong side.

    An event that is published twice stands twice.
    """

    events: NDArray[np.void]
    received_ns: NDArray[np.int64]
    is_wrong_side: NDArray[np.bool_]


def event_key(events: NDArray[np.void]) -> NDArray[np.int64]:
    """Number of each event, unique in a run: the position and the step of its liquidation."""
    return np.asarray(events["position_id"].astype(np.int64) * _MAX_STEPS + events["step"])


class Reporter:
    """The public liquidation channel of one instrument.

    ``batch`` publishes every event at the end of the half second it falls in, ``immediate`` at once;
    ``latest-per-second`` and ``largest-per-second`` publish, at the end of each whole second, only the last or the
    largest event of that second; ``none`` publishes nothing. Before that, events are dropped with probability one
    minus ``report_ratio``; afterwards some print the wrong side or arrive twice. Which ones is drawn from the event's
    own number, so that it does not depend on how often the channel is asked. All arrive a latency and
    ``report_delay_ms`` later.
    """

    def __init__(self, venue: VenueSpec, seed: int = 0, instrument: str = "") -> None:
        self._reporting = venue_rules(venue).reporting
        self.is_sampled = self._reporting.endswith("-per-second")
        self._venue = venue
        self._delay_ns = (venue.latency_ms + venue.report_delay_ms) * MILLISECOND_NS
        self._window_ns = _WINDOW_NS[self._reporting]
        self._keys = {
            purpose: stream_key(seed, f"{purpose} {instrument}") for purpose in ("drop", "turn", "repeat")
        }
        self._waiting = np.zeros(0, dtype=LIQUIDATION)

    def publish(self, events: NDArray[np.void], now_ns: int) -> Reported:
        """Add events (sorted by time) and return what the windows that have ended by ``now_ns`` publish."""
        if self._reporting == "none":
            events = events[:0]
        elif self._venue.report_ratio < 1.0:
            events = events[self._drawn("drop", events) < self._venue.report_ratio]
        if len(self._waiting):
            events = np.concatenate([self._waiting, events])
        window = events["ts_ns"] // self._window_ns
        is_ended = (window + 1) * self._window_ns <= now_ns
        self._waiting = events[~is_ended]
        events, window = events[is_ended], window[is_ended]
        if self.is_sampled and len(events):
            kept = self._kept(events, window)
            events, window = events[kept], window[kept]
        if self._venue.duplicate_prob > 0:
            twice = 1 + (self._drawn("repeat", events) < self._venue.duplicate_prob)
            events, window = np.repeat(events, twice), np.repeat(window, twice)
        is_wrong_side = self._drawn("turn", events) < self._venue.wrong_side_prob
        return Reported(events, (window + 1) * self._window_ns + self._delay_ns, is_wrong_side)

    def _kept(self, events: NDArray[np.void], window: NDArray[np.int64]) -> NDArray[np.bool_]:
        """The one event of each window that is published: the latest, or the largest (of equals the latest)."""
        is_last = np.append(window[1:] != window[:-1], True)
        if self._reporting == "latest-per-second":
            return is_last
        order = np.lexsort((np.arange(len(events)), events["lots"], window))
        kept = np.zeros(len(events), dtype=np.bool_)
        kept[order[is_last]] = True
        return kept

    def _drawn(self, purpose: str, events: NDArray[np.void]) -> NDArray[np.float64]:
        """One number in (0, 1) per event, its own for this purpose."""
        return scatter(self._keys[purpose], event_key(events))
