"""Residuals of prints against the mark at many lags in, how long after its trigger a venue stamps a print out.

A print that is stamped ``delta`` late belongs to the mark ``delta`` earlier. For every lag of a grid the
spread of the residuals is measured by their weighted median absolute deviation, each event weighted by how fast the
mark moved: where it stood still every lag fits as well. With Laplace noise of that spread the log likelihood of a lag
is ``-n log MAD(lag)``, ``n = (sum w)^2 / sum w^2``; a normal prior of the venue's class is added. The latest events are
kept in a ring, so that a venue that changes is followed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.errors import RequestError
from faultline.learning.calibrator.estimate import Estimate
from faultline.states import restoring

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("LAGS_S", "DelayEstimator", "DelaySettings", "lag_spreads_bps")

#: Lags tried: 0 to 4 s by 100 ms.
LAGS_S: Final[NDArray[np.float64]] = np.linspace(0.0, 4.0, 41)
_STATE_VERSION: Final = 1


class DelaySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the delay is found.

    Attributes:
        ring_events: latest events kept.
        prior_s: delay of the venue's class.
        prior_sd_s: its standard deviation.
        fewest_events: effective events before the data speak.
        evidence_weight: share of the log likelihood that counts: residuals of neighbouring events are alike.
        speed_cap_bps_s: speed of the mark beyond which an event weighs no more.
    """

    ring_events: int = 512
    prior_s: float = 0.3
    prior_sd_s: float = 0.7
    fewest_events: float = 15.0
    evidence_weight: float = 0.5
    speed_cap_bps_s: float = 5.0


