"""Windows scored under shifted maintenance margins in, a margin correction per size tier out.

The learner's bank scores every window with the assumed maintenance margin and with others. Per tier of notional the
scores are added up, old ones fading, to a posterior over the correction. The tiers lean on each other: the
prior of a tier is centred on what the others say together. Page's test on the gains over the correction in use tells
when a venue has changed its margins; which correction that is settles every few hundred events.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.errors import RequestError
from faultline.learning.calibrator.estimate import Estimate
from faultline.learning.calibrator.filter_kernels import margin_windows_kernel
from faultline.states import restoring

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from faultline.learning.margins import MarginScores

__all__ = ("MarginBank", "MarginChange", "MarginSettings")

_STATE_VERSION: Final = 2
#: Corrections over which a posterior is spread: far beyond any prior's, bp.
_PLACES_BPS: Final = np.arange(-100.0, 100.125, 0.25)
_TAIL: Final = 0.025


class MarginSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How scores of margins are believed and forgotten.

    Attributes:
        prior_sd_bps: standard deviation of the correction of all tiers together.
        tier_sd_bps: standard deviation of a tier around all tiers.
        half_life_events: events of a tier, over the dispersion of counts, after which one counts half.
        evidence_weight: share of each score that counts beside the dispersion of counts: maps are wrong for hours.
        drift_nats: of the change test, per event, over the dispersion of counts.
        threshold_nats: of the change test.
        most_nats: most that one window counts, either way.
        settle_events: events of a tier after which the most probable correction is in use, and before which a passed
            threshold is no change of the venue.
    """

    prior_sd_bps: float = 10.0
    tier_sd_bps: float = 10.0
    half_life_events: float = 2000.0
    evidence_weight: float = 0.25
    drift_nats: float = 0.005
    threshold_nats: float = 15.0
    most_nats: float = 1.5
    settle_events: int = 300


