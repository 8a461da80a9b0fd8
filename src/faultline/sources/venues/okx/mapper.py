"""OKX's frames in, rows out.

The first push of liquidations after a subscription repeats an old one: what is older than the confirmation is dropped
from it. A change of the book names the update before it; a broken chain asks for the book anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.instruments import ContractKind
from faultline.messages import NO_SEQ, Flag
from faultline.sources.awaited import AwaitedSnapshots, lose_book
from faultline.sources.control import Confirmed, Refused, Resync
from faultline.sources.mapper import VenueMapper
from faultline.sources.rows import FrameReject, Reason
from faultline.sources.venues.okx.payloads import (
    BookFrame,
    FundingFrame,
    Head,
    IndexFrame,
    InterestFrame,
    LiquidationFrame,
    MarkFrame,
    Ratios,
    TradeFrame,
)
from faultline.units import MILLISECOND_NS, PriceKind, Side, TakerSide

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultline.sources.rows import Rows

__all__ = (
    "BOOK",
    "FUNDING",
    "INDEX",
    "LIQUIDATIONS",
    "MARKS",
    "OPEN_INTEREST",
    "RATIOS",
    "TRADES",
    "OkxMapper",
    "index_of",
)

TRADES: Final = "trades"
LIQUIDATIONS: Final = "liquidation-orders"
BOOK: Final = "books"
MARKS: Final = "mark-price"
INDEX: Final = "index-tickers"
FUNDING: Final = "funding-rate"
OPEN_INTEREST: Final = "open-interest"
#: Channels of long-short ratios and the kind of ratio that each is.
RATIOS: Final = {
    "long-short-account-ratio-contract": "accounts",
    "long-short-account-ratio-contract-top-trader": "top_accounts",
    "long-short-position-ratio-contract-top-trader": "top_positions",
}

_TAKER: Final = {"buy": TakerSide.BUY, "sell": TakerSide.SELL}
#: ``posSide`` names the position; of an account in net mode the order's side tells it.
_POSITION: Final = {"long": Side.LONG, "short": Side.SHORT}
_CLOSED: Final = {"sell": Side.LONG, "buy": Side.SHORT}
_START: Final = b'{"arg":{"channel":"'
_START_BYTES: Final = len(_START)
#: Events that ask for nothing.
_PASSED_OVER: Final = {"unsubscribe", "channel-conn-count", "notice"}


class OkxMapper(VenueMapper):
    """Maps seven channels and three polled ratios."""

    venue: ClassVar[str] = "okx"
    level_form: ClassVar = ('[%,%,"?","?"]', list[tuple[float, float, str, str]])

    def reset(self) -> None:
        """Forget books, index prices, and that liquidations came."""
        self._sequences: dict[str, int] = {}
        self._awaited = AwaitedSnapshots()
        self._index_usd: dict[str, float] = {}
        self._indexes = {index_of(symbol) for symbol in self.contracts}
        # When liquidations were confirmed; 0 once the first push came.
        self._confirmed_ns = 0

    def _map_frame(self, frame: bytes, out: Rows) -> None:
        if frame == b"pong":
            return
        end = frame.find(b'"', _START_BYTES) if frame.startswith(_START) else -1
        channel = frame[_START_BYTES:end].decode() if end > 0 else ""
        way = self._WAYS.get(channel)
        if way is None:
            head = _HEAD.decode(frame)
            if head.event:
                self._apply_event(head, out)
                return
            channel = "" if head.arg is None else head.arg.channel
            out.channel = channel or "?"
            way = self._WAYS.get(channel)
            if way is None:
                raise FrameReject(Reason.UNKNOWN_CHANNEL, f"channel {channel[:40]!r}")
        out.channel = channel
        decode, apply = way
        try:
            message = decode(frame)
        except msgspec.ValidationError:
            # A confirmation begins as a push does where the venue writes ``arg`` first.
            head = _HEAD.decode(frame)
            if not head.event:
                raise
            self._apply_event(head, out)
            return
        apply(self, message, out)

    def _apply_event(self, head: Head, out: Rows) -> None:
        out.channel = head.event
        arg = head.arg
        key = "" if arg is None or not arg.channel else f"{arg.channel}|{arg.instId or arg.instType}"
        if head.event == "subscribe":
            out.controls.append(Confirmed(key))
            if arg is not None and arg.channel == LIQUIDATIONS:
                self._confirmed_ns = out.received_ns
        elif head.event == "error":
            out.controls.append(Refused(key, f"{head.code}: {head.msg}"))
        elif head.event not in _PASSED_OVER:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, f"event {head.event[:40]!r}")

    def _map_answer(self, channel: str, symbol: str, body: bytes, out: Rows) -> None:
        if channel not in RATIOS:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, channel)
        self.contract(symbol)
        answer = _RATIOS.decode(body)
        if answer.code != "0":
            raise FrameReject(Reason.VENUE_ERROR, f"{answer.code}: {answer.msg}")
        for ts_ms, ratio in answer.data[:1]:
            share = ratio / (1.0 + ratio) if ratio >= 0 else -1.0
            out.ratio(symbol, ts_ms * MILLISECOND_NS, RATIOS[channel], share)

    def _apply_trades(self, frame: TradeFrame, out: Rows) -> None:
        for trade in frame.data:
            side = _TAKER.get(trade.side)
            if side is None:
                raise FrameReject(Reason.UNKNOWN_WORD, f"side {trade.side!r}")
            qty_base = self.base_qty(trade.instId, trade.sz, trade.px)
            seq = int(trade.tradeId) if trade.tradeId.isdecimal() else NO_SEQ
            out.trade(trade.instId, trade.ts * MILLISECOND_NS, seq, trade.px, qty_base, side)

    def _apply_liquidations(self, frame: LiquidationFrame, out: Rows) -> None:
        since_ns, self._confirmed_ns = self._confirmed_ns, 0
        for item in frame.data:
            if item.instId not in self.contracts:
                continue  # The channel is of all contracts; this one was not asked for.
            for one in item.details:
                ts_ns = one.ts * MILLISECOND_NS
                if ts_ns < since_ns:
                    continue  # The old one that every subscription begins with.
                closes = _CLOSED if one.posSide == "net" else _POSITION
                side = closes.get(one.side if one.posSide == "net" else one.posSide)
                if side is None:
                    raise FrameReject(Reason.UNKNOWN_WORD, f"posSide {one.posSide!r}, side {one.side!r}")
                qty_base, notional_usd = self.amounts(item.instId, one.sz, one.bkPx)
                kind = PriceKind.BANKRUPTCY
                out.liquidation(
                    item.instId, ts_ns, side, kind, one.bkPx, qty_base, notional_usd, flags=Flag.SAMPLED
                )

    def _apply_book(self, frame: BookFrame, out: Rows) -> None:
        symbol, is_snapshot = frame.arg.instId, frame.action == "snapshot"
        for book, (bids, asks) in [(one, self.read_levels(symbol, one.bids, one.asks)) for one in frame.data]:
            last, ts_ns = self._sequences.get(symbol), book.ts * MILLISECOND_NS
            if not is_snapshot:
                if last is None:  # Changes before the snapshot, or after a resync was asked for.
                    if self._awaited.is_overdue(symbol):
                        out.controls.append(Resync(symbol, "no snapshot came"))
                    return
                if book.prevSeqId is not None and book.prevSeqId != last:
                    del self._sequences[symbol]
                    lose_book(out, symbol, ts_ns, f"an update after {book.prevSeqId}, not {last}")
                    return
            else:
                self._awaited.came(symbol)
            self._sequences[symbol] = book.seqId
            if not out.levels(symbol, ts_ns, book.seqId, bids, asks, is_snapshot=is_snapshot):
                del self._sequences[symbol]
                lose_book(out, symbol, ts_ns, "an update was rejected")
                return

    def _apply_marks(self, frame: MarkFrame, out: Rows) -> None:
        for one in frame.data:
            self.contract(one.instId)
            index_usd = self._index_usd.get(index_of(one.instId), float("nan"))
            out.mark(one.instId, one.ts * MILLISECOND_NS, one.markPx, index_usd)

    def _apply_index(self, frame: IndexFrame, out: Rows) -> None:
        del out
        for one in frame.data:
            if one.idxPx > 0 and one.instId in self._indexes:
                self._index_usd[one.instId] = one.idxPx

    def _apply_funding(self, frame: FundingFrame, out: Rows) -> None:
        for one in frame.data:
            self.contract(one.instId)
            ts_ns = one.ts * MILLISECOND_NS or out.received_ns
            after_ms = int(one.nextFundingTime) if one.nextFundingTime.isdecimal() else 0
            interval_ns = max(after_ms - one.fundingTime, 0) * MILLISECOND_NS
            next_ns = one.fundingTime * MILLISECOND_NS
            out.funding(one.instId, ts_ns, one.fundingRate, interval_ns=interval_ns, next_ns=next_ns)

    def _apply_interest(self, frame: InterestFrame, out: Rows) -> None:
        for one in frame.data:
            # At a price of 1 the two amounts are base units of a linear contract, and USD of an inverse one.
            qty_base, value_usd = self.amounts(one.instId, one.oi, 1.0)
            if self.contracts[one.instId].contract_kind is ContractKind.INVERSE:
                out.open_interest(one.instId, one.ts * MILLISECOND_NS, oi_usd=value_usd)
            else:
                out.open_interest(one.instId, one.ts * MILLISECOND_NS, oi_base=qty_base)

    #: Decoder and method of a channel.
    _WAYS: ClassVar[dict[str, tuple[Callable[[bytes], Any], Callable[[Any, Any, Rows], None]]]] = {
        channel: (msgspec.json.Decoder(kind, strict=False).decode, apply)
        for channel, kind, apply in (
            (TRADES, TradeFrame, _apply_trades),
            (LIQUIDATIONS, LiquidationFrame, _apply_liquidations),
            (BOOK, BookFrame, _apply_book),
            (MARKS, MarkFrame, _apply_marks),
            (INDEX, IndexFrame, _apply_index),
            (FUNDING, FundingFrame, _apply_funding),
            (OPEN_INTEREST, InterestFrame, _apply_interest),
        )
    }


def index_of(symbol: str) -> str:
    """Name of the index of a contract: ``BTC-USDT`` of ``BTC-USDT-SWAP``."""
    return symbol.rpartition("-")[0]


_HEAD: Final = msgspec.json.Decoder(Head)
_RATIOS: Final = msgspec.json.Decoder(Ratios, strict=False)
