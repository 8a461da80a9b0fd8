"""One WebSocket from dial to close, against a local venue."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
import socket
import time
import zlib
from pathlib import Path

import pytest
from tests.sources.local_venue import (
    TRADES,
    Bench,
    FakeTimer,
    book,
    liquidation,
    local,
    patience,
    plain_script,
    refusing,
    trade,
    until,
)

from faultline.errors import ConnectionLost, RateLimited, StaleSource
from faultline.messages import Flag, Kind
from faultline.sources import connection as connection_module
from faultline.sources.connection import Phase
from faultline.sources.control import Reply, Resync
from faultline.sources.failures import Blocked
from faultline.sources.plan import Beat, Heartbeat, Limits, Unzip
from faultline.sources.rows import Reason
from faultline.testing.certificates import make_certificate, server_context, trusting_context
from faultline.testing.link import Cut
from faultline.testing.wire import BINARY, TEXT, encode_frame

#: Channels that may be silent for as long as a test takes.
PATIENT = {"publicTrade": math.inf, "allLiquidation": math.inf, "orderbook": math.inf, "tickers": math.inf}
CONTINUATION = 0
SLOW_PING = Heartbeat(Beat.OURS, 60.0, lambda _: b'{"op":"ping"}')


def n_open():
    """Files and sockets that this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def run(test, *, script=None, tls=None, **bench):
    """Run a test coroutine with a server and a connection to it."""

    async def go():
        async with local(script, tls=tls) as server:
            return await test(server, Bench(server, **bench))

    return asyncio.run(go())


def test_a_connection_subscribes_is_confirmed_and_maps_what_comes():
    async def test(server, bench):
        async with bench.running() as task:
            assert bench.connection.phase is Phase.DIALLING
            await bench.ready()
            assert bench.connection.phase is Phase.LIVE
            await server.publish(*(trade(number) for number in range(50)), liquidation(1))
            await until(lambda: len(bench.rows(Kind.TRADE)) == 50 and bench.rows(Kind.LIQUIDATION))
            assert not task.done()
            assert bench.connection.refused == {}
            assert bench.connection.n_bytes > 50 * 100
        assert bench.connection.phase is Phase.ENDED
        assert [row["seq"] for row in bench.rows(Kind.TRADE)] == list(range(50))
        return [json.loads(frame)["topic"] for _, _, frame in bench.raw if b"topic" in frame]

    assert run(test)[:50] == [TRADES] * 50


def test_receive_times_rise_and_are_ours():
    async def test(server, bench):
        began_ns = time.time_ns()
        async with bench.running():
            await bench.ready()
            await server.publish(*(trade(number) for number in range(20)))
            await until(lambda: len(bench.rows(Kind.TRADE)) == 20)
        stamps = [int(row["ts_received_ns"]) for row in bench.rows(Kind.TRADE)]
        assert stamps == sorted(stamps)
        assert began_ns < stamps[0] <= stamps[-1] < time.time_ns()

    run(test)


def test_a_refused_subscription_leaves_the_others():
    async def test(server, bench):
        async with bench.running() as task:
            await bench.ready()
            await server.publish(trade(1))
            await until(lambda: bench.rows(Kind.TRADE))
            assert list(bench.connection.refused.values()) == ["not for you"]
            assert not task.done()

    topics = [
        f"{topic}.{symbol}" for symbol in ("BTCUSDT", "ETHUSDT") for topic in ("publicTrade", "tickers")
    ]
    run(
        test,
        script=plain_script(received=refusing("ETHUSDT")),
        symbols=("BTCUSDT", "ETHUSDT"),
        subscribe=tuple(
            json.dumps({"op": "subscribe", "args": [topic], "req_id": topic}).encode() for topic in topics[:3]
        ),
        expects=frozenset(topics[:3]),
    )


def test_a_connection_whose_every_subscription_is_refused_ends():
    async def test(_, bench):
        async with bench.running() as task:
            return await bench.failure(task)

    failure = run(test, script=plain_script(received=refusing("BTCUSDT")))
    assert isinstance(failure, ConnectionLost)
    assert "not for you" in str(failure)


