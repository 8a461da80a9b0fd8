"""Binance USD-M: linear perpetuals; the largest liquidation a second and symbol."""

from __future__ import annotations

from faultline.sources.venues.binance.feed import VENUE

__all__ = ("VENUE",)
