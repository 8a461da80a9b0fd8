"""Bitfinex's frames in, rows out.

Frames are arrays that begin with the number of a channel, which the confirmation of its subscription tells. With the
flag that is set first, they end with the time at which they were sent.
"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.messages import NO_SEQ, Flag
from faultline.sources.awaited import AwaitedSnapshots, lose_book
from faultline.sources.control import Confirmed, Refused, Resync
from faultline.sources.mapper import VenueMapper
from faultline.sources.recent_ids import RecentIds
from faultline.sources.rows import FrameReject, Reason
from faultline.sources.venues.bitfinex.payloads import (
    BookLevel,
    DerivativeStatus,
    Event,
    Liquidation,
    Trade,
)
from faultline.units import HOUR_NS, MILLISECOND_NS, SECOND_NS, PriceKind, Side, TakerSide

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from faultline.sources.rows import Rows

__all__ = ("ALL", "BOOK", "LIQUIDATIONS", "STATUS", "TRADES", "BitfinexMapper")

TRADES: Final = "trades"
BOOK: Final = "book"
#: Keys of the channel ``status``: state of a contract, and liquidations of all.
STATUS: Final = "deriv"
LIQUIDATIONS: Final = "liq:global"
#: Stands for the symbol of what is told of all symbols.
ALL: Final = "all"

#: A trade as it was made, and again once it is booked; whichever comes first counts.
_TRADED: Final = {b'"te"', b'"tu"'}
#: A heartbeat, a checksum of the book.
_PASSED_OVER: Final = {b'"hb"', b'"cs"'}
#: Numbers at the end of a frame below this are sequence numbers, above it milliseconds.
_TIMES_FROM: Final = 1_000_000_000_000
_FUNDING_INTERVAL_NS: Final = 8 * HOUR_NS
#: Liquidations this much older than their subscription are repeated ones.
_REPEATED_NS: Final = 10 * SECOND_NS
#: Changes of a book that wait for its snapshot.
_WAITING_MAX: Final = 1000


class BitfinexMapper(VenueMapper):
    """Maps channels ``trades``, ``book`` and both kinds of ``status``, and the book's snapshot by REST."""

    venue: ClassVar[str] = "bitfinex"

    def reset(self) -> None:
        """Forget channels, books and trades."""
        self._channels: dict[int, tuple[str, str]] = {}
        self._trades = RecentIds()
        self._awaited = AwaitedSnapshots()
        #: Symbols whose book has begun, and changes of those whose has not.
        self._begun: set[str] = set()
        self._waiting: dict[str, collections.deque[tuple[int, BookLevel]]] = {}
        self._liquidations_since_ns = 0
        self._told_at: dict[str, int] = {}

    def _map_frame(self, frame: bytes, out: Rows) -> None:
        if frame.startswith(b"{"):
            self._apply_event(_EVENT.decode(frame), out)
            return
        parts = _PARTS.decode(frame)
        if len(parts) < 2:
            raise FrameReject(Reason.WRONG_SHAPE, "a frame without a body")
        number = _WHOLE.decode(parts[0])
        if bytes(parts[1]) in _PASSED_OVER:
            return  # A heartbeat may even come before the confirmation.
        known = self._channels.get(number)
        if known is None:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, f"channel number {number}")
        out.channel, symbol = known
        apply = self._APPLY.get(out.channel)
        if apply is None:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, f"channel {out.channel[:40]!r}")
        if symbol != ALL:
            self.contract(symbol)
        apply(self, symbol, parts, out)

    def _apply_event(self, event: Event, out: Rows) -> None:
        """The answer to a request, or a notice."""
        out.channel = event.event or "?"
        symbol, channel = event.symbol, event.channel
        if channel == "status":
            channel, _, symbol = event.key.partition(":")
            if event.key == LIQUIDATIONS:
                channel, symbol = LIQUIDATIONS, ALL
        if event.event == "subscribed":
            self._channels[event.chanId] = (channel, symbol)
            if channel not in self._APPLY:
                out.channel = channel or "?"
                raise FrameReject(Reason.UNKNOWN_CHANNEL, f"channel {channel[:40]!r}")
            if channel == LIQUIDATIONS:
                self._liquidations_since_ns = out.received_ns
            out.controls.append(Confirmed(f"{channel}|{symbol}"))
        elif event.event == "unsubscribed":
            self._channels.pop(event.chanId, None)
        elif event.event == "error":
            key = f"{channel}|{symbol}" if channel in self._APPLY else ""
            out.controls.append(Refused(key, f"{event.code}: {event.msg}"))
        elif event.event not in {"info", "conf", "pong"}:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, f"event {event.event[:40]!r}")

    def _map_answer(self, channel: str, symbol: str, body: bytes, out: Rows) -> None:
        if channel != BOOK:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, channel)
        self.contract(symbol)
        self._begin_book(symbol, _LEVELS.decode(body), out.received_ns, out)

    def _apply_trades(self, symbol: str, parts: Sequence[msgspec.Raw], out: Rows) -> None:
        """One trade, or the latest ones, newest first."""
        if bytes(parts[1]) in _TRADED:
            if len(parts) == 2:
                raise FrameReject(Reason.WRONG_SHAPE, "a trade without its facts")
            self._apply_trade(symbol, _TRADE.decode(parts[2]), out, 0)
        else:
            for trade in reversed(_TRADES.decode(parts[1])):
                self._apply_trade(symbol, trade, out, Flag.SNAPSHOT)

    def _apply_trade(self, symbol: str, trade: Trade, out: Rows, flags: int) -> None:
        if not self._trades.admit((symbol, trade.id)):
            return
        qty_base = self.base_qty(symbol, abs(trade.amount), trade.price)
        side = TakerSide.BUY if trade.amount > 0 else TakerSide.SELL
        ts_ns = trade.time * MILLISECOND_NS
        out.trade(symbol, ts_ns, trade.id, trade.price, qty_base, side, flags=flags)

    def _apply_book(self, symbol: str, parts: Sequence[msgspec.Raw], out: Rows) -> None:
        """One level, or the whole book."""
        ts_ns, body = _sent_ns(parts[2:], out), bytes(parts[1])
        if body == b"[]" or body.startswith(b"[["):
            self._begin_book(symbol, _LEVELS.decode(body), ts_ns, out)
            return
        level = _LEVEL.decode(body)
        if symbol in self._begun:
            self._apply_level(symbol, ts_ns, level, out)
            return
        if self._awaited.is_overdue(symbol):
            out.controls.append(Resync(symbol, "no snapshot came"))
        self._waiting.setdefault(symbol, collections.deque(maxlen=_WAITING_MAX)).append((ts_ns, level))

    def _begin_book(self, symbol: str, levels: list[BookLevel], ts_ns: int, out: Rows) -> None:
        """Write a whole book, then what changed while it was fetched: every change is the whole truth of its level."""
        self._awaited.came(symbol)
        bids, asks = _levels_of(levels, 1.0), _levels_of(levels, -1.0)
        if not out.levels(symbol, ts_ns, NO_SEQ, bids, asks, is_snapshot=True):
            self._lose(symbol, ts_ns, "a snapshot was rejected", out)
            return
        self._begun.add(symbol)
        for changed_ns, level in self._waiting.pop(symbol, ()):
            self._apply_level(symbol, changed_ns, level, out)

    def _apply_level(self, symbol: str, ts_ns: int, level: BookLevel, out: Rows) -> None:
        changed = [(level.price, abs(level.amount) if level.count else 0.0)]
        bids, asks = (changed, []) if level.amount > 0 else ([], changed)
        if level.count < 0 or not out.levels(symbol, ts_ns, NO_SEQ, bids, asks):
            self._lose(symbol, ts_ns, "a change was rejected", out)

    def _lose(self, symbol: str, ts_ns: int, why: str, out: Rows) -> None:
        """Ask for a book anew; what changes until it comes is kept."""
        self._begun.discard(symbol)
        lose_book(out, symbol, ts_ns, why)

    def _apply_status(self, symbol: str, parts: Sequence[msgspec.Raw], out: Rows) -> None:
        one = _STATUS.decode(parts[1])
        if self._told_at.get(symbol) == one.time:
            return  # States are repeated every second, and change every third.
        self._told_at[symbol] = one.time
        ts_ns = one.time * MILLISECOND_NS
        if one.mark_price is not None:
            out.mark(
                symbol, ts_ns, one.mark_price, float("nan") if one.spot_price is None else one.spot_price
            )
        if one.current_funding is not None:
            next_ns = (one.next_funding_time or 0) * MILLISECOND_NS
            out.funding(symbol, ts_ns, one.current_funding, interval_ns=_FUNDING_INTERVAL_NS, next_ns=next_ns)
        if one.open_interest:
            out.open_interest(symbol, ts_ns, oi_base=one.open_interest)

    def _apply_liquidations(self, symbol: str, parts: Sequence[msgspec.Raw], out: Rows) -> None:
        del symbol
        for one in _LIQUIDATIONS.decode(parts[1]):
            if one.symbol not in self.contracts:
                if self.contracts:
                    continue  # All were subscribed; this one is margin trading, or not wanted.
                self.contract(one.symbol)
            if one.kind != "pos" or one.is_match not in {0, 1}:
                raise FrameReject(Reason.UNKNOWN_WORD, f"{one.kind[:40]!r}, match {one.is_match}")
            if one.is_match:
                continue  # An order that took part of a position that was told when its liquidation began.
            qty_base, notional_usd = self.amounts(one.symbol, abs(one.amount), one.base_price)
            ts_ns = one.time * MILLISECOND_NS
            is_repeated = ts_ns < self._liquidations_since_ns - _REPEATED_NS
            out.liquidation(
                one.symbol,
                ts_ns,
                Side.LONG if one.amount > 0 else Side.SHORT,
                PriceKind.ENTRY,
                one.base_price,
                qty_base,
                notional_usd,
                seq=one.position,
                flags=Flag.SNAPSHOT if is_repeated else 0,
            )

    _APPLY: ClassVar[dict[str, Callable[[Any, str, Sequence[msgspec.Raw], Rows], None]]] = {
        TRADES: _apply_trades,
        BOOK: _apply_book,
        STATUS: _apply_status,
        LIQUIDATIONS: _apply_liquidations,
    }


def _sent_ns(tail: Sequence[msgspec.Raw], out: Rows) -> int:
    """When a frame was sent, by its last number; where that is no time, when it was received."""
    stamp = _WHOLE.decode(tail[-1]) if tail else 0
    return stamp * MILLISECOND_NS if stamp >= _TIMES_FROM else out.received_ns


def _levels_of(levels: Sequence[BookLevel], sign: float) -> list[tuple[float, float]]:
    return [(level.price, abs(level.amount)) for level in levels if level.count and level.amount * sign > 0]


_EVENT: Final = msgspec.json.Decoder(Event)
_PARTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_WHOLE: Final = msgspec.json.Decoder(int)
_TRADE: Final = msgspec.json.Decoder(Trade)
_TRADES: Final = msgspec.json.Decoder(list[Trade])
_LEVEL: Final = msgspec.json.Decoder(BookLevel)
_LEVELS: Final = msgspec.json.Decoder(list[BookLevel])
_STATUS: Final = msgspec.json.Decoder(DerivativeStatus)
_LIQUIDATIONS: Final = msgspec.json.Decoder(list[Liquidation])
