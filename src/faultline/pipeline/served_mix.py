"""Leverage mixes with the times from which they hold in, the mix that a column of any time was drawn with out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from faultline.units import DAY_NS, HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("ServedMix",)

#: How long every mix is kept; of older ones the last of each hour.
_ALL_NS: Final = 2 * DAY_NS
#: How long the mixes of whole hours are kept.
_HOURLY_NS: Final = 60 * DAY_NS


class ServedMix:
    """Mixes of one instrument: those assumed, and those learned since.

    Args:
        assumed: the assumed mix and the two ends of its band, shape (3, L), rows sum to 1.
    """

    def __init__(self, assumed: NDArray[np.float64]) -> None:
        self.assumed = assumed
        #: What the mix is pooled of: one to fall back on, and what was learned, shape (2, L).
        self.rivals = assumed[[0, 0]]
        self._from_ns = np.zeros(0, dtype=np.int64)
        self._mixes = np.zeros((0, *assumed.shape))
        self._shares = np.zeros(0)

    @property
    def now(self) -> NDArray[np.float64]:
        """The mix that holds now and the two ends of its band, shape (3, L)."""
        mixes: NDArray[np.float64] = self._mixes[-1] if len(self._mixes) else self.assumed
        return mixes

    @property
    def learned_share(self) -> float:
        """How much of the present mix is data rather than prior, 0 to 1."""
        return float(self._shares[-1]) if len(self._shares) else 0.0

    @property
    def is_learned(self) -> bool:
        """Whether the present mix is another than the assumed one."""
        return bool(len(self._mixes)) and not np.array_equal(self._mixes[-1], self.assumed)

    def hold(
        self, from_ns: NDArray[np.int64], mixes: NDArray[np.float64], learned_share: NDArray[np.float64]
    ) -> None:
        """Let mixes hold from their times on, each until the next.

        Args:
            from_ns: sorted times after the last one held, shape (n,).
            mixes: shape (n, 3, L): the mix and the two ends of its band, rows sum to 1.
            learned_share: shape (n,).
        """
        self._from_ns = np.concatenate([self._from_ns, from_ns])
        self._mixes = np.concatenate([self._mixes, mixes])
        self._shares = np.concatenate([self._shares, learned_share])
        if len(self._from_ns):
            self._thin(int(self._from_ns[-1]))

    def at(self, times_ns: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Mixes (M, L) with the assumed one first, and which of them holds at each time (n,)."""
        if not len(self._from_ns):
            return self.assumed[:1], np.zeros(len(times_ns), dtype=np.int64)
        index = np.searchsorted(self._from_ns, times_ns, side="right")
        used = np.unique(index[index > 0])
        mixes = np.concatenate([self.assumed[:1], self._mixes[used - 1, 0]])
        return mixes, np.where(index > 0, np.searchsorted(used, index) + 1, 0)

    def band_at(self, time_ns: int) -> NDArray[np.float64]:
        """The mix that holds at a time and the two ends of its band, shape (3, L)."""
        index = int(np.searchsorted(self._from_ns, time_ns, side="right"))
        mixes: NDArray[np.float64] = self._mixes[index - 1] if index else self.assumed
        return mixes

    def share_at(self, time_ns: int) -> float:
        """How much of the mix that holds at a time is data."""
        index = int(np.searchsorted(self._from_ns, time_ns, side="right"))
        return float(self._shares[index - 1]) if index else 0.0

    def _thin(self, now_ns: int) -> None:
        """Forget what is too old, and of what is old keep the last of each hour."""
        if now_ns - int(self._from_ns[0]) <= _ALL_NS + HOUR_NS:
            return
        hour = self._from_ns // HOUR_NS
        last_of_hour = np.append(np.diff(hour) != 0, np.True_)
        age = now_ns - self._from_ns
        keep = (age <= _ALL_NS) | (last_of_hour & (age <= _HOURLY_NS))
        self._from_ns, self._mixes, self._shares = self._from_ns[keep], self._mixes[keep], self._shares[keep]

    def state(self) -> dict[str, NDArray[Any]]:
        """Mixes with their times, as flat arrays."""
        return {
            "from_ns": self._from_ns.copy(),
            "mixes": self._mixes.copy(),
            "shares": self._shares.copy(),
            "assumed": self.assumed.copy(),
            "rivals": self.rivals.copy(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> ServedMix:
        """Mixes that go on where ``state()`` was taken."""
        served = cls(state["assumed"].copy())
        served._from_ns, served._mixes = state["from_ns"].copy(), state["mixes"].copy()
        served._shares, served.rivals = state["shares"].copy(), state["rivals"].copy()
        return served
