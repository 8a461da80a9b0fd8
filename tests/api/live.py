"""A real server in a thread, and a blocking WebSocket client small enough to misbehave on purpose."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import struct
import threading
from urllib.parse import urlsplit

from faultline.api.server import serve_async


class LiveServer:
    """``serve_async`` on a free port of this machine, in a thread of its own."""

    def __init__(self, app):
        self.address = ""
        self.error = None
        self._ready = threading.Event()
        self._app = app
        self._loop = None
        self._stop = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(20), "the server did not start"
        if self.error:
            raise self.error
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(15)
        assert not self._thread.is_alive(), "the server did not stop"

    def _run(self):
        async def main():
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            await serve_async(self._app, "127.0.0.1", 0, on_listening=self._listening, stop=self._stop)

        try:
            asyncio.run(main())
        except Exception as exc:  # noqa: BLE001 - handed to the test
            self.error = exc
        finally:
            self._ready.set()

    def _listening(self, address):
        self.address = address
        self._ready.set()


class Socket:
    """Opens a WebSocket; ``receive`` gives str, bytes, or ("close", code)."""

    def __init__(self, address, receive_buffer=None, **headers):
        target = urlsplit(address)
        self._socket = socket.socket()
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(10)
        self._socket.connect((target.hostname, target.port))
        lines = {
            "Host": target.netloc,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            **headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._socket.sendall(f"GET /api/v1/stream HTTP/1.1\r\n{head}\r\n".encode())
        self._buffer = b""
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        answer, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        self.status = int(answer.split()[1])

    def _fill(self):
        received = self._socket.recv(65_536)
        if not received:
            raise ConnectionResetError
        self._buffer += received

    def _take(self, n):
        while len(self._buffer) < n:
            self._fill()
        taken, self._buffer = self._buffer[:n], self._buffer[n:]
        return taken

    def send(self, content):
        payload = content if isinstance(content, bytes) else json.dumps(content).encode()
        length = (
            bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack(">H", len(payload))
        )
        self._socket.sendall(b"\x81" + length + bytes(4) + payload)

    def receive(self):
        first, second = self._take(2)
        length = second & 127
        if length == 126:
            (length,) = struct.unpack(">H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._take(8))
        payload = self._take(length)
        kind = first & 15
        if kind == 8:
            return "close", struct.unpack(">H", payload[:2])[0] if payload else None
        return payload.decode() if kind == 1 else payload

    def receive_json(self, kind=None):
        while True:
            message = self.receive()
            if isinstance(message, str):
                content = json.loads(message)
                if kind in {None, content["type"]}:
                    return content

    def close(self):
        self._socket.close()
