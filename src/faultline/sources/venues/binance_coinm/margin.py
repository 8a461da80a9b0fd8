"""Binance COIN-M's margin tiers: assumed, because its page of tiers needs a key and no bulk copy of it is public.

Tiers count coins. The documentation's examples (BTCUSD: a tier from 50 BTC, one of 12.5 % at 300 BTC) bound the
schedule; the rest follows the ladder that Binance uses elsewhere. Maintenance margin is valued at mark.
https://www.binance.com/en/futures/trading-rules/quarterly/leverage-margin
"""

from __future__ import annotations

from typing import Final

from faultline.instruments import Tier, margin_tiers

__all__ = ("tiers_of",)

#: Cap in BTC, maintenance ratio, leverage.
_BTC: Final = (
    (5.0, 0.004, 125), (10.0, 0.005, 100), (20.0, 0.01, 50), (50.0, 0.025, 20), (100.0, 0.05, 10), (200.0, 0.1, 5),
    (400.0, 0.125, 4), (1000.0, 0.15, 3), (1500.0, 0.25, 2),
)  # fmt: skip
#: Cap in USD, maintenance ratio, leverage.
_OTHERS: Final = (
    (5e4, 0.01, 50), (2.5e5, 0.02, 25), (1e6, 0.05, 10), (5e6, 0.1, 5), (1e7, 0.125, 4), (2e7, 0.25, 2),
)  # fmt: skip


def tiers_of(symbol: str, price_usd: float) -> tuple[Tier, ...]:
    """Tiers of a contract in USD at a price.

    Raises:
        ValueError: the price is impossible.
    """
    is_btc = symbol.startswith("BTCUSD_")
    caps, ratios, leverages = zip(*(_BTC if is_btc else _OTHERS), strict=True)
    unit_usd = price_usd if is_btc else 1.0
    return margin_tiers([cap * unit_usd for cap in caps], ratios, leverages, marginal=True)
