"""Subscriptions of one WebSocket client in, column frames and JSON messages out, never more than a bounded
queue.

A client that cannot keep up is dropped, everybody else gets everything: it connects again and fetches
snapshots. What it missed for a short time it can ask for with ``after_seq``.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
import structlog
from litestar import WebSocket, websocket
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketDisconnect

from faultline.api.context import ApiContext
from faultline.api.hub import STATUS_SUBJECT, candle_subject, map_subject
from faultline.bus.interface import Message, OverflowPolicy, Subscription
from faultline.errors import FaultlineError, NotFound, RequestError
from faultline.store.columns import MapKey
from faultline.store.lhm1 import PLANES

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("CLOSE_SLOW", "PROTOCOL", "SubscribeRequest", "stream")

#: Version of the stream's protocol.
PROTOCOL: Final = 1
#: Close code for a client that does not read fast enough.
CLOSE_SLOW: Final = 4008
#: Close code where there are too many clients.
_CLOSE_FULL: Final = 4013
#: Close code for a client that keeps sending what cannot be read.
_CLOSE_HOSTILE: Final = 4009

_MESSAGE_CHARS_MAX: Final = 4_096
_BAD_MESSAGES_MAX: Final = 8
_CLOSE_TIMEOUT_S: Final = 2.0
_FRAME_TYPE: Final = 1
_SEQ: Final = struct.Struct("<I")
_SEQ_OFFSET: Final = 4
_LOG: Final = structlog.get_logger("faultline.api.stream")

_Plane = Literal["real", "synthetic", "smooth", "walls"]
_Side = Literal["long", "short"]
_Seq = Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]


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


class _Slow(Exception):
    """The client does not read fast enough."""


class _Hostile(Exception):
    """The client keeps sending what cannot be read."""


@websocket("/api/v1/stream")
async def stream(socket: WebSocket[Any, Any, Any], context: NamedDependency[ApiContext]) -> None:
    """Hello, then what the client subscribes to, until it leaves or cannot keep up."""
    await socket.accept()
    if context.hub.n_clients >= context.settings.clients_max:
        context.metrics.count_ended("full")
        await socket.close(code=_CLOSE_FULL, reason="too many clients: try again later")
        return
    queue = context.hub.bus.subscribe(
        [STATUS_SUBJECT], limit=context.settings.client_queue_max, policy=OverflowPolicy.CLOSE
    )
    client = _Client(socket, context, queue)
    context.hub.n_clients += 1
    try:
        reason, code = await client.run()
    finally:
        context.hub.n_clients -= 1
        queue.close()
    context.metrics.count_ended(reason)
    if code:
        _LOG.info("stream client dropped", reason=reason)
        await _close(socket, code, reason)


class _Client:
    """One connection: a reader, a writer and a heartbeat that share one send lock."""

    def __init__(self, socket: WebSocket[Any, Any, Any], context: ApiContext, queue: Subscription) -> None:
        self._socket = socket
        self._context = context
        self._queue = queue
        self._lock = asyncio.Lock()
        self._seen: dict[str, int] = {}
        self._n_bad = 0

    async def run(self) -> tuple[str, int]:
        """Serve until something ends it; returns the reason and the close code to send (0: it left by
        itself).
        """
        tasks = [asyncio.create_task(part) for part in (self._read(), self._write(), self._beat())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        ended = next((result for task, result in zip(tasks, results, strict=True) if task in done), None)
        if isinstance(ended, _Slow):
            return "slow", CLOSE_SLOW
        if isinstance(ended, _Hostile):
            return "hostile", _CLOSE_HOSTILE
        if isinstance(ended, Exception) and not isinstance(
            ended, WebSocketDisconnect | OSError | RuntimeError
        ):
            raise ended
        return "left", 0

    async def _read(self) -> None:
        settings = self._context.settings
        await self._send_json(
            {
                "type": "hello",
                "protocol": PROTOCOL,
                "heartbeat_s": settings.heartbeat_s,
                "backlog": f"drop slow clients after {settings.client_queue_max} frames: reconnect and refetch",
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
                await self._subscribe(msgspec.json.decode(content, type=SubscribeRequest))
            except (msgspec.DecodeError, FaultlineError) as exc:
                await self._complain(exc)

    async def _subscribe(self, request: SubscribeRequest) -> None:
        wanted, missing = self._sorted_out(request)
        if not wanted:
            raise missing[0]
        new = [key for key, _ in wanted if map_subject(key) not in self._seen]
        if len(self._seen) + len(new) > self._context.settings.client_maps_max:
            raise RequestError(
                "too many maps for one client", where="subscribe", hint="open another connection"
            )
        self._queue.extend(candle_subject(request.scope, request.tf))
        for key, after_seq in wanted:
            async with self._lock:
                await self._open_locked(key, after_seq)
        for problem in missing:
            await self._send_json(_error(problem))
        body = msgspec.to_builtins(self._context.status_body())
        await self._send_json({"type": "status", **body})

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

    async def _open_locked(self, key: MapKey, after_seq: int | None) -> None:
        # The queue is filled from here on; nothing of this map is sent before its backlog.
        self._queue.extend(map_subject(key))
        missed = self._context.store.resume(key, after_seq)
        self._seen[map_subject(key)] = missed.seq
        await self._send_locked(
            msgspec.json.encode(
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
        )
        if missed.frames is None:
            note = {"type": "resync", "sub": missed.sub, "seq": missed.seq}
            await self._send_locked(msgspec.json.encode(note))
        for _, frame in missed.frames or ():
            await self._send_locked(frame)

    async def _complain(self, exc: msgspec.DecodeError | FaultlineError) -> None:
        self._n_bad += 1
        if self._n_bad > _BAD_MESSAGES_MAX:
            raise _Hostile
        await self._send_json(_error(exc))

    async def _write(self) -> None:
        while True:
            message = await self._queue.receive()
            if message is None:
                if self._queue.overflowed:
                    raise _Slow
                return
            async with self._lock:
                if self._is_news(message):
                    await self._send_locked(message.payload)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._context.settings.heartbeat_s)
            await self._send_json({"type": "ping", "t_ms": self._context.store.status.as_of_ns // 1_000_000})

    def _is_news(self, message: Message) -> bool:
        """Whether a message of a map is newer than what the client got with its subscription."""
        seen = self._seen.get(message.subject)
        if seen is None:
            return True
        if message.payload[0] == _FRAME_TYPE:
            seq = int(_SEQ.unpack_from(message.payload, _SEQ_OFFSET)[0])
        else:
            seq = int(msgspec.json.decode(message.payload)["seq"])
        if seq <= seen:
            return False
        self._seen[message.subject] = seq
        return True

    async def _send_json(self, content: dict[str, Any]) -> None:
        async with self._lock:
            await self._send_locked(msgspec.json.encode(content))

    async def _send_locked(self, payload: bytes) -> None:
        is_frame = payload[0] == _FRAME_TYPE
        event: Any = {"type": "websocket.send", "bytes": payload if is_frame else None}
        if not is_frame:
            event = {"type": "websocket.send", "text": payload.decode()}
        try:
            async with asyncio.timeout(self._context.settings.send_timeout_s):
                await self._socket.send(event)
        except TimeoutError as exc:
            raise _Slow from exc
        self._context.metrics.count_sent(len(payload))


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
