"""Windows of reports and of what should have been reported in, the share that a venue reports out, always as a range.

No single source can be trusted, so each is a ratio in logarithms with a variance of its own:

* **implied**: reported over expected, where the expectation comes from rates learned with the exact likelihood of the
  venue's reporting rule, over all that was swept.
* **anchor**: reports per open interest over those of venues that report everything.

Each is off by a factor of its own, 0.3 in logarithms, besides what its windows scatter. They are weighed by inverse
variance, the prior of the venue's class among them; where they disagree more than their variances allow the range
grows by the square root of that excess (Birge's ratio). A share cannot exceed 1, so the posterior is cut there. What
else was tried and tells of other things than the share is in ``docs/decisions/0013-reporting-share.md``.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from scipy.special import ndtr, ndtri

from faultline.errors import RequestError
from faultline.learning.calibrator.estimate import Estimate
from faultline.learning.calibrator.ratio import DecayedRatio
from faultline.states import restoring
from faultline.units import HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = (
    "REPORTING_ROW",
    "ReportingFraction",
    "ReportingSettings",
    "ReportingSource",
    "SourceShare",
    "combine_shares",
    "throttled_share",
    "unknown_windows",
)

_STATE_VERSION: Final = 2

#: One window. What is not known in it is NaN and teaches its source nothing. ``reported`` and ``expected``
#: are in one unit, events or winsorised USD.
REPORTING_ROW: Final = np.dtype(
    [
        ("end_ns", "<i8"),
        ("reported", "<f8"),  # liquidations reported
        ("expected", "<f8"),  # liquidations that the learned rates and everything swept give
        ("reported_usd", "<f8"),  # liquidations reported, USD
        ("anchor_usd", "<f8"),  # what complete venues reported, scaled to the open interest here
    ]
)


class ReportingSource(enum.StrEnum):
    """Where an estimate of the reporting fraction comes from."""

    IMPLIED = "implied"
    ANCHOR = "anchor"
    PRIOR = "prior"


#: Fields of a window whose ratio is a source: reported, and all that could have been.
_RATIOS: Final = {
    ReportingSource.IMPLIED: ("reported", "expected"),
    ReportingSource.ANCHOR: ("reported_usd", "anchor_usd"),
}


class ReportingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How sources are weighed.

    Attributes:
        half_life_h: hours after which a window counts half.
        floor_log_sd: what a source is off besides its scatter, in log units; none is surer.
        prior_log_mean: logarithm of the share of the venue's class; NaN for none.
        prior_log_sd: its standard deviation.
    """

    half_life_h: float = 72.0
    floor_log_sd: float = 0.3
    prior_log_mean: float = math.nan
    prior_log_sd: float = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class SourceShare:
    """What one source says.

    Attributes:
        source: which.
        log_share: logarithm of the reporting fraction.
        log_variance: its variance, what it is off besides included.
        n_windows: windows behind it, old ones fading.
    """

    source: ReportingSource
    log_share: float
    log_variance: float
    n_windows: float


