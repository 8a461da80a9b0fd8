from __future__ import annotations

import asyncio
import dataclasses
import json
import threading
import time

import httpx
import numpy as np
from picows import WSListener, WSMsgType, ws_connect
from tests.api.event_bodies import event
from tests.api.live import LiveServer, Socket

from faultline.api.app import build_app
from faultline.api.settings import ApiSettings
from faultline.store.events import EventStore
from faultline.testing.market import fake_market, fill_store

N_FAST, N_SLOW, N_EVENTS = 54, 6, 40


class Reader(WSListener):
    """Notes the number and the moment of every event."""

    def __init__(self):
        self.got = []
        self.following = False

    def on_ws_frame(self, transport, frame):
        if frame.msg_type == WSMsgType.TEXT:
            content = json.loads(frame.get_payload_as_bytes())
            self.following |= content["type"] == "events_subscribed"
            if content["type"] == "event":
                self.got.append((content["seq"], content["event"]["id"], time.monotonic()))


async def until(is_met, timeout_s=30):
    end_s = time.monotonic() + timeout_s
    while not is_met():
        assert time.monotonic() < end_s
        await asyncio.sleep(0.02)


def test_a_tenth_that_stops_reading_is_dropped_and_the_rest_gets_every_event_soon(store, tmp_path):
    events = EventStore(tmp_path / "facts.db")
    wide = fake_market(seed=3, n_columns=4, n_rows=6_000)
    fill_store(store, wide, scope="WIDE", n_columns=2)
    columns = wide.columns("WIDE", "synthetic", "long", 1, 2, 1)
    rng = np.random.default_rng(0)
    given_s, dropped = {}, threading.Event()

    def flood():
        while not dropped.wait(0.001):
            usd = rng.lognormal(12, 1, columns.usd.shape).astype(np.float32)
            store.write_columns(dataclasses.replace(columns, usd=usd, n_closed=0))

    async def scene(address):
        readers, transports = [Reader() for _ in range(N_FAST)], []
        for reader in readers:
            transport, _ = await ws_connect(lambda reader=reader: reader, f"ws://{address}/api/v1/stream")
            transport.send(WSMsgType.TEXT, b'{"type": "subscribe_events"}')
            transports.append(transport)
        await until(lambda: all(reader.following for reader in readers))
        flooding = threading.Thread(target=flood)
        flooding.start()
        try:
            for n in range(N_EVENTS):
                given_s[n] = time.monotonic()
                await asyncio.to_thread(events.append, [event(n)])
                await asyncio.sleep(0.02)
            await until(lambda: all(len(reader.got) == N_EVENTS for reader in readers))
            text = ""
            end_s = time.monotonic() + 60
            async with httpx.AsyncClient(base_url=f"http://{address}") as http:
                while f'ended_total{{reason="slow"}} {N_SLOW}.0' not in text:
                    assert time.monotonic() < end_s, text
                    await asyncio.sleep(0.1)
                    text = (await http.get("/metrics")).text
        finally:
            dropped.set()
            flooding.join()
        for transport in transports:
            transport.disconnect()
        await asyncio.gather(*(transport.wait_disconnected() for transport in transports))
        return readers

    app = build_app(store, None, ApiSettings(send_timeout_s=1.0, client_queue_max=400), events=events)
    with LiveServer(app) as server:
        slow = [Socket(server.address, receive_buffer=4_096) for _ in range(N_SLOW)]
        for socket in slow:
            socket.send({"type": "subscribe", "scope": "WIDE", "tf": "5m", "planes": ["synthetic"]})
        readers = asyncio.run(scene(server.address.removeprefix("http://")))
        for socket in slow:
            socket.close()
    events.close()
    late_ms = [(at_s - given_s[seq - 1]) * 1e3 for reader in readers for seq, _, at_s in reader.got]
    wanted = [(n + 1, event(n).id) for n in range(N_EVENTS)]
    assert all([(seq, name) for seq, name, _ in reader.got] == wanted for reader in readers)
    assert np.quantile(late_ms, 0.5) < 500, np.quantile(late_ms, [0.5, 0.99, 1])
