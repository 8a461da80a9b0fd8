"""KuCoin Futures' frames and answers as they are sent.

Only fields that are used are declared. https://www.kucoin.com/docs-new/websocket-api/base-info/introduction
"""

from __future__ import annotations

import msgspec

__all__ = (
    "Answer",
    "Change",
    "Contract",
    "Head",
    "Listed",
    "OrderBook",
    "Price",
    "RiskLimit",
    "State",
    "Token",
    "Trade",
)


class Head(msgspec.Struct):
    """Every frame: a message of a topic, a welcome, a pong, or the answer to a request, with its id.

    ``{"id":"contract/instrument|0","type":"ack"}``,
    ``{"id":"x","type":"error","code":404,"data":"topic /contractMarket/x:XBTUSDTM is not found"}``
    """

    type: str = ""
    topic: str = ""
    subject: str = ""
    id: str = ""
    code: int | str = ""
    data: msgspec.Raw = msgspec.Raw(b"")


class Trade(msgspec.Struct):
    """``/contractMarket/execution:{symbol}``: ``size`` counts contracts, ``side`` is the taker's, ``ts`` in ns.

    https://www.kucoin.com/docs-new/3470084w0

    ``{"symbol":"XBTUSDTM","sequence":1736172446702,"side":"buy","size":13,"price":"101250.4",
    "tradeId":"1736172446702","ts":1777000000123000000}``
    """

    symbol: str
    sequence: int
    side: str
    size: float
    price: float
    ts: int


class Change(msgspec.Struct):
    """``/contractMarket/level2:{symbol}``: one level as "price,side,contracts"; ``sequence`` rises by one.

    https://www.kucoin.com/docs-new/3470082w0

    ``{"sequence":1699172841042,"change":"101250.4,buy,2425","timestamp":1777000000123}``
    """

    sequence: int
    change: str
    timestamp: int


class OrderBook(msgspec.Struct):
    """``GET /api/v1/level2/snapshot``: the whole book, ``ts`` in ns.

    https://www.kucoin.com/docs-new/rest/futures-trading/market-data/get-full-orderbook
    """

    symbol: str
    sequence: int
    bids: msgspec.Raw
    asks: msgspec.Raw
    ts: int


class Price(msgspec.Struct):
    """``/contract/instrument:{symbol}``, subject ``mark.index.price``.

    https://www.kucoin.com/docs-new/3470087w0

    ``{"markPrice":101249.9,"indexPrice":101260.1,"granularity":1000,"timestamp":1777000000000}``
    """

    markPrice: float
    indexPrice: float
    timestamp: int


class State(msgspec.Struct):
    """``GET /api/v1/contracts/{symbol}``: what is polled of a contract; it tells no time.

    https://www.kucoin.com/docs-new/rest/futures-trading/market-data/get-symbol

    ``{"symbol":"XBTUSDTM","openInterest":"8435551","fundingFeeRate":0.0001,"fundingRateGranularity":28800000,
    "nextFundingRateDateTime":1777017600000}``; ``openInterest`` counts contracts.
    """

    symbol: str
    openInterest: float | None = None
    fundingFeeRate: float | None = None
    fundingRateGranularity: int | None = None
    nextFundingRateDateTime: int | None = None


class Answer(msgspec.Struct):
    """Any answer."""

    code: str
    msg: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")


class Token(msgspec.Struct):
    """``POST /api/v1/bullet-public``.

    https://www.kucoin.com/docs-new/websocket-api/base-info/get-public-token-futures

    ``{"token":"2neAiuYvAU61...","instanceServers":[{"endpoint":"wss://ws-api-futures.kucoin.com/",
    "pingInterval":18000,"pingTimeout":10000}]}``
    """

    token: str


class Listed(msgspec.Struct):
    """An answer with rows, read one by one."""

    data: list[msgspec.Raw] = []


class Contract(msgspec.Struct):
    """One contract of ``GET /api/v1/contracts/active``.

    https://www.kucoin.com/docs-new/rest/futures-trading/market-data/get-all-symbols

    ``{"symbol":"XBTUSDTM","type":"FFWCSX","baseCurrency":"XBT","quoteCurrency":"USDT","settleCurrency":"USDT",
    "multiplier":0.001,"isInverse":false,"tickSize":0.1,"lotSize":1,"maintainMargin":0.004,"maxLeverage":125,
    "markPrice":101249.9,"status":"Open"}``; ``FFWCSX`` are perpetuals; inverse contracts are 1 USD.
    """

    symbol: str
    type: str
    baseCurrency: str
    quoteCurrency: str
    settleCurrency: str
    multiplier: float
    isInverse: bool
    tickSize: float
    lotSize: float
    maintainMargin: float
    maxLeverage: float
    markPrice: float
    status: str


class RiskLimit(msgspec.Struct):
    """One row of ``GET /api/v1/contracts/risk-limit/{symbol}``, up to ``maxRiskLimit`` of the settlement currency.

    https://www.kucoin.com/docs-new/rest/futures-trading/positions/get-isolated-margin-risk-limit

    ``{"symbol":"XBTUSDTM","level":1,"maxRiskLimit":250000,"minRiskLimit":0,"maxLeverage":125,"initialMargin":0.008,
    "maintainMargin":0.004}``
    """

    maxRiskLimit: float
    maxLeverage: float
    maintainMargin: float
