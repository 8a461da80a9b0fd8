"""KuCoin Futures: linear and inverse perpetuals, no liquidations; a token before every connection."""

from __future__ import annotations

from faultline.sources.venues.kucoin.feed import VENUE

__all__ = ("VENUE",)
