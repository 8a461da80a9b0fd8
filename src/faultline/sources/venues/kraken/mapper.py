"""Frames of Kraken Futures in, rows out.

A trade says why it happened. ``liquidation`` is a trade and a liquidation of the side that the taker closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.instruments import ContractKind
from faultline.messages import Flag, TradeCause
from faultline.sources.awaited import AwaitedSnapshots, lose_book
from faultline.sources.control import Confirmed, Refused, Resync
from faultline.sources.mapper import VenueMapper
from faultline.sources.recent_ids import RecentIds
from faultline.sources.rows import FrameReject, Reason
from faultline.sources.venues.kraken.payloads import (
    BookChange,
    BookSnapshot,
    Head,
    Level,
    Ticker,
    Trade,
    TradeSnapshot,
)
from faultline.units import HOUR_NS, MILLISECOND_NS, PriceKind, TakerSide

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultline.sources.rows import Levels, Rows

__all__ = ("BOOK", "TICKERS", "TRADES", "KrakenMapper")

TRADES: Final = "trade"
BOOK: Final = "book"
TICKERS: Final = "ticker"

_TAKER: Final = {"buy": TakerSide.BUY, "sell": TakerSide.SELL}
#: Why a trade happened: positions are assigned to those who take them over, then terminated against the other side.
_CAUSES: Final = {
    "fill": TradeCause.ORDINARY,
    "liquidation": TradeCause.LIQUIDATION,
    "assignment": TradeCause.INSURANCE_FUND,
    "termination": TradeCause.ADL,
}
#: Agreed elsewhere and only reported here: no trade of the book.
_BLOCK: Final = "block"
#: Funding is settled every hour.
_FUNDING_INTERVAL_NS: Final = HOUR_NS


class KrakenMapper(VenueMapper):
    """Maps feeds ``trade``, ``book`` and ``ticker``, and the snapshots of the first two."""

    venue: ClassVar[str] = "kraken"
    level_form: ClassVar = ('{"price":%,"qty":%}', list[Level])

    def reset(self) -> None:
        """Forget books and trades."""
        self._last_seq: dict[str, int] = {}
        self._awaited = AwaitedSnapshots()
        self._trades = RecentIds()

    def _map_frame(self, frame: bytes, out: Rows) -> None:
        head = _HEAD.decode(frame)
        if head.event:
            _apply_event(head, out)
            return
        # Snapshots belong to the channel that they begin.
        out.channel = head.feed.removesuffix("_snapshot") or "?"
        way = self._WAYS.get(head.feed)
        if way is None:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, f"feed {head.feed[:40]!r}")
        decode, apply = way
        apply(self, decode(frame), out)

    def _map_answer(self, channel: str, symbol: str, body: bytes, out: Rows) -> None:
        del symbol, body, out
        raise FrameReject(Reason.UNKNOWN_CHANNEL, channel)

    def _apply_trade(self, trade: Trade, out: Rows, flags: int = 0) -> None:
        symbol, price = trade.product_id, trade.price
        qty_base, notional_usd = self.amounts(symbol, trade.qty, price)
        taker, cause = _TAKER.get(trade.side), _CAUSES.get(trade.type)
        if trade.type == _BLOCK:
            return
        if taker is None or cause is None:
            raise FrameReject(Reason.UNKNOWN_WORD, f"{trade.side!r}, {trade.type!r}")
        if not self._trades.admit(trade.uid):
            return
        ts_ns = trade.time * MILLISECOND_NS
        out.trade(symbol, ts_ns, trade.seq, price, qty_base, taker, cause, flags)
        if cause is TradeCause.LIQUIDATION:
            out.liquidation(
                symbol,
                ts_ns,
                -taker,
                PriceKind.FILL,
                price,
                qty_base,
                notional_usd,
                seq=trade.seq,
                flags=flags,
            )

    def _apply_trade_snapshot(self, frame: TradeSnapshot, out: Rows) -> None:
        for trade in reversed(frame.trades):
            self._apply_trade(trade, out, Flag.SNAPSHOT)

    def _apply_book_snapshot(self, book: BookSnapshot, out: Rows) -> None:
        symbol = book.product_id
        bids, asks = self.read_levels(symbol, book.bids, book.asks)
        self._awaited.came(symbol)
        bids, asks = bids[bids[:, 1] != 0], asks[asks[:, 1] != 0]
        self._apply_levels(symbol, book.timestamp, book.seq, bids, asks, out, is_snapshot=True)

    def _apply_book_change(self, change: BookChange, out: Rows) -> None:
        symbol = change.product_id
        self.contract(symbol)
        last = self._last_seq.get(symbol)
        if last is None:  # Changes before the snapshot, or after a resync was asked for.
            if self._awaited.is_overdue(symbol):
                out.controls.append(Resync(symbol, "no snapshot came"))
            return
        if change.side not in _TAKER:
            raise FrameReject(Reason.UNKNOWN_WORD, f"side {change.side!r}")
        if change.seq != last + 1:
            del self._last_seq[symbol]
            lose_book(out, symbol, change.timestamp * MILLISECOND_NS, f"change {change.seq} after {last}")
            return
        level = self.base_levels(symbol, [(change.price, change.qty)])
        bids, asks = (level, []) if change.side == "buy" else ([], level)
        self._apply_levels(symbol, change.timestamp, change.seq, bids, asks, out, is_snapshot=False)

    def _apply_levels(
        self, symbol: str, ts_ms: int, seq: int, bids: Levels, asks: Levels, out: Rows, *, is_snapshot: bool
    ) -> None:
        ts_ns = ts_ms * MILLISECOND_NS
        if out.levels(symbol, ts_ns, seq, bids, asks, is_snapshot=is_snapshot):
            self._last_seq[symbol] = seq
        else:
            self._last_seq.pop(symbol, None)
            lose_book(out, symbol, ts_ns, "a change was rejected")

    def _apply_ticker(self, one: Ticker, out: Rows) -> None:
        symbol, ts_ns = one.product_id, one.time * MILLISECOND_NS
        contract = self.contract(symbol)
        if one.markPrice is not None:
            out.mark(symbol, ts_ns, one.markPrice, float("nan") if one.index is None else one.index)
        if one.relative_funding_rate is not None:
            next_ns = (one.next_funding_rate_time or 0) * MILLISECOND_NS
            out.funding(
                symbol, ts_ns, one.relative_funding_rate, interval_ns=_FUNDING_INTERVAL_NS, next_ns=next_ns
            )
        if one.openInterest:  # 0 stands for a contract that nobody holds yet
            # At a price of 1 the two amounts are base units of a linear contract, and USD of an inverse one.
            interest_base, interest_usd = self.amounts(symbol, one.openInterest, 1.0)
            if contract.contract_kind is ContractKind.INVERSE:
                out.open_interest(symbol, ts_ns, oi_usd=interest_usd)
            else:
                out.open_interest(symbol, ts_ns, oi_base=interest_base)

    #: Decoder and method of a feed.
    _WAYS: ClassVar[dict[str, tuple[Callable[[bytes], Any], Callable[[Any, Any, Rows], None]]]] = {
        feed: (msgspec.json.Decoder(kind, strict=False).decode, apply)
        for feed, kind, apply in (
            (BOOK, BookChange, _apply_book_change),
            (TRADES, Trade, _apply_trade),
            (TICKERS, Ticker, _apply_ticker),
            (f"{BOOK}_snapshot", BookSnapshot, _apply_book_snapshot),
            (f"{TRADES}_snapshot", TradeSnapshot, _apply_trade_snapshot),
        )
    }


def _apply_event(head: Head, out: Rows) -> None:
    """The answer to a request: one per product where it was accepted, a message where it was not."""
    out.channel = head.event
    if head.event == "subscribed":
        out.controls += [Confirmed(f"{head.feed}|{product}") for product in head.product_ids]
    elif head.event == "subscribed_failed":
        out.controls += [Refused(f"{head.feed}|{product}", head.message) for product in head.product_ids]
    elif head.event in {"error", "alert"}:
        out.controls.append(Refused("", head.message))
    elif head.event not in {"info", "unsubscribed", "unsubscribed_failed"}:
        raise FrameReject(Reason.UNKNOWN_CHANNEL, f"event {head.event[:40]!r}")


_HEAD: Final = msgspec.json.Decoder(Head)
