"""Bitfinex: linear perpetuals; every liquidation with the entry price of the position."""

from __future__ import annotations

from faultline.sources.venues.bitfinex.feed import VENUE

__all__ = ("VENUE",)
