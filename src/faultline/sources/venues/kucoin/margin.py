"""KuCoin's risk limits in, margin tiers out.

Maintenance margin is valued at entry, and without a fee: the venue's own example (a long from 40,000 with 40x and 0.4 %
is liquidated at 39,160) is exact with that. Risk limits need no key but one request a contract; contracts beyond those
that are asked for have one tier, of the maintenance margin and leverage that their listing tells.
https://www.kucoin.com/docs-new/rest/futures-trading/positions/get-isolated-margin-risk-limit
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from faultline.instruments import FormulaFamily, margin_tiers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from faultline.instruments import Tier
    from faultline.sources.venues.kucoin.payloads import RiskLimit

__all__ = ("FORMULA_FAMILY", "listed_tiers", "tiers_of")

FORMULA_FAMILY: Final = FormulaFamily.ENTRY_VALUED


def tiers_of(limits: Iterable[RiskLimit], usd_per_unit: float) -> tuple[Tier, ...]:
    """Tiers of one contract; ``usd_per_unit`` is the USD price of its settlement currency.

    Raises:
        ValueError: they are not contiguous.
    """
    ordered = sorted(limits, key=lambda limit: limit.maxRiskLimit)
    return margin_tiers(
        [limit.maxRiskLimit * usd_per_unit for limit in ordered],
        [limit.maintainMargin for limit in ordered],
        [limit.maxLeverage for limit in ordered],
        marginal=False,
    )


def listed_tiers(maintenance_ratio: float, max_leverage: float) -> tuple[Tier, ...]:
    """One tier without end."""
    return margin_tiers([math.inf], [maintenance_ratio], [max_leverage], marginal=False)
