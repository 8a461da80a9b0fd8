"""Paradex' frames in, rows out.

A trade says what it was. ``LIQUIDATION`` is a trade and a liquidation of the side that the taker closed; what was only
handed over, settled or agreed elsewhere is no trade of the book.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.messages import NO_SEQ, TradeCause
from faultline.sources.control import Confirmed, Refused
from faultline.sources.mapper import VenueMapper
from faultline.sources.rows import FrameReject, Reason
from faultline.sources.venues.paradex.payloads import Book, Frame, Head, Summary, Trade
from faultline.units import MILLISECOND_NS, PriceKind, TakerSide

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultline.sources.rows import Rows

__all__ = ("BOOK", "SUMMARY", "TRADES", "UNSUBSCRIBE_ID", "ParadexMapper")

TRADES: Final = "trades"
BOOK: Final = "order_book"
SUMMARY: Final = "markets_summary"
#: Number of our requests to unsubscribe, whose answers confirm nothing; others count from 1.
UNSUBSCRIBE_ID: Final = 0

_TAKER: Final = {"BUY": TakerSide.BUY, "SELL": TakerSide.SELL}
_CAUSES: Final = {
    "FILL": TradeCause.ORDINARY,
    "RPI": TradeCause.ORDINARY,
    "LIQUIDATION": TradeCause.LIQUIDATION,
}
#: Reported like trades, and none of the book: transfers of positions, settlements, agreements made elsewhere.
_ELSEWHERE: Final = {"UNWIND_TRANSFER", "SETTLE_MARKET", "BLOCK_TRADE"}


class ParadexMapper(VenueMapper):
    """Maps trades, whole books of fifteen levels a side, and states of markets."""

    venue: ClassVar[str] = "paradex"

    def reset(self) -> None:
        """Nothing spans frames: every book is whole."""

    def _map_frame(self, frame: bytes, out: Rows) -> None:
        head = _HEAD.decode(frame)
        if head.method != "subscription":
            _apply_answer(head, out)
            return
        name = "" if head.params is None else head.params.channel
        channel = name.partition(".")[0]
        out.channel = channel or "?"
        way = self._WAYS.get(channel)
        if way is None:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, f"channel {name[:60]!r}")
        decode, apply = way
        apply(self, decode(frame).params.data, out)

    def _map_answer(self, channel: str, symbol: str, body: bytes, out: Rows) -> None:
        del symbol, body, out
        raise FrameReject(Reason.UNKNOWN_CHANNEL, channel)

    def _apply_trade(self, trade: Trade, out: Rows) -> None:
        symbol, price, ts_ns = trade.market, trade.price, trade.created_at * MILLISECOND_NS
        qty_base, value_usd = self.amounts(symbol, trade.size, price)
        if trade.trade_type in _ELSEWHERE:
            return
        taker, cause = _TAKER.get(trade.side), _CAUSES.get(trade.trade_type)
        if taker is None or cause is None:
            raise FrameReject(Reason.UNKNOWN_WORD, f"{trade.side[:20]!r}, {trade.trade_type[:20]!r}")
        out.trade(symbol, ts_ns, NO_SEQ, price, qty_base, taker, cause)
        if cause is TradeCause.LIQUIDATION:
            out.liquidation(symbol, ts_ns, -taker, PriceKind.FILL, price, qty_base, value_usd)

    def _apply_book(self, book: Book, out: Rows) -> None:
        self.contract(book.market)
        if book.update_type != "s":
            raise FrameReject(Reason.UNKNOWN_WORD, f"update_type {book.update_type[:20]!r}")
        sides: dict[str, list[tuple[float, float]]] = {"BUY": [], "SELL": []}
        for level in book.inserts:
            if level.side not in sides:
                raise FrameReject(Reason.UNKNOWN_WORD, f"side {level.side[:20]!r}")
            sides[level.side].append((level.price, level.size))
        ts_ns = book.last_updated_at * MILLISECOND_NS
        out.levels(book.market, ts_ns, book.seq_no, sides["BUY"], sides["SELL"], is_snapshot=True)

    def _apply_summary(self, state: Summary, out: Rows) -> None:
        symbol, ts_ns = state.symbol, state.created_at * MILLISECOND_NS
        self.contract(symbol)
        if state.mark_price is not None:
            index_usd = float("nan") if state.underlying_price is None else state.underlying_price
            out.mark(symbol, ts_ns, state.mark_price, index_usd)
        if state.funding_rate is not None:
            out.funding(symbol, ts_ns, state.funding_rate)
        if state.open_interest:  # 0 stands for a market that nobody holds yet
            out.open_interest(symbol, ts_ns, oi_base=state.open_interest)

    #: Decoder and method of a channel.
    _WAYS: ClassVar[dict[str, tuple[Callable[[bytes], Any], Callable[[Any, Any, Rows], None]]]] = {
        channel: (msgspec.json.Decoder(kind, strict=False).decode, apply)
        for channel, kind, apply in (
            (TRADES, Frame[Trade], _apply_trade),
            (BOOK, Frame[Book], _apply_book),
            (SUMMARY, Frame[Summary], _apply_summary),
        )
    }


def _apply_answer(head: Head, out: Rows) -> None:
    """The answer to a request."""
    out.channel = head.method or "answer"
    if head.error is not None:
        fault = head.error
        out.controls.append(Refused("", f"{fault.code}: {fault.message[:100]}, {(fault.data or '')[:100]}"))
    elif head.method or head.id is None or head.result is None:
        raise FrameReject(Reason.UNKNOWN_CHANNEL, f"method {head.method[:40]!r}")
    elif head.id != UNSUBSCRIBE_ID:
        out.controls.append(Confirmed(head.result.channel))


_HEAD: Final = msgspec.json.Decoder(Head)
