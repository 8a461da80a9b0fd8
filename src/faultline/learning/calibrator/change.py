"""Log likelihood gains of alternatives over the present state in, the moment an engine must have changed out.

Page's cumulative sum per alternative, ``g = max(0, g + gain - drift)``, with an alarm above a threshold. While
the present state is true the expected likelihood ratio of an alternative is 1, so a sum passes ``h`` nats by chance
less than once in ``exp(h)`` events (Lorden, Procedures for reacting to a change in distribution, 1971): 15 nats is
once in three million. The drift makes up for densities that are not quite right.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from faultline.errors import RequestError
from faultline.learning.calibrator.filter_kernels import cumulative_sums_kernel
from faultline.states import restoring

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("Alarm", "ChangeDetector")

_STATE_VERSION: Final = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Alarm:
    """A change that was found.

    Attributes:
        row: row of the gains in which the threshold was passed.
        alternative: column that passed it.
        evidence_nats: its sum.
        n_events: events since that sum was last zero: about how long ago the change was.
    """

    row: int
    alternative: int
    evidence_nats: float
    n_events: int


class ChangeDetector:
    """Sums of a fixed set of alternatives, kept between calls.

    Args:
        n_alternatives: columns.
        drift_nats: what an alternative must gain per event to gather evidence.
        threshold_nats: evidence that means a change.
    """

    def __init__(self, n_alternatives: int, drift_nats: float = 0.05, threshold_nats: float = 15.0) -> None:
        if n_alternatives < 1 or drift_nats < 0 or threshold_nats <= 0:
            message = (
                f"no test of {n_alternatives} alternatives, drift {drift_nats}, threshold {threshold_nats}"
            )
            raise RequestError(
                message, where="ChangeDetector", hint="give one alternative or more, a threshold above 0"
            )
        self.drift_nats = drift_nats
        self.threshold_nats = threshold_nats
        self._sums = np.zeros(n_alternatives)
        self._lengths = np.zeros(n_alternatives, dtype=np.int64)

    def apply(self, gains: NDArray[np.float64]) -> Alarm | None:
        """Add rows until the first alarm; rows after it are not seen, and the sums are zero again.

        Args:
            gains: log likelihood of each alternative minus the present state's, shape (n, A), nats; NaN says nothing.

        Raises:
            RequestError: other columns than there are alternatives.
        """
        if gains.ndim != 2 or gains.shape[1] != len(self._sums):
            message = f"gains of shape {gains.shape} for {len(self._sums)} alternatives"
            raise RequestError(message, where="gains", hint="give one column per alternative")
        row = cumulative_sums_kernel(
            np.ascontiguousarray(gains, dtype=np.float64),
            self._sums,
            self._lengths,
            float(self.drift_nats),
            float(self.threshold_nats),
        )
        if row < 0:
            return None
        best = int(np.argmax(self._sums))
        alarm = Alarm(int(row), best, float(self._sums[best]), int(self._lengths[best]))
        self.reset()
        return alarm

    @property
    def evidence_nats(self) -> NDArray[np.float64]:
        """Sums now, shape (A,)."""
        return self._sums.copy()

    def reset(self) -> None:
        """Begin anew."""
        self._sums[:] = 0.0
        self._lengths[:] = 0

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on."""
        return {
            "version": np.array([_STATE_VERSION]),
            "sums": self._sums.copy(),
            "lengths": self._lengths.copy(),
        }

    @classmethod
    def from_state(
        cls, state: Mapping[str, NDArray[Any]], drift_nats: float = 0.05, threshold_nats: float = 15.0
    ) -> ChangeDetector:
        """A detector that goes on where ``state()`` was taken.

        Raises:
            StoreError: that is no state of such a detector.
        """
        with restoring("a change detector", state, _STATE_VERSION):
            kept = cls(len(state["sums"]), drift_nats, threshold_nats)
            np.copyto(kept._sums, state["sums"], casting="safe")
            np.copyto(kept._lengths, state["lengths"], casting="safe")
        return kept