def test_a_connection_that_is_never_answered_ends():
    async def test(_, bench):
        async with bench.running() as task:
            return await bench.failure(task)

    failure = run(
        test,
        script=plain_script(received=lambda *_: []),
        patience=patience(confirm_s=0.1),
        heartbeat=SLOW_PING,
    )
    assert isinstance(failure, ConnectionLost)
    assert "no answer" in str(failure)


def test_a_venue_that_stops_confirming_but_sends_rows_is_kept():
    def received(self, client, frame, now_ns):
        client.topics |= set(json.loads(frame).get("args", ()))
        return []

    async def test(server, bench):
        async with bench.running() as task:
            await server.subscribed(TRADES)
            await server.publish(trade(1))
            await bench.ready()
            assert not task.done()
            assert bench.connection.refused == {}

    run(test, script=plain_script(received=received), patience=patience(confirm_s=0.3), channels=PATIENT)


def test_subscriptions_are_paced():
    async def test(server, bench):
        async with bench.running():
            await bench.ready()

    timer = FakeTimer()
    frames = tuple(
        json.dumps({"op": "subscribe", "args": [TRADES], "req_id": str(number)}).encode()
        for number in range(12)
    )
    run(
        test,
        subscribe=frames,
        expects=frozenset(map(str, range(12))),
        channels=PATIENT,
        heartbeat=Heartbeat(Beat.THEIRS, 1e9),
        wiring={"timer": timer, "limits": Limits(frames_per_second=5.0)},
        patience=patience(check_s=0.001),
    )
    assert sum(slept_s for slept_s in timer.slept_s if slept_s > 0.5) == pytest.approx(2.0)


@pytest.mark.parametrize("how", list(Cut))
def test_an_end_by_the_venue_is_told(how):
    async def test(server, bench):
        async with bench.running() as task:
            await bench.ready()
            await server.publish(trade(1), trade(2))
            await until(lambda: len(bench.rows(Kind.TRADE)) == 2)
            await server.cut(how)
            failure = await bench.failure(task)
            assert len(bench.rows(Kind.TRADE)) == 2
            return failure

    failure = run(test)
    assert isinstance(failure, ConnectionLost)
    assert ("closed" in str(failure)) == (how is Cut.CLOSE)


def test_a_socket_that_is_open_and_says_nothing_at_all_is_cut():
    async def test(server, bench):
        async with bench.running() as task:
            await bench.ready()
            server.faults.is_stalled = True
            return await bench.failure(task)

    failure = run(
        test,
        heartbeat=Heartbeat(Beat.OURS, 0.1, lambda _: b'{"op":"ping"}'),
        channels=PATIENT,
    )
    assert isinstance(failure, StaleSource)
    assert "not even an answer to a ping" in str(failure)


def test_a_connection_that_is_quiet_but_answers_pings_is_kept():
    async def test(_, bench):
        async with bench.running() as task:
            await bench.ready()
            n_before = bench.connection.n_frames
            await until(lambda: bench.connection.n_frames >= n_before + 5)
            assert not task.done()

    for frame in (lambda _: b'{"op":"ping"}', None):
        run(
            test, heartbeat=Heartbeat(Beat.OURS, 0.05, frame), channels=PATIENT, patience=patience(pong_s=9.0)
        )


def test_a_connection_that_answers_pings_but_gives_no_rows_is_cut():
    async def test(server, bench):
        async with bench.running() as task:
            await bench.ready()
            return await bench.failure(task)

    failure = run(
        test,
        heartbeat=Heartbeat(Beat.OURS, 0.05, lambda _: b'{"op":"ping"}'),
        patience=patience(pong_s=9.0),
        channels={**PATIENT, "publicTrade": 0.3, "orderbook": 0.3},
    )
    assert isinstance(failure, StaleSource)
    assert "orderbook, publicTrade gave nothing" in str(failure)


