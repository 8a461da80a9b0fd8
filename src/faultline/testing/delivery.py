"""What was written to each client in, what reached it out: the account that a recording is compared with.

Writing to a socket proves little: what lies in buffers is lost when the socket dies. So a link sends WebSocket pings,
which come back in order after everything before them was read (``proven``). While a socket lives, a delivery counts as
soon as it is handed to the kernel; when it dies, whatever was not proven becomes doubtful.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faultline.testing.facts import Fact

__all__ = ("Account", "Delivery")


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """A frame that told a fact, whole, to one client.

    Attributes:
        number: of the fact, counted from 0 by ``publish``.
        client: number of the client's socket, counted from 0 in the order of connecting.
        topic: under which it was told.
        fact: what was told.
        at_ns: when it was published, by the server's clock.
    """

    number: int
    client: int
    topic: str
    fact: Fact
    at_ns: int


class Account:
    """The deliveries of one socket."""

    def __init__(self) -> None:
        self._written: list[tuple[int, Delivery]] = []
        self._n_proven = 0
        self._is_dead = False

    @property
    def n_written(self) -> int:
        """Deliveries handed to the transport."""
        return len(self._written)

    def write(self, end: int, delivery: Delivery) -> None:
        """Note a delivery whose last byte is byte number ``end`` of the socket."""
        self._written.append((end, delivery))

    def prove(self, n: int) -> None:
        """The first ``n`` deliveries were read by the client."""
        self._n_proven = max(self._n_proven, n)

    def die(self) -> None:
        """The socket is gone."""
        self._is_dead = True

    def delivered(self, handed_over: int) -> list[Delivery]:
        """What reached the client, ``handed_over`` bytes having left the process."""
        if self._is_dead:
            return [delivery for _, delivery in self._written[: self._n_proven]]
        return [delivery for end, delivery in self._written if end <= handed_over]

    def doubtful(self) -> list[Delivery]:
        """What was written to a socket that died before the client proved that it had read it."""
        return [delivery for _, delivery in self._written[self._n_proven :]] if self._is_dead else []
