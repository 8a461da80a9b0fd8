"""Entry, margin and tiers in, the prices at which a simulated venue takes a position away out.

The simulator's own margin rules, written without the engine's: what is scored must not be what scores.
Two rules exist, one per archetype. With entry E, posted margin a (a ratio of the entry notional), maintenance
ratio m, deduction c (a ratio of the entry notional), long upper sign:

* maintenance valued at the mark (``latest-per-second``): the venue acts when E a +- (P - E) = m P - c E, so
  P = E (1 -+ a -+ c) / (1 -+ m);
* maintenance fixed at entry (``all-events``): it acts when E a +- (P - E) = (m - c) E, so P = E (1 -+ (a - m
  + c)).

The margin is gone at the bankruptcy price E (1 -+ a) in both.
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

__all__ = ("MARK_VALUED", "deductions_usd", "liquidation_ratio_kernel", "tier_kernel", "tier_table")

#: Columns of a tier table: cap_usd, maintenance_ratio, max_leverage, deduction_usd.
_TIER_COLUMNS = 4
#: Value of the rule flag of venues that value maintenance margin at the mark.
MARK_VALUED = 1
#: A price never falls below this ratio of the entry: an unlevered long is never taken.
_FLOOR_RATIO = 1e-3


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
    side: int, margin_ratio: float, maintenance_ratio: float, deduction_ratio: float, rule: int
) -> float:
    """Liquidation price over entry price, by the rules in the module's docstring."""
    if rule == MARK_VALUED:
        ratio = (1.0 - side * (margin_ratio + deduction_ratio)) / (1.0 - side * maintenance_ratio)
    else:
        ratio = 1.0 - side * (margin_ratio - maintenance_ratio + deduction_ratio)
    return max(ratio, _FLOOR_RATIO)
