"""HTX's frames and answers as they are sent, the frames unzipped.

Only fields that are used are declared. https://huobiapi.github.io/docs/usdt_swap/v1/en/
"""

from __future__ import annotations

import msgspec

__all__ = (
    "AdjustFactor",
    "Answer",
    "Book",
    "Contract",
    "Funding",
    "Head",
    "IndexPrice",
    "Kline",
    "Ladder",
    "LeverageLadders",
    "Liquidation",
    "OpenInterest",
    "Ratio",
    "RatioList",
    "Ratios",
    "Trade",
    "Trades",
)


class Head(msgspec.Struct):
    """Every frame: of market data (``ch`` and ``tick``), a notification (``topic`` and ``data``), an answer or a ping.

    ``{"ch":"market.BTC-USDT.trade.detail","ts":1777000000131,"tick":{...}}``,
    ``{"op":"notify","topic":"public.BTC-USDT.liquidation_orders","ts":1777000000131,"data":[...]}``,
    ``{"id":"market.X.trade.detail","status":"error","err-code":"bad-request","err-msg":"invalid symbol X"}``,
    ``{"op":"sub","cid":"1","topic":"public.BTC-USDT.funding_rate","ts":1777000000131,"err-code":0}``,
    ``{"ping":1777000000131}``, ``{"op":"ping","ts":"1777000000131"}``
    """

    ch: str = ""
    tick: msgspec.Raw = msgspec.Raw(b"")
    op: str = ""
    topic: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    ts: int = 0
    ping: int | None = None
    id: str | int = ""
    subbed: str = ""
    unsubbed: str = ""
    status: str = ""
    err_code: str | int = msgspec.field(name="err-code", default=0)
    err_msg: str = msgspec.field(name="err-msg", default="")


class Trade(msgspec.Struct):
    """One trade; ``amount`` counts the contracts of both sides, so twice what changed hands.

    https://huobiapi.github.io/docs/usdt_swap/v1/en/

    ``{"amount":12,"quantity":0.012,"trade_turnover":1215.0,"ts":1777000000123,"id":1000236879100001,
    "price":101250.4,"direction":"buy"}``; ``direction`` is the taker's, and may be empty.
    """

    amount: float
    ts: int
    id: int
    price: float
    direction: str


class Trades(msgspec.Struct):
    """``market.{contract}.trade.detail``."""

    data: list[Trade]


class Book(msgspec.Struct):
    """``market.{contract}.depth.size_150.high_freq``: levels of price and contracts; ``version`` rises by one.

    https://huobiapi.github.io/docs/usdt_swap/v1/en/#general-subscribe-incremental-market-depth-data

    ``{"asks":[[101250.5,41]],"bids":[],"event":"update","id":100023687921778,"ts":1777000000200,"version":1707174302}``
    """

    asks: msgspec.Raw
    bids: msgspec.Raw
    event: str
    ts: int
    version: int


class Kline(msgspec.Struct):
    """``market.{contract}.mark_price.1min`` and ``market.{contract}.index.1min``: a candle whose close is the latest.

    https://www.htx.com/en-us/opend/newApiPages/?id=8cb7cc15-77b5-11ed-9966-0242ac110003

    ``{"id":1777000000,"open":"101240.1","close":"101249.9","low":"101240.1","high":"101251.0","vol":"0"}``
    """

    close: float


class Liquidation(msgspec.Struct):
    """One row of ``public.{contract}.liquidation_orders``: ``direction`` of the order that closes, at bankruptcy price.

    https://huobiapi.github.io/docs/usdt_swap/v1/en/

    ``{"symbol":"BTC","contract_code":"BTC-USDT","direction":"sell","offset":"close","volume":120.0,"price":99850.5,
    "created_at":1777000000084,"amount":0.12,"trade_turnover":11982.06}``; ``volume`` counts contracts, ``amount`` (of
    linear contracts only) base units.
    """

    contract_code: str
    direction: str
    volume: float
    price: float
    created_at: int


class Funding(msgspec.Struct):
    """One row of ``public.{contract}.funding_rate``, every minute; settled at ``settlement_time``.

    https://huobiapi.github.io/docs/usdt_swap/v1/en/

    ``{"symbol":"BTC","contract_code":"BTC-USDT","fee_asset":"USDT","funding_time":"1777000020000",
    "funding_rate":"0.0001","estimated_rate":null,"settlement_time":"1777017600000"}``
    """

    contract_code: str
    funding_rate: float
    settlement_time: int = 0


class OpenInterest(msgspec.Struct):
    """One row of ``swap_open_interest``: contracts of one side.

    https://huobiapi.github.io/docs/usdt_swap/v1/en/#general-query-information-on-open-interest

    ``{"volume":3063121.0,"amount":3063.121,"symbol":"BTC","value":310141000.5,"contract_code":"BTC-USDT"}``
    """

    contract_code: str
    volume: float


class Ratio(msgspec.Struct):
    """``{"buy_ratio":0.58,"sell_ratio":0.42,"locked_ratio":0.0,"ts":1777000200000}``."""

    buy_ratio: float
    sell_ratio: float
    ts: int


class RatioList(msgspec.Struct):
    """Rows in order of time."""

    rows: list[Ratio] = msgspec.field(name="list")


class Ratios(msgspec.Struct):
    """``swap_elite_account_ratio`` and ``swap_elite_position_ratio``.

    https://huobiapi.github.io/docs/usdt_swap/v1/en/
    """

    status: str
    data: RatioList | None = None
    err_msg: str = ""


class Answer(msgspec.Struct):
    """Any other answer; rows are read one by one."""

    status: str
    ts: int = 0
    data: list[msgspec.Raw] = []
    err_msg: str = ""


class Contract(msgspec.Struct):
    """One contract of ``swap_contract_info``: ``contract_size`` base units (linear) or USD (inverse).

    https://huobiapi.github.io/docs/usdt_swap/v1/en/#general-query-swap-info

    ``{"symbol":"BTC","contract_code":"BTC-USDT","contract_size":0.001,"price_tick":0.1,"contract_status":1,
    "business_type":"swap"}``; status 1 trades.
    """

    contract_code: str
    size_per_contract: float = msgspec.field(name="contract_size")
    price_tick: float
    contract_status: int
    business_type: str = "swap"


class IndexPrice(msgspec.Struct):
    """One row of ``swap_index``: ``{"index_price":101260.1,"contract_code":"BTC-USDT","index_ts":1777000000000}``."""

    contract_code: str
    index_price: float


class Ladder(msgspec.Struct):
    """Positions from ``min_size`` contracts, up to the next ladder."""

    min_size: float
    adjust_factor: float


class LeverageLadders(msgspec.Struct):
    """Ladders of one leverage."""

    lever_rate: float
    ladders: list[Ladder]


class AdjustFactor(msgspec.Struct):
    """One contract of ``swap_adjustfactor``.

    https://www.htx.com/en-us/opend/newApiPages/?id=8cb7fb2c-77b5-11ed-9966-0242ac110003

    ``{"symbol":"BTC","contract_code":"BTC-USDT","margin_mode":"isolated","list":[{"lever_rate":20,
    "ladders":[{"ladder":0,"min_size":0,"max_size":17999,"adjust_factor":0.12}]}]}``
    """

    contract_code: str
    rows: list[LeverageLadders] = msgspec.field(name="list")
