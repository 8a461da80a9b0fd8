"""Extended's frames and answers in, rows out.

Frames do not name their stream: it follows from their type and shape. A trade says what it was; ``LIQUIDATION`` is a
trade and a liquidation of the side that the taker closed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from faultline.messages import NO_SEQ, TradeCause
from faultline.sources.awaited import AwaitedSnapshots, lose_book
from faultline.sources.control import Refused, Resync
from faultline.sources.level_lists import LevelLists
from faultline.sources.mapper import VenueMapper
from faultline.sources.recent_ids import RecentIds
from faultline.sources.rows import FrameReject, Reason
from faultline.sources.venues.extended.payloads import (
    Book,
    Funding,
    Head,
    Level,
    LevelChange,
    Mark,
    RestBookAnswer,
    RestLevel,
    StatsAnswer,
    Trade,
)
from faultline.units import HOUR_NS, MILLISECOND_NS, PriceKind, TakerSide

if TYPE_CHECKING:
    from faultline.sources.rows import Levels, Rows

    #: Bids and asks.
    Sides = tuple[Levels, Levels]

__all__ = ("BOOK", "FUNDING", "MARKS", "STATS", "TRADES", "ExtendedMapper")

TRADES: Final = "publicTrades"
BOOK: Final = "orderbooks"
MARKS: Final = "prices/mark"
FUNDING: Final = "funding"
STATS: Final = "stats"

_TAKER: Final = {"BUY": TakerSide.BUY, "SELL": TakerSide.SELL}
_CAUSES: Final = {
    "TRADE": TradeCause.ORDINARY,
    "LIQUIDATION": TradeCause.LIQUIDATION,
    "DELEVERAGE": TradeCause.ADL,
}
#: Changes that wait for a snapshot; 100 s of them at ten a second.
_WAITING_MAX: Final = 1000


class ExtendedMapper(VenueMapper):
    """Maps trades, one market's book, mark prices and funding, and polled open interest."""

    venue: ClassVar[str] = "extended"
    level_form: ClassVar = ('{"p":%,"q":%,"c":%}', list[Level])

    def reset(self) -> None:
        """Forget the book and trades."""
        self._last_seq: dict[str, int] = {}
        #: Books that are right; changes of others wait for a snapshot.
        self._whole: set[str] = set()
        self._waiting: dict[str, list[tuple[int, int, Sides]]] = {}
        self._changes = LevelLists('{"p":%,"q":"?","c":%}', list[LevelChange])
        self._fetched = LevelLists('{"price":%,"qty":%}', list[RestLevel])
        self._awaited = AwaitedSnapshots()
        self._trades = RecentIds()

    def _map_frame(self, frame: bytes, out: Rows) -> None:
        head = _HEAD.decode(frame)
        body = bytes(head.data)
        if head.error is not None:
            out.channel = "error"
            out.controls.append(Refused("", f"{head.error.code}: {head.error.message[:200]}"))
        elif head.type in {"SNAPSHOT", "DELTA"}:
            out.channel = BOOK
            self._apply_book(head, _BOOK.decode(body), out)
        elif head.type == "MP":
            out.channel = MARKS
            self._apply_mark(head, _MARK.decode(body), out)
        elif body.startswith(b"["):
            out.channel = TRADES
            self._apply_trades(_TRADES.decode(body), out)
        elif head.type or not body.startswith(b"{"):
            out.channel = head.type or "?"
            raise FrameReject(Reason.UNKNOWN_CHANNEL, f"type {head.type[:40]!r}")
        else:
            out.channel = FUNDING
            self._apply_funding(_FUNDING.decode(body), out)

    def _map_answer(self, channel: str, symbol: str, body: bytes, out: Rows) -> None:
        if channel == STATS:
            stats = _STATS.decode(body).data
            self.contract(symbol)
            # 0 stands for a market that nobody holds yet.
            base, usd = stats.openInterestBase or math.nan, stats.openInterest or math.nan
            if not (math.isnan(base) and math.isnan(usd)):
                out.open_interest(symbol, out.received_ns, base, usd)
        elif channel == BOOK:
            book = _REST_BOOK.decode(body).data
            self.contract(symbol)
            self._begin_book(symbol, out.received_ns, NO_SEQ, self._fetched.read(book.bid, book.ask), out)
        else:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, channel)

    def _apply_trades(self, trades: list[Trade], out: Rows) -> None:
        """Of one market, or of all; those that were not asked for are passed over."""
        for trade in trades:
            taker, cause = _TAKER.get(trade.S), _CAUSES.get(trade.tT)
            if taker is None or cause is None:
                raise FrameReject(Reason.UNKNOWN_WORD, f"{trade.S[:20]!r}, {trade.tT[:20]!r}")
            symbol, price, qty, seq = trade.m, trade.p, trade.q, trade.i
            if symbol not in self.contracts or (seq >= 0 and not self._trades.admit((symbol, seq))):
                continue
            ts_ns = trade.T * MILLISECOND_NS
            out.trade(symbol, ts_ns, seq, price, qty, taker, cause)
            if cause is TradeCause.LIQUIDATION:
                out.liquidation(symbol, ts_ns, -taker, PriceKind.FILL, price, qty, price * qty, seq=seq)
            elif cause is TradeCause.ADL:
                out.adl(symbol, ts_ns, int(taker), price, qty, seq=seq)

    def _apply_mark(self, head: Head, mark: Mark, out: Rows) -> None:
        """Of one market, or of all; the time inside is 0, that of the frame is not."""
        if mark.m in self.contracts:
            out.mark(mark.m, head.ts * MILLISECOND_NS, mark.p)

    def _apply_funding(self, funding: Funding, out: Rows) -> None:
        """Of one market, or of all."""
        if funding.m in self.contracts:
            out.funding(funding.m, funding.T * MILLISECOND_NS, funding.f, interval_ns=HOUR_NS)

    def _apply_book(self, head: Head, book: Book, out: Rows) -> None:
        symbol, ts_ns, seq = book.m, head.ts * MILLISECOND_NS, head.seq
        self.contract(symbol)
        is_whole = head.type == "SNAPSHOT"
        sides = (self.lists if is_whole else self._changes).read(book.b, book.a)
        last = self._last_seq.get(symbol)
        self._last_seq[symbol] = seq
        if is_whole:
            self._waiting.pop(symbol, None)
            self._begin_book(symbol, ts_ns, seq, sides, out)
            return
        if symbol in self._whole and (last is None or seq != last + 1):
            self._whole.discard(symbol)
            lose_book(out, symbol, ts_ns, f"frame {seq} after {last}")
        if symbol in self._whole:
            self._write_change(symbol, ts_ns, seq, sides, out)
            return
        # Sizes after a change are absolute: those since the gap can be written again over a later snapshot.
        waiting = self._waiting.setdefault(symbol, [])
        if len(waiting) == _WAITING_MAX:
            del waiting[0]
        waiting.append((ts_ns, seq, sides))
        if self._awaited.is_overdue(symbol):
            out.controls.append(Resync(symbol, "no snapshot came"))

    def _begin_book(self, symbol: str, ts_ns: int, seq: int, sides: Sides, out: Rows) -> None:
        """Begin the book, then write the changes that waited for it."""
        self._whole.discard(symbol)
        if not out.levels(symbol, ts_ns, seq, *sides, is_snapshot=True):
            if seq != NO_SEQ:  # One that was fetched is not fetched again: the stream sends the next.
                lose_book(out, symbol, ts_ns, "a snapshot was rejected")
            return
        self._awaited.came(symbol)
        self._whole.add(symbol)
        for waiting in self._waiting.pop(symbol, ()):
            if symbol in self._whole:
                self._write_change(symbol, *waiting, out)

    def _write_change(self, symbol: str, ts_ns: int, seq: int, sides: Sides, out: Rows) -> None:
        if not out.levels(symbol, ts_ns, seq, *sides):
            self._whole.discard(symbol)
            lose_book(out, symbol, ts_ns, "a change was rejected")


_HEAD: Final = msgspec.json.Decoder(Head)
_TRADES: Final = msgspec.json.Decoder(list[Trade], strict=False)
_BOOK: Final = msgspec.json.Decoder(Book, strict=False)
_MARK: Final = msgspec.json.Decoder(Mark, strict=False)
_FUNDING: Final = msgspec.json.Decoder(Funding, strict=False)
_STATS: Final = msgspec.json.Decoder(StatsAnswer, strict=False)
_REST_BOOK: Final = msgspec.json.Decoder(RestBookAnswer, strict=False)
