"""Kraken Futures: inverse and linear perpetuals; a trade says whether it was a liquidation."""

from __future__ import annotations

from faultline.sources.venues.kraken.feed import VENUE

__all__ = ("VENUE",)
