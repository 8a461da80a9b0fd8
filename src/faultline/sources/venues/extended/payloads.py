"""Extended's frames and answers as they are sent; numbers come as text and are read as floats.

Only fields that are used are declared. https://api.docs.extended.exchange/
"""

from __future__ import annotations

import msgspec

__all__ = (
    "Book",
    "Contract",
    "Contracts",
    "Fault",
    "Funding",
    "Head",
    "Level",
    "LevelChange",
    "Mark",
    "RestBook",
    "RestBookAnswer",
    "RestLevel",
    "RiskFactor",
    "Stats",
    "StatsAnswer",
    "Trade",
    "TradingConfig",
)


class Fault(msgspec.Struct):
    """``{"code":1001,"message":"Market not found."}``."""

    code: int = 0
    message: str = ""


class Head(msgspec.Struct):
    """What every frame has; the stream it is of is told by ``type`` or by the shape of ``data`` only.

    ``{"type":"DELTA","data":{},"ts":1793613600125,"seq":17}``
    """

    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    ts: int = 0
    seq: int = -1
    error: Fault | None = None


class Trade(msgspec.Struct):
    """Stream ``publicTrades``: one trade; ``S`` is the taker's side.

    https://api.docs.extended.exchange/#trades-stream

    ``{"m":"BTC-USD","S":"SELL","tT":"LIQUIDATION","T":1793613600120,"p":"101250","q":"0.5","i":1842000000000000001}``
    """

    m: str
    S: str
    tT: str
    T: int
    p: float
    q: float
    i: int = -1


class Level(msgspec.Struct):
    """A level of a snapshot: ``{"p":"101250","q":"0.75"}``; ``q`` is what stands."""

    p: float
    q: float


class LevelChange(msgspec.Struct):
    """A level of a change: ``{"p":"101250","q":"-0.25","c":"0.75"}``; ``c`` is what stands after the change ``q``.

    Without ``c`` it is NaN and rejected, as the change alone says little.
    """

    p: float
    c: float | None = None


class Book(msgspec.Struct):
    """Stream ``orderbooks``: a snapshot at the beginning and every minute, changes between.

    https://api.docs.extended.exchange/#order-book-stream
    """

    m: str
    b: msgspec.Raw
    a: msgspec.Raw


class Mark(msgspec.Struct):
    """Stream ``prices/mark``: ``{"m":"BTC-USD","p":"101244.9","ts":0}``."""

    m: str
    p: float


class Funding(msgspec.Struct):
    """Stream ``funding``: ``{"m":"BTC-USD","T":1793613600000,"f":"0.000012"}``; of an hour."""

    m: str
    T: int
    f: float


class RestLevel(msgspec.Struct):
    """``{"price":"101250","qty":"0.75"}``."""

    price: float
    qty: float


class RestBook(msgspec.Struct):
    """A whole book, without time or number."""

    market: str
    bid: msgspec.Raw
    ask: msgspec.Raw


class RestBookAnswer(msgspec.Struct):
    """``GET /api/v1/info/markets/{market}/orderbook``."""

    data: RestBook


class Stats(msgspec.Struct):
    """``{"openInterest":"51200000.5","openInterestBase":"512.25","markPrice":"101244.9"}``: USD and base units."""

    openInterest: float | None = None
    openInterestBase: float | None = None


class StatsAnswer(msgspec.Struct):
    """``GET /api/v1/info/markets/{market}/stats``.

    https://api.docs.extended.exchange/#get-market-statistics
    """

    data: Stats


class RiskFactor(msgspec.Struct):
    """``{"upperBound":"4000000","riskFactor":"0.02"}``: initial margin of positions up to a value."""

    upperBound: float
    riskFactor: float


class TradingConfig(msgspec.Struct):
    """Steps and margins of a market."""

    minOrderSizeChange: float
    minPriceChange: float
    riskFactorConfig: list[RiskFactor]


class Contract(msgspec.Struct):
    """One market.

    https://api.docs.extended.exchange/#get-markets

    ``{"name":"BTC-USD","assetName":"BTC","collateralAssetName":"USD","status":"ACTIVE","tradingConfig":{}}``
    """

    name: str
    assetName: str
    collateralAssetName: str
    status: str
    tradingConfig: TradingConfig


class Contracts(msgspec.Struct):
    """``GET /api/v1/info/markets``: each a ``Contract``."""

    data: list[msgspec.Raw]
