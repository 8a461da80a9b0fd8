"""Lighter: linear perpetuals; every trade names both accounts, and forced ones come in a list of their own."""

from __future__ import annotations

from faultline.sources.venues.lighter.feed import VENUE

__all__ = ("VENUE",)
