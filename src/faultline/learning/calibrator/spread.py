"""Values of events in, their quartiles and how many clusters they form out, old events fading.

A filter tells one centre. Where a feed mixes venues that print at different distances that centre is a place where few
prints lie, so a histogram of the offsets is kept too. Another one holds the times from event to receipt.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from faultline.states import restoring

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("OFFSET_EDGES_BPS", "RECEIPT_EDGES_S", "Spread")

_STATE_VERSION: Final = 1
#: Bins of offsets: half a basis point wide, up to 150 bp either way.
OFFSET_EDGES_BPS: Final[NDArray[np.float64]] = np.linspace(-150.0, 150.0, 601)
#: Bins of times to receipt: 2 % wide from a tenth of a millisecond to ten minutes.
RECEIPT_EDGES_S: Final[NDArray[np.float64]] = np.concatenate(([0.0], np.geomspace(1e-4, 600.0, 788)))
#: Blur of a histogram before clusters are sought, in bins.
_BLUR_BINS: Final = 3.0
#: A cluster is a peak at least so high against the highest one, and the valley beside it falls to this share.
_PEAK_SHARE: Final = 0.08
_VALLEY_SHARE: Final = 0.7
#: Less than this share of the events is no cluster.
_FEWEST_SHARE: Final = 0.1
_FEWEST_EVENTS: Final = 30


class Spread:
    """Fading histogram, kept between calls.

    Args:
        edges: of the bins, ascending, shape (B + 1,).
        half_life_events: events after which one counts half.
    """

    def __init__(self, edges: NDArray[np.float64], half_life_events: float = 2000.0) -> None:
        self._edges = edges
        self._grow = 2.0 ** (1.0 / half_life_events)
        self._mass = np.zeros(len(edges) - 1)
        self._weight = 1.0

    def add(self, values: NDArray[np.float64]) -> None:
        """Add events in order; NaN and what lies outside the bins is passed over.

        Args:
            values: shape (n,), in the unit of the edges.
        """
        inside = values[(values >= self._edges[0]) & (values < self._edges[-1])]
        for index in np.searchsorted(self._edges, inside, side="right") - 1:
            self._weight *= self._grow
            self._mass[index] += self._weight
            if self._weight > 1e100:
                self._mass /= self._weight
                self._weight = 1.0

    @property
    def n_events(self) -> float:
        """Events, old ones fading."""
        return float(self._mass.sum() / self._weight)

    def quantiles(self, probs: tuple[float, ...] = (0.25, 0.5, 0.75)) -> tuple[float, ...]:
        """Quantiles of the values; NaN without events."""
        total = self._mass.sum()
        if total <= 0:
            return tuple(float("nan") for _ in probs)
        below = np.concatenate(([0.0], np.cumsum(self._mass))) / total
        return tuple(float(np.interp(prob, below, self._edges)) for prob in probs)

    def clusters(self) -> tuple[tuple[float, float], ...]:
        """Centre of each cluster of a tenth of all events or more and its share, largest first; none below 30."""
        if self.n_events < _FEWEST_EVENTS:
            return ()
        reach = int(4 * _BLUR_BINS)
        taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / _BLUR_BINS) ** 2)
        smooth = np.convolve(np.pad(self._mass, 1), taps / taps.sum(), mode="same")
        high = smooth[1:-1]
        peaks = np.flatnonzero(
            (high > smooth[:-2]) & (high >= smooth[2:]) & (high >= _PEAK_SHARE * high.max())
        )
        kept: list[int] = []
        for peak in peaks:
            if kept and high[kept[-1] : peak].min() > _VALLEY_SHARE * min(high[kept[-1]], high[peak]):
                # No valley between them: one cluster, at its higher peak.
                kept[-1] = int(peak) if high[peak] > high[kept[-1]] else kept[-1]
            else:
                kept.append(int(peak))
        borders = [0, *(a + int(np.argmin(high[a:b])) for a, b in itertools.pairwise(kept)), len(high)]
        centres = (self._edges[1:] + self._edges[:-1]) / 2
        total = self._mass.sum()
        found = [
            (float(centres[peak]), float(self._mass[low:top].sum() / total))
            for peak, (low, top) in zip(kept, itertools.pairwise(borders), strict=True)
        ]
        kept_clusters = [cluster for cluster in found if cluster[1] >= _FEWEST_SHARE]
        return tuple(sorted(kept_clusters, key=lambda cluster: -cluster[1]))

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on."""
        return {
            "version": np.array([_STATE_VERSION]),
            "mass": self._mass.copy(),
            "weight": np.array([self._weight]),
        }

    @classmethod
    def from_state(
        cls,
        state: Mapping[str, NDArray[Any]],
        edges: NDArray[np.float64],
        half_life_events: float = 2000.0,
    ) -> Spread:
        """A histogram that goes on where ``state()`` was taken.

        Raises:
            StoreError: that is no state of a histogram with these bins.
        """
        kept = cls(edges, half_life_events)
        with restoring("a histogram", state, _STATE_VERSION):
            if state["mass"].shape != kept._mass.shape:
                raise ValueError(f"bins {state['mass'].shape}")
            np.copyto(kept._mass, state["mass"], casting="safe")
            kept._weight = float(state["weight"][0])
        return kept
