"""Ends of price bars and the clock in, instruments that fell silent or came back out."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from faultline.units import HOUR_NS, SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("SilenceChange", "SilenceWatch")

#: Shortest silence that is told of.
_SILENCE_MIN_NS: Final = 180 * SECOND_NS
#: Silence that is told of, in typical times between two bars of the instrument.
_SILENCE_SPACINGS: Final = 5
#: A longer gap teaches no more than this.
_GAP_MAX_NS: Final = HOUR_NS
#: Weight of one bar in the typical time between bars.
_WEIGHT: Final = 0.01


@dataclasses.dataclass(frozen=True, slots=True)
class SilenceChange:
    """An instrument fell silent (``is_down``) or sends prices again, after ``silent_s`` seconds without one."""

    at_ns: int
    is_down: bool
    silent_s: float


@njit(cache=True, nogil=True)
def _spacing_kernel(ends_ns: NDArray[np.int64], last_ns: int, spacing_ns: float) -> float:
    """Typical time between bars after these, one by one: it must not depend on how bars are cut into calls."""
    for end_ns in ends_ns:
        gap = float(min(end_ns - last_ns, _GAP_MAX_NS))
        spacing_ns = gap if spacing_ns == 0.0 else spacing_ns + _WEIGHT * (gap - spacing_ns)
        last_ns = end_ns
    return spacing_ns


class SilenceWatch:
    """Whether one instrument sends prices."""

    def __init__(self) -> None:
        self._last_ns = 0
        self._spacing_ns = 0.0
        self.is_down = False

    def apply(self, ends_ns: NDArray[np.int64], now_ns: int) -> list[SilenceChange]:
        """Take in the ends of the bars up to ``now_ns``, a grid time, sorted; returns what changed."""
        changes: list[SilenceChange] = []
        if len(ends_ns):
            first = int(ends_ns[0])
            if self.is_down:
                self.is_down = False
                changes.append(
                    SilenceChange(first, is_down=False, silent_s=(first - self._last_ns) / SECOND_NS)
                )
            if self._last_ns:
                self._spacing_ns = _spacing_kernel(ends_ns, self._last_ns, self._spacing_ns)
            self._last_ns = int(ends_ns[-1])
        limit_ns = max(_SILENCE_MIN_NS, _SILENCE_SPACINGS * self._spacing_ns)
        if self._spacing_ns and not self.is_down and now_ns - self._last_ns > limit_ns:
            self.is_down = True
            changes.append(SilenceChange(now_ns, is_down=True, silent_s=(now_ns - self._last_ns) / SECOND_NS))
        return changes

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as arrays."""
        return {
            "last": np.array([self._last_ns, self.is_down], dtype=np.int64),
            "spacing": np.array([self._spacing_ns]),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> SilenceWatch:
        """One that goes on where ``state()`` was taken."""
        made = cls()
        made._last_ns, made.is_down = int(state["last"][0]), bool(state["last"][1])
        made._spacing_ns = float(state["spacing"][0])
        return made
