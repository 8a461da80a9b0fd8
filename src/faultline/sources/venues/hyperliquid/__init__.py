"""Hyperliquid: linear perpetuals; trades name both accounts, and liquidations have no public channel."""

from __future__ import annotations

from faultline.sources.venues.hyperliquid.feed import VENUE

__all__ = ("VENUE",)
