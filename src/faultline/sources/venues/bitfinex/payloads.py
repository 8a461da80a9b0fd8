"""Bitfinex's frames and answers as they are sent: arrays, in which new fields may follow at the end.

Fields that are not used are there to hold their place. https://docs.bitfinex.com/docs/ws-general
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = (
    "BookLevel",
    "DerivativeStatus",
    "Event",
    "FuturesPair",
    "Liquidation",
    "PairFacts",
    "Price",
    "Trade",
)


class Event(msgspec.Struct):
    """An answer to a request, or a notice; everything else is an array.

    ``{"event":"subscribed","channel":"trades","chanId":17470,"symbol":"tBTCF0:USTF0","pair":"BTCF0:USTF0"}``,
    ``{"event":"error","msg":"symbol: invalid","code":10300,"channel":"trades","symbol":"tNOF0:USTF0"}``
    """

    event: str = ""
    channel: str = ""
    chanId: int = -1
    symbol: str = ""
    key: str = ""
    msg: str = ""
    code: int = 0


class Trade(msgspec.Struct, array_like=True):
    """One trade; the amount is positive where the taker bought.

    https://docs.bitfinex.com/reference/ws-public-trades

    ``[17470,"te",[401597395,1762000000808,0.005,101250],1762000000811]``
    """

    id: int
    time: int
    amount: float
    price: float


class BookLevel(msgspec.Struct, array_like=True):
    """One level: bids have a positive amount; without orders (``count`` 0) it is gone.

    https://docs.bitfinex.com/reference/ws-public-books

    ``[17471,[101250,3,0.75],1762000000903]``, ``[17471,[101240,0,1],1762000000904]``
    """

    price: float
    count: int
    amount: float


class DerivativeStatus(msgspec.Struct, array_like=True):
    """State of a contract.

    https://docs.bitfinex.com/reference/ws-public-status

    ``[335856,[1762000000000,null,101248.5,101260.25,null,37671483.04,null,1762012800000,0.00002353,317,null,
    0.00007587,null,null,101251.8,null,null,5775.20348804,null,null,null,0.0005,0.0025],1762000000010]``
    """

    time: int
    reserved_1: Any
    price: float | None
    spot_price: float | None
    reserved_4: Any
    insurance_fund: float | None
    reserved_6: Any
    next_funding_time: int | None
    next_funding_accrued: float | None
    next_funding_step: int | None
    reserved_10: Any
    current_funding: float | None
    reserved_12: Any
    reserved_13: Any
    mark_price: float | None
    reserved_15: Any
    reserved_16: Any
    open_interest: float | None


class Liquidation(msgspec.Struct, array_like=True):
    """One liquidation: the sign of the amount is the side of the position, ``base_price`` its entry.

    https://docs.bitfinex.com/reference/ws-public-status

    ``["pos",143683674,1762000000742,null,"tBTCF0:USTF0",0.25,101400.5,null,0,1,null,null]``; ``is_match`` 0 where the
    liquidation began, 1 where it was matched with an order at ``price_acquired``.
    """

    kind: str
    position: int
    time: int
    reserved_3: Any
    symbol: str
    amount: float
    base_price: float
    reserved_7: Any
    is_match: int


class PairFacts(msgspec.Struct, array_like=True):
    """Order sizes and margins of a pair."""

    reserved_0: Any
    reserved_1: Any
    reserved_2: Any
    size_min: float
    size_max: float
    reserved_5: Any
    reserved_6: Any
    reserved_7: Any
    initial_margin: float
    maintenance_margin: float


class FuturesPair(msgspec.Struct, array_like=True):
    """One contract of ``GET /v2/conf/pub:info:pair:futures``.

    https://docs.bitfinex.com/reference/rest-public-conf

    ``["BTCF0:USTF0",[null,null,null,"0.0001","100.0",null,null,null,0.01,0.005]]``
    """

    name: str
    facts: PairFacts


class Price(msgspec.Struct, array_like=True):
    """One row of ``GET /v2/status/deriv``, of which the price is used.

    ``["tBTCF0:USTF0",1762000000000,null,101248.5]``
    """

    symbol: str
    time: int
    reserved_2: Any
    price: float
