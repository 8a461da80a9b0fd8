"""CoinEx's frames and answers in, rows out.

Answers to requests carry nothing but their number, so the numbers of requests tell the channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.instruments import ContractKind
from faultline.messages import NO_SEQ, Flag
from faultline.sources.awaited import AwaitedSnapshots, lose_book
from faultline.sources.control import Confirmed, Refused, Resync
from faultline.sources.mapper import VenueMapper
from faultline.sources.recent_ids import RecentIds
from faultline.sources.rows import FrameReject, Reason
from faultline.sources.venues.coinex.payloads import (
    DepthFrame,
    Head,
    Liquidations,
    StateFrame,
    TradeFrame,
)
from faultline.units import MILLISECOND_NS, SECOND_NS, PriceKind, Side, TakerSide

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultline.sources.rows import Rows

__all__ = ("BOOK", "LIQUIDATIONS", "NO_KEY", "REQUESTS", "STATE", "TRADES", "CoinexMapper", "key_of")

TRADES: Final = "deals"
BOOK: Final = "depth"
STATE: Final = "state"
LIQUIDATIONS: Final = "liquidation-history"
#: First number of the requests of a channel; it has as many as there are up to the next.
REQUESTS: Final = {TRADES: 1000, BOOK: 2000, STATE: 3000}
#: Number of requests whose answers confirm nothing: pings, and leaving a channel.
NO_KEY: Final = 0

_TAKER: Final = {"buy": TakerSide.BUY, "sell": TakerSide.SELL}
_POSITION: Final = {"long": Side.LONG, "short": Side.SHORT}
#: What the first frame or answer tells of more than this ago is repeated.
_REPEATED_NS: Final = {TRADES: 10 * SECOND_NS, LIQUIDATIONS: 120 * SECOND_NS}


def key_of(number: int) -> str:
    """The key of a request by its number: its channel, and the number."""
    named = [channel for channel, first in REQUESTS.items() if first <= number]
    return f"{named[-1]}|{number}" if named else ""


class CoinexMapper(VenueMapper):
    """Maps methods ``deals``, ``depth`` and ``state``, and the poll ``liquidation-history``."""

    venue: ClassVar[str] = "coinex"

    def reset(self) -> None:
        """Forget books, trades and liquidations."""
        self._begun: set[str] = set()
        self._awaited = AwaitedSnapshots()
        self._told = RecentIds(16_384)
        #: Channels and symbols of which something was told.
        self._heard: set[tuple[str, str]] = set()

    def _map_frame(self, frame: bytes, out: Rows) -> None:
        head = _HEAD.decode(frame)
        if not head.method and head.id is not None:
            _apply_answer(head, out)
            return
        channel = head.method.removesuffix(".update")
        out.channel = channel or "?"
        way = self._WAYS.get(channel)
        if way is None:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, f"method {head.method[:40]!r}")
        decode, apply = way
        apply(self, decode(frame), out)

    def _map_answer(self, channel: str, symbol: str, body: bytes, out: Rows) -> None:
        if channel != LIQUIDATIONS:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, channel)
        self.contract(symbol)
        answer = _LIQUIDATIONS.decode(body)
        if answer.code:
            raise FrameReject(Reason.VENUE_ERROR, f"code {answer.code}: {answer.message[:80]}")
        repeated_ns = self._repeated_until_ns(LIQUIDATIONS, symbol, out)
        for one in sorted(answer.data, key=lambda row: row.created_at):
            market, ts_ns = one.market.strip(), one.created_at * MILLISECOND_NS
            side = _POSITION.get(one.side)
            if market != symbol or side is None:
                raise FrameReject(Reason.UNKNOWN_WORD, f"{one.side[:40]!r} of {market[:40]!r}")
            # Rows have no id; the same answer repeats them until a hundred others came.
            if not self._told.admit((LIQUIDATIONS, market, ts_ns, side, one.liq_price, one.liq_amount)):
                continue
            qty_base, notional_usd = self.amounts(market, one.liq_amount, one.liq_price)
            flags = Flag.SNAPSHOT if ts_ns < repeated_ns else 0
            out.liquidation(
                market, ts_ns, side, PriceKind.TRIGGER, one.liq_price, qty_base, notional_usd, flags=flags
            )

    def _repeated_until_ns(self, channel: str, symbol: str, out: Rows) -> int:
        """What is older belongs to the past that is told first; 0 after the first time."""
        if (channel, symbol) in self._heard:
            return 0
        self._heard.add((channel, symbol))
        return out.received_ns - _REPEATED_NS[channel]

    def _apply_trades(self, frame: TradeFrame, out: Rows) -> None:
        symbol = frame.data.market
        self.contract(symbol)
        repeated_ns = self._repeated_until_ns(TRADES, symbol, out)
        for trade in reversed(frame.data.deal_list):
            side = _TAKER.get(trade.side)
            if side is None:
                raise FrameReject(Reason.UNKNOWN_WORD, f"side {trade.side[:40]!r}")
            if not self._told.admit((symbol, trade.deal_id)):
                continue
            qty_base = self.base_qty(symbol, trade.amount, trade.price)
            ts_ns = trade.created_at * MILLISECOND_NS
            flags = Flag.SNAPSHOT if ts_ns < repeated_ns else 0
            out.trade(symbol, ts_ns, trade.deal_id, trade.price, qty_base, side, flags=flags)

    def _apply_book(self, frame: DepthFrame, out: Rows) -> None:
        update = frame.data
        symbol, is_full = update.market, update.is_full
        bids, asks = self.read_levels(symbol, update.depth.bids, update.depth.asks)
        ts_ns = update.depth.updated_at * MILLISECOND_NS
        if is_full:
            # A whole book may name levels that are gone.
            bids, asks = bids[bids[:, 1] != 0], asks[asks[:, 1] != 0]
            self._awaited.came(symbol)
        elif symbol not in self._begun:  # Changes before the whole book, or after a resync was asked for.
            if self._awaited.is_overdue(symbol):
                out.controls.append(Resync(symbol, "no snapshot came"))
            return
        if out.levels(symbol, ts_ns, NO_SEQ, bids, asks, is_snapshot=is_full):
            self._begun.add(symbol)
        else:
            self._begun.discard(symbol)
            lose_book(out, symbol, ts_ns, "a change was rejected")

    def _apply_states(self, frame: StateFrame, out: Rows) -> None:
        """States carry no time: they are of the moment in which they are received."""
        now_ns = out.received_ns
        for one in frame.data.state_list:
            contract = self.contract(one.market)
            if one.mark_price is not None:
                index = float("nan") if one.index_price is None else one.index_price
                out.mark(one.market, now_ns, one.mark_price, index)
            if one.next_funding_rate is not None and one.next_funding_time:
                next_ns = one.next_funding_time * MILLISECOND_NS
                interval_ns = max(0, next_ns - one.latest_funding_time * MILLISECOND_NS)
                interval_ns = interval_ns if one.latest_funding_time else 0
                out.funding(
                    one.market, now_ns, one.next_funding_rate, interval_ns=interval_ns, next_ns=next_ns
                )
            if one.open_interest_size:
                # At a price of 1 the two amounts are base units of a linear contract, and USD of an inverse one.
                interest_base, interest_usd = self.amounts(one.market, one.open_interest_size, 1.0)
                if contract.contract_kind is ContractKind.INVERSE:
                    out.open_interest(one.market, now_ns, oi_usd=interest_usd)
                else:
                    out.open_interest(one.market, now_ns, oi_base=interest_base)

    #: Decoder and method of a channel.
    _WAYS: ClassVar[dict[str, tuple[Callable[[bytes], Any], Callable[[Any, Any, Rows], None]]]] = {
        channel: (msgspec.json.Decoder(kind, strict=False).decode, apply)
        for channel, kind, apply in (
            (TRADES, TradeFrame, _apply_trades),
            (BOOK, DepthFrame, _apply_book),
            (STATE, StateFrame, _apply_states),
        )
    }


def _apply_answer(head: Head, out: Rows) -> None:
    """The answer to a request, by its number."""
    out.channel = "answer"
    if head.id is None or head.code is None:
        raise FrameReject(Reason.WRONG_SHAPE, "an answer without its code")
    key = key_of(head.id)
    if head.code:
        out.controls.append(Refused(key, f"{head.code}: {head.message}"))
    elif key:
        out.controls.append(Confirmed(key))


_HEAD: Final = msgspec.json.Decoder(Head)
_LIQUIDATIONS: Final = msgspec.json.Decoder(Liquidations, strict=False)