def test_one_silent_channel_beside_a_live_one_is_stale_and_ends_nothing():
    async def test(server, bench):
        async with bench.running() as task:
            await bench.ready()
            async with asyncio.timeout(60.0):
                while bench.connection.stale() != ("orderbook",):
                    await server.publish(trade(1))
                    await asyncio.sleep(0.01)
            assert not task.done()

    run(test, channels={**PATIENT, "publicTrade": 5.0, "orderbook": 0.1})


def test_a_refused_handshake_says_whether_that_is_for_good():
    async def test(server, bench):
        server.faults.handshake_status, server.faults.retry_after_s = status, 30.0
        async with bench.running() as task:
            return await bench.failure(task)

    for status, kind in ((403, Blocked), (451, Blocked), (429, RateLimited), (503, ConnectionLost)):
        failure = run(test)
        assert type(failure) is kind
        assert str(status) in str(failure)
    assert failure.where.startswith("ws://127.0.0.1")


def test_a_venue_that_never_shakes_hands_is_left_in_time_and_leaves_no_socket_open():
    async def test(server, bench):
        server.faults.hangs_connects = True
        n_before = n_open()
        async with bench.running() as task:
            failure = await bench.failure(task)
        await until(lambda: n_open() <= n_before)
        return failure

    failure = run(test, patience=patience(dial_s=0.2))
    assert isinstance(failure, ConnectionLost)
    assert "no answer in time" in str(failure)


def test_a_venue_that_hangs_up_in_the_middle_of_the_handshake_is_left_at_once():
    async def test(server, bench):
        server.faults.resets_connects = True
        async with bench.running() as task:
            return await bench.failure(task)

    began_s = time.monotonic()
    failure = run(test, patience=patience(confirm_s=600.0, dial_s=600.0))
    assert isinstance(failure, ConnectionLost)
    assert time.monotonic() - began_s < 60.0


def test_a_dial_that_is_cancelled_leaves_no_socket_open():
    async def test(server, bench):
        server.faults.hangs_connects = True
        n_before = n_open()
        async with bench.running():
            await until(lambda: n_open() > n_before)
            await asyncio.sleep(0.05)
        await until(lambda: n_open() <= n_before)

    run(test)


def test_a_name_that_does_not_resolve_is_blocked(monkeypatch):
    async def test(_, bench):
        async def refuse(*_, **__):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", refuse)
        async with bench.running() as task:
            return await bench.failure(task)

    failure = run(test, url="wss://venue.invalid/ws")
    assert isinstance(failure, Blocked)
    assert "does not resolve" in str(failure)


def test_a_refused_connect_is_told():
    async def test(server, bench):
        await server.refuse_connects(refuse=True)
        async with bench.running() as task:
            return await bench.failure(task)

    failure = run(test)
    assert isinstance(failure, ConnectionLost)
    assert "the connection is refused" in str(failure)


def test_a_certificate_of_someone_else_is_blocked_and_the_right_one_is_not():
    certificate = make_certificate(time.time_ns())

    async def refused(_, bench):
        async with bench.running() as task:
            return await bench.failure(task)

    async def taken(_, bench):
        async with bench.running():
            await bench.ready()

    failure = run(refused, tls=server_context(certificate))
    assert isinstance(failure, Blocked)
    assert "certificate is refused" in str(failure)
    run(taken, tls=server_context(certificate), wiring={"ssl_context": trusting_context(certificate)})


def test_frames_that_cannot_be_taken_are_counted_and_end_nothing():
    async def test(server, bench):
        async with bench.running() as task:
            await bench.ready()
            for frame in (b"<html>", b"\xff\xfe", b'{"topic":"publicTrade.BTCUSDT","data":7}', b"[]", b""):
                await server.say(frame)
            await server.publish(trade(1))
            await until(lambda: bench.rows(Kind.TRADE))
            assert not task.done()
            return sum(one.n for one in bench.connection.rows.rejects.values())

    assert run(test) == 5


