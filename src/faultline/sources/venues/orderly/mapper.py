"""Orderly's frames and answers in, rows out.

A liquidation is pushed without a price: it is valued at the mark price, which the same connection tells every second,
and waits for that where none has come yet, for the next connection's if need be. Where none comes in time it is written
without a price. Positions of all accounts are polled.
"""

from __future__ import annotations

import collections
import math
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

import msgspec

from faultline.messages import NO_SEQ
from faultline.sources.book_chains import BookChains
from faultline.sources.book_chains import BookChange as Change
from faultline.sources.control import Confirmed, Refused, Reply
from faultline.sources.mapper import VenueMapper
from faultline.sources.recent_ids import RecentIds
from faultline.sources.rows import LARGEST, FrameReject, Reason
from faultline.sources.venues.orderly.payloads import (
    Book,
    BookChange,
    Frame,
    Funding,
    Head,
    Liquidation,
    OpenInterest,
    Position,
    Positions,
    Price,
    Trade,
)
from faultline.units import MILLISECOND_NS, PriceKind, TakerSide

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultline.sources.rows import Rows

__all__ = (
    "BOOK",
    "BOOK_REQUEST",
    "FUNDING",
    "INTEREST",
    "LIQUIDATIONS",
    "MARKS",
    "POSITIONS",
    "TRADES",
    "OrderlyMapper",
)

TRADES: Final = "trade"
BOOK: Final = "orderbookupdate"
INTEREST: Final = "openinterest"
FUNDING: Final = "estfundingrate"
MARKS: Final = "markprices"
LIQUIDATIONS: Final = "liquidation"
POSITIONS: Final = "platformPositions"
#: Id of our requests for whole books.
BOOK_REQUEST: Final = "orderbook"

_TAKER: Final = {"BUY": TakerSide.BUY, "SELL": TakerSide.SELL}
_SIDES: Final = {"LONG": 1, "SHORT": -1}
_MODES: Final = {"CROSS": 1, "ISOLATED": 0}
_PONG: Final = Reply(b'{"event":"pong"}')
#: A liquidation that began longer ago stood in the list before we came; its price is not known any more.
_OLD_MS: Final = 60_000
#: Liquidations that wait for a mark price, per contract; the oldest is then written without one.
_WAITING_MAX: Final = 64


class _Waiting(NamedTuple):
    """A liquidation without its price; the sign of the quantity is the side of the position."""

    id: int
    ts_ms: int
    qty: float

    def write(self, symbol: str, out: Rows, mark_usd: float = math.nan) -> None:
        """Write it, at a mark price where that is known."""
        ts_ns, side, qty_base = self.ts_ms * MILLISECOND_NS, (1 if self.qty > 0 else -1), abs(self.qty)
        if math.isnan(mark_usd):
            out.unpriced_liquidation(symbol, ts_ns, side, qty_base, seq=self.id)
        else:
            value_usd = qty_base * mark_usd
            out.liquidation(symbol, ts_ns, side, PriceKind.MARK, mark_usd, qty_base, value_usd, seq=self.id)


