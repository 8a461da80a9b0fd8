"""A client that shows what is really on the wire: asyncio streams and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import os
from urllib.parse import urlsplit

#: What is not there after so long does not come.
PATIENCE_S = 1.0


class RawClient:
    """Reads WebSocket frames as (opcode, payload); ``closed`` tells how the connection ended."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.pongs = True
        self.closed = None

    async def frame(self):
        """The next frame that is not a ping; None where the connection ended instead."""
        while True:
            try:
                head = await self.reader.readexactly(2)
                n = head[1] & 0x7F
                if n >= 126:
                    n = int.from_bytes(await self.reader.readexactly(2 if n == 126 else 8), "big")
                payload = await self.reader.readexactly(n)
            except asyncio.IncompleteReadError as exc:
                self.closed = f"after {len(exc.partial)} bytes of a part"
                return None
            except ConnectionError as exc:
                self.closed = type(exc).__name__
                return None
            opcode = head[0] & 0x0F
            if opcode != 0x9:
                return opcode, payload
            if self.pongs:
                self.send(payload, opcode=0xA)

    async def frames(self, quiet_s=0.15):
        """Frames until nothing came for a while, or the connection ended."""
        out = []
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(quiet_s):
                    frame = await self.frame()
                if frame is None:
                    break
                out.append(frame)
        return out

    async def told(self, server):
        """Frames that a server has sent so far, all of them; where it cut the connection, until its end."""
        out = []

        async def collect():
            while (frame := await self.frame()) is not None:
                out.append(frame)

        reading = asyncio.create_task(collect())
        assert await server.settle()
        if not server.clients():
            await asyncio.wait_for(reading, PATIENCE_S)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        return out

    def send(self, payload, opcode=0x1, *, mask=True):
        key = os.urandom(4) if mask else b""
        body = bytes(byte ^ key[i % 4] for i, byte in enumerate(payload)) if mask else payload
        bit = 0x80 if mask else 0
        size = (
            bytes([bit | len(payload)])
            if len(payload) < 126
            else bytes([bit | 126]) + len(payload).to_bytes(2, "big")
        )
        self.writer.write(bytes([0x80 | opcode]) + size + key + body)

    async def close(self):
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def exchange(url, request, *, patience_s=PATIENCE_S, ssl=None):
    """Bytes that come back until the end of the connection."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, ssl=ssl)
    try:
        writer.write(request)
        async with asyncio.timeout(patience_s):
            return await reader.read()
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def get(url, *, patience_s=PATIENCE_S, method="GET", body=b"", ssl=None):
    """Status, headers and body of an answer; a body shorter than announced is given as it is."""
    address = urlsplit(url)
    target = (address.path or "/") + (f"?{address.query}" if address.query else "")
    head = f"{method} {target} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = await exchange(url, head.encode() + body, patience_s=patience_s, ssl=ssl)
    top, _, rest = answer.partition(b"\r\n\r\n")
    first, *lines = top.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split(" ")[1]), headers, rest


@contextlib.asynccontextmanager
async def connected(url, ssl=None):
    """A WebSocket after its handshake."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, ssl=ssl)
    client = RawClient(reader, writer)
    target = address.path + (f"?{address.query}" if address.query else "")
    try:
        writer.write(
            f"GET {target} HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        async with asyncio.timeout(PATIENCE_S):
            answer = await reader.readuntil(b"\r\n\r\n")
        client.answer = answer.decode()
        yield client
    finally:
        await client.close()
