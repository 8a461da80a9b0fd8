"""Hyperliquid's margin tables in, margin tiers out.

Maintenance margin is half the initial margin at the highest leverage of a tier, valued at mark, less a deduction that
keeps it continuous between tiers. Isolated positions use the same tiers.
https://hyperliquid.gitbook.io/hyperliquid-docs/trading/margin-tiers
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from faultline.instruments import FormulaFamily, margin_tiers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultline.instruments import Tier
    from faultline.sources.venues.hyperliquid.payloads import MarginTier

__all__ = ("FORMULA_FAMILY", "tiers_of")

FORMULA_FAMILY: Final = FormulaFamily.MARK_VALUED


def tiers_of(tiers: Sequence[MarginTier], max_leverage: float) -> tuple[Tier, ...]:
    """Tiers of one contract; without a table, one tier of its highest leverage.

    Raises:
        ValueError: the table does not begin at 0.
        ZeroDivisionError: a leverage is 0.
    """
    if not tiers:
        return margin_tiers([math.inf], [0.5 / max_leverage], [max_leverage], marginal=True)
    ordered = sorted(tiers, key=lambda tier: tier.lowerBound)
    if ordered[0].lowerBound != 0:
        raise ValueError("a margin table begins at 0")
    return margin_tiers(
        [*(tier.lowerBound for tier in ordered[1:]), math.inf],
        [0.5 / tier.maxLeverage for tier in ordered],
        [tier.maxLeverage for tier in ordered],
        marginal=True,
    )
