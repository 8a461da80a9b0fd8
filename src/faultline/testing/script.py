"""What a venue says, as a script the local protocol server plays: the venue's side of every connector test.

A script is written from the venue's documentation, not from our mapper: it spells listings, confirmations, pings and
facts as the venue does, in the venue's units.
"""

from __future__ import annotations

import abc
import dataclasses
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.testing.facts import Fact

__all__ = ("Answer", "Client", "ScriptContract", "VenueScript", "linear_contracts")

#: Assets that venues list, and their prices in USD.
_ASSETS: Final = (("BTC", 100_000.0), ("ETH", 3_500.0), ("SOL", 160.0), ("DOT", 4.0))


@dataclasses.dataclass(frozen=True, slots=True)
class ScriptContract:
    """A contract that a script lists. A linear contract of ``contract_size`` base units, or an inverse one of USD."""

    symbol: str
    base: str
    quote: str
    is_inverse: bool
    contract_size: float
    tick_usd: float
    price_usd: float


def linear_contracts(
    symbol: str, quote: str, ticks_usd: Sequence[float], sizes: Sequence[float] = (1.0, 1.0, 1.0, 1.0)
) -> tuple[ScriptContract, ...]:
    """Linear contracts of BTC, ETH, SOL and DOT, as many as there are ticks; ``symbol`` has ``{base}`` in it."""
    return tuple(
        ScriptContract(
            symbol.format(base=base),
            base,
            quote,
            is_inverse=False,
            contract_size=size,
            tick_usd=tick_usd,
            price_usd=price_usd,
        )
        for (base, price_usd), tick_usd, size in zip(_ASSETS, ticks_usd, sizes, strict=False)
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a REST request."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)


@dataclasses.dataclass(slots=True)
class Client:
    """One socket of a client: what it is subscribed to, in the venue's own spelling, and its path."""

    path: str
    topics: set[str] = dataclasses.field(default_factory=set)


class VenueScript(abc.ABC):
    """One venue; stateless but for what facts change (books, open interest), which answers to REST requests show."""

    #: Slug of the venue.
    slug: ClassVar[str]
    #: Contracts listed: of assets BTC, ETH, SOL and DOT where the venue has them; one of them may be inverse.
    contracts: ClassVar[Sequence[ScriptContract]]
    #: Text ping that the venue sends every so many seconds; None where it sends none.
    ping: ClassVar[bytes | None] = None
    ping_every_s: ClassVar[float] = 0.0
    #: Compression of every frame the venue sends: ``none``, ``gzip`` or ``deflate``.
    zips: ClassVar[str] = "none"

    @abc.abstractmethod
    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer | None:
        """The answer to a REST request; None where the venue has no such page (404)."""

    @abc.abstractmethod
    def opened(self, client: Client, now_ns: int) -> Sequence[bytes]:
        """Frames the venue sends to a new connection."""

    @abc.abstractmethod
    def received(self, client: Client, frame: bytes, now_ns: int) -> Sequence[bytes]:
        """Frames the venue answers with: confirmations, refusals, pongs, snapshots. Changes ``client.topics``."""

    @abc.abstractmethod
    def frames(self, fact: Fact, now_ns: int) -> Sequence[tuple[str, bytes]]:
        """A fact on the wire: (topic, frame); it goes to clients with that topic. Empty where it is told by REST only.

        The script keeps what its REST answers must show of it.
        """
