"""Binance COIN-M, as its documentation describes it."""

from __future__ import annotations

from typing import ClassVar, Final

from faultline.testing.dialects.binance import BinanceScript
from faultline.testing.script import ScriptContract

__all__ = ("Script",)

_CONTRACTS: Final = tuple(
    ScriptContract(
        f"{base}USD_PERP",
        base,
        "USD",
        is_inverse=True,
        contract_size=size,
        tick_usd=tick_usd,
        price_usd=price_usd,
    )
    for base, size, tick_usd, price_usd in (
        ("BTC", 100.0, 0.1, 100_000.0),
        ("ETH", 10.0, 0.01, 3_500.0),
        ("SOL", 10.0, 0.01, 160.0),
        ("DOT", 10.0, 0.001, 4.0),
    )
)


class Script(BinanceScript):
    """Inverse contracts of 100 USD (BTC) and 10 USD."""

    slug: ClassVar[str] = "binance-coinm"
    root: ClassVar[str] = "/dapi/v1"
    contracts = _CONTRACTS
    ratio_key: ClassVar[str] = "pair"
