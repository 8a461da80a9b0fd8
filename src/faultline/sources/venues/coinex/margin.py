"""CoinEx's position levels in, margin tiers out.

The page of liquidations states both prices of a long by its settlement price: trigger = settlement (1 - margin) /
(1 - maintenance), bankruptcy = settlement (1 - margin): maintenance is valued at mark, no fee is counted. Levels end at
sizes in the units of quantities. That a level holds for the whole position is assumed.
https://docs.coinex.com/api/v2/futures/market/http/list-market-position-level
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from faultline.instruments import FormulaFamily, margin_tiers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from faultline.instruments import Tier
    from faultline.sources.venues.coinex.payloads import Level

__all__ = ("FORMULA_FAMILY", "tiers_of")

FORMULA_FAMILY: Final = FormulaFamily.MARK_VALUED


def tiers_of(levels: Iterable[Level], usd_per_unit: float) -> tuple[Tier, ...]:
    """Tiers of one contract.

    Args:
        levels: its levels, in any order.
        usd_per_unit: USD of a unit of quantity: the price for linear contracts, 1 for inverse ones.

    Raises:
        ValueError: the levels do not make contiguous tiers.
    """
    ordered = sorted(levels, key=lambda level: level.amount)
    return margin_tiers(
        [level.amount * usd_per_unit for level in ordered],
        [level.maintenance_margin_rate for level in ordered],
        [level.leverage for level in ordered],
        marginal=False,
    )
