"""Orderly's margin numbers of a contract in, margin tiers out.

The initial ratio of a position is the greater of a base ratio and a factor times its notional to the power of four
fifths; the maintenance ratio is that, scaled by the two base ratios. It grows with the position without steps; tiers
follow it in steps of a quarter.
https://orderly.network/docs/introduction/trade-on-orderly/perpetual-futures/formulas-definitions
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from faultline.instruments import FormulaFamily, margin_tiers

if TYPE_CHECKING:
    from faultline.instruments import Tier

__all__ = ("FORMULA_FAMILY", "tiers_of")

FORMULA_FAMILY: Final = FormulaFamily.MARK_VALUED
_POWER: Final = 0.8
#: Each tier has so many times the margin of the one before.
_STEP: Final = 1.25
_STEPS_MAX: Final = 24


def tiers_of(initial_ratio: float, maintenance_ratio: float, factor: float) -> tuple[Tier, ...]:
    """Tiers of one contract; the last has no end.

    Raises:
        ValueError: the numbers are impossible.
        OverflowError: the factor is so small that a tier has no end.
    """
    if not 0.0 < initial_ratio <= 1.0:
        raise ValueError("an initial margin is a share of the position")
    initials = [initial_ratio]
    while factor > 0 and initials[-1] * _STEP < 1.0 and len(initials) < _STEPS_MAX:
        initials.append(initials[-1] * _STEP)
    caps = [(ratio / factor) ** (1.0 / _POWER) for ratio in initials[1:]]
    return margin_tiers(
        [*caps, math.inf],
        [maintenance_ratio * ratio / initial_ratio for ratio in initials],
        [1.0 / ratio for ratio in initials],
        marginal=False,
    )
