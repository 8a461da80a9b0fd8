"""Binance COIN-M: inverse perpetuals; the latest liquidation a second and symbol."""

from __future__ import annotations

from faultline.sources.venues.binance_coinm.feed import VENUE

__all__ = ("VENUE",)
