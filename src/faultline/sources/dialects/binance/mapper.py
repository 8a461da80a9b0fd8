"""Frames of Binance's futures interface in, rows out.

A book begins with a snapshot that is fetched while changes already arrive. Changes wait until it is there; those that
it contains are dropped, and the first of the others must follow it: each names the last update of the one before.
https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

import msgspec

from faultline.instruments import ContractKind
from faultline.messages import Flag
from faultline.sources.awaited import AwaitedSnapshots, lose_book
from faultline.sources.control import Confirmed, Refused, Resync
from faultline.sources.depth_bytes import DepthReader
from faultline.sources.dialects.binance.payloads import (
    DEPTH_LAYOUTS,
    TRADE_LAYOUTS,
    AggTradeFrame,
    DepthFrame,
    DepthSnapshot,
    ErrorAnswer,
    ForceOrderFrame,
    Head,
    LongShortRatio,
    MarkPriceFrame,
    OpenInterest,
)
from faultline.sources.mapper import VenueMapper
from faultline.sources.rows import FrameReject, Reason
from faultline.sources.trade_bytes import TradeLayouts
from faultline.units import MILLISECOND_NS, PriceKind, Side, TakerSide

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultline.sources.rows import Levels, Rows

__all__ = (
    "BOOK",
    "LIQUIDATIONS",
    "MARKS",
    "OPEN_INTEREST",
    "RATIOS",
    "TRADES",
    "BinanceDialectMapper",
)

TRADES: Final = "aggTrade"
LIQUIDATIONS: Final = "forceOrder"
BOOK: Final = "depth"
MARKS: Final = "markPrice"
OPEN_INTEREST: Final = "openInterest"
#: Channels of long-short ratios and the kind of ratio that each is.
RATIOS: Final = {
    "globalLongShortAccountRatio": "accounts",
    "topLongShortAccountRatio": "top_accounts",
    "topLongShortPositionRatio": "top_positions",
}

_POLLED: Final = frozenset((BOOK, OPEN_INTEREST, *RATIOS))
#: Channels by the name of the event.
_CHANNELS: Final = {
    "aggTrade": TRADES,
    "forceOrder": LIQUIDATIONS,
    "depthUpdate": BOOK,
    "markPriceUpdate": MARKS,
}
#: By ``m``: whether the buyer was the maker.
_TAKER: Final = {True: TakerSide.SELL, False: TakerSide.BUY}
#: ``S`` is the side of the order that closes the position: a SELL closes a long.
_POSITION: Final = {"SELL": Side.LONG, "BUY": Side.SHORT}
#: Changes that wait for a snapshot; 100 s of them.
_WAITING_MAX: Final = 1000


class _Change(NamedTuple):
    """Levels that changed, from the update after ``before_id`` to ``last_id``."""

    symbol: str
    ts_ns: int
    before_id: int
    last_id: int
    bids: Levels
    asks: Levels


@dataclasses.dataclass(slots=True)
class _Chain:
    """Where the chain of changes of a book stands.

    Attributes:
        last_id: last update in the book; -1 while a snapshot is awaited.
        is_fresh: a snapshot came last, so the next change need not begin exactly after it.
        last_ns: time of the last change.
        waiting: changes since the snapshot was asked for.
    """

    last_id: int = -1
    is_fresh: bool = False
    last_ns: int = 0
    waiting: list[_Change] = dataclasses.field(default_factory=list)


class BinanceDialectMapper(VenueMapper):
    """Maps aggregated trades, liquidation orders, book changes and marks, and what is polled beside them."""

    stream_start: ClassVar[bytes] = b'{"stream":"'
    stream_bytes: ClassVar[int] = 48
    trade_layouts: ClassVar[TradeLayouts | None] = TradeLayouts(
        TRADES, TRADE_LAYOUTS, sell="true", buy="false"
    )

    def reset(self) -> None:
        """Forget books."""
        self._chains: dict[str, _Chain] = {}
        self._awaited = AwaitedSnapshots()
        self._depth = DepthReader(*DEPTH_LAYOUTS)

    def _map_frame(self, frame: bytes, out: Rows) -> None:
        head = _HEAD.decode(frame)
        event = head.e if head.data is None else head.data.e
        if not event:
            self._apply_answer(head, out)
            return
        out.channel = _CHANNELS.get(event, event)
        if event not in _CHANNELS:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, f"event {event[:40]!r}")
        decode, apply = self._WAYS[out.channel]
        if out.channel == BOOK:
            decode = self._read_depth
        if head.data is None:  # A bare event, as where its stream alone is asked for.
            apply(self, decode(b'{"data":%b}' % frame), out)
            return
        symbol, _, rest = head.stream.partition("@")
        # The name of the stream says the event; a frame that lies about it teaches nothing.
        if rest.partition("@")[0] == out.channel:
            self.take(frame, decode, apply, out, trades_of=symbol.upper() if out.channel == TRADES else "")
        else:
            apply(self, decode(frame), out)

    def _apply_answer(self, head: Head, out: Rows) -> None:
        out.channel = "answer"
        error = head.error or (ErrorAnswer(head.code, head.msg) if head.code else None)
        key = "" if head.id is None else str(head.id)
        if error is not None:
            out.controls.append(Refused(key, f"{error.code}: {error.msg}"))
        elif key:
            out.controls.append(Confirmed(key))
        else:
            raise FrameReject(Reason.WRONG_SHAPE, "neither an event nor an answer")

    def _map_answer(self, channel: str, symbol: str, body: bytes, out: Rows) -> None:
        if channel not in _POLLED:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, channel)
        contract = self.contract(symbol)
        if body.startswith(b'{"code"'):
            error = msgspec.json.decode(body, type=ErrorAnswer)
            raise FrameReject(Reason.VENUE_ERROR, f"{error.code}: {error.msg}")
        if channel == BOOK:
            self._apply_snapshot(symbol, _SNAPSHOT.decode(body), out)
        elif channel == OPEN_INTEREST:
            answer = _INTEREST.decode(body)
            ts_ns = answer.time * MILLISECOND_NS
            # At a price of 1 the two amounts are base units of a linear contract, and USD of an inverse one.
            qty_base, value_usd = self.amounts(symbol, answer.openInterest, 1.0)
            if contract.contract_kind is ContractKind.INVERSE:
                out.open_interest(symbol, ts_ns, oi_usd=value_usd)
            else:
                out.open_interest(symbol, ts_ns, oi_base=qty_base)
        else:
            for row in _RATIO.decode(body):
                ratio = row.longShortRatio
                share = ratio / (1.0 + ratio) if ratio >= 0 else -1.0
                out.ratio(symbol, row.timestamp * MILLISECOND_NS, RATIOS[channel], share)

    def _apply_trade(self, frame: AggTradeFrame, out: Rows) -> None:
        one = frame.data
        unit = self.linear_units.get(one.s)  # as base_qty: the hottest path
        qty_base = self.base_qty(one.s, one.q, one.p) if unit is None else unit * one.q
        side = _TAKER[one.m]
        out.trade(one.s, one.T * MILLISECOND_NS, one.a, one.p, qty_base, side)

    def _apply_liquidation(self, frame: ForceOrderFrame, out: Rows) -> None:
        order = frame.data.o
        side = _POSITION.get(order.S)
        if side is None:
            raise FrameReject(Reason.UNKNOWN_WORD, f"S {order.S!r}")
        if order.X != "FILLED":
            return  # An order that did not fill closed nothing, or will be told again when it has.
        qty_base, notional_usd = self.amounts(order.s, order.z, order.p)
        ts_ns = order.T * MILLISECOND_NS
        out.liquidation(
            order.s, ts_ns, side, PriceKind.BANKRUPTCY, order.p, qty_base, notional_usd, flags=Flag.SAMPLED
        )

    def _apply_mark(self, frame: MarkPriceFrame, out: Rows) -> None:
        one = frame.data
        self.contract(one.s)
        ts_ns = one.E * MILLISECOND_NS
        out.mark(one.s, ts_ns, one.p, one.i if one.i is not None and one.i != 0 else float("nan"))
        if one.r and one.T:
            try:
                rate = float(one.r)
            except ValueError:
                raise FrameReject(Reason.WRONG_SHAPE, f"r {one.r[:40]!r} is no number") from None
            out.funding(one.s, ts_ns, rate, next_ns=one.T * MILLISECOND_NS)

    def _read_depth(self, frame: bytes) -> _Change:
        """From the bytes where the frame is as it always is, else from its JSON."""
        if (quick := self._depth.read(frame)) is not None:
            (symbol,), (_, ts_ms, _, last_id, before_id), bids, asks = quick
            return _Change(symbol, ts_ms * MILLISECOND_NS, before_id, last_id, bids, asks)
        depth = self._WAYS[BOOK][0](frame).data
        bids, asks = self.lists.read(depth.b, depth.a)
        return _Change(depth.s, depth.T * MILLISECOND_NS, depth.pu, depth.u, bids, asks)

    def _apply_change(self, change: _Change, out: Rows) -> None:
        symbol = change.symbol
        chain = self._chains.get(symbol)
        if chain is None:
            self.contract(symbol)
            chain = self._chains[symbol] = _Chain()
            out.controls.append(Resync(symbol, "a book begins with a snapshot", is_first=True))
        if chain.last_id < 0:
            if len(chain.waiting) == _WAITING_MAX:
                del chain.waiting[0]
            chain.waiting.append(change)
            if self._awaited.is_overdue(symbol):
                out.controls.append(Resync(symbol, "the snapshot that was asked for did not come"))
            return
        if chain.is_fresh and change.last_id <= chain.last_id:
            return  # The snapshot contains it.
        follows = change.before_id == chain.last_id or (chain.is_fresh and change.before_id < chain.last_id)
        if not follows:
            detail = f"a change after update {change.before_id}, the book is at {chain.last_id}"
            lose_book(out, symbol, chain.last_ns, detail)
            self._chains[symbol] = _Chain(waiting=[change])
            return
        chain.last_id, chain.is_fresh, chain.last_ns = change.last_id, False, change.ts_ns
        bids, asks = self.base_levels(symbol, change.bids), self.base_levels(symbol, change.asks)
        if not out.levels(symbol, change.ts_ns, change.last_id, bids, asks):
            lose_book(out, symbol, change.ts_ns, "a change was rejected")
            self._chains[symbol] = _Chain()

    def _apply_snapshot(self, symbol: str, book: DepthSnapshot, out: Rows) -> None:
        """Begin the book, then apply the changes that waited for it."""
        bids, asks = self.read_levels(symbol, book.bids, book.asks)
        chain = self._chains.get(symbol) or _Chain()
        if book.lastUpdateId < chain.last_id:
            return  # An answer that came late, to a request before the latest.
        ts_ns = book.T * MILLISECOND_NS or out.received_ns
        if not out.levels(symbol, ts_ns, book.lastUpdateId, bids, asks, is_snapshot=True):
            return  # What waits goes on waiting, until the next is asked for.
        self._awaited.came(symbol)
        self._chains[symbol] = _Chain(book.lastUpdateId, is_fresh=True, last_ns=ts_ns)
        for change in chain.waiting:
            self._apply_change(change, out)

    #: Decoder and method of a channel.
    _WAYS: ClassVar[dict[str, tuple[Callable[[bytes], Any], Callable[[Any, Any, Rows], None]]]] = {
        channel: (msgspec.json.Decoder(kind, strict=False).decode, apply)
        for channel, kind, apply in (
            (TRADES, AggTradeFrame, _apply_trade),
            (LIQUIDATIONS, ForceOrderFrame, _apply_liquidation),
            (BOOK, DepthFrame, _apply_change),
            (MARKS, MarkPriceFrame, _apply_mark),
        )
    }


_HEAD: Final = msgspec.json.Decoder(Head)
_SNAPSHOT: Final = msgspec.json.Decoder(DepthSnapshot, strict=False)
_INTEREST: Final = msgspec.json.Decoder(OpenInterest, strict=False)
_RATIO: Final = msgspec.json.Decoder(list[LongShortRatio], strict=False)
