"""Offsets of events in the direction of their side in, their quartiles and how many clusters they form out.

A filter tells one centre. Where a feed mixes venues that print at different distances that centre is a place where few
prints lie, so the histogram of the offsets is kept too, old events fading.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from faultline.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("OffsetSpread",)

_STATE_VERSION: Final = 1
#: Width of a bin and the farthest offset that is kept, bp.
_BIN_BPS: Final = 0.5
_REACH_BPS: Final = 150.0
_EDGES: Final[NDArray[np.float64]] = np.arange(-_REACH_BPS, _REACH_BPS + _BIN_BPS, _BIN_BPS)
#: Blur of the histogram before clusters are sought, bp.
_BLUR_BPS: Final = 1.5
#: A cluster is a peak at least so high against the highest one, and the valley beside it falls by this share.
_PEAK_SHARE: Final = 0.2
_VALLEY_SHARE: Final = 0.7


class OffsetSpread:
    """Fading histogram of one price kind, kept between calls.

    Args:
        half_life_events: events after which one counts half.
    """

    def __init__(self, half_life_events: float = 2000.0) -> None:
        self.half_life_events = half_life_events
        self._mass = np.zeros(len(_EDGES) - 1)
        self._weight = 1.0

    def add(self, offsets_bps: NDArray[np.float64]) -> None:
        """Add events in order; NaN and what is farther than 150 bp is passed over.

        Args:
            offsets_bps: side times print over mark, shape (n,).
        """
        grow = 2.0 ** (1.0 / self.half_life_events)
        for offset in offsets_bps[np.abs(offsets_bps) < _REACH_BPS]:
            self._weight *= grow
            self._mass[int((offset + _REACH_BPS) / _BIN_BPS)] += self._weight
            if self._weight > 1e100:
                self._mass /= self._weight
                self._weight = 1.0

    @property
    def n_events(self) -> float:
        """Events, old ones fading."""
        return float(self._mass.sum() / self._weight)

    def quantiles_bps(self, probs: tuple[float, ...] = (0.25, 0.5, 0.75)) -> tuple[float, ...]:
        """Quantiles of the offsets; NaN without events."""
        total = self._mass.sum()
        if total <= 0:
            return tuple(float("nan") for _ in probs)
        below = np.concatenate(([0.0], np.cumsum(self._mass))) / total
        return tuple(float(np.interp(prob, below, _EDGES)) for prob in probs)

    def clusters_bps(self) -> tuple[tuple[float, float], ...]:
        """Centre of each cluster of offsets and its share of events, the largest first; empty below 30 events."""
        if self.n_events < 30:
            return ()
        reach = int(4 * _BLUR_BPS / _BIN_BPS)
        taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) * _BIN_BPS / _BLUR_BPS) ** 2)
        smooth = np.convolve(self._mass, taps / taps.sum(), mode="same")
        peaks = np.flatnonzero(
            (smooth[1:-1] > smooth[:-2])
            & (smooth[1:-1] >= smooth[2:])
            & (smooth[1:-1] >= _PEAK_SHARE * smooth.max())
        )
        kept: list[int] = []
        for peak in peaks + 1:
            if kept and smooth[kept[-1] : peak].min() > _VALLEY_SHARE * min(smooth[kept[-1]], smooth[peak]):
                # No valley between them: one cluster, at its higher peak.
                kept[-1] = int(peak) if smooth[peak] > smooth[kept[-1]] else kept[-1]
            else:
                kept.append(int(peak))
        borders = [0, *(a + int(np.argmin(smooth[a:b])) for a, b in itertools.pairwise(kept))]
        borders.append(len(smooth))
        total = self._mass.sum()
        found = [
            (float(_EDGES[peak] + _BIN_BPS / 2), float(self._mass[low:high].sum() / total))
            for peak, (low, high) in zip(kept, itertools.pairwise(borders), strict=True)
        ]
        return tuple(sorted(found, key=lambda cluster: -cluster[1]))

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on."""
        return {
            "version": np.array([_STATE_VERSION]),
            "mass": self._mass.copy(),
            "weight": np.array([self._weight]),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]], half_life_events: float = 2000.0) -> OffsetSpread:
        """A histogram that goes on where ``state()`` was taken.

        Raises:
            StoreError: that is no state of such a histogram.
        """
        kept = cls(half_life_events)
        try:
            if int(state["version"][0]) != _STATE_VERSION:
                raise ValueError(f"version {int(state['version'][0])}")
            np.copyto(kept._mass, state["mass"], casting="safe")
            kept._weight = float(state["weight"][0])
        except (KeyError, ValueError, IndexError, TypeError) as exc:
            message = f"not the state of a histogram of offsets: {exc}"
            raise StoreError(message, where="state", hint="rebuild it from the tape") from exc
        return kept
