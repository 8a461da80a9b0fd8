"""Paradex' frames and answers as they are sent; numbers come as text and are read as floats.

Only fields that are used are declared. https://docs.paradex.trade/ws/general-information/introduction
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

__all__ = (
    "Book",
    "Contract",
    "Contracts",
    "Fault",
    "Frame",
    "Head",
    "Level",
    "MarginFractions",
    "Params",
    "Result",
    "Summary",
    "Trade",
)

_T = TypeVar("_T")


class Fault(msgspec.Struct):
    """``{"code":-32600,"message":"invalid subscribe request","data":"invalid channel"}``."""

    code: int = 0
    message: str = ""
    data: str | None = None


class Result(msgspec.Struct):
    """``{"channel":"trades.BTC-USD-PERP"}``."""

    channel: str = ""


class _Channel(msgspec.Struct):
    """Channel of a push."""

    channel: str = ""


class Head(msgspec.Struct):
    """What a frame is: a push, or the answer to a request of ours, numbered ``id``.

    ``{"jsonrpc":"2.0","method":"subscription","params":{"channel":"trades.BTC-USD-PERP","data":{}}}``
    """

    method: str = ""
    id: int | None = None
    params: _Channel | None = None
    result: Result | None = None
    error: Fault | None = None


class Params(msgspec.Struct, Generic[_T]):
    """What is pushed."""

    data: _T


class Frame(msgspec.Struct, Generic[_T]):
    """One push."""

    params: Params[_T]


class Trade(msgspec.Struct):
    """One trade; ``side`` is the taker's.

    https://docs.paradex.trade/ws/web-socket-channels/trades-market-symbol/trades-market-symbol

    ``{"id":"1793613600125201709233240002","market":"BTC-USD-PERP","side":"SELL","size":"0.05","price":"101250.5",
    "created_at":1793613600125,"trade_type":"LIQUIDATION"}``
    """

    market: str
    side: str
    size: float
    price: float
    created_at: int
    trade_type: str


class Level(msgspec.Struct):
    """``{"side":"BUY","price":"101250.5","size":"0.75"}``."""

    side: str
    price: float
    size: float


class Book(msgspec.Struct):
    """Fifteen levels a side; ``update_type`` is ``s`` and all levels are inserts where snapshots were asked for.

    https://docs.paradex.trade/ws/web-socket-channels/order-book-market-symbol-feed-type-15-refresh-rate-price-tick

    ``{"seq_no":14127901,"market":"BTC-USD-PERP","last_updated_at":1793613600125,"update_type":"s","inserts":[],
    "updates":[],"deletes":[]}``
    """

    seq_no: int
    market: str
    last_updated_at: int
    update_type: str
    inserts: list[Level]


class Summary(msgspec.Struct):
    """State of a market: open interest in base units, funding of the market's own period.

    https://docs.paradex.trade/ws/web-socket-channels/markets-summary-market-symbol/markets-summary-market-symbol

    ``{"symbol":"BTC-USD-PERP","mark_price":"101244.9","underlying_price":"101240.1","open_interest":"512.25",
    "funding_rate":"0.00012","created_at":1793613600125}``
    """

    symbol: str
    created_at: int
    mark_price: float | None = None
    underlying_price: float | None = None
    open_interest: float | None = None
    funding_rate: float | None = None


class MarginFractions(msgspec.Struct):
    """``{"imf_base":"0.02","imf_factor":"0","imf_shift":"0","mmf_factor":"0.5"}``."""

    imf_base: float
    mmf_factor: float


class Contract(msgspec.Struct):
    """One market.

    https://docs.paradex.trade/api/prod/markets/get-markets

    ``{"symbol":"BTC-USD-PERP","base_currency":"BTC","quote_currency":"USD","asset_kind":"PERP","price_tick_size":"0.1",
    "order_size_increment":"0.00001","min_notional":"10"}``
    """

    symbol: str
    base_currency: str
    quote_currency: str
    asset_kind: str
    order_size_increment: float
    price_tick_size: float
    delta1_cross_margin_params: MarginFractions
    min_notional: float | None = None


class Contracts(msgspec.Struct):
    """``GET /v1/markets``: each a ``Contract``; options and spot markets stand among them."""

    results: list[msgspec.Raw]
