"""Binance COIN-M's frames in, rows out: Binance's futures dialect with contracts of 100 or 10 USD."""

from __future__ import annotations

from typing import ClassVar

from faultline.sources.dialects.binance.mapper import BinanceDialectMapper

__all__ = ("BinanceCoinMMapper",)


class BinanceCoinMMapper(BinanceDialectMapper):
    """Maps what Binance COIN-M sends; every quantity is in contracts."""

    venue: ClassVar[str] = "binance-coinm"
