"""Backpack's margin functions in, margin tiers out.

Both fractions are constant for small positions and then grow with the root of the position. Tiers here follow that line
in steps of a doubling, each at the fraction of its middle. That the root is that of the notional in USD, and that
maintenance is valued at mark, is assumed. https://docs.backpack.exchange/#tag/Markets/operation/get_markets
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from faultline.instruments import FormulaFamily, margin_tiers

if TYPE_CHECKING:
    from faultline.instruments import Tier
    from faultline.sources.venues.backpack.payloads import Fraction

__all__ = ("FORMULA_FAMILY", "tiers_of")

FORMULA_FAMILY: Final = FormulaFamily.MARK_VALUED
#: A position may double so often beyond the size at which its maintenance begins to grow.
_DOUBLINGS: Final = 10


def tiers_of(initial: Fraction, maintenance: Fraction) -> tuple[Tier, ...]:
    """Tiers of a contract; the last has no end where the fraction does not grow.

    Raises:
        ValueError: a fraction is impossible.
        ArithmeticError: as that.
    """
    if not maintenance.factor > 0:
        return margin_tiers([math.inf], [maintenance.base], [1.0 / initial.base], marginal=False)
    first_usd = (maintenance.base / maintenance.factor) ** 2
    caps = [first_usd * 2.0**n for n in range(_DOUBLINGS + 1)]
    middles = [0.0, *(cap / math.sqrt(2.0) for cap in caps[1:])]
    ratios = [min(_fraction(maintenance, size), 0.99) for size in middles]
    leverages = [max(1.0, 1.0 / _fraction(initial, size)) for size in middles]
    return margin_tiers(caps, ratios, leverages, marginal=False)


def _fraction(line: Fraction, notional_usd: float) -> float:
    return max(line.base, line.factor * math.sqrt(notional_usd))
