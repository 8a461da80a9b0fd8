"""Bybit's risk limits in, margin tiers out.

Maintenance margin is valued at mark (help page of 2026-05-27, inverse contracts; linear by analogy); the deduction
keeps it continuous between tiers. https://www.bybit.com/en/help-center/article/Liquidation-Price-USDT-Contract
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from faultline.instruments import FormulaFamily, margin_tiers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from faultline.instruments import Tier
    from faultline.sources.venues.bybit.payloads import RiskLimit

__all__ = ("FORMULA_FAMILY", "tiers_of")

FORMULA_FAMILY: Final = FormulaFamily.MARK_VALUED


def tiers_of(limits: Iterable[RiskLimit], usd_per_unit: float) -> tuple[Tier, ...]:
    """Tiers of one contract.

    Args:
        limits: its risk limits, in any order.
        usd_per_unit: USD of a unit of ``riskLimitValue``: 1 for linear contracts, the price for inverse ones.

    Raises:
        ValueError: the limits do not make contiguous tiers.
    """
    ordered = sorted(limits, key=lambda limit: limit.riskLimitValue)
    return margin_tiers(
        [limit.riskLimitValue * usd_per_unit for limit in ordered],
        [_ratio(limit) for limit in ordered],
        [limit.maxLeverage for limit in ordered],
        marginal=True,
    )


def _ratio(limit: RiskLimit) -> float:
    """A maintenance ratio is below the initial one, 1 / leverage; a greater number is a percentage."""
    ratio = limit.maintenanceMargin
    return ratio if ratio * limit.maxLeverage < 1.0 else ratio / 100.0
