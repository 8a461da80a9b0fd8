"""Binance USD-M's margin tiers as published on 2026-09-29, because its page of tiers needs a key.

Maintenance margin is valued at mark, less a deduction that keeps it continuous between tiers.
https://www.binance.com/en/futures/trading-rules/perpetual/leverage-margin

BTC, ETH and SOL are the published tiers. All other contracts get one schedule of an ordinary small contract, which is
an assumption: their true tiers begin between 0.4 % and 2.5 %.
"""

from __future__ import annotations

from typing import Final

from faultline.instruments import Tier, margin_tiers

__all__ = ("PUBLISHED", "tiers_of")

#: Day of the published tiers.
PUBLISHED: Final = "2026-09-29"

#: Cap in USD, maintenance ratio, leverage.
_Rows = tuple[tuple[float, float, float], ...]
_BTC: Final[_Rows] = (
    (3e5, 0.004, 150), (8e5, 0.005, 100), (3e6, 0.0065, 75), (1.2e7, 0.01, 50), (7e7, 0.02, 25), (1e8, 0.025, 20),
    (2.3e8, 0.05, 10), (4.8e8, 0.1, 5), (6e8, 0.125, 4), (8e8, 0.15, 3), (1.2e9, 0.25, 2), (1.8e9, 0.5, 1),
)  # fmt: skip
_ETH: Final[_Rows] = (
    (3e5, 0.004, 150), (8e5, 0.005, 100), (3e6, 0.0065, 75), (1.2e7, 0.01, 50), (5e7, 0.02, 25), (6.5e7, 0.025, 20),
    (1.5e8, 0.05, 10), (3.2e8, 0.1, 5), (4e8, 0.125, 4), (5.3e8, 0.15, 3), (8e8, 0.25, 2), (1.2e9, 0.5, 1),
)  # fmt: skip
_SOL: Final[_Rows] = (
    (5e4, 0.005, 100), (4e5, 0.0065, 75), (1e6, 0.01, 50), (4e6, 0.02, 25), (8e6, 0.025, 20), (4e7, 0.05, 10),
    (8e7, 0.1, 5), (1e8, 0.125, 4), (2e8, 0.25, 2), (4e8, 0.5, 1),
)  # fmt: skip
_ASSUMED: Final[_Rows] = (
    (1e4, 0.01, 50), (1e5, 0.02, 25), (5e5, 0.05, 10), (1e6, 0.1, 5), (2e6, 0.125, 4), (5e6, 0.25, 2), (1e7, 0.5, 1),
)  # fmt: skip


def _tiers(rows: _Rows) -> tuple[Tier, ...]:
    caps, ratios, leverages = zip(*rows, strict=True)
    return margin_tiers(caps, ratios, leverages, marginal=True)


_OTHERS: Final = _tiers(_ASSUMED)
_KNOWN: Final = {
    f"{base}{quote}": _tiers(rows)
    for base, rows in (("BTC", _BTC), ("ETH", _ETH), ("SOL", _SOL))
    for quote in ("USDT",)
}


def tiers_of(symbol: str, price_usd: float) -> tuple[Tier, ...]:
    """Tiers of a contract; they are in USD, so the price does not matter."""
    del price_usd
    return _KNOWN.get(symbol, _OTHERS)
