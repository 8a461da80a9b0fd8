"""Bitget's frames and answers (unified account, version 3) as they are sent; numbers come as text, read as floats.

Only fields that are used are declared. https://www.bitget.com/api-doc/uta/websocket/Intro
"""

from __future__ import annotations

import msgspec

__all__ = (
    "AccountRatio",
    "AccountRatios",
    "Answer",
    "Arg",
    "Book",
    "Contract",
    "Head",
    "Liquidation",
    "PositionTier",
    "Price",
    "Ticker",
    "Trade",
)


class Arg(msgspec.Struct):
    """What a frame or a confirmation is about; ``channel`` names it in the older protocols, which are not read."""

    instType: str = ""
    topic: str = ""
    symbol: str = ""
    channel: str = ""


class Head(msgspec.Struct):
    """Every frame: rows of a topic, or an event.

    https://www.bitget.com/api-doc/uta/websocket/Intro

    ``{"event":"subscribe","arg":{"instType":"usdt-futures","topic":"books","symbol":"BTCUSDT"}}``,
    ``{"event":"error","arg":{...},"code":"30001","msg":"topic:boks, symbol:BTCUSDT doesn't exist"}``
    """

    arg: Arg | None = None
    action: str = ""
    event: str = ""
    code: int | str = ""
    msg: str = ""
    ts: int = 0
    data: msgspec.Raw = msgspec.Raw(b"")


class Trade(msgspec.Struct):
    """One row of ``publicTrade``; ``S`` is the taker's side, ``v`` counts base units.

    https://www.bitget.com/api-doc/uta/websocket/public/New-Trades-Channel

    ``{"i":"1432000000000000001","p":"101250.4","v":"0.012","S":"buy","T":"1777000000123","L":"1432000000000000002"}``
    """

    i: int
    p: float
    v: float
    S: str
    T: int


class Liquidation(msgspec.Struct):
    """One row of ``liquidation``: ``side`` of the **position**, ``amount`` in quote value.

    https://www.bitget.com/api-doc/uta/websocket/public/Liquidation-Channel

    ``{"symbol":"BTCUSDT","side":"buy","price":"99850.5","amount":"1248.13","ts":"1777000000110"}``
    """

    symbol: str
    side: str
    price: float
    amount: float
    ts: int


class Book(msgspec.Struct):
    """One row of ``books``: levels of price and base units; ``pseq`` is the ``seq`` of the update before.

    https://www.bitget.com/api-doc/uta/websocket/public/Order-Book-Channel

    ``{"a":[["101250.5","1.25"]],"b":[],"checksum":0,"seq":483000000002,"pseq":483000000001,"ts":"1777000000200"}``
    """

    a: msgspec.Raw
    b: msgspec.Raw
    ts: int
    seq: int
    pseq: int = 0


class Ticker(msgspec.Struct):
    """The row of ``ticker``, of which the frame tells the time.

    https://www.bitget.com/api-doc/uta/websocket/public/Tickers-Channel

    ``{"lastPrice":"101250.4","indexPrice":"101260.1","markPrice":"101249.9","fundingRate":"0.0001",
    "openInterest":"29500.1","nextFundingTime":"1777017600000"}``; open interest in base units.
    """

    markPrice: float | None = None
    indexPrice: float | None = None
    fundingRate: float | None = None
    openInterest: float | None = None
    nextFundingTime: str = ""


class Answer(msgspec.Struct):
    """Any answer; rows are read one by one."""

    code: str
    msg: str = ""
    data: list[msgspec.Raw] = []


class Contract(msgspec.Struct):
    """One contract of ``GET /api/v3/market/instruments``; quantities count base units, of inverse contracts too.

    https://www.bitget.com/api-doc/uta/public/Instruments

    ``{"symbol":"BTCUSDT","category":"USDT-FUTURES","baseCoin":"BTC","quoteCoin":"USDT","type":"perpetual",
    "symbolType":"crypto","priceMultiplier":"0.1","quantityMultiplier":"0.0001","minOrderAmount":"5",
    "maxLeverage":"125","status":"online"}``; ``type`` stood in ``symbolType`` before 2026.
    """

    symbol: str
    category: str
    baseCoin: str
    quoteCoin: str
    priceMultiplier: float
    quantityMultiplier: float
    maxLeverage: float
    status: str
    type: str = ""
    symbolType: str = ""
    minOrderAmount: str = ""


class PositionTier(msgspec.Struct):
    """One tier of ``GET /api/v3/market/position-tier``, in quote value since 2025-07-24.

    https://www.bitget.com/api-doc/uta/public/Get-Position-Tier-Data

    ``{"tier":"1","minTierValue":"0","maxTierValue":"150000","leverage":"125","mmr":"0.004"}``
    """

    maxTierValue: float
    leverage: float
    mmr: float


class Price(msgspec.Struct):
    """One row of ``GET /api/v3/market/tickers``, of which the price is used.

    https://www.bitget.com/api-doc/uta/public/Tickers
    """

    symbol: str
    markPrice: float


class AccountRatio(msgspec.Struct):
    """``{"longAccountRatio":"0.58","shortAccountRatio":"0.42","longShortAccountRatio":"1.38","ts":"1777000000000"}``."""

    longAccountRatio: float
    shortAccountRatio: float
    ts: int


class AccountRatios(msgspec.Struct):
    """``GET /api/v3/market/futures-account-long-short``, in any order.

    https://www.bitget.com/api-doc/common/apidata/Account-Long-Short
    """

    code: str
    msg: str = ""
    data: list[AccountRatio] = []
