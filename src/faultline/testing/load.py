"""A server and a rate in, as many frames a second out as a benchmark asks for: encoded once, stamped as they leave.

Facts are put on the wire by the script once, at a time that stands out; whole blocks of frames get the present in its
place just before they are written. So one frame costs well under a microsecond, and a reader can tell its latency from
the venue's own time fields, to the millisecond. After ``n_pool`` facts the same ones come again, books beginning with
a snapshot: sequence numbers and ids repeat, and where books are mended over REST they are lost then, so give such
venues a pool for the whole run. Faults of frames do not apply, and nothing is accounted.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import math
from typing import TYPE_CHECKING, Final

from faultline.testing.facts import LiquidationFact, TradeFact
from faultline.testing.traffic import Traffic
from faultline.testing.wire import BINARY, TEXT, encode_frame, zip_frame
from faultline.units import MILLISECOND_NS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from faultline.messages import Kind
    from faultline.testing.facts import Fact
    from faultline.testing.link import Link
    from faultline.testing.server import VenueServer

__all__ = ("Load", "Sent", "run_loads")

#: The time that stands out: 2024-03-22 12:38:31.111.
_MARK_NS: Final = 1_711_111_111_111_000_000
#: Pause between two rounds of writing.
_ROUND_S: Final = 0.001
#: What could not be written for so long is not made up for.
_BACKLOG_S: Final = 0.2


@dataclasses.dataclass(slots=True)
class Sent:
    """What a load wrote.

    Attributes:
        frames: written, summed over clients; every one tells one fact.
        n_bytes: of them.
        behind: frames that were due but not written, because clients did not read or this process was late.
    """

    frames: int = 0
    n_bytes: int = 0
    behind: int = 0


@dataclasses.dataclass(slots=True)
class _Course:
    """What one client gets: its frames in order, and how far it is."""

    topics: frozenset[str]
    frames: list[bytes]
    at: int = 0
    owed: float = 0.0


class Load:
    """Encoded traffic of one server.

    Args:
        server: whose clients get it.
        seed: of the facts.
        n_pool: facts encoded.
        shares: of the kinds; by default those of ``Traffic``.
    """

    def __init__(
        self,
        server: VenueServer,
        seed: int,
        *,
        n_pool: int = 20_000,
        shares: Mapping[Kind, float] | None = None,
    ) -> None:
        self.sent = Sent()
        self._server = server
        self._zips = server.script.zips
        traffic = Traffic(
            server.script.contracts, seed, start_ns=_MARK_NS, rate_per_s=math.inf, shares=shares
        )
        facts = [*traffic.snapshots(_MARK_NS), *traffic.take(n_pool)]
        # Another script takes the books to their end: what this one shows to who subscribes is their beginning.
        ahead = type(server.script)()
        told = [pair for fact in facts for pair in ahead.frames(fact, _MARK_NS)]
        for fact in _firsts(facts):
            now_ns = server.clock.now_ns() // MILLISECOND_NS * MILLISECOND_NS
            server.script.frames(dataclasses.replace(fact, ts_ns=now_ns), now_ns)
        opcode = TEXT if self._zips == "none" else BINARY
        self._pool = [
            (topic, encode_frame(opcode, payload) if self._zips == "none" else payload)
            for topic, payload in told
        ]
        self._forms: list[bytes] = []
        left = b"".join(frame for _, frame in self._pool)
        for form in _forms(_MARK_NS):
            if form in left:
                self._forms.append(form)
                left = left.replace(form, b"")
        self._courses: dict[Link, _Course] = {}

    @property
    def frame_bytes(self) -> float:
        """Mean length of a frame before compression."""
        return sum(len(frame) for _, frame in self._pool) / len(self._pool)

    def write(self, n: float) -> None:
        """Write the next ``n`` frames, shared among clients by how much of the traffic each has subscribed to."""
        courses = [(link, self._course(link)) for link in self._server.clients()]
        total = sum(len(course.frames) for _, course in courses)
        stamps = dict(zip(_forms(_MARK_NS), _forms(self._server.clock.now_ns()), strict=True))
        for link, course in courses:
            if not course.frames:
                continue
            course.owed += n * len(course.frames) / total
            n_due = int(course.owed)
            course.owed -= n_due
            if not link.writable.is_set():
                self.sent.behind += n_due
                continue
            block = self._stamped(_next(course, n_due), stamps)
            link.write(block)
            self.sent.frames += n_due
            self.sent.n_bytes += len(block)

    def _course(self, link: Link) -> _Course:
        """A client's course; it begins anew, with snapshots, when the client subscribes to something else."""
        course = self._courses.get(link)
        if (
            course is None
            or len(course.topics) != len(link.client.topics)
            or course.topics != link.client.topics
        ):
            topics = frozenset(link.client.topics)
            course = _Course(topics, [frame for topic, frame in self._pool if topic in topics])
            self._courses[link] = course
        return course

    def _stamped(self, frames: Iterable[bytes], stamps: Mapping[bytes, bytes]) -> bytes:
        if self._zips != "none":
            payloads = []
            for payload in frames:
                stamped = payload
                for form in self._forms:
                    stamped = stamped.replace(form, stamps[form])
                payloads.append(encode_frame(BINARY, zip_frame(stamped, self._zips)))
            return b"".join(payloads)
        block = b"".join(frames)
        for form in self._forms:
            block = block.replace(form, stamps[form])
        return block


async def run_loads(loads: Iterable[Load], rate_per_s: float, seconds: float) -> float:
    """Write all loads for some seconds, ``rate_per_s`` frames together; returns how long it took, in seconds."""
    loads, loop = list(loads), asyncio.get_running_loop()
    begin_s = last_s = loop.time()
    while last_s - begin_s < seconds:
        await asyncio.sleep(_ROUND_S)
        now_s = loop.time()
        late_s = max(now_s - last_s - _BACKLOG_S, 0.0)
        n = rate_per_s * (now_s - last_s - late_s) / len(loads)
        for load in loads:
            load.sent.behind += int(rate_per_s * late_s / len(loads))
            load.write(n)
        last_s = now_s
    return last_s - begin_s


def _firsts(facts: Iterable[Fact]) -> list[Fact]:
    """The first fact of every state and contract: books, prices, rates."""
    firsts: dict[tuple[type, str], Fact] = {}
    for fact in facts:
        if not isinstance(fact, TradeFact | LiquidationFact):
            firsts.setdefault((type(fact), fact.symbol), fact)
    return list(firsts.values())


def _next(course: _Course, n: int) -> list[bytes]:
    """The next ``n`` frames of a course, from its beginning again after its end."""
    frames: list[bytes] = []
    while n > 0:
        part = course.frames[course.at : course.at + n]
        frames += part
        n -= len(part)
        course.at = (course.at + len(part)) % len(course.frames)
    return frames


def _forms(at_ns: int) -> tuple[bytes, ...]:
    """A time as venues spell it; longer forms stand before those they begin with.

    Milliseconds stand for micro- and nanoseconds too, whose further digits stay 0.
    """
    at = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=at_ns // MILLISECOND_NS)
    seconds, milliseconds = divmod(at_ns // MILLISECOND_NS, 1_000)
    day, clock = at.strftime("%Y-%m-%d"), at.strftime("%H:%M:%S")
    texts = (
        f"{seconds}{milliseconds:03}",
        f"{seconds}.{milliseconds:03}",
        f"{seconds}",
        f"{day}T{clock}.{milliseconds:03}",
        f"{day} {clock}.{milliseconds:03}",
        f"{day}T{clock}",
        f"{day} {clock}",
    )
    return tuple(text.encode() for text in texts)
