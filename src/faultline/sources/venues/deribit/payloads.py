"""Deribit's frames and answers as they are sent: JSON-RPC, with numbers as numbers.

Only fields that are used are declared. https://docs.deribit.com/
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = (
    "Book",
    "BookFrame",
    "BookParams",
    "Contract",
    "ErrorAnswer",
    "Head",
    "HeadParams",
    "Listing",
    "Price",
    "Ticker",
    "TickerFrame",
    "TickerParams",
    "Trade",
    "TradeFrame",
    "TradeParams",
)


class HeadParams(msgspec.Struct):
    """Channel of a push, or kind of a heartbeat."""

    channel: str = ""
    type: str = ""


class ErrorAnswer(msgspec.Struct):
    """``{"code":10028,"message":"too_many_requests"}``."""

    code: int = 0
    message: str = ""


class Head(msgspec.Struct):
    """What every frame is: a push, a heartbeat, or the answer to a request.

    ``{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}``,
    ``{"jsonrpc":"2.0","id":1,"result":["trades.BTC-PERPETUAL.100ms"]}``
    """

    method: str = ""
    params: HeadParams | None = None
    id: int | None = None
    result: Any = None
    error: ErrorAnswer | None = None


class Trade(msgspec.Struct):
    """One trade; ``amount`` in USD (inverse) or base units (linear), ``direction`` the taker's.

    https://docs.deribit.com/subscriptions/trades/tradesinstrument_nameinterval

    ``{"trade_seq":271252854,"trade_id":"403691824","timestamp":1762000000123,"price":101250.5,"amount":250.0,
    "instrument_name":"BTC-PERPETUAL","direction":"sell","liquidation":"T","tick_direction":2}``; ``liquidation`` is
    there only where the position of the taker (T), the maker (M) or both (MT) was forced out.
    """

    instrument_name: str
    timestamp: int
    price: float
    amount: float
    direction: str
    trade_seq: int = -1
    liquidation: str = ""


class TradeParams(msgspec.Struct):
    """Trades of 100 ms."""

    data: list[Trade]


class TradeFrame(msgspec.Struct):
    """Channel ``trades.{instrument}.100ms``."""

    params: TradeParams


class Book(msgspec.Struct):
    """Levels as action (new, change, delete), price and amount.

    https://docs.deribit.com/subscriptions/orderbook/bookinstrument_nameinterval

    ``{"type":"change","timestamp":1762000000500,"instrument_name":"BTC-PERPETUAL","change_id":790,
    "prev_change_id":789,"bids":[["change",101250.0,950.0]],"asks":[["delete",101251.0,0.0]]}``
    """

    type: str
    timestamp: int
    instrument_name: str
    change_id: int
    bids: msgspec.Raw
    asks: msgspec.Raw
    prev_change_id: int | None = None


class BookParams(msgspec.Struct):
    """A snapshot, then changes."""

    data: Book


class BookFrame(msgspec.Struct):
    """Channel ``book.{instrument}.100ms``."""

    params: BookParams


class Ticker(msgspec.Struct):
    """State of a contract; funding only of perpetuals, open interest in the units of amounts.

    ``{"timestamp":1762000000086,"instrument_name":"BTC-PERPETUAL","index_price":101260.1,"mark_price":101251.8,
    "open_interest":1132329370.0,"current_funding":0.00001,"funding_8h":0.00002,"state":"open"}``
    """

    timestamp: int
    instrument_name: str
    mark_price: float
    open_interest: float
    index_price: float | None = None
    current_funding: float | None = None


class TickerParams(msgspec.Struct):
    """The whole state."""

    data: Ticker


class TickerFrame(msgspec.Struct):
    """Channel ``ticker.{instrument}.100ms``."""

    params: TickerParams


class Contract(msgspec.Struct, rename={"face": "contract_size"}):
    """One contract; its face in USD (``reversed``) or base units (``linear``).

    ``{"instrument_name":"BTC-PERPETUAL","kind":"future","instrument_type":"reversed","settlement_period":"perpetual",
    "base_currency":"BTC","quote_currency":"USD","contract_size":10.0,"min_trade_amount":10.0,"tick_size":0.5,
    "max_leverage":50,"is_active":true}``
    """

    instrument_name: str
    instrument_type: str
    settlement_period: str
    base_currency: str
    quote_currency: str
    face: float
    min_trade_amount: float
    tick_size: float
    max_leverage: float
    is_active: bool


class Price(msgspec.Struct):
    """One row of ``get_book_summary_by_currency``."""

    instrument_name: str
    mark_price: float


class Listing(msgspec.Struct):
    """Any answer whose result is a list; rows are read one by one."""

    result: list[msgspec.Raw]
