"""Levels reached and liquidations after a hit in, episodes that start, extend and end out, each exactly once.

An episode **starts** when the first level beyond a zone that was hit is reached and forced flow was seen since the hit:
at least a tenth of what the zone releases by the least share liquidated that is still believed (its 5 % quantile). It
**extends** with every further level and **ends** when the next level is not reached in time, the last one is reached,
or the feed breaks off. It is **in excess** once plain volatility would have come this far in one case of twenty:
``P(depth >= k) = prod of first-passage probabilities``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import numpy as np
from scipy.special import ndtr

from faultline.cascades.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = (
    "EXCESS_PROB",
    "START_QUANTILE",
    "START_RATIO",
    "Episode",
    "EpisodeChange",
    "EpisodeKind",
    "ExcessTally",
    "OpenEpisode",
)

EpisodeKind = Literal["started", "extended", "excess", "ended"]
#: Share of the zone's least flow that must be seen before an episode starts, and the quantile that is its least.
START_RATIO: Final = 0.1
START_QUANTILE: Final = 0.05
#: Tail probability at or below which an episode is in excess.
EXCESS_PROB: Final = 0.05


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """A cascade as everybody outside sees it.

    Attributes:
        id: ``{zone id}-{moment of the hit in ns}``.
        zone_id: zone at level 0.
        symbol: asset or instrument.
        side: 0 longs, 1 shorts.
        hit_ns: when the zone was hit.
        at_ns: when this state began.
        depth: levels reached.
        n_levels: levels that were known at the hit.
        level_usd: price of the deepest level reached.
        liquidated_usd: liquidations of the side seen since the hit.
        expected_usd: forced flow to expect from the levels that were reached.
        expected_depth: mean depth where only plain volatility moves price.
        tail_prob: probability of this depth or more under that.
        duration_s: seconds since the hit.
        next_prob: probability of the next level as said at the hit, given this one; None where none is left.
    """

    id: str
    zone_id: str
    symbol: str
    side: int
    hit_ns: int
    at_ns: int
    depth: int
    n_levels: int
    level_usd: float
    liquidated_usd: float
    expected_usd: float
    expected_depth: float
    tail_prob: float
    duration_s: float
    next_prob: float | None


class EpisodeChange(msgspec.Struct, frozen=True):
    """Something happened to an episode."""

    kind: EpisodeKind
    episode: Episode


class OpenEpisode(msgspec.Struct):
    """What one open chain has told so far: mutable part of an episode.

    Attributes:
        passage: first-passage probability of each hop.
        expected_usd: expected flow of levels 0..n.
        start_usd: liquidations that must be seen before it starts.
        depth_told: depth that was told; 0 before the start.
        excess_told: whether excess was told.
    """

    passage: tuple[float, ...]
    expected_usd: tuple[float, ...]
    start_usd: float = 0.0
    depth_told: int = 0
    excess_told: bool = False

    def kinds(self, depth: int, liquidated_usd: float, *, is_over: bool) -> list[tuple[EpisodeKind, int]]:
        """What there is to tell now, with the depth it is about; tells each thing once.

        Args:
            depth: levels reached so far.
            liquidated_usd: liquidations of the side since the hit.
            is_over: whether the chain has ended.
        """
        out: list[tuple[EpisodeKind, int]] = []
        if self.depth_told == 0 and depth >= 1:
            if liquidated_usd < self.start_usd or liquidated_usd <= 0:
                return out
            self.depth_told = 1
            out.append(("started", 1))
        while 0 < self.depth_told < depth:
            self.depth_told += 1
            out.append(("extended", self.depth_told))
        if self.depth_told and not self.excess_told and self.tail_prob(depth) <= EXCESS_PROB:
            self.excess_told = True
            out.append(("excess", depth))
        if self.depth_told and is_over:
            out.append(("ended", depth))
        return out

    def tail_prob(self, depth: int) -> float:
        """P(at least this depth) where only plain volatility moves price."""
        return math.prod(self.passage[:depth])

    def expected_depth(self) -> float:
        """Mean depth under that."""
        return float(np.cumprod(self.passage).sum())


class ExcessTally:
    """Hops that happened beside hops that plain volatility would have made, over all chains; fades.

    A second measure does without any estimate of volatility: of the hops whose distance price covered ahead or back,
    how often ahead came first. Where nothing but chance moves price that is one half, however loud the market is.

    Args:
        half_life_ns: memory.
    """

    def __init__(self, half_life_ns: int) -> None:
        #: Hops at risk, happened, expected, the variance of the expectation, and races won and lost.
        self._sums = np.zeros(6)
        self._memory = Memory(half_life_ns)

    def apply(
        self, time_ns: int, passage: NDArray[np.float64], reached: int, races: Sequence[int] = ()
    ) -> None:
        """Take in the hops of one chain that were at risk, ``reached`` of which happened, and their races."""
        self._sums *= self._memory.move(time_ns)
        expected, variance = passage.sum(), (passage * (1.0 - passage)).sum()
        won, lost = sum(race > 0 for race in races), sum(race < 0 for race in races)
        self._sums += np.array([len(passage), reached, expected, variance, won, lost])

    @property
    def n(self) -> float:
        """Hops at risk, faded."""
        return float(self._sums[0])

    @property
    def ratio(self) -> float:
        """Hops that happened over hops expected; NaN before the first."""
        return float(self._sums[1] / self._sums[2]) if self._sums[2] > 0 else math.nan

    @property
    def excess(self) -> float:
        """Share of hops at risk that happened beyond what volatility explains; NaN before the first."""
        return float((self._sums[1] - self._sums[2]) / self._sums[0]) if self._sums[0] > 0 else math.nan

    @property
    def tail_prob(self) -> float:
        """P(so many hops or more) where only volatility moves price, by the normal law; NaN before the first."""
        if not self._sums[3] > 0:
            return math.nan
        return float(ndtr((self._sums[2] - self._sums[1]) / math.sqrt(self._sums[3])))

    @property
    def races(self) -> float:
        """Races that were decided, faded."""
        return float(self._sums[4] + self._sums[5])

    @property
    def race_share(self) -> float:
        """Share of the races in which ahead came first; NaN before the first."""
        return float(self._sums[4] / self.races) if self.races > 0 else math.nan

    @property
    def race_tail_prob(self) -> float:
        """P(so large a share or larger) where each way is as likely, by the normal law; NaN before the first."""
        if not self.races > 0:
            return math.nan
        return float(ndtr((self._sums[5] - self._sums[4]) / math.sqrt(self.races)))

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays."""
        return {"sums": self._sums.copy(), "time_ns": np.array([self._memory.last_ns], dtype=np.int64)}

    @classmethod
    def from_state(cls, half_life_ns: int, state: Mapping[str, NDArray[Any]]) -> ExcessTally:
        """A tally that goes on where ``state()`` was taken."""
        tally = cls(half_life_ns)
        tally._sums = state["sums"].copy()
        tally._memory.last_ns = int(state["time_ns"][0])
        return tally
