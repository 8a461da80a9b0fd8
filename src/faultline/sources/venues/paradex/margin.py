"""Margin fractions of Paradex in, margin tiers out.

Maintenance is a share (``mmf_factor``) of the initial fraction of the position at the mark price, whatever its size.
The venue adds a provision for the fee of closing, which is not in the tiers.
https://docs.paradex.trade/risk-system/cross-margin-requirement
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from faultline.instruments import FormulaFamily, margin_tiers

if TYPE_CHECKING:
    from faultline.instruments import Tier

__all__ = ("FORMULA_FAMILY", "tiers_of")

FORMULA_FAMILY: Final = FormulaFamily.MARK_VALUED


def tiers_of(initial_ratio: float, maintenance_share: float) -> tuple[Tier, ...]:
    """One tier without an end.

    Raises:
        ZeroDivisionError: the initial fraction is 0.
    """
    return margin_tiers(
        [math.inf], [initial_ratio * maintenance_share], [1.0 / initial_ratio], marginal=False
    )
