"""How wild the market is in, what a venue's public channels lose or delay out.

Venues fail when they are needed most: latency grows with volatility, and a channel that breaks down is silent for a
while, which its clients can only note as a gap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faultline.messages import Kind, empty_rows
from faultline.simulator.randomness import scatter, stream_key
from faultline.units import MILLISECOND_NS, MINUTE_NS, SECOND_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.simulator.schema import AssetSpec, VenueSpec

__all__ = ("Stress",)

#: Samples that are remembered for events that are published later.
_REMEMBERED = 8
#: Volatility over normal from which outages happen, and from which latency grows.
_OUTAGE_FROM = 2.0
_LATENCY_FROM = 1.0


class Stress:
    """Outages and latency of one instrument's channels; the same however often it is asked.

    An outage may begin at each whole minute, with a probability that grows with volatility at that moment.
    """

    def __init__(self, venue: VenueSpec, asset: AssetSpec, seed: int, instrument: str) -> None:
        self._venue = venue
        self._normal = asset.vol_per_day_ratio
        self._key = stream_key(seed, f"outage {instrument}")
        self._times = np.full(1, np.iinfo(np.int64).min)
        self._ratios = np.ones(1)
        self._outages = np.zeros((0, 2), dtype=np.int64)
        self.is_on = venue.outages_per_hour > 0 or venue.stress_latency_ms > 0

    def note(self, samples: NDArray[np.void]) -> NDArray[np.void]:
        """Take over the samples of the venue; returns a gap row for each outage that they began."""
        ratios = samples["volatility"] / self._normal
        self._times = np.concatenate([self._times[-_REMEMBERED:], samples["ts_ns"]])
        self._ratios = np.concatenate([self._ratios[-_REMEMBERED:], ratios])
        minutes = samples["ts_ns"] % MINUTE_NS == 0
        chance = self._venue.outages_per_hour / 60.0 * np.maximum(ratios[minutes] - _OUTAGE_FROM, 0.0)
        starts = samples["ts_ns"][minutes]
        n_before = len(self._outages)
        for start_ns in starts[scatter(self._key, starts // MINUTE_NS) < chance]:
            if len(self._outages) == 0 or start_ns >= self._outages[-1, 1]:
                end_ns = start_ns + self._venue.outage_s * SECOND_NS
                self._outages = np.concatenate([self._outages, [[start_ns, end_ns]]])
        began = self._outages[n_before:]
        rows = empty_rows(Kind.GAP, len(began))
        rows["ts_event_ns"] = rows["ts_received_ns"] = rows["to_ns"] = began[:, 1]
        rows["from_ns"] = began[:, 0]
        rows["missing_kind"], rows["reason"] = b"all", b"disconnect"
        return rows

    def is_lost(self, times_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each time lies in an outage."""
        at = np.searchsorted(self._outages[:, 0], times_ns, side="right") - 1
        if not len(self._outages):
            return np.zeros(len(times_ns), dtype=np.bool_)
        return np.asarray((at >= 0) & (times_ns < self._outages[at, 1]))

    def delay_ns(self, times_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Latency beyond the venue's own at each time, by the last sample before it."""
        ratio = self._ratios[np.searchsorted(self._times, times_ns, side="right") - 1]
        added_ms = self._venue.stress_latency_ms * np.maximum(ratio - _LATENCY_FROM, 0.0)
        return np.asarray((added_ms * MILLISECOND_NS).astype(np.int64))
