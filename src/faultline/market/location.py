"""Liquidations as printed in, the mark price that forced them out.

Most venues print the **bankruptcy** price, about one maintenance margin beyond the price that triggered
the liquidation: a long that was forced out at 100,000 with 0.4 % maintenance margin prints 99,600. A map is
about triggers, so the print is moved back: ``ln x = ln p - ln(1 - m)`` for longs, ``ln p - ln(1 + m)`` for shorts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faultline.units import PriceKind, Side

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ("trigger_prices_usd",)


def trigger_prices_usd(liquidations: NDArray[np.void], maintenance_ratio: float) -> NDArray[np.float64]:
    """Estimated trigger price of each row of kind ``liquidation``, shape (n,); NaN for totals.

    Only bankruptcy prints are moved; fills, triggers and marks stand where they are.
    """
    price = liquidations["price_usd"].astype(np.float64)
    is_bankruptcy = liquidations["price_kind"] == PriceKind.BANKRUPTCY
    is_long = liquidations["side"] == Side.LONG
    margin = np.where(is_long, 1.0 - maintenance_ratio, 1.0 + maintenance_ratio)
    return np.where(is_bankruptcy, price / margin, price)
