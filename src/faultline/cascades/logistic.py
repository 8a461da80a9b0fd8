"""Rows of features and yes-or-no answers in, what is believed about a logistic relation out; old rows fade.

``P(y = 1) = 1 / (1 + exp(-o - x.w))`` with ``o`` what is said where nothing was learned. The belief is normal,
``w ~ N(m, P^-1)``. For a batch of rows at once::

    keep = 2 ** (-dt / half_life)
    P    = keep P + (1 - keep) P0 ;  m = P^-1 (keep P_old m + (1 - keep) P0 m0)
    twice:  m += H^-1 (X' (y - p) - P (m - m_start)),  H = P + X' p (1 - p) X
    P    = P + X' p (1 - p) X

So what is no longer observed drifts back to the prior, never to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.special import expit

from faultline.cascades.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("LogisticPosterior", "normal_draws")

_NEWTON_STEPS: Final = 2


def normal_draws(n: int, d: int, seed: int) -> NDArray[np.float64]:
    """``n`` standard normal rows of length ``d`` in pairs of opposite sign, so that their mean is exactly 0.

    Args:
        n: even number of rows.
        d: columns.
        seed: same seed, same draws; the first columns do not depend on how many follow.
    """
    half = np.stack([np.random.default_rng([seed, k]).standard_normal(n // 2) for k in range(d)], axis=1)
    return np.concatenate([half, -half])


class LogisticPosterior:
    """Belief about the weights of a logistic regression.

    Args:
        mean: prior mean, shape (d,).
        precision: prior precision of each weight, shape (d,).
        half_life_ns: memory.
    """

    def __init__(self, mean: NDArray[np.float64], precision: NDArray[np.float64], half_life_ns: int) -> None:
        self._prior_mean, self._prior_precision = mean.copy(), precision.copy()
        self.mean = mean.copy()
        self.precision = np.diag(precision)
        self._memory = Memory(half_life_ns)

    def extend(self, mean: float, precision: float) -> None:
        """Append a weight that no row so far had."""
        d = len(self.mean)
        self._prior_mean = np.append(self._prior_mean, mean)
        self._prior_precision = np.append(self._prior_precision, precision)
        self.mean = np.append(self.mean, mean)
        grown = np.zeros((d + 1, d + 1))
        grown[:d, :d] = self.precision
        grown[d, d] = precision
        self.precision = grown

    def apply(
        self,
        time_ns: int,
        rows: NDArray[np.float64],
        answers: NDArray[np.float64],
        offsets: NDArray[np.float64],
    ) -> None:
        """Take in rows (m, d), their answers 0 or 1 (m,) and offsets (m,), all known at ``time_ns``."""
        keep = self._memory.move(time_ns)
        fresh = (1.0 - keep) * self._prior_precision
        precision = keep * self.precision + np.diag(fresh)
        start: NDArray[np.float64] = self.mean
        if keep < 1.0:
            pull = keep * (self.precision @ self.mean) + fresh * self._prior_mean
            start = np.asarray(np.linalg.solve(precision, pull), dtype=np.float64)
        mean = start
        for _ in range(_NEWTON_STEPS):
            p = expit(offsets + rows @ mean)
            gradient = rows.T @ (answers - p) - precision @ (mean - start)
            curvature = precision + (rows * (p * (1.0 - p))[:, None]).T @ rows
            mean = mean + np.linalg.solve(curvature, gradient)
        p = expit(offsets + rows @ mean)
        self.mean = mean
        self.precision = precision + (rows * (p * (1.0 - p))[:, None]).T @ rows

    def draws(self, normals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weights drawn from the belief, one row per row of ``normals`` (n, d)."""
        root = np.linalg.cholesky(self.precision)
        return np.asarray(self.mean + np.linalg.solve(root.T, normals.T).T)

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays."""
        return {
            "mean": self.mean.copy(),
            "precision": self.precision.copy(),
            "prior": np.stack([self._prior_mean, self._prior_precision]),
            "time_ns": np.array([self._memory.last_ns], dtype=np.int64),
        }

    @classmethod
    def from_state(cls, half_life_ns: int, state: Mapping[str, NDArray[Any]]) -> LogisticPosterior:
        """A belief that goes on where ``state()`` was taken."""
        posterior = cls(state["prior"][0], state["prior"][1], half_life_ns)
        posterior.mean, posterior.precision = state["mean"].copy(), state["precision"].copy()
        posterior._memory.last_ns = int(state["time_ns"][0])
        return posterior
