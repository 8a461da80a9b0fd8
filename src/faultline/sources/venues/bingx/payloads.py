"""BingX's frames and answers as they are sent; numbers come as text and are read as floats.

Only fields that are used are declared. https://bingx-api.github.io/docs-v3/
"""

from __future__ import annotations

import msgspec

__all__ = (
    "Answer",
    "Contract",
    "Contracts",
    "Depth",
    "DepthFrame",
    "Head",
    "Mark",
    "MarkFrame",
    "OpenInterest",
    "PremiumIndex",
    "Trade",
    "TradeFrame",
)


class Head(msgspec.Struct):
    """What every frame is: a push of a topic, or the answer to the request with that id.

    ``{"id":"trade|BTC-USDT","code":0,"msg":"","dataType":"","data":null}``
    """

    id: str = ""
    code: int = 0
    msg: str = ""
    dataType: str = ""


class Trade(msgspec.Struct):
    """One trade; ``m`` says that the buyer was the maker: the taker sold. There is no id.

    https://bingx-api.github.io/docs-v3/#/en/Swap/Websocket%20Market%20Data/Subscribe%20the%20Latest%20Trade%20Detail

    ``{"q":"0.0421","p":"101250.5","T":1762000000123,"m":false,"s":"BTC-USDT"}``
    """

    q: float
    p: float
    T: int
    m: bool
    s: str


class TradeFrame(msgspec.Struct):
    """``{symbol}@trade``: the latest trades, newest first; frames overlap."""

    data: list[Trade]


class Depth(msgspec.Struct):
    """The whole book (``all``), or levels that changed (``update``)."""

    action: str
    lastUpdateId: int
    time: int
    bids: msgspec.Raw
    asks: msgspec.Raw


class DepthFrame(msgspec.Struct):
    """``{symbol}@incrDepth``.

    https://bingx-api.github.io/docs-v3/#/en/Swap/Websocket%20Market%20Data/Incremental%20Depth%20Information

    ``{"code":0,"dataType":"BTC-USDT@incrDepth","data":{"action":"update","lastUpdateId":393592635,
    "time":1762000000200,"bids":[["101250.4","1.25"]],"asks":[["101251.0","0.0000"]]}}``
    """

    data: Depth


class Mark(msgspec.Struct):
    """The mark price; ``E`` is the time.

    ``{"e":"markPriceUpdate","E":1762000000357,"s":"BTC-USDT","p":"101251.8"}``
    """

    E: int
    s: str
    p: float


class MarkFrame(msgspec.Struct):
    """``{symbol}@markPrice``, once a second.

    https://bingx-api.github.io/docs-v3/#/en/Swap/Websocket%20Market%20Data/Subscribe%20to%20latest%20mark%20price%20changes
    """

    data: Mark


class Answer(msgspec.Struct):
    """An answer to a poll; ``data`` is left out of errors."""

    code: int
    msg: str = ""
    data: msgspec.Raw = msgspec.Raw()


class PremiumIndex(msgspec.Struct):
    """``GET /openApi/swap/v2/quote/premiumIndex``: the running rate of the next settlement; without a time.

    https://bingx-api.github.io/docs-v3/#/en/Swap/Market%20Data/Mark%20Price%20and%20Funding%20Rate

    ``{"symbol":"BTC-USDT","markPrice":"101251.8","indexPrice":"101260.2","lastFundingRate":"0.00010000",
    "nextFundingTime":1762012800000,"fundingIntervalHours":8}``
    """

    symbol: str
    lastFundingRate: float
    nextFundingTime: int
    fundingIntervalHours: int = 0


class OpenInterest(msgspec.Struct):
    """``GET /openApi/swap/v2/quote/openInterest``, in the quote currency.

    https://bingx-api.github.io/docs-v3/#/en/Swap/Market%20Data/Open%20Interest%20Statistics

    ``{"openInterest":"1289641547.10","symbol":"BTC-USDT","time":1762000000364}``
    """

    openInterest: float
    symbol: str
    time: int


class Contract(msgspec.Struct):
    """One contract; ``status`` 1 is one that trades.

    https://bingx-api.github.io/docs-v3/#/en/Swap/Market%20Data/USDT-M%20Perp%20Futures%20symbols

    ``{"symbol":"BTC-USDT","asset":"BTC","currency":"USDT","pricePrecision":1,"tradeMinQuantity":0.0001,
    "tradeMinUSDT":2,"takerFeeRate":0.0005,"status":1}``
    """

    symbol: str
    asset: str
    currency: str
    pricePrecision: int
    tradeMinQuantity: float
    tradeMinUSDT: float
    takerFeeRate: float
    status: int
    maxLongLeverage: float | None = None


class Contracts(msgspec.Struct):
    """``GET /openApi/swap/v2/quote/contracts``; each a ``Contract``."""

    data: list[msgspec.Raw]
