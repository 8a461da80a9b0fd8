"""Deribit: inverse and linear perpetuals; a trade says whose position was forced out, taker's, maker's or both."""

from __future__ import annotations

from faultline.sources.venues.deribit.feed import VENUE

__all__ = ("VENUE",)
