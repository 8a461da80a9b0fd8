"""A plan whose connections need a token in, the plan of one connection out.

Some venues (KuCoin) open a socket only with a token that is fetched for each connection. Their feeds have two methods
more than others; nobody else knows.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import msgspec

from faultline.errors import PayloadRejected

if TYPE_CHECKING:
    from faultline.sources.plan import Request, SocketPlan
    from faultline.sources.rest import RestClient
    from faultline.sources.venue import Venue

__all__ = ("TicketFeed", "with_ticket")


@runtime_checkable
class TicketFeed(Protocol):
    """A feed whose connections need a token."""

    def ticket(self, plan: SocketPlan) -> Request | None:
        """The request to make before every connection that carries a plan; None where it needs none."""
        ...

    def admitted(self, plan: SocketPlan, body: bytes) -> SocketPlan:
        """The plan with what the answer told: token in the address, rhythm of pings.

        The address stays that of ``plan``, which the configuration may have replaced.

        Raises:
            msgspec.MsgspecError: the answer is not of the expected shape.
            ValueError: it has nothing to connect with.
        """
        ...


async def with_ticket(venue: Venue, plan: SocketPlan, rest: RestClient) -> SocketPlan:
    """The plan to dial: with a fresh token where the venue wants one, else as it is.

    Raises:
        SourceError: the token was not given.
        PayloadRejected: the answer cannot be read.
    """
    feed = venue.feed
    if not isinstance(feed, TicketFeed):
        return plan
    request = feed.ticket(plan)
    if request is None:
        return plan
    body = await rest.fetch(request)
    try:
        return feed.admitted(plan, body)
    except (msgspec.MsgspecError, ValueError) as exc:
        digest = hashlib.sha256(body).hexdigest()[:16]
        message = f"the token for a connection cannot be read: {exc}"
        raise PayloadRejected(message, venue=venue.slug, channel="ticket", digest=digest) from exc
