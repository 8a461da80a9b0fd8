"""REST requests against a local venue that behaves and misbehaves."""

from __future__ import annotations

import asyncio
import gzip
import random
import socket
import time
import zlib

import pytest
from tests.sources.local_venue import PATIENCE, FakeTimer, local, patience, plain_script

from faultline.errors import ConfigError, ConnectionLost, RateLimited
from faultline.sources import rest as rest_module
from faultline.sources.failures import Blocked, retry_after_s
from faultline.sources.pacing import LoopTimer
from faultline.sources.plan import Limits, Request
from faultline.sources.rest import RestClient
from faultline.testing.certificates import make_certificate, server_context, trusting_context
from faultline.testing.script import Answer

RATIO = Request("/v5/market/account-ratio", (("category", "linear"), ("symbol", "BTCUSDT")))


class Asked:
    """A client, and what it counted."""

    def __init__(self, addresses, *, timer=None, patience=PATIENCE, limits=None, ssl_context=None):
        self.counted = []
        self.client = RestClient(
            addresses,
            limits or Limits(),
            patience,
            timer=timer or LoopTimer(),
            rng=random.Random(1),
            ssl_context=ssl_context,
            count=self.counted.append,
        )

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc):
        await self.client.__aexit__(*exc)


def ask(fault=None, *, request=RATIO, script=None, timer=None, **options):
    """The answer or failure of one request to a server with a fault, what the client counted, and the server."""

    async def go():
        async with local(script) as server:
            for name, value in (fault or {}).items():
                setattr(server.faults, name, value)
            async with Asked(server.rest, timer=timer, **options) as asked:
                try:
                    found = await asked.client.fetch(request)
                except (ConnectionLost, RateLimited, Blocked, ConfigError) as exc:
                    found = exc
                return found, asked.counted, server.counts

    return asyncio.run(go())


def answering(body, *headers):
    return plain_script(answer=lambda *_: Answer(200, body, headers))


def test_an_answer_is_its_body():
    found, counted, _ = ask()
    assert b'"retCode":0' in found
    assert counted == [True]


def test_too_many_requests_are_tried_again_after_the_time_the_venue_asks_for():
    timer = FakeTimer()
    found, counted, _ = ask({"rest_status": 429, "retry_after_s": 7.0}, timer=timer)
    assert isinstance(found, RateLimited)
    assert found.retry_after_s == 7.0
    assert counted == [False] * 3
    assert timer.slept_s == [7.0, 7.0]


def test_every_request_of_the_venue_waits_as_long_as_it_asks_for():
    async def go():
        timer = FakeTimer()
        async with local() as server, Asked(server.rest, timer=timer) as asked:
            server.faults.rest_status, server.faults.retry_after_s = 418, 100.0
            with pytest.raises(RateLimited):
                await asked.client.fetch(RATIO)
            server.faults.calm()
            n_slept = len(timer.slept_s)
            await asked.client.fetch(RATIO)
            return timer.slept_s[n_slept:]

    assert asyncio.run(go()) == [100.0]


def test_a_long_ban_is_told_and_not_waited_for_and_nothing_is_asked_until_it_is_over():
    async def go():
        timer = FakeTimer()
        async with local() as server, Asked(server.rest, timer=timer) as asked:
            server.faults.rest_status, server.faults.retry_after_s = 418, 86_400.0
            for _ in range(3):
                with pytest.raises(RateLimited):
                    await asked.client.fetch(RATIO)
            return asked.counted, timer.slept_s

    assert asyncio.run(go()) == ([False], [])


@pytest.mark.parametrize("status", [500, 502, 503])
def test_errors_of_the_venue_are_tried_again_with_back_off(status):
    timer = FakeTimer()
    found, counted, _ = ask({"rest_status": status}, timer=timer)
    assert isinstance(found, ConnectionLost)
    assert f"HTTP {status}" in str(found)
    assert counted == [False] * 3
    assert len(timer.slept_s) == 2


@pytest.mark.parametrize("status", [403, 451])
def test_a_refusal_is_blocked_and_asked_once(status):
    found, counted, _ = ask({"rest_status": status})
    assert isinstance(found, Blocked)
    assert counted == [False]


def test_a_page_that_is_not_there_is_asked_for_once():
    found, counted, _ = ask(request=Request("/v5/no/such"))
    assert isinstance(found, ConnectionLost)
    assert "404" in str(found)
    assert counted == [False]


def test_an_answer_that_ends_in_the_middle_is_tried_again():
    found, counted, _ = ask({"is_rest_halved": True})
    assert isinstance(found, ConnectionLost)
    assert counted == [False] * 3


def test_a_venue_that_never_answers_is_left_in_time():
    found, _, _ = ask({"hangs_connects": True}, patience=patience(request_s=0.1, answer_s=0.2))
    assert isinstance(found, ConnectionLost)
    assert "no answer in time" in str(found)


