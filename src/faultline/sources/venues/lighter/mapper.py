"""Lighter's frames in, rows out.

Trades name taker and maker, and what each held before. A forced one is a trade and a liquidation of the taker's
position; one of type ``deleverage`` closed the maker's position against a bankrupt one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.messages import Flag, TradeCause
from faultline.sources.awaited import AwaitedSnapshots, lose_book
from faultline.sources.control import Confirmed, Refused, Reply, Resync
from faultline.sources.mapper import VenueMapper
from faultline.sources.recent_ids import RecentIds
from faultline.sources.rows import FrameReject, Reason
from faultline.sources.venues.lighter.instruments import market_of
from faultline.sources.venues.lighter.payloads import (
    BookFrame,
    Head,
    Level,
    MarketStats,
    StatsFrame,
    Trade,
    TradeFrame,
)
from faultline.units import HOUR_NS, MILLISECOND_NS, PriceKind, TakerSide

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from faultline.instruments import Instrument
    from faultline.sources.rows import Rows

__all__ = ("ALL", "BOOK", "STATS", "TRADES", "LighterMapper")

TRADES: Final = "trade"
BOOK: Final = "order_book"
STATS: Final = "market_stats"
#: Stands for the number of a market in the channel that has all of them.
ALL: Final = "all"

_CAUSES: Final = {
    "trade": TradeCause.ORDINARY,
    "liquidation": TradeCause.LIQUIDATION,
    "deleverage": TradeCause.ADL,
}
_PONG: Final = Reply(b'{"type":"pong"}')
#: A refusal that says that the subscription stands already.
_ALREADY: Final = 30_003
_PERCENT: Final = 0.01


class LighterMapper(VenueMapper):
    """Maps trades with their accounts, books whose changes are chained by nonces, and states of markets."""

    venue: ClassVar[str] = "lighter"
    level_form: ClassVar = ('{"price":%,"size":%}', list[Level])

    def __init__(self, contracts: Mapping[str, Instrument]) -> None:
        self._symbols = {market_of(symbol): symbol for symbol in contracts}
        super().__init__(contracts)

    def reset(self) -> None:
        """Forget books and trades."""
        self._nonces: dict[str, int] = {}
        self._awaited = AwaitedSnapshots()
        self._trades = RecentIds(16_384)

    def _map_frame(self, frame: bytes, out: Rows) -> None:
        head = _HEAD.decode(frame)
        channel, _, market = head.channel.partition(":")
        out.channel = channel or head.type or "?"
        if head.error is not None:
            if head.error.code != _ALREADY:
                out.controls.append(Refused("", f"{head.error.code}: {head.error.message[:200]}"))
            return
        if head.type == "ping":
            out.controls.append(_PONG)
            return
        if head.type in {"connected", "pong", "unsubscribed"}:
            return
        is_first = head.type == f"subscribed/{channel}"
        way = self._WAYS.get(channel)
        if way is None or not (is_first or head.type == f"update/{channel}"):
            raise FrameReject(Reason.UNKNOWN_CHANNEL, f"{head.type[:40]!r} of {head.channel[:40]!r}")
        if is_first:
            out.controls.append(Confirmed(f"{channel}|{market}"))
        decode, apply = way
        apply(self, market, decode(frame), out, is_first=is_first)

    def _map_answer(self, channel: str, symbol: str, body: bytes, out: Rows) -> None:
        del symbol, body, out
        raise FrameReject(Reason.UNKNOWN_CHANNEL, channel)

    def _symbol(self, market: int | str) -> str:
        found = self._symbols.get(str(market))
        if found is None:
            raise FrameReject(Reason.UNKNOWN_SYMBOL, f"market {str(market)[:20]} was not asked for")
        return found

    def _apply_trades(self, market: str, frame: TradeFrame, out: Rows, *, is_first: bool) -> None:
        self._symbol(market)
        trades = [*(frame.trades or ()), *(frame.liquidation_trades or ())]
        for trade in sorted(trades, key=lambda one: one.trade_id):
            self._apply_trade(trade, out, Flag.SNAPSHOT if is_first else 0)

    def _apply_trade(self, trade: Trade, out: Rows, flags: int) -> None:
        symbol, cause = self._symbol(trade.market_id), _CAUSES.get(trade.type)
        if cause is None:
            raise FrameReject(Reason.UNKNOWN_WORD, f"type {trade.type[:20]!r}")
        if not self._trades.admit((symbol, trade.trade_id)):
            return
        taker = TakerSide.BUY if trade.is_maker_ask else TakerSide.SELL
        ts_ns, seq, price, qty = trade.timestamp * MILLISECOND_NS, trade.trade_id, trade.price, trade.size
        out.trade(symbol, ts_ns, seq, price, qty, taker, cause, flags)
        if cause is TradeCause.LIQUIDATION:
            value_usd = price * qty if trade.usd_amount is None else trade.usd_amount
            out.liquidation(
                symbol, ts_ns, -taker, PriceKind.FILL, price, qty, value_usd, seq=seq, flags=flags
            )
        if flags:
            return
        seller, buyer = _name(trade.ask_account_id), _name(trade.bid_account_id)
        of_taker, of_maker = (buyer, seller) if trade.is_maker_ask else (seller, buyer)
        if cause is TradeCause.ADL:
            out.adl(symbol, ts_ns, int(taker), price, qty, seq=seq, wallet=of_maker)
        for wallet, side, held, is_taker in (
            (of_taker, taker, trade.taker_position_size_before, 1),
            (of_maker, -taker, trade.maker_position_size_before, 0),
        ):
            if wallet:
                out.wallet_fill(
                    symbol, ts_ns, wallet, int(side), price, qty, seq=seq, is_taker=is_taker,
                    start_qty_base=_known(held),
                    is_liquidation=int(is_taker and cause is TradeCause.LIQUIDATION),
                )  # fmt: skip

    def _apply_book(self, market: str, frame: BookFrame, out: Rows, *, is_first: bool) -> None:
        symbol, book, ts_ns = self._symbol(market), frame.order_book, frame.timestamp * MILLISECOND_NS
        bids, asks = self.lists.read(book.bids, book.asks)
        last = self._nonces.get(symbol)
        if is_first:
            self._awaited.came(symbol)
        elif last is None:  # Changes before the snapshot, or after a resync was asked for.
            if self._awaited.is_overdue(symbol):
                out.controls.append(Resync(symbol, "no snapshot came"))
            return
        elif book.begin_nonce != last:
            del self._nonces[symbol]
            lose_book(out, symbol, ts_ns, f"a change after {book.begin_nonce}, not {last}")
            return
        if out.levels(symbol, ts_ns, book.nonce, bids, asks, is_snapshot=is_first):
            self._nonces[symbol] = book.nonce
        else:
            self._nonces.pop(symbol, None)
            lose_book(out, symbol, ts_ns, "a change was rejected")

    def _apply_stats(self, market: str, frame: StatsFrame, out: Rows, *, is_first: bool) -> None:
        """States of one market, or of all; those that were not asked for are passed over in the latter."""
        del is_first
        ts_ns = frame.timestamp * MILLISECOND_NS or out.received_ns
        if market != ALL:
            _apply_state(self._symbol(market), _STATE.decode(frame.market_stats), ts_ns, out)
            return
        for one in _STATES.decode(frame.market_stats).values():
            symbol = self._symbols.get(str(one.market_id))
            if symbol is not None:
                _apply_state(symbol, one, ts_ns, out)

    #: Decoder and method of a channel.
    _WAYS: ClassVar[dict[str, tuple[Callable[[bytes], Any], Callable[..., None]]]] = {
        channel: (msgspec.json.Decoder(kind, strict=False).decode, apply)
        for channel, kind, apply in (
            (TRADES, TradeFrame, _apply_trades),
            (BOOK, BookFrame, _apply_book),
            (STATS, StatsFrame, _apply_stats),
        )
    }


def _apply_state(symbol: str, state: MarketStats, ts_ns: int, out: Rows) -> None:
    """Funding is paid at every full hour."""
    if state.mark_price is not None:
        out.mark(symbol, ts_ns, state.mark_price, _known(state.index_price))
    if state.current_funding_rate is not None:
        next_ns = (ts_ns // HOUR_NS + 1) * HOUR_NS
        rate_ratio = state.current_funding_rate * _PERCENT
        out.funding(symbol, ts_ns, rate_ratio, interval_ns=HOUR_NS, next_ns=max(next_ns, 0))
    if state.open_interest:  # 0 stands for a market that nobody holds yet
        out.open_interest(symbol, ts_ns, oi_usd=state.open_interest)


def _name(account: int | str | None) -> str:
    return "" if account is None else str(account)


def _known(value: float | None) -> float:
    return math.nan if value is None else value


_HEAD: Final = msgspec.json.Decoder(Head)
_STATE: Final = msgspec.json.Decoder(MarketStats, strict=False)
_STATES: Final = msgspec.json.Decoder(dict[str, MarketStats], strict=False)