class DelayEstimator:
    """Ring of residuals of one instrument, kept between calls.

    Args:
        settings: see ``DelaySettings``.
    """

    def __init__(self, settings: DelaySettings | None = None) -> None:
        self.settings = settings or DelaySettings()
        # Single precision is a millionth of a basis point here, and halves what a checkpoint holds.
        self._residuals = np.zeros((self.settings.ring_events, len(LAGS_S)), dtype=np.float32)
        self._weights = np.zeros(self.settings.ring_events)
        self._n_pushed = 0
        self._log_posterior = self._log_prior()
        self._n_effective = 0.0

    def push(self, residuals_bps: NDArray[np.float64], speeds_bps_s: NDArray[np.float64]) -> None:
        """Add events in order.

        Args:
            residuals_bps: print over mark at each lag without its offset, times +1 for longs and -1 for shorts, shape
                (n, 41); rows with a NaN are passed over.
            speeds_bps_s: speed of the mark around each event, shape (n,).

        Raises:
            RequestError: not one column per lag.
        """
        if residuals_bps.ndim != 2 or residuals_bps.shape[1] != len(LAGS_S):
            message = f"residuals of shape {residuals_bps.shape} for {len(LAGS_S)} lags"
            raise RequestError(message, where="residuals_bps", hint="give one column per lag of LAGS_S")
        usable = np.isfinite(residuals_bps).all(axis=1) & np.isfinite(speeds_bps_s)
        slots = (self._n_pushed + np.arange(int(usable.sum()))) % self.settings.ring_events
        # More rows than slots: the later ones overwrite the earlier ones, as they would one by one.
        keep = slice(-self.settings.ring_events, None)
        self._residuals[slots[keep]] = residuals_bps[usable][keep]
        speeds = np.minimum(np.abs(speeds_bps_s[usable]), self.settings.speed_cap_bps_s)
        self._weights[slots[keep]] = speeds[keep]
        self._n_pushed += len(slots)

    def refresh(self) -> None:
        """Work out the delay from the ring; the caller decides when, because it costs a sort of the ring."""
        n = min(self._n_pushed, self.settings.ring_events)
        weights = self._weights[:n]
        total = float(weights.sum())
        self._n_effective = total**2 / float((weights**2).sum()) if total > 0 else 0.0
        self._log_posterior = self._log_prior()
        if self._n_effective >= self.settings.fewest_events:
            spreads = lag_spreads_bps(self._residuals[:n].astype(np.float64), weights)
            evidence = self.settings.evidence_weight * self._n_effective
            self._log_posterior -= evidence * np.log(np.maximum(spreads, 1e-6))

    @property
    def lag_index(self) -> int:
        """Index in ``LAGS_S`` of the most probable lag."""
        return int(np.argmax(self._log_posterior))

    def estimate(self) -> Estimate:
        """The delay, its interval, and how much of it the data say."""
        posterior, prior = _normalised(self._log_posterior), _normalised(self._log_prior())
        mean = float(posterior @ LAGS_S)
        share = 1.0 - float(posterior @ (LAGS_S - mean) ** 2) / float(
            prior @ (LAGS_S - float(prior @ LAGS_S)) ** 2
        )
        mass = np.concatenate(([0.0], np.cumsum(posterior)))
        edges = np.concatenate(([LAGS_S[0]], (LAGS_S[1:] + LAGS_S[:-1]) / 2, [LAGS_S[-1]]))
        low, high = np.interp([0.025, 0.975], mass, edges)
        told = self._n_effective >= self.settings.fewest_events
        value = float(LAGS_S[self.lag_index])
        return Estimate(
            value,
            min(float(low), value),
            max(float(high), value),
            "s",
            self._n_effective,
            min(max(share, 0.0), 1.0) if told else 0.0,
        )

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on."""
        n = min(self._n_pushed, self.settings.ring_events)
        return {
            "version": np.array([_STATE_VERSION]),
            "residuals": self._residuals[:n].copy(),
            "weights": self._weights[:n].copy(),
            "n_pushed": np.array([self._n_pushed], dtype=np.int64),
            "n_effective": np.array([self._n_effective]),
            "log_posterior": self._log_posterior.copy(),
        }

    @classmethod
    def from_state(
        cls, state: Mapping[str, NDArray[Any]], settings: DelaySettings | None = None
    ) -> DelayEstimator:
        """An estimator that goes on where ``state()`` was taken.

        Raises:
            StoreError: that is no state of such an estimator, or its ring has another length.
        """
        kept = cls(settings)
        with restoring("a delay estimator", state, _STATE_VERSION):
            pushed = int(state["n_pushed"][0])
            n = len(state["weights"])
            if n != min(pushed, kept.settings.ring_events):
                raise ValueError(f"a ring of {n} events after {pushed}")
            np.copyto(kept._residuals[:n], state["residuals"], casting="safe")
            np.copyto(kept._weights[:n], state["weights"], casting="safe")
            np.copyto(kept._log_posterior, state["log_posterior"], casting="safe")
            kept._n_pushed, kept._n_effective = pushed, float(state["n_effective"][0])
        return kept

    def _log_prior(self) -> NDArray[np.float64]:
        spread = (LAGS_S - self.settings.prior_s) / self.settings.prior_sd_s
        log_prior: NDArray[np.float64] = -0.5 * spread**2
        return log_prior


def lag_spreads_bps(residuals_bps: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted median absolute deviation from the weighted median of each column.

    Args:
        residuals_bps: shape (n, C).
        weights: shape (n,), not negative, not all zero.

    Returns:
        Shape (C,), bp.
    """
    return _weighted_medians(np.abs(residuals_bps - _weighted_medians(residuals_bps, weights)), weights)


def _weighted_medians(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    order = np.argsort(values, axis=0, kind="stable")
    mass = np.cumsum(weights[order], axis=0)
    middle = np.argmax(mass >= 0.5 * mass[-1], axis=0)
    columns = np.arange(values.shape[1])
    medians: NDArray[np.float64] = values[order[middle, columns], columns]
    return medians


def _normalised(log_weights: NDArray[np.float64]) -> NDArray[np.float64]:
    weights: NDArray[np.float64] = np.exp(log_weights - log_weights.max())
    mass: NDArray[np.float64] = weights / weights.sum()
    return mass
