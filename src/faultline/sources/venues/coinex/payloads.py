"""CoinEx's frames and answers as they are sent; numbers come as text and are read as floats.

Only fields that are used are declared. https://docs.coinex.com/api/v2/
"""

from __future__ import annotations

import msgspec

__all__ = (
    "Contract",
    "Contracts",
    "Depth",
    "DepthFrame",
    "DepthUpdate",
    "Head",
    "Level",
    "Liquidation",
    "Liquidations",
    "MarketLevels",
    "MarketLevelsList",
    "Price",
    "Prices",
    "State",
    "StateFrame",
    "StateList",
    "Trade",
    "TradeFrame",
    "TradeList",
)


class Head(msgspec.Struct):
    """What every frame begins with: a method, or the number of the request that it answers.

    ``{"id":1000,"code":0,"message":"OK"}``, ``{"id":2001,"code":20001,"message":"invalid argument"}``
    """

    method: str = ""
    id: int | None = None
    code: int | None = None
    message: str = ""


class Trade(msgspec.Struct):
    """One trade; ``side`` is the taker's.

    https://docs.coinex.com/api/v2/futures/market/ws/market-deals

    ``{"deal_id":3514376759,"created_at":1762000000123,"side":"buy","price":"101250.5","amount":"0.004"}``
    """

    deal_id: int
    created_at: int
    side: str
    price: float
    amount: float


class TradeList(msgspec.Struct):
    """Trades of one market, newest first."""

    market: str
    deal_list: list[Trade]


class TradeFrame(msgspec.Struct):
    """``deals.update``."""

    data: TradeList


class Depth(msgspec.Struct):
    """Levels as (price, quantity)."""

    asks: msgspec.Raw
    bids: msgspec.Raw
    updated_at: int


class DepthUpdate(msgspec.Struct):
    """The whole book, or what changed of it."""

    market: str
    is_full: bool
    depth: Depth


class DepthFrame(msgspec.Struct):
    """``depth.update``.

    https://docs.coinex.com/api/v2/futures/market/ws/market-depth

    ``{"method":"depth.update","data":{"market":"BTCUSDT","is_full":false,"depth":{"asks":[["101251","0"]],
    "bids":[["101250.5","1.25"]],"last":"101250.5","updated_at":1762000000200,"checksum":578768879}},"id":null}``
    """

    data: DepthUpdate


class State(msgspec.Struct):
    """State of a market; without a time.

    https://docs.coinex.com/api/v2/futures/market/ws/market-state

    ``{"market":"BTCUSDT","last":"101250.5","open_interest_size":"924.5","mark_price":"101251.8",
    "index_price":"101260.2","latest_funding_rate":"0.0001","next_funding_rate":"0.00012",
    "latest_funding_time":1761984000000,"next_funding_time":1762012800000}``
    """

    market: str
    mark_price: float | None = None
    index_price: float | None = None
    open_interest_size: float | None = None
    next_funding_rate: float | None = None
    latest_funding_time: int = 0
    next_funding_time: int = 0


class StateList(msgspec.Struct):
    """States of markets that changed."""

    state_list: list[State]


class StateFrame(msgspec.Struct):
    """``state.update``."""

    data: StateList


class Liquidation(msgspec.Struct):
    """One liquidation; ``side`` is that of the position.

    https://docs.coinex.com/api/v2/futures/market/http/list-market-liquidation-history

    ``{"market":"BTCUSDT","side":"short","liq_price":"101500.5","liq_amount":"0.0127","bkr_price":"102008.0025",
    "created_at":1762000000293}``
    """

    market: str
    side: str
    liq_price: float
    liq_amount: float
    created_at: int


class Liquidations(msgspec.Struct):
    """``GET /v2/futures/liquidation-history``; ``data`` is left out of errors."""

    code: int
    data: list[Liquidation] = []
    message: str = ""


class Contract(msgspec.Struct):
    """One market.

    https://docs.coinex.com/api/v2/futures/market/http/list-market

    ``{"market":"BTCUSDT","contract_type":"linear","min_amount":"0.0001","base_ccy":"BTC","quote_ccy":"USDT",
    "tick_size":"0.5","is_market_available":true}``
    """

    market: str
    contract_type: str
    min_amount: float
    base_ccy: str
    quote_ccy: str
    tick_size: float
    is_market_available: bool = True


class Contracts(msgspec.Struct):
    """``GET /v2/futures/market``; each a ``Contract``."""

    data: list[msgspec.Raw]


class Level(msgspec.Struct):
    """One margin tier: positions up to ``amount``, in the units of quantities.

    ``{"amount":"20","leverage":"100","maintenance_margin_rate":"0.005","min_initial_margin_rate":"0.01"}``
    """

    amount: float
    leverage: float
    maintenance_margin_rate: float


class MarketLevels(msgspec.Struct):
    """Tiers of one market."""

    market: str
    level: list[Level]


class MarketLevelsList(msgspec.Struct):
    """``GET /v2/futures/position-level``; each a ``MarketLevels``.

    https://docs.coinex.com/api/v2/futures/market/http/list-market-position-level
    """

    data: list[msgspec.Raw]


class Price(msgspec.Struct):
    """Last state of a market, of which the price is used."""

    market: str
    mark_price: float


class Prices(msgspec.Struct):
    """``GET /v2/futures/ticker``; each a ``Price``."""

    data: list[msgspec.Raw]
