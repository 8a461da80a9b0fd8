"""HTX: linear and inverse perpetuals, liquidations at their bankruptcy price, margins that depend on the leverage."""

from __future__ import annotations

from faultline.sources.venues.htx.feed import VENUE

__all__ = ("VENUE",)
