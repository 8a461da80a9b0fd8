"""Bitget's frames in, rows out.

All quantities are base units but the amount of a liquidation, which is quote value. A change of the book names the
update before it; a broken chain asks for the book anew. A subscription to trades begins with old ones: they
are dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.messages import Flag
from faultline.sources.book_chains import BookChains, BookChange
from faultline.sources.control import Confirmed, Refused
from faultline.sources.mapper import VenueMapper
from faultline.sources.rows import FrameReject, Reason
from faultline.sources.venues.bitget.payloads import (
    AccountRatios,
    Book,
    Head,
    Liquidation,
    Ticker,
    Trade,
)
from faultline.units import MILLISECOND_NS, PriceKind, Side, TakerSide

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultline.sources.rows import Rows

__all__ = ("ACCOUNT_RATIO", "BOOK", "LIQUIDATIONS", "TICKERS", "TRADES", "BitgetMapper")

TRADES: Final = "publicTrade"
LIQUIDATIONS: Final = "liquidation"
BOOK: Final = "books"
TICKERS: Final = "ticker"
ACCOUNT_RATIO: Final = "futures-account-long-short"

_TAKER: Final = {"buy": TakerSide.BUY, "sell": TakerSide.SELL}
#: ``side`` of a liquidation is the side of the position.
_POSITION: Final = {"buy": Side.LONG, "sell": Side.SHORT}


class BitgetMapper(VenueMapper):
    """Maps topics ``publicTrade``, ``liquidation``, ``books``, ``ticker`` and a poll."""

    venue: ClassVar[str] = "bitget"

    def reset(self) -> None:
        """Forget books."""
        self._chains = BookChains(are_fetched=False)

    def _map_frame(self, frame: bytes, out: Rows) -> None:
        if frame == b"pong":
            return
        head = _HEAD.decode(frame)
        if head.event:
            _apply_event(head, out)
            return
        if head.arg is None:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, "neither an event nor rows of a topic")
        out.channel = head.arg.topic or head.arg.channel or "?"
        way = self._WAYS.get(head.arg.topic)
        if way is None:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, f"topic {head.arg.topic[:40]!r}")
        if head.action not in {"snapshot", "update"}:
            raise FrameReject(Reason.UNKNOWN_WORD, f"action {head.action[:40]!r}")
        decode, apply = way
        apply(self, head, decode(head.data), out)

    def _map_answer(self, channel: str, symbol: str, body: bytes, out: Rows) -> None:
        if channel != ACCOUNT_RATIO:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, channel)
        self.contract(symbol)
        answer = _RATIOS.decode(body)
        if answer.code != "00000":
            raise FrameReject(Reason.VENUE_ERROR, f"{answer.code}: {answer.msg}")
        for one in sorted(answer.data, key=lambda row: row.ts)[-1:]:
            total = one.longAccountRatio + one.shortAccountRatio
            share = one.longAccountRatio / total if total > 0 else -1.0
            out.ratio(symbol, one.ts * MILLISECOND_NS, "accounts", share)

    def _apply_trades(self, head: Head, rows: list[Trade], out: Rows) -> None:
        symbol = _symbol_of(head)
        self.contract(symbol)
        if head.action == "snapshot":
            return  # Trades from before the subscription.
        for trade in rows:
            side = _TAKER.get(trade.S)
            if side is None:
                raise FrameReject(Reason.UNKNOWN_WORD, f"S {trade.S!r}")
            out.trade(symbol, trade.T * MILLISECOND_NS, trade.i, trade.p, trade.v, side)

    def _apply_liquidations(self, head: Head, rows: list[Liquidation], out: Rows) -> None:
        if head.action == "snapshot":
            return  # From before the subscription, should they ever come.
        for one in rows:
            if one.symbol not in self.contracts:
                continue  # The topic is of all contracts; this one was not asked for.
            side = _POSITION.get(one.side)
            if side is None:
                raise FrameReject(Reason.UNKNOWN_WORD, f"side {one.side!r}")
            qty_base = one.amount / one.price if one.price else 0.0
            kind, ts_ns = PriceKind.UNKNOWN, one.ts * MILLISECOND_NS
            out.liquidation(
                one.symbol, ts_ns, side, kind, one.price, qty_base, one.amount, flags=Flag.SAMPLED
            )

    def _apply_book(self, head: Head, rows: list[Book], out: Rows) -> None:
        symbol, is_snapshot = _symbol_of(head), head.action == "snapshot"
        self.contract(symbol)
        for book, (bids, asks) in [(one, self.lists.read(one.b, one.a)) for one in rows]:
            ts_ns = book.ts * MILLISECOND_NS
            if is_snapshot:
                self._chains.snapshot(symbol, ts_ns, book.seq, bids, asks, out, is_fetched=False)
            else:
                self._chains.change(BookChange(symbol, ts_ns, book.pseq + 1, book.seq, bids, asks), out)

    def _apply_tickers(self, head: Head, rows: list[Ticker], out: Rows) -> None:
        symbol, ts_ns = _symbol_of(head), head.ts * MILLISECOND_NS
        self.contract(symbol)
        for one in rows:
            if one.markPrice is not None:
                index_usd = float("nan") if one.indexPrice is None else one.indexPrice
                out.mark(symbol, ts_ns, one.markPrice, index_usd)
            if one.fundingRate is not None:
                next_ms = int(one.nextFundingTime) if one.nextFundingTime.isdecimal() else 0
                out.funding(symbol, ts_ns, one.fundingRate, next_ns=next_ms * MILLISECOND_NS)
            if one.openInterest is not None:
                out.open_interest(symbol, ts_ns, oi_base=one.openInterest)

    #: Decoder and method of a topic.
    _WAYS: ClassVar[
        dict[str, tuple[Callable[[msgspec.Raw], Any], Callable[[Any, Head, Any, Rows], None]]]
    ] = {
        channel: (msgspec.json.Decoder(kind, strict=False).decode, apply)
        for channel, kind, apply in (
            (TRADES, list[Trade], _apply_trades),
            (LIQUIDATIONS, list[Liquidation], _apply_liquidations),
            (BOOK, list[Book], _apply_book),
            (TICKERS, list[Ticker], _apply_tickers),
        )
    }


def _apply_event(head: Head, out: Rows) -> None:
    out.channel = head.event
    arg = head.arg
    key = "" if arg is None or not arg.topic else f"{arg.topic}|{arg.symbol or arg.instType.lower()}"
    if head.event == "subscribe" and key:
        out.controls.append(Confirmed(key))
    elif head.event == "error":
        out.controls.append(Refused(key, f"{head.code}: {head.msg}"))
    elif head.event != "unsubscribe":
        raise FrameReject(Reason.UNKNOWN_CHANNEL, f"event {head.event[:40]!r} of no topic of ours")


def _symbol_of(head: Head) -> str:
    return "" if head.arg is None else head.arg.symbol


_HEAD: Final = msgspec.json.Decoder(Head, strict=False)
_RATIOS: Final = msgspec.json.Decoder(AccountRatios, strict=False)
