"""Bybit: linear and inverse perpetuals, every liquidation at its bankruptcy price."""

from __future__ import annotations

from faultline.sources.venues.bybit.feed import VENUE

__all__ = ("VENUE",)
