"""What every bus promises: publish, subscribe, claim.

A subject is dot-separated words (``map.BTC.5m.synthetic.long``). A pattern is a subject in which ``*`` stands
for one word and a final ``>`` for one or more. Delivery is at most once and in publishing order per
subscription; what a full queue does is the subscriber's stated policy, and every loss is counted. The bus
moves bytes and keeps nothing: the tape is the archive.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Protocol

from faultline.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = (
    "Bus",
    "BusCounters",
    "Lease",
    "Message",
    "OverflowPolicy",
    "Subscription",
    "checked_pattern",
    "subject_word",
)


class OverflowPolicy(enum.StrEnum):
    """What happens to a subscription whose queue is full when the next message arrives."""

    #: The oldest waiting message is lost; for readers that only want the present.
    DROP_OLDEST = "drop_oldest"
    #: The message that just arrived is lost; for readers that must not lose their place.
    DROP_NEWEST = "drop_newest"
    #: The subscription ends and says so; for readers that would rather start again than have a hole.
    CLOSE = "close"


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """One delivery."""

    subject: str
    payload: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class BusCounters:
    """Totals since the bus was made, and queues as they stand."""

    published: int
    delivered: int
    dropped: int
    overflowed: int
    subscriptions: int
    queued: int


@dataclasses.dataclass(frozen=True, slots=True)
class Lease:
    """Ownership of a key until a moment; ``revision`` grows with every change of owner or end."""

    key: str
    owner: str
    expires_ns: int
    revision: int


class Subscription(Protocol):
    """One reader's bounded queue."""

    @property
    def is_closed(self) -> bool:
        """Whether no message will ever be added again."""
        ...

    @property
    def overflowed(self) -> bool:
        """Whether the queue was once full under ``OverflowPolicy.CLOSE``."""
        ...

    @property
    def dropped(self) -> int:
        """Messages lost to the policy."""
        ...

    def extend(self, pattern: str) -> None:
        """Receive what matches ``pattern`` too, in the same queue."""
        ...

    def poll(self) -> Message | None:
        """The oldest waiting message, or None at once."""
        ...

    def wait(self, timeout_s: float | None = None) -> Message | None:
        """The oldest waiting message; None when the time is up or the subscription is closed and empty."""
        ...

    async def receive(self) -> Message | None:
        """The oldest waiting message; None when the subscription is closed and empty. One coroutine at a
        time.
        """
        ...

    def close(self) -> None:
        """Stop receiving; what waits can still be read."""
        ...


class Bus(Protocol):
    """Publish, subscribe, claim. Every method may be called from any thread."""

    def publish(self, subject: str, payload: bytes) -> int:
        """Hand ``payload`` to every matching subscription without waiting; returns how many got it.

        Raises:
            RequestError: the subject is malformed.
        """
        ...

    def subscribe(self, patterns: Iterable[str], *, limit: int, policy: OverflowPolicy) -> Subscription:
        """Open a queue of at most ``limit`` messages.

        Raises:
            RequestError: a pattern is malformed or the limit is not positive.
        """
        ...

    def claim(self, key: str, owner: str, *, ttl_ns: int, now_ns: int) -> Lease | None:
        """Own ``key`` until ``now_ns + ttl_ns``: take it if it is free or run out, extend it if it is ours.

        Returns:
            The lease; None where somebody else holds the key.
        """
        ...

    def release(self, lease: Lease) -> bool:
        """Give a key back; False where the lease was no longer the present one."""
        ...

    def counters(self) -> BusCounters:
        """Totals and queue lengths."""
        ...


def checked_pattern(pattern: str, *, is_subject: bool = False) -> tuple[str, ...]:
    """Words of a pattern or subject.

    Raises:
        RequestError: a word is empty, ``>`` is not last, or a subject has a wildcard.
    """
    words = tuple(pattern.split("."))
    if "" in words or ">" in words[:-1] or any(char.isspace() for char in pattern):
        raise RequestError(
            f"{pattern!r} is not a subject", where="subject", hint="words joined by dots; > only at the end"
        )
    if is_subject and ("*" in words or ">" in words):
        raise RequestError(f"{pattern!r} has a wildcard", where="subject", hint="publish to one subject")
    return words


def subject_word(name: str) -> str:
    """A name as one word of a subject: dots and white space become underscores."""
    return "".join("_" if char in ".*>" or char.isspace() else char for char in name) or "_"
