"""Aster, as its documentation describes it."""

from __future__ import annotations

from typing import ClassVar, Final

from faultline.testing.dialects.binance import BinanceScript
from faultline.testing.script import ScriptContract

__all__ = ("Script",)

_CONTRACTS: Final = tuple(
    ScriptContract(
        f"{base}USDT",
        base,
        "USDT",
        is_inverse=False,
        contract_size=size,
        tick_usd=tick_usd,
        price_usd=price_usd,
    )
    for base, size, tick_usd, price_usd in (
        ("BTC", 1.0, 0.1, 100_000.0),
        ("ETH", 1.0, 0.01, 3_500.0),
        ("SOL", 1.0, 0.01, 160.0),
        ("DOT", 1.0, 0.001, 4.0),
    )
)


class Script(BinanceScript):
    """Linear contracts of one base unit."""

    slug: ClassVar[str] = "aster"
    root: ClassVar[str] = "/fapi/v3"
    listed: ClassVar[tuple[ScriptContract, ...]] = _CONTRACTS
