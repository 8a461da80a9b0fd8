"""BingX's frames and answers in, rows out."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.sources.awaited import AwaitedSnapshots, lose_book
from faultline.sources.control import Confirmed, Refused, Reply, Resync
from faultline.sources.mapper import VenueMapper
from faultline.sources.recent_ids import RecentIds
from faultline.sources.rows import FrameReject, Reason
from faultline.sources.venues.bingx.payloads import (
    Answer,
    DepthFrame,
    Head,
    MarkFrame,
    OpenInterest,
    PremiumIndex,
    TradeFrame,
)
from faultline.units import HOUR_NS, MILLISECOND_NS, TakerSide

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultline.sources.rows import Rows

__all__ = ("BOOK", "FUNDING", "LEAVING", "MARKS", "OPEN_INTEREST", "TRADES", "BingxMapper")

TRADES: Final = "trade"
BOOK: Final = "incrDepth"
MARKS: Final = "markPrice"
FUNDING: Final = "premiumIndex"
OPEN_INTEREST: Final = "openInterest"
#: Beginning of the ids of requests that leave a topic; their answers confirm nothing.
LEAVING: Final = "leave|"

_PING: Final = b"Ping"
_PONG: Final = Reply(b"Pong")


class BingxMapper(VenueMapper):
    """Maps topics ``trade``, ``incrDepth`` and ``markPrice``, polls ``premiumIndex`` and ``openInterest``."""

    venue: ClassVar[str] = "bingx"

    def reset(self) -> None:
        """Forget books and trades."""
        self._update_ids: dict[str, int] = {}
        self._awaited = AwaitedSnapshots()
        self._trades = RecentIds(16_384)

    def _map_frame(self, frame: bytes, out: Rows) -> None:
        if frame == _PING:
            out.controls.append(_PONG)
            return
        head = _HEAD.decode(frame)
        if not head.dataType and head.id:
            _apply_answer(head, out)
            return
        symbol, _, channel = head.dataType.partition("@")
        out.channel = channel or "?"
        way = self._WAYS.get(channel)
        if way is None:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, f"topic {head.dataType[:40]!r}")
        if head.code:
            raise FrameReject(Reason.VENUE_ERROR, f"code {head.code}: {head.msg[:80]}")
        self.contract(symbol)
        decode, apply = way
        apply(self, symbol, decode(frame), out)

    def _map_answer(self, channel: str, symbol: str, body: bytes, out: Rows) -> None:
        if channel not in {FUNDING, OPEN_INTEREST}:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, channel)
        self.contract(symbol)
        answer = _ANSWER.decode(body)
        if answer.code:
            raise FrameReject(Reason.VENUE_ERROR, f"code {answer.code}: {answer.msg[:80]}")
        if channel == FUNDING:
            rate = _PREMIUM_INDEX.decode(answer.data)
            _same(rate.symbol, symbol)
            interval_ns, next_ns = rate.fundingIntervalHours * HOUR_NS, rate.nextFundingTime * MILLISECOND_NS
            # The answer has no time of its own.
            out.funding(
                symbol, out.received_ns, rate.lastFundingRate, interval_ns=interval_ns, next_ns=next_ns
            )
            return
        interest = _OPEN_INTEREST.decode(answer.data)
        _same(interest.symbol, symbol)
        if interest.openInterest:
            out.open_interest(symbol, interest.time * MILLISECOND_NS, oi_usd=interest.openInterest)

    def _apply_trades(self, symbol: str, frame: TradeFrame, out: Rows) -> None:
        """Frames repeat trades of the frame before, and trades have no id.

        Two that are alike in everything are two if one frame has both.
        """
        alike: collections.Counter[tuple[int, float, float, bool]] = collections.Counter()
        for trade in reversed(frame.data):
            key = (trade.T, trade.p, trade.q, trade.m)
            alike[key] += 1
            if not self._trades.admit((symbol, *key, alike[key])):
                continue
            qty_base = self.base_qty(trade.s, trade.q, trade.p)
            side = TakerSide.SELL if trade.m else TakerSide.BUY
            out.trade(trade.s, trade.T * MILLISECOND_NS, -1, trade.p, qty_base, side)

    def _apply_book(self, symbol: str, frame: DepthFrame, out: Rows) -> None:
        book = frame.data
        if book.action not in {"all", "update"}:
            raise FrameReject(Reason.UNKNOWN_WORD, f"action {book.action[:40]!r}")
        is_whole, ts_ns = book.action == "all", book.time * MILLISECOND_NS
        bids, asks = self.read_levels(symbol, book.bids, book.asks)
        last = self._update_ids.get(symbol)
        if is_whole:
            self._awaited.came(symbol)
        elif last is None:  # Changes before the whole book, or after a resync was asked for.
            if self._awaited.is_overdue(symbol):
                out.controls.append(Resync(symbol, "no snapshot came"))
            return
        # Ids are documented to rise by one, and skip (measured) without a loss: only a step back breaks the book.
        elif book.lastUpdateId <= last:
            del self._update_ids[symbol]
            lose_book(out, symbol, ts_ns, f"update {book.lastUpdateId} after {last}")
            return
        self._update_ids[symbol] = book.lastUpdateId
        if not out.levels(symbol, ts_ns, book.lastUpdateId, bids, asks, is_snapshot=is_whole):
            del self._update_ids[symbol]
            lose_book(out, symbol, ts_ns, "an update was rejected")

    def _apply_mark(self, symbol: str, frame: MarkFrame, out: Rows) -> None:
        _same(frame.data.s, symbol)
        out.mark(symbol, frame.data.E * MILLISECOND_NS, frame.data.p)

    #: Decoder and method of a channel.
    _WAYS: ClassVar[dict[str, tuple[Callable[[bytes], Any], Callable[[Any, str, Any, Rows], None]]]] = {
        channel: (msgspec.json.Decoder(kind, strict=False).decode, apply)
        for channel, kind, apply in (
            (TRADES, TradeFrame, _apply_trades),
            (BOOK, DepthFrame, _apply_book),
            (MARKS, MarkFrame, _apply_mark),
        )
    }


def _apply_answer(head: Head, out: Rows) -> None:
    """The answer to a request of ours; ids are the keys that are expected."""
    out.channel = "answer"
    if head.code:
        out.controls.append(Refused(head.id, f"{head.code}: {head.msg}"))
    elif not head.id.startswith(LEAVING):
        out.controls.append(Confirmed(head.id))


def _same(told: str, asked: str) -> None:
    """Raise unless what was told is of the symbol that was asked for."""
    if told != asked:
        raise FrameReject(Reason.UNKNOWN_SYMBOL, f"{told[:40]!r} where {asked!r} was asked for")


_HEAD: Final = msgspec.json.Decoder(Head)
_ANSWER: Final = msgspec.json.Decoder(Answer)
_PREMIUM_INDEX: Final = msgspec.json.Decoder(PremiumIndex, strict=False)
_OPEN_INTEREST: Final = msgspec.json.Decoder(OpenInterest, strict=False)
