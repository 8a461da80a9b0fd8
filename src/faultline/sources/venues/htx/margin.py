"""HTX's adjustment factors in, margin tiers out.

A position is forced out when its margin ratio is no more than the factor, so at a maintenance margin of factor over
leverage. The factor depends on the size of the position and on its leverage; tiers hold one factor a size, so those of
one usual leverage stand for all: the nearest to ``USUAL_LEVERAGE``. The factors of higher leverages are greater.
https://www.htx.com/en-us/opend/newApiPages/?id=8cb7fb2c-77b5-11ed-9966-0242ac110003
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from faultline.instruments import FormulaFamily, margin_tiers

if TYPE_CHECKING:
    from faultline.instruments import Tier
    from faultline.sources.venues.htx.payloads import AdjustFactor

__all__ = ("FORMULA_FAMILY", "USUAL_LEVERAGE", "tiers_of")

FORMULA_FAMILY: Final = FormulaFamily.LEVERAGE_ADJUSTED
#: Leverage whose factors stand for all, and near the middle of what accounts choose.
USUAL_LEVERAGE: Final = 20.0


def tiers_of(factors: AdjustFactor, usd_per_contract: float) -> tuple[Tier, ...]:
    """Tiers of one contract, from sizes in contracts; the maintenance ratio of each is its factor.

    Raises:
        ValueError: there is no leverage, no ladder, or they are not contiguous.
    """
    usual = min(factors.rows, key=lambda row: abs(math.log(max(row.lever_rate, 1e-9) / USUAL_LEVERAGE)))
    ladders = sorted(usual.ladders, key=lambda ladder: ladder.min_size)
    highest = max(row.lever_rate for row in factors.rows)
    if not ladders or ladders[0].min_size != 0:
        raise ValueError("ladders begin at 0 contracts")
    return margin_tiers(
        [*(ladder.min_size * usd_per_contract for ladder in ladders[1:]), math.inf],
        [ladder.adjust_factor for ladder in ladders],
        [highest] * len(ladders),
        marginal=False,
    )
