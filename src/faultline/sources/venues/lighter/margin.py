"""Margin fractions of Lighter in, margin tiers out.

Maintenance is a fraction of the position at the mark price, the same for every size; whoever chose a lower leverage has
more initial margin, not more maintenance. Below the close-out fraction the insurance fund takes the account over.
https://docs.lighter.xyz/perpetual-futures/liquidations-and-llp-insurance-fund
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from faultline.instruments import FormulaFamily, margin_tiers

if TYPE_CHECKING:
    from faultline.instruments import Tier

__all__ = ("FORMULA_FAMILY", "tiers_of")

FORMULA_FAMILY: Final = FormulaFamily.MARK_VALUED
#: Fractions are told in hundredths of a percent.
_ONE: Final = 10_000.0


def tiers_of(initial_fraction: int, maintenance_fraction: int) -> tuple[Tier, ...]:
    """One tier without an end.

    Raises:
        ZeroDivisionError: the initial fraction is 0.
    """
    return margin_tiers([math.inf], [maintenance_fraction / _ONE], [_ONE / initial_fraction], marginal=False)
