"""OKX's position tiers in, margin tiers out.

A position is forced out when its margin is no more than its value at mark times the tier's maintenance rate plus the
taker fee. The rate of a tier holds for the whole position. Tiers can be asked for five contracts a call and without a
key; contracts beyond those that are asked for get one tier: half the initial margin of the highest leverage, assumed.
https://www.okx.com/docs-v5/en/#public-data-rest-api-get-position-tiers
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from faultline.instruments import FormulaFamily, margin_tiers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from faultline import instruments
    from faultline.sources.venues.okx.payloads import Tier

__all__ = ("FORMULA_FAMILY", "TAKER_FEE_RATIO", "assumed_tiers", "tiers_of")

FORMULA_FAMILY: Final = FormulaFamily.MARK_VALUED
#: Of an ordinary account; the liquidation price counts it.
TAKER_FEE_RATIO: Final = 0.0005


def tiers_of(tiers: Iterable[Tier], usd_per_contract: float) -> tuple[instruments.Tier, ...]:
    """Tiers of one contract, from sizes in contracts.

    Raises:
        ValueError: they are not contiguous.
    """
    ordered = sorted(tiers, key=lambda tier: tier.maxSz)
    return margin_tiers(
        [tier.maxSz * usd_per_contract for tier in ordered],
        [tier.mmr for tier in ordered],
        [tier.maxLever for tier in ordered],
        marginal=False,
    )


def assumed_tiers(max_leverage: float) -> tuple[instruments.Tier, ...]:
    """One tier without end.

    Raises:
        ZeroDivisionError: the leverage is 0.
    """
    return margin_tiers([math.inf], [0.5 / max_leverage], [max_leverage], marginal=False)
