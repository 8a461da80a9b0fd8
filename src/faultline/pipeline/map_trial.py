"""Maps of an asset as assumed and as learned and what price then did in, how far the learned ones are trusted out.

A learner that explains the events of its own feed better than the assumed mix may still move the map of the asset
away from them: the map is in USD, and says nothing of how many events a dollar is. So both maps are frozen every five
minutes and scored on what price swept of them and the liquidations of all feeds that came.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from faultline.heatmap.forecast import passed_ratio
from faultline.heatmap.grid import bucket_position
from faultline.learning.pool import MapPool
from faultline.states import part_of
from faultline.units import HOUR_NS, MINUTE_NS, Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from faultline.pipeline.instrument_state import InstrumentState
    from faultline.pipeline.step import LocatedEvents

__all__ = ("TRIAL_NS", "MapTrial")

#: How long the maps stand before they are scored.
TRIAL_NS: Final = 5 * MINUTE_NS
#: Smallest part of a bucket that counts as swept.
_AREA_MIN: Final = 1e-3


class MapTrial:
    """The maps that stand on trial, what has happened since, and how they scored before."""

    def __init__(self) -> None:
        self._pool = MapPool(2)
        #: Per instrument its first bucket, amounts (2 maps, 2 sides, B) and what is left of each bucket (2, B).
        self._standing: list[tuple[int, NDArray[np.float64], NDArray[np.float64]]] = []
        self._range_usd = np.array([math.inf, -math.inf])
        self._counts = np.zeros(2)

    @property
    def trust(self) -> float:
        """Weight of the learned maps beside the assumed ones, 0 to 1."""
        return float(self._pool.weights[1])

    def apply(self, path: NDArray[np.void], events: LocatedEvents) -> None:
        """Note where price was (``market.path.PATH_ROW``) and which liquidations came."""
        if len(path):
            low, high = path["low_usd"], path["high_usd"]
            self._range_usd[0] = np.fmin.reduce(low, initial=self._range_usd[0])
            self._range_usd[1] = np.fmax.reduce(high, initial=self._range_usd[1])
        is_short = events.side == Side.SHORT
        self._counts += [np.count_nonzero(~is_short), np.count_nonzero(is_short)]

    def close(
        self, time_ns: int, maps: Iterable[tuple[InstrumentState, NDArray[np.float64]]], *, teaches: bool
    ) -> None:
        """Score the maps that stood until ``time_ns`` and freeze the next.

        Args:
            time_ns: a multiple of ``TRIAL_NS``.
            maps: instruments with a price, each with its assumed and its learned mix, shape (2, L).
            teaches: whether liquidations were heard: silence of a feed that is down says nothing.
        """
        low, high = self._range_usd
        if self._standing and teaches and low <= high:
            ends = float(bucket_position(low)), float(bucket_position(high))
            swept = np.zeros((2, 2))
            for first, usd, remaining in self._standing:
                swept += (usd * passed_ratio(remaining, first, *ends)[0]).sum(axis=2)
            area = np.full(2, max(ends[1] - ends[0], _AREA_MIN))
            self._pool.learn(swept, area, self._counts, TRIAL_NS / HOUR_NS)
        self._range_usd[:] = math.inf, -math.inf
        self._counts[:] = 0.0
        found = list(maps)
        self._standing = []
        if any(not np.array_equal(mixes[0], mixes[1]) for _, mixes in found):
            self._standing = [
                (item.ledger.first_bucket, item.heat_usd(time_ns, mixes), item.ledger.remaining.astype(float))
                for item, mixes in found
            ]

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays."""
        out = {f"pool.{key}": value for key, value in self._pool.state().items()}
        out["since"] = np.concatenate([self._range_usd, self._counts])
        out["first"] = np.array([first for first, _, _ in self._standing], dtype=np.int64)
        for k, (_, usd, remaining) in enumerate(self._standing):
            out[f"usd{k}"], out[f"remaining{k}"] = usd, remaining
        return out

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> MapTrial:
        """A trial that goes on where ``state()`` was taken."""
        trial = cls()
        trial._pool = MapPool.from_state(part_of(state, "pool."))
        trial._range_usd, trial._counts = state["since"][:2].copy(), state["since"][2:].copy()
        trial._standing = [
            (first, state[f"usd{k}"].copy(), state[f"remaining{k}"].copy())
            for k, first in enumerate(state["first"].tolist())
        ]
        return trial
