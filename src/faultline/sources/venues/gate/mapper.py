"""Gate's frames in, rows out; sizes count contracts, and their sign tells the side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.instruments import ContractKind
from faultline.messages import TradeCause
from faultline.sources.book_chains import BookChains, BookChange
from faultline.sources.control import Confirmed, Refused
from faultline.sources.mapper import VenueMapper
from faultline.sources.rows import FrameReject, Reason
from faultline.sources.venues.gate.payloads import (
    BookUpdate,
    Head,
    Level,
    Liquidation,
    OrderBook,
    Stats,
    Status,
    Ticker,
    Trade,
)
from faultline.units import MILLISECOND_NS, SECOND_NS, PriceKind, Side, TakerSide

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultline.sources.rows import Rows

__all__ = ("BOOK", "LIQUIDATIONS", "STATS", "TICKERS", "TRADES", "GateMapper")

TRADES: Final = "futures.trades"
LIQUIDATIONS: Final = "futures.public_liquidates"
BOOK: Final = "futures.order_book_update"
TICKERS: Final = "futures.tickers"
STATS: Final = "contract_stats"

#: Fields of statistics and the kind of ratio that each is.
_RATIOS: Final = {
    "lsr_account": "accounts",
    "top_lsr_account": "top_accounts",
    "top_lsr_size": "top_positions",
    "lsr_taker": "taker_volume",
}
#: Numbers below are seconds, above milliseconds: 1973 and 5138 lie between.
_SECONDS_END: Final = 100_000_000_000
#: Later than any clock; and the time that stands for one that cannot be.
_LATEST: Final = 1e15
_NEVER_NS: Final = -1


class GateMapper(VenueMapper):
    """Maps four channels, the book's snapshot and the poll ``contract_stats``."""

    venue: ClassVar[str] = "gate"
    level_form: ClassVar = ('{"p":%,"s":%}', list[Level])

    def reset(self) -> None:
        """Forget books."""
        self._chains = BookChains(are_fetched=True)

    def _map_frame(self, frame: bytes, out: Rows) -> None:
        head = _HEAD.decode(frame)
        out.channel = head.channel or "?"
        if head.event in {"subscribe", "unsubscribe"} or head.error is not None:
            _apply_answer(head, out)
            return
        if head.channel == "futures.pong":
            return
        way = self._WAYS.get(head.channel)
        if way is None:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, f"channel {head.channel[:40]!r}")
        decode, apply = way
        apply(self, head, decode(head.result), out)

    def _map_answer(self, channel: str, symbol: str, body: bytes, out: Rows) -> None:
        if channel not in {BOOK, STATS}:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, channel)
        self.contract(symbol)
        if channel == BOOK:
            book = _BOOK.decode(body)
            bids, asks = self.read_levels(symbol, book.bids, book.asks)
            self._chains.snapshot(symbol, _ns(book.update), book.id, bids, asks, out, is_fetched=True)
            return
        for stats in sorted(_STATS.decode(body), key=lambda row: row.time)[-1:]:
            for field, kind in _RATIOS.items():
                ratio = getattr(stats, field)
                if ratio != 0:  # 0 stands for what is not counted yet
                    share = ratio / (1.0 + ratio) if ratio > 0 else -1.0
                    out.ratio(symbol, stats.time * SECOND_NS, kind, share)

    def _apply_trades(self, head: Head, rows: list[Trade], out: Rows) -> None:
        del head
        for trade in rows:
            qty_base = self.base_qty(trade.contract, abs(trade.size), trade.price)
            side = TakerSide.BUY if trade.size > 0 else TakerSide.SELL
            cause = TradeCause.INSURANCE_FUND if trade.is_internal else TradeCause.ORDINARY
            out.trade(trade.contract, _ns(trade.create_time_ms), trade.id, trade.price, qty_base, side, cause)

    def _apply_liquidations(self, head: Head, rows: list[Liquidation], out: Rows) -> None:
        del head
        for one in rows:
            if one.contract not in self.contracts:
                continue  # All contracts were subscribed; this one is not wanted.
            qty_base, notional_usd = self.amounts(one.contract, abs(one.size), one.price)
            side = Side.LONG if one.size > 0 else Side.SHORT
            ts_ns = _ns(one.time_ms or one.time)
            out.liquidation(one.contract, ts_ns, side, PriceKind.UNKNOWN, one.price, qty_base, notional_usd)

    def _apply_book(self, head: Head, book: BookUpdate, out: Rows) -> None:
        del head
        ts_ns = book.t * MILLISECOND_NS
        bids, asks = self.read_levels(book.s, book.b, book.a)
        if book.full:
            self._chains.snapshot(book.s, ts_ns, book.u, bids, asks, out, is_fetched=False)
        else:
            self._chains.change(BookChange(book.s, ts_ns, book.U, book.u, bids, asks), out)

    def _apply_tickers(self, head: Head, rows: list[Ticker], out: Rows) -> None:
        ts_ns = head.time_ms * MILLISECOND_NS or head.time * SECOND_NS
        for one in rows:
            contract = self.contract(one.contract)
            out.mark(one.contract, ts_ns, one.mark_price, _number(one.index_price))
            if one.funding_rate:
                out.funding(one.contract, ts_ns, _number(one.funding_rate))
            if one.total_size:
                # At a price of 1 the two amounts are base units of a linear contract, and USD of an inverse one.
                qty_base, value_usd = self.amounts(one.contract, _number(one.total_size), 1.0)
                if contract.contract_kind is ContractKind.INVERSE:
                    out.open_interest(one.contract, ts_ns, oi_usd=value_usd)
                else:
                    out.open_interest(one.contract, ts_ns, oi_base=qty_base)

    #: Decoder and method of a channel.
    _WAYS: ClassVar[
        dict[str, tuple[Callable[[msgspec.Raw], Any], Callable[[Any, Head, Any, Rows], None]]]
    ] = {
        channel: (msgspec.json.Decoder(kind, strict=False).decode, apply)
        for channel, kind, apply in (
            (TRADES, list[Trade], _apply_trades),
            (LIQUIDATIONS, list[Liquidation], _apply_liquidations),
            (BOOK, BookUpdate, _apply_book),
            (TICKERS, list[Ticker], _apply_tickers),
        )
    }


