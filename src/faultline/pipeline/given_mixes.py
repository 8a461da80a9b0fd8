"""Leverage mixes of a parameter file in, which of them an instrument is drawn with and which a feed starts from out."""

from __future__ import annotations

import msgspec
import numpy as np

from faultline.learning.prior import GENERIC_PRECISION, MixPrior

__all__ = ("FixedMix", "GivenMixes")

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


class GivenMixes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mixes that are known before the first message.

    Attributes:
        fixed: mixes that are served as they are; nothing is learned from their feeds.
        starts: mixes by feed that its learner starts from and forgets towards, instead of the assumed one.
    """

    fixed: tuple[FixedMix, ...] = ()
    starts: dict[str, tuple[float, ...]] = {}

    def __post_init__(self) -> None:
        for feed, mix in self.starts.items():
            if not _is_mix(mix):
                msg = f"the mix that {feed} starts from must be positive shares that sum to 1"
                raise ValueError(msg)

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
