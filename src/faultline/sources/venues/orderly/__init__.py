"""Orderly: linear perpetuals; every open position of the venue is public, with leverage and liquidation price."""

from __future__ import annotations

from faultline.sources.venues.orderly.feed import VENUE

__all__ = ("VENUE",)