def test_a_fault_of_the_mapper_is_a_reject_and_ends_nothing(monkeypatch):
    async def test(server, bench):
        apply = type(bench.connection._mapper).map

        def fail(self, frame, received_ns, out):
            if b"allLiquidation" in frame and b"data" in frame:
                out.begin(frame, received_ns)
                raise ZeroDivisionError("by a quantity")
            apply(self, frame, received_ns, out)

        monkeypatch.setattr(type(bench.connection._mapper), "map", fail)
        async with bench.running() as task:
            await bench.ready()
            await server.publish(liquidation(1), trade(1))
            await until(lambda: bench.rows(Kind.TRADE))
            assert not task.done()
            return bench.connection.rows.rejects

    rejects = run(test)
    assert [one.detail for one in rejects.values()] == ["ZeroDivisionError: by a quantity"]


def test_a_message_in_parts_is_put_together():
    async def test(server, bench):
        async with bench.running():
            await bench.ready()
            (_, payload), *_ = server.script.frames(trade(7), time.time_ns())
            (link,) = server.clients(TRADES)
            for opcode, part, is_last in (
                (TEXT, payload[:10], False),
                (CONTINUATION, payload[10:50], False),
                (CONTINUATION, payload[50:], True),
            ):
                frame = bytearray(encode_frame(opcode, part))
                frame[0] = (frame[0] & 0x7F) | (0x80 if is_last else 0)
                link.write(bytes(frame))
            await until(lambda: bench.rows(Kind.TRADE))
            return [int(row["seq"]) for row in bench.rows(Kind.TRADE)]

    assert run(test) == [7]


def test_a_message_in_parts_is_bounded(monkeypatch):
    monkeypatch.setattr(connection_module, "FRAME_BYTES_MAX", 1000)

    async def test(server, bench):
        async with bench.running() as task:
            await bench.ready()
            (link,) = server.clients(TRADES)
            for number in range(20):
                frame = bytearray(encode_frame(CONTINUATION if number else TEXT, b"x" * 100))
                frame[0] &= 0x7F
                link.write(bytes(frame))
            return await bench.failure(task)

    assert "longer than 1000 bytes" in str(run(test))


@pytest.mark.parametrize("how", [Unzip.GZIP, Unzip.DEFLATE])
def test_compressed_frames_are_decompressed_within_a_bound(monkeypatch, how):
    monkeypatch.setattr(connection_module, "FRAME_BYTES_MAX", 100_000)

    def pack(content):
        if how is Unzip.GZIP:
            return gzip.compress(content)
        stream = zlib.compressobj(wbits=-15)
        return stream.compress(content) + stream.flush()

    async def test(server, bench):
        async with bench.running() as task:
            await bench.ready()
            (_, payload), *_ = server.script.frames(trade(7), time.time_ns())
            (link,) = server.clients(TRADES)
            for content in (pack(payload), b"not compressed", pack(b"0" * 10_000_000), pack(payload)[:-12]):
                link.write(encode_frame(BINARY, content))

            def n_rejects():
                bench.rows(Kind.TRADE)  # frames of trades wait until then
                return bench.connection.rows.n_rejects

            await until(lambda: n_rejects() == 3)
            assert not task.done()
            return len(bench.rows(Kind.TRADE)), {reason for _, reason in bench.connection.rows.rejects}

    n_trades, reasons = run(test, unzip=how)
    assert n_trades == 1
    assert {Reason.NOT_UNZIPPED, Reason.TOO_LARGE} <= reasons


def test_a_ping_of_the_socket_is_answered():
    async def test(server, bench):
        async with bench.running():
            await bench.ready()
            return await server.settle()

    assert run(test)


def test_what_a_mapper_wants_to_reply_is_sent_at_once():
    async def test(server, bench):
        asked = []
        received = type(server.script).received

        def note(self, client, frame, now_ns):
            asked.append(frame)
            return received(self, client, frame, now_ns)

        server.script.__class__ = type("Script", (type(server.script),), {"received": note})
        async with bench.running():
            await bench.ready()
            bench.connection.rows.controls.append(Reply(b'{"op":"ping","req_id":"reply"}'))
            await server.publish(trade(1))
            await until(lambda: b'{"op":"ping","req_id":"reply"}' in asked)

    run(test)


