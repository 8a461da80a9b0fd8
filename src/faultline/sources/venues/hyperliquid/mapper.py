"""Hyperliquid's frames and answers in, rows out.

The first frame of trades after a subscription repeats the latest trades of the coin: those older than the confirmation
are flagged as a snapshot. Every trade names buyer and seller, and so gives two fills of known accounts.
"""

from __future__ import annotations

import collections
import math
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.messages import Flag
from faultline.sources.control import Confirmed, Refused
from faultline.sources.mapper import VenueMapper
from faultline.sources.rows import FrameReject, Reason
from faultline.sources.venues.hyperliquid.payloads import (
    AccountState,
    AssetContextFrame,
    BookFrame,
    Fill,
    Head,
    Level,
    ResponseFrame,
    TextFrame,
    TradeFrame,
)
from faultline.units import HOUR_NS, MILLISECOND_NS, TakerSide

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultline.sources.rows import Rows

__all__ = ("ACCOUNTS", "BOOK", "CONTEXTS", "FILLS", "TRADES", "HyperliquidMapper")

TRADES: Final = "trades"
BOOK: Final = "l2Book"
CONTEXTS: Final = "activeAssetCtx"
ACCOUNTS: Final = "clearinghouseState"
FILLS: Final = "userFills"

_START: Final = b'{"channel":"'
_START_BYTES: Final = len(_START)
#: A is the side of asks: the taker sold into bids.
_TAKER: Final = {"A": TakerSide.SELL, "B": TakerSide.BUY}
#: Accounts whose coins are remembered, so that a position that is gone is told.
_ACCOUNTS_MAX: Final = 50_000


