"""BingX's margin rules in, margin tiers out.

Tiers need a key. Of them one line is published (January 2026): ETH, positions up to 900,000 USDT, maintenance 0.33 %,
which is half of the initial margin at a leverage of 150. Every contract is given one tier by that rule: assumed, as is
the leverage where the listing does not tell it. A position is forced out only when the mark **and** the last price are
beyond its level; the taker fee of closing is counted. That maintenance is valued at mark is assumed.
https://bingx.com/en/support/articles/21286055666969
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from faultline.instruments import FormulaFamily, margin_tiers

if TYPE_CHECKING:
    from faultline.instruments import Tier

__all__ = ("FORMULA_FAMILY", "tiers_of")

FORMULA_FAMILY: Final = FormulaFamily.MARK_VALUED
#: Highest leverage by asset, November 2026, and that of all others: assumed.
_LEVERAGE: Final = {"BTC": 150.0, "ETH": 150.0}
_LEVERAGE_OF_OTHERS: Final = 50.0


def tiers_of(asset: str, max_leverage: float | None) -> tuple[Tier, ...]:
    """The tier of one contract; ``max_leverage`` where the listing tells it.

    Raises:
        ZeroDivisionError: the leverage is 0.
    """
    leverage = max_leverage if max_leverage is not None else _LEVERAGE.get(asset, _LEVERAGE_OF_OTHERS)
    return margin_tiers([math.inf], [0.5 / leverage], [leverage], marginal=False)
