"""Bybit's frames in, rows out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.instruments import ContractKind
from faultline.sources.awaited import AwaitedSnapshots, lose_book
from faultline.sources.control import Confirmed, Refused, Resync
from faultline.sources.depth_bytes import DepthReader
from faultline.sources.mapper import VenueMapper
from faultline.sources.rows import FrameReject, Reason
from faultline.sources.trade_bytes import TradeLayouts
from faultline.sources.venues.bybit.payloads import (
    BOOK_LAYOUTS,
    TRADE_LAYOUTS,
    AccountRatios,
    BookFrame,
    Head,
    LiquidationFrame,
    Ticker,
    TickerFrame,
    TradeFrame,
)
from faultline.units import HOUR_NS, MILLISECOND_NS, PriceKind, Side, TakerSide

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultline.sources.rows import Levels, Rows

    #: What reads the frames of a channel, and what applies what was read.
    Route = tuple[Callable[[bytes], Any], Callable[[Any, Any, Rows], None]]
    #: Type, time in ms, symbol, update id, bids and asks of a book frame.
    BookChange = tuple[str, int, str, int, Levels, Levels]

__all__ = ("ACCOUNT_RATIO", "BOOK", "LIQUIDATIONS", "TICKERS", "TRADES", "BybitMapper")

TRADES: Final = "publicTrade"
LIQUIDATIONS: Final = "allLiquidation"
BOOK: Final = "orderbook"
TICKERS: Final = "tickers"
ACCOUNT_RATIO: Final = "account-ratio"

#: ``S`` of a trade is the taker's side.
_TAKER: Final = {"Buy": TakerSide.BUY, "Sell": TakerSide.SELL}
#: ``S`` of a liquidation is the side of the position: a Buy is a long that was liquidated.
_POSITION: Final = {"Buy": Side.LONG, "Sell": Side.SHORT}
_START: Final = b'{"topic":"'


class BybitMapper(VenueMapper):
    """Maps topics ``publicTrade``, ``allLiquidation``, ``orderbook``, ``tickers`` and the poll ``account-ratio``."""

    venue: ClassVar[str] = "bybit"
    stream_start: ClassVar[bytes] = _START
    stream_bytes: ClassVar[int] = 44
    trade_layouts: ClassVar[TradeLayouts | None] = TradeLayouts(TRADES, TRADE_LAYOUTS, sell="Sell", buy="Buy")

    def reset(self) -> None:
        """Forget books and tickers."""
        self._update_ids: dict[str, int] = {}
        self._awaited = AwaitedSnapshots()
        self._tickers: dict[str, Ticker] = {}
        self._depth = DepthReader(*BOOK_LAYOUTS)

    def _map_frame(self, frame: bytes, out: Rows) -> None:
        if topic := _topic_of(frame, out):
            channel, _, symbol = topic.partition(".")
            out.channel = channel
            apply = self._APPLY.get(channel)
            if apply is None:
                raise FrameReject(Reason.UNKNOWN_CHANNEL, channel)
            decode = self._read_book if channel == BOOK else _DECODERS[channel].decode
            self.take(frame, decode, apply, out, trades_of=symbol if channel == TRADES else "")

    def _map_answer(self, channel: str, symbol: str, body: bytes, out: Rows) -> None:
        if channel != ACCOUNT_RATIO:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, channel)
        answer = msgspec.json.decode(body, type=AccountRatios, strict=False)
        if answer.retCode:
            raise FrameReject(Reason.VENUE_ERROR, f"retCode {answer.retCode}")
        self.contract(symbol)
        for ratio in answer.result.rows:
            total = ratio.buyRatio + ratio.sellRatio
            share = ratio.buyRatio / total if total > 0 else -1.0
            out.ratio(symbol, ratio.timestamp * MILLISECOND_NS, "accounts", share)

    def _apply_trades(self, frame: TradeFrame, out: Rows) -> None:
        for trade in frame.data:
            side = _TAKER.get(trade.S)
            if side is None:
                raise FrameReject(Reason.UNKNOWN_WORD, f"S {trade.S!r}")
            qty_base = self.base_qty(trade.s, trade.v, trade.p)
            out.trade(trade.s, trade.T * MILLISECOND_NS, trade.seq, trade.p, qty_base, side)

    def _apply_liquidations(self, frame: LiquidationFrame, out: Rows) -> None:
        for one in frame.data:
            side = _POSITION.get(one.S)
            if side is None:
                raise FrameReject(Reason.UNKNOWN_WORD, f"S {one.S!r}")
            qty_base, notional_usd = self.amounts(one.s, one.v, one.p)
            out.liquidation(
                one.s, one.T * MILLISECOND_NS, side, PriceKind.BANKRUPTCY, one.p, qty_base, notional_usd
            )

    def _read_book(self, frame: bytes) -> BookChange:
        """From the bytes where the frame is as it always is, else from its JSON."""
        if (quick := self._depth.read(frame)) is not None:
            (kind, symbol), (ts_ms, update_id, *_), bids, asks = quick
            return kind, ts_ms, symbol, update_id, bids, asks
        slow = _BOOK_FRAME.decode(frame)
        return slow.type, slow.ts, slow.data.s, slow.data.u, *self.lists.read(slow.data.b, slow.data.a)

    def _apply_book(self, change: BookChange, out: Rows) -> None:
        kind, ts_ms, symbol, update_id, bids, asks = change
        is_snapshot, ts_ns = kind == "snapshot", ts_ms * MILLISECOND_NS
        self.contract(symbol)
        last = self._update_ids.get(symbol)
        if not is_snapshot and last is None:  # Changes before the snapshot, or after a resync was asked for.
            if self._awaited.is_overdue(symbol):
                out.controls.append(Resync(symbol, "no snapshot came"))
            return
        if is_snapshot:
            self._awaited.came(symbol)
        # Ids rise but may skip (recorded), so only a step back is a broken sequence.
        if not is_snapshot and last is not None and update_id <= last:
            del self._update_ids[symbol]
            lose_book(out, symbol, ts_ns, f"update {update_id} after {last}")
            return
        self._update_ids[symbol] = update_id
        bids, asks = self.base_levels(symbol, bids), self.base_levels(symbol, asks)
        if not out.levels(symbol, ts_ns, update_id, bids, asks, is_snapshot=is_snapshot):
            del self._update_ids[symbol]
            lose_book(out, symbol, ts_ns, "an update was rejected")

    def _apply_ticker(self, frame: TickerFrame, out: Rows) -> None:
        """A delta has only what changed; parts that belong together are told together."""
        new, ts_ns = frame.data, frame.ts * MILLISECOND_NS
        contract = self.contract(new.symbol)
        if frame.type == "snapshot":
            self._tickers[new.symbol] = state = Ticker(new.symbol)
        elif (known := self._tickers.get(new.symbol)) is None:
            return  # Changes before the first snapshot.
        else:
            state = known
        changed = {name for name in Ticker.__struct_fields__ if getattr(new, name) is not None}
        for name in changed:
            setattr(state, name, getattr(new, name))
        if changed & {"markPrice", "indexPrice"} and state.markPrice is not None:
            out.mark(new.symbol, ts_ns, state.markPrice, _known(state.indexPrice))
        if changed & {"fundingRate", "nextFundingTime"} and state.fundingRate is not None:
            out.funding(
                new.symbol,
                ts_ns,
                state.fundingRate,
                interval_ns=(state.fundingIntervalHour or 0) * HOUR_NS,
                next_ns=(state.nextFundingTime or 0) * MILLISECOND_NS,
            )
        if changed & {"openInterest", "singleOpenInterest"}:
            one_side = _one_side(state)
            if contract.contract_kind is ContractKind.INVERSE:
                out.open_interest(new.symbol, ts_ns, oi_usd=one_side)
            else:
                out.open_interest(new.symbol, ts_ns, oi_base=one_side)

    _APPLY: ClassVar[dict[str, Callable[[Any, Any, Rows], None]]] = {
        TRADES: _apply_trades,
        LIQUIDATIONS: _apply_liquidations,
        BOOK: _apply_book,
        TICKERS: _apply_ticker,
    }


def _topic_of(frame: bytes, out: Rows) -> str:
    """The topic of a frame; empty where it was the answer to a request, which is taken here."""
    if frame.startswith(_START):
        end = frame.find(b'"', len(_START))
        if end > 0:
            return frame[len(_START) : end].decode()
    head = _HEAD.decode(frame)
    if head.topic:
        return head.topic
    out.channel = head.op or "?"
    if head.op == "subscribe":
        out.controls.append(Confirmed(head.req_id) if head.success else Refused(head.req_id, head.ret_msg))
    elif head.op not in {"ping", "pong"}:
        raise FrameReject(Reason.UNKNOWN_CHANNEL, f"op {head.op!r}")
    return ""


def _one_side(state: Ticker) -> float:
    """Open interest of one side; the older field counts both where the newer one stands beside it."""
    return _known(state.openInterest if state.singleOpenInterest is None else state.singleOpenInterest)


def _known(value: float | None) -> float:
    return float("nan") if value is None else value


_HEAD: Final = msgspec.json.Decoder(Head)
_BOOK_FRAME: Final = msgspec.json.Decoder(BookFrame, strict=False)
_DECODERS: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    TRADES: msgspec.json.Decoder(TradeFrame, strict=False),
    LIQUIDATIONS: msgspec.json.Decoder(LiquidationFrame, strict=False),
    TICKERS: msgspec.json.Decoder(TickerFrame, strict=False),
}
