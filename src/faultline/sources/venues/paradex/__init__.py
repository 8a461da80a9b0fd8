"""Paradex: linear perpetuals; a trade says whether it was a liquidation, a transfer or a fill."""

from __future__ import annotations

from faultline.sources.venues.paradex.feed import VENUE

__all__ = ("VENUE",)
