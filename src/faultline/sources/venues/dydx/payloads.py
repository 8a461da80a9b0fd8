"""Frames and answers of dYdX's indexer as they are sent; numbers come as text and are read as floats.

Only fields that are used are declared. https://docs.dydx.exchange/api_integration-indexer/indexer_websocket
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec

from faultline.sources.level_lists import NO_LEVELS

__all__ = (
    "Book",
    "BookChange",
    "Head",
    "Level",
    "Market",
    "Markets",
    "OraclePrice",
    "PerpetualMarket",
    "PerpetualMarkets",
    "Trade",
    "Trades",
)

_Moment = Annotated[dt.datetime, msgspec.Meta(tz=True)]


class Head(msgspec.Struct):
    """What every frame has; ``contents`` is a list where frames are batched.

    ``{"type":"channel_data","connection_id":"5d1e","message_id":17,"channel":"v4_trades","id":"BTC-USD",
    "version":"2.1.0","contents":{}}``
    """

    type: str = ""
    channel: str = ""
    id: str = ""
    message_id: int = -1
    message: str = ""
    contents: msgspec.Raw = msgspec.Raw(b"")


class Trade(msgspec.Struct):
    """One trade: ``side`` is the taker's, of a forced trade the side of what closes the position.

    ``{"id":"02a1b3c40000000200000007","side":"SELL","size":"0.25","price":"101250","type":"LIQUIDATED",
    "createdAt":"2026-11-02T10:00:00.125Z","createdAtHeight":"71300100"}``
    """

    id: str
    side: str
    size: float
    price: float
    createdAt: _Moment
    type: str


class Trades(msgspec.Struct):
    """Contents of ``v4_trades``; the first frame repeats the latest trades, newest first."""

    trades: list[Trade]


class Level(msgspec.Struct):
    """``{"price":"101250","size":"0.75"}``."""

    price: float
    size: float


class Book(msgspec.Struct):
    """First contents of ``v4_orderbook``: the whole book."""

    bids: list[Level]
    asks: list[Level]


class BookChange(msgspec.Struct):
    """Later contents of ``v4_orderbook``: ``{"asks":[["101251","0"]]}``; size 0 means the level is gone."""

    bids: msgspec.Raw = NO_LEVELS
    asks: msgspec.Raw = NO_LEVELS


class Market(msgspec.Struct):
    """State of a market, of which later frames have only what changed.

    ``{"ticker":"BTC-USD","oraclePrice":"101240.5","nextFundingRate":"0.0000125","openInterest":"512.25"}``;
    ``nextFundingRate`` is for one hour, ``openInterest`` is base units of one side.
    """

    oraclePrice: float | None = None
    nextFundingRate: float | None = None
    openInterest: float | None = None


class OraclePrice(msgspec.Struct):
    """``{"oraclePrice":"101241","effectiveAt":"2026-11-02T10:00:01.250Z","effectiveAtHeight":"71300101","marketId":0}``."""

    oraclePrice: float
    effectiveAt: _Moment


class Markets(msgspec.Struct):
    """Contents of ``v4_markets``: ``markets`` in the first frame, the others later."""

    markets: dict[str, Market] = {}
    trading: dict[str, Market] = {}
    oraclePrices: dict[str, OraclePrice] = {}


class PerpetualMarket(msgspec.Struct):
    """One contract.

    https://docs.dydx.exchange/api_integration-indexer/indexer_api#list-perpetual-markets

    ``{"ticker":"BTC-USD","status":"ACTIVE","oraclePrice":"101240.5","initialMarginFraction":"0.02",
    "maintenanceMarginFraction":"0.012","tickSize":"1","stepSize":"0.0001"}``
    """

    ticker: str
    status: str
    initialMarginFraction: float
    maintenanceMarginFraction: float
    tickSize: float
    stepSize: float


class PerpetualMarkets(msgspec.Struct):
    """``GET /v4/perpetualMarkets``: each a ``PerpetualMarket``, by ticker."""

    markets: dict[str, msgspec.Raw]