class HyperliquidMapper(VenueMapper):
    """Maps trades, books, states of coins, and polled states and fills of accounts."""

    venue: ClassVar[str] = "hyperliquid"
    stream_start: ClassVar[bytes] = _START
    stream_bytes: ClassVar[int] = 28
    level_form: ClassVar = ('{"px":%,"sz":%,"n":%}', list[Level])

    def reset(self) -> None:
        """Forget repeated trades, books, and what accounts held."""
        # When a coin's trades were confirmed, until its first frame came; then the ids of that frame.
        self._confirmed_ns: dict[str, int] = {}
        self._repeated: dict[str, set[int]] = {}
        self._latest_book: dict[str, bytes] = {}
        self._held: collections.OrderedDict[str, set[str]] = collections.OrderedDict()

    def _map_frame(self, frame: bytes, out: Rows) -> None:
        if frame.startswith(_START):
            channel = frame[_START_BYTES : frame.find(b'"', _START_BYTES)].decode()
        else:
            channel = _HEAD.decode(frame).channel
        out.channel = channel or "?"
        if channel == "pong":
            return
        way = self._WAYS.get(channel)
        if way is None:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, f"channel {channel[:40]!r}")
        decode, apply = way
        self.take(frame, decode, apply, out)

    def _map_answer(self, channel: str, symbol: str, body: bytes, out: Rows) -> None:
        if channel == ACCOUNTS:
            self._apply_account(symbol, _ACCOUNT.decode(body), out)
        elif channel == FILLS:
            self._apply_fills(symbol, _FILLS.decode(body), out)
        else:
            raise FrameReject(Reason.UNKNOWN_CHANNEL, channel)

    def _apply_response(self, frame: ResponseFrame, out: Rows) -> None:
        asked = frame.data.subscription
        if frame.data.method != "subscribe":
            return
        out.controls.append(Confirmed(f"{asked.type}|{asked.coin}"))
        if asked.type == TRADES:
            self._confirmed_ns[asked.coin] = out.received_ns

    def _apply_error(self, frame: TextFrame, out: Rows) -> None:
        out.controls.append(Refused("", frame.data[:200]))

    def _apply_trades(self, frame: TradeFrame, out: Rows) -> None:
        for trade in frame.data:
            coin = trade.coin
            self.contract(coin)
            side = _TAKER.get(trade.side)
            if side is None:
                raise FrameReject(Reason.UNKNOWN_WORD, f"side {trade.side!r}")
            ts_ns, flags = trade.time * MILLISECOND_NS, 0
            since_ns = self._confirmed_ns.get(coin, 0)
            if since_ns and ts_ns < since_ns:
                flags = Flag.SNAPSHOT
                self._repeated.setdefault(coin, set()).add(trade.tid)
            elif trade.tid in self._repeated.get(coin, ()):
                continue
            out.trade(coin, ts_ns, trade.tid, trade.px, trade.sz, side, flags=flags)
            if trade.users is not None and not flags:
                buyer, seller = trade.users
                bought = int(side is TakerSide.BUY)
                out.wallet_fill(coin, ts_ns, buyer, 1, trade.px, trade.sz, is_taker=bought, seq=trade.tid)
                out.wallet_fill(
                    coin, ts_ns, seller, -1, trade.px, trade.sz, is_taker=1 - bought, seq=trade.tid
                )
        for coin in {trade.coin for trade in frame.data}:
            self._confirmed_ns.pop(coin, None)

    def _apply_book(self, frame: BookFrame, out: Rows) -> None:
        book = frame.data
        self.contract(book.coin)
        if self._latest_book.get(book.coin) == out.frame:
            return  # The same book again: it is pushed whether it changed or not.
        bids, asks = self.lists.read(*book.levels)
        self._latest_book[book.coin] = out.frame
        out.levels(book.coin, book.time * MILLISECOND_NS, -1, bids, asks, is_snapshot=True)

    def _apply_context(self, frame: AssetContextFrame, out: Rows) -> None:
        """No time is sent: the receive time stands in for it. Funding is paid at every full hour."""
        coin, state, now_ns = frame.data.coin, frame.data.ctx, out.received_ns
        self.contract(coin)
        out.mark(coin, now_ns, state.markPx, math.nan if state.oraclePx is None else state.oraclePx)
        next_ns = (now_ns // HOUR_NS + 1) * HOUR_NS
        out.funding(coin, now_ns, state.funding, interval_ns=HOUR_NS, next_ns=next_ns)
        out.open_interest(coin, now_ns, oi_base=state.openInterest)

    def _apply_account(self, wallet: str, state: AccountState, out: Rows) -> None:
        """Positions that stand, and a zero for each that stood in the answer before."""
        ts_ns = state.time * MILLISECOND_NS or out.received_ns
        before = self._held.pop(wallet, set())
        now = set()
        for item in state.assetPositions:
            one = item.position
            if one.coin not in self.contracts or one.szi == 0:
                continue
            now.add(one.coin)
            out.wallet_position(
                one.coin,
                ts_ns,
                wallet,
                1 if one.szi > 0 else -1,
                abs(one.szi),
                _known(one.entryPx),
                leverage=one.leverage.value,
                is_cross=int(one.leverage.type == "cross"),
                liquidation_price_usd=_known(one.liquidationPx),
                notional_usd=_known(one.positionValue),
                unrealized_pnl_usd=_known(one.unrealizedPnl),
                account_value_usd=state.marginSummary.accountValue,
            )
        for coin in sorted(before - now):
            out.wallet_position(coin, ts_ns, wallet, 0, 0.0, math.nan)
        if now:
            self._held[wallet] = now
            if len(self._held) > _ACCOUNTS_MAX:
                self._held.popitem(last=False)

    def _apply_fills(self, wallet: str, fills: list[Fill], out: Rows) -> None:
        for fill in fills:
            side = _TAKER.get(fill.side)
            if side is None:
                raise FrameReject(Reason.UNKNOWN_WORD, f"side {fill.side!r}")
            if fill.coin not in self.contracts:
                continue
            liquidated = fill.liquidation is not None and fill.liquidation.liquidatedUser == wallet
            out.wallet_fill(
                fill.coin,
                fill.time * MILLISECOND_NS,
                wallet,
                int(side),
                fill.px,
                fill.sz,
                start_qty_base=_known(fill.startPosition),
                closed_pnl_usd=_known(fill.closedPnl),
                is_taker=-1 if fill.crossed is None else int(fill.crossed),
                is_liquidation=int(liquidated),
                seq=fill.tid,
            )

    #: Decoder and method of a channel.
    _WAYS: ClassVar[dict[str, tuple[Callable[[bytes], Any], Callable[[Any, Any, Rows], None]]]] = {
        channel: (msgspec.json.Decoder(kind, strict=False).decode, apply)
        for channel, kind, apply in (
            (TRADES, TradeFrame, _apply_trades),
            (BOOK, BookFrame, _apply_book),
            (CONTEXTS, AssetContextFrame, _apply_context),
            ("subscriptionResponse", ResponseFrame, _apply_response),
            ("error", TextFrame, _apply_error),
        )
    }


def _known(value: float | None) -> float:
    return math.nan if value is None else value


_HEAD: Final = msgspec.json.Decoder(Head)
_ACCOUNT: Final = msgspec.json.Decoder(AccountState, strict=False)
_FILLS: Final = msgspec.json.Decoder(list[Fill], strict=False)
