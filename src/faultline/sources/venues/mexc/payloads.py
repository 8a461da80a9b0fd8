"""MEXC Futures' frames and answers as they are sent.

Only fields that are used are declared. https://www.mexc.com/api-docs/futures/websocket-api
"""

from __future__ import annotations

import msgspec

from faultline.messages import NO_SEQ

__all__ = (
    "Answer",
    "Contract",
    "Deal",
    "Depth",
    "Head",
    "Listed",
    "OrderBook",
    "Price",
    "RiskLimit",
    "Ticker",
)


class Head(msgspec.Struct):
    """Every frame: a push of a symbol, or the answer to a request.

    ``{"symbol":"BTC_USDT","data":{...},"channel":"push.deal","ts":1777000000131}``,
    ``{"channel":"rs.sub.deal","data":"success","ts":1777000000131}``,
    ``{"channel":"rs.error","data":"Contract [X_USDT] not exists","ts":1777000000131}``
    """

    channel: str = ""
    symbol: str = ""
    ts: int = 0
    data: msgspec.Raw = msgspec.Raw(b"")


class Deal(msgspec.Struct):
    """A trade of ``push.deal``, which has one or a list: ``v`` counts contracts, ``T`` is the taker (1 buys, 2 sells).

    https://www.mexc.com/api-docs/futures/websocket-api

    ``{"p":101250.4,"v":55,"T":2,"O":3,"M":1,"t":1777000000123,"i":"13064218826"}``; ``i`` is missing in old recordings.
    """

    p: float
    v: float
    T: int
    t: int
    i: int = NO_SEQ


class Depth(msgspec.Struct):
    """``push.depth``: levels of price, contracts and orders; ``version`` rises by one, or covers ``begin`` to ``end``.

    https://www.mexc.com/api-docs/futures/websocket-api

    ``{"asks":[[101250.5,3251,1]],"bids":[],"version":14569931121}``
    """

    asks: msgspec.Raw
    bids: msgspec.Raw
    version: int
    begin: int | None = None
    end: int | None = None


class Ticker(msgspec.Struct):
    """``push.ticker``, every second after a trade; ``holdVol`` counts contracts that stand.

    https://www.mexc.com/api-docs/futures/websocket-api/get-a-single-ticker

    ``{"symbol":"BTC_USDT","lastPrice":101250.4,"fairPrice":101249.9,"indexPrice":101260.1,"holdVol":45221589,
    "fundingRate":0.0001,"timestamp":1777000000098}``
    """

    symbol: str
    timestamp: int
    fairPrice: float | None = None
    indexPrice: float | None = None
    holdVol: float | None = None
    fundingRate: float | None = None


class OrderBook(msgspec.Struct):
    """``GET /api/v1/contract/depth/{symbol}``.

    https://www.mexc.com/api-docs/futures/market-endpoints/get-contract-order-book-depth
    """

    asks: msgspec.Raw
    bids: msgspec.Raw
    version: int
    timestamp: int


class Answer(msgspec.Struct):
    """Any answer."""

    success: bool
    code: int = 0
    message: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")


class RiskLimit(msgspec.Struct):
    """One tier of a contract: positions up to ``maxVol``, in contracts or value (``riskLimitType``)."""

    maxVol: float
    mmr: float
    maxLeverage: float


class Listed(msgspec.Struct):
    """An answer with rows, read one by one."""

    data: list[msgspec.Raw] = []


class Contract(msgspec.Struct):
    """One contract of ``GET /api/v1/contract/detail``: ``contractSize`` base units (linear) or USD (inverse).

    https://www.mexc.com/api-docs/futures/market-endpoints/get-contract-info

    ``{"symbol":"BTC_USDT","baseCoin":"BTC","quoteCoin":"USDT","settleCoin":"USDT","contractSize":0.0001,"priceUnit":0.1,
    "volUnit":1,"maxLeverage":125,"maintenanceMarginRate":0.004,"initialMarginRate":0.008,"riskBaseVol":150000,
    "riskIncrVol":200000,"riskIncrMmr":0.004,"riskIncrImr":0.004,"riskLevelLimit":5,"riskLimitType":"BY_VOLUME",
    "riskLimitCustom":[{"level":1,"maxVol":150000,"mmr":0.004,"imr":0.008,"maxLeverage":125}],"state":0}``
    """

    symbol: str
    baseCoin: str
    quoteCoin: str
    settleCoin: str
    size_per_contract: float = msgspec.field(name="contractSize")
    priceUnit: float
    volUnit: float
    maxLeverage: float
    maintenanceMarginRate: float
    initialMarginRate: float
    state: int
    riskBaseVol: float = 0.0
    riskIncrVol: float = 0.0
    riskIncrMmr: float = 0.0
    riskIncrImr: float = 0.0
    riskLevelLimit: int = 1
    riskLimitType: str = "BY_VOLUME"
    riskLimitCustom: list[RiskLimit] | None = None


class Price(msgspec.Struct):
    """One row of ``GET /api/v1/contract/ticker``, of which the price is used."""

    symbol: str
    fairPrice: float
