"""Bybit's frames and answers as they are sent; numbers come as text and are read as floats.

Only fields that are used are declared; the venue may add others. https://bybit-exchange.github.io/docs/v5/ws/connect
"""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = (
    "BOOK_LAYOUTS",
    "TRADE_LAYOUTS",
    "AccountRatio",
    "AccountRatioList",
    "AccountRatios",
    "Book",
    "BookFrame",
    "Contract",
    "ContractList",
    "Contracts",
    "Head",
    "LeverageFilter",
    "Liquidation",
    "LiquidationFrame",
    "LotSizeFilter",
    "Price",
    "PriceFilter",
    "PriceList",
    "Prices",
    "RiskLimit",
    "RiskLimitList",
    "RiskLimits",
    "Ticker",
    "TickerFrame",
    "Trade",
    "TradeFrame",
)


class Head(msgspec.Struct):
    """What every frame may begin with: a topic, or the answer to a request of ours.

    ``{"success":true,"ret_msg":"","conn_id":"0a1b","req_id":"trade|BTCUSDT","op":"subscribe"}``
    """

    topic: str = ""
    op: str = ""
    success: bool | None = None
    ret_msg: str = ""
    req_id: str = ""


class Trade(msgspec.Struct, gc=False):
    """One trade.

    https://bybit-exchange.github.io/docs/v5/websocket/public/trade

    ``{"T":1762000000123,"s":"BTCUSDT","S":"Buy","v":"0.004","p":"101250.50","L":"PlusTick","i":"5f0c...","BT":false,
    "seq":9007199254}``; ``S`` is the taker's side.
    """

    T: int
    s: str
    S: str
    v: float
    p: float
    seq: int = -1


class TradeFrame(msgspec.Struct, gc=False):
    """``publicTrade.{symbol}``: up to 1,024 trades."""

    data: list[Trade]


class Liquidation(msgspec.Struct):
    """One liquidation.

    https://bybit-exchange.github.io/docs/v5/websocket/public/all-liquidation

    ``{"T":1762000000110,"s":"BTCUSDT","S":"Buy","v":"0.25","p":"100912.40"}``; ``S`` is the side of the **position**
    (Buy: a long was liquidated), ``p`` its bankruptcy price.
    """

    T: int
    s: str
    S: str
    v: float
    p: float


class LiquidationFrame(msgspec.Struct):
    """``allLiquidation.{symbol}``: everything since the last push, every 500 ms."""

    data: list[Liquidation]


class Book(msgspec.Struct):
    """Levels as (price, quantity).

    https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook
    """

    s: str
    b: msgspec.Raw
    a: msgspec.Raw
    u: int


class BookFrame(msgspec.Struct):
    """``orderbook.{depth}.{symbol}``.

    ``{"topic":"orderbook.200.BTCUSDT","type":"delta","ts":1762000000200,"data":{"s":"BTCUSDT","b":[["101250.4","0"]],
    "a":[],"u":18521288,"seq":7961638724},"cts":1762000000195}``
    """

    type: str
    ts: int
    data: Book


#: ``TradeFrame`` as the venue writes it, for ``TradeReader``.
TRADE_LAYOUTS: Final = tuple(
    '{"topic":"<text>","type":"snapshot","ts":<number>,"data":[<each>{"T":<time>,"s":"<symbol>","S":"<side>",'
    '"v":"<qty>","p":"<price>","L":"<text>","i":"<text>","BT":<word>' + more + "<again>]}"
    for more in (',"RPI":<word>,"seq":<seq>}', ',"seq":<seq>}')
)
#: ``BookFrame`` as the venue writes it, for ``DepthReader``: texts ``type`` and ``s``, numbers ``ts`` and ``u`` first.
BOOK_LAYOUTS: Final = tuple(
    '{"topic":"?","type":"$","ts":#,"data":{"s":"$","b":%,"a":%,"u":#,"seq":#}' + end
    for end in (',"cts":#}', "}")
)


class Ticker(msgspec.Struct):
    """State of a contract; a delta has only what changed.

    https://bybit-exchange.github.io/docs/v5/websocket/public/ticker

    ``openInterest`` counts both sides, ``singleOpenInterest`` one.
    """

    symbol: str
    markPrice: float | None = None
    indexPrice: float | None = None
    openInterest: float | None = None
    singleOpenInterest: float | None = None
    fundingRate: float | None = None
    nextFundingTime: int | None = None
    fundingIntervalHour: int | None = None


class TickerFrame(msgspec.Struct):
    """``tickers.{symbol}``: a snapshot, then changes every 100 ms."""

    type: str
    ts: int
    data: Ticker


class AccountRatio(msgspec.Struct):
    """Accounts that are long and short.

    https://bybit-exchange.github.io/docs/v5/market/long-short-ratio
    """

    symbol: str
    buyRatio: float
    sellRatio: float
    timestamp: int


class AccountRatioList(msgspec.Struct):
    """Newest first."""

    rows: list[AccountRatio] = msgspec.field(name="list")


class AccountRatios(msgspec.Struct):
    """``GET /v5/market/account-ratio``."""

    retCode: int
    result: AccountRatioList


class LeverageFilter(msgspec.Struct):
    """Leverage allowed in the first tier."""

    maxLeverage: float


class PriceFilter(msgspec.Struct):
    """Price step."""

    tickSize: float


class LotSizeFilter(msgspec.Struct):
    """Quantity step and smallest order."""

    qtyStep: float
    minNotionalValue: float | None = None


class Contract(msgspec.Struct):
    """One contract.

    https://bybit-exchange.github.io/docs/v5/market/instrument
    """

    symbol: str
    contractType: str
    status: str
    baseCoin: str
    quoteCoin: str
    leverageFilter: LeverageFilter
    priceFilter: PriceFilter
    lotSizeFilter: LotSizeFilter


class ContractList(msgspec.Struct):
    """One page, each a ``Contract``."""

    rows: list[msgspec.Raw] = msgspec.field(name="list")
    nextPageCursor: str | None = None


class Contracts(msgspec.Struct):
    """``GET /v5/market/instruments-info``."""

    retCode: int
    result: ContractList


class RiskLimit(msgspec.Struct):
    """One margin tier: positions up to ``riskLimitValue``.

    https://bybit-exchange.github.io/docs/v5/market/risk-limit

    ``maintenanceMargin`` is a ratio here; older answers wrote percent (0.5 for 0.005), as the documentation still does.
    ``mmDeduction`` may be empty.
    """

    symbol: str
    riskLimitValue: float
    maintenanceMargin: float
    maxLeverage: float
    mmDeduction: str = ""


class RiskLimitList(msgspec.Struct):
    """One page, each a ``RiskLimit``."""

    rows: list[msgspec.Raw] = msgspec.field(name="list")
    nextPageCursor: str | None = None


class RiskLimits(msgspec.Struct):
    """``GET /v5/market/risk-limit``."""

    retCode: int
    result: RiskLimitList


class Price(msgspec.Struct):
    """Last state of a contract, of which the price is used.

    https://bybit-exchange.github.io/docs/v5/market/tickers
    """

    symbol: str
    markPrice: float


class PriceList(msgspec.Struct):
    """Every contract of a category, each a ``Price``."""

    rows: list[msgspec.Raw] = msgspec.field(name="list")


class Prices(msgspec.Struct):
    """``GET /v5/market/tickers``."""

    retCode: int
    result: PriceList
