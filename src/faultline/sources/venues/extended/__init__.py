"""Extended: linear perpetuals; a trade says whether it was a liquidation or a deleveraging."""

from __future__ import annotations

from faultline.sources.venues.extended.feed import VENUE

__all__ = ("VENUE",)
