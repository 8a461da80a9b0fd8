"""Aster: linear perpetuals of a venue that speaks Binance's dialect; the latest liquidation a second and symbol."""

from __future__ import annotations

from faultline.sources.venues.aster.feed import VENUE

__all__ = ("VENUE",)
