"""Margins of Bitfinex's derivatives in, margin tiers out.

The configuration tells one initial and one maintenance margin a contract, without sizes: one tier without end. That
maintenance is valued at mark is assumed. https://docs.bitfinex.com/reference/rest-public-conf
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
    """The tier of one contract.

    Raises:
        ZeroDivisionError: the initial margin is 0.
    """
    return margin_tiers([math.inf], [maintenance_ratio], [1.0 / initial_ratio], marginal=False)
