from __future__ import annotations

import dataclasses
import json
import struct
import threading
import time

import httpx
import numpy as np
import pytest
from litestar.exceptions import WebSocketDisconnect
from tests.api.live import LiveServer, Socket

from faultline.api.app import build_app
from faultline.api.settings import ApiSettings
from faultline.api.stream import CLOSE_SLOW
from faultline.errors import ConfigError
from faultline.store.lhm1 import decode_frame, decode_snapshot
from faultline.store.maps import MapStore
from faultline.testing.market import fake_market, fill_store

SUBSCRIBE = {"type": "subscribe", "scope": "BTC", "tf": "5m", "planes": ["synthetic"]}


def advance(store, market, start, stop):
    for end in range(start + 1, stop + 1):
        for side in ("long", "short"):
            store.write_columns(market.columns("BTC", "synthetic", side, end - 2, end, end - 1))
        store.write_candles(market.candles("BTC", end - 2, end, end - 1))


def greeted(client, request=SUBSCRIBE, n_maps=2):
    """An open stream, after hello, and the answers to a subscription."""
    socket = client.websocket_connect("/api/v1/stream").__enter__()
    hello = socket.receive_json()
    socket.send_json(request)
    answers = [socket.receive_json() for _ in range(n_maps)]
    assert [answer["type"] for answer in answers] == ["subscribed"] * n_maps
    return socket, hello, answers


def frames_until_quiet(socket, n):
    frames = []
    while len(frames) < n:
        message = socket.receive()
        if message.get("bytes"):
            frames.append(decode_frame(message["bytes"]))
    return frames


def apply(columns, frame):
    if frame.col == len(columns):
        columns.append(columns[-1].copy())
    columns[frame.col][frame.rows] = frame.codes


def test_hello_states_protocol_heartbeat_and_backlog_policy(client):
    socket, hello, answers = greeted(client)
    assert (hello["type"], hello["protocol"], hello["heartbeat_s"]) == ("hello", 1, 15.0)
    assert "1024 frames" in hello["backlog"]
    assert [(a["plane"], a["side"], a["columns"]) for a in answers] == [
        ("synthetic", "long", 300),
        ("synthetic", "short", 300),
    ]
    assert socket.receive_json()["type"] == "status"
    socket.close()


def test_frames_turn_the_snapshot_into_the_present_map(client, store, market):
    socket, _, answers = greeted(client)
    subs = {answer["sub"]: answer["side"] for answer in answers}
    snapshots = {side: decode_snapshot(_bytes(client, side)) for side in ("long", "short")}
    columns = {side: [column.copy() for column in snapshot.codes] for side, snapshot in snapshots.items()}
    before = {side: snapshot.seq for side, snapshot in snapshots.items()}
    advance(store, market, 300, 330)
    n_frames = sum(store.seq("BTC", "5m", "synthetic", side) - before[side] for side in before)
    for frame in frames_until_quiet(socket, n_frames):
        side = subs[frame.sub]
        assert frame.side == side
        assert frame.seq == before[side] + 1
        before[side] = frame.seq
        apply(columns[side], frame)
    for side, rows in columns.items():
        assert np.array_equal(np.array(rows), store.snapshot("BTC", "5m", "synthetic", side).codes)
    socket.close()


def _bytes(client, side):
    return client.get(
        f"/api/v1/heat/BTC/5m/synthetic.bin?side={side}", headers={"accept-encoding": "identity"}
    ).content


@pytest.mark.parametrize("per_map", [False, True])
def test_a_client_that_comes_back_gets_exactly_what_it_missed(client, store, market, per_map):
    socket, _, answers = greeted(client)
    socket.close()
    seen = {answer["side"]: answer["seq"] for answer in answers}
    columns = {side: list(store.snapshot("BTC", "5m", "synthetic", side).codes.copy()) for side in seen}
    advance(store, market, 300, 310)
    after = {f"synthetic/{side}": seq for side, seq in seen.items()} if per_map else seen["long"]
    request = {**SUBSCRIBE, "sides": ["long"], "after_seq": after}
    socket, _, (answer,) = greeted(client, request, n_maps=1)
    for frame in frames_until_quiet(socket, answer["seq"] - seen["long"]):
        apply(columns["long"], frame)
    assert np.array_equal(np.array(columns["long"]), store.snapshot("BTC", "5m", "synthetic", "long").codes)
    socket.close()


@pytest.mark.parametrize("after_seq", [0, 4_294_967_295])
def test_a_position_that_is_too_old_or_from_another_run_is_told_to_fetch_again(client, after_seq):
    socket = client.websocket_connect("/api/v1/stream").__enter__()
    socket.receive_json()
    socket.send_json({**SUBSCRIBE, "sides": ["short"], "after_seq": after_seq})
    assert socket.receive_json()["type"] == "subscribed"
    assert socket.receive_json()["type"] == "resync"
    socket.close()


