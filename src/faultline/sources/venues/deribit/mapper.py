"""Deribit's frames in, rows out.

A trade's mark says whose position was forced out: the taker's (its side is the opposite of what the taker did), the
maker's (what the taker did), or both, which makes two liquidations of one trade. Such a trade is told as a trade, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.instruments import ContractKind
from faultline.messages import Kind, TradeCause
from faultline.sources.awaited import AwaitedSnapshots, lose_book
from faultline.sources.control import Confirmed, Refused, Reply, Resync
from faultline.sources.mapper import VenueMapper
from faultline.sources.rows import FrameReject, Reason
from faultline.sources.venues.deribit.payloads import BookFrame, Head, TickerFrame, TradeFrame
from faultline.units import HOUR_NS, MILLISECOND_NS, SECOND_NS, PriceKind, TakerSide

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultline.sources.rows import Rows

__all__ = ("BOOK", "SUBSCRIBE_ID", "TICKERS", "TRADES", "UNSUBSCRIBE_ID", "DeribitMapper")

TRADES: Final = "trades"
BOOK: Final = "book"
TICKERS: Final = "ticker"
#: Numbers of our requests, by which answers are told apart.
SUBSCRIBE_ID: Final = 1
UNSUBSCRIBE_ID: Final = 2

_TAKER: Final = {"buy": TakerSide.BUY, "sell": TakerSide.SELL}
#: Sides of the positions that were forced out, as multiples of the taker's side, by mark.
_FORCED: Final = {"T": (-1,), "M": (1,), "MT": (-1, 1)}
_TEST: Final = Reply(b'{"jsonrpc":"2.0","id":4,"method":"public/test","params":{}}')
_START: Final = b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"'
_START_BYTES: Final = len(_START)
#: Funding runs continuously; the rate is told for eight hours.
_FUNDING_INTERVAL_NS: Final = 8 * HOUR_NS
#: States that do not change are told again after this long.
_REPEAT_NS: Final = SECOND_NS


class DeribitMapper(VenueMapper):
    """Maps trades, books and tickers; amounts are USD (inverse) or base units (linear), never contracts."""

    venue: ClassVar[str] = "deribit"
    stream_start: ClassVar[bytes] = _START
    stream_bytes: ClassVar[int] = 96
    level_form: ClassVar = ('["?",%,%]', list[tuple[str, float, float]])

    def reset(self) -> None:
        """Forget books and states."""
        self._changes: dict[str, int] = {}
        self._awaited = AwaitedSnapshots()
        self._told: dict[tuple[Kind, str], tuple[float, int]] = {}
        self._inverse = {
            symbol for symbol, item in self.contracts.items() if item.contract_kind is ContractKind.INVERSE
        }

    def _map_frame(self, frame: bytes, out: Rows) -> None:
        if frame.startswith(_START):
            name = frame[_START_BYTES : frame.find(b'"', _START_BYTES)].decode()
        else:
            head = _HEAD.decode(frame)
            if head.method != "subscription":
                self._apply_other(head, out)
                return
            name = "" if head.params is None else head.params.channel
        channel = name.partition(".")[0]
        out.channel = channel or "?"
        way = self._WAYS.get(channel)
        if way is None:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, f"channel {name[:60]!r}")
        decode, apply = way
        self.take(frame, decode, apply, out)

    def _apply_other(self, head: Head, out: Rows) -> None:
        """A heartbeat, or the answer to a request."""
        out.channel = head.method or "answer"
        if head.method == "heartbeat":
            if head.params is not None and head.params.type == "test_request":
                out.controls.append(_TEST)
        elif head.error is not None:
            out.controls.append(Refused("", f"{head.error.code}: {head.error.message}"))
        elif head.method or head.id is None or head.result is None:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, f"method {head.method[:40]!r}")
        elif isinstance(head.result, list) and head.id != UNSUBSCRIBE_ID:
            out.controls += [Confirmed(name) for name in head.result if isinstance(name, str)]

    def _map_answer(self, channel: str, symbol: str, body: bytes, out: Rows) -> None:
        del symbol, body, out
        raise FrameReject(Reason.UNKNOWN_CHANNEL, channel)

    def _apply_trades(self, frame: TradeFrame, out: Rows) -> None:
        for trade in frame.params.data:
            symbol, price = trade.instrument_name, trade.price
            taker = _TAKER.get(trade.direction)
            forced = _FORCED.get(trade.liquidation, ())
            if taker is None or (trade.liquidation and not forced):
                raise FrameReject(Reason.UNKNOWN_WORD, f"{trade.direction!r}, {trade.liquidation!r}")
            qty_base, value_usd = self._amounts_of(symbol, trade.amount, price)
            ts_ns, seq = trade.timestamp * MILLISECOND_NS, trade.trade_seq
            cause = TradeCause.LIQUIDATION if forced else TradeCause.ORDINARY
            out.trade(symbol, ts_ns, seq, price, qty_base, taker, cause)
            for factor in forced:
                out.liquidation(
                    symbol, ts_ns, factor * taker, PriceKind.FILL, price, qty_base, value_usd, seq=seq
                )

    def _apply_book(self, frame: BookFrame, out: Rows) -> None:
        book = frame.params.data
        symbol, is_snapshot = book.instrument_name, book.type == "snapshot"
        self.contract(symbol)
        bids, asks = self.lists.read(book.bids, book.asks, is_inverse=symbol in self._inverse)
        last, ts_ns = self._changes.get(symbol), book.timestamp * MILLISECOND_NS
        if not is_snapshot:
            if last is None:  # Changes before the snapshot, or after a resync was asked for.
                if self._awaited.is_overdue(symbol):
                    out.controls.append(Resync(symbol, "no snapshot came"))
                return
            if book.prev_change_id != last:
                del self._changes[symbol]
                lose_book(out, symbol, ts_ns, f"a change after {book.prev_change_id}, not {last}")
                return
        else:
            self._awaited.came(symbol)
        self._changes[symbol] = book.change_id
        if not out.levels(symbol, ts_ns, book.change_id, bids, asks, is_snapshot=is_snapshot):
            del self._changes[symbol]
            lose_book(out, symbol, ts_ns, "a change was rejected")

    def _apply_ticker(self, frame: TickerFrame, out: Rows) -> None:
        one = frame.params.data
        symbol, ts_ns = one.instrument_name, one.timestamp * MILLISECOND_NS
        self.contract(symbol)
        out.mark(symbol, ts_ns, one.mark_price, float("nan") if one.index_price is None else one.index_price)
        if one.current_funding is not None and self._is_due(Kind.FUNDING, symbol, one.current_funding, ts_ns):
            out.funding(symbol, ts_ns, one.current_funding, interval_ns=_FUNDING_INTERVAL_NS)
        if self._is_due(Kind.OPEN_INTEREST, symbol, one.open_interest, ts_ns):
            if symbol in self._inverse:
                out.open_interest(symbol, ts_ns, oi_usd=one.open_interest)
            else:
                out.open_interest(symbol, ts_ns, oi_base=one.open_interest)

    def _is_due(self, kind: Kind, symbol: str, value: float, ts_ns: int) -> bool:
        """Whether a value changed, or was not told for a second."""
        before = self._told.get((kind, symbol))
        if before is not None and before[0] == value and 0 <= ts_ns - before[1] < _REPEAT_NS:
            return False
        self._told[(kind, symbol)] = (value, ts_ns)
        return True

    def _amounts_of(self, symbol: str, amount: float, price_usd: float) -> tuple[float, float]:
        """Base units and USD of an amount, which is USD (inverse) or base units (linear)."""
        self.contract(symbol)
        if symbol in self._inverse:
            return (amount / price_usd if price_usd else 0.0), amount
        return amount, amount * price_usd

    #: Decoder and method of a channel.
    _WAYS: ClassVar[dict[str, tuple[Callable[[bytes], Any], Callable[[Any, Any, Rows], None]]]] = {
        channel: (msgspec.json.Decoder(kind, strict=False).decode, apply)
        for channel, kind, apply in (
            (TRADES, TradeFrame, _apply_trades),
            (BOOK, BookFrame, _apply_book),
            (TICKERS, TickerFrame, _apply_ticker),
        )
    }


_HEAD: Final = msgspec.json.Decoder(Head)
