"""Margin levels of Kraken Futures in, margin tiers out.

A level holds from a size in USD upwards. Maintenance is valued at mark; the example of the help page (a long of 1,000
USD at 8,000 with 0.01 BTC of margin and 1 % of maintenance is forced out at 7,481) is met by that formula. That the
margin of a level holds for the whole position is assumed.
https://docs.kraken.com/api-reference/instrument-details/get-instruments
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from faultline.instruments import FormulaFamily, margin_tiers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultline.instruments import Tier
    from faultline.sources.venues.kraken.payloads import MarginLevel

__all__ = ("FORMULA_FAMILY", "tiers_of")

FORMULA_FAMILY: Final = FormulaFamily.MARK_VALUED


def tiers_of(levels: Sequence[MarginLevel]) -> tuple[Tier, ...]:
    """Tiers of one contract, in any order; the last has no end.

    Raises:
        ValueError: the levels do not begin at 0.
        ZeroDivisionError: an initial margin is 0.
    """
    ordered = sorted(levels, key=_floor_usd)
    if not ordered or _floor_usd(ordered[0]) != 0:
        raise ValueError("margin levels begin at 0")
    # Two levels may begin at the same size: the later of them holds.
    kept = [
        level
        for number, level in enumerate(ordered)
        if number + 1 == len(ordered) or _floor_usd(ordered[number + 1]) > _floor_usd(level)
    ]
    return margin_tiers(
        [*(_floor_usd(level) for level in kept[1:]), math.inf],
        [level.maintenanceMargin for level in kept],
        [1.0 / level.initialMargin for level in kept],
        marginal=False,
    )


def _floor_usd(level: MarginLevel) -> float:
    for size in (level.contracts, level.numNonContractUnits):
        if size is not None:
            return size
    raise ValueError("a margin level has no size")
