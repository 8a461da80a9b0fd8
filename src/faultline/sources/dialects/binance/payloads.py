"""Frames and answers of Binance's futures interface as they are sent; numbers come as text and are read as floats.

Only fields that are used are declared. https://developers.binance.com/docs/derivatives/usds-margined-futures
"""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = (
    "DEPTH_LAYOUTS",
    "TRADE_LAYOUTS",
    "AggTrade",
    "AggTradeFrame",
    "Contract",
    "Depth",
    "DepthFrame",
    "DepthSnapshot",
    "ErrorAnswer",
    "ForceOrder",
    "ForceOrderFrame",
    "Head",
    "HeadEvent",
    "Listing",
    "LongShortRatio",
    "MarkPrice",
    "MarkPriceFrame",
    "OpenInterest",
    "Order",
    "PremiumIndex",
)

#: Members of a book change as they are written; COIN-M and later versions name the pair.
_CHANGE: Final = '"U":#,"u":#,"pu":#,"b":%,"a":%}'
DEPTH_LAYOUTS: Final = tuple(
    '{"stream":"?","data":{"e":"depthUpdate","E":#,"T":#,"s":"$",' + more + _CHANGE + "}"
    for more in ("", '"ps":"?",')
)
#: As ``TradeLayouts`` has them; versions tell besides the quantity without retail orders, and a state.
TRADE_LAYOUTS: Final = tuple(
    '{"stream":"<text>","data":{"e":"aggTrade","E":<number>,"a":<seq>,"s":"<symbol>","p":"<price>","q":"<qty>",'
    + retail
    + '"f":<number>,"l":<number>,"T":<time>,"m":<side>'
    + state
    + "}}"
    for retail in ("", '"nq":"<text>",')
    for state in ("", ',"st":<number>')
)


class HeadEvent(msgspec.Struct):
    """The name of an event."""

    e: str = ""


class Head(msgspec.Struct):
    """What every frame may begin with: an event of a combined stream, a bare event, or the answer to a request.

    ``{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade"}}``, ``{"result":null,"id":4}``,
    ``{"error":{"code":2,"msg":"Invalid request"},"id":4}``
    """

    stream: str = ""
    data: HeadEvent | None = None
    e: str = ""
    id: int | str | None = None
    result: list[str] | None = None
    error: ErrorAnswer | None = None
    code: int = 0
    msg: str = ""


class ErrorAnswer(msgspec.Struct):
    """A refusal, on the socket inside ``error`` and by REST as the whole answer.

    ``{"code":-1121,"msg":"Invalid symbol."}``
    """

    code: int = 0
    msg: str = ""


class AggTrade(msgspec.Struct, gc=False):
    """Fills of one taker order at one price within 100 ms; trades of the insurance fund and of ADL are not among them.

    https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams

    ``{"e":"aggTrade","E":1762000000130,"a":2811400321,"s":"BTCUSDT","p":"101250.40","q":"0.012","f":5120034110,
    "l":5120034112,"T":1762000000004,"m":true}``; ``m``: the buyer was the maker, so the taker sold.
    """

    a: int
    s: str
    p: float
    q: float
    T: int
    m: bool


class AggTradeFrame(msgspec.Struct, gc=False):
    """``{symbol}@aggTrade`` of a combined stream."""

    data: AggTrade


class Order(msgspec.Struct):
    """The order that closes a position.

    ``{"s":"BTCUSDT","S":"SELL","o":"LIMIT","f":"IOC","q":"0.250","p":"100421.30","ap":"100830.10","X":"FILLED",
    "l":"0.110","z":"0.250","T":1762000000110}``; ``S`` is the order's side: SELL closes a long. ``p`` is its limit,
    the bankruptcy price, ``ap`` the average fill, ``z`` all that was filled, ``l`` only the last fill.
    """

    s: str
    S: str
    p: float
    z: float
    X: str
    T: int


class ForceOrder(msgspec.Struct):
    """Event of ``{symbol}@forceOrder``."""

    o: Order


class ForceOrderFrame(msgspec.Struct):
    """``{symbol}@forceOrder`` of a combined stream."""

    data: ForceOrder


class Depth(msgspec.Struct):
    """Levels that changed; ``U`` to ``u`` are the updates inside, ``pu`` the last update of the event before.

    https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams

    ``{"e":"depthUpdate","E":1762000000215,"T":1762000000209,"s":"BTCUSDT","U":9100,"u":9160,"pu":9098,
    "b":[["101250.40","0.510"]],"a":[["101250.50","0"]]}``
    """

    s: str
    T: int
    u: int
    pu: int
    b: msgspec.Raw
    a: msgspec.Raw


class DepthFrame(msgspec.Struct):
    """``{symbol}@depth@100ms`` of a combined stream."""

    data: Depth


class DepthSnapshot(msgspec.Struct):
    """``GET /depth``: the book after update ``lastUpdateId``.

    ``{"lastUpdateId":9120,"E":1762000000230,"T":1762000000221,"bids":[["101250.40","0.510"]],"asks":[]}``
    """

    lastUpdateId: int
    bids: msgspec.Raw
    asks: msgspec.Raw
    T: int = 0


class MarkPrice(msgspec.Struct):
    """Mark and index price, and the funding rate so far; ``r`` is empty for dated contracts.

    ``{"e":"markPriceUpdate","E":1762000001000,"s":"BTCUSDT","p":"101249.91","i":"101260.02","P":"101251.73",
    "r":"0.00010000","T":1762012800000}``
    """

    s: str
    E: int
    p: float
    i: float | None = None
    r: str = ""
    T: int = 0


class MarkPriceFrame(msgspec.Struct):
    """``{symbol}@markPrice@1s`` of a combined stream."""

    data: MarkPrice


class OpenInterest(msgspec.Struct):
    """``GET /openInterest``: contracts that stand, one side. ``{"openInterest":"81.2","symbol":"B","time":17620}``."""

    openInterest: float
    time: int


class LongShortRatio(msgspec.Struct):
    """One row of the ratios under ``/futures/data``; the names of the shares differ between them.

    ``{"symbol":"BTCUSDT","longShortRatio":"1.5000","longAccount":"0.6000","shortAccount":"0.4000",
    "timestamp":1762000000000}``
    """

    longShortRatio: float
    timestamp: int


class PremiumIndex(msgspec.Struct):
    """One row of ``GET /premiumIndex``, of which the mark price is used."""

    symbol: str
    markPrice: float


class Contract(msgspec.Struct):
    """One contract of ``GET /exchangeInfo``; ``contractStatus`` and ``contractSize`` are COIN-M's.

    ``{"symbol":"BTCUSDT","contractType":"PERPETUAL","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT",
    "filters":[{"filterType":"PRICE_FILTER","tickSize":"0.10"},{"filterType":"LOT_SIZE","stepSize":"0.001"}]}``
    """

    symbol: str
    contractType: str
    baseAsset: str
    quoteAsset: str
    filters: list[dict[str, int | str]]
    status: str = ""
    contractStatus: str = ""
    contractSize: float = 1.0


class Listing(msgspec.Struct):
    """``GET /exchangeInfo``: each of ``symbols`` a ``Contract``."""

    symbols: list[msgspec.Raw]
