"""MEXC Futures' frames in, rows out; sizes count contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.instruments import ContractKind
from faultline.sources.book_chains import BookChains, BookChange
from faultline.sources.control import Confirmed, Refused
from faultline.sources.mapper import VenueMapper
from faultline.sources.rows import FrameReject, Reason
from faultline.sources.venues.mexc.payloads import Answer, Deal, Depth, Head, OrderBook, Ticker
from faultline.units import MILLISECOND_NS, TakerSide

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultline.sources.rows import Rows

__all__ = ("BOOK", "TICKERS", "TRADES", "MexcMapper")

TRADES: Final = "push.deal"
BOOK: Final = "push.depth"
TICKERS: Final = "push.ticker"

#: ``T`` of a trade.
_TAKER: Final = {1: TakerSide.BUY, 2: TakerSide.SELL}
_SUBSCRIBED: Final = "rs.sub."
_UNSUBSCRIBED: Final = "rs.unsub."


class MexcMapper(VenueMapper):
    """Maps channels ``push.deal``, ``push.depth``, ``push.ticker`` and the book's snapshot."""

    venue: ClassVar[str] = "mexc"
    level_form: ClassVar = ("[%,%,%]", list[tuple[float, float, float]])

    def reset(self) -> None:
        """Forget books."""
        self._chains = BookChains(are_fetched=True)

    def _map_frame(self, frame: bytes, out: Rows) -> None:
        head = _HEAD.decode(frame)
        out.channel = head.channel or "?"
        way = self._WAYS.get(head.channel)
        if way is None:
            _apply_answer(head, out)
            return
        decode, apply = way
        apply(self, head, decode(head.data), out)

    def _map_answer(self, channel: str, symbol: str, body: bytes, out: Rows) -> None:
        if channel != BOOK:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, channel)
        self.contract(symbol)
        answer = _ANSWER.decode(body)
        if not answer.success:
            raise FrameReject(Reason.VENUE_ERROR, f"{answer.code}: {answer.message}")
        book = _BOOK.decode(answer.data)
        bids, asks = self.read_levels(symbol, book.bids, book.asks)
        ts_ns = book.timestamp * MILLISECOND_NS
        self._chains.snapshot(symbol, ts_ns, book.version, bids, asks, out, is_fetched=True)

    def _apply_deals(self, head: Head, told: Deal | list[Deal], out: Rows) -> None:
        for deal in told if isinstance(told, list) else (told,):
            side = _TAKER.get(deal.T)
            if side is None:
                raise FrameReject(Reason.UNKNOWN_WORD, f"T {deal.T}")
            qty_base = self.base_qty(head.symbol, deal.v, deal.p)
            out.trade(head.symbol, deal.t * MILLISECOND_NS, deal.i, deal.p, qty_base, side)

    def _apply_depth(self, head: Head, depth: Depth, out: Rows) -> None:
        symbol = head.symbol
        bids, asks = self.read_levels(symbol, depth.bids, depth.asks)
        first_id, last_id = depth.begin or depth.version, depth.end or depth.version
        change = BookChange(symbol, head.ts * MILLISECOND_NS, first_id, last_id, bids, asks)
        self._chains.change(change, out)

    def _apply_ticker(self, head: Head, ticker: Ticker, out: Rows) -> None:
        del head
        symbol, ts_ns = ticker.symbol, ticker.timestamp * MILLISECOND_NS
        contract = self.contract(symbol)
        if ticker.fairPrice is not None:
            index_usd = float("nan") if ticker.indexPrice is None else ticker.indexPrice
            out.mark(symbol, ts_ns, ticker.fairPrice, index_usd)
        if ticker.fundingRate is not None:
            out.funding(symbol, ts_ns, ticker.fundingRate)
        if ticker.holdVol is not None:
            # At a price of 1 the two amounts are base units of a linear contract, and USD of an inverse one.
            qty_base, value_usd = self.amounts(symbol, ticker.holdVol, 1.0)
            if contract.contract_kind is ContractKind.INVERSE:
                out.open_interest(symbol, ts_ns, oi_usd=value_usd)
            else:
                out.open_interest(symbol, ts_ns, oi_base=qty_base)

    #: Decoder and method of a channel.
    _WAYS: ClassVar[
        dict[str, tuple[Callable[[msgspec.Raw], Any], Callable[[Any, Head, Any, Rows], None]]]
    ] = {
        TRADES: (msgspec.json.Decoder(Deal | list[Deal], strict=False).decode, _apply_deals),
        BOOK: (msgspec.json.Decoder(Depth, strict=False).decode, _apply_depth),
        TICKERS: (msgspec.json.Decoder(Ticker, strict=False).decode, _apply_ticker),
    }


def _apply_answer(head: Head, out: Rows) -> None:
    """A confirmation names its channel and not the contract; an error names neither."""
    if head.channel.startswith(_SUBSCRIBED):
        key, word = f"push.{head.channel.removeprefix(_SUBSCRIBED)}", _text_of(head)
        out.controls.append(Confirmed(key) if word == "success" else Refused(key, word))
    elif head.channel == "rs.error":
        out.controls.append(Refused("", _text_of(head)))
    elif head.channel != "pong" and not head.channel.startswith(_UNSUBSCRIBED):
        raise FrameReject(Reason.UNKNOWN_CHANNEL, f"channel {head.channel[:40]!r}")


def _text_of(head: Head) -> str:
    return bytes(head.data).decode().strip('"')[:200]


_HEAD: Final = msgspec.json.Decoder(Head, strict=False)
_ANSWER: Final = msgspec.json.Decoder(Answer, strict=False)
_BOOK: Final = msgspec.json.Decoder(OrderBook, strict=False)
