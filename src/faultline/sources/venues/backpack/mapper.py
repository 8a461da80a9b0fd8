"""Backpack's frames and answers in, rows out.

Subscriptions are not answered. The mark price of every contract comes once a second, whether it changed or not, so the
first one tells that what was asked for before it was taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.messages import NO_SEQ
from faultline.sources.book_chains import BookChains, BookChange
from faultline.sources.control import Confirmed, Refused
from faultline.sources.mapper import VenueMapper
from faultline.sources.recent_ids import RecentIds
from faultline.sources.rows import FrameReject, Reason
from faultline.sources.venues.backpack.payloads import (
    Depth,
    Head,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Snapshot,
    Trade,
)
from faultline.units import MICROSECOND_NS, MILLISECOND_NS, SECOND_NS, PriceKind, Side, TakerSide

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultline.sources.rows import Rows

__all__ = ("BOOK", "INTEREST", "LIQUIDATIONS", "MARKS", "TRADES", "BackpackMapper")

TRADES: Final = "trade"
BOOK: Final = "depth"
MARKS: Final = "markPrice"
INTEREST: Final = "openInterest"
LIQUIDATIONS: Final = "liquidation"

#: Side of the position that an order closes.
_CLOSED: Final = {"Ask": Side.LONG, "Bid": Side.SHORT}
#: A funding rate that does not change is told again after this long.
_REPEAT_NS: Final = 60 * SECOND_NS


class BackpackMapper(VenueMapper):
    """Maps streams ``trade``, ``depth``, ``markPrice``, ``openInterest``, ``liquidation`` and the book's snapshot."""

    venue: ClassVar[str] = "backpack"

    def reset(self) -> None:
        """Forget books, rates and liquidations."""
        self._chains = BookChains(are_fetched=True)
        self._rates: dict[str, tuple[float, int, int]] = {}
        self._liquidations = RecentIds()
        self._is_confirmed = False

    def _map_frame(self, frame: bytes, out: Rows) -> None:
        head = _HEAD.decode(frame)
        if head.error is not None:
            out.channel = "error"
            out.controls.append(Refused("", f"{head.error.code}: {head.error.message}"))
            return
        channel = head.stream.partition(".")[0]
        out.channel = channel or "?"
        way = self._WAYS.get(channel)
        if way is None:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, f"stream {head.stream[:40]!r}")
        decode, apply = way
        apply(self, decode(head.data), out)

    def _map_answer(self, channel: str, symbol: str, body: bytes, out: Rows) -> None:
        if channel != BOOK:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, channel)
        self.contract(symbol)
        book = _SNAPSHOT.decode(body)
        ts_ns = book.timestamp * MICROSECOND_NS
        bids, asks = self.lists.read(book.bids, book.asks)
        self._chains.snapshot(symbol, ts_ns, book.lastUpdateId, bids, asks, out, is_fetched=True)

    def _apply_trade(self, trade: Trade, out: Rows) -> None:
        qty_base = self.base_qty(trade.s, trade.q, trade.p)
        side = TakerSide.SELL if trade.m else TakerSide.BUY
        out.trade(trade.s, trade.T * MICROSECOND_NS, trade.t, trade.p, qty_base, side)

    def _apply_book(self, book: Depth, out: Rows) -> None:
        self.contract(book.s)
        bids, asks = self.lists.read(book.b, book.a)
        self._chains.change(BookChange(book.s, book.T * MICROSECOND_NS, book.U, book.u, bids, asks), out)

    def _apply_mark(self, one: MarkPrice, out: Rows) -> None:
        if not self._is_confirmed:
            self._is_confirmed = True
            out.controls.append(Confirmed(""))
        self.contract(one.s)
        ts_ns = one.E * MICROSECOND_NS
        out.mark(one.s, ts_ns, one.p, float("nan") if one.i is None else one.i)
        if one.f is None:
            return
        known = self._rates.get(one.s)
        if known is None or known[:2] != (one.f, one.n) or not 0 <= ts_ns - known[2] < _REPEAT_NS:
            self._rates[one.s] = (one.f, one.n, ts_ns)
            out.funding(one.s, ts_ns, one.f, next_ns=one.n * MILLISECOND_NS)

    def _apply_interest(self, one: OpenInterest, out: Rows) -> None:
        self.contract(one.s)
        if one.o:
            out.open_interest(one.s, one.E * MICROSECOND_NS, oi_base=one.o)

    def _apply_liquidation(self, one: Liquidation, out: Rows) -> None:
        """Of all contracts by one stream, and of each by its own: the same event may come twice."""
        if one.s not in self.contracts:
            if self.contracts:
                return  # All were subscribed; this one is not wanted.
            self.contract(one.s)
        side = _CLOSED.get(one.S)
        if side is None:
            raise FrameReject(Reason.UNKNOWN_WORD, f"S {one.S[:40]!r}")
        if not self._liquidations.admit((one.s, one.T, one.S, one.p, one.q)):
            return
        qty_base, notional_usd = self.amounts(one.s, one.q, one.p)
        out.liquidation(
            one.s, one.T * MICROSECOND_NS, side, PriceKind.UNKNOWN, one.p, qty_base, notional_usd, seq=NO_SEQ
        )

    #: Decoder and method of a channel.
    _WAYS: ClassVar[dict[str, tuple[Callable[[msgspec.Raw], Any], Callable[[Any, Any, Rows], None]]]] = {
        channel: (msgspec.json.Decoder(kind, strict=False).decode, apply)
        for channel, kind, apply in (
            (TRADES, Trade, _apply_trade),
            (BOOK, Depth, _apply_book),
            (MARKS, MarkPrice, _apply_mark),
            (INTEREST, OpenInterest, _apply_interest),
            (LIQUIDATIONS, Liquidation, _apply_liquidation),
        )
    }


_HEAD: Final = msgspec.json.Decoder(Head)
_SNAPSHOT: Final = msgspec.json.Decoder(Snapshot, strict=False)
