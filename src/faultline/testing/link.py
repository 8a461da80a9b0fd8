"""One connection of a client: bytes in, the script's answers and facts out, with the faults that are switched on."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import enum
import socket
import struct
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import msgspec
import numpy as np

from faultline.testing.delivery import Account
from faultline.testing.faults import Fate, corrupt, spoil
from faultline.testing.script import Answer, Client
from faultline.testing.wire import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    BadBytes,
    FrameReader,
    HttpRequest,
    RequestReader,
    encode_answer,
    encode_close,
    encode_frame,
    encode_handshake,
    zip_frame,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from faultline.clock import Clock
    from faultline.testing.delivery import Delivery
    from faultline.testing.faults import Faults
    from faultline.testing.script import VenueScript

__all__ = ("Cut", "Host", "Link")

#: A reordered frame waits so long for another to go first.
_HELD_S: Final = 0.05
#: Before a connection is cut, its client may prove within this time what it has read.
_PROOF_S: Final = 0.25
#: Pause between two pieces of what trickles.
_TRICKLE_S: Final = 0.01
#: Who reads so slowly that more than this waits for it is cut, as venues do.
_WAITING_BYTES_MAX: Final = 64 * 1024 * 1024
_WAITING_FRAMES_MAX: Final = 100_000
#: From so many waiting bytes on, ``writable`` is clear: some hundredths of a second of heavy traffic.
_PAUSE_BYTES: Final = 1024 * 1024
#: What a script may raise over a request that it does not understand.
_NOT_UNDERSTOOD: Final = (LookupError, TypeError, ValueError, AttributeError, msgspec.MsgspecError)


class Cut(enum.StrEnum):
    """How the server ends a connection; the word is its count in ``VenueServer.counts``."""

    #: A close frame, then an orderly end.
    CLOSE = "closed"
    #: An orderly end without a close frame.
    END = "ended"
    #: A TCP reset.
    RESET = "reset by cut"


class Host(Protocol):
    """What a link needs of its server."""

    script: VenueScript
    clock: Clock
    faults: Faults
    counts: collections.Counter[str]
    heard: collections.deque[tuple[float, int, bytes]]
    requests: collections.deque[tuple[float, str, str]]
    prove_every_s: float

    def joined(self, link: Link) -> int:
        """A client connected; returns its number."""
        ...

    def changed(self, link: Link, *, is_lost: bool = False) -> None:
        """A client spoke, was answered, or left."""
        ...


class _State(enum.Enum):
    REQUEST = enum.auto()
    ANSWER = enum.auto()
    SOCKET = enum.auto()
    LOST = enum.auto()


@dataclasses.dataclass(slots=True)
class _Waiting:
    """Bytes on their way out, and what follows when they have gone."""

    due_s: float
    rest: bytes
    then: Callable[[], None] | None


class Link(asyncio.Protocol):
    """One accepted connection, of a WebSocket or of one REST request."""

    def __init__(self, host: Host, seed: int) -> None:
        #: In the order of connecting.
        self.number = -1
        self.client = Client("")
        self.account = Account()
        self.writable = asyncio.Event()
        self.lost = asyncio.Event()
        self._host = host
        self._seed = seed
        self._rng = np.random.default_rng(seed)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._state = _State.REQUEST
        self._request = RequestReader()
        self._frames = FrameReader()
        self._queue: collections.deque[_Waiting] = collections.deque()
        self._queue_timer: asyncio.TimerHandle | None = None
        self._timers: set[asyncio.TimerHandle] = set()
        self._held: tuple[bytes, Delivery | None] | None = None
        #: Proofs asked for, and what follows on each; then those on their way, with the deliveries before them.
        self._proofs: dict[bytes, Callable[[], None]] = {}
        self._asked: collections.deque[tuple[bytes, int]] = collections.deque()
        self._n_asked = 0
        self._bytes_written = 0
        self._is_ending = False
        self._is_hung = False

    @property
    def is_socket(self) -> bool:
        """Whether it is an open WebSocket."""
        return self._state is _State.SOCKET

    @property
    def handed_over(self) -> int:
        """Bytes that have left the process."""
        if self._state is _State.LOST:
            return 0
        return self._bytes_written - self._transport.get_write_buffer_size()

    # ------------------------------------------------------------ what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless connects are reset or left hanging."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_PAUSE_BYTES)
        self.writable.set()
        self.number = self._host.joined(self)
        self._rng = np.random.default_rng([self._seed, self.number])
        if self._host.faults.resets_connects:
            self._host.counts["connects reset"] += 1
            self.reset()
        elif self._host.faults.hangs_connects:
            self._host.counts["connects hung"] += 1
            self._is_hung = True

    def data_received(self, chunk: bytes) -> None:
        """Read a request, then messages."""
        if self._is_hung or self._state is _State.ANSWER:
            return
        try:
            if self._state is _State.REQUEST:
                request = self._request.feed(chunk)
                if request is not None:
                    self._begin(request)
            elif self._state is _State.SOCKET:
                for opcode, payload in self._frames.feed(chunk):
                    self._hear(opcode, payload)
        except BadBytes:
            self._host.counts["bad bytes"] += 1
            self.reset()
        self._host.changed(self)

    def pause_writing(self) -> None:
        """The client reads more slowly than is written."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """It caught up."""
        self.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - every end is an end
        """Stop everything; what was not proven is doubtful now."""
        self._state = _State.LOST
        for timer in (*self._timers, *([self._queue_timer] if self._queue_timer else [])):
            timer.cancel()
        self._queue.clear()
        self.account.die()
        self.writable.set()
        self.lost.set()
        proofs, self._proofs = self._proofs, {}
        for then in proofs.values():
            then()
        self._host.changed(self, is_lost=True)

    # ------------------------------------------------------------ what the server asks for

    def tell(self, payload: bytes, frame: bytes, delivery: Delivery | None) -> None:
        """Send one frame, or do to it what its fate is. ``frame`` is ``payload`` as it goes out when all is well."""
        host = self._host
        if self._is_ending or self._state is not _State.SOCKET:
            host.counts["unsent"] += 1
            return
        if host.faults.is_stalled:
            host.counts["stalled"] += 1
            return
        fate, zips = host.faults.draw(self._rng), host.script.zips
        host.counts[fate] += 1
        match fate:
            case Fate.SENT:
                self._put_frame(frame, delivery)
            case Fate.DUPLICATED:
                self._put_frame(frame, delivery)
                self._put(frame)
            case Fate.REORDERED if self._held is None:
                self._held = (frame, delivery)
                self._after(_HELD_S, self._release)
                return
            case Fate.REORDERED:
                self._put_frame(frame, delivery)
            case Fate.CORRUPTED:
                self._put(_data_frame(corrupt(payload, zips, self._rng), zips))
            case Fate.SPOILT:
                self._put(_data_frame(zip_frame(spoil(payload, self._rng), zips), zips))
            case Fate.HALVED:
                self.cut(Cut.END, frame[: max(len(frame) // 2, 1)])
            case Fate.RESET:
                self.cut(Cut.RESET)
            case Fate.DROPPED:
                pass
        self._release()

    def say(self, payloads: Iterable[bytes]) -> None:
        """Send frames that answer this client."""
        zips = self._host.script.zips
        for payload in payloads:
            frame = _data_frame(zip_frame(payload, zips), zips)
            if self._host.faults.answers_too or self._host.faults.is_stalled:
                self.tell(payload, frame, None)
            elif not self._is_ending:
                self._put(frame)

    def write(self, frames: bytes) -> None:
        """Send whole frames as they are, without faults or account."""
        self._put(frames)

    def prove(self, then: Callable[[], None]) -> None:
        """Ask the client, by a ping, to prove what it has read; ``then`` is called when it did, or is gone."""
        if self._state is not _State.SOCKET:
            then()
            return
        self._release()
        self._n_asked += 1
        payload = b"proof %d" % self._n_asked
        self._proofs[payload] = then
        self._put(
            encode_frame(PING, payload),
            lambda: self._asked.append((payload, self.account.n_written)),
            keeps_order=True,
        )

    def cut(self, how: Cut, last: bytes = b"") -> None:
        """End the connection, after the client had the time to prove what it has read; ``last`` bytes go before."""
        if self._is_ending or self._state is _State.LOST:
            return
        self._is_ending = True
        self._host.counts[how] += 1
        done = [False]

        def finish() -> None:
            if done[0] or self._state is _State.LOST:
                return
            done[0] = True
            if how is Cut.RESET:
                self.reset()
                return
            self._transport.write(last if how is Cut.END else encode_close(1001))
            self._transport.close()

        self._after(_PROOF_S, finish)
        self.prove(finish)

    def reset(self) -> None:
        """End the connection by a TCP reset; what was not read is lost."""
        self._is_ending = True
        peer: socket.socket | None = self._transport.get_extra_info("socket")
        if peer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    # ------------------------------------------------------------ requests and messages

    def _begin(self, request: HttpRequest) -> None:
        host = self._host
        if not request.wants_socket:
            self._state = _State.ANSWER
            self._answer(request)
        elif host.faults.handshake_status:
            self._state = _State.ANSWER
            host.counts["handshakes refused"] += 1
            self._put(encode_answer(host.faults.handshake_status, b"", self._retry_after()), self._end)
        else:
            handshake = encode_handshake(request)
            host.counts["sockets"] += 1
            self._state = _State.SOCKET
            self.client = Client(request.path)
            self._put(handshake)
            self.say(host.script.opened(self.client, host.clock.now_ns()))
            if host.script.ping is not None:
                self._after(host.script.ping_every_s, self._ping)
            if host.prove_every_s:
                self._after(host.prove_every_s, self._prove_again)

    def _hear(self, opcode: int, payload: bytes) -> None:
        host = self._host
        if opcode == PONG:
            self._take_proof(payload)
        elif host.faults.is_stalled or self._state is not _State.SOCKET:
            host.counts["unheard"] += 1
        elif opcode == PING:
            host.counts["pings heard"] += 1
            self._put(encode_frame(PONG, payload))
        elif opcode == CLOSE:
            self._put(encode_frame(CLOSE, payload[:2]), self._end)
        else:
            host.counts["messages heard"] += 1
            host.heard.append((self._loop.time(), self.number, payload))
            try:
                answers = host.script.received(self.client, payload, host.clock.now_ns())
            except _NOT_UNDERSTOOD:
                host.counts["not understood"] += 1
            else:
                self.say(answers)

    def _take_proof(self, payload: bytes) -> None:
        if payload not in self._proofs:
            return
        while self._asked:
            asked, n = self._asked.popleft()
            self.account.prove(n)
            self._proofs.pop(asked)()
            if asked == payload:
                return

    def _prove_again(self) -> None:
        if not self._is_ending:
            self.prove(lambda: None)
            self._after(self._host.prove_every_s, self._prove_again)

    def _ping(self) -> None:
        script = self._host.script
        if script.ping is not None and self._state is _State.SOCKET:
            self._host.counts["pings sent"] += 1
            self.say([script.ping])
            self._after(script.ping_every_s, self._ping)

    def _answer(self, request: HttpRequest) -> None:
        host, faults = self._host, self._host.faults
        host.counts["requests"] += 1
        host.requests.append((self._loop.time(), request.method, request.target))
        if faults.is_stalled:
            host.counts["stalled"] += 1
            return
        if faults.rest_status and self._rng.random() < faults.rest_status_prob:
            host.counts["requests refused"] += 1
            answer = Answer(faults.rest_status, b'{"error":"refused"}', self._retry_after())
        else:
            answer = self._scripted(request)
        body = b" " * faults.rest_padding_bytes + answer.body
        if faults.is_rest_spoilt:
            host.counts["answers spoilt"] += 1
            body = spoil(body, self._rng)
        encoded = encode_answer(answer.status, body, answer.headers)
        if faults.is_rest_halved:
            host.counts["answers halved"] += 1
            encoded = encoded[: len(encoded) - (len(body) + 1) // 2]
        self._put(encoded, self._end)

    def _scripted(self, request: HttpRequest) -> Answer:
        now_ns = self._host.clock.now_ns()
        try:
            answer = self._host.script.answer(
                request.method, request.path, request.query, request.body, now_ns
            )
        except _NOT_UNDERSTOOD:
            self._host.counts["not understood"] += 1
            return Answer(400, b'{"error":"not understood"}')
        if answer is None:
            self._host.counts["pages unknown"] += 1
            return Answer(404, b'{"error":"no such page"}')
        return answer

    def _retry_after(self) -> tuple[tuple[str, str], ...]:
        wait_s = self._host.faults.retry_after_s
        return (("retry-after", f"{wait_s:g}"),) if wait_s >= 0 else ()

    # ------------------------------------------------------------ bytes out

    def _put_frame(self, frame: bytes, delivery: Delivery | None) -> None:
        if delivery is None:
            self._put(frame)
        else:
            self._put(frame, lambda: self.account.write(self._bytes_written, delivery))

    def _put(self, out: bytes, then: Callable[[], None] | None = None, *, keeps_order: bool = False) -> None:
        """Write at once, or behind what waits already."""
        if self._state is _State.LOST:
            return
        wait_s = 0.0 if keeps_order else self._host.faults.wait_s(self._rng)
        if not self._queue and not wait_s and not self._host.faults.trickle_bytes_s:
            self._write(out, then)
            return
        due_s = max(self._loop.time() + wait_s, self._queue[-1].due_s if self._queue else 0.0)
        self._queue.append(_Waiting(due_s, out, then))
        if len(self._queue) > _WAITING_FRAMES_MAX:
            self._overrun()
        elif self._queue_timer is None:
            self._pump()

    def _pump(self) -> None:
        """Write what is due, in pieces where it trickles."""
        self._queue_timer = None
        while self._queue and self._state is not _State.LOST:
            first, now_s = self._queue[0], self._loop.time()
            if first.due_s > now_s:
                self._queue_timer = self._loop.call_at(first.due_s, self._pump)
                return
            piece = max(int(self._host.faults.trickle_bytes_s * _TRICKLE_S), 1)
            if self._host.faults.trickle_bytes_s and len(first.rest) > piece:
                self._write(first.rest[:piece], None)
                first.rest = first.rest[piece:]
                self._host.counts["pieces"] += 1
                self._queue_timer = self._loop.call_later(_TRICKLE_S, self._pump)
                return
            self._queue.popleft()
            self._write(first.rest, first.then)

    def _write(self, out: bytes, then: Callable[[], None] | None) -> None:
        if self._transport.is_closing():
            self._host.counts["unsent"] += 1
            return
        self._transport.write(out)
        self._bytes_written += len(out)
        if then is not None:
            then()
        if self._transport.get_write_buffer_size() > _WAITING_BYTES_MAX:
            self._overrun()

    def _overrun(self) -> None:
        self._host.counts["overrun"] += 1
        self.reset()

    def _end(self) -> None:
        self._is_ending = True
        self._transport.close()

    def _release(self) -> None:
        """Send the frame that was held back."""
        if self._held is not None:
            held, self._held = self._held, None
            self._put_frame(*held)

    def _after(self, wait_s: float, call: Callable[[], Any]) -> None:
        def run() -> None:
            self._timers.discard(timer)
            call()

        timer = self._loop.call_later(wait_s, run)
        self._timers.add(timer)


def _data_frame(payload: bytes, zips: str) -> bytes:
    return encode_frame(TEXT if zips == "none" else BINARY, payload)
