"""Venues that want to be asked for a token before a connection: it is asked for each time, and told to nobody."""

from __future__ import annotations

import asyncio

import pytest
from tests.sources.local_venue import Bench, local

from faultline.errors import ConnectionLost, PayloadRejected
from faultline.sources.plan import Request, Ticket

ASK = Request("/token", body=b"{}")


def address(url, body):
    """The address with the token of an answer."""
    if not body.startswith(b"token="):
        raise ValueError("no token")
    return f"{url}?{body.decode()}"


def dialled(answers, **changes):
    """Addresses that a connection dialled, requests it made, and how it ended, for answers to its requests."""

    async def go():
        asked, seen = [], []

        async def fetch(request):
            asked.append(request)
            return answers[len(asked) - 1]

        async with local() as server:
            wiring = changes.pop("wiring", {"fetch": fetch})
            bench = Bench(server, ticket=Ticket(ASK, address), wiring=wiring, **changes)
            ticketed = bench.connection._ticketed

            async def watched():
                plan = await ticketed()
                seen.append(plan.url)
                return plan

            bench.connection._ticketed = watched
            async with bench.running() as task:
                ready = asyncio.create_task(bench.connection.ready.wait())
                await asyncio.wait({task, ready}, timeout=10.0, return_when=asyncio.FIRST_COMPLETED)
                failure = task.exception() if task.done() else None
                ready.cancel()
            return asked, seen, failure, bench.connection.plan.url

    return asyncio.run(go())


def test_a_ticket_completes_the_address_that_is_dialled_and_nothing_else():
    asked, seen, failure, url = dialled([b"token=secret"])
    assert failure is None
    assert asked == [ASK]
    assert seen == [f"{url}?token=secret"]
    assert "secret" not in url, "the plan is what is shown and logged"


def test_an_answer_without_a_ticket_ends_the_connection_with_its_digest():
    _, seen, failure, _ = dialled([b"sorry"])
    assert isinstance(failure, PayloadRejected)
    assert "sha256" in str(failure.where)
    assert seen == []


def test_a_request_that_fails_ends_the_connection():
    async def fetch(request):
        raise ConnectionLost("no answer", where=request.path)

    _, _, failure, _ = dialled([], wiring={"fetch": fetch})
    assert isinstance(failure, ConnectionLost)


@pytest.mark.parametrize("wiring", [{}, {"fetch": None}])
def test_a_ticket_that_nobody_can_fetch_is_told(wiring):
    _, _, failure, _ = dialled([], wiring=wiring)
    assert isinstance(failure, ConnectionLost)
    assert "ticket" in str(failure)
