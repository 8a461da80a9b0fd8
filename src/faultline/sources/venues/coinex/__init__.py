"""CoinEx: linear and inverse perpetuals; every liquidation, with its trigger price, by REST."""

from __future__ import annotations

from faultline.sources.venues.coinex.feed import VENUE

__all__ = ("VENUE",)
