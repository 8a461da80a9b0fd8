"""Deribit's margin rules in, margin tiers out.

Maintenance is not in tiers there: it grows with every unit of the position, from 1 % by 0.005 % a BTC, by 0.0004 % an
ETH, from 2 % by 0.0005 % a SOL; the initial margin lies as far above as it does for the smallest position. Tiers here
follow that line in steps, each at the rate of its middle. Others get half of their initial margin, without growth:
assumed. Positions are closed in part until maintenance is covered. https://support.deribit.com (figures of 2022)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from faultline.instruments import FormulaFamily, margin_tiers

if TYPE_CHECKING:
    from faultline.instruments import Tier

__all__ = ("FORMULA_FAMILY", "tiers_of")

FORMULA_FAMILY: Final = FormulaFamily.MARK_VALUED
#: Maintenance of a small position, its growth per base unit, and initial margin of a small position.
_RULES: Final = {
    "BTC": (0.01, 0.00005, 0.02),
    "ETH": (0.01, 0.000004, 0.02),
    "SOL": (0.02, 0.000005, 0.04),
}
#: Steps of maintenance: each tier is half a percent of notional higher than the one before.
_STEP_RATIO: Final = 0.005
_STEPS: Final = 40


def tiers_of(base: str, max_leverage: float, price_usd: float) -> tuple[Tier, ...]:
    """Tiers of a contract in USD at a price.

    Raises:
        ValueError: the price is impossible.
        ZeroDivisionError: the leverage is 0.
    """
    rule = _RULES.get(base)
    if rule is None:
        return margin_tiers([math.inf], [0.5 / max_leverage], [max_leverage], marginal=False)
    least, per_unit, initial = rule
    caps = [_STEP_RATIO * step / per_unit * price_usd for step in range(1, _STEPS + 1)]
    ratios = [least + _STEP_RATIO * (step - 0.5) for step in range(1, _STEPS + 1)]
    # The first step is the rate of a small position, which is what most positions are.
    ratios[0] = least
    leverages = [min(max_leverage, 1.0 / (ratio - least + initial)) for ratio in ratios]
    return margin_tiers(caps, ratios, leverages, marginal=False)
