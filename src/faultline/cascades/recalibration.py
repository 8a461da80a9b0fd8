"""Probabilities and what came of them in, probabilities that come true as often as they say out.

One relation for all depths, learned online: ``logit p' = logit p + a + b l + c k / 5`` with ``k`` the depth and ``l``
the logit of ``p``, no further out than five: the scaling of Platt with depth as a covariate, whose slope is not for the
far tail to say. Before anything was learned it changes nothing, and it takes hundreds of levels to change much: those
of one chain are not independent. A chain's probabilities never grow with depth afterwards either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.special import expit, logit

from faultline.cascades.logistic import LogisticPosterior

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("Recalibration",)

_LEAST: Final = 1e-12
_LOGIT_MAX: Final = 5.0
_PRIOR_MEAN: Final = np.zeros(3)
_PRIOR_PRECISION: Final = np.full(3, 200.0)


class Recalibration:
    """Online scaling of probabilities.

    Args:
        half_life_ns: memory.
    """

    def __init__(self, half_life_ns: int) -> None:
        self._half_life_ns = half_life_ns
        self._posterior = LogisticPosterior(_PRIOR_MEAN, _PRIOR_PRECISION, half_life_ns)

    @property
    def weights(self) -> tuple[float, float, float]:
        """a, b, c; all are 0 where nothing is changed."""
        a, b, c = self._posterior.mean.tolist()
        return a, b, c

    def map(self, probs: NDArray[Any]) -> NDArray[np.float64]:
        """Probabilities of reaching depths 1..n, recalibrated; shape (..., n) in and out."""
        score = _score(probs)
        scaled = expit(score + _rows(score) @ self._posterior.mean)
        return np.minimum.accumulate(np.asarray(scaled), axis=-1)

    def apply(self, time_ns: int, probs: NDArray[np.float64], reached: NDArray[np.float64]) -> None:
        """Take in probabilities of depths 1..m as they were said before ``map``, and whether they were reached (m,)."""
        if len(probs):
            score = _score(probs)
            self._posterior.apply(time_ns, _rows(score), reached, score)

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays."""
        return self._posterior.state()

    @classmethod
    def from_state(cls, half_life_ns: int, state: Mapping[str, NDArray[Any]]) -> Recalibration:
        """One that goes on where ``state()`` was taken."""
        scaling = cls(half_life_ns)
        scaling._posterior = LogisticPosterior.from_state(half_life_ns, state)
        return scaling


def _score(probs: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(logit(np.clip(probs, _LEAST, 1 - _LEAST)))


def _rows(score: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.ones((*score.shape, 3))
    out[..., 1] = np.clip(score, -_LOGIT_MAX, _LOGIT_MAX)
    out[..., 2] = np.arange(1, score.shape[-1] + 1) / 5.0
    return out
