"""Margin fractions of dYdX in, margin tiers out.

Maintenance is a fraction of the position at the oracle price. The initial fraction rises with the open interest of the
market, up to the whole position; the maintenance fraction does not, so one tier tells what forces a position out.
Governance changes both: they are read from the listing, never kept. https://docs.dydx.exchange/concepts-trading/margin
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from faultline.instruments import FormulaFamily, margin_tiers

if TYPE_CHECKING:
    from faultline.instruments import Tier

__all__ = ("FORMULA_FAMILY", "tiers_of")

FORMULA_FAMILY: Final = FormulaFamily.MARK_VALUED


def tiers_of(initial_ratio: float, maintenance_ratio: float) -> tuple[Tier, ...]:
    """One tier without an end.

    Raises:
        ValueError: the fractions are impossible.
        ZeroDivisionError: the initial fraction is 0.
    """
    return margin_tiers([math.inf], [maintenance_ratio], [1.0 / initial_ratio], marginal=False)