def test_a_jump_of_a_replay_tells_every_client_to_fetch_again(client, store):
    socket, _, answers = greeted(client)
    store.clear("BTC")
    resyncs = set()
    while len(resyncs) < 2:
        message = socket.receive_json()
        if message["type"] == "resync":
            resyncs.add(message["sub"])
    assert resyncs == {answer["sub"] for answer in answers}
    socket.close()


def test_candles_and_status_come_with_every_subscription(client, store, market):
    socket, _, _ = greeted(client)
    store.write_candles(market.candles("BTC", 299, 301, 300))
    store.write_status({"mode": "simulated", "state": "ready", "simulated": True, "as_of_ns": 77})
    got = {}
    while len(got) < 3:
        message = socket.receive()
        if message.get("text"):
            content = json.loads(message["text"])
            if content["type"] == "candle":
                got[content["index"]] = content
            if content["type"] == "status" and content["as_of_ns"] == 77:
                got["status"] = content
    assert got["status"]["simulated"] is True
    assert got[299]["closed"] is True
    assert got[300]["closed"] is False
    assert got[300]["c"] == market.ohlc_usd[300, 3]
    assert got[300]["t_ms"] == int(market.t_ns[300]) // 1_000_000
    socket.close()


def test_a_burst_of_status_is_thinned_to_the_newest(open_client, store):
    client = open_client(status_interval_s=0.05)
    socket, _, _ = greeted(client)
    assert socket.receive_json()["type"] == "status"
    for as_of in range(1_000):
        store.write_status({"mode": "replay", "state": "ready", "as_of_ns": as_of})
    received = [socket.receive_json()["as_of_ns"]]
    while received[-1] != 999:
        received.append(socket.receive_json()["as_of_ns"])
    assert len(received) < 20
    socket.close()


def test_a_plane_that_is_not_there_does_not_cost_the_others(client):
    socket, _, _ = greeted(client, {**SUBSCRIBE, "planes": ["walls", "real"]})
    errors = [socket.receive_json() for _ in range(2)]
    assert [error["type"] for error in errors] == ["error"] * 2
    assert errors[0]["code"] == "not_found"
    socket.close()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('{"type": "subscribe", "scope": "BTX", "tf": "5m", "planes": ["real"]}', "did you mean BTC?"),
        ('{"type": "subscribe", "scope": "BTC", "tf": "9m", "planes": ["real"]}', "5m"),
        ('{"type": "subscribe", "scope": "BTC", "tf": "5m", "planes": ["heat"]}', "wire.md"),
        ('{"type": "subscribe", "scope": "BTC", "tf": "5m", "planes": []}', "wire.md"),
        ('{"type": "subscribe", "scope": "BTC", "tf": "5m", "planes": ["real"], "extra": 1}', "wire.md"),
        ('{"type": "subscribe", "scope": "BTC", "tf": "5m", "planes": ["real"], "after_seq": -1}', "wire.md"),
        ('{"type": "shout"}', "wire.md"),
        ("[1, 2]", "wire.md"),
        ("not json", "wire.md"),
        ("NaN", "wire.md"),
        ("x" * 5_000, ""),
    ],
)
def test_a_message_that_cannot_be_obeyed_gets_an_error_and_the_stream_goes_on(client, message, expected):
    socket = client.websocket_connect("/api/v1/stream").__enter__()
    socket.receive_json()
    socket.send_text(message)
    error = socket.receive_json()
    assert error["type"] == "error"
    assert expected in error["hint"]
    assert error["detail"]
    socket.send_json(SUBSCRIBE)
    assert socket.receive_json()["type"] == "subscribed"
    socket.close()


def test_a_client_that_keeps_talking_nonsense_is_put_out(client):
    socket = client.websocket_connect("/api/v1/stream").__enter__()
    socket.receive_json()
    with pytest.raises(WebSocketDisconnect) as caught:
        for _ in range(20):
            socket.send_bytes(b"\x00\x01")
            socket.receive_json()
    assert caught.value.code == 4009


def test_one_client_cannot_subscribe_to_everything(open_client):
    client = open_client(client_maps_max=3)
    socket, _, _ = greeted(client)
    socket.receive_json()
    socket.send_json({**SUBSCRIBE, "planes": ["real"]})
    assert "too many maps" in socket.receive_json()["detail"]
    socket.close()


