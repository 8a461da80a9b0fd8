"""Features of hops and whether they happened in, the probability that a chain goes on from level to level out.

A continuation-ratio model: ``P(reach k | hit) = prod_{j<k} sigmoid(o_j + w . z_j)``, each factor given that level ``j``
was reached, so what makes some hits stronger than others is absorbed by the survival of the chain. ``o`` is the logit
of first passage and ``z`` the features, centred on a usual hop and in units of how much they usually vary (``z = (x -
c) / s``): where nothing was learned plain volatility speaks, and no weight can say much before it was seen to. Every
symbol has an intercept of its own, shrunk toward the common one.

A weight that may be anything is not neutral: averaged over it a far level is likelier than plain volatility has it, as
the sigmoid is convex there. With features as they are (a logit of -7) a prior deviation of one half made a chance of
one in a thousand one in twenty.

What is said is a pool of the model and of plain volatility, weighted by how well each foretold the hops so far
(``odds *= likelihood ratio``, fading): where chains are rare a model of ten weights loses to the volatility alone for a
long time, and nothing should be said to be contagion that was not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from scipy.special import expit

from faultline.cascades.levels import LEVELS_MAX
from faultline.cascades.logistic import LogisticPosterior
from faultline.cascades.memory import Memory
from faultline.cascades.positive import check_positive
from faultline.cascades.situation import FEATURES
from faultline.fallback_kernels import fall_back_kernel
from faultline.states import part_of
from faultline.units import DAY_NS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("POOL_LIMIT_NATS", "ChainHazard", "HazardSettings", "PoolTurn")

_D: Final = len(FEATURES)
#: Least share of either part of the pool, as a logit.
POOL_LIMIT_NATS: Final = 4.0
#: Features of a usual hop, and how much they vary. What may be unknown is centred on 0, its neutral value.
_CENTRE: Final = np.array([0.0, -1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, -2.0])
_SCALE: Final = np.array([1.0, 1.0, 1.0, 1.0, 0.25, 1.0, 1.0, 0.5, 3.0])


class HazardSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fast the hazard learns and forgets.

    Attributes:
        prior_sd: standard deviation of the prior of each weight, in log odds per usual deviation of its feature.
        symbol_sd: of each symbol's own intercept.
        half_life_ns: memory.

    Raises:
        ValueError: a value is not positive and finite; the message names it.
    """

    prior_sd: float = 0.5
    symbol_sd: float = 0.3
    half_life_ns: int = 30 * DAY_NS

    def __post_init__(self) -> None:
        check_positive("a hazard", self, ("prior_sd", "symbol_sd", "half_life_ns"))


class PoolTurn(msgspec.Struct, frozen=True):
    """Plain volatility takes over from the model, or gives back.

    Attributes:
        time_ns: when.
        is_behind: whether the model has fallen behind: its share of the pool is at its least.
        balance_nats: faded log score of the model over plain volatility's, held within twice the limit of the pool.
    """

    time_ns: int
    is_behind: bool
    balance_nats: float