def test_a_book_that_lost_its_sequence_is_subscribed_anew():
    async def test(server, bench):
        async with bench.running():
            await bench.ready()
            await server.publish(book(10, is_snapshot=True), book(11), book(12))
            await until(lambda: len(bench.rows(Kind.BOOK_LEVEL)) == 18)
            await server.publish(book(11), book(13))
            snapshots = lambda: [row for row in bench.rows(Kind.BOOK_LEVEL) if row["flags"] & Flag.SNAPSHOT]
            await until(lambda: len(snapshots()) > 6)
            assert [row["reason"] for row in bench.rows(Kind.GAP)] == [b"sequence"]
            assert bench.connection.refused == {}

    run(test)


def test_a_book_is_mended_by_request_where_the_venue_wants_that_and_again_where_it_fails():
    asked = []

    async def fetch(symbol):
        asked.append(symbol)
        if len(asked) < 3:
            raise ConnectionLost("not now")
        return "orderbook", b"the book"

    async def test(server, bench):
        answers = []
        bench.connection._mapper.map_answer = lambda *told: answers.append(told[:3])
        async with bench.running() as task:
            await bench.ready()
            for _ in range(5):
                bench.connection.rows.controls.append(Resync("BTCUSDT", "broken"))
            await server.publish(trade(1))
            await until(lambda: answers)
            assert not task.done()
            return answers

    assert run(test, resubscribe=None, wiring={"fetch_book": fetch}) == [
        ("orderbook", "BTCUSDT", b"the book")
    ]
    assert asked == ["BTCUSDT"] * 3


def test_while_it_is_held_nothing_is_read_and_silence_means_nothing():
    async def test(server, bench):
        async with bench.running() as task:
            await bench.ready()
            bench.connection.hold(is_held=True)
            await server.publish(*(trade(number) for number in range(20)))
            await asyncio.sleep(0.8)
            assert bench.rows(Kind.TRADE) == []
            assert bench.connection.stale() == ()
            assert not task.done()
            bench.connection.hold(is_held=False)
            assert bench.connection.stale() == ()
            await until(lambda: len(bench.rows(Kind.TRADE)) == 20)
            assert not task.done()

    run(
        test,
        channels={**PATIENT, "publicTrade": 0.3},
        heartbeat=Heartbeat(Beat.OURS, 0.1, lambda _: b'{"op":"ping"}'),
    )


def test_a_connection_that_is_held_from_the_start_waits_for_its_confirmations():
    async def test(_, bench):
        bench.connection.hold(is_held=True)
        async with bench.running() as task:
            await until(lambda: bench.connection.phase is Phase.SUBSCRIBING)
            await asyncio.sleep(0.3)
            assert not task.done()
            bench.connection.hold(is_held=False)
            await bench.ready()
            assert bench.connection.refused == {}

    run(test, patience=patience(confirm_s=0.1), heartbeat=SLOW_PING)


def test_a_standstill_of_our_own_is_no_silence_of_the_venue():
    async def test(_, bench):
        async with bench.running() as task:
            await bench.ready()
            time.sleep(1.4)  # noqa: ASYNC251 - the standstill
            await asyncio.sleep(0.1)
            assert not task.done()

    run(test, channels={**PATIENT, "orderbook": 0.6})


def test_headers_of_the_plan_are_sent_in_the_handshake():
    async def go():
        seen = []

        async def answer(reader, writer):
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            writer.close()

        listener = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        async with local() as server:
            bench = Bench(server, url=f"ws://127.0.0.1:{port}/x", headers=(("user-agent", "me"),))
            async with bench.running() as task:
                failure = await bench.failure(task)
        assert "before the handshake was done" in str(failure)
        listener.close()
        await listener.wait_closed()
        return seen[0].lower()

    assert b"user-agent: me\r\n" in asyncio.run(go())


def test_cancelling_closes_the_socket_and_leaves_no_task():
    async def test(server, bench):
        async with bench.running():
            await bench.ready()
        await server.until(lambda: not server.clients(), timeout_s=60.0)
        return [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]

    assert run(test) == []