class ReportingFraction:
    """Sources of one instrument, kept between calls.

    Args:
        settings: see ``ReportingSettings``.
    """

    def __init__(self, settings: ReportingSettings | None = None) -> None:
        self.settings = settings or ReportingSettings()
        self._ratios = {source: DecayedRatio() for source in _RATIOS}
        self._last_end_ns = -1

    def apply(self, windows: NDArray[np.void]) -> None:
        """Learn windows in order.

        Args:
            windows: rows of ``REPORTING_ROW``, sorted by end.

        Raises:
            RequestError: other fields, or windows that go back in time.
        """
        if windows.dtype != REPORTING_ROW:
            message = f"windows of type {windows.dtype}"
            raise RequestError(message, where="windows", hint="give rows of REPORTING_ROW")
        for window in windows:
            end_ns = int(window["end_ns"])
            if end_ns < self._last_end_ns:
                message = f"a window that ends at {end_ns} after one that ended at {self._last_end_ns}"
                raise RequestError(message, where="windows", hint="sort windows by their end")
            hours = (end_ns - self._last_end_ns) / HOUR_NS if self._last_end_ns >= 0 else 0.0
            self._last_end_ns = end_ns
            self._learn(window, 0.5 ** (hours / self.settings.half_life_h))

    def sources(self) -> tuple[SourceShare, ...]:
        """What each source that knows something says, the prior last."""
        floor = self.settings.floor_log_sd**2
        found: list[SourceShare] = []
        for source, ratio in self._ratios.items():
            log_share, variance = ratio.log_ratio()
            if math.isfinite(log_share):
                found.append(SourceShare(source, log_share, variance + floor, ratio.n_windows))
        if math.isfinite(self.settings.prior_log_mean):
            prior_variance = max(self.settings.prior_log_sd**2, floor)
            found.append(
                SourceShare(ReportingSource.PRIOR, self.settings.prior_log_mean, prior_variance, 0.0)
            )
        return tuple(found)

    def estimate(self) -> Estimate:
        """The reporting fraction; ``nan [0, 1]`` where nothing is known."""
        return combine_shares(self.sources())

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on."""
        return {
            "version": np.array([_STATE_VERSION]),
            "ratios": np.array([ratio.sums for ratio in self._ratios.values()]),
            "last_end_ns": np.array([self._last_end_ns], dtype=np.int64),
        }

    @classmethod
    def from_state(
        cls, state: Mapping[str, NDArray[Any]], settings: ReportingSettings | None = None
    ) -> ReportingFraction:
        """A fraction that goes on where ``state()`` was taken.

        Raises:
            StoreError: that is no state of such a fraction.
        """
        kept = cls(settings)
        with restoring("a reporting fraction", state, _STATE_VERSION):
            for ratio, sums in zip(kept._ratios.values(), state["ratios"], strict=True):
                np.copyto(ratio.sums, sums, casting="safe")
            kept._last_end_ns = int(state["last_end_ns"][0])
        return kept

    def _learn(self, window: np.void, fade: float) -> None:
        for source, (told, possible) in _RATIOS.items():
            self._ratios[source].add(float(window[told]), float(window[possible]), fade)


def unknown_windows(ends_ns: NDArray[np.int64]) -> NDArray[np.void]:
    """Rows of ``REPORTING_ROW`` of which only the ends are known, to be filled in; shape of ``ends_ns`` (n,)."""
    rows = np.zeros(len(ends_ns), REPORTING_ROW)
    rows["end_ns"] = ends_ns
    for name in REPORTING_ROW.names or ():
        if name != "end_ns":
            rows[name] = np.nan
    return rows


def combine_shares(sources: Sequence[SourceShare]) -> Estimate:
    """Inverse-variance mean of the logarithms, widened by disagreement, cut at a share of 1.

    Args:
        sources: what is known; empty gives ``nan [0, 1]``.

    Returns:
        Median and 95 % interval. ``data_share`` is the share of the weight that is not the prior's.
    """
    if not sources:
        return Estimate(math.nan, 0.0, 1.0, "ratio", 0.0, 0.0)
    logs = np.array([source.log_share for source in sources])
    weights = 1.0 / np.array([source.log_variance for source in sources])
    is_prior = np.array([source.source is ReportingSource.PRIOR for source in sources])
    mean = float(weights @ logs / weights.sum())
    excess = float(weights @ (logs - mean) ** 2) / max(len(logs) - 1, 1)
    sd = math.sqrt(max(1.0, excess) / float(weights.sum()))
    # Normal in the logarithm, cut at log share <= 0; a mean far above is held where the tail has mass.
    centre = min(mean, 6.0 * sd)
    below = float(ndtr(-centre / sd))
    low, middle, high = np.exp(centre + sd * ndtri(np.array([0.025, 0.5, 0.975]) * below))
    return Estimate(
        float(middle),
        float(low),
        float(min(high, 1.0)),
        "ratio",
        float(sum(source.n_windows for source in sources)),
        float(weights[~is_prior].sum() / weights.sum()),
    )


def throttled_share(rate_per_s: NDArray[np.float64] | float, window_s: float) -> NDArray[np.float64] | float:
    """Share of events that are printed where a venue prints one per window, ``(1 - exp(-k)) / k``, ``k`` the mean.

    Args:
        rate_per_s: Poisson rate of liquidations.
        window_s: length of the window.

    Raises:
        RequestError: a negative rate or a window of no length.
    """
    mean = np.asarray(rate_per_s, dtype=np.float64) * window_s
    if window_s <= 0 or bool(np.any(mean < 0)):
        message = f"no throttle of one per {window_s} s at rates of {rate_per_s}"
        raise RequestError(message, where="throttled_share", hint="give a rate of 0 or more")
    share = np.where(mean > 0, -np.expm1(-mean) / np.where(mean > 0, mean, 1.0), 1.0)
    return float(share) if share.ndim == 0 else share
