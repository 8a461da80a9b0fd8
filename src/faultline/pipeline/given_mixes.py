"""What a parameter file knows in, which mix an instrument is drawn with and what each learner starts from out."""

from __future__ import annotations

import msgspec
import numpy as np

from faultline.learning.prior import GENERIC_PRECISION, MixPrior
from faultline.pipeline.learned_rows import KeptState, LearnedFeed

__all__ = ("FixedMix", "GivenMixes", "GivenSnapshot")

#: A sum of shares may differ from 1 by this much.
_SUM_ERROR = 1e-6


class FixedMix(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mix of one feed of liquidations that is served as it is.

    Attributes:
        feed: where the liquidations came from.
        serves: instruments that are drawn with it; none where the feed had nothing to say, and the assumed mix holds.
        mix: shares of gross opens per leverage, sum 1.
        low: lower end of its band, a mix too.
        high: upper end.
        data_ratio: how much of it is data rather than prior, 0 to 1.
    """

    feed: str
    serves: tuple[str, ...]
    mix: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    data_ratio: float

    def __post_init__(self) -> None:
        rows = (self.mix, self.low, self.high)
        if len({len(row) for row in rows}) != 1 or any(not _is_mix(row) for row in rows):
            msg = f"the mix of {self.feed} and the ends of its band must be positive shares that sum to 1"
            raise ValueError(msg)

    def mixes(self) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """The mix and the two ends of its band, shape (3, L)."""
        return np.array([self.mix, self.low, self.high])


class GivenSnapshot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The snapshot of a parameter file that is in force.

    Attributes:
        version: its number in the file.
        at_ns: messages received before are in it.
        sha256: its hash.
        frozen: whether it is served unchanged; if not, learning goes on from it.
        assets: assets that were learned.
        feeds: what their feeds taught.
        states: where their calibrators and learners of chains stood.
    """

    version: int
    at_ns: int
    sha256: str
    frozen: bool
    assets: tuple[str, ...]
    feeds: tuple[LearnedFeed, ...] = ()
    states: tuple[KeptState, ...] = ()


class GivenMixes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known before the first message.

    Attributes:
        fixed: mixes that are served as they are; nothing is learned from their feeds.
        starts: mixes by feed that its learner starts from and forgets towards, instead of the assumed one.
        snapshot: where the mixes come from and what else it holds; left out where they come from no parameter file.
    """

    fixed: tuple[FixedMix, ...] = ()
    starts: dict[str, tuple[float, ...]] = {}
    snapshot: GivenSnapshot | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        for feed, mix in self.starts.items():
            if not _is_mix(mix):
                msg = f"the mix that {feed} starts from must be positive shares that sum to 1"
                raise ValueError(msg)

    def of_asset(self, asset: str) -> GivenSnapshot | None:
        """What the snapshot holds of one asset; None where it was not learned."""
        kept = self.snapshot
        if isinstance(kept, msgspec.UnsetType) or asset not in kept.assets:
            return None
        return msgspec.structs.replace(
            kept,
            feeds=tuple(feed for feed in kept.feeds if feed.asset == asset),
            states=tuple(state for state in kept.states if state.asset == asset),
        )

    def named(self) -> GivenMixes:
        """The same where the snapshot is only named by its hash, not repeated."""
        if isinstance(self.snapshot, msgspec.UnsetType):
            return self
        return msgspec.structs.replace(
            self, snapshot=msgspec.structs.replace(self.snapshot, feeds=(), states=())
        )

    def is_fixed(self, feed_id: str) -> bool:
        """Whether nothing is learned from a feed."""
        return any(each.feed == feed_id for each in self.fixed)

    def served_by(self, instrument_id: str) -> FixedMix | None:
        """The mix that an instrument is always drawn with; None where it is assumed or learned."""
        found = [each for each in self.fixed if instrument_id in each.serves]
        return found[0] if found else None

    def prior_of(self, feed_id: str) -> MixPrior | None:
        """Where the learner of a feed starts; None for the generic prior."""
        mix = self.starts.get(feed_id)
        if mix is None:
            return None
        return MixPrior(np.array(mix), np.eye(len(mix)) * GENERIC_PRECISION, "parameter file")


def _is_mix(shares: tuple[float, ...]) -> bool:
    return min(shares, default=0.0) > 0.0 and abs(sum(shares) - 1.0) < _SUM_ERROR
