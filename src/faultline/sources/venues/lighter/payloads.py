"""Frames and answers of Lighter as they are sent; most numbers come as text and are read as floats.

Only fields that are used are declared. https://apidocs.lighter.xyz/docs/websocket-reference
"""

from __future__ import annotations

import msgspec

__all__ = (
    "Book",
    "BookFrame",
    "Contract",
    "Contracts",
    "Fault",
    "Head",
    "Level",
    "MarketStats",
    "StatsFrame",
    "Trade",
    "TradeFrame",
)


class Fault(msgspec.Struct):
    """``{"code":30005,"message":"Invalid Channel: trade/9999"}``."""

    code: int = 0
    message: str = ""


class Head(msgspec.Struct):
    """What a frame is: ``{"type":"update/trade","channel":"trade:1"}``; refusals have an ``error`` instead."""

    type: str = ""
    channel: str = ""
    error: Fault | None = None


class Trade(msgspec.Struct):
    """One trade; sizes of positions are signed and those before the trade.

    ``{"trade_id":18300000001,"type":"liquidation","market_id":1,"size":"0.02","price":"101250.5","usd_amount":"2025.01",
    "ask_account_id":4021,"bid_account_id":77,"is_maker_ask":true,"timestamp":1793613600125,
    "taker_position_size_before":"-0.02","maker_position_size_before":"1.5","taker_initial_margin_fraction_before":200}``
    """

    trade_id: int
    market_id: int
    type: str
    size: float
    price: float
    is_maker_ask: bool
    timestamp: int
    usd_amount: float | None = None
    ask_account_id: int | str | None = None
    bid_account_id: int | str | None = None
    taker_position_size_before: float | None = None
    maker_position_size_before: float | None = None


class TradeFrame(msgspec.Struct):
    """Channel ``trade/{market}``; the first frame repeats the latest trades."""

    trades: list[Trade] | None = None
    liquidation_trades: list[Trade] | None = None


class Level(msgspec.Struct):
    """``{"price":"101250.5","size":"0.75"}``."""

    price: float
    size: float


class Book(msgspec.Struct):
    """The whole book, or levels that changed between two nonces; size 0 means the level is gone."""

    asks: msgspec.Raw
    bids: msgspec.Raw
    nonce: int
    begin_nonce: int = 0


class BookFrame(msgspec.Struct):
    """Channel ``order_book/{market}``, every 50 ms.

    ``{"channel":"order_book:1","offset":41,"order_book":{"code":0,"asks":[],"bids":[],"offset":41,"nonce":9001,
    "begin_nonce":8990},"timestamp":1793613600125,"type":"update/order_book"}``
    """

    channel: str
    order_book: Book
    timestamp: int


class MarketStats(msgspec.Struct):
    """State of a market: open interest in USD of one side, funding of an hour in percent.

    ``{"market_id":1,"index_price":"101240.1","mark_price":"101244.9","open_interest":"102000000.5",
    "current_funding_rate":"0.0012","funding_rate":"0.0010","funding_timestamp":1793610000001}``
    """

    market_id: int
    mark_price: float | None = None
    index_price: float | None = None
    open_interest: float | None = None
    current_funding_rate: float | None = None


class StatsFrame(msgspec.Struct):
    """Channel ``market_stats/{market}``: a ``MarketStats``; ``market_stats/all``: those by number."""

    market_stats: msgspec.Raw
    timestamp: int = 0


class Contract(msgspec.Struct):
    """One market; margin fractions are hundredths of a percent.

    https://apidocs.lighter.xyz/reference/orderbookdetails

    ``{"symbol":"BTC","market_id":1,"market_type":"perp","status":"active","min_quote_amount":"10.0","size_decimals":5,
    "price_decimals":1,"min_initial_margin_fraction":200,"maintenance_margin_fraction":120}``
    """

    symbol: str
    market_id: int
    status: str
    size_decimals: int
    price_decimals: int
    min_initial_margin_fraction: int
    maintenance_margin_fraction: int
    market_type: str = "perp"
    min_quote_amount: float | None = None


class Contracts(msgspec.Struct):
    """``GET /api/v1/orderBookDetails``: each a ``Contract``; spot markets stand in another list."""

    order_book_details: list[msgspec.Raw]