@dataclasses.dataclass(frozen=True, slots=True)
class MarginChange:
    """A venue changed the margin of a tier.

    Attributes:
        window: window of the call in which it was found.
        tier: index of the tier.
        before_bps: correction in use until now.
        after_bps: correction that explains the latest events.
        evidence_nats: log likelihood by which it explains the events since better, over the dispersion of counts.
        n_events: events of the tier since the change, about.
    """

    window: int
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
        RequestError: caps are not ascending.
    """

    def __init__(self, tier_caps_usd: tuple[float, ...] = (), settings: MarginSettings | None = None) -> None:
        self.settings = settings or MarginSettings()
        self.tier_caps_usd = tier_caps_usd
        if bool(np.any(np.diff(np.array(tier_caps_usd)) <= 0)):
            message = "tier caps must ascend"
            raise RequestError(message, where="MarginBank", hint="sort them")
        self._marks = np.zeros((2, len(tier_caps_usd) + 2))
        self._begin(0.0, np.zeros(1))

    def _begin(self, assumed_bps: float, corrections_bps: NDArray[np.float64]) -> None:
        """Take the margins that the learner tries, and forget what was scored under others.

        Raises:
            RequestError: they are not ascending, or 0 is not among them.
        """
        if bool(np.any(np.diff(corrections_bps) <= 0)) or 0.0 not in corrections_bps:
            message = f"corrections of {corrections_bps.tolist()} bp"
            raise RequestError(message, where="corrections_bps", hint="sort them and add 0")
        n_tiers, n_margins = len(self.tier_caps_usd) + 1, len(corrections_bps)
        self._assumed_bps, self._corrections_bps = np.array([assumed_bps]), corrections_bps.copy()
        self._marks[1] = 0.0
        self._scores = np.zeros((n_tiers, n_margins))
        self._sums = np.zeros((2 * n_tiers, n_margins))
        self._whole = np.zeros((2, n_tiers), dtype=np.int64)
        self._whole[1] = np.flatnonzero(corrections_bps == 0.0)[0]

    def apply(self, scores: MarginScores) -> list[MarginChange]:
        """Learn windows in order; it begins anew where they were scored under other margins than windows before."""
        tried = np.array_equal(scores.corrections_bps, self._corrections_bps)
        if not tried or scores.assumed_bps != self._assumed_bps[0]:
            self._begin(scores.assumed_bps, scores.corrections_bps)
        chosen, grid = self.settings, self._corrections_bps
        n_tiers = len(self._scores)
        tier = np.searchsorted(np.array(self.tier_caps_usd), scores.notional_usd, side="right")
        found = np.zeros((n_tiers * len(scores.expected), 6))
        n_found = margin_windows_kernel(
            scores.expected,
            scores.dispersion,
            scores.window,
            np.where(np.isfinite(scores.notional_usd), tier, n_tiers).astype(np.int64),
            scores.rate,
            scores.count,
            -0.5 * grid**2 / (chosen.prior_sd_bps**2 + chosen.tier_sd_bps**2),
            np.array(
                [
                    0.5 ** (1.0 / chosen.half_life_events),
                    chosen.evidence_weight,
                    chosen.drift_nats,
                    chosen.threshold_nats,
                    chosen.most_nats,
                    float(chosen.settle_events),
                ]
            ),
            self._scores,
            self._marks,
            self._whole,
            self._sums,
            found,
        )
        return [
            MarginChange(int(w), int(k), float(grid[int(old)]), float(grid[int(new)]), float(nats), int(n))
            for w, k, old, new, nats, n in found[:n_found].tolist()
        ]

    def correction(self, tier: int) -> Estimate:
        """What has to be added to the assumed maintenance margin of a tier.

        Raises:
            RequestError: there is no such tier.
        """
        if not 0 <= tier < len(self._scores):
            message = f"no tier {tier} of {len(self._scores)}"
            raise RequestError(message, where="tier", hint="count tiers from 0")
        others = np.delete(self._scores, tier, axis=0).sum(axis=0)
        centre, variance = _moments(self._posterior(others, 0.0, self.settings.prior_sd_bps))
        spread = math.sqrt(variance + self.settings.tier_sd_bps**2)
        mass = self._posterior(self._scores[tier], centre, spread)
        mean, after = _moments(mass)
        before = _moments(self._posterior(np.zeros(len(self._corrections_bps)), centre, spread))[1]
        low, high = np.interp([_TAIL, 1.0 - _TAIL], np.cumsum(mass) - 0.5 * mass, _PLACES_BPS)
        share = min(max(1.0 - after / before, 0.0), 1.0)
        return Estimate(mean, float(low), float(high), "bp", float(self._marks[1, tier]), share)

    def in_use_bps(self) -> NDArray[np.float64]:
        """Correction that the change test takes for true, per tier, shape (T,)."""
        in_use: NDArray[np.float64] = self._corrections_bps[self._whole[1]]
        return in_use

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on."""
        return {
            "version": np.array([_STATE_VERSION]),
            "assumed_bps": self._assumed_bps.copy(),
            "corrections_bps": self._corrections_bps.copy(),
            "scores": self._scores.copy(),
            "marks": self._marks.copy(),
            "whole": self._whole.copy(),
            "sums": self._sums.copy(),
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
        with restoring("a margin bank", state, _STATE_VERSION):
            kept._begin(float(state["assumed_bps"][0]), state["corrections_bps"])
            for name in ("scores", "marks", "whole", "sums"):
                own: NDArray[Any] = getattr(kept, f"_{name}")
                if state[name].shape != own.shape:
                    raise ValueError(f"{name} of shape {state[name].shape}")
                np.copyto(own, state[name], casting="safe")
        return kept

    def _posterior(
        self, scores: NDArray[np.float64], centre_bps: float, sd_bps: float
    ) -> NDArray[np.float64]:
        """Mass at each of ``_PLACES_BPS``: between two corrections likelihood is linear, beyond the last level."""
        likelihood = np.interp(_PLACES_BPS, self._corrections_bps, np.exp(scores - scores.max()))
        mass = likelihood * np.exp(-0.5 * ((_PLACES_BPS - centre_bps) / sd_bps) ** 2)
        shares: NDArray[np.float64] = mass / mass.sum()
        return shares


def _moments(mass: NDArray[np.float64]) -> tuple[float, float]:
    """Mean, to the billionth, and variance over ``_PLACES_BPS``."""
    mean = round(float(mass @ _PLACES_BPS), 9) + 0.0
    return mean, float(mass @ (_PLACES_BPS - mean) ** 2)
