"""Gate's frames and answers as they are sent; prices come as text, sizes as numbers or text, and are read as floats.

Only fields that are used are declared. https://www.gate.com/docs/developers/futures/ws/en/
"""

from __future__ import annotations

import msgspec

from faultline.sources.level_lists import NO_LEVELS

__all__ = (
    "BookUpdate",
    "Contract",
    "Head",
    "Level",
    "Liquidation",
    "OrderBook",
    "RiskTier",
    "Stats",
    "Status",
    "Ticker",
    "Trade",
    "VenueError",
)


class VenueError(msgspec.Struct):
    """Why a request was refused."""

    code: int | str = ""
    message: str = ""


class Status(msgspec.Struct):
    """Result of a request."""

    status: str = ""


class Head(msgspec.Struct):
    """Every frame: rows of a channel, or the answer to a request, with its id.

    ``{"id":3,"time":1777000000,"time_ms":1777000000123,"channel":"futures.trades","event":"subscribe",
    "result":{"status":"success"}}``, ``{"id":4,...,"error":{"code":2,"message":"unknown contract"},"result":null}``
    """

    channel: str = ""
    event: str = ""
    id: int | None = None
    time: int = 0
    time_ms: int = 0
    error: VenueError | None = None
    result: msgspec.Raw = msgspec.Raw(b"")


class Trade(msgspec.Struct):
    """One row of ``futures.trades``; ``size`` counts contracts, negative where the taker sold.

    https://www.gate.com/docs/developers/futures/ws/en/#trades-api

    ``{"size":"-12","id":27753479,"create_time":1777000000,"create_time_ms":1777000000113,"price":"101250.4",
    "contract":"BTC_USDT"}``; ``is_internal`` marks what the insurance fund or deleveraged accounts took over.
    """

    size: float
    id: int
    create_time_ms: float
    price: float
    contract: str
    is_internal: bool = False


class Liquidation(msgspec.Struct):
    """One row of ``futures.public_liquidates``; ``size`` counts contracts, positive where a long was liquidated.

    https://www.gate.com/docs/developers/futures/ws/en/

    ``{"price":"99850.5","size":"124","time":1777000000423,"contract":"BTC_USDT"}``; ``time`` was in seconds, and some
    frames tell ``time_ms``.
    """

    price: float
    size: float
    contract: str
    time: int = 0
    time_ms: int = 0


class Level(msgspec.Struct):
    """One level of a book: price and contracts."""

    p: float
    s: float


class BookUpdate(msgspec.Struct):
    """``futures.order_book_update``: levels that changed in updates ``U`` to ``u``, or the whole book (``full``).

    https://www.gate.com/docs/developers/futures/ws/en/#order-book-api

    ``{"t":1777000000147,"s":"BTC_USDT","U":2517661101,"u":2517661113,"b":[{"p":"101250.4","s":0}],"a":[]}``
    """

    t: int
    s: str
    U: int = 0
    u: int = 0
    b: msgspec.Raw = NO_LEVELS
    a: msgspec.Raw = NO_LEVELS
    full: bool = False


class OrderBook(msgspec.Struct):
    """``GET /futures/{settle}/order_book`` with its id; ``update`` in seconds.

    https://www.gate.com/docs/developers/apiv4/en/#query-futures-market-depth-information

    ``{"id":2517661100,"current":1777000000.123,"update":1777000000.1,"asks":[{"p":"101250.5","s":10}],"bids":[]}``
    """

    id: int
    update: float
    asks: msgspec.Raw
    bids: msgspec.Raw


class Ticker(msgspec.Struct):
    """One row of ``futures.tickers``; ``total_size`` counts contracts that stand.

    https://www.gate.com/docs/developers/futures/ws/en/#tickers-api

    ``{"contract":"BTC_USDT","last":"101250.4","funding_rate":"0.0001","mark_price":"101249.9",
    "index_price":"101260.1","total_size":"73648"}``
    """

    contract: str
    mark_price: float
    funding_rate: str = ""
    index_price: str = ""
    total_size: str = ""


class Stats(msgspec.Struct):
    """One row of ``GET /futures/{settle}/contract_stats``: longs over shorts; 0 is not known yet.

    https://www.gate.com/docs/developers/apiv4/en/#futures-statistics

    ``{"time":1777000200,"lsr_taker":0.92,"lsr_account":1.15,"top_lsr_account":1.57,"top_lsr_size":1.05,
    "open_interest":114806013,"long_liq_usd":0,"short_liq_usd":1250.5}``
    """

    time: int
    lsr_account: float = 0.0
    top_lsr_account: float = 0.0
    top_lsr_size: float = 0.0
    lsr_taker: float = 0.0


class Contract(msgspec.Struct):
    """One contract of ``GET /futures/{settle}/contracts``.

    https://www.gate.com/docs/developers/apiv4/en/#query-all-futures-contracts

    ``{"name":"BTC_USDT","type":"direct","quanto_multiplier":"0.0001","order_price_round":"0.1","mark_price":"101249.9",
    "leverage_max":"125","maintenance_rate":"0.004","taker_fee_rate":"0.00075","order_size_min":1,"status":"trading",
    "in_delisting":false}``; ``inverse`` contracts of 1 USD have a multiplier of 0.
    """

    name: str
    type: str
    quanto_multiplier: float
    order_price_round: float
    mark_price: float
    leverage_max: float
    maintenance_rate: float
    taker_fee_rate: float
    order_size_min: float = 1.0
    status: str = "trading"
    in_delisting: bool = False


class RiskTier(msgspec.Struct):
    """One row of ``GET /futures/{settle}/risk_limit_tiers``, up to ``risk_limit`` of the settlement currency.

    https://www.gate.com/docs/developers/apiv4/en/#query-risk-limit-tiers

    ``{"contract":"BTC_USDT","tier":1,"risk_limit":"1000000","initial_rate":"0.008","maintenance_rate":"0.004",
    "leverage_max":"125","deduction":"0"}``
    """

    contract: str
    risk_limit: float
    maintenance_rate: float
    leverage_max: float
