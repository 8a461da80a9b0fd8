"""Frames and answers of Orderly as they are sent; only fields that are used are declared.

https://orderly.network/docs/build-on-omnichain/websocket-api/introduction
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

__all__ = (
    "Book",
    "BookChange",
    "Contract",
    "Contracts",
    "Frame",
    "Funding",
    "Head",
    "LiquidatedPosition",
    "Liquidation",
    "OpenInterest",
    "Position",
    "PositionPage",
    "Positions",
    "Price",
    "Trade",
)

_T = TypeVar("_T")


class Head(msgspec.Struct):
    """What a frame is: news of a topic, a ping, or the answer to a request of ours.

    ``{"id":"PERP_BTC_USDC@trade","event":"subscribe","success":true,"ts":1793613600125}``
    """

    topic: str = ""
    event: str = ""
    id: str = ""
    success: bool | None = None
    errorMsg: str = ""


class Frame(msgspec.Struct, Generic[_T]):
    """``{"topic":"PERP_BTC_USDC@trade","ts":1793613600125,"data":{}}``."""

    ts: int
    data: _T


class Trade(msgspec.Struct):
    """Topic ``{symbol}@trade``: ``{"symbol":"PERP_BTC_USDC","price":101250.1,"size":0.02,"side":"BUY"}``."""

    symbol: str
    price: float
    size: float
    side: str


class BookChange(msgspec.Struct):
    """Topic ``{symbol}@orderbookupdate``: levels that changed since ``prevTs``; size 0 means the level is gone.

    ``{"symbol":"PERP_BTC_USDC","prevTs":1793613600000,"asks":[[101251.2,0]],"bids":[[101250.1,0.75]]}``
    """

    symbol: str
    prevTs: int
    asks: msgspec.Raw
    bids: msgspec.Raw


class Book(msgspec.Struct):
    """Answer to a request of type ``orderbook``: the whole book at ``ts``.

    https://orderly.network/docs/build-on-omnichain/websocket-api/public/request-orderbook
    """

    symbol: str
    ts: int
    asks: msgspec.Raw
    bids: msgspec.Raw


class Price(msgspec.Struct):
    """Topic ``markprices``, one per contract: ``{"symbol":"PERP_BTC_USDC","price":101244.9}``."""

    symbol: str
    price: float


class OpenInterest(msgspec.Struct):
    """Topic ``{symbol}@openinterest``: ``{"symbol":"PERP_BTC_USDC","openInterest":512.25}``, in base units."""

    symbol: str
    openInterest: float


class Funding(msgspec.Struct):
    """Topic ``{symbol}@estfundingrate``.

    ``{"symbol":"PERP_BTC_USDC","fundingRate":0.00012,"fundingTs":1793613600000}``
    """

    symbol: str
    fundingRate: float


class LiquidatedPosition(msgspec.Struct):
    """``{"symbol":"PERP_BTC_USDC","positionQty":-0.75,"liquidatorFee":0.0075}``; negative: a short."""

    symbol: str
    positionQty: float


class Liquidation(msgspec.Struct):
    """Topic ``liquidation``: an account whose positions are handed over; ``timestamp`` is when that began.

    https://orderly.network/docs/build-on-omnichain/websocket-api/public/liquidation-push

    ``{"liquidationId":9001,"timestamp":1793613600100,"type":"liquidated","positionsByPerp":[]}``
    """

    liquidationId: int
    timestamp: int
    type: str
    positionsByPerp: list[LiquidatedPosition]


class Position(msgspec.Struct):
    """One open position; what the venue could not work out is null.

    ``{"address":"0xab","account_id":"0xcd","symbol":"PERP_BTC_USDC","side":"SHORT","position_qty":"0.75",
    "notional":"75900","average_open_price":"100800","est_liq_price":"118000","unrealized_pnl":"-300","leverage":10,
    "margin_mode":"CROSS"}``
    """

    symbol: str
    side: str
    position_qty: float
    average_open_price: float | None = None
    address: str | None = None
    account_id: str | None = None
    notional: float | None = None
    est_liq_price: float | None = None
    unrealized_pnl: float | None = None
    leverage: float | None = None
    margin_mode: str | None = None


class PositionPage(msgspec.Struct):
    """Up to 5,000 positions; ``next_cursor`` where there are more."""

    rows: list[Position]
    next_cursor: str | None = None


class Positions(msgspec.Struct):
    """Answer to a query of type ``platformPositions``.

    https://orderly.network/docs/build-on-omnichain/public-info-api/platform/platform-positions
    """

    success: bool
    ts: int = 0
    data: PositionPage | None = None
    code: str = ""
    message: str = ""


class Contract(msgspec.Struct):
    """One contract: steps and the three numbers that make its margins.

    https://orderly.network/docs/build-on-omnichain/restful-api/public/get-available-symbols

    ``{"symbol":"PERP_BTC_USDC","quote_tick":0.1,"base_tick":0.00001,"min_notional":10,"base_imr":0.02,"base_mmr":0.012,
    "imr_factor":0.0000002}``
    """

    symbol: str
    quote_tick: float
    base_tick: float
    base_imr: float
    base_mmr: float
    imr_factor: float = 0.0
    min_notional: float | None = None


class _ContractRows(msgspec.Struct):
    """Each a ``Contract``."""

    rows: list[msgspec.Raw]


class Contracts(msgspec.Struct):
    """``GET /v1/public/info``."""

    data: _ContractRows
