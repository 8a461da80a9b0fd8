"""Every fault shows on a raw client, is counted, and can be switched on and off while the server runs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import zlib

import numpy as np
import pytest
from tests.testing.raw_client import connected, get

from faultline.clock import ManualClock
from faultline.errors import ConfigError
from faultline.testing.faults import Fate, Faults, corrupt, spoil
from faultline.testing.link import Cut
from faultline.testing.server import VenueServer
from faultline.testing.venues import script_of

TOPIC = "publicTrade.BTCUSDT"


def seqs(frames):
    return [json.loads(payload)["data"][0]["seq"] for _, payload in frames]


@pytest.fixture
def played(subscribed, trade):
    """Publish trades 0 to n - 1 with faults on; frames that came, how the connection ended, and the server."""

    def play(n=20, seed=3, zips="none", **switches):
        async def run():
            faults, script = Faults(), script_of("bybit")
            script.zips = zips
            server = VenueServer(
                script, faults=faults, seed=seed, clock=ManualClock(1_750_000_000_000_000_000)
            )
            async with server, subscribed(server) as client:
                for name, value in switches.items():
                    setattr(faults, name, value)
                await server.publish(*(trade(seq) for seq in range(n)))
                frames = await client.told(server)
                return frames, client.closed, server

        return asyncio.run(run())

    return play


def test_dropped_frames_do_not_come(played):
    frames, _, server = played(drop_prob=0.5)
    assert 0 < len(frames) == server.counts["sent"] < 20
    assert server.counts["dropped"] == 20 - len(frames)
    assert seqs(frames) == sorted(seqs(frames))


def test_duplicated_frames_come_twice(played):
    frames, _, server = played(duplicate_prob=0.5)
    assert len(frames) == 20 + server.counts["duplicated"] > 20
    assert seqs(frames) == sorted(seqs(frames))


def test_reordered_frames_come_late_but_come(played):
    frames, _, server = played(reorder_prob=0.4)
    assert sorted(seqs(frames)) == list(range(20))
    assert seqs(frames) != list(range(20))
    assert server.counts["reordered"] > 0


def test_the_last_frame_is_not_held_back_for_ever(subscribed, trade):
    async def run():
        async with VenueServer(script_of("bybit")) as server, subscribed(server) as client:
            server.faults.reorder_prob = 1.0
            await server.publish(trade(1))
            async with asyncio.timeout(1.0):
                return await client.frame()

    assert seqs([asyncio.run(run())]) == [1]


@pytest.mark.parametrize("zips", ["none", "gzip", "deflate"])
def test_corrupted_frames_are_whole_around_what_cannot_be_read(played, zips):
    frames, _, server = played(n=30, corrupt_prob=1.0, zips=zips)
    assert len(frames) == server.counts["corrupted"] == 30
    for _, payload in frames:
        with pytest.raises((ValueError, zlib.error)):
            json.loads(
                zlib.decompress(payload, {"gzip": 31, "deflate": -15}[zips]) if zips != "none" else payload
            )


def test_spoilt_frames_are_not_what_a_client_expects(played):
    frames, _, server = played(n=40, spoil_prob=1.0)
    assert len(frames) == server.counts["spoilt"] == 40
    kinds = {payload[:6] for _, payload in frames}
    assert len(kinds) > 4
    for _, payload in frames:
        with contextlib.suppress(ValueError):
            assert not isinstance(json.loads(payload), dict)


def test_half_a_frame_ends_the_connection(played):
    frames, closed, server = played(n=1, half_prob=1.0)
    assert frames == []
    assert closed.startswith("after ")
    assert not closed.startswith("after 0 ")
    assert server.counts["halved"] == 1


def test_a_reset_is_a_reset(played):
    frames, closed, server = played(n=1, reset_prob=1.0)
    assert (frames, closed) == ([], "ConnectionResetError")
    assert server.counts["reset"] == 1


def test_delay_and_jitter_hold_frames_back_and_keep_their_order(subscribed, trade):
    async def run():
        faults = Faults()
        async with VenueServer(script_of("bybit"), faults=faults) as server, subscribed(server) as client:
            faults.delay_s, faults.jitter_s = 0.05, 0.05
            begin = time.monotonic()
            await server.publish(*(trade(seq) for seq in range(10)))
            first = await client.frame()
            waited = time.monotonic() - begin
            return waited, [first, *await client.told(server)]

    waited, frames = asyncio.run(run())
    assert waited >= 0.05
    assert seqs(frames) == list(range(10))


def test_a_slow_loris_sends_piece_by_piece(subscribed, trade):
    async def run():
        faults = Faults()
        async with VenueServer(script_of("bybit"), faults=faults) as server, subscribed(server) as client:
            faults.trickle_bytes_s = 1_000.0
            await server.publish(trade(1))
            pieces = []
            while sum(map(len, pieces)) < 200:
                pieces.append(await client.reader.read(1_000))
            return pieces, server.counts["pieces"]

    pieces, n = asyncio.run(run())
    assert max(map(len, pieces)) < 60
    assert n > 5


def test_a_stall_is_silence_with_an_open_socket_and_ends_when_told(subscribed, trade):
    async def run():
        faults = Faults()
        async with VenueServer(script_of("bybit"), faults=faults) as server, subscribed(server) as client:
            faults.is_stalled = True
            await server.publish(trade(1))
            client.send(b"anyone?", opcode=0x9)
            client.send(b'{"op":"ping"}')
            silence = await client.frames(0.1)
            faults.calm()
            await server.publish(trade(2))
            return silence, client.closed, await client.frame(), server.counts

    silence, closed, frame, counts = asyncio.run(run())
    assert (silence, closed) == ([], None)
    assert seqs([frame]) == [2]
    assert counts["stalled"] == 1
    assert counts["unheard"] == 2


def test_a_stall_leaves_rest_requests_unanswered():
    async def run():
        async with VenueServer(script_of("bybit"), faults=Faults(is_stalled=True)) as server:
            with pytest.raises(TimeoutError):
                await get(server.rest_url + "/v5/market/tickers", patience_s=0.1)
            return server.counts["stalled"]

    assert asyncio.run(run()) == 1


def test_confirmations_meet_faults_only_where_told():
    async def run(answers_too):
        faults = Faults(drop_prob=1.0, answers_too=answers_too)
        server = VenueServer(script_of("bybit"), faults=faults)
        async with server, connected(server.ws_url("linear")) as client:
            client.send(b'{"op":"subscribe","args":["publicTrade.BTCUSDT"]}')
            await server.subscribed(TOPIC)
            return len(await client.frames(0.1))

    assert [asyncio.run(run(answers_too)) for answers_too in (False, True)] == [1, 0]


@pytest.mark.parametrize("how", list(Cut))
def test_all_sockets_can_be_cut(subscribed, trade, how):
    async def run():
        async with (
            VenueServer(script_of("bybit")) as server,
            subscribed(server) as one,
            subscribed(server) as two,
        ):
            await server.publish(trade(1))
            reading = asyncio.gather(one.frames(1.0), two.frames(1.0))
            n = await server.cut(how)
            return n, await reading, (one.closed, two.closed), server

    n, frames, closed, server = asyncio.run(run())
    assert n == server.counts[how] == 2
    ends = {Cut.CLOSE: (0x8, b"\x03\xe9")}
    assert [len(each) for each in frames] == [2 if how in ends else 1] * 2
    assert set(closed) == ({"ConnectionResetError"} if how is Cut.RESET else {"after 0 bytes of a part"})
    if how in ends:
        assert frames[0][-1] == ends[how]
    assert len(server.delivered) == 2


def test_refused_connects_are_refused_and_open_sockets_stay(subscribed, trade):
    async def run():
        async with VenueServer(script_of("bybit")) as server, subscribed(server) as client:
            await server.refuse_connects(refuse=True)
            with pytest.raises(ConnectionRefusedError):
                async with connected(server.ws_url("linear")):
                    pass
            await server.publish(trade(1))
            frame = await client.frame()
            await server.refuse_connects(refuse=False)
            async with connected(server.ws_url("linear")) as again:
                return frame, again.answer, server.counts["refusing"]

    frame, answer, n = asyncio.run(run())
    assert frame is not None
    assert "101" in answer
    assert n == 1


def test_connects_can_be_reset_or_left_hanging():
    async def run():
        faults = Faults(resets_connects=True)
        async with VenueServer(script_of("bybit"), faults=faults) as server:
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                async with connected(server.ws_url("linear")):
                    pass
            faults.calm()
            faults.hangs_connects = True
            with pytest.raises(TimeoutError):
                await get(server.rest_url + "/v5/market/tickers", patience_s=0.1)
            return server.counts["connects reset"], server.counts["connects hung"]

    assert asyncio.run(run()) == (1, 1)


@pytest.mark.parametrize("status", [403, 429, 451, 503])
def test_a_handshake_can_be_refused_with_any_status(status):
    async def run():
        faults = Faults(handshake_status=status, retry_after_s=7)
        server = VenueServer(script_of("bybit"), faults=faults)
        async with server, connected(server.ws_url("linear")) as client:
            return client.answer, server.counts["handshakes refused"]

    answer, n = asyncio.run(run())
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert "retry-after: 7\r\n" in answer
    assert n == 1


@pytest.mark.parametrize("status", [403, 418, 429, 451, 500, 502, 599])
def test_rest_can_be_refused_with_any_status(status):
    async def run():
        faults = Faults(rest_status=status, retry_after_s=1.5)
        async with VenueServer(script_of("bybit"), faults=faults) as server:
            refused = await get(server.rest_url + "/v5/market/tickers")
            faults.calm()
            return (
                refused,
                await get(server.rest_url + "/v5/market/tickers"),
                server.counts["requests refused"],
            )

    refused, served, n = asyncio.run(run())
    assert refused[0] == status
    assert refused[1]["retry-after"] == "1.5"
    assert served[0] == 200
    assert "retry-after" not in served[1]
    assert n == 1


def test_a_share_of_rest_requests_can_be_refused():
    async def run():
        faults = Faults(rest_status=500, rest_status_prob=0.5)
        async with VenueServer(script_of("bybit"), faults=faults, seed=5) as server:
            return [(await get(server.rest_url + "/v5/market/tickers"))[0] for _ in range(20)]

    first, second = asyncio.run(run()), asyncio.run(run())
    assert set(first) == {200, 500}
    assert first == second


def test_rest_bodies_can_be_wrong_half_huge_and_slow():
    async def run():
        faults, out = Faults(), {}
        async with VenueServer(script_of("bybit"), faults=faults) as server:
            url = server.rest_url + "/v5/market/tickers"
            faults.is_rest_spoilt = True
            out["spoilt"] = [(await get(url))[2] for _ in range(5)]
            faults.calm()
            faults.is_rest_halved = True
            out["half"] = await get(url)
            faults.calm()
            faults.rest_padding_bytes = 2_000_000
            out["huge"] = await get(url)
            faults.calm()
            faults.trickle_bytes_s = 100.0
            with pytest.raises(TimeoutError):
                await get(url, patience_s=0.1)
            return out

    out = asyncio.run(run())
    assert not any(body.startswith(b'{"retCode"') and body.endswith(b"}") for body in out["spoilt"])
    assert 0 < len(out["half"][2]) < int(out["half"][1]["content-length"])
    assert len(out["huge"][2]) == int(out["huge"][1]["content-length"]) > 2_000_000
    assert json.loads(out["huge"][2])["retCode"] == 0


def test_who_never_reads_is_cut_before_memory_runs_out(subscribed, trade, monkeypatch):
    monkeypatch.setattr("faultline.testing.link._WAITING_BYTES_MAX", 1_000_000)

    async def run():
        async with VenueServer(script_of("bybit")) as server, subscribed(server):
            for _ in range(200):
                await server.say(b" " * 100_000)
                if not server.clients():
                    break
            return server.counts["overrun"]

    assert asyncio.run(run()) == 1


def test_fates_depend_on_the_seed_alone(played):
    switches = {"drop_prob": 0.2, "duplicate_prob": 0.2, "corrupt_prob": 0.2, "reorder_prob": 0.2}
    runs = [played(seed=seed, **switches) for seed in (1, 1, 2)]
    assert runs[0][0] == runs[1][0] != runs[2][0]
    assert runs[0][2].counts == runs[1][2].counts


def test_a_calm_server_spends_no_chance():
    rng = np.random.default_rng(1)
    assert {Faults().draw(rng) for _ in range(10)} == {Fate.SENT}
    assert rng.random() == np.random.default_rng(1).random()


@pytest.mark.parametrize(
    ("name", "value"), [("drop_prob", 1.5), ("delay_s", -1.0), ("half_prob", float("nan"))]
)
def test_an_impossible_switch_is_refused_by_name(name, value):
    with pytest.raises(ConfigError, match=name):
        setattr(Faults(), name, value)


def test_nothing_that_is_corrupted_or_spoilt_can_be_taken_for_whole():
    rng = np.random.default_rng(9)
    payload = b'{"topic":"t","data":[{"seq":1}]}'
    for _ in range(200):
        with pytest.raises(ValueError, match=r"."):
            json.loads(corrupt(payload, "none", rng))
        assert spoil(payload, rng) != payload