def test_a_ping_comes_with_every_heartbeat(open_client, store):
    client = open_client(heartbeat_s=0.05)
    socket = client.websocket_connect("/api/v1/stream").__enter__()
    assert socket.receive_json()["heartbeat_s"] == 0.05
    for _ in range(3):
        assert socket.receive_json() == {"type": "ping", "t_ms": store.status.as_of_ns // 1_000_000}
    socket.close()


# ---- on a real server


@pytest.fixture
def live(store):
    settings = ApiSettings(client_queue_max=200, clients_max=4, send_timeout_s=2.0)
    with LiveServer(build_app(store, None, settings)) as server:
        yield server


def opened(server, request=SUBSCRIBE, **options):
    socket = Socket(server.address, **options)
    assert socket.status == 101
    assert socket.receive_json()["type"] == "hello"
    socket.send(request)
    for _ in range(2 * len(request["planes"])):
        assert socket.receive_json()["type"] == "subscribed"
    return socket


def test_maps_and_streams_work_over_a_real_socket(live, store, market):
    with httpx.Client(base_url=live.address) as http:
        snapshot = decode_snapshot(
            http.get(
                "/api/v1/heat/BTC/5m/synthetic.bin?side=long", headers={"accept-encoding": "identity"}
            ).content
        )
        assert np.array_equal(snapshot.codes, store.snapshot("BTC", "5m", "synthetic", "long").codes)
    socket = opened(live)
    advance(store, market, 300, 305)
    got = 0
    while got < 10:
        got += isinstance(socket.receive(), bytes)
    socket.close()


def test_a_slow_client_is_dropped_and_everybody_else_gets_everything(live, store):
    wide = fake_market(seed=3, n_columns=4, n_rows=6_000)
    fill_store(store, wide, scope="WIDE", n_columns=2)
    rng = np.random.default_rng(0)
    columns = wide.columns("WIDE", "synthetic", "long", 1, 2, 1)
    noisy = rng.lognormal(12, 1, columns.usd.shape).astype(np.float32) * 8
    store.write_columns(dataclasses.replace(columns, usd=noisy, n_closed=0))
    request = {**SUBSCRIBE, "scope": "WIDE"}
    slow = opened(live, request, receive_buffer=4_096)
    good = opened(live, request)
    seqs, done = [], threading.Event()

    def read():
        while not done.is_set() or seqs[-1] < store.seq("WIDE", "5m", "synthetic", "long"):
            message = good.receive()
            if isinstance(message, bytes) and message[1] >> 4 == 1:
                seqs.append(struct.unpack_from("<I", message, 4)[0])

    first = store.seq("WIDE", "5m", "synthetic", "long")
    reader = threading.Thread(target=read)
    reader.start()
    deadline = time.monotonic() + 20
    while (
        httpx.get(f"{live.address}/metrics").text.find('faultline_stream_ended_total{reason="slow"} 1.0') < 0
    ):
        assert time.monotonic() < deadline, "the slow client was never dropped"
        for _ in range(20):
            noisy[...] = rng.lognormal(12, 1, columns.usd.shape)
            store.write_columns(dataclasses.replace(columns, usd=noisy, n_closed=0))
            time.sleep(0.001)
    done.set()
    store.write_columns(dataclasses.replace(columns, usd=noisy * 3, n_closed=0))
    reader.join(10)
    assert seqs == list(range(first + 1, store.seq("WIDE", "5m", "synthetic", "long") + 1))
    with pytest.raises((ConnectionError, AssertionError, TimeoutError)):
        for _ in range(100_000):
            message = slow.receive()
            assert message != ("close", CLOSE_SLOW)
    good.close()
    slow.close()


def test_too_many_clients_are_turned_away_and_the_others_stay(live):
    sockets = [opened(live) for _ in range(4)]
    extra = Socket(live.address)
    assert extra.receive() == ("close", 4013)
    extra.close()
    sockets[0].close()
    deadline = time.monotonic() + 10
    while "faultline_stream_clients 3.0" not in httpx.get(f"{live.address}/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    opened(live).close()
    for socket in sockets[1:]:
        socket.close()


def test_another_origin_cannot_open_a_stream_on_a_real_socket(live):
    for headers, status in [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": live.address}, 101),
        ({"Host": "evil.example"}, 403),
    ]:
        socket = Socket(live.address, **headers)
        socket.close()
        assert socket.status == status


def test_hooks_run_when_the_server_starts_and_stops(store):
    calls = []
    app = build_app(
        store,
        None,
        ApiSettings(),
        on_startup=[lambda: calls.append("start")],
        on_shutdown=[lambda: calls.append("stop")],
    )
    with LiveServer(app) as server:
        assert calls == ["start"]
        assert httpx.get(f"{server.address}/livez").status_code == 200
        socket = opened(server)
    assert calls == ["start", "stop"]
    with pytest.raises((ConnectionError, TimeoutError)):
        while socket.receive()[0] != "close":
            pass
        raise ConnectionResetError
    socket.close()


def test_a_port_that_is_taken_is_an_error_with_its_number(store):
    with LiveServer(build_app(store, None, ApiSettings())) as server:
        port = int(server.address.rpartition(":")[2])
        from faultline.api.server import serve

        with pytest.raises(ConfigError, match=str(port)) as caught:
            serve(build_app(MapStore(), None, ApiSettings()), "127.0.0.1", port)
        assert caught.value.where == "api.port"