def test_an_answer_that_trickles_is_left_in_time():
    began_s = time.monotonic()
    found, _, _ = ask({"trickle_bytes_s": 20.0}, patience=patience(request_s=5.0, answer_s=0.2))
    assert isinstance(found, ConnectionLost)
    assert time.monotonic() - began_s < 5.0


def test_a_refused_connect_is_said_in_words():
    found, _, _ = ask({"resets_connects": True})
    assert isinstance(found, ConnectionLost)


def test_an_answer_longer_than_the_bound_is_refused(monkeypatch):
    monkeypatch.setattr(rest_module, "ANSWER_BYTES_MAX", 10_000)
    found, _, _ = ask({"rest_padding_bytes": 20_000})
    assert isinstance(found, ConnectionLost)
    assert "longer than 10000 bytes" in str(found)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_a_small_answer_that_decompresses_beyond_the_bound_is_refused(monkeypatch, pack):
    monkeypatch.setattr(rest_module, "ANSWER_BYTES_MAX", 10_000)
    coding = "gzip" if pack is gzip.compress else "deflate"
    found, _, _ = ask(script=answering(pack(b"0" * 10_000_000), ("content-encoding", coding)))
    assert isinstance(found, ConnectionLost)
    assert "longer than" in str(found)


def test_a_compressed_answer_is_decompressed():
    found, _, _ = ask(script=answering(gzip.compress(b'{"a":1}'), ("content-encoding", "gzip")))
    assert found == b'{"a":1}'


def test_a_compressed_answer_that_is_cut_short_is_not_taken_for_whole():
    whole = gzip.compress(random.Random(1).randbytes(5_000))
    found, counted, _ = ask(script=answering(whole[:2_000], ("content-encoding", "gzip")))
    assert isinstance(found, ConnectionLost)
    assert counted == [False] * 3


def test_an_encoding_that_was_not_asked_for_is_refused():
    found, _, _ = ask(script=answering(b"xx", ("content-encoding", "br")))
    assert isinstance(found, ConnectionLost)
    assert "'br'" in str(found)


def test_a_redirect_is_not_followed():
    found, _, _ = ask(
        script=plain_script(answer=lambda *_: Answer(302, b"", (("location", "http://127.0.0.1:9/"),)))
    )
    assert isinstance(found, ConnectionLost)
    assert "HTTP 302" in str(found)


def test_requests_wait_for_the_budget_rather_than_fail():
    async def go():
        timer = FakeTimer()
        async with local() as server, Asked(server.rest, timer=timer, limits=Limits(rest_weight=4)) as asked:
            heavy = Request(RATIO.path, RATIO.query, weight=2)
            await asyncio.gather(*(asked.client.fetch(heavy) for _ in range(5)))
            return timer.now_s(), asked.client.budget.waited_s > 0

    assert asyncio.run(go()) == (120.0, True)


def test_a_name_that_does_not_resolve_is_blocked_and_says_so(monkeypatch):
    def refuse(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def go():
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "getaddrinfo", refuse)
        async with Asked({"main": "http://venue.invalid"}) as asked:
            await asked.client.fetch(RATIO)

    with pytest.raises(Blocked, match="does not resolve"):
        asyncio.run(go())


def test_a_certificate_of_someone_else_is_blocked_and_the_right_one_is_not():
    certificate = make_certificate(time.time_ns())

    async def go(ssl_context):
        async with (
            local(tls=server_context(certificate)) as server,
            Asked(server.rest, ssl_context=ssl_context) as asked,
        ):
            return await asked.client.fetch(RATIO)

    assert b"retCode" in asyncio.run(go(trusting_context(certificate)))
    with pytest.raises(Blocked, match="certificate is refused"):
        asyncio.run(go(None))


def test_proxies_of_the_environment_are_not_used(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    found, counted, _ = ask()
    assert isinstance(found, bytes)
    assert counted == [True]


def test_an_address_that_a_venue_does_not_have_is_named():
    found, _, _ = ask(request=Request("/x", base="side"))
    assert isinstance(found, ConfigError)
    assert "'side'" in str(found)


def test_a_body_makes_it_a_post():
    seen = []

    def answer(_self, method, path, query, body, now_ns):
        seen.append((method, body))
        return Answer(200, b"{}")

    ask(script=plain_script(answer=answer), request=Request("/info", body=b'{"type":"meta"}'))
    assert seen == [("POST", b'{"type":"meta"}')]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("1.5", 1.5), (None, 10.0), ("soon", 10.0), ("nan", 10.0), ("-3", 0.0), ("1e99", 259_200.0)],
)
def test_a_time_to_wait_is_read_whatever_it_says(header, seconds):
    assert retry_after_s(header) == seconds
