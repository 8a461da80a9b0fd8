"""A value with what is known about it out: the form in which every finding of the calibrator is told."""

from __future__ import annotations

import dataclasses
import math

__all__ = ("Estimate", "gaussian_estimate")

#: Standard deviations on either side that hold 95 % of a normal distribution.
_TWO_SIDED_95 = 1.959964


@dataclasses.dataclass(frozen=True, slots=True)
class Estimate:
    """One finding; never a number without its range.

    Attributes:
        value: best value; NaN where nothing is known.
        low: lower end of the 95 % interval; NaN as above.
        high: upper end.
        unit: ``bp``, ``s`` or ``ratio``.
        n_events: observations behind it, decayed where old ones count less.
        data_share: 1 - variance now / variance of the prior, 0-1: 0 is all assumption, 1 all data.
    """

    value: float
    low: float
    high: float
    unit: str
    n_events: float
    data_share: float


def gaussian_estimate(mean: float, sd: float, prior_sd: float, *, unit: str, n_events: float) -> Estimate:
    """The estimate of a normal posterior.

    Args:
        mean: posterior mean, in ``unit``.
        sd: posterior standard deviation, in ``unit``.
        prior_sd: standard deviation of the prior, in ``unit``; infinite where there was none.
        unit: see ``Estimate``.
        n_events: see ``Estimate``.
    """
    share = 1.0 if math.isinf(prior_sd) else 1.0 - (sd / prior_sd) ** 2
    reach = _TWO_SIDED_95 * sd
    return Estimate(mean, mean - reach, mean + reach, unit, n_events, min(max(share, 0.0), 1.0))
