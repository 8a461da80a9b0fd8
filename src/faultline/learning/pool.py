"""Rates of several models in, one linear pool out whose weights follow their discounted score.

Models that were right lately weigh more, none less than a floor: a model that fails in one regime costs little and
comes back when it is right again. Weights of a window use only the windows before it. Pools and gains go on where
they stopped: what a sequence of windows gives does not depend on how it is cut into calls. Maps in money become
rates by what was swept of them and the events that came.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numba import njit

from faultline.errors import RequestError, StoreError
from faultline.states import part_of, restoring

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("FLOOR", "LEARNING_RATE", "MapPool", "RateGain", "RatePool", "apply_gain", "linear_pool")

#: Weight of one nat of discounted log likelihood.
LEARNING_RATE: Final = 0.05
#: Smallest weight of a model.
FLOOR: Final = 0.05

#: Share of the events that a map is read to hold; the rest is even over what price swept.
_MAP_SHARE: Final = 0.9
#: Recorded hours after which the level of a map counts half.
_LEVEL_HALF_LIFE_H: Final = 24.0
#: Memory of bursts, in recorded hours, and the events assumed beforehand: those of the full engine.
_BURST_HALF_LIFE_H: Final = 0.25
_BURST_PSEUDO: Final = 5.0
#: Events below which the level of a map is not known.
_LEVEL_EVENTS: Final = 30.0

_STATE_VERSION: Final = 1


@njit(cache=True, nogil=True)
def _weights_kernel(score: Any, rate: float, floor: float, weight: Any) -> None:
    """Fill ``weight`` (M,) with ``floor + (1 - M floor) softmax(rate * score)``."""
    n_models = score.shape[0]
    best, total = score.max(), 0.0
    for m in range(n_models):
        weight[m] = np.exp(rate * (score[m] - best))
        total += weight[m]
    for m in range(n_models):
        weight[m] = floor + (1.0 - n_models * floor) * weight[m] / total


@njit(cache=True, nogil=True)
def _pool_kernel(
    starts: Any, rates: Any, counts: Any, hours: Any, settings: Any, score: Any, pooled: Any, weights: Any
) -> None:
    """Pool ``rates`` (M, C) into ``pooled`` (C,) and move ``score`` (M,); ``weights`` (W, M) are those used.

    ``settings`` is f8 (3,): learning rate, floor, half-life in hours.
    """
    n_models = rates.shape[0]
    for w in range(starts.shape[0] - 1):
        weight = weights[w]
        _weights_kernel(score, settings[0], settings[1], weight)
        fade = 2.0 ** (-hours[w] / settings[2])
        for m in range(n_models):
            score[m] *= fade
        for c in range(starts[w], starts[w + 1]):
            mixed = 0.0
            for m in range(n_models):
                mixed += weight[m] * rates[m, c]
            pooled[c] = mixed
            if np.isnan(counts[c]):
                continue
            for m in range(n_models):
                score[m] -= rates[m, c]
                if counts[c] > 0.0:
                    score[m] += counts[c] * np.log(max(rates[m, c], 1e-300))


class RatePool:
    """Linear pool of models, weighted by ``exp(LEARNING_RATE * discounted log likelihood)`` with a floor of ``FLOOR``.

    Args:
        n_models: number of models M.
        half_life_h: recorded hours after which a score counts half.

    Raises:
        RequestError: there is no model, or the half-life is not positive.
    """

    def __init__(self, n_models: int, half_life_h: float = 24.0) -> None:
        if n_models < 1 or not half_life_h > 0:
            message = f"no pool of {n_models} models with a half-life of {half_life_h!r} h"
            raise RequestError(
                message, where="n_models, half_life_h", hint="give one model or more and hours above 0"
            )
        self._settings = np.array([LEARNING_RATE, min(FLOOR, 1.0 / n_models), half_life_h])
        self._score = np.zeros(n_models)

    @property
    def n_models(self) -> int:
        """Number of models M."""
        return len(self._score)

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weights of the next window, shape (M,), sum 1."""
        weight = np.zeros(self.n_models)
        _weights_kernel(self._score, self._settings[0], self._settings[1], weight)
        return weight

    def apply(
        self,
        starts: NDArray[np.int64],
        rates: NDArray[np.float64],
        counts: NDArray[np.float64],
        hours: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pool the next windows, each with the weights from before it, and learn from them.

        Args:
            starts: first cell of each window and the number of cells, shape (W + 1,).
            rates: rates per model, shape (M, C), not negative.
            counts: events per cell, shape (C,); NaN where nothing is learned.
            hours: recorded hours per window, shape (W,).

        Returns:
            Pooled rates (C,) and the weights used in each window (W, M).

        Raises:
            RequestError: the shapes do not fit.
        """
        _check_shapes(starts, rates, counts, hours, (self.n_models, len(counts)))
        pooled = np.zeros(rates.shape[1])
        weights = np.zeros((len(starts) - 1, self.n_models))
        _pool_kernel(*_plain(starts, rates, counts, hours), self._settings, self._score, pooled, weights)
        return pooled, weights

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays; ``from_state`` continues bit for bit."""
        return {
            "version": np.array([_STATE_VERSION]),
            "half_life_h": self._settings[2:].copy(),
            "score": self._score.copy(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """A pool that goes on where ``state()`` was taken.

        Raises:
            StoreError: the state is of another version or is no pool's.
        """
        score, half_life = _restored("a pool", state, "score", "half_life_h")
        pool = cls(len(score), float(half_life[0]))
        pool._score[:] = score
        return pool


@njit(cache=True, nogil=True)
def _gain_kernel(
    starts: Any, rates: Any, amounts: Any, hours: Any, settings: Any, memory: Any, out: Any
) -> None:
    """Out = rates * (pseudo + faded amounts) / (pseudo + faded rates), both sums from windows before.

    ``settings`` is f8 (2,): half-life in hours, pseudo-amount; ``memory`` f8 (2,): seen and expected, moved.
    """
    for w in range(starts.shape[0] - 1):
        gain = (settings[1] + memory[0]) / (settings[1] + memory[1])
        total, rate, teaches = 0.0, 0.0, True
        for c in range(starts[w], starts[w + 1]):
            out[c] = gain * rates[c]
            rate += rates[c]
            if np.isnan(amounts[c]):
                teaches = False
            else:
                total += amounts[c]
        fade = 2.0 ** (-hours[w] / settings[0])
        memory[0] *= fade
        memory[1] *= fade
        if teaches:
            memory[0] += total
            memory[1] += rate


class RateGain:
    """What was seen lately over what was expected lately: ``(pseudo + seen) / (pseudo + expected)``, both fading.

    With counts, a half-life of minutes and 5 pseudo-events it is a short memory of bursts; with capped USD, 24 hours
    and 20 it calibrates a count map to money.

    Args:
        half_life_h: recorded hours after which an amount counts half.
        pseudo: amount assumed seen and expected beforehand.

    Raises:
        RequestError: one of them is not positive.
    """

    def __init__(self, half_life_h: float, pseudo: float) -> None:
        if not (half_life_h > 0 and 0 < pseudo < math.inf):
            message = f"no gain with a half-life of {half_life_h!r} h and {pseudo!r} pseudo-events"
            raise RequestError(message, where="half_life_h, pseudo", hint="give numbers above 0")
        self._settings = np.array([half_life_h, pseudo], dtype=np.float64)
        self._memory = np.zeros(2)

    @property
    def gain(self) -> float:
        """Factor of the next window."""
        pseudo = self._settings[1]
        return float((pseudo + self._memory[0]) / (pseudo + self._memory[1]))

    def apply(
        self,
        starts: NDArray[np.int64],
        rates: NDArray[np.float64],
        amounts: NDArray[np.float64],
        hours: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Scale the rates of the next windows, each by the gain from before it, and learn from them, shape (C,).

        Args:
            starts: first cell of each window and the number of cells, shape (W + 1,).
            rates: expected amounts, shape (C,).
            amounts: amounts seen, shape (C,); a window with a NaN only lets time pass.
            hours: recorded hours per window, shape (W,).

        Raises:
            RequestError: the shapes do not fit.
        """
        _check_shapes(starts, rates, amounts, hours, (len(amounts),))
        out = np.zeros(len(rates))
        _gain_kernel(*_plain(starts, rates, amounts, hours), self._settings, self._memory, out)
        return out

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays; ``from_state`` continues bit for bit."""
        return {
            "version": np.array([_STATE_VERSION]),
            "settings": self._settings.copy(),
            "memory": self._memory.copy(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """A gain that goes on where ``state()`` was taken.

        Raises:
            StoreError: the state is of another version or is no gain's.
        """
        memory, settings = _restored("a gain", state, "memory", "settings")
        if memory.shape != (2,) or settings.shape != (2,):
            message = f"not the state of a gain: memory {memory.shape}, settings {settings.shape}"
            raise StoreError(message, where="state", hint="rebuild it from the tape")
        gain = cls(float(settings[0]), float(settings[1]))
        gain._memory[:] = memory
        return gain


class MapPool:
    """Maps in any unit, weighed by how well what price swept of them said how many events came.

    A map is read as rates: nine tenths of the events lately over what was swept of it lately, and a tenth over the
    area, times a gain with 15 minutes of memory. So maps that say the same up to a factor weigh the same: how many
    events a dollar stands for is not what they are judged by.

    Args:
        n_maps: number of maps M.

    Raises:
        RequestError: there is no map.
    """

    def __init__(self, n_maps: int) -> None:
        self._pool = RatePool(n_maps)
        self._gains = [RateGain(_BURST_HALF_LIFE_H, _BURST_PSEUDO) for _ in range(n_maps)]
        #: Events, area and amounts of each map so far, fading.
        self._totals = np.zeros(2 + n_maps)

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weights of the next window, shape (M,), sum 1."""
        return self._pool.weights

    def learn(
        self, swept: NDArray[np.float64], area: NDArray[np.float64], counts: NDArray[np.float64], hours: float
    ) -> None:
        """Score the maps on one window and take in their levels.

        Args:
            swept: amount of each map that price passed per cell, shape (M, C), not negative.
            area: what price passed per cell, shape (C,).
            counts: events per cell, shape (C,).
            hours: recorded hours of the window.

        Raises:
            RequestError: the shapes do not fit.
        """
        events, passed, amounts = self._totals[0], self._totals[1], self._totals[2:, None]
        starts, lasted = np.array([0, len(counts)]), np.array([hours])
        if events >= _LEVEL_EVENTS and passed > 0:
            shares = np.divide(swept, amounts, out=np.zeros_like(swept), where=amounts > 0)
            rates = events * (_MAP_SHARE * shares + (1.0 - _MAP_SHARE) * area / passed)
            gained = [
                gain.apply(starts, row, counts, lasted) for gain, row in zip(self._gains, rates, strict=True)
            ]
            self._pool.apply(starts, np.stack(gained), counts, lasted)
        self._totals *= 0.5 ** (hours / _LEVEL_HALF_LIFE_H)
        self._totals += np.concatenate([[counts.sum(), area.sum()], swept.sum(axis=1)])

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays; ``from_state`` continues bit for bit."""
        parts = {"pool": self._pool.state()} | {
            f"gain{m}": gain.state() for m, gain in enumerate(self._gains)
        }
        out = {f"{name}.{key}": value for name, part in parts.items() for key, value in part.items()}
        return out | {"version": np.array([_STATE_VERSION]), "totals": self._totals.copy()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """A pool that goes on where ``state()`` was taken.

        Raises:
            StoreError: the state is of another version or is no pool's.
        """
        totals, score = _restored(
            "a pool of maps", {**state, "score": state.get("pool.score")}, "totals", "score"
        )
        if len(totals) != 2 + len(score):
            message = f"not the state of a pool of maps: {len(totals)} totals of {len(score)} maps"
            raise StoreError(message, where="state", hint="rebuild it from the tape")
        made = cls(len(score))
        made._pool = RatePool.from_state(part_of(state, "pool."))
        made._gains = [RateGain.from_state(part_of(state, f"gain{m}.")) for m in range(len(score))]
        made._totals[:] = totals
        return made


def linear_pool(
    starts: NDArray[np.int64],
    rates: NDArray[np.float64],
    counts: NDArray[np.float64],
    hours: NDArray[np.float64],
    half_life_h: float = 24.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a new ``RatePool`` gives over all windows: pooled rates (C,) and weights (W, M).

    Raises:
        RequestError: the shapes do not fit.
    """
    return RatePool(rates.shape[0], half_life_h).apply(starts, rates, counts, hours)


def apply_gain(
    starts: NDArray[np.int64],
    rates: NDArray[np.float64],
    amounts: NDArray[np.float64],
    hours: NDArray[np.float64],
    *,
    half_life_h: float,
    pseudo: float,
) -> NDArray[np.float64]:
    """What a new ``RateGain`` gives over all windows, shape (C,).

    Raises:
        RequestError: the shapes do not fit.
    """
    return RateGain(half_life_h, pseudo).apply(starts, rates, amounts, hours)


def _check_shapes(
    starts: NDArray[np.int64],
    rates: NDArray[np.float64],
    counts: NDArray[np.float64],
    hours: NDArray[np.float64],
    shape: tuple[int, ...],
) -> None:
    """Raise unless rates have ``shape`` and there is one row of hours per window and one count per cell."""
    fits = len(starts) > 0 and rates.shape == shape and hours.shape == (len(starts) - 1,)
    if not fits or counts.shape != (int(starts[-1]),) or np.any(np.diff(starts) < 0) or starts[0] != 0:
        message = f"rates {rates.shape} do not fit {shape}, {counts.shape} counts and {hours.shape} hours"
        raise RequestError(
            message, where="starts, rates, counts, hours", hint="give one rate per model and cell"
        )


def _plain(
    starts: NDArray[np.int64],
    rates: NDArray[np.float64],
    counts: NDArray[np.float64],
    hours: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The same arrays, contiguous and of the types the kernels are compiled for."""
    return (
        np.ascontiguousarray(starts, dtype=np.int64),
        np.ascontiguousarray(rates, dtype=np.float64),
        np.ascontiguousarray(counts, dtype=np.float64),
        np.ascontiguousarray(hours, dtype=np.float64),
    )


def _restored(
    what: str, state: Mapping[str, Any], *names: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two named vectors of a state of this version.

    Raises:
        StoreError: the version differs, or a vector is missing, empty or not finite.
    """
    with restoring(what, state, _STATE_VERSION):
        first, second = (np.array(state[name], dtype=np.float64).ravel() for name in names)
        if not (len(first) and len(second) and np.isfinite(first).all() and np.isfinite(second).all()):
            raise ValueError(f"{' or '.join(names)} is empty or not finite")
    return first, second