class ChainHazard:
    """Weights of the hazard; fed hit by hit in the order in which hits are resolved."""

    def __init__(self, settings: HazardSettings | None = None) -> None:
        self.settings = settings or HazardSettings()
        precision = np.full(_D, self.settings.prior_sd**-2)
        self._posterior = LogisticPosterior(np.zeros(_D), precision, self.settings.half_life_ns)
        self._symbols: list[str] = []
        self._seen = np.zeros(LEVELS_MAX)
        self._memory = Memory(self.settings.half_life_ns)
        self._log_odds = 0.0
        #: Whether plain volatility has taken over: from where the pool is at its limit until the model leads again.
        self._is_behind = False
        self._turns: list[PoolTurn] = []

    def take_turns(self) -> list[PoolTurn]:
        """When plain volatility took over or gave back since the last call, in order."""
        turns, self._turns = self._turns, []
        return turns

    @property
    def model_share(self) -> float:
        """Share of the model in the pool; the rest is plain volatility."""
        return float(expit(np.clip(self._log_odds, -POOL_LIMIT_NATS, POOL_LIMIT_NATS)))

    @property
    def weights(self) -> dict[str, float]:
        """Mean of each weight by name of the feature, and of each symbol's intercept as ``symbol:NAME``.

        In log odds beyond plain volatility per usual deviation of the feature; all 0 where nothing was learned.
        """
        names = [*FEATURES, *(f"symbol:{name}" for name in self._symbols)]
        return dict(zip(names, self._posterior.mean.tolist(), strict=True))

    def observations(self, time_ns: int) -> NDArray[np.float64]:
        """Hops at risk that were seen from each depth 0..9, faded with the memory, shape (10,)."""
        return self._seen * self._memory.kept(time_ns)

    def apply(
        self, time_ns: int, symbol: str, rows: NDArray[np.float64], happened: NDArray[np.float64]
    ) -> None:
        """Take in the hops of one hit that were at risk: up to and with the first that did not happen.

        Args:
            time_ns: when the last of them was resolved.
            symbol: of the hit.
            rows: features, shape (m, 9).
            happened: 1 or 0, shape (m,).
        """
        if not len(rows):
            return
        if symbol not in self._symbols:
            self._symbols.append(symbol)
            self._posterior.extend(0.0, self.settings.symbol_sd**-2)
        wide, offsets = self._wide(rows, symbol), rows[:, -1]
        model, alone = expit(offsets + wide @ self._posterior.mean), expit(offsets)
        gain = float(np.sum(_log_likelihood(model, happened) - _log_likelihood(alone, happened)))
        was_behind, kept = self._is_behind, self._memory.move(time_ns)
        # Past the limit of the pool more of the same says nothing, and would take as long to be taken back.
        self._log_odds, self._is_behind = fall_back_kernel(
            self._log_odds, was_behind, kept, gain, POOL_LIMIT_NATS, 2 * POOL_LIMIT_NATS
        )
        if self._is_behind is not was_behind:
            self._turns.append(PoolTurn(time_ns, self._is_behind, self._log_odds))
        self._posterior.apply(time_ns, wide, happened, offsets)
        self._seen *= kept
        self._seen[: len(rows)] += 1.0

    def hazards(self, symbol: str, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """P(hop happens | its level was reached) at the mean weights, shape (n,)."""
        score = rows[:, -1] + self._wide(rows, symbol) @ self._posterior.mean
        return self._pooled(expit(score), rows)

    def hazard_draws(
        self, symbol: str, rows: NDArray[np.float64], normals: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The same for weights drawn from the belief.

        Args:
            symbol: of the hit; one that was never seen has an intercept drawn from the prior.
            rows: features, shape (n, 9), or (draws, n, 9).
            normals: standard normal draws, shape (draws, 10): the last column is the symbol's.

        Returns:
            float64 (draws, n).
        """
        known = symbol in self._symbols
        k = _D + self._symbols.index(symbol) if known else _D
        # The others' intercepts do not matter: the joint belief of the weights that do is its marginal.
        kept = [*range(_D), k] if known else [*range(_D)]
        covariance = np.linalg.inv(self._posterior.precision)[np.ix_(kept, kept)]
        root = np.linalg.cholesky(covariance)
        drawn = self._posterior.mean[kept] + normals[:, : len(kept)] @ root.T
        score = np.einsum("...nd,...d->...n", (rows - _CENTRE) / _SCALE, drawn[:, :_D])
        own = drawn[:, _D] if known else normals[:, _D] * self.settings.symbol_sd
        return self._pooled(expit(rows[..., -1] + score + own[:, None]), rows)

    def _pooled(self, model: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
        share = self.model_share
        return np.asarray(share * model + (1.0 - share) * expit(rows[..., -1]))

    def _wide(self, rows: NDArray[np.float64], symbol: str) -> NDArray[np.float64]:
        """Rows beside those of a usual hop, with a column per symbol."""
        wide = np.zeros((len(rows), _D + len(self._symbols)))
        wide[:, :_D] = (rows - _CENTRE) / _SCALE
        if symbol in self._symbols:
            wide[:, _D + self._symbols.index(symbol)] = 1.0
        return wide

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays; what ``take_turns`` would give is not part of it."""
        out: dict[str, NDArray[Any]] = {
            "symbols": np.frombuffer(msgspec.json.encode(self._symbols), dtype=np.uint8),
            "seen": self._seen.copy(),
            "log_odds": np.array([self._log_odds]),
            "seen_ns": np.array([self._memory.last_ns], dtype=np.int64),
            "behind": np.array([self._is_behind]),
        }
        return out | {f"weights.{key}": value for key, value in self._posterior.state().items()}

    @classmethod
    def from_state(cls, settings: HazardSettings, state: Mapping[str, NDArray[Any]]) -> ChainHazard:
        """A hazard that goes on where ``state()`` was taken."""
        hazard = cls(settings)
        weights = part_of(state, "weights.")
        hazard._posterior = LogisticPosterior.from_state(settings.half_life_ns, weights)
        hazard._symbols = msgspec.json.decode(state["symbols"].tobytes(), type=list[str])
        hazard._seen = state["seen"].copy()
        hazard._log_odds = float(state["log_odds"][0])
        hazard._is_behind = bool(state["behind"][0])
        hazard._memory.last_ns = int(state["seen_ns"][0])
        return hazard


def _log_likelihood(probs: NDArray[np.float64], happened: NDArray[np.float64]) -> NDArray[np.float64]:
    p = np.clip(probs, 1e-6, 1.0 - 1e-6)
    return happened * np.log(p) + (1.0 - happened) * np.log(1.0 - p)
