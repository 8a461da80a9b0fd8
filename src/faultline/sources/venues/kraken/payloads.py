"""Frames and answers of Kraken Futures as they are sent; numbers are numbers.

Only fields that are used are declared. https://docs.kraken.com/exchange/api-reference/futures-websocket
"""

from __future__ import annotations

import msgspec

__all__ = (
    "BookChange",
    "BookSnapshot",
    "Contract",
    "Contracts",
    "Head",
    "Level",
    "MarginLevel",
    "Price",
    "Prices",
    "Ticker",
    "Trade",
    "TradeSnapshot",
)


class Head(msgspec.Struct):
    """What every frame begins with: a feed, or an event where it answers a request of ours.

    ``{"event":"subscribed","feed":"book","product_ids":["PI_XBTUSD"]}``,
    ``{"event":"error","message":"Invalid product id"}``
    """

    event: str = ""
    feed: str = ""
    product_ids: list[str] = []
    message: str = ""


class Trade(msgspec.Struct):
    """One trade; ``side`` is the taker's, ``qty`` in USD (inverse) or base units (linear).

    https://docs.kraken.com/exchange/api-reference/futures-websocket/trade

    ``{"feed":"trade","product_id":"PI_XBTUSD","uid":"0c9e1a52-0001-4000-8000-000000000001","side":"sell",
    "type":"liquidation","seq":812001,"time":1762000000123,"qty":2500,"price":101250.5}``
    """

    product_id: str
    uid: str
    side: str
    type: str
    seq: int
    time: int
    qty: float
    price: float


class TradeSnapshot(msgspec.Struct):
    """``trade_snapshot``: the latest trades, newest first, which may have been told before."""

    trades: list[Trade]


class Level(msgspec.Struct):
    """One level of the book."""

    price: float
    qty: float


class BookSnapshot(msgspec.Struct):
    """``book_snapshot``: the whole book.

    https://docs.kraken.com/exchange/api-reference/futures-websocket/book

    ``{"feed":"book_snapshot","product_id":"PI_XBTUSD","timestamp":1762000000500,"seq":7101,"tickSize":null,
    "bids":[{"price":101250.0,"qty":950}],"asks":[{"price":101251.5,"qty":1200}]}``
    """

    product_id: str
    timestamp: int
    seq: int
    bids: msgspec.Raw
    asks: msgspec.Raw


class BookChange(msgspec.Struct):
    """``book``: one level that changed; quantity 0 where it is gone.

    ``{"feed":"book","product_id":"PI_XBTUSD","side":"sell","seq":7102,"price":101251.5,"qty":0,
    "timestamp":1762000000612}``
    """

    product_id: str
    side: str
    seq: int
    price: float
    qty: float
    timestamp: int


class Ticker(msgspec.Struct):
    """State of a contract; open interest in the units of quantities, funding of perpetuals only.

    https://docs.kraken.com/exchange/api-reference/futures-websocket/ticker

    ``{"time":1762000000700,"product_id":"PI_XBTUSD","feed":"ticker","index":101260.2,"markPrice":101251.8,
    "openInterest":30500000,"funding_rate":1.2e-10,"relative_funding_rate":1.21e-5,
    "next_funding_rate_time":1762002000000,"tag":"perpetual"}``; ``funding_rate`` is an amount per contract,
    ``relative_funding_rate`` the ratio.
    """

    time: int
    product_id: str
    markPrice: float | None = None
    index: float | None = None
    openInterest: float | None = None
    relative_funding_rate: float | None = None
    next_funding_rate_time: int | None = None


class MarginLevel(msgspec.Struct):
    """Margins of positions from a size upwards, which is USD: contracts (inverse), or units of the quote currency.

    ``{"contracts":500000,"initialMargin":0.04,"maintenanceMargin":0.02}``, or ``numNonContractUnits``.
    """

    initialMargin: float
    maintenanceMargin: float
    contracts: float | None = None
    numNonContractUnits: float | None = None


class Contract(msgspec.Struct):
    """One contract; perpetuals are ``PI_`` (``futures_inverse``) and ``PF_`` (``flexible_futures``).

    https://docs.kraken.com/api-reference/instrument-details/get-instruments

    ``{"symbol":"PF_ETHUSD","type":"flexible_futures","tickSize":0.1,"contractSize":1,"tradeable":true,
    "marginLevels":[],"contractValueTradePrecision":3,"base":"ETH","quote":"USD"}``
    """

    symbol: str
    type: str
    tickSize: float
    contractSize: float
    tradeable: bool
    marginLevels: list[MarginLevel]
    base: str
    quote: str
    contractValueTradePrecision: int = 0


class Contracts(msgspec.Struct):
    """``GET /derivatives/api/v3/instruments``; each a ``Contract``, indices among them."""

    instruments: list[msgspec.Raw]


class Price(msgspec.Struct):
    """Last state of a contract, of which the price is used."""

    symbol: str
    markPrice: float


class Prices(msgspec.Struct):
    """``GET /derivatives/api/v3/tickers``; each a ``Price``."""

    tickers: list[msgspec.Raw]
