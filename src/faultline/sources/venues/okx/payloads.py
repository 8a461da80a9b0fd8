"""OKX's frames and answers as they are sent; numbers come as text and are read as floats.

Only fields that are used are declared. https://www.okx.com/docs-v5/en/
"""

from __future__ import annotations

import msgspec

__all__ = (
    "Answer",
    "Arg",
    "Book",
    "BookFrame",
    "Contract",
    "Contracts",
    "Funding",
    "FundingFrame",
    "Head",
    "Index",
    "IndexFrame",
    "Interest",
    "InterestFrame",
    "LiquidatedContract",
    "Liquidation",
    "LiquidationFrame",
    "Mark",
    "MarkFrame",
    "Price",
    "Ratios",
    "Tier",
    "Trade",
    "TradeFrame",
)


class Arg(msgspec.Struct):
    """What a frame or a confirmation is about."""

    channel: str = ""
    instId: str = ""
    instType: str = ""


class Head(msgspec.Struct):
    """What every frame may begin with: the argument of a subscription, or an event.

    ``{"event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT-SWAP"},"connId":"a1"}``,
    ``{"event":"error","code":"60018","msg":"Wrong URL or channel doesn't exist","connId":"a1"}``
    """

    arg: Arg | None = None
    event: str = ""
    code: str = ""
    msg: str = ""


class Trade(msgspec.Struct):
    """Fills of one taker order at one price; ``sz`` in contracts, ``side`` the taker's.

    https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-trades-channel

    ``{"instId":"BTC-USDT-SWAP","tradeId":"130639474","px":"101250.4","sz":"12","side":"buy","ts":"1762000000123",
    "count":"3"}``
    """

    instId: str
    tradeId: str
    px: float
    sz: float
    side: str
    ts: int


class TradeFrame(msgspec.Struct):
    """Channel ``trades``."""

    data: list[Trade]


class Liquidation(msgspec.Struct):
    """One liquidation: ``side`` of the order, ``posSide`` of the position or ``net``, ``sz`` in contracts.

    https://www.okx.com/docs-v5/en/#public-data-websocket-liquidation-orders-channel

    ``{"bkLoss":"0","bkPx":"100120.5","ccy":"","posSide":"long","side":"sell","sz":"13","ts":"1762000000010"}``;
    ``bkPx`` is the bankruptcy price.
    """

    bkPx: float
    posSide: str
    side: str
    sz: float
    ts: int


class LiquidatedContract(msgspec.Struct):
    """All liquidations of a push for one contract."""

    details: list[Liquidation]
    instId: str


class LiquidationFrame(msgspec.Struct):
    """Channel ``liquidation-orders``, which is of all contracts of a type."""

    data: list[LiquidatedContract]


class Book(msgspec.Struct):
    """Levels as price, contracts, an unused number and how many orders.

    ``{"asks":[["101250.5","41","0","3"]],"bids":[],"ts":"1762000000200","checksum":0,"seqId":123457,
    "prevSeqId":123456}``; a push without change repeats ``seqId`` in ``prevSeqId``. Since 2026 ``checksum`` is 0.
    """

    asks: msgspec.Raw
    bids: msgspec.Raw
    ts: int
    seqId: int = -1
    prevSeqId: int | None = None


class BookFrame(msgspec.Struct):
    """Channel ``books``: 400 levels, changes every 100 ms.

    https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel
    """

    arg: Arg
    action: str
    data: list[Book]


class Mark(msgspec.Struct):
    """``{"instType":"SWAP","instId":"BTC-USDT-SWAP","markPx":"101249.9","ts":"1762000000200"}``."""

    instId: str
    markPx: float
    ts: int


class MarkFrame(msgspec.Struct):
    """Channel ``mark-price``."""

    data: list[Mark]


class Index(msgspec.Struct):
    """``{"instId":"BTC-USDT","idxPx":"101260.1","ts":"1762000000200"}``."""

    instId: str
    idxPx: float


class IndexFrame(msgspec.Struct):
    """Channel ``index-tickers``."""

    data: list[Index]


class Funding(msgspec.Struct):
    """Rate that is settled at ``fundingTime``, and when the one after it is.

    ``{"instId":"BTC-USDT-SWAP","fundingRate":"0.0001","fundingTime":"1762012800000",
    "nextFundingTime":"1762041600000","ts":"1762000000200"}``
    """

    instId: str
    fundingRate: float
    fundingTime: int
    nextFundingTime: str = ""
    ts: int = 0


class FundingFrame(msgspec.Struct):
    """Channel ``funding-rate``."""

    data: list[Funding]


class Interest(msgspec.Struct):
    """``{"instId":"BTC-USDT-SWAP","instType":"SWAP","oi":"2507996","oiCcy":"25079.96","ts":"1762000000200"}``."""

    instId: str
    oi: float
    ts: int


class InterestFrame(msgspec.Struct):
    """Channel ``open-interest``: contracts that stand, every three seconds."""

    data: list[Interest]


class Ratios(msgspec.Struct):
    """Longs over shorts under ``/rubik/stat``, newest first: ``{"code":"0","data":[["1762000000000","1.25"]]}``."""

    code: str
    msg: str = ""
    data: list[tuple[int, float]] = []


class Answer(msgspec.Struct):
    """Any other answer; rows are read one by one."""

    code: str
    data: list[msgspec.Raw] = []


class Contract(msgspec.Struct):
    """One contract of ``/public/instruments``: ``ctVal`` x ``ctMult`` base units (linear) or USD (inverse).

    ``{"instId":"BTC-USDT-SWAP","uly":"BTC-USDT","ctType":"linear","ctVal":"0.01","ctValCcy":"BTC","ctMult":"1",
    "settleCcy":"USDT","state":"live","tickSz":"0.1","lotSz":"0.01","lever":"100"}``
    """

    instId: str
    uly: str
    ctType: str
    ctVal: float
    ctValCcy: str
    ctMult: float
    state: str
    tickSz: float
    lotSz: float
    lever: float


class Contracts(msgspec.Struct):
    """``GET /api/v5/public/instruments?instType=SWAP``: each of ``data`` a ``Contract``."""

    code: str
    data: list[msgspec.Raw]


class Tier(msgspec.Struct):
    """One tier of ``/public/position-tiers``, up to ``maxSz`` contracts.

    https://www.okx.com/docs-v5/en/#public-data-rest-api-get-position-tiers

    ``{"instFamily":"BTC-USDT","uly":"BTC-USDT","tier":"1","minSz":"0","maxSz":"500","mmr":"0.004","imr":"0.01",
    "maxLever":"100"}``
    """

    instFamily: str
    maxSz: float
    mmr: float
    maxLever: float


class Price(msgspec.Struct):
    """One mark price of ``/public/mark-price?instType=SWAP``."""

    instId: str
    markPx: float
