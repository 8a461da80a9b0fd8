"""Backpack's frames and answers as they are sent; prices come as text, times in microseconds.

Only fields that are used are declared. https://docs.backpack.exchange/#tag/Streams
"""

from __future__ import annotations

import msgspec

__all__ = (
    "Depth",
    "ErrorAnswer",
    "Filters",
    "Fraction",
    "Head",
    "Liquidation",
    "MarkPrice",
    "Market",
    "OpenInterest",
    "PriceFilter",
    "QuantityFilter",
    "Snapshot",
    "Trade",
)


class ErrorAnswer(msgspec.Struct):
    """``{"code":4006,"message":"Invalid stream"}``."""

    code: int = 0
    message: str = ""


class Head(msgspec.Struct):
    """What every frame is: a push of a stream, or an error.

    ``{"stream":"trade.BTC_USDC_PERP","data":{}}``, ``{"id":null,"error":{"code":4002,"message":"Parse error"}}``
    """

    stream: str = ""
    data: msgspec.Raw = msgspec.Raw()
    error: ErrorAnswer | None = None


class Trade(msgspec.Struct):
    """``trade.{symbol}``: one trade; ``m`` says that the buyer was the maker: the taker sold.

    ``{"e":"trade","E":1762000000123456,"s":"BTC_USDC_PERP","p":"101250.5","q":"0.0042","b":"51218","a":"51217",
    "t":10782547,"T":1762000000121000,"m":false}``
    """

    s: str
    p: float
    q: float
    t: int
    T: int
    m: bool


class Depth(msgspec.Struct):
    """``depth.200ms.{symbol}``: levels that changed in the updates ``U`` to ``u``.

    ``{"e":"depth","E":1762000000267289,"T":1762000000267074,"U":6730258,"u":6730261,"s":"BTC_USDC_PERP",
    "a":[["101251.0","0.00000"]],"b":[["101250.5","1.94"]]}``
    """

    s: str
    T: int
    U: int
    u: int
    a: msgspec.Raw
    b: msgspec.Raw


class MarkPrice(msgspec.Struct):
    """``markPrice.{symbol}``, once a second: mark, index, estimated funding rate and the next settlement (in ms).

    ``{"e":"markPrice","E":1762000000847601,"T":1762000000846930,"s":"BTC_USDC_PERP","p":"101251.8",
    "i":"101260.25","f":"0.0000125","n":1762002000000}``
    """

    s: str
    E: int
    p: float
    i: float | None = None
    f: float | None = None
    n: int = 0


class OpenInterest(msgspec.Struct):
    """``openInterest.{symbol}``, once a minute, in contracts of one base unit.

    ``{"e":"openInterest","E":1762000000000000,"s":"BTC_USDC_PERP","o":"1273.852"}``
    """

    s: str
    E: int
    o: float


class Liquidation(msgspec.Struct):
    """``liquidation``: one liquidation; ``S`` (Bid, Ask) is taken for the side of the order that closes.

    ``{"e":"liquidation","E":1762000000000321,"T":1762000000000123,"s":"BTC_USDC_PERP","S":"Ask","p":"100912.4",
    "q":"0.25"}``
    """

    s: str
    T: int
    S: str
    p: float
    q: float


class Snapshot(msgspec.Struct):
    """``GET /api/v1/depth``: the whole book, bids from the worst.

    https://docs.backpack.exchange/#tag/Markets/operation/get_depth

    ``{"asks":[["101251","2"]],"bids":[["12.9","1"],["101250","0.4"]],"lastUpdateId":"6730257",
    "timestamp":1762000000250000}``
    """

    asks: msgspec.Raw
    bids: msgspec.Raw
    lastUpdateId: int
    timestamp: int


class PriceFilter(msgspec.Struct):
    """Price step."""

    tickSize: float


class QuantityFilter(msgspec.Struct):
    """Quantity step."""

    stepSize: float


class Filters(msgspec.Struct):
    """Steps of a market."""

    price: PriceFilter
    quantity: QuantityFilter


class Fraction(msgspec.Struct):
    """A margin fraction that grows with the root of a position: the greater of ``base`` and ``factor`` x root.

    ``{"base":"0.02","factor":"0.0001275","type":"sqrt"}``
    """

    base: float
    factor: float


class Market(msgspec.Struct):
    """One market of ``GET /api/v1/markets``.

    https://docs.backpack.exchange/#tag/Markets/operation/get_markets

    ``{"symbol":"BTC_USDC_PERP","baseSymbol":"BTC","quoteSymbol":"USDC","marketType":"PERP","orderBookState":"Open",
    "filters":{"price":{"tickSize":"0.1"},"quantity":{"stepSize":"0.00001"}},
    "imfFunction":{"base":"0.02","factor":"0.00009","type":"sqrt"},
    "mmfFunction":{"base":"0.0125","factor":"0.00005","type":"sqrt"}}``
    """

    symbol: str
    baseSymbol: str
    quoteSymbol: str
    marketType: str
    orderBookState: str
    filters: Filters
    imfFunction: Fraction
    mmfFunction: Fraction
