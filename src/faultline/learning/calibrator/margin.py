"""Log likelihoods of shifted maintenance margins per event in, a margin correction per size tier out.

The learner scores every event under a bank of maps whose maintenance margin is off by 0, 5, 10 or 25 bp either way.
Per tier of notional the scores are added up, old ones fading, to a posterior over the correction. The tiers
lean on each other: the prior of a tier is centred on what all tiers together say. Page's test on
the gains over the correction in use tells when a venue has changed its margins; the first few hundred events
after a start only settle which correction that is.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.errors import RequestError, StoreError
from faultline.learning.calibrator.change import ChangeDetector
from faultline.learning.calibrator.estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("MarginBank", "MarginChange", "MarginSettings")

_STATE_VERSION: Final = 1


class MarginSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The bank and how it forgets.

    Attributes:
        corrections_bps: what is added to the assumed maintenance margin, ascending, 0 among them.
        prior_sd_bps: standard deviation of the correction of all tiers together.
        tier_sd_bps: standard deviation of a tier around all tiers.
        half_life_events: events of a tier after which one counts half.
        evidence_weight: share of each score that counts, because events of one burst are alike.
        drift_nats: of the change test, per event.
        threshold_nats: of the change test.
        settle_events: events of a tier during which a passed threshold is no change of the venue; the correction in use
            becomes the most probable one each time so many have passed.
    """

    corrections_bps: tuple[float, ...] = (-25.0, -10.0, -5.0, 0.0, 5.0, 10.0, 25.0)
    prior_sd_bps: float = 10.0
    tier_sd_bps: float = 10.0
    half_life_events: float = 2000.0
    evidence_weight: float = 0.5
    drift_nats: float = 0.05
    threshold_nats: float = 15.0
    settle_events: int = 300


@dataclasses.dataclass(frozen=True, slots=True)
class MarginChange:
    """A venue changed the margin of a tier.

    Attributes:
        row: row of the call in which it was found.
        tier: index of the tier.
        before_bps: correction in use until now.
        after_bps: correction that explains the latest events.
        evidence_nats: see ``change.Alarm``.
        n_events: events of the tier since the change, about.
    """

    row: int
    tier: int
    before_bps: float
    after_bps: float
    evidence_nats: float
    n_events: int


