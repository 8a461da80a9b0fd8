"""MEXC Futures: linear and inverse perpetuals, marks at the fair price, no liquidations."""

from __future__ import annotations

from faultline.sources.venues.mexc.feed import VENUE

__all__ = ("VENUE",)
