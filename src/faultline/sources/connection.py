"""A socket plan in, frames mapped as they arrive out, until the connection ends: one WebSocket from dial to close.

A connection never comes back: whoever runs it makes another. ``dialling`` -> ``subscribing`` -> ``live`` -> ``ended``::

    dial        DNS, TLS, handshake, within ``Patience.dial_s``
    subscribe   the plan's frames, paced; every key of ``expects`` is confirmed or refused, or counts as refused when
                ``Patience.confirm_s`` has passed; a request that is refused as a whole is asked for once more topic by
                topic; with none confirmed the connection ends
    live        pings as the plan says; it ends when nothing at all arrives for too long, or when every channel on
                which silence is not normal is silent beyond its limit

Frames are mapped on arrival, in the order of arrival, into ``rows``, which others drain.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import enum
import functools
import hashlib
import math
from typing import TYPE_CHECKING, Final

import msgspec
import structlog
from picows import WSListener, WSMsgType

from faultline.errors import ConnectionLost, PayloadRejected, SourceError, StaleSource
from faultline.sources.asking import Subscriptions
from faultline.sources.control import Confirmed, Refused, Reply, Resync
from faultline.sources.dialling import dial
from faultline.sources.failures import failure_of, first_of, place_of
from faultline.sources.mapper import FRAME_BYTES_MAX
from faultline.sources.pacing import Backoff, Budget
from faultline.sources.plan import Beat, Unzip
from faultline.sources.rows import FrameReject, Reason, Rows
from faultline.sources.unzip import unzip_frame

if TYPE_CHECKING:
    import random
    import ssl
    from collections.abc import Awaitable, Callable

    from picows import WSFrame, WSTransport

    from faultline.sources.control import Control
    from faultline.sources.mapper import VenueMapper
    from faultline.sources.pacing import Patience, Timer
    from faultline.sources.plan import Limits, Request, SocketPlan

__all__ = ("Connection", "Phase", "Wiring")

_LOG = structlog.get_logger(__name__)
#: Books that are fetched at the same time.
_MENDERS: Final = 4
#: A look that comes so much later than planned follows a standstill of our own: silence says nothing then.
_STANDSTILL: Final = 3.0


class Phase(enum.StrEnum):
    """Where a connection stands in its life."""

    DIALLING = "dialling"
    SUBSCRIBING = "subscribing"
    LIVE = "live"
    ENDED = "ended"


@dataclasses.dataclass(frozen=True, slots=True)
class Wiring:
    """What connections of a venue share.

    Attributes:
        stamp: receive times, never going back.
        timer: seconds and waits.
        patience: timeouts.
        limits: of the venue.
        rng: chance of back-offs.
        ssl_context: certificates to trust; None for the machine's.
        keep_raw: takes (connection, receive time, frame) of every frame; None where none are kept.
        fetch_book: fetches the snapshot of a symbol by REST: (channel, body); None where the venue has no such request.
        fetch: makes a REST request of a plan, e.g. for a ticket, and gives the body of the answer.
    """

    stamp: Callable[[], int]
    timer: Timer
    patience: Patience
    limits: Limits
    rng: random.Random
    ssl_context: ssl.SSLContext | None = None
    keep_raw: Callable[[str, int, bytes], None] | None = None
    fetch_book: Callable[[str], Awaitable[tuple[str, bytes] | None]] | None = None
    fetch: Callable[[Request], Awaitable[bytes]] | None = None


class Connection:
    """One WebSocket.

    Args:
        plan: what to do.
        mapper: of this connection alone, freshly made.
        wiring: what it shares with others.

    Attributes:
        rows: what frames said; others drain it.
        phase: where it stands.
        since_ns: since when.
        born_s: when it was made (``Timer`` seconds).
        ready: set when every subscription is answered, at ``ready_s`` (``Timer`` seconds), ``ready_ns``.
        asking: what was asked for and how the venue answered.
        refused: subscriptions the venue refused or did not answer: key -> why.
        heard_s: channel -> when it last gave rows (``Timer`` seconds); from ``ready`` on.
        heard_ns: channel -> the same as a receive time; only channels that gave rows.
        last_frame_ns: receive time of the last frame of any kind; everything the venue sent before has arrived.
        n_frames: frames so far.
        n_bytes: bytes of their payloads as they came.
    """

    def __init__(self, plan: SocketPlan, mapper: VenueMapper, wiring: Wiring) -> None:
        self.plan, self.rows = plan, Rows(mapper.venue)
        self.phase, self.since_ns = Phase.DIALLING, wiring.stamp()
        self.born_s = wiring.timer.now_s()
        self.ready = asyncio.Event()
        self.asking = Subscriptions(plan)
        self.refused = self.asking.refused
        self.heard_s: dict[str, float] = {}
        self.heard_ns: dict[str, int] = {}
        self.last_frame_ns: int | None = None
        self.n_frames = self.n_bytes = 0
        self._mapper, self._wiring = mapper, wiring
        self._timer, self._patience = wiring.timer, wiring.patience
        self._log = _LOG.bind(venue=mapper.venue, connection=plan.name)
        self._where = place_of(plan.url)
        self._transport: WSTransport | None = None
        #: Set when there is something to ask for again, or when all is answered.
        self._is_told = asyncio.Event()
        self._lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._parts: list[bytes] = []
        self._is_binary = False
        self.ready_s = self._last_frame_s = math.inf
        self.ready_ns: int | None = None
        self._is_held = False
        frames_s = max(wiring.limits.frames_per_second, 0.1)
        self._pace = Budget(max(frames_s, 1.0), max(1.0 / frames_s, 1.0), wiring.timer)
        self._group: asyncio.TaskGroup | None = None
        self._menders = asyncio.Semaphore(_MENDERS)
        self._mending: set[str] = set()
        self._mended: dict[str, tuple[Backoff, float]] = {}
        self._faults: set[str] = set()

    async def run(self) -> None:
        """Dial and stay connected; never returns normally. Cancelling it closes the connection.

        Raises:
            SourceError: why it ended.
        """
        try:
            listen = functools.partial(_Listener, self)
            plan = await self._ticketed()
            await dial(plan, listen, self._patience.dial_s, self._wiring.ssl_context)
            async with asyncio.TaskGroup() as group:
                self._group = group
                for part in (self._lose(), self._subscribe(), self._beat(), self._watch()):
                    group.create_task(part)
        except ExceptionGroup as exc:
            raise failure_of(first_of(exc), self._where) from exc
        finally:
            await self._hang_up()

    def hold(self, *, is_held: bool) -> None:
        """Stop reading the socket, or go on; while it is held silence means nothing."""
        if is_held == self._is_held:
            return
        self._is_held = is_held
        if not is_held:
            self._excuse()
        self._apply_hold()

    def silent_s(self, channel: str) -> float:
        """Seconds since a channel gave rows (since ``ready`` where it never did); 0 before that, and while held."""
        heard_s = self.heard_s.get(channel)
        return 0.0 if heard_s is None or self._is_held else self._timer.now_s() - heard_s

    def stale(self) -> tuple[str, ...]:
        """Channels that are silent beyond their limit."""
        return tuple(name for name, limit_s in self.plan.channels.items() if self.silent_s(name) > limit_s)

    async def _ticketed(self) -> SocketPlan:
        """The plan with the address to dial, which a ticket may complete; nobody else sees that address.

        Raises:
            SourceError: the ticket cannot be had.
        """
        ticket, fetch = self.plan.ticket, self._wiring.fetch
        if ticket is None:
            return self.plan
        if fetch is None:
            raise ConnectionLost("the venue wants a ticket and nobody can fetch it", where=self.plan.url)
        body = await fetch(ticket.request)
        try:
            url = ticket.address(self.plan.url, body)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as exc:
            digest = hashlib.sha256(body).hexdigest()[:16]
            message = f"the ticket cannot be read: {exc}"
            raise PayloadRejected(message, venue=self._mapper.venue, channel="ticket", digest=digest) from exc
        return dataclasses.replace(self.plan, url=url)

    async def _lose(self) -> None:
        """Wait for the end of the connection.

        Raises:
            ConnectionLost: always, then.
        """
        why = await self._lost
        if self._transport is not None and self._transport.is_disconnected:
            try:
                await self._transport.wait_disconnected()
            except Exception as exc:  # noqa: BLE001 - picows gives the reason of an end of its own this way
                why = f"{why}: {exc}"
        raise ConnectionLost(why, where=self._where)

    async def _subscribe(self) -> None:
        """Send the subscriptions and wait for the answers.

        Raises:
            ConnectionLost: none was confirmed.
        """
        for frame in self.plan.subscribe:
            await self._pace.take()
            self._send(frame)
        self.asking.is_asked = True
        if self.asking.is_answered:
            self._settle()
        await self._await_answers()
        if self.asking.is_hopeless:
            why = next(iter(self.refused.values()))
            if not self.heard_ns:
                raise ConnectionLost(f"no subscription was accepted: {why}", where=self._where)
            self._log.warning("rows come, though no subscription was accepted", detail=why)
            self.refused.clear()
        self._settle()

    async def _await_answers(self) -> None:
        """Wait for the answers as long as it is worth it, and ask again where the venue refused too much at once."""
        while not self.ready.is_set():
            while self.asking.again:
                await self._pace.take()
                self._send(self.asking.again.popleft())
            self._is_told.clear()
            is_late = False
            try:
                async with asyncio.timeout(self._patience.confirm_s):
                    await self._is_told.wait()
            except TimeoutError:
                is_late = not self._is_held
            if is_late and not self.asking.give_up():
                return

    async def _beat(self) -> None:
        """Send our pings."""
        heartbeat = self.plan.heartbeat
        if heartbeat.beat is Beat.THEIRS:
            return
        while True:
            await self._timer.sleep(heartbeat.every_s)
            if heartbeat.frame is not None:
                self._send(heartbeat.frame(self._wiring.stamp()))
            elif self._transport is not None:
                self._transport.send_ping(b"")

    async def _watch(self) -> None:
        """Look for silence.

        Raises:
            StaleSource: there is too much of it.
        """
        every_s, check_s = self.plan.heartbeat.every_s, self._patience.check_s
        limit_s = every_s + min(self._patience.pong_s, every_s)
        loud = [name for name, silence_s in self.plan.channels.items() if math.isfinite(silence_s)]
        while True:
            began_s = self._timer.now_s()
            await self._timer.sleep(check_s)
            if self._is_held:
                continue
            if self._timer.now_s() - began_s > _STANDSTILL * check_s + 1.0:
                self._excuse()
                continue
            silent_s = self._timer.now_s() - self._last_frame_s
            if silent_s > limit_s:
                message = f"nothing arrived for {silent_s:.1f} s, not even an answer to a ping"
                raise StaleSource(message, where=self._where)
            if loud and all(self.silent_s(name) > self.plan.channels[name] for name in loud):
                message = f"the connection is open but {', '.join(sorted(loud))} gave nothing for too long"
                raise StaleSource(message, where=self._where)

    async def _mend(self, symbol: str) -> None:
        """Fetch or subscribe the book of a symbol anew; sooner for the first time than for the tenth."""
        backoff, last_s = self._mended.get(symbol, (Backoff(self._patience, self._wiring.rng), -math.inf))
        if self._timer.now_s() - last_s > self._patience.healthy_s:
            backoff.reset()
        else:
            await self._timer.sleep(backoff.next_s())
        async with self._menders:
            self._mended[symbol] = (backoff, self._timer.now_s())
            frames = () if self.plan.resubscribe is None else self.plan.resubscribe(symbol)
            if not frames:
                await self._fetch_book(symbol)
                return
            for frame in frames:
                await self._pace.take()
                self._send(frame)
            self._mending.discard(symbol)

    async def _fetch_book(self, symbol: str) -> None:
        fetch = self._wiring.fetch_book
        try:
            answer = None if fetch is None else await fetch(symbol)
        except SourceError as exc:
            self._log.warning("book snapshot failed", symbol=symbol, error=str(exc))
            self._mending.discard(symbol)
            self._ask_to_mend(symbol)
            return
        # From here on the symbol may break again, e.g. on this very answer.
        self._mending.discard(symbol)
        if answer is not None:
            channel, body = answer
            now_ns = self._wiring.stamp()
            self._take(now_ns, self._timer.now_s(), self._mapper.map_answer, channel, symbol, body)

    # ------------------------------------------------------------ what the socket says

    def _opened(self, transport: WSTransport) -> None:
        self._transport = transport
        self.phase, self.since_ns = Phase.SUBSCRIBING, self._wiring.stamp()
        self._last_frame_s = self._timer.now_s()
        self._apply_hold()

    def _closed(self) -> None:
        self._end("the connection was lost")

    def _received(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame of the socket, whatever its kind."""
        now_ns = self.last_frame_ns = self._wiring.stamp()
        self._last_frame_s = self._timer.now_s()
        self.n_frames += 1
        self.n_bytes += frame.payload_size
        kind = frame.msg_type
        if kind == WSMsgType.TEXT and frame.fin and not self._parts:  # nearly all are
            self._is_binary = False
            self._map(frame.get_payload_as_bytes(), now_ns)
        elif kind == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif kind == WSMsgType.CLOSE:
            words = (frame.get_close_message() or b"").decode(errors="replace")
            self._end(f"the venue closed the connection: {frame.get_close_code().value} {words}".rstrip())
            transport.send_close()
            transport.disconnect()
        elif kind != WSMsgType.PONG:
            if kind != WSMsgType.CONTINUATION:
                self._is_binary = kind == WSMsgType.BINARY
            self._assemble(frame.get_payload_as_bytes(), now_ns, is_last=frame.fin)

    def _assemble(self, part: bytes, now_ns: int, *, is_last: bool) -> None:
        """Take a part of a message, which mostly is all of it."""
        if is_last and not self._parts:
            self._map(part, now_ns)
            return
        self._parts.append(part)
        if sum(map(len, self._parts)) > FRAME_BYTES_MAX:
            self._parts.clear()
            self._end(f"a message is longer than {FRAME_BYTES_MAX} bytes")
        elif is_last:
            whole = b"".join(self._parts)
            self._parts.clear()
            self._map(whole, now_ns)

    def _map(self, message: bytes, now_ns: int) -> None:
        """Map one message and do what it asks for."""
        try:
            if self._is_binary and self.plan.unzip is not Unzip.NONE:
                message = unzip_frame(message, self.plan.unzip, FRAME_BYTES_MAX)
        except FrameReject as exc:
            self.rows.begin(message, now_ns)
            self.rows.reject(exc.reason, exc.detail)
            return
        finally:
            if self._wiring.keep_raw is not None:
                self._wiring.keep_raw(self.plan.name, now_ns, message)
        self._take(now_ns, self._last_frame_s, self._mapper.map, message)

    def _take(self, now_ns: int, now_s: float, apply: Callable[..., None], *told: str | bytes) -> None:
        """Map what was told, note what came of it, and do what it asks for."""
        rows = self.rows
        before = rows.n_rows
        try:
            apply(*told, now_ns, rows)
        except Exception as exc:  # noqa: BLE001 - a fault of a mapper must not cost the connection: it is a reject
            rows.reject(Reason.WRONG_SHAPE, f"{type(exc).__name__}: {exc}")
            fault = f"{rows.channel} {type(exc).__name__}"
            if fault not in self._faults:
                self._faults.add(fault)
                self._log.exception("mapper failed", channel=rows.channel)
        if rows.n_rows != before:
            self.heard_s[rows.channel] = now_s
            self.heard_ns[rows.channel] = now_ns
        if rows.controls:
            controls, rows.controls = rows.controls, []
            for control in controls:
                self._obey(control)

    def _obey(self, control: Control) -> None:
        match control:
            case Confirmed(key):
                self.asking.confirm(key)
            case Refused(key, detail):
                self.asking.refuse(key, detail)
                if self.asking.again:
                    self._log.info(
                        "refused as a whole: asked for one by one", key=key[:200], detail=detail[:200]
                    )
                    self._is_told.set()
            case Reply(frame):
                self._send(frame)
            case Resync(symbol, detail, is_first):
                tell = self._log.debug if is_first else self._log.info
                tell(
                    "book is asked for" if is_first else "book is asked for anew",
                    symbol=symbol,
                    detail=detail,
                )
                self._ask_to_mend(symbol)
        if self.asking.is_answered and self.phase is Phase.SUBSCRIBING:
            self._settle()

    def _ask_to_mend(self, symbol: str) -> None:
        if symbol not in self._mending and self._group is not None and not self._lost.done():
            self._mending.add(symbol)
            self._group.create_task(self._mend(symbol))

    def _settle(self) -> None:
        """Every subscription is answered: from now on silence counts."""
        if self.ready.is_set():
            return
        self.phase, self.ready_ns = Phase.LIVE, self._wiring.stamp()
        self.since_ns = self.ready_ns
        now_s = self.ready_s = self._timer.now_s()
        self.heard_s = dict.fromkeys(self.plan.channels, now_s) | self.heard_s
        self.ready.set()
        self._is_told.set()

    def _excuse(self) -> None:
        """Begin to count silence anew."""
        now_s = self._last_frame_s = self._timer.now_s()
        self.heard_s = dict.fromkeys(self.heard_s, now_s)

    # ------------------------------------------------------------ the socket

    def _send(self, frame: bytes) -> None:
        if self._transport is not None and not self._transport.is_disconnected:
            self._transport.send(WSMsgType.TEXT, frame)

    def _end(self, why: str) -> None:
        if not self._lost.done():
            self._lost.set_result(why)

    def _apply_hold(self) -> None:
        if self._transport is None or self._transport.is_disconnected:
            return
        socket = self._transport.underlying_transport
        # A transport that is closing refuses; it reads no more anyway.
        with contextlib.suppress(RuntimeError):
            if self._is_held:
                socket.pause_reading()
            else:
                socket.resume_reading()

    async def _hang_up(self) -> None:
        """Close the socket, politely where the venue still listens."""
        self.phase, self.since_ns = Phase.ENDED, self._wiring.stamp()
        transport = self._transport
        if transport is None:
            return
        if not transport.is_disconnected:
            transport.send_close()
            transport.disconnect()
        # Waiting fetches what picows has to say of the end, which was told or does not matter any more.
        with contextlib.suppress(Exception):
            try:
                async with asyncio.timeout(self._patience.close_s):
                    await transport.wait_disconnected()
            finally:
                transport.disconnect(graceful=False)


class _Listener(WSListener):
    """Tells a connection what its socket does."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The handshake is done."""
        self._connection._opened(transport)  # noqa: SLF001 - the listener is the connection's ear

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """A frame arrived."""
        self._connection._received(transport, frame)  # noqa: SLF001 - the same

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002 - the signature is given
        """The socket is closed."""
        self._connection._closed()  # noqa: SLF001 - the same
