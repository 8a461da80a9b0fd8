"""dYdX v4: linear perpetuals of the indexer; a trade says whether it was a liquidation or a deleveraging."""

from __future__ import annotations

from faultline.sources.venues.dydx.feed import VENUE

__all__ = ("VENUE",)
