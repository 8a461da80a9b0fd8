"""Gate's risk limits in, margin tiers out.

Maintenance margin and the taker fee are valued at mark (answer of the venue's support, 2023). Since 2025-07-29 the
ratio of a tier holds for the part of a position inside it: the deduction keeps the margin continuous. A contract whose
tiers are not in the pages asked for has one tier, of the maintenance rate and the leverage that its listing tells.
https://www.gate.com/docs/developers/apiv4/en/#query-risk-limit-tiers
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from faultline.instruments import FormulaFamily, margin_tiers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from faultline.instruments import Tier
    from faultline.sources.venues.gate.payloads import RiskTier

__all__ = ("FORMULA_FAMILY", "listed_tiers", "tiers_of")

FORMULA_FAMILY: Final = FormulaFamily.MARK_VALUED


def tiers_of(tiers: Iterable[RiskTier], usd_per_unit: float) -> tuple[Tier, ...]:
    """Tiers of one contract.

    Args:
        tiers: its risk limits, in any order.
        usd_per_unit: USD of a unit of the settlement currency.

    Raises:
        ValueError: they are not contiguous.
    """
    ordered = sorted(tiers, key=lambda tier: tier.risk_limit)
    return margin_tiers(
        [tier.risk_limit * usd_per_unit for tier in ordered],
        [tier.maintenance_rate for tier in ordered],
        [tier.leverage_max for tier in ordered],
        marginal=True,
    )


def listed_tiers(maintenance_ratio: float, max_leverage: float) -> tuple[Tier, ...]:
    """One tier without end."""
    return margin_tiers([math.inf], [maintenance_ratio], [max_leverage], marginal=True)