class OrderlyMapper(VenueMapper):
    """Maps trades, books chained by times, marks, funding, interest, liquidations, and polled positions.

    Attributes:
        waiting: liquidations by contract that have no price yet.
        told: ids of those that came.
    """

    venue: ClassVar[str] = "orderly"

    def reset(self) -> None:
        """Forget books, marks, liquidations, and who held what."""
        self._books = BookChains(are_fetched=True)
        self._marks: dict[str, float] = {}
        self.told = RecentIds()
        self.waiting: dict[str, collections.deque[_Waiting]] = {}
        self._held: dict[str, set[str]] = {}

    def inherit(self, before: VenueMapper) -> None:
        """Take over liquidations that wait for a mark price, and which were told."""
        if isinstance(before, OrderlyMapper):
            self.waiting, self.told = before.waiting, before.told

    def finish(self, out: Rows) -> None:
        """Write liquidations that wait, without a price."""
        out.channel = LIQUIDATIONS
        for symbol in list(self.waiting):
            for one in self.waiting.pop(symbol):
                one.write(symbol, out)

    def _map_frame(self, frame: bytes, out: Rows) -> None:
        head = _HEAD.decode(frame)
        if not head.topic:
            self._apply_event(head, frame, out)
            return
        symbol, at, channel = head.topic.rpartition("@")
        out.channel = channel or "?"
        way = self._WAYS.get(channel)
        if way is None or bool(at) != bool(symbol):
            raise FrameReject(Reason.UNKNOWN_CHANNEL, f"topic {head.topic[:60]!r}")
        decode, apply = way
        apply(self, decode(frame), out)

    def _apply_event(self, head: Head, frame: bytes, out: Rows) -> None:
        """A ping, or the answer to a request; the whole book comes as one."""
        out.channel = head.event or "?"
        if head.event == "ping":
            out.controls.append(_PONG)
        elif head.event in {"subscribe", "request"} and head.success is False:
            out.controls.append(Refused(head.id, head.errorMsg[:200]))
        elif head.event == "subscribe":
            out.controls.append(Confirmed(head.id))
        elif head.event == "request":
            out.channel = BOOK
            book = _BOOK.decode(frame).data
            self.contract(book.symbol)
            ts_ns = book.ts * MILLISECOND_NS
            bids, asks = self.lists.read(book.bids, book.asks)
            self._books.snapshot(book.symbol, ts_ns, book.ts, bids, asks, out, is_fetched=True)
        elif head.event not in {"pong", "unsubscribe"}:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, f"event {head.event[:40]!r}")

    def _map_answer(self, channel: str, symbol: str, body: bytes, out: Rows) -> None:
        if channel != POSITIONS:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, channel)
        answer = _POSITIONS.decode(body)
        self.contract(symbol)
        if not answer.success or answer.data is None:
            raise FrameReject(Reason.VENUE_ERROR, f"{answer.code[:40]}: {answer.message[:100]}")
        rows = [row for row in answer.data.rows if row.symbol == symbol]
        ts_ns = answer.ts * MILLISECOND_NS or out.received_ns
        self._apply_positions(symbol, rows, ts_ns, out, is_whole=answer.data.next_cursor is None)

    def _apply_trade(self, frame: Frame[Trade], out: Rows) -> None:
        trade = frame.data
        side = _TAKER.get(trade.side)
        if side is None:
            raise FrameReject(Reason.UNKNOWN_WORD, f"side {trade.side[:20]!r}")
        self.contract(trade.symbol)
        out.trade(trade.symbol, frame.ts * MILLISECOND_NS, NO_SEQ, trade.price, trade.size, side)

    def _apply_book(self, frame: Frame[BookChange], out: Rows) -> None:
        """A change holds from the time of the one before to its own; times are the numbers of the chain."""
        one = frame.data
        self.contract(one.symbol)
        ts_ns = frame.ts * MILLISECOND_NS
        bids, asks = self.lists.read(one.bids, one.asks)
        self._books.change(Change(one.symbol, ts_ns, one.prevTs + 1, frame.ts, bids, asks), out)

    def _apply_marks(self, frame: Frame[list[Price]], out: Rows) -> None:
        """Of all contracts; those that were not asked for are passed over."""
        for one in frame.data:
            symbol = one.symbol
            if symbol not in self.contracts:
                continue
            out.mark(symbol, frame.ts * MILLISECOND_NS, one.price)
            if not 0.0 < one.price < LARGEST:
                continue
            self._marks[symbol] = one.price
            for waiting in self.waiting.pop(symbol, ()):
                is_old = frame.ts - waiting.ts_ms > _OLD_MS
                waiting.write(symbol, out, math.nan if is_old else one.price)

    def _apply_interest(self, frame: Frame[OpenInterest], out: Rows) -> None:
        one = frame.data
        self.contract(one.symbol)
        if one.openInterest:  # 0 stands for a contract that nobody holds yet
            out.open_interest(one.symbol, frame.ts * MILLISECOND_NS, oi_base=one.openInterest)

    def _apply_funding(self, frame: Frame[Funding], out: Rows) -> None:
        self.contract(frame.data.symbol)
        out.funding(frame.data.symbol, frame.ts * MILLISECOND_NS, frame.data.fundingRate)

    def _apply_liquidations(self, frame: Frame[list[Liquidation]], out: Rows) -> None:
        """Positions of accounts that were taken over, each told once; contracts not asked for are passed over."""
        for one in frame.data:
            if one.type != "liquidated" or frame.ts - one.timestamp > _OLD_MS:
                continue
            for position in one.positionsByPerp:
                symbol = position.symbol
                if symbol not in self.contracts or not self.told.admit((one.liquidationId, symbol)):
                    continue
                found = _Waiting(one.liquidationId, one.timestamp, position.positionQty)
                if symbol in self._marks:
                    found.write(symbol, out, self._marks[symbol])
                    continue
                waiting = self.waiting.setdefault(symbol, collections.deque())
                waiting.append(found)
                if len(waiting) > _WAITING_MAX:
                    waiting.popleft().write(symbol, out)

    def _apply_positions(
        self, symbol: str, rows: list[Position], ts_ns: int, out: Rows, *, is_whole: bool
    ) -> None:
        """Positions that stand, and a zero for each that stood in the answer before (where this one is whole)."""
        times = collections.Counter(row.address for row in rows)
        now: set[str] = set()
        for row in rows:
            # An address may have several accounts, each with a position of its own.
            wallet = row.address if times[row.address] == 1 else row.account_id
            if not wallet:
                continue  # the venue could not tell whose it is
            side = _SIDES.get(row.side)
            if side is None:
                raise FrameReject(Reason.UNKNOWN_WORD, f"side {row.side[:20]!r}")
            now.add(wallet)
            out.wallet_position(
                symbol,
                ts_ns,
                wallet,
                side,
                abs(row.position_qty),
                _known(row.average_open_price),
                leverage=_known(row.leverage),
                is_cross=_MODES.get(row.margin_mode or "", -1),
                liquidation_price_usd=_known(row.est_liq_price),
                notional_usd=_known(row.notional),
                unrealized_pnl_usd=_known(row.unrealized_pnl),
            )
        before = self._held.get(symbol, set())
        if is_whole:
            for wallet in sorted(before - now):
                out.wallet_position(symbol, ts_ns, wallet, 0, 0.0, math.nan)
        self._held[symbol] = now if is_whole else before | now

    #: Decoder and method of a channel.
    _WAYS: ClassVar[dict[str, tuple[Callable[[bytes], Any], Callable[[Any, Any, Rows], None]]]] = {
        channel: (msgspec.json.Decoder(kind, strict=False).decode, apply)
        for channel, kind, apply in (
            (TRADES, Frame[Trade], _apply_trade),
            (BOOK, Frame[BookChange], _apply_book),
            (MARKS, Frame[list[Price]], _apply_marks),
            (INTEREST, Frame[OpenInterest], _apply_interest),
            (FUNDING, Frame[Funding], _apply_funding),
            (LIQUIDATIONS, Frame[list[Liquidation]], _apply_liquidations),
        )
    }


def _known(value: float | None) -> float:
    return math.nan if value is None else value


_HEAD: Final = msgspec.json.Decoder(Head)
_BOOK: Final = msgspec.json.Decoder(Frame[Book], strict=False)
_POSITIONS: Final = msgspec.json.Decoder(Positions, strict=False)
