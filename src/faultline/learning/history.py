"""What a learner believed at the turn of each hour in, its past and the states it can go back to out."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from faultline.errors import RequestError
from faultline.units import HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("Fact", "FactKind", "ParameterHistory")

#: Hours of parameters and days of full states that are kept.
_KEPT_HOURS: Final = 24 * 30 + 1
_KEPT_STATES: Final = 7
#: Numbers of a row besides the mix: effective events, advantage in nats, dispersion, whether the prior is in force.
_EXTRA: Final = 4

FactKind = Literal["fallback", "restored", "frozen", "thawed", "rolled_back"]


@dataclasses.dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened to the parameters, for the caller to announce.

    Attributes:
        kind: ``fallback``: the static prior took over; ``restored``: the learned mix is back; ``frozen``, ``thawed``,
            ``rolled_back``: as asked.
        time_ns: end of the window at which it happened; of the state gone back to.
        balance_nats: discounted log score of the learned mix over the static prior's, over the dispersion of counts,
            held between minus twice and plus once the threshold.
        threshold_nats: the prior takes over below minus this.
    """

    kind: FactKind
    time_ns: int
    balance_nats: float
    threshold_nats: float


class ParameterHistory:
    """Two rings: a row of parameters per hour, a full state per day.

    Args:
        leverages: number of leverages.
        members: of the bank.
    """

    def __init__(self, leverages: int, members: int) -> None:
        size = leverages + 1
        self._time = np.zeros(0, dtype=np.int64)
        self._rows = np.zeros((0, leverages + _EXTRA))
        self._state_time = np.zeros(0, dtype=np.int64)
        self._x = np.zeros((0, members, size))
        self._precision = np.zeros((0, members, size, size))

    def is_due(self, time_ns: int) -> bool:
        """Whether ``time_ns`` lies in a later hour than the last row."""
        return not len(self._time) or time_ns // HOUR_NS > int(self._time[-1]) // HOUR_NS

    def note(
        self,
        time_ns: int,
        mix: NDArray[np.float64],
        numbers: tuple[float, float, float, float],
        x: NDArray[np.float64],
        precision: NDArray[np.float64],
    ) -> None:
        """Add a row; and the state, where a new day begins.

        Args:
            time_ns: start of the window it is known before.
            mix: shares in force, shape (L,).
            numbers: effective events, advantage in nats, dispersion, 1 while the prior is in force.
            x: log rates, shape (M, K).
            precision: of them, shape (M, K, K).
        """
        self._time = np.append(self._time, np.int64(time_ns))[-_KEPT_HOURS:]
        self._rows = np.concatenate([self._rows, np.append(mix, numbers)[None]])[-_KEPT_HOURS:]
        day = 24 * HOUR_NS
        if not len(self._state_time) or time_ns // day > int(self._state_time[-1]) // day:
            self.keep(time_ns, x, precision)

    def keep(self, time_ns: int, x: NDArray[np.float64], precision: NDArray[np.float64]) -> None:
        """Keep a state to go back to; shapes as in ``note``."""
        self._state_time = np.append(self._state_time, np.int64(time_ns))[-_KEPT_STATES:]
        self._x = np.concatenate([self._x, x[None]])[-_KEPT_STATES:]
        self._precision = np.concatenate([self._precision, precision[None]])[-_KEPT_STATES:]

    def table(self) -> dict[str, NDArray[Any]]:
        """Hourly rows: time_ns (n,), mix (n, L), effective_events, advantage_nats, dispersion, prior_in_force (n,)."""
        numbers = self._rows[:, -_EXTRA:]
        return {
            "time_ns": self._time.copy(),
            "mix": self._rows[:, :-_EXTRA].copy(),
            "effective_events": numbers[:, 0].copy(),
            "advantage_nats": numbers[:, 1].copy(),
            "dispersion": numbers[:, 2].copy(),
            "prior_in_force": numbers[:, 3] > 0,
        }

    def states_ns(self) -> NDArray[np.int64]:
        """Times of the states that can be gone back to, shape (n,)."""
        return self._state_time.copy()

    def before(self, time_ns: int) -> tuple[int, NDArray[np.float64], NDArray[np.float64]]:
        """The last state kept at or before a time: its time, log rates and precision.

        Raises:
            RequestError: there is none.
        """
        index = int(np.searchsorted(self._state_time, time_ns, side="right")) - 1
        if index < 0:
            message = f"no state was kept at or before {time_ns} ns"
            hint = f"states are kept at {self._state_time.tolist()}"
            raise RequestError(message, where="time_ns", hint=hint)
        return int(self._state_time[index]), self._x[index].copy(), self._precision[index].copy()

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on."""
        return {f"history.{name.lstrip('_')}": part.copy() for name, part in vars(self).items()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on where ``state()`` was taken.

        Raises:
            KeyError: a part is missing.
            ValueError: a part has another shape.
        """
        for name, part in list(vars(self).items()):
            kept = np.array(state[f"history.{name.lstrip('_')}"], dtype=part.dtype)
            if kept.shape[1:] != part.shape[1:]:
                raise ValueError(f"history of shape {kept.shape}")
            setattr(self, name, kept)
