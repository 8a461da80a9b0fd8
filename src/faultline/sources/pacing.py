"""Seconds and limits in, the moment at which something may be done out: budgets, back-off and patience of a venue.

Everything here takes its time from a ``Timer`` and its chance from a ``random.Random`` that is passed in, so that tests
run it in no time and always alike.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import time
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import random

__all__ = ("Backoff", "Budget", "LoopTimer", "Patience", "Timer")

#: A wait for a budget is never shorter: two clocks may differ by less than a timer's resolution.
_WAIT_S_MIN: Final = 0.001


class Timer(Protocol):
    """Something that tells a time that never goes back, and waits."""

    def now_s(self) -> float:
        """Seconds since some moment."""
        ...

    async def sleep(self, delay_s: float) -> None:
        """Wait."""
        ...


class LoopTimer:
    """The machine's monotonic clock, and asyncio's wait."""

    def now_s(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        """Wait."""
        await asyncio.sleep(delay_s)


@dataclasses.dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what; every wait on a venue has a bound here or in its plan.

    Attributes:
        dial_s: DNS, connection, TLS and handshake together.
        confirm_s: all confirmations of the subscriptions, after the last was sent.
        sync_s: first rows of every channel, where a connection is to take over from another.
        pong_s: an answer to our ping; less where pings come more often.
        close_s: the end of a connection that we close.
        request_s: connecting, and every pause of the answer, of a REST request.
        answer_s: a whole REST answer.
        check_s: between two looks at what is silent.
        backoff_first_s: before the first new attempt.
        backoff_most_s: before any new attempt.
        healthy_s: a connection that lived so long ends the back-off.
        relist_s: between two fetches of the contracts.
        renew_s: between two replacements of a connection because one of its channels is silent.
        recheck_s: rows of a new connection are compared with those known for so long.
        keep_s: between two times that accounts are kept for the next run.
        look_s: between two looks at the health of the venues; a state that lasts less may go unseen.
    """

    dial_s: float = 15.0
    confirm_s: float = 15.0
    sync_s: float = 10.0
    pong_s: float = 10.0
    close_s: float = 1.0
    request_s: float = 10.0
    answer_s: float = 30.0
    check_s: float = 1.0
    backoff_first_s: float = 1.0
    backoff_most_s: float = 60.0
    healthy_s: float = 60.0
    relist_s: float = 6 * 3600.0
    renew_s: float = 600.0
    recheck_s: float = 60.0
    keep_s: float = 600.0
    look_s: float = 0.25


class Budget:
    """So much weight in any stretch of ``window_s`` seconds; who asks for more waits.

    Args:
        weight: how much.
        window_s: in how many seconds.
        timer: tells the time and waits.
    """

    def __init__(self, weight: float, window_s: float, timer: Timer) -> None:
        self.weight, self.window_s = weight, window_s
        self._timer = timer
        self._spent: collections.deque[tuple[float, float]] = collections.deque()
        self._total = 0.0
        #: Seconds waited so far.
        self.waited_s = 0.0

    @property
    def spent(self) -> float:
        """Weight spent in the window that ends now."""
        self._forget(self._timer.now_s())
        return self._total

    async def take(self, weight: float = 1.0, share: float = 1.0) -> None:
        """Spend, after waiting until it fits.

        Args:
            weight: how much; more than the whole budget waits until nothing else is spent.
            share: part of the budget that may be spent after this; less than 1 leaves room for what matters more.
        """
        began_s = self._timer.now_s()
        while (wait_s := self._wait_s(weight, share)) > 0.0:
            await self._timer.sleep(wait_s)
        now_s = self._timer.now_s()
        self._spent.append((now_s, weight))
        self._total += weight
        self.waited_s += now_s - began_s

    def _wait_s(self, weight: float, share: float) -> float:
        """Seconds until the weight fits; 0 where it does now."""
        now_s = self._timer.now_s()
        self._forget(now_s)
        room = max(self.weight * share - weight, 0.0)
        left, freed_s = self._total, now_s - self.window_s
        for spent_s, spent in self._spent:
            if left <= room:
                break
            left, freed_s = left - spent, spent_s
        return 0.0 if left == self._total else max(freed_s + self.window_s - now_s, _WAIT_S_MIN)

    def _forget(self, now_s: float) -> None:
        while self._spent and self._spent[0][0] + self.window_s <= now_s:
            self._total -= self._spent.popleft()[1]
        if not self._spent:
            self._total = 0.0


class Backoff:
    """Waits that double from one failure to the next, each shortened at random so that venues are not hit in step.

    Args:
        patience: first and longest wait.
        rng: chance.
    """

    def __init__(self, patience: Patience, rng: random.Random) -> None:
        self._first_s, self._most_s = patience.backoff_first_s, patience.backoff_most_s
        self._rng = rng
        self.n_failures = 0

    def next_s(self, at_least_s: float = 0.0) -> float:
        """Seconds to wait after one more failure: 50 to 100 % of the doubled wait, and never less than told."""
        longest_s = min(self._first_s * 2.0 ** min(self.n_failures, 30), self._most_s)
        self.n_failures += 1
        return max(longest_s * self._rng.uniform(0.5, 1.0), at_least_s)

    def reset(self) -> None:
        """Begin anew: it works."""
        self.n_failures = 0
