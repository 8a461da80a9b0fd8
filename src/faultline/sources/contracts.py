"""A venue's listing in, its contracts of the wanted assets out."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.errors import PayloadRejected

if TYPE_CHECKING:
    from collections.abc import Collection

    from faultline.instruments import Instrument
    from faultline.sources.rest import RestClient
    from faultline.sources.venue import Venue

__all__ = ("fetch_contracts",)

_PAGES_MAX: Final = 200


async def fetch_contracts(venue: Venue, rest: RestClient, assets: Collection[str]) -> list[Instrument]:
    """Contracts whose base is one of ``assets`` (all where that is empty), sorted by id.

    Raises:
        SourceError: a request failed.
        PayloadRejected: an answer cannot be read.
    """
    answers: dict[str, list[bytes]] = {}
    name = "listing"
    try:
        for name, first in venue.feed.listing():
            pages = answers.setdefault(name, [])
            request = first
            while True:
                pages.append(await rest.fetch(request))
                following = venue.feed.next_page(name, pages[-1])
                if following is None:
                    break
                if len(pages) >= _PAGES_MAX:
                    raise ValueError("the pages have no end")
                request = following
        name = "listing"
        contracts = venue.feed.contracts(answers)
    except (
        msgspec.MsgspecError,
        UnicodeDecodeError,
        ValueError,
        KeyError,
        TypeError,
        ArithmeticError,
    ) as exc:
        sample = b"".join(answers.get(name, ()) or [page for pages in answers.values() for page in pages])
        digest = hashlib.sha256(sample).hexdigest()[:16]
        message = f"the listing cannot be read: {exc}"
        raise PayloadRejected(message, venue=venue.slug, channel=name, digest=digest) from exc
    wanted = [item for item in contracts if not assets or item.asset in assets]
    return sorted(wanted, key=lambda item: item.id)
