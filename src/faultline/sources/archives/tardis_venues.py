"""An exchange's name in the datasets of tardis.dev in; the venue, and what its liquidations mean, out."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.sources.archives.venue_contracts import Amount
from faultline.units import PriceKind, parse_time_ns

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ("EXCHANGES", "Exchange", "is_sampled")

_ALWAYS_NS: Final = parse_time_ns("2100-01-01")


@dataclasses.dataclass(frozen=True, slots=True)
class Exchange:
    """One exchange of the datasets, as a venue of this program."""

    venue: str
    #: What the printed price of a liquidation is.
    price_kind: PriceKind
    #: Liquidations before this moment are a sample: at most one a symbol and second.
    sampled_until_ns: int = 0
    #: Unit of liquidations where it differs from that of trades.
    liquidation_amount: Amount | None = None
    #: Beginning of every symbol in the datasets that is not part of the contract's name.
    prefix: str = ""

    def symbol_of(self, symbol: str) -> str:
        """The contract's name at the venue."""
        return symbol.removeprefix(self.prefix)


#: Exchanges that are read. All others, spot and options among them, are counted as foreign.
EXCHANGES: Final = {
    "binance-futures": Exchange("binance", PriceKind.BANKRUPTCY, _ALWAYS_NS),
    "binance-delivery": Exchange("binance-coinm", PriceKind.BANKRUPTCY, _ALWAYS_NS),
    # The feed of all liquidations replaced the sampled one in the datasets on this day.
    "bybit": Exchange("bybit", PriceKind.BANKRUPTCY, parse_time_ns("2025-02-26")),
    "okex-swap": Exchange("okx", PriceKind.BANKRUPTCY, _ALWAYS_NS),
    "okex-futures": Exchange("okx", PriceKind.BANKRUPTCY, _ALWAYS_NS),
    "deribit": Exchange("deribit", PriceKind.FILL),
    "huobi-dm-linear-swap": Exchange("htx", PriceKind.BANKRUPTCY),
    "cryptofacilities": Exchange("kraken", PriceKind.FILL),
    # The datasets keep the base price of a liquidated position, which is its entry.
    "bitfinex-derivatives": Exchange("bitfinex", PriceKind.ENTRY, prefix="t"),
    "hyperliquid": Exchange("hyperliquid", PriceKind.FILL),
    "dydx": Exchange("dydx", PriceKind.FILL),
    "dydx-v4": Exchange("dydx", PriceKind.FILL),
    "gate-io-futures": Exchange("gate", PriceKind.UNKNOWN),
    # One push a second with the largest of each side; amounts of liquidations are quote currency.
    "bitget-futures": Exchange("bitget", PriceKind.UNKNOWN, _ALWAYS_NS, Amount.USD),
}


def is_sampled(exchange: Exchange, time_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mask, shape (n,), of liquidations that are a sample of what happened."""
    return np.asarray(time_ns < exchange.sampled_until_ns)
