"""Bytes published by one thread in, bytes in the queues of the same process out; no copy, no waiting."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import TYPE_CHECKING

from faultline.bus.interface import BusCounters, Lease, Message, OverflowPolicy, checked_pattern
from faultline.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ("InProcessBus", "InProcessSubscription")


class InProcessBus:
    """A bus inside one process: plain subjects are found by dictionary, patterns by comparison."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._exact: dict[str, tuple[InProcessSubscription, ...]] = {}
        self._patterns: tuple[tuple[tuple[str, ...], InProcessSubscription], ...] = ()
        self._open: set[InProcessSubscription] = set()
        self._leases: dict[str, Lease] = {}
        self._published = 0
        self._delivered = 0
        self._dropped = 0
        self._overflowed = 0

    def publish(self, subject: str, payload: bytes) -> int:
        """Hand ``payload`` to every matching subscription without waiting; returns how many got it.

        Raises:
            RequestError: the subject is malformed.
        """
        words = checked_pattern(subject, is_subject=True)
        with self._lock:
            targets = dict.fromkeys(self._exact.get(subject, ()))
            targets.update(dict.fromkeys(sub for pattern, sub in self._patterns if _matches(pattern, words)))
            message = Message(subject, payload)
            n_got = 0
            for target in targets:
                was_dropped = target.dropped
                n_got += target.offer(message)
                self._dropped += target.dropped - was_dropped
                if target.overflowed:
                    self._overflowed += 1
                    self._forget(target)
            self._published += 1
            self._delivered += n_got
        return n_got

    def subscribe(
        self, patterns: Iterable[str], *, limit: int, policy: OverflowPolicy
    ) -> InProcessSubscription:
        """Open a queue of at most ``limit`` messages.

        Raises:
            RequestError: a pattern is malformed or the limit is not positive.
        """
        if limit < 1:
            raise RequestError(f"a queue cannot hold {limit} messages", where="limit", hint="at least 1")
        subscription = InProcessSubscription(self, limit, policy)
        for pattern in patterns:
            checked_pattern(pattern)
        with self._lock:
            self._open.add(subscription)
        for pattern in patterns:
            self.attach(subscription, pattern)
        return subscription

    def claim(self, key: str, owner: str, *, ttl_ns: int, now_ns: int) -> Lease | None:
        """Own ``key`` until ``now_ns + ttl_ns``: take it if it is free or run out, extend it if it is ours.

        Returns:
            The lease; None where somebody else holds the key.
        """
        with self._lock:
            held = self._leases.get(key)
            if held is not None and held.owner != owner and held.expires_ns > now_ns:
                return None
            lease = Lease(key, owner, now_ns + ttl_ns, (held.revision if held else 0) + 1)
            self._leases[key] = lease
            return lease

    def release(self, lease: Lease) -> bool:
        """Give a key back; False where the lease was no longer the present one."""
        with self._lock:
            if self._leases.get(lease.key) != lease:
                return False
            self._leases[lease.key] = Lease(lease.key, "", 0, lease.revision + 1)
            return True

    def counters(self) -> BusCounters:
        """Totals and queue lengths."""
        with self._lock:
            return BusCounters(
                self._published,
                self._delivered,
                self._dropped,
                self._overflowed,
                len(self._open),
                sum(subscription.n_queued for subscription in self._open),
            )

    def attach(self, subscription: InProcessSubscription, pattern: str) -> None:
        """Deliver what matches ``pattern`` to an open subscription.

        Raises:
            RequestError: the pattern is malformed.
        """
        words = checked_pattern(pattern)
        with self._lock:
            if subscription not in self._open:
                return
            if "*" in words or words[-1] == ">":
                self._patterns = (*self._patterns, (words, subscription))
            elif subscription not in self._exact.get(pattern, ()):
                self._exact[pattern] = (*self._exact.get(pattern, ()), subscription)

    def detach(self, subscription: InProcessSubscription) -> None:
        """Deliver nothing more to a subscription."""
        with self._lock:
            self._forget(subscription)

    def _forget(self, subscription: InProcessSubscription) -> None:
        self._open.discard(subscription)
        self._patterns = tuple(item for item in self._patterns if item[1] is not subscription)
        for subject in [subject for subject, subs in self._exact.items() if subscription in subs]:
            left = tuple(other for other in self._exact[subject] if other is not subscription)
            if left:
                self._exact[subject] = left
            else:
                del self._exact[subject]


class InProcessSubscription:
    """A deque, a limit and a policy; made by ``InProcessBus.subscribe``."""

    def __init__(self, bus: InProcessBus, limit: int, policy: OverflowPolicy) -> None:
        self._bus = bus
        self._limit = limit
        self._policy = policy
        self._queue: deque[Message] = deque()
        self._ready = threading.Condition()
        self._waiter: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._closed = False
        self._overflowed = False
        self._dropped = 0

    @property
    def is_closed(self) -> bool:
        """Whether no message will ever be added again."""
        return self._closed

    @property
    def overflowed(self) -> bool:
        """Whether the queue was once full under ``OverflowPolicy.CLOSE``."""
        return self._overflowed

    @property
    def dropped(self) -> int:
        """Messages lost to the policy."""
        return self._dropped

    @property
    def n_queued(self) -> int:
        """Messages waiting."""
        return len(self._queue)

    def extend(self, pattern: str) -> None:
        """Receive what matches ``pattern`` too, in the same queue.

        Raises:
            RequestError: the pattern is malformed.
        """
        self._bus.attach(self, pattern)

    def poll(self) -> Message | None:
        """The oldest waiting message, or None at once."""
        with self._ready:
            return self._queue.popleft() if self._queue else None

    def wait(self, timeout_s: float | None = None) -> Message | None:
        """The oldest waiting message; None when the time is up or the subscription is closed and empty."""
        with self._ready:
            self._ready.wait_for(lambda: bool(self._queue) or self._closed, timeout_s)
            return self._queue.popleft() if self._queue else None

    async def receive(self) -> Message | None:
        """The oldest waiting message; None when the subscription is closed and empty. One coroutine at a
        time.
        """
        event = asyncio.Event()
        with self._ready:
            self._waiter = (asyncio.get_running_loop(), event)
        try:
            while True:
                event.clear()
                with self._ready:
                    if self._queue:
                        return self._queue.popleft()
                    if self._closed:
                        return None
                await event.wait()
        finally:
            with self._ready:
                self._waiter = None

    def close(self) -> None:
        """Stop receiving; what waits can still be read."""
        self._bus.detach(self)
        with self._ready:
            self._closed = True
            self._wake()

    def offer(self, message: Message) -> int:
        """Add a message under the policy; 1 if it was queued."""
        with self._ready:
            if self._closed:
                return 0
            if len(self._queue) >= self._limit:
                self._dropped += 1
                if self._policy is OverflowPolicy.DROP_NEWEST:
                    return 0
                if self._policy is OverflowPolicy.CLOSE:
                    self._dropped += len(self._queue)
                    self._queue.clear()
                    self._closed = self._overflowed = True
                    self._wake()
                    return 0
                self._queue.popleft()
            self._queue.append(message)
            self._wake()
            return 1

    def _wake(self) -> None:
        self._ready.notify_all()
        if self._waiter is not None:
            loop, event = self._waiter
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)


def _matches(pattern: tuple[str, ...], words: tuple[str, ...]) -> bool:
    for index, part in enumerate(pattern):
        if part == ">":
            return len(words) > index
        if index >= len(words) or part not in {"*", words[index]}:
            return False
    return len(pattern) == len(words)
