"""Entry, margin and tiers in, the prices at which a simulated venue takes a position away out.

The simulator's own margin rules, written without the engine's: what is scored must not be what scores. With
entry E, posted margin a, maintenance ratio m, deduction c (all ratios of the entry notional), closing fee f,
x = P / E and s the side, a venue acts when equity has fallen to what must be maintained:

* linear contracts, valued at the mark: a + s (x - 1) = (m + f) x - c;
* linear contracts, fixed at entry: a + s (x - 1) = m + f x - c;
* inverse contracts, settled in the base asset: equity is a + s (1 - 1/x), and what is valued at the mark is
  multiplied by 1/x instead of x.

The margin is gone at x = 1 - s a (linear) or x = 1 / (1 + s a) (inverse).
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.simulator.schema import TierSpec, VenueSpec

__all__ = (
    "INVERSE",
    "MARK_VALUED",
    "bankruptcy_ratio_kernel",
    "deductions_usd",
    "equity_ratio_kernel",
    "liquidation_ratio_kernel",
    "tier_kernel",
    "tier_table",
)

#: Columns of a tier table: cap_usd, maintenance_ratio, max_leverage, deduction_usd.
_TIER_COLUMNS = 4
#: Value of the rule flag of venues that value maintenance margin at the mark.
MARK_VALUED = 1
#: Value of the contract flag of venues whose contracts are settled in the base asset.
INVERSE = 1
#: A price never falls below this ratio of the entry: an unlevered long is never taken.
_FLOOR_RATIO = 1e-3
#: Nor rises above this one: an unlevered short of an inverse contract is never taken.
_CEILING_RATIO = 1e3


def deductions_usd(tiers: tuple[TierSpec, ...]) -> list[float]:
    """Amounts that make maintenance margin continuous across tiers: each adds floor x (m - m of the tier
    before).
    """
    amounts = [0.0]
    for lower, upper in itertools.pairwise(tiers):
        amounts.append(amounts[-1] + lower.cap_usd * (upper.maintenance_ratio - lower.maintenance_ratio))
    return amounts


def tier_table(venue: VenueSpec, n_tiers: int) -> NDArray[np.float64]:
    """Tiers of a venue, shape (n_tiers, 4); missing tiers repeat the last and are never reached."""
    table = np.zeros((n_tiers, _TIER_COLUMNS))
    amounts = deductions_usd(venue.tiers)
    for row in range(n_tiers):
        tier = venue.tiers[min(row, len(venue.tiers) - 1)]
        is_last = row >= len(venue.tiers) - 1
        cap_usd = math.inf if is_last else tier.cap_usd
        table[row] = (cap_usd, tier.maintenance_ratio, tier.max_leverage, amounts[min(row, len(amounts) - 1)])
    return table


@njit(cache=True, nogil=True)
def tier_kernel(tiers: NDArray[np.float64], notional_usd: float) -> int:
    """Row of ``tiers`` (shape (T, 4)) that holds for a notional: the first whose cap is not exceeded."""
    row = 0
    while notional_usd > tiers[row, 0] and row < tiers.shape[0] - 1:
        row += 1
    return row


@njit(cache=True, nogil=True)
def liquidation_ratio_kernel(
    side: int,
    margin_ratio: float,
    maintenance_ratio: float,
    deduction_ratio: float,
    rule: int,
    contract: int,
    fee_ratio: float,
) -> float:
    """Liquidation price over entry price, by the rules in the module's docstring."""
    if contract == INVERSE:
        if rule == MARK_VALUED:
            above, below = 1.0 + side * (maintenance_ratio + fee_ratio), margin_ratio + deduction_ratio
        else:
            above, below = 1.0 + side * fee_ratio, margin_ratio - maintenance_ratio + deduction_ratio
        divisor = 1.0 + side * below
        return min(max(above / divisor, _FLOOR_RATIO), _CEILING_RATIO) if divisor > 0.0 else _CEILING_RATIO
    if rule == MARK_VALUED:
        ratio = (1.0 - side * (margin_ratio + deduction_ratio)) / (
            1.0 - side * (maintenance_ratio + fee_ratio)
        )
    else:
        ratio = 1.0 - side * (margin_ratio - maintenance_ratio + deduction_ratio)
        ratio /= 1.0 - side * fee_ratio
    return max(ratio, _FLOOR_RATIO)


@njit(cache=True, nogil=True)
def bankruptcy_ratio_kernel(side: int, margin_ratio: float, contract: int) -> float:
    """Price at which the margin is gone over entry price: 1 - s a, or 1 / (1 + s a) for inverse contracts."""
    if contract == INVERSE:
        divisor = 1.0 + side * margin_ratio
        return min(1.0 / divisor, _CEILING_RATIO) if divisor > 0.0 else _CEILING_RATIO
    return max(1.0 - side * margin_ratio, _FLOOR_RATIO)


@njit(cache=True, nogil=True)
def equity_ratio_kernel(side: int, margin_ratio: float, price_ratio: float, contract: int) -> float:
    """Equity over entry notional at x times the entry: a + s (x - 1), or a + s (1 - 1/x) for inverse contracts."""
    if contract == INVERSE:
        return margin_ratio + side * (1.0 - 1.0 / price_ratio)
    return margin_ratio + side * (price_ratio - 1.0)
