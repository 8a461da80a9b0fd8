"""Rows of features and numbers in, what is believed about their linear relation out; old rows fade.

Conjugate Bayesian regression ``y = x.w + e``, ``e ~ N(0, s2)``, with a normal prior on ``w`` scaled by ``s2`` and an
inverse-gamma prior on ``s2``. Forgetting pulls every sufficient statistic toward the prior's, never toward nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from faultline.cascades.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("LinearPosterior",)


class LinearPosterior:
    """Belief about weights and noise of a regression.

    Args:
        mean: prior mean of the weights, shape (d,).
        precision: prior precision of each weight, in units of 1, shape (d,).
        noise_sd: prior standard deviation of the noise.
        noise_count: how many observations that is worth.
        half_life_ns: memory.
    """

    def __init__(
        self,
        *,
        mean: NDArray[np.float64],
        precision: NDArray[np.float64],
        noise_sd: float,
        noise_count: float,
        half_life_ns: int,
    ) -> None:
        scaled = np.diag(precision) * noise_sd**2
        self._prior_gram, self._prior_moment = scaled, scaled @ mean
        self._prior_square = float(mean @ scaled @ mean) + noise_count * noise_sd**2
        self._prior_count = noise_count
        self._gram, self._moment = scaled.copy(), self._prior_moment.copy()
        self._square, self._count = self._prior_square, noise_count
        self._memory = Memory(half_life_ns)
        self.n = 0.0

    @property
    def mean(self) -> NDArray[np.float64]:
        """Weights in the middle of what is believed, shape (d,)."""
        return np.asarray(np.linalg.solve(self._gram, self._moment))

    @property
    def noise_sd(self) -> float:
        """Standard deviation of the noise."""
        left = self._square - float(self._moment @ self.mean)
        return float(np.sqrt(max(left, 1e-12) / self._count))

    def sd(self) -> NDArray[np.float64]:
        """Standard deviation of each weight, shape (d,)."""
        return np.asarray(self.noise_sd * np.sqrt(np.diag(np.linalg.inv(self._gram))))

    def draws(self, normals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weights drawn from the belief, one row per row of ``normals`` (n, d)."""
        root = np.linalg.cholesky(self._gram)
        return np.asarray(self.mean + self.noise_sd * np.linalg.solve(root.T, normals.T).T)

    def apply(self, time_ns: int, rows: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        """Take in rows (m, d) and their values (m,), all known at ``time_ns``."""
        keep = self._memory.move(time_ns)
        self._gram = keep * self._gram + (1 - keep) * self._prior_gram + rows.T @ rows
        self._moment = keep * self._moment + (1 - keep) * self._prior_moment + rows.T @ values
        self._square = keep * self._square + (1 - keep) * self._prior_square
        self._count = keep * self._count + (1 - keep) * self._prior_count
        self.n *= keep
        self._square += float(values @ values)
        self._count += len(values)
        self.n += len(values)

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays."""
        return {
            "gram": self._gram.copy(),
            "moment": self._moment.copy(),
            "scalars": np.array([self._square, self._count, self.n]),
            "time_ns": np.array([self._memory.last_ns], dtype=np.int64),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on where ``state()`` was taken; the prior is the constructor's."""
        self._gram, self._moment = state["gram"].copy(), state["moment"].copy()
        self._square, self._count, self.n = state["scalars"].tolist()
        self._memory.last_ns = int(state["time_ns"][0])
