"""A venue's frames that are not market facts, as what they ask of the connection."""

from __future__ import annotations

import dataclasses

__all__ = ("Confirmed", "Control", "Refused", "Reply", "Resync")


@dataclasses.dataclass(frozen=True, slots=True)
class Confirmed:
    """The venue accepted a subscription.

    ``key`` is one of ``SocketPlan.expects``; an empty one confirms everything asked in order up to this answer.
    """

    key: str


@dataclasses.dataclass(frozen=True, slots=True)
class Refused:
    """The venue refused a subscription; the others of the connection go on.

    ``key`` is one of ``SocketPlan.expects``, or empty where the venue does not say which.
    """

    key: str
    detail: str


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """The venue wants this frame now, e.g. the answer to its ping."""

    frame: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Resync:
    """The book of a symbol must be fetched or subscribed (anew).

    Where it began and lost its sequence, a gap row is written already; ``is_first`` where it never began.
    """

    symbol: str
    detail: str
    is_first: bool = False


Control = Confirmed | Refused | Reply | Resync
