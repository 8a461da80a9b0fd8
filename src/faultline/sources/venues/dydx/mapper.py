"""Frames of dYdX's indexer in, rows out.

A trade says why it happened. ``LIQUIDATED`` is a trade and a liquidation of the side that the taker closed;
``DELEVERAGED`` closed a bankrupt position against one that was in profit, which is told as an ADL of the latter.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.messages import NO_SEQ, Flag, TradeCause
from faultline.sources.awaited import AwaitedSnapshots, lose_book
from faultline.sources.control import Confirmed, Refused, Resync
from faultline.sources.mapper import VenueMapper
from faultline.sources.recent_ids import RecentIds
from faultline.sources.rows import FrameReject, Reason
from faultline.sources.venues.dydx.payloads import Book, BookChange, Head, Market, Markets, Trade, Trades
from faultline.units import HOUR_NS, MICROSECOND_NS, PriceKind, TakerSide

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultline.sources.rows import Levels, Rows

__all__ = ("BOOK", "MARKETS", "TRADES", "DydxMapper", "key_of")

TRADES: Final = "v4_trades"
BOOK: Final = "v4_orderbook"
MARKETS: Final = "v4_markets"

_TAKER: Final = {"BUY": TakerSide.BUY, "SELL": TakerSide.SELL}
#: Why a trade happened.
_CAUSES: Final = {
    "LIMIT": TradeCause.ORDINARY,
    "MARKET": TradeCause.ORDINARY,
    "TWAP_SUBORDER": TradeCause.ORDINARY,
    "LIQUIDATED": TradeCause.LIQUIDATION,
    "DELEVERAGED": TradeCause.ADL,
}
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_NAN: Final = float("nan")


class DydxMapper(VenueMapper):
    """Maps trades and books of one market each, and the states of all markets."""

    venue: ClassVar[str] = "dydx"

    def reset(self) -> None:
        """Forget books and trades."""
        self._message_ids: dict[str, int] = {}
        self._awaited = AwaitedSnapshots()
        self._trades = RecentIds(16_384)

    def _map_frame(self, frame: bytes, out: Rows) -> None:
        head = _HEAD.decode(frame)
        out.channel = head.channel or head.type or "?"
        if head.type == "error":
            out.controls.append(Refused("", head.message[:200]))
            return
        if head.type in {"connected", "unsubscribed"}:
            return
        apply = self._APPLY.get(head.channel)
        if apply is None:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, f"channel {head.channel[:40]!r}")
        if head.type == "subscribed":
            out.controls.append(Confirmed(key_of(head.channel, head.id)))
            apply(self, head, head.contents, out, is_first=True)
        elif head.type == "channel_data":
            apply(self, head, head.contents, out, is_first=False)
        elif head.type == "channel_batch_data":
            for contents in _BATCH.decode(head.contents):
                apply(self, head, contents, out, is_first=False)
        else:
            raise FrameReject(Reason.UNKNOWN_WORD, f"type {head.type[:40]!r}")

    def _map_answer(self, channel: str, symbol: str, body: bytes, out: Rows) -> None:
        del symbol, body, out
        raise FrameReject(Reason.UNKNOWN_CHANNEL, channel)

    def _apply_trades(self, head: Head, contents: msgspec.Raw, out: Rows, *, is_first: bool) -> None:
        self.contract(head.id)
        trades = _TRADES.decode(contents).trades
        for trade in reversed(trades) if is_first else trades:
            self._apply_trade(head.id, trade, out, Flag.SNAPSHOT if is_first else 0)

    def _apply_trade(self, symbol: str, trade: Trade, out: Rows, flags: int) -> None:
        taker, cause = _TAKER.get(trade.side), _CAUSES.get(trade.type)
        if taker is None or cause is None:
            raise FrameReject(Reason.UNKNOWN_WORD, f"{trade.side[:20]!r}, {trade.type[:20]!r}")
        if not self._trades.admit(trade.id):
            return
        price, ts_ns = trade.price, _time_ns(trade.createdAt)
        qty_base, notional_usd = self.amounts(symbol, trade.size, price)
        out.trade(symbol, ts_ns, NO_SEQ, price, qty_base, taker, cause, flags)
        if cause is TradeCause.LIQUIDATION:
            out.liquidation(symbol, ts_ns, -taker, PriceKind.FILL, price, qty_base, notional_usd, flags=flags)
        elif cause is TradeCause.ADL and not flags:
            # The taker closes the bankrupt position; the other one, of the taker's own direction, is closed with it.
            out.adl(symbol, ts_ns, int(taker), price, qty_base)

    def _apply_book(self, head: Head, contents: msgspec.Raw, out: Rows, *, is_first: bool) -> None:
        """No time and no number of a change is sent, only that of the message, which rises."""
        symbol, now_ns, last = head.id, out.received_ns, self._message_ids.get(head.id)
        self.contract(symbol)
        bids: Levels
        asks: Levels
        if is_first:
            book = _BOOK.decode(contents)
            bids, asks = ([(level.price, level.size) for level in side] for side in (book.bids, book.asks))
            self._awaited.came(symbol)
        else:
            change = _BOOK_CHANGE.decode(contents)
            bids, asks = self.lists.read(change.bids, change.asks)
            if last is None:  # Changes before the snapshot, or after a resync was asked for.
                if self._awaited.is_overdue(symbol):
                    out.controls.append(Resync(symbol, "no snapshot came"))
                return
            if head.message_id < last:
                del self._message_ids[symbol]
                lose_book(out, symbol, now_ns, f"message {head.message_id} after {last}")
                return
        if out.levels(symbol, now_ns, head.message_id, bids, asks, is_snapshot=is_first):
            self._message_ids[symbol] = head.message_id
        else:
            self._message_ids.pop(symbol, None)
            lose_book(out, symbol, now_ns, "a change was rejected")

    def _apply_markets(self, head: Head, contents: msgspec.Raw, out: Rows, *, is_first: bool) -> None:
        """States of all markets; those that were not asked for are passed over."""
        del head, is_first
        told = _MARKETS.decode(contents)
        for states in (told.markets, told.trading):
            for symbol, state in states.items():
                if symbol in self.contracts:
                    _apply_state(symbol, state, out)
        for symbol, price in told.oraclePrices.items():
            if symbol in self.contracts:
                out.mark(symbol, _time_ns(price.effectiveAt), price.oraclePrice)

    _APPLY: ClassVar[dict[str, Callable[..., None]]] = {
        TRADES: _apply_trades,
        BOOK: _apply_book,
        MARKETS: _apply_markets,
    }


def key_of(channel: str, symbol: str) -> str:
    """The key of a subscription; that of all markets has no symbol (the venue may repeat the channel for it)."""
    return f"{channel}|" if channel == MARKETS else f"{channel}|{symbol}"


def _apply_state(symbol: str, state: Market, out: Rows) -> None:
    """No time is sent: the receive time stands in for it. Funding is paid at every full hour."""
    now_ns = out.received_ns
    if state.oraclePrice is not None:
        out.mark(symbol, now_ns, state.oraclePrice)
    if state.nextFundingRate is not None:
        next_ns = (now_ns // HOUR_NS + 1) * HOUR_NS
        out.funding(symbol, now_ns, state.nextFundingRate, interval_ns=HOUR_NS, next_ns=next_ns)
    if state.openInterest:  # 0 stands for a market that nobody holds yet
        out.open_interest(symbol, now_ns, oi_base=state.openInterest)


def _time_ns(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND * MICROSECOND_NS


def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, strict=False)


_HEAD: Final[msgspec.json.Decoder[Head]] = msgspec.json.Decoder(Head)
_BATCH: Final[msgspec.json.Decoder[list[msgspec.Raw]]] = msgspec.json.Decoder(list[msgspec.Raw])
_TRADES: Final[msgspec.json.Decoder[Trades]] = _decoder(Trades)
_BOOK: Final[msgspec.json.Decoder[Book]] = _decoder(Book)
_BOOK_CHANGE: Final[msgspec.json.Decoder[BookChange]] = _decoder(BookChange)
_MARKETS: Final[msgspec.json.Decoder[Markets]] = _decoder(Markets)
