"""OKX: linear and inverse perpetuals; at most one liquidation a contract and second, at its bankruptcy price."""

from __future__ import annotations

from faultline.sources.venues.okx.feed import VENUE

__all__ = ("VENUE",)
