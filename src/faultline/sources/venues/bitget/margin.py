"""Bitget's position tiers in, margin tiers out.

Maintenance margin is taken as valued at mark, and the ratio of a tier as holding for the whole position: the
documentation has no formula. Tiers need no key but one request a contract; those of the larger contracts are asked for,
all others get one tier, half the initial margin of the highest leverage, assumed.
https://www.bitget.com/api-doc/uta/public/Get-Position-Tier-Data
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from faultline.instruments import FormulaFamily, margin_tiers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from faultline.instruments import Tier
    from faultline.sources.venues.bitget.payloads import PositionTier

__all__ = ("FORMULA_FAMILY", "assumed_tiers", "tiers_of")

FORMULA_FAMILY: Final = FormulaFamily.MARK_VALUED


def tiers_of(tiers: Iterable[PositionTier]) -> tuple[Tier, ...]:
    """Tiers of one contract, from quote values.

    Raises:
        ValueError: they are not contiguous.
    """
    ordered = sorted(tiers, key=lambda tier: tier.maxTierValue)
    return margin_tiers(
        [tier.maxTierValue for tier in ordered],
        [tier.mmr for tier in ordered],
        [tier.leverage for tier in ordered],
        marginal=False,
    )


def assumed_tiers(max_leverage: float) -> tuple[Tier, ...]:
    """One tier without end.

    Raises:
        ZeroDivisionError: the leverage is 0.
    """
    return margin_tiers([math.inf], [0.5 / max_leverage], [max_leverage], marginal=False)
