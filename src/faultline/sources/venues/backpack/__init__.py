"""Backpack: linear perpetuals in USDC; liquidations by a stream of their own."""

from __future__ import annotations

from faultline.sources.venues.backpack.feed import VENUE

__all__ = ("VENUE",)