class MarginBank:
    """Scores of one instrument, kept between calls.

    Args:
        tier_caps_usd: upper notional of each tier but the last, ascending, shape (T - 1,).
        settings: see ``MarginSettings``.

    Raises:
        RequestError: caps or corrections are not ascending, or 0 is not among the corrections.
    """

    def __init__(self, tier_caps_usd: tuple[float, ...] = (), settings: MarginSettings | None = None) -> None:
        self.settings = settings or MarginSettings()
        self.tier_caps_usd = tier_caps_usd
        self._grid = np.array(self.settings.corrections_bps)
        caps = np.array(tier_caps_usd)
        if (
            bool(np.any(np.diff(self._grid) <= 0))
            or bool(np.any(np.diff(caps) <= 0))
            or 0.0 not in self._grid
        ):
            message = "tier caps and corrections must ascend, with 0 among the corrections"
            raise RequestError(message, where="MarginBank", hint="sort them and add 0")
        n_tiers = len(tier_caps_usd) + 1
        self._scores = np.zeros((n_tiers, len(self._grid)))
        self._weights = np.zeros(n_tiers)
        self._seen = np.zeros(n_tiers, dtype=np.int64)
        self._in_use = np.full(n_tiers, int(np.flatnonzero(self._grid == 0.0)[0]), dtype=np.int64)
        self._tests = [self._new_test() for _ in range(n_tiers)]

    def apply(self, scores: NDArray[np.float64], notional_usd: NDArray[np.float64]) -> list[MarginChange]:
        """Learn events in order.

        Args:
            scores: log likelihood of each event under each correction, shape (n, H), nats; rows with a NaN teach
                nothing.
            notional_usd: shape (n,); NaN teaches nothing.

        Raises:
            RequestError: not one column per correction.
        """
        if scores.ndim != 2 or scores.shape != (len(notional_usd), len(self._grid)):
            message = f"scores of shape {scores.shape} for {len(notional_usd)} events, {len(self._grid)} corrections"
            raise RequestError(
                message, where="scores", hint="give one row per event, one column per correction"
            )
        fade = 0.5 ** (1.0 / self.settings.half_life_events)
        changes: list[MarginChange] = []
        usable = np.isfinite(scores).all(axis=1) & np.isfinite(notional_usd)
        tiers = np.searchsorted(np.array(self.tier_caps_usd), notional_usd, side="right")
        for row in np.flatnonzero(usable):
            tier, gains = int(tiers[row]), scores[row] - scores[row, self._in_use[tiers[row]]]
            self._scores[tier] = self._scores[tier] * fade + (scores[row] - scores[row].max())
            self._weights[tier] = self._weights[tier] * fade + 1.0
            self._seen[tier] += 1
            alarm = self._tests[tier].apply(gains[None, :])
            if alarm is not None:
                change = MarginChange(
                    int(row),
                    tier,
                    float(self._grid[self._in_use[tier]]),
                    float(self._grid[alarm.alternative]),
                    alarm.evidence_nats,
                    alarm.n_events,
                )
                if self._seen[tier] > self.settings.settle_events:
                    changes.append(change)
                    self._scores[tier], self._weights[tier], self._seen[tier] = 0.0, 0.0, 0
                self._in_use[tier] = alarm.alternative
            if self._seen[tier] % self.settings.settle_events == 0:
                self._settle(tier)
        return changes

    def correction(self, tier: int) -> Estimate:
        """What has to be added to the assumed maintenance margin of a tier.

        Raises:
            RequestError: there is no such tier.
        """
        if not 0 <= tier < len(self._weights):
            message = f"no tier {tier} of {len(self._weights)}"
            raise RequestError(message, where="tier", hint="count tiers from 0")
        posterior, prior = self._tier_mass(tier)
        mean = float(posterior @ self._grid)
        share = 1.0 - self._variance(posterior) / self._variance(prior)
        low, high = np.interp([0.025, 0.975], np.concatenate(([0.0], np.cumsum(posterior))), self._edges())
        return Estimate(
            mean, float(low), float(high), "bp", float(self._weights[tier]), min(max(share, 0.0), 1.0)
        )

    def in_use_bps(self) -> NDArray[np.float64]:
        """Correction that the change test takes for true, per tier, shape (T,)."""
        in_use: NDArray[np.float64] = self._grid[self._in_use]
        return in_use

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on."""
        tests = [test.state() for test in self._tests]
        return {
            "version": np.array([_STATE_VERSION]),
            "scores": self._scores.copy(),
            "weights": self._weights.copy(),
            "seen": self._seen.copy(),
            "in_use": self._in_use.copy(),
            "sums": np.array([test["sums"] for test in tests]),
            "lengths": np.array([test["lengths"] for test in tests]),
        }

    @classmethod
    def from_state(
        cls,
        state: Mapping[str, NDArray[Any]],
        tier_caps_usd: tuple[float, ...] = (),
        settings: MarginSettings | None = None,
    ) -> MarginBank:
        """A bank that goes on where ``state()`` was taken.

        Raises:
            StoreError: that is no state of such a bank.
        """
        kept = cls(tier_caps_usd, settings)
        chosen = kept.settings
        try:
            if int(state["version"][0]) != _STATE_VERSION:
                raise ValueError(f"version {int(state['version'][0])}")
            for name in ("scores", "weights", "seen", "in_use"):
                own: NDArray[Any] = getattr(kept, f"_{name}")
                if state[name].shape != own.shape:
                    raise ValueError(f"{name} of shape {state[name].shape}")
                np.copyto(own, state[name], casting="safe")
            kept._tests = [
                ChangeDetector.from_state(
                    {"version": np.array([1]), "sums": sums, "lengths": lengths},
                    chosen.drift_nats,
                    chosen.threshold_nats,
                )
                for sums, lengths in zip(state["sums"], state["lengths"], strict=True)
            ]
        except (KeyError, ValueError, IndexError, TypeError) as exc:
            message = f"not the state of a margin bank: {exc}"
            raise StoreError(message, where="state", hint="rebuild it from the tape") from exc
        return kept

    def _settle(self, tier: int) -> None:
        """Use the most probable correction: what is learned slowly is no change of the venue."""
        best = int(np.argmax(self._tier_mass(tier)[0]))
        if best != self._in_use[tier]:
            self._in_use[tier] = best
            self._tests[tier].reset()

    def _tier_mass(self, tier: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Posterior and prior mass of each correction of a tier, the prior centred on what all tiers say."""
        together, _ = self._posterior(self._scores.sum(axis=0), 0.0, self.settings.prior_sd_bps)
        return self._posterior(self._scores[tier], float(together @ self._grid), self.settings.tier_sd_bps)

    def _new_test(self) -> ChangeDetector:
        return ChangeDetector(len(self._grid), self.settings.drift_nats, self.settings.threshold_nats)

    def _edges(self) -> NDArray[np.float64]:
        """Ends of the stretch of corrections that each one of the bank stands for, shape (H + 1,)."""
        middle = (self._grid[1:] + self._grid[:-1]) / 2
        return np.concatenate(([2 * self._grid[0] - middle[0]], middle, [2 * self._grid[-1] - middle[-1]]))

    def _posterior(
        self, scores: NDArray[np.float64], centre_bps: float, sd_bps: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Posterior and prior mass of each correction."""
        log_prior = np.log(np.diff(self._edges())) - 0.5 * ((self._grid - centre_bps) / sd_bps) ** 2
        log_posterior = log_prior + self.settings.evidence_weight * scores
        prior = np.exp(log_prior - log_prior.max())
        posterior = np.exp(log_posterior - log_posterior.max())
        return posterior / posterior.sum(), prior / prior.sum()

    def _variance(self, mass: NDArray[np.float64]) -> float:
        """Variance with each correction's mass spread over its stretch."""
        edges = self._edges()
        width = np.diff(edges)
        centres = (edges[1:] + edges[:-1]) / 2
        mean = float(mass @ centres)
        return float(mass @ ((centres - mean) ** 2 + width**2 / 12.0))
