"""KuCoin Futures' frames in, rows out; sizes count contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.instruments import ContractKind
from faultline.sources.book_chains import BookChains, BookChange
from faultline.sources.control import Confirmed, Refused
from faultline.sources.mapper import VenueMapper
from faultline.sources.rows import FrameReject, Reason
from faultline.sources.venues.kucoin.payloads import Answer, Change, Head, OrderBook, Price, State, Trade
from faultline.units import MILLISECOND_NS, TakerSide

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultline.sources.rows import Rows

__all__ = ("BOOK", "MARKS", "STATES", "TRADES", "KucoinMapper")

TRADES: Final = "contractMarket/execution"
BOOK: Final = "contractMarket/level2"
MARKS: Final = "contract/instrument"
STATES: Final = "contracts"

_TAKER: Final = {"buy": TakerSide.BUY, "sell": TakerSide.SELL}
_PRICES: Final = "mark.index.price"
#: Subjects beside the prices that are not read: rates are polled, which says when they are settled.
_PASSED_OVER: Final = {"funding.rate"}
_CHANGE_PARTS: Final = 3


class KucoinMapper(VenueMapper):
    """Maps three topics, the book's snapshot and the poll ``contracts``."""

    venue: ClassVar[str] = "kucoin"

    def reset(self) -> None:
        """Forget books."""
        self._chains = BookChains(are_fetched=True)

    def _map_frame(self, frame: bytes, out: Rows) -> None:
        head = _HEAD.decode(frame)
        if head.type != "message":
            _apply_answer(head, out)
            return
        name, _, symbol = head.topic.partition(":")
        out.channel = name.removeprefix("/") or "?"
        way = self._WAYS.get(out.channel)
        if way is None:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, f"topic {head.topic[:60]!r}")
        if out.channel == MARKS and head.subject != _PRICES:
            if head.subject not in _PASSED_OVER:
                raise FrameReject(Reason.UNKNOWN_WORD, f"subject {head.subject[:40]!r}")
            return
        decode, apply = way
        apply(self, symbol, decode(head.data), out)

    def _map_answer(self, channel: str, symbol: str, body: bytes, out: Rows) -> None:
        if channel not in {BOOK, STATES}:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, channel)
        self.contract(symbol)
        answer = _ANSWER.decode(body)
        if answer.code != "200000":
            raise FrameReject(Reason.VENUE_ERROR, f"{answer.code}: {answer.msg}")
        found = (_BOOK if channel == BOOK else _STATE).decode(answer.data)
        if found.symbol != symbol:
            raise FrameReject(Reason.UNKNOWN_SYMBOL, f"{found.symbol[:40]!r} was not asked for")
        if isinstance(found, OrderBook):
            bids, asks = self.read_levels(symbol, found.bids, found.asks)
            self._chains.snapshot(symbol, found.ts, found.sequence, bids, asks, out, is_fetched=True)
        else:
            self._apply_state(found, out)

    def _apply_state(self, state: State, out: Rows) -> None:
        """The answer tells no time: it is of now."""
        symbol, ts_ns = state.symbol, out.received_ns
        if state.fundingFeeRate is not None:
            interval_ns = (state.fundingRateGranularity or 0) * MILLISECOND_NS
            next_ns = (state.nextFundingRateDateTime or 0) * MILLISECOND_NS
            out.funding(symbol, ts_ns, state.fundingFeeRate, interval_ns=interval_ns, next_ns=next_ns)
        if state.openInterest is not None:
            # At a price of 1 the two amounts are base units of a linear contract, and USD of an inverse one.
            qty_base, value_usd = self.amounts(symbol, state.openInterest, 1.0)
            if self.contracts[symbol].contract_kind is ContractKind.INVERSE:
                out.open_interest(symbol, ts_ns, oi_usd=value_usd)
            else:
                out.open_interest(symbol, ts_ns, oi_base=qty_base)

    def _apply_trade(self, symbol: str, trade: Trade, out: Rows) -> None:
        del symbol
        side = _TAKER.get(trade.side)
        if side is None:
            raise FrameReject(Reason.UNKNOWN_WORD, f"side {trade.side!r}")
        qty_base = self.base_qty(trade.symbol, trade.size, trade.price)
        out.trade(trade.symbol, trade.ts, trade.sequence, trade.price, qty_base, side)

    def _apply_change(self, symbol: str, change: Change, out: Rows) -> None:
        self.contract(symbol)
        is_bid, told = _level_of(change.change)
        levels, none = self.base_levels(symbol, told), self.base_levels(symbol, [])
        bids, asks = (levels, none) if is_bid else (none, levels)
        ts_ns, number = change.timestamp * MILLISECOND_NS, change.sequence
        self._chains.change(BookChange(symbol, ts_ns, number, number, bids, asks), out)

    def _apply_price(self, symbol: str, price: Price, out: Rows) -> None:
        self.contract(symbol)
        out.mark(symbol, price.timestamp * MILLISECOND_NS, price.markPrice, price.indexPrice)

    #: Decoder and method of a topic.
    _WAYS: ClassVar[dict[str, tuple[Callable[[msgspec.Raw], Any], Callable[[Any, str, Any, Rows], None]]]] = {
        channel: (msgspec.json.Decoder(kind, strict=False).decode, apply)
        for channel, kind, apply in (
            (TRADES, Trade, _apply_trade),
            (BOOK, Change, _apply_change),
            (MARKS, Price, _apply_price),
        )
    }


def _apply_answer(head: Head, out: Rows) -> None:
    out.channel = head.type or "?"
    if head.type == "ack":
        out.controls.append(Confirmed(head.id))
    elif head.type == "error":
        detail = bytes(head.data).decode()[:200]
        out.controls.append(Refused(head.id, f"{head.code}: {detail}"))
    elif head.type not in {"welcome", "pong"}:
        raise FrameReject(Reason.UNKNOWN_CHANNEL, f"type {head.type[:40]!r}")


def _level_of(change: str) -> tuple[bool, list[tuple[float, float]]]:
    """Whether a change is of the bids, and its level; none where the price is 0, which moves the sequence only.

    Raises:
        FrameReject: it is not "price,side,contracts".
    """
    parts = change.split(",")
    if len(parts) != _CHANGE_PARTS or parts[1] not in _TAKER:
        raise FrameReject(Reason.WRONG_SHAPE, f"change {change[:60]!r}")
    try:
        level = float(parts[0]), float(parts[2])
    except ValueError:
        raise FrameReject(Reason.WRONG_SHAPE, f"change {change[:60]!r}") from None
    return parts[1] == "buy", [level] if level[0] != 0 else []


_HEAD: Final = msgspec.json.Decoder(Head, strict=False)
_ANSWER: Final = msgspec.json.Decoder(Answer, strict=False)
_BOOK: Final = msgspec.json.Decoder(OrderBook, strict=False)
_STATE: Final = msgspec.json.Decoder(State, strict=False)
