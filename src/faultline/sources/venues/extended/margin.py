"""Risk factors of Extended in, margin tiers out.

A risk factor is the initial margin of positions up to a value, valued at mark. What must be maintained is not in the
interface: half of the initial margin is assumed.
https://docs.extended.exchange/extended-resources/trading/margin-schedule
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from faultline.instruments import FormulaFamily, margin_tiers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultline.instruments import Tier
    from faultline.sources.venues.extended.payloads import RiskFactor

__all__ = ("FORMULA_FAMILY", "tiers_of")

FORMULA_FAMILY: Final = FormulaFamily.MARK_VALUED
_MAINTENANCE_SHARE: Final = 0.5


def tiers_of(factors: Sequence[RiskFactor]) -> tuple[Tier, ...]:
    """Tiers of one contract, in any order; the last has no end.

    Raises:
        ValueError: there is none.
        ZeroDivisionError: a factor is 0.
    """
    ordered = sorted(factors, key=lambda factor: factor.upperBound)
    if not ordered:
        raise ValueError("a market has at least one risk factor")
    return margin_tiers(
        [*(factor.upperBound for factor in ordered[:-1]), math.inf],
        [factor.riskFactor * _MAINTENANCE_SHARE for factor in ordered],
        [1.0 / factor.riskFactor for factor in ordered],
        marginal=False,
    )
