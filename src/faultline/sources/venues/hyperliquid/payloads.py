"""Hyperliquid's frames and answers as they are sent; numbers come as text and are read as floats.

Only fields that are used are declared. https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api
"""

from __future__ import annotations

import msgspec

__all__ = (
    "AccountState",
    "AssetContext",
    "AssetContextFrame",
    "AssetPosition",
    "Book",
    "BookFrame",
    "CoinContext",
    "Contract",
    "Fill",
    "FillLiquidation",
    "Head",
    "Level",
    "Leverage",
    "MarginSummary",
    "MarginTable",
    "MarginTier",
    "Meta",
    "Position",
    "Response",
    "ResponseFrame",
    "Subscription",
    "TextFrame",
    "Trade",
    "TradeFrame",
)


class Head(msgspec.Struct):
    """What every frame begins with: ``{"channel":"trades","data":[]}``."""

    channel: str = ""


class Subscription(msgspec.Struct):
    """``{"type":"trades","coin":"BTC"}``."""

    type: str = ""
    coin: str = ""


class Response(msgspec.Struct):
    """``{"method":"subscribe","subscription":{"type":"trades","coin":"BTC"}}``."""

    method: str = ""
    subscription: Subscription = msgspec.field(default_factory=Subscription)


class ResponseFrame(msgspec.Struct):
    """Channel ``subscriptionResponse``."""

    data: Response


class TextFrame(msgspec.Struct):
    """Channel ``error``: ``{"channel":"error","data":"Invalid subscription {...}"}``."""

    data: str


class Trade(msgspec.Struct):
    """One trade: ``side`` A the taker sold, B the taker bought; ``users`` are buyer and seller.

    https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions

    ``{"coin":"BTC","side":"A","px":"101250.0","sz":"0.015","hash":"0x1f","time":1762000000123,"tid":611279506717,
    "users":["0xaa","0xbb"]}``
    """

    coin: str
    side: str
    px: float
    sz: float
    time: int
    tid: int
    users: tuple[str, str] | None = None


class TradeFrame(msgspec.Struct):
    """Channel ``trades``; the first frame of a coin repeats its latest trades."""

    data: list[Trade]


class Level(msgspec.Struct):
    """``{"px":"101250.0","sz":"2.5","n":3}``."""

    px: float
    sz: float


class Book(msgspec.Struct):
    """Twenty levels a side, bids first."""

    coin: str
    levels: tuple[msgspec.Raw, msgspec.Raw]
    time: int


class BookFrame(msgspec.Struct):
    """Channel ``l2Book``: the whole visible book, at least every half second while it changes."""

    data: Book


class CoinContext(msgspec.Struct):
    """State of a contract: ``funding`` per hour, ``openInterest`` in base units of one side.

    ``{"funding":"0.0000125","openInterest":"27353.1","oraclePx":"101260.0","markPx":"101251.0","premium":"0.0"}``
    """

    funding: float
    openInterest: float
    markPx: float
    oraclePx: float | None = None


class AssetContext(msgspec.Struct):
    """State of a coin."""

    coin: str
    ctx: CoinContext


class AssetContextFrame(msgspec.Struct):
    """Channel ``activeAssetCtx``."""

    data: AssetContext


class Leverage(msgspec.Struct):
    """``{"type":"cross","value":20}``."""

    type: str
    value: float


class Position(msgspec.Struct):
    """One position of an account; ``szi`` is negative for a short.

    ``{"coin":"BTC","szi":"-0.785","entryPx":"101000.0","leverage":{"type":"cross","value":20},
    "liquidationPx":"118000.5","positionValue":"79482.0","unrealizedPnl":"-197.0","marginUsed":"3974.1"}``
    """

    coin: str
    szi: float
    entryPx: float | None
    leverage: Leverage
    liquidationPx: float | None = None
    positionValue: float | None = None
    unrealizedPnl: float | None = None


class AssetPosition(msgspec.Struct):
    """A position, and how it is kept."""

    position: Position


class MarginSummary(msgspec.Struct):
    """Equity of the account."""

    accountValue: float


class AccountState(msgspec.Struct):
    """``POST /info`` with type ``clearinghouseState``.

    https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint/perpetuals
    """

    assetPositions: list[AssetPosition]
    marginSummary: MarginSummary
    time: int = 0


class FillLiquidation(msgspec.Struct):
    """``{"liquidatedUser":"0xaa","markPx":"101000.0","method":"market"}``; it stands on the fills of both sides."""

    liquidatedUser: str


class Fill(msgspec.Struct):
    """One fill of an account.

    ``{"coin":"BTC","px":"101000.0","sz":"0.001","side":"A","time":1762000000899,"startPosition":"-0.0213",
    "dir":"Open Short","closedPnl":"0.0","crossed":false,"tid":745210434703679}``
    """

    coin: str
    px: float
    sz: float
    side: str
    time: int
    startPosition: float | None = None
    closedPnl: float | None = None
    crossed: bool | None = None
    tid: int = -1
    liquidation: FillLiquidation | None = None


class Contract(msgspec.Struct):
    """One coin of ``meta``.

    ``{"name":"BTC","szDecimals":5,"maxLeverage":40,"marginTableId":56}``
    """

    name: str
    szDecimals: int
    maxLeverage: float
    marginTableId: int | None = None
    isDelisted: bool | None = None


class MarginTier(msgspec.Struct):
    """``{"lowerBound":"150000000.0","maxLeverage":20}``."""

    lowerBound: float
    maxLeverage: float


class MarginTable(msgspec.Struct):
    """``{"description":"tiered 40x","marginTiers":[{"lowerBound":"0.0","maxLeverage":40}]}``."""

    marginTiers: list[MarginTier]


class Meta(msgspec.Struct):
    """First part of ``metaAndAssetCtxs``: coins (each a ``Contract``) and margin tables by number."""

    universe: list[msgspec.Raw]
    marginTables: list[tuple[int, MarginTable]] = []
