"""A venue script in, a venue on the loopback interface out: real sockets that behave, or misbehave as told.

WebSocket and REST share one port. ``python -m faultline.testing.server --venues bybit --rate 1000 --seconds 10`` plays
venues with made-up traffic in a process of its own (see ``faultline.testing.play``).
"""

from __future__ import annotations

import asyncio
import collections
import socket
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from faultline.clock import SystemClock
from faultline.sources.registry import venue_of
from faultline.testing.delivery import Delivery
from faultline.testing.faults import Faults
from faultline.testing.link import Cut, Link
from faultline.testing.wire import BINARY, TEXT, encode_frame, zip_frame

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from faultline.clock import Clock
    from faultline.testing.facts import Fact
    from faultline.testing.script import VenueScript

__all__ = ("VenueServer",)

_HOST: Final = "127.0.0.1"
#: Longest time for connections to end when the server does.
_END_S: Final = 1.0
#: Messages and requests kept for tests to look at.
_KEPT: Final = 10_000


class VenueServer:
    """A venue on the loopback interface; an asynchronous context manager.

    Its addresses keep the paths of the venue's own, so that scripts and plans see what they see at the venue.

    Args:
        script: what it plays.
        clock: tells scripts the time.
        faults: switches, which may be turned while it runs and shared between servers.
        seed: of all chance.
        tls: a context with a certificate; without one the addresses are ``ws://`` and ``http://``.
        sockets: WebSocket addresses by name; by default those of the venue that has the script's slug.
        rest: REST addresses by name; the same.
        prove_every_s: clients are made to prove so often what they have read, so that little is in doubt when they are
            killed; 0 leaves that to ``settle``.

    Attributes:
        counts: what happened, by word.
        heard: the latest messages of clients, as (loop time in s, client, message).
        requests: the latest REST requests, as (loop time in s, method, path with query).
    """

    def __init__(
        self,
        script: VenueScript,
        *,
        clock: Clock | None = None,
        faults: Faults | None = None,
        seed: int = 0,
        tls: ssl.SSLContext | None = None,
        sockets: Mapping[str, str] | None = None,
        rest: Mapping[str, str] | None = None,
        prove_every_s: float = 0.0,
    ) -> None:
        self.script = script
        self.clock = SystemClock() if clock is None else clock
        self.faults = Faults() if faults is None else faults
        self.counts: collections.Counter[str] = collections.Counter()
        self.heard: collections.deque[tuple[float, int, bytes]] = collections.deque(maxlen=_KEPT)
        self.requests: collections.deque[tuple[float, str, str]] = collections.deque(maxlen=_KEPT)
        self.prove_every_s = prove_every_s
        self._seed = seed
        self._tls = tls
        self._sockets = dict(venue_of(script.slug).sockets if sockets is None else sockets)
        self._rest = dict(venue_of(script.slug).rest if rest is None else rest)
        self._links: list[Link] = []
        self._open: set[Link] = set()
        self._port = 0
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Event()
        self._n_facts = 0

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._hang_up()
        for link in list(self._open):
            link.reset()
        await asyncio.gather(*(asyncio.wait_for(link.lost.wait(), _END_S) for link in list(self._open)))

    # ------------------------------------------------------------ addresses

    @property
    def sockets(self) -> dict[str, str]:
        """WebSocket addresses by name: what stands in for ``Venue.sockets``."""
        scheme = "ws" if self._tls is None else "wss"
        return {name: self._local(scheme, address) for name, address in self._sockets.items()}

    @property
    def rest(self) -> dict[str, str]:
        """REST addresses by name: what stands in for ``Venue.rest``."""
        scheme = "http" if self._tls is None else "https"
        return {name: self._local(scheme, address) for name, address in self._rest.items()}

    @property
    def rest_url(self) -> str:
        """The REST address ``main``."""
        return self.rest["main"]

    def ws_url(self, name: str) -> str:
        """A WebSocket address."""
        return self.sockets[name]

    # ------------------------------------------------------------ facts

    async def publish(self, *facts: Fact) -> int:
        """Tell facts to the clients subscribed to them; returns to how many clients, summed over frames."""
        n = 0
        for fact in facts:
            now_ns, zips = self.clock.now_ns(), self.script.zips
            for topic, payload in self.script.frames(fact, now_ns):
                frame = encode_frame(TEXT if zips == "none" else BINARY, zip_frame(payload, zips))
                for link in self.clients(topic):
                    link.tell(payload, frame, Delivery(self._n_facts, link.number, topic, fact, now_ns))
                    n += 1
            self._n_facts += 1
        self.counts["facts"] += len(facts)
        await asyncio.sleep(0)
        return n

    async def say(self, payload: bytes, topic: str | None = None) -> None:
        """Send any payload, true or not, to clients of a topic (None: to all)."""
        for link in self.clients(topic):
            link.say([payload])
        await asyncio.sleep(0)

    @property
    def delivered(self) -> list[Delivery]:
        """What reached clients intact, client by client, in the order of writing.

        While a socket lives, what was handed to the kernel; of a dead one, what its client proved to have read. After
        ``settle`` it is exact for living sockets too.
        """
        return [one for link in self._links for one in link.account.delivered(link.handed_over)]

    @property
    def doubtful(self) -> list[Delivery]:
        """What was written to sockets that died before their clients proved to have read it."""
        return [one for link in self._links for one in link.account.doubtful()]

    # ------------------------------------------------------------ clients

    def clients(self, topic: str | None = None) -> list[Link]:
        """Open WebSockets, of one topic or all, in the order of connecting."""
        links = sorted((link for link in self._open if link.is_socket), key=lambda link: link.number)
        return links if topic is None else [link for link in links if topic in link.client.topics]

    async def until(self, happened: Callable[[], bool], timeout_s: float = 2.0) -> None:
        """Wait until something is so; it is looked at whenever a client connects, speaks, is answered or leaves.

        Raises:
            TimeoutError: it did not come to be.
        """
        async with asyncio.timeout(timeout_s):
            while not happened():
                self._changed.clear()
                await self._changed.wait()

    async def subscribed(self, *topics: str, clients: int = 1, timeout_s: float = 2.0) -> None:
        """Wait until every topic has so many clients; without topics, until so many sockets have any.

        Raises:
            TimeoutError: they did not come.
        """

        def are_there() -> bool:
            if not topics:
                return sum(bool(link.client.topics) for link in self.clients()) >= clients
            return all(len(self.clients(topic)) >= clients for topic in topics)

        await self.until(are_there, timeout_s)

    async def settle(self, timeout_s: float = 1.0) -> bool:
        """Have all clients prove what they have read, behind all that is on its way.

        Returns False where a client that is still there did not answer in time.
        """
        loop = asyncio.get_running_loop()
        proofs = []
        for link in self.clients():
            proof = loop.create_future()
            proofs.append(proof)
            link.prove(lambda proof=proof: proof.done() or proof.set_result(None))  # type: ignore[misc]
        if not proofs:
            return True
        _, late = await asyncio.wait(proofs, timeout=timeout_s)
        return not late

    async def drain(self) -> None:
        """Wait until every client has taken what was written, but for what fits into its buffers."""
        for link in self.clients():
            await link.writable.wait()

    # ------------------------------------------------------------ misbehaving as a whole

    async def cut(self, how: Cut = Cut.RESET, *, client: int | None = None) -> int:
        """End WebSockets, all or that of one client, and wait until they have ended; returns how many."""
        links = [link for link in self.clients() if client in {None, link.number}]
        for link in links:
            link.cut(how)
        await asyncio.gather(*(asyncio.wait_for(link.lost.wait(), _END_S) for link in links))
        return len(links)

    async def refuse_connects(self, *, refuse: bool) -> None:
        """Stop listening, so that connects are refused, or listen again on the same port; open sockets stay."""
        if refuse and self._server is not None:
            self.counts["refusing"] += 1
            await self._hang_up()
        elif not refuse and self._server is None:
            await self._listen()

    def joined(self, link: Link) -> int:
        """A link tells that its client has connected; returns its number."""
        self._links.append(link)
        self._open.add(link)
        self._changed.set()
        return len(self._links) - 1

    def changed(self, link: Link, *, is_lost: bool = False) -> None:
        """A link tells that something happened to it."""
        if is_lost:
            self._open.discard(link)
        self._changed.set()

    # ------------------------------------------------------------ listening

    async def _listen(self) -> None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((_HOST, self._port))
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(self._link, sock=listener, ssl=self._tls, backlog=512)
        except OSError:
            listener.close()
            raise
        self._port = listener.getsockname()[1]

    async def _hang_up(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await asyncio.sleep(0)

    def _link(self) -> Link:
        return Link(self, self._seed)

    def _local(self, scheme: str, address: str) -> str:
        return f"{scheme}://{_HOST}:{self._port}{urlsplit(address).path}"


if __name__ == "__main__":
    from faultline.testing.play import main

    main()
