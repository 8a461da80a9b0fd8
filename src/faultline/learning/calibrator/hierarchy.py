"""What venues of a class turned out to be in, what to expect of a venue not seen before out.

Values of a class are pooled by a random-effects mean, the variance between venues estimated by DerSimonian and Laird
(Meta-analysis in clinical trials, 1986) with a floor, because a handful of venues that agree does not mean the next
will. It is a cold-start prior only: after a few events a venue's own data outweigh it.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from faultline.errors import RequestError
from faultline.learning.calibrator.offset import OffsetPrior
from faultline.learning.calibrator.reporting import ReportingSource, combine_shares
from faultline.units import PriceKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from faultline.learning.calibrator.estimate import Estimate
    from faultline.learning.calibrator.report import CalibrationReport

__all__ = ("CalibratorPrior", "ClassMean", "class_mean", "class_prior")

#: Smallest standard deviation between venues of a class: offsets in bp, delays in s, log of the share.
_OFFSET_FLOOR_BPS: Final = 3.0
_DELAY_FLOOR_S: Final = 0.15
_SHARE_FLOOR_LOG: Final = 0.3
#: A venue counts where so much of its estimate is data; below, it would only repeat the prior.
_FEWEST_DATA: Final = 0.8


@dataclasses.dataclass(frozen=True, slots=True)
class ClassMean:
    """Mean of a class.

    Attributes:
        mean: in the unit of the values.
        mean_sd: its standard deviation.
        between_sd: standard deviation between venues, floor included.
        n: venues.
    """

    mean: float
    mean_sd: float
    between_sd: float
    n: int

    @property
    def next_sd(self) -> float:
        """Standard deviation of what the next venue will be."""
        return math.hypot(self.mean_sd, self.between_sd)


class CalibratorPrior(msgspec.Struct, frozen=True, kw_only=True):
    """What is expected of an instrument before it has been seen.

    Attributes:
        offsets: by price kind; kinds that are missing have the default of ``OffsetPrior``.
        delay_s: from trigger to stamp.
        delay_sd_s: its standard deviation.
        share_log_mean: logarithm of the reporting fraction; NaN unknown.
        share_log_sd: its standard deviation.
    """

    offsets: dict[PriceKind, OffsetPrior] = msgspec.field(default_factory=dict)
    delay_s: float = 0.3
    delay_sd_s: float = 0.7
    share_log_mean: float = math.nan
    share_log_sd: float = 1.0


def class_mean(
    values: NDArray[np.float64], variances: NDArray[np.float64], between_floor: float
) -> ClassMean:
    """Random-effects mean of values with known variances.

    ``tau^2 = max(floor^2, (Q - (k - 1)) / (sum w - sum w^2 / sum w))`` with ``w = 1 / variance`` and Cochran's ``Q``.

    Args:
        values: one per venue, shape (k,), k >= 1.
        variances: positive, shape (k,).
        between_floor: smallest standard deviation between venues, in the unit of the values.

    Raises:
        RequestError: no values, shapes that differ or a variance that is not positive.
    """
    if values.shape != variances.shape or not len(values) or not bool(np.all(variances > 0)):
        message = f"no mean of {values.shape} values with variances {variances.shape}"
        raise RequestError(message, where="class_mean", hint="give one positive variance per value")
    w = 1.0 / variances
    fixed = float(w @ values / w.sum())
    q = float(w @ (values - fixed) ** 2)
    slack = float(w.sum() - (w @ w) / w.sum())
    tau2 = max(between_floor**2, (q - (len(values) - 1)) / slack if slack > 0 else 0.0)
    w = 1.0 / (variances + tau2)
    return ClassMean(float(w @ values / w.sum()), float(w.sum() ** -0.5), float(tau2**0.5), len(values))


def class_prior(reports: Sequence[CalibrationReport]) -> CalibratorPrior:
    """The prior for the next venue of a class, from reports of venues of that class.

    What no venue of the class has told from data stays at its default.
    """
    default = CalibratorPrior()
    offsets: dict[PriceKind, OffsetPrior] = {}
    for kind in PriceKind:
        of_kind = [entry for report in reports for entry in report.offsets if entry.price_kind is kind]
        sym = _pooled([entry.sym for entry in of_kind], _OFFSET_FLOOR_BPS)
        anti = _pooled([entry.anti for entry in of_kind], _OFFSET_FLOOR_BPS)
        if sym is not None and anti is not None:
            offsets[kind] = OffsetPrior(
                sym_bps=sym.mean, sym_sd_bps=sym.next_sd, anti_bps=anti.mean, anti_sd_bps=anti.next_sd
            )
    delay = _pooled([report.delay for report in reports], _DELAY_FLOOR_S)
    share = _pooled_share(reports)
    return CalibratorPrior(
        offsets=offsets,
        delay_s=default.delay_s if delay is None else delay.mean,
        delay_sd_s=default.delay_sd_s if delay is None else delay.next_sd,
        share_log_mean=default.share_log_mean if share is None else share.mean,
        share_log_sd=default.share_log_sd if share is None else share.next_sd,
    )


def _pooled(estimates: Sequence[Estimate], floor: float) -> ClassMean | None:
    told = [estimate for estimate in estimates if estimate.data_share >= _FEWEST_DATA]
    if not told:
        return None
    sds = np.array([max((estimate.high - estimate.low) / 3.92, 1e-6) for estimate in told])
    return class_mean(np.array([estimate.value for estimate in told]), sds**2, floor)


def _pooled_share(reports: Sequence[CalibrationReport]) -> ClassMean | None:
    logs: list[float] = []
    variances: list[float] = []
    for report in reports:
        own = [source for source in report.sources if source.source is not ReportingSource.PRIOR]
        if own:
            found = combine_shares(own)
            logs.append(math.log(found.value))
            variances.append(max((math.log(found.high / found.low) / 3.92) ** 2, 1e-6))
    return class_mean(np.array(logs), np.array(variances), _SHARE_FLOOR_LOG) if logs else None
