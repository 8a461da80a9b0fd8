"""A zone's share of all exposure at account times in, whether it is building or thinning out.

Page-Hinkley in both directions: changes of the log share, less a drift that is no news, are summed and the sum never
falls below 0; a sum over the threshold is a finding, and the test starts again. What the ledger's decay explains, what
the path took and what units became worth are left out: a zone that is only estimated anew neither builds nor thins.
Where people closed is not observed, so thinning is only believed while open interest falls.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from faultline.units import HOUR_NS

if TYPE_CHECKING:
    from faultline.zones.account import ZoneAccount
    from faultline.zones.parameters import ZoneParameters
    from faultline.zones.track import Trend

__all__ = ("follow_trend", "unexplained_change")


def unexplained_change(account: ZoneAccount) -> float:
    """Change of the log of (zone over all of its side) but for decay, path and re-estimation; NaN where unknown."""
    if not (account.before_usd > 0 and account.side_before_usd > 0):
        return math.nan
    return math.log1p(account.opened_usd / account.before_usd) - math.log1p(
        account.side_opened_usd / account.side_before_usd
    )


def follow_trend(
    trend: Trend,
    account: ZoneAccount,
    interest_change_ratio: float | None,
    parameters: ZoneParameters,
) -> str | None:
    """Take one account into a zone's test; returns ``building`` or ``thinning`` when that is found now.

    Args:
        trend: sums of the test; changed in place.
        account: the zone's account.
        interest_change_ratio: change of open interest over the last hour; None where unknown, then nothing thins.
        parameters: settings.
    """
    if trend.found != "steady" and account.to_ns - trend.found_ns >= parameters.trend_hold_ns:
        trend.found = "steady"
    change = unexplained_change(account)
    if math.isnan(change):
        return None
    drift = parameters.trend_drift_per_hour * (account.to_ns - account.from_ns) / HOUR_NS
    trend.up = max(0.0, trend.up + change - drift)
    trend.down = max(0.0, trend.down - change - drift)
    if trend.up > parameters.trend_threshold:
        trend.up = trend.down = 0.0
        return _find(trend, "building", account.to_ns)
    falls = interest_change_ratio is not None and interest_change_ratio <= parameters.interest_fall_ratio
    if trend.down > parameters.trend_threshold and falls:
        trend.up = trend.down = 0.0
        return _find(trend, "thinning", account.to_ns)
    return None


def _find(trend: Trend, found: str, at_ns: int) -> str | None:
    """Note a finding; news only where it was not already shown."""
    news = trend.found != found
    trend.found = "building" if found == "building" else "thinning"
    trend.found_ns = at_ns
    return found if news else None
