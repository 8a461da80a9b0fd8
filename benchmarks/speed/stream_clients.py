"""Clients of ``bench_stream.py`` in a process of their own: fast ones that read everything, slow ones that stop.

Arguments: address, path, fast clients, slow clients, first message as JSON for either. Commands on stdin: ``count``
answers with what arrived, ``save FILE`` writes the latencies of events in milliseconds, ``end`` ends.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import sys
import time

import numpy as np
import uvloop
from picows import WSListener, WSMsgType, ws_connect

EVENT = b'{"type":"event","seq":'
FOLLOWING = b'{"type":"events_subscribed"'
STAMP = b'"silent_s":'


class Tally:
    """What all fast clients got."""

    def __init__(self) -> None:
        self.following = 0
        self.messages = self.frames = self.events = self.wrong = self.closed = 0
        self.latencies_ms: list[float] = []


class Reader(WSListener):
    """One fast client: counts, and notes when events arrive and whether any is missing."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.seq = 0

    def on_ws_frame(self, _, frame) -> None:
        tally = self.tally
        tally.messages += 1
        if frame.msg_type == WSMsgType.BINARY:
            tally.frames += 1
            return
        content = frame.get_payload_as_memoryview()
        if bytes(content[: len(EVENT)]) != EVENT:
            tally.following += bytes(content[: len(FOLLOWING)]) == FOLLOWING
            return
        now_s = time.monotonic()
        text = bytes(content)
        tally.events += 1
        seq = int(text[len(EVENT) : text.index(b",", len(EVENT))])
        tally.wrong += self.seq not in {0, seq - 1}
        self.seq = seq
        start = text.index(STAMP) + len(STAMP)
        tally.latencies_ms.append((now_s - float(text[start : text.index(b"}", start)])) * 1e3)

    def on_ws_disconnected(self, _) -> None:
        self.tally.closed += 1


def slow_client(host: str, port: int, path: str, first: str) -> socket.socket:
    """A client that subscribes and then never reads again."""
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    slow.connect((host, port))
    key = base64.b64encode(os.urandom(16)).decode()
    head = (
        f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    )
    slow.sendall(head.encode())
    slow.recv(1_024)
    payload = first.encode()
    length = (
        bytes([0x80 | len(payload)])
        if len(payload) < 126
        else bytes([0xFE]) + len(payload).to_bytes(2, "big")
    )
    slow.sendall(b"\x81" + length + bytes(4) + payload)
    return slow


async def main() -> None:
    host, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    n_fast, n_slow = int(sys.argv[4]), int(sys.argv[5])
    first_fast, first_slow = json.loads(sys.argv[6]), sys.argv[7]
    tally = Tally()
    transports = []
    for _ in range(n_fast):
        transport, _ = await ws_connect(lambda: Reader(tally), f"ws://{host}:{port}{path}")
        for message in first_fast:
            transport.send(WSMsgType.TEXT, json.dumps(message).encode())
        transports.append(transport)
    while first_fast and tally.following < n_fast:  # noqa: ASYNC110 - counted in callbacks
        await asyncio.sleep(0.05)
    slow = [slow_client(host, port, path, first_slow) for _ in range(n_slow)]
    print(json.dumps({"ready": n_fast + len(slow)}), flush=True)
    loop = asyncio.get_running_loop()
    while True:
        command, _, rest = (await loop.run_in_executor(None, sys.stdin.readline)).strip().partition(" ")
        if command == "save":
            np.save(rest, np.array(tally.latencies_ms))
            tally.latencies_ms.clear()
        if command in {"", "end"}:
            break
        names = ("messages", "frames", "events", "wrong", "closed")
        print(json.dumps({name: getattr(tally, name) for name in names}), flush=True)
    for client in slow:
        client.close()


if __name__ == "__main__":
    uvloop.run(main())