def _apply_answer(head: Head, out: Rows) -> None:
    """A confirmation or refusal; its key is the channel and the id of the request."""
    key = "" if head.id is None else f"{head.channel}|{head.id}"
    if head.error is not None:
        out.controls.append(Refused(key, f"{head.error.code}: {head.error.message}"))
    elif head.event == "subscribe":
        result = _STATUS.decode(head.result) if head.result else Status()
        if result.status == "success":
            out.controls.append(Confirmed(key))
        else:
            out.controls.append(Refused(key, f"status {result.status[:40]!r}"))


def _ns(stamp: float) -> int:
    """Nanoseconds of a time in seconds or milliseconds: the venue has changed which it sends, by channel."""
    if not 0 <= stamp < _LATEST:
        return _NEVER_NS
    unit_ns = SECOND_NS if stamp < _SECONDS_END else MILLISECOND_NS
    whole = int(stamp)
    return whole * unit_ns + round((stamp - whole) * unit_ns)


def _number(text: str) -> float:
    """A number that may be left empty, as NaN then.

    Raises:
        FrameReject: it is something else.
    """
    try:
        return float(text or "nan")
    except ValueError:
        raise FrameReject(Reason.WRONG_SHAPE, f"{text[:40]!r} is no number") from None


_HEAD: Final = msgspec.json.Decoder(Head, strict=False)
_STATUS: Final = msgspec.json.Decoder(Status)
_BOOK: Final = msgspec.json.Decoder(OrderBook, strict=False)
_STATS: Final = msgspec.json.Decoder(list[Stats], strict=False)
