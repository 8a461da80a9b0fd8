"""Accounts seen in fills in, their positions out: one request after the other, spent where it tells the most.

A venue answers for one account at a time and there are more accounts than requests. So each stands in a tier: **hot**
(traded within ten minutes, or a large position near its liquidation price) is due every 30 s, **warm** (holds a
position, traded within a day, or was never asked for) every ten minutes, **cold** (the rest) every four hours. Next is
the account that is overdue by the largest factor; where the budget does not reach, all tiers fall behind
alike. Accounts outlive a run: the next one goes on with their tiers and with who is due.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import enum
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import numpy as np
import structlog

from faultline.errors import SourceError
from faultline.messages import Kind
from faultline.sources.failures import Blocked
from faultline.sources.health import Status
from faultline.sources.kept_wallets import KeptWallet
from faultline.sources.pacing import Budget
from faultline.sources.rows import Reason, Rows
from faultline.units import SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from faultline.messages import Batch
    from faultline.sources.mapper import VenueMapper
    from faultline.sources.pacing import Backoff, Timer
    from faultline.sources.plan import Poll
    from faultline.sources.rest import RestClient

__all__ = ("SweepSettings", "Tier", "WalletFeed", "WalletSweep")

_LOG = structlog.get_logger(__name__)
_WORKERS: Final = 4
#: A wait is never longer: accounts may become hot meanwhile.
_WAIT_S_MOST: Final = 1.0
_NO_TRADE_S: Final = float("-inf")


@runtime_checkable
class WalletFeed(Protocol):
    """A feed of a venue that answers for single accounts."""

    def wallet_poll(self, wallet: str) -> Poll:
        """The request for the positions of an account; its answer goes to ``map_answer`` with the account as symbol."""
        ...


class Tier(enum.IntEnum):
    """How soon an account is worth another request."""

    HOT = 0
    WARM = 1
    COLD = 2


@dataclasses.dataclass(frozen=True, slots=True)
class SweepSettings:
    """Where tiers begin, and how much is spent.

    Attributes:
        due_s: seconds between two requests for an account, by tier.
        hot_s: an account that traded within so many seconds is hot.
        warm_s: and warm within so many.
        large_usd: a position of this notional is large.
        near_ratio: its liquidation price is near within this share of the mark price.
        share: part of the venue's budget of requests that the sweep may use.
        wallets_max: accounts that are followed; a cold one makes room for a new one.
    """

    due_s: tuple[float, float, float] = (30.0, 600.0, 14_400.0)
    hot_s: float = 600.0
    warm_s: float = 86_400.0
    large_usd: float = 1_000_000.0
    near_ratio: float = 0.05
    share: float = 0.7
    wallets_max: int = 50_000


@dataclasses.dataclass(slots=True)
class _Account:
    """One account: when it traded and was asked for last, and what it holds."""

    wallet: str
    traded_s: float = _NO_TRADE_S
    asked_s: float = _NO_TRADE_S
    #: Coins held, and whether that position is large and near its liquidation price.
    held: dict[str, bool] = dataclasses.field(default_factory=dict)
    #: Warm until the first answer tells.
    tier: Tier = Tier.WARM
    #: Its place in a queue; older entries of it are void.
    ticket: int = 0
    is_asked: bool = False
    #: Never asked for; ``asked_s`` is then the moment that makes it due when it was first seen.
    is_fresh: bool = True


class WalletSweep:
    """Asks for the positions of accounts, for as long as ``run`` runs.

    Args:
        feed: makes the requests.
        rest: where to ask.
        mapper: maps the answers; of the sweep alone.
        stamp: receive times.
        timer: seconds and waits.
        backoff: waits after failures.
        settings: tiers and budget.
        keep_raw: takes (connection, receive time, body) of every answer; None where none are kept.

    Attributes:
        rows: what answers said; others drain it by ``drain``.
        n_turned_away: accounts not followed because there are too many.
    """

    def __init__(
        self,
        feed: WalletFeed,
        rest: RestClient,
        mapper: VenueMapper,
        *,
        stamp: Callable[[], int],
        timer: Timer,
        backoff: Backoff,
        settings: SweepSettings | None = None,
        keep_raw: Callable[[str, int, bytes], None] | None = None,
    ) -> None:
        self.rows = Rows(mapper.venue)
        self.n_turned_away = 0
        self._feed, self._rest, self._mapper, self._stamp, self._timer = feed, rest, mapper, stamp, timer
        self._settings = settings or SweepSettings()
        self._backoff, self._keep_raw = backoff, keep_raw
        example = feed.wallet_poll("")
        #: Name of the channel that positions come on.
        self.channel = example.channel
        # Evenly spread: in bursts the budget would go to whoever is due when a window opens.
        spacing_s = (
            rest.budget.window_s * example.request.weight / (self._settings.share * rest.budget.weight)
        )
        self._pace = Budget(1.0, spacing_s, timer)
        self._accounts: dict[str, _Account] = {}
        #: By tier, the account that waits longest first: (account, ticket).
        self._queues: tuple[collections.deque[tuple[_Account, int]], ...] = tuple(
            collections.deque() for _ in Tier
        )
        #: Accounts never asked for, and those that became hotter: they go before their tier.
        self._fresh: tuple[collections.deque[tuple[_Account, int]], ...] = tuple(
            collections.deque() for _ in Tier
        )
        self._is_free = asyncio.Event()
        self._is_free.set()
        self._failure: SourceError | None = None
        self._is_answered = False
        self._log = _LOG.bind(venue=mapper.venue)

    @property
    def n_wallets(self) -> int:
        """Accounts that are followed."""
        return len(self._accounts)

    def tier_of(self, wallet: str) -> Tier | None:
        """The tier of an account; None where it is not followed."""
        found = self._accounts.get(wallet)
        return None if found is None else found.tier

    def follow(self, wallets: Sequence[str]) -> None:
        """Follow accounts of which nothing is known yet."""
        for wallet in wallets:
            self._account(wallet)

    def kept(self) -> list[KeptWallet]:
        """The accounts, as an earlier run leaves them to the next."""
        now_ns, now_s = self._stamp(), self._timer.now_s()

        def at_ns(moment_s: float) -> int | None:
            return None if moment_s == _NO_TRADE_S else now_ns - int((now_s - moment_s) * SECOND_NS)

        return [
            KeptWallet(
                one.wallet,
                at_ns(one.traded_s),
                None if one.is_fresh else at_ns(one.asked_s),
                one.held.copy(),
            )
            for one in self._accounts.values()
        ]

    def resume(self, kept: Iterable[KeptWallet]) -> None:
        """Follow accounts that an earlier run kept, each in its tier and due when it was."""
        now_ns, now_s = self._stamp(), self._timer.now_s()

        def at_s(moment_ns: int | None) -> float:
            return _NO_TRADE_S if moment_ns is None else now_s - max(now_ns - moment_ns, 0) / SECOND_NS

        # Who waits longest stands first in its queue.
        for one in sorted(kept, key=lambda one: one.asked_ns or 0):
            if one.wallet in self._accounts or len(self._accounts) >= self._settings.wallets_max:
                continue
            if one.asked_ns is None:
                found = self._account(one.wallet)
                if found is not None:
                    found.traded_s = at_s(one.traded_ns)
                    self._rank(found)
                continue
            found = _Account(one.wallet, at_s(one.traded_ns), at_s(one.asked_ns), one.held, is_fresh=False)
            found.tier = self._tier(found)
            self._accounts[one.wallet] = found
            self._queues[found.tier].append((found, found.ticket))

    def note_fills(self, batch: Batch) -> None:
        """Follow the accounts of fills, and remember that they traded."""
        now_s = self._timer.now_s()
        for wallet in np.unique(batch.rows["wallet"]).tolist():
            account = self._account(wallet.decode())
            if account is not None:
                account.traded_s = now_s
                self._rank(account)

    def remap(self, mapper: VenueMapper) -> None:
        """Map answers by another mapper from now on; it does not know which positions stood before."""
        self._mapper = mapper

    def hold(self, *, is_held: bool) -> None:
        """Ask no more, or go on."""
        if is_held:
            self._is_free.clear()
        else:
            self._is_free.set()

    async def run(self) -> None:
        """Ask until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_WORKERS):
                group.create_task(self._work())

    def drain(self) -> list[Batch]:
        """Rows since the last call."""
        batches = self.rows.drain()
        for batch in batches:
            if batch.kind is Kind.WALLET_POSITION:
                self._note_positions(batch)
        return batches

    def state(self) -> tuple[Status, str]:
        """State of the channel, and a sentence."""
        if self._failure is not None:
            word = Status.BLOCKED if isinstance(self._failure, Blocked) else Status.DOWN
            return word, self._failure.user_message
        if not self._is_answered:
            return Status.QUIET, f"{self.n_wallets} accounts known, none asked for yet"
        tiers = collections.Counter(account.tier for account in self._accounts.values())
        parts = ", ".join(f"{tiers[tier]} {tier.name.lower()}" for tier in Tier)
        return Status.LIVE, f"{self.n_wallets} accounts: {parts}"

    # ------------------------------------------------------------ who is next

    def _account(self, wallet: str) -> _Account | None:
        """An account, followed from now on; None where there are too many and none can go."""
        found = self._accounts.get(wallet)
        if found is None:
            if len(self._accounts) >= self._settings.wallets_max and not self._make_room():
                self.n_turned_away += 1
                return None
            found = self._accounts[wallet] = _Account(wallet)
            found.asked_s = self._timer.now_s() - self._settings.due_s[found.tier]
            self._fresh[found.tier].append((found, found.ticket))
        return found

    def _make_room(self) -> bool:
        """Leave the cold account that was asked for last of all: it is the least likely to hold anything."""
        queue = self._queues[Tier.COLD]
        while queue:
            account, ticket = queue.pop()
            if account.ticket == ticket and not account.is_asked:
                account.ticket += 1
                del self._accounts[account.wallet]
                return True
        return False

    def _tier(self, account: _Account) -> Tier:
        settings, silent_s = self._settings, self._timer.now_s() - account.traded_s
        if silent_s <= settings.hot_s or any(account.held.values()):
            return Tier.HOT
        if account.held or silent_s <= settings.warm_s or account.is_fresh:
            return Tier.WARM
        return Tier.COLD

    def _rank(self, account: _Account) -> None:
        """Put an account into its tier."""
        settings, tier = self._settings, self._tier(account)
        if tier is not account.tier:
            is_hotter = tier < account.tier
            account.tier = tier
            if account.is_fresh:
                account.asked_s = self._timer.now_s() - settings.due_s[tier]
            if not account.is_asked:
                account.ticket += 1
                queues = self._fresh if is_hotter else self._queues
                queues[tier].append((account, account.ticket))

    def _next(self) -> tuple[_Account | None, float]:
        """The account that is most overdue, or None and the seconds until one is due."""
        best: collections.deque[tuple[_Account, int]] | None = None
        best_factor, wait_s = 1.0, _WAIT_S_MOST
        now_s = self._timer.now_s()
        for queues in (self._fresh, self._queues):
            for tier in Tier:
                queue = queues[tier]
                while queue and queue[0][0].ticket != queue[0][1]:
                    queue.popleft()
                if not queue:
                    continue
                due_s, silent_s = self._settings.due_s[tier], now_s - queue[0][0].asked_s
                if silent_s / due_s >= best_factor:
                    best, best_factor = queue, silent_s / due_s
                wait_s = min(wait_s, max(due_s - silent_s, 0.0))
        return (None, wait_s) if best is None else (best.popleft()[0], 0.0)

    # ------------------------------------------------------------ asking

    async def _work(self) -> None:
        """Ask for whoever is next."""
        while True:
            await self._is_free.wait()
            await self._pace.take()
            account, wait_s = self._next()
            if account is None:
                await self._timer.sleep(max(wait_s, 0.01))
                continue
            account.is_asked, account.is_fresh = True, False
            failure = await self._ask(account.wallet)
            account.is_asked, account.asked_s = False, self._timer.now_s()
            account.ticket += 1
            self._queues[account.tier].append((account, account.ticket))
            if failure is None:
                self._failure, self._is_answered = None, True
                self._backoff.reset()
                self._rank(account)
                continue
            if self._failure is None:
                self._log.warning("account not told", error=str(failure))
            self._failure = failure
            await self._timer.sleep(self._backoff.next_s())

    async def _ask(self, wallet: str) -> SourceError | None:
        """Ask for one account and map the answer; the failure where there is none."""
        poll = self._feed.wallet_poll(wallet)
        try:
            body = await self._rest.fetch(poll.request, self._settings.share)
        except SourceError as exc:
            return exc
        now_ns = self._stamp()
        if self._keep_raw is not None:
            self._keep_raw(f"rest-{poll.channel}", now_ns, body)
        try:
            self._mapper.map_answer(poll.channel, poll.symbol, body, now_ns, self.rows)
        except Exception as exc:  # noqa: BLE001 - a fault of a mapper is a reject, and ends nothing
            self.rows.reject(Reason.WRONG_SHAPE, f"{type(exc).__name__}: {exc}")
        self.rows.controls.clear()
        return None

    def _note_positions(self, batch: Batch) -> None:
        """Remember what accounts hold of one contract."""
        settings = self._settings
        for row in batch.rows:
            account = self._accounts.get(row["wallet"].decode())
            if account is None:
                continue
            if row["side"] == 0:
                account.held.pop(batch.symbol, None)
            else:
                mark_usd = row["notional_usd"] / row["qty_base"]
                away_ratio = abs(row["liquidation_price_usd"] / mark_usd - 1.0)
                # NaN, where the venue does not tell one of them, is not near.
                account.held[batch.symbol] = bool(
                    row["notional_usd"] >= settings.large_usd and away_ratio <= settings.near_ratio
                )
            self._rank(account)
