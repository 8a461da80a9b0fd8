"""Aster's margin tiers: assumed, because its page of tiers needs a key and no copy of it is public.

BTC and ETH get a ladder from 0.5 % at 100x, all others one from 1 % at 50x. Maintenance margin is taken as valued at
mark, as at Binance, whose interface it speaks. https://docs.asterdex.com
"""

from __future__ import annotations

from typing import Final

from faultline.instruments import Tier, margin_tiers

__all__ = ("tiers_of",)


def _tiers(*rows: tuple[float, float, float]) -> tuple[Tier, ...]:
    """From rows of cap in USD, maintenance ratio, leverage."""
    caps, ratios, leverages = zip(*rows, strict=True)
    return margin_tiers(caps, ratios, leverages, marginal=True)


_LARGE: Final = _tiers(
    (3e5, 0.005, 100), (1e6, 0.0065, 75), (5e6, 0.01, 50), (2e7, 0.02, 25), (5e7, 0.05, 10), (1e8, 0.1, 5),
    (2e8, 0.25, 2),
)  # fmt: skip
_OTHERS: Final = _tiers((5e4, 0.01, 50), (2.5e5, 0.02, 25), (1e6, 0.05, 10), (3e6, 0.125, 4), (1e7, 0.25, 2))


def tiers_of(symbol: str, price_usd: float) -> tuple[Tier, ...]:
    """Tiers of a contract; they are in USD, so the price does not matter."""
    del price_usd
    return _LARGE if symbol in {"BTCUSDT", "ETHUSDT"} else _OTHERS
