"""Bytes of a client in, requests and WebSocket frames out, and back: the two protocols of the local server.

WebSocket as RFC 6455 has it, HTTP/1.1 as far as a listing or a poll needs it. No socket here, and no sharing with the
library that the engine connects with: a fault of that library cannot be cancelled out by the same fault on this side.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import http
import zlib
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = (
    "BINARY",
    "CLOSE",
    "PING",
    "PONG",
    "TEXT",
    "BadBytes",
    "FrameReader",
    "HttpRequest",
    "RequestReader",
    "encode_answer",
    "encode_close",
    "encode_frame",
    "encode_handshake",
    "zip_frame",
)

TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

#: Longest head and body of a request, and longest message of a client: subscriptions are short.
_HEAD_BYTES_MAX: Final = 32 * 1024
_BODY_BYTES_MAX: Final = 1024 * 1024
_MESSAGE_BYTES_MAX: Final = 1024 * 1024

#: What RFC 6455 (1.3) appends to the client's key.
_ACCEPT_SUFFIX: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class BadBytes(Exception):
    """A client does not speak the protocol; its socket is closed."""


@dataclasses.dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path, unquoted."""
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        """The query; of a name that stands twice, the last value."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def wants_socket(self) -> bool:
        """Whether it asks for a WebSocket."""
        return self.headers.get("upgrade", "").lower() == "websocket"


class RequestReader:
    """Collects the bytes of one request, bounded."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, chunk: bytes) -> HttpRequest | None:
        """The request once it is whole.

        Raises:
            BadBytes: it is not HTTP/1.1, or too long.
        """
        self._bytes += chunk
        end = self._bytes.find(b"\r\n\r\n")
        if end < 0 or end > _HEAD_BYTES_MAX:
            if len(self._bytes) > _HEAD_BYTES_MAX:
                raise BadBytes(f"a head of more than {_HEAD_BYTES_MAX} bytes")
            return None
        first, *lines = self._bytes[:end].decode("latin-1").split("\r\n")
        words = first.split(" ")
        if len(words) != 3 or words[2] != "HTTP/1.1":
            raise BadBytes(f"not a request of HTTP/1.1: {first[:80]!r}")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdecimal() or int(length) > _BODY_BYTES_MAX:
            raise BadBytes("a body in chunks, or of impossible length")
        body = bytes(self._bytes[end + 4 :])
        if len(body) < int(length):
            return None
        return HttpRequest(words[0], words[1], headers, body[: int(length)])


class FrameReader:
    """Takes a client's bytes and gives its messages, unmasked; fragments are joined."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._parts: list[bytes] = []
        self._opcode = TEXT

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes]]:
        """Whole messages as (opcode, payload).

        Raises:
            BadBytes: a frame is not masked, has reserved bits, or is too long.
        """
        self._bytes += chunk
        while (frame := self._next()) is not None:
            is_last, opcode, payload = frame
            if opcode >= CLOSE:
                yield opcode, payload
                continue
            if opcode:
                self._opcode, self._parts = opcode, []
            self._parts.append(payload)
            if sum(map(len, self._parts)) > _MESSAGE_BYTES_MAX:
                raise BadBytes(f"a message of more than {_MESSAGE_BYTES_MAX} bytes")
            if is_last:
                message, self._parts = b"".join(self._parts), []
                yield self._opcode, message

    def _next(self) -> tuple[bool, int, bytes] | None:
        head = self._bytes
        if len(head) < 2:
            return None
        if head[0] & 0x70 or not head[1] & 0x80:
            raise BadBytes("a frame with reserved bits, or without a mask")
        n_bytes, at = head[1] & 0x7F, 2
        if n_bytes >= 126:
            width = 2 if n_bytes == 126 else 8
            if len(head) < 2 + width:
                return None
            n_bytes, at = int.from_bytes(head[2 : 2 + width], "big"), 2 + width
        if n_bytes > _MESSAGE_BYTES_MAX:
            raise BadBytes(f"a frame of {n_bytes} bytes")
        end = at + 4 + n_bytes
        if len(head) < end:
            return None
        mask, masked = bytes(head[at : at + 4]), bytes(head[at + 4 : end])
        stream = (mask * (n_bytes // 4 + 1))[:n_bytes]
        payload = (int.from_bytes(masked, "big") ^ int.from_bytes(stream, "big")).to_bytes(n_bytes, "big")
        is_last, opcode = bool(head[0] & 0x80), head[0] & 0x0F
        del self._bytes[:end]
        return is_last, opcode, payload


def encode_frame(opcode: int, payload: bytes) -> bytes:
    """One frame of the server: whole, unmasked."""
    n_bytes = len(payload)
    if n_bytes < 126:
        return bytes((0x80 | opcode, n_bytes)) + payload
    if n_bytes < 1 << 16:
        return bytes((0x80 | opcode, 126)) + n_bytes.to_bytes(2, "big") + payload
    return bytes((0x80 | opcode, 127)) + n_bytes.to_bytes(8, "big") + payload


def encode_close(code: int) -> bytes:
    """A close frame with a code."""
    return encode_frame(CLOSE, code.to_bytes(2, "big"))


def encode_handshake(request: HttpRequest) -> bytes:
    """The answer that opens a WebSocket.

    Raises:
        BadBytes: the request has no key.
    """
    key = request.headers.get("sec-websocket-key", "")
    if not key:
        raise BadBytes("a request for a WebSocket without a key")
    digest = hashlib.sha1(key.encode() + _ACCEPT_SUFFIX, usedforsecurity=False).digest()
    lines = (
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}",
    )
    return "\r\n".join((*lines, "", "")).encode()


def encode_answer(status: int, body: bytes, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """The answer to a REST request; the connection closes after it."""
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join((*lines, "", "")).encode("latin-1") + body


def zip_frame(payload: bytes, zips: str) -> bytes:
    """A payload compressed as a venue does: ``none``, ``gzip`` or ``deflate`` (raw, no header)."""
    if zips == "none":
        return payload
    packer = zlib.compressobj(level=1, wbits=31 if zips == "gzip" else -15)
    return packer.compress(payload) + packer.flush()
