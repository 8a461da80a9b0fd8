"""Aster, as its documentation describes it."""

from __future__ import annotations

from typing import ClassVar, Final

from faultline.testing.dialects.binance import BinanceScript
from faultline.testing.script import linear_contracts

__all__ = ("Script",)

_CONTRACTS: Final = linear_contracts("{base}USDT", "USDT", (0.1, 0.01, 0.01, 0.001))


class Script(BinanceScript):
    """Linear contracts of one base unit."""

    slug: ClassVar[str] = "aster"
    root: ClassVar[str] = "/fapi/v3"
    contracts = _CONTRACTS
