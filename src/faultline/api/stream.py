"""Subscriptions of one WebSocket client in, column frames, events and JSON messages out, never more than a bounded
queue.

A client that cannot keep up is dropped, everybody else gets everything: it connects again, fetches snapshots and
reads on in the events where it was. What it missed for a short time it can ask for with ``after_seq``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
import structlog
from litestar import WebSocket, websocket
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketDisconnect

from faultline.api.context import ApiContext, NotReady
from faultline.api.fanout import resync_message
from faultline.api.hub import candle_subject, event_message, map_subject, zones_subject
from faultline.api.outbox import EventWish, Outbox, as_message
from faultline.errors import FaultlineError, NotFound, RequestError
from faultline.signals.events import EventType
from faultline.store.columns import MapKey
from faultline.store.lhm1 import PLANES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultline.store.events import EventStore

__all__ = ("CLOSE_SLOW", "EVENT_BACKLOG", "PROTOCOL", "SubscribeEvents", "SubscribeRequest", "stream")

#: Version of the stream's protocol.
PROTOCOL: Final = 1
#: Close code for a client that does not read fast enough.
CLOSE_SLOW: Final = 4008
#: Close code where there are too many clients.
_CLOSE_FULL: Final = 4013
#: Close code for a client that keeps sending what cannot be read.
_CLOSE_HOSTILE: Final = 4009

#: Events that are sent again at most to a client that comes back.
EVENT_BACKLOG: Final = 10_000
#: Events read from the log at once.
_EVENTS_READ: Final = 500

_MESSAGE_CHARS_MAX: Final = 4_096
_BAD_MESSAGES_MAX: Final = 8
_CLOSE_TIMEOUT_S: Final = 2.0
_LOG: Final = structlog.get_logger("faultline.api.stream")

_Plane = Literal["real", "synthetic", "smooth", "walls"]
_Side = Literal["long", "short"]
_Seq = Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
_Asset = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]


class SubscribeRequest(msgspec.Struct, tag_field="type", tag="subscribe", forbid_unknown_fields=True):
    """What a client may send; ``after_seq`` is one number for all maps asked for, or one per ``plane/side``."""

    scope: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    tf: Annotated[str, msgspec.Meta(min_length=1, max_length=8)]
    planes: Annotated[tuple[_Plane, ...], msgspec.Meta(min_length=1, max_length=len(PLANES))]
    sides: Annotated[tuple[_Side, ...], msgspec.Meta(min_length=1, max_length=2)] = ("long", "short")
    after_seq: _Seq | dict[str, _Seq] | None = None

    def maps(self) -> Iterator[tuple[MapKey, int | None]]:
        """Every plane and side asked for, with the ``seq`` the client has seen."""
        for plane in dict.fromkeys(self.planes):
            for side in dict.fromkeys(self.sides):
                seen = self.after_seq
                yield (
                    MapKey(self.scope, self.tf, plane, side),
                    (seen.get(f"{plane}/{side}") if isinstance(seen, dict) else seen),
                )


class SubscribeEvents(msgspec.Struct, tag_field="type", tag="subscribe_events", forbid_unknown_fields=True):
    """Which events a client wants; ``after_seq`` is the last one it has, None for only what happens from now on."""

    after_seq: Annotated[int, msgspec.Meta(ge=0, le=0x7FFFFFFFFFFFFFFF)] | None = None
    types: Annotated[tuple[EventType, ...], msgspec.Meta(max_length=64)] | None = None
    assets: Annotated[tuple[_Asset, ...], msgspec.Meta(max_length=64)] | None = None


_REQUESTS: Final = msgspec.json.Decoder(SubscribeRequest | SubscribeEvents)


class _Hostile(Exception):
    """The client keeps sending what cannot be read."""


@websocket("/api/v1/stream")
async def stream(socket: WebSocket[Any, Any, Any], context: NamedDependency[ApiContext]) -> None:
    """Hello, then what the client subscribes to, until it leaves or cannot keep up."""
    await socket.accept()
    if context.fanout.n_clients >= context.settings.clients_max:
        context.metrics.count_ended("full")
        await socket.close(code=_CLOSE_FULL, reason="too many clients: try again later")
        return
    outbox = context.fanout.join(context.settings.client_queue_max)
    try:
        reason, code = await _Client(socket, context, outbox).run()
    finally:
        context.fanout.leave(outbox)
    context.metrics.count_ended(reason)
    if code:
        _LOG.info("stream client dropped", reason=reason)
        await _close(socket, code, reason)


class _Client:
    """One connection: a reader, a sender, and one who fetches events that were missed; all put into one outbox."""

    def __init__(self, socket: WebSocket[Any, Any, Any], context: ApiContext, outbox: Outbox) -> None:
        self._socket = socket
        self._context = context
        self._outbox = outbox
        self._maps: set[str] = set()
        self._n_bad = 0

    async def run(self) -> tuple[str, int]:
        """Serve until something ends it; returns the reason and the close code to send (0: it left by
        itself).
        """
        parts = (self._read(), self._outbox.send_all(self._socket.send), self._read_events())
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        if self._outbox.is_slow:
            return "slow", CLOSE_SLOW
        ended = next((result for task, result in zip(tasks, results, strict=True) if task in done), None)
        if isinstance(ended, _Hostile):
            return "hostile", _CLOSE_HOSTILE
        if isinstance(ended, Exception) and not isinstance(
            ended, WebSocketDisconnect | OSError | RuntimeError
        ):
            raise ended
        return "left", 0

    async def _read(self) -> None:
        settings = self._context.settings
        self._put(
            {
                "type": "hello",
                "protocol": PROTOCOL,
                "heartbeat_s": settings.heartbeat_s,
                "backlog": f"drop slow clients after {settings.client_queue_max} frames: reconnect and refetch",
                "event_backlog": EVENT_BACKLOG,
            }
        )
        while True:
            message: Any = await self._socket.receive()
            if message["type"] != "websocket.receive":
                return
            content = message.get("text")
            try:
                if content is None or len(content) > _MESSAGE_CHARS_MAX:
                    raise RequestError("a message is JSON text of at most 4,096 characters", where="message")
                await self._obey(_REQUESTS.decode(content))
            except (msgspec.DecodeError, FaultlineError) as exc:
                await self._complain(exc)

    async def _obey(self, request: SubscribeRequest | SubscribeEvents) -> None:
        await self._outbox.room()
        if isinstance(request, SubscribeEvents):
            await self._subscribe_events(request)
        else:
            await self._subscribe(request)

    async def _complain(self, exc: msgspec.DecodeError | FaultlineError) -> None:
        self._n_bad += 1
        if self._n_bad > _BAD_MESSAGES_MAX:
            raise _Hostile
        await self._outbox.room()
        self._put(_error(exc))

    def _put(self, content: dict[str, Any]) -> None:
        self._outbox.put(as_message(msgspec.json.encode(content)))

    # ---- maps

    async def _subscribe(self, request: SubscribeRequest) -> None:
        wanted, missing = self._sorted_out(request)
        if not wanted:
            raise missing[0]
        new = {map_subject(key) for key, _ in wanted} - self._maps
        if len(self._maps) + len(new) > self._context.settings.client_maps_max:
            raise RequestError(
                "too many maps for one client", where="subscribe", hint="open another connection"
            )
        self._maps |= new
        fanout = self._context.fanout
        fanout.follow(self._outbox, candle_subject(request.scope, request.tf))
        fanout.follow(self._outbox, zones_subject(request.scope))
        for key, after_seq in wanted:
            await self._outbox.room()
            self._open(key, after_seq)
        for problem in missing:
            self._put(_error(problem))
        body = msgspec.to_builtins(self._context.status_body())
        self._put({"type": "status", **body})

    def _sorted_out(
        self, request: SubscribeRequest
    ) -> tuple[list[tuple[MapKey, int | None]], list[NotFound]]:
        """Maps that are stored, and one error for each that is not."""
        wanted, missing = [], []
        for key, after_seq in request.maps():
            try:
                self._context.store.resume(key, None)
            except NotFound as exc:
                missing.append(exc)
            else:
                wanted.append((key, after_seq))
        return wanted, missing

    def _open(self, key: MapKey, after_seq: int | None) -> None:
        # Nothing is handed out between these lines: what follows in the outbox is newer than the backlog.
        missed = self._context.fanout.follow_map(self._outbox, key, after_seq)
        self._put(
            {
                "type": "subscribed",
                "sub": missed.sub,
                "scope": key.scope,
                "tf": key.timeframe,
                "plane": key.plane,
                "side": key.side,
                "seq": missed.seq,
                "columns": missed.n_columns,
            }
        )
        if missed.frames is None:
            self._outbox.put(as_message(resync_message(missed)))
        for _, frame in missed.frames or ():
            self._outbox.put(as_message(frame))

    # ---- events

    async def _subscribe_events(self, request: SubscribeEvents) -> None:
        events = self._event_store()
        last_seq = events.last_seq
        cursor = last_seq if request.after_seq is None else min(request.after_seq, last_seq)
        wish = EventWish(cursor, request.types, request.assets)
        first = None
        if last_seq - cursor >= EVENT_BACKLOG:
            first = await self._context.in_thread(
                events.seq_from_end, cursor, EVENT_BACKLOG, wish.types, wish.assets
            )
        self._put({"type": "events_subscribed", "last_seq": last_seq})
        from_seq = max(first or 0, events.first_seq)
        if cursor + 1 < from_seq:
            self._put({"type": "event_gap", "from_seq": cursor + 1, "to_seq": from_seq - 1})
            wish.cursor = from_seq - 1
        self._outbox.wish = wish
        self._outbox.is_behind.set()

    async def _read_events(self) -> None:
        while True:
            await self._outbox.is_behind.wait()
            self._outbox.is_behind.clear()
            wish = self._outbox.wish
            while wish is not None and not wish.is_live and wish is self._outbox.wish:
                await self._read_on(wish)

    async def _read_on(self, wish: EventWish) -> None:
        """Put the next events of the log, until the rest is remembered in the fan-out and then comes as it happens."""
        await self._outbox.room()
        if self._context.fanout.catch_up(self._outbox):
            return
        events = self._event_store()
        last_seq = events.last_seq
        found = await self._context.in_thread(
            events.after, wish.cursor, _EVENTS_READ, wish.types, wish.assets
        )
        for stored in found:
            await self._outbox.room()
            if wish is not self._outbox.wish:
                return
            self._outbox.put(as_message(event_message(*stored)))
            wish.cursor = stored.seq
        if len(found) < _EVENTS_READ:
            wish.cursor = max(wish.cursor, last_seq)

    def _event_store(self) -> EventStore:
        if self._context.events is None:
            raise NotReady("there are no events here", where="events", hint="start the engine with a store")
        return self._context.events


def _error(exc: msgspec.DecodeError | FaultlineError) -> dict[str, Any]:
    if isinstance(exc, FaultlineError):
        fields = exc.as_dict()
        return {"type": "error", "detail": fields.pop("message"), **fields}
    hint = "see docs/reference/wire.md"
    return {"type": "error", "code": "request", "detail": str(exc)[:200], "where": "message", "hint": hint}


async def _close(socket: WebSocket[Any, Any, Any], code: int, reason: str) -> None:
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await socket.close(code=code, reason=reason)
    except (TimeoutError, OSError, RuntimeError, WebSocketDisconnect) as exc:
        _LOG.debug("stream client was gone before it was closed", error=type(exc).__name__)
