"""Binance USD-M's frames in, rows out: Binance's futures dialect."""

from __future__ import annotations

from typing import ClassVar

from faultline.sources.dialects.binance.mapper import BinanceDialectMapper

__all__ = ("BinanceMapper",)


class BinanceMapper(BinanceDialectMapper):
    """Maps what Binance USD-M sends; every quantity is in base units."""

    venue: ClassVar[str] = "binance"
