"""HTX's frames in, rows out.

Market data, prices and notifications come from three kinds of address in two dialects; one mapper reads them all.
Quantities count contracts; those of trades count both sides and are halved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.instruments import ContractKind
from faultline.sources.book_chains import BookChains, BookChange
from faultline.sources.control import Confirmed, Refused, Reply
from faultline.sources.mapper import VenueMapper
from faultline.sources.rows import FrameReject, Reason
from faultline.sources.venues.htx.payloads import (
    Answer,
    Book,
    Funding,
    Head,
    Kline,
    Liquidation,
    OpenInterest,
    Ratios,
    Trades,
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
    "HtxMapper",
)

TRADES: Final = "trade.detail"
BOOK: Final = "depth.size_150.high_freq"
MARKS: Final = "mark_price.1min"
INDEX: Final = "index.1min"
LIQUIDATIONS: Final = "liquidation_orders"
FUNDING: Final = "funding_rate"
OPEN_INTEREST: Final = "swap_open_interest"
#: Polls of long-short ratios and the kind of ratio that each is.
RATIOS: Final = {
    "swap_elite_account_ratio": "top_accounts",
    "swap_elite_position_ratio": "top_positions",
}

#: Of some trades the taker is not told.
_TAKER: Final = {"buy": TakerSide.BUY, "sell": TakerSide.SELL, "": TakerSide.UNKNOWN}
#: ``direction`` of a liquidation is that of the order: a sell closes a long.
_CLOSED: Final = {"sell": Side.LONG, "buy": Side.SHORT}
_SIDES: Final = 2.0


class HtxMapper(VenueMapper):
    """Maps four channels of market data and prices, two of notifications and three polls."""

    venue: ClassVar[str] = "htx"

    def reset(self) -> None:
        """Forget books and index prices."""
        self._chains = BookChains(are_fetched=False)
        self._index_usd: dict[str, float] = {}

    def _map_frame(self, frame: bytes, out: Rows) -> None:
        head = _HEAD.decode(frame)
        if head.ch:
            _, _, rest = head.ch.partition(".")
            symbol, _, channel = rest.partition(".")
            self._apply(channel, symbol, head, head.tick, out)
        elif head.op == "notify":
            channel = head.topic.rpartition(".")[2]
            self._apply(channel, "", head, head.data, out)
        else:
            _apply_answer(head, out)

    def _apply(self, channel: str, symbol: str, head: Head, body: msgspec.Raw, out: Rows) -> None:
        out.channel = channel or "?"
        way = self._WAYS.get(channel)
        if way is None:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, f"channel {channel[:40]!r}")
        decode, apply = way
        apply(self, symbol, head, decode(body), out)

    def _map_answer(self, channel: str, symbol: str, body: bytes, out: Rows) -> None:
        if channel not in RATIOS and channel != OPEN_INTEREST:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, channel)
        contract = self.contract(symbol)
        if channel == OPEN_INTEREST:
            answer = _ANSWER.decode(body)
            _require_fine(answer)
            for row in map(_INTEREST.decode, answer.data):
                if row.contract_code != symbol:
                    raise FrameReject(Reason.UNKNOWN_SYMBOL, f"{row.contract_code[:40]!r} was not asked for")
                # At a price of 1 the two amounts are base units of a linear contract, and USD of an inverse one.
                qty_base, value_usd = self.amounts(symbol, row.volume, 1.0)
                ts_ns = answer.ts * MILLISECOND_NS
                if contract.contract_kind is ContractKind.INVERSE:
                    out.open_interest(symbol, ts_ns, oi_usd=value_usd)
                else:
                    out.open_interest(symbol, ts_ns, oi_base=qty_base)
            return
        ratios = _RATIOS.decode(body)
        _require_fine(ratios)
        rows = [] if ratios.data is None else ratios.data.rows
        for one in sorted(rows, key=lambda row: row.ts)[-1:]:
            total = one.buy_ratio + one.sell_ratio
            share = one.buy_ratio / total if total > 0 else -1.0
            out.ratio(symbol, one.ts * MILLISECOND_NS, RATIOS[channel], share)

    def _apply_trades(self, symbol: str, head: Head, trades: Trades, out: Rows) -> None:
        del head
        for trade in trades.data:
            side = _TAKER.get(trade.direction)
            if side is None:
                raise FrameReject(Reason.UNKNOWN_WORD, f"direction {trade.direction!r}")
            qty_base = self.base_qty(symbol, trade.amount / _SIDES, trade.price)
            out.trade(symbol, trade.ts * MILLISECOND_NS, trade.id, trade.price, qty_base, side)

    def _apply_book(self, symbol: str, head: Head, book: Book, out: Rows) -> None:
        del head
        ts_ns = book.ts * MILLISECOND_NS
        bids, asks = self.read_levels(symbol, book.bids, book.asks)
        if book.event == "snapshot":
            self._chains.snapshot(symbol, ts_ns, book.version, bids, asks, out, is_fetched=False)
        elif book.event == "update":
            change = BookChange(symbol, ts_ns, book.version, book.version, bids, asks)
            self._chains.change(change, out)
        else:
            raise FrameReject(Reason.UNKNOWN_WORD, f"event {book.event[:40]!r}")

    def _apply_mark(self, symbol: str, head: Head, kline: Kline, out: Rows) -> None:
        self.contract(symbol)
        out.mark(symbol, head.ts * MILLISECOND_NS, kline.close, self._index_usd.get(symbol, float("nan")))

    def _apply_index(self, symbol: str, head: Head, kline: Kline, out: Rows) -> None:
        del head, out
        self.contract(symbol)
        if kline.close > 0:
            self._index_usd[symbol] = kline.close

    def _apply_liquidations(self, symbol: str, head: Head, rows: list[Liquidation], out: Rows) -> None:
        del symbol, head
        for one in rows:
            if one.contract_code not in self.contracts:
                continue  # The topic is of all contracts; this one was not asked for.
            side = _CLOSED.get(one.direction)
            if side is None:
                raise FrameReject(Reason.UNKNOWN_WORD, f"direction {one.direction!r}")
            qty_base, notional_usd = self.amounts(one.contract_code, one.volume, one.price)
            ts_ns, kind = one.created_at * MILLISECOND_NS, PriceKind.BANKRUPTCY
            out.liquidation(one.contract_code, ts_ns, side, kind, one.price, qty_base, notional_usd)

    def _apply_funding(self, symbol: str, head: Head, rows: list[Funding], out: Rows) -> None:
        del symbol
        for one in rows:
            self.contract(one.contract_code)
            next_ns = one.settlement_time * MILLISECOND_NS
            out.funding(one.contract_code, head.ts * MILLISECOND_NS, one.funding_rate, next_ns=next_ns)

    #: Decoder and method of a channel.
    _WAYS: ClassVar[
        dict[str, tuple[Callable[[msgspec.Raw], Any], Callable[[Any, str, Head, Any, Rows], None]]]
    ] = {
        channel: (msgspec.json.Decoder(kind, strict=False).decode, apply)
        for channel, kind, apply in (
            (TRADES, Trades, _apply_trades),
            (BOOK, Book, _apply_book),
            (MARKS, Kline, _apply_mark),
            (INDEX, Kline, _apply_index),
            (LIQUIDATIONS, list[Liquidation], _apply_liquidations),
            (FUNDING, list[Funding], _apply_funding),
        )
    }


def _apply_answer(head: Head, out: Rows) -> None:
    """Answer a ping, or take the answer to a request, whose key is its topic in both dialects."""
    out.channel = "answer"
    is_fine = head.status == "ok" if head.status else head.err_code in {0, "0"}
    if head.ping is not None:
        out.controls.append(Reply(msgspec.json.encode({"pong": head.ping})))
    elif head.op == "ping":
        out.controls.append(Reply(msgspec.json.encode({"op": "pong", "ts": str(head.ts)})))
    elif head.unsubbed or head.op == "unsub":
        return
    elif not is_fine and (head.status == "error" or head.op):
        key = head.topic or str(head.id)
        out.controls.append(Refused(key, f"{head.err_code}: {head.err_msg}"))
    elif is_fine and (head.subbed or (head.op == "sub" and head.topic)):
        out.controls.append(Confirmed(head.subbed or head.topic))
    else:
        raise FrameReject(Reason.UNKNOWN_CHANNEL, f"op {head.op[:40]!r}")


def _require_fine(answer: Answer | Ratios) -> None:
    """Raise where the venue answered with an error.

    Raises:
        FrameReject: it did.
    """
    if answer.status != "ok":
        raise FrameReject(Reason.VENUE_ERROR, f"status {answer.status[:40]!r} {answer.err_msg}")


_HEAD: Final = msgspec.json.Decoder(Head, strict=False)
_ANSWER: Final = msgspec.json.Decoder(Answer, strict=False)
_INTEREST: Final = msgspec.json.Decoder(OpenInterest, strict=False)
_RATIOS: Final = msgspec.json.Decoder(Ratios, strict=False)
