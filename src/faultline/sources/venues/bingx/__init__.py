"""BingX: linear perpetuals; liquidations are not published."""

from __future__ import annotations

from faultline.sources.venues.bingx.feed import VENUE

__all__ = ("VENUE",)
