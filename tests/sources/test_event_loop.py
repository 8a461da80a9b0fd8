"""A look-up of a name that hangs is left behind."""

from __future__ import annotations

import asyncio
import concurrent.futures
import socket
import threading

from faultline.sources.event_loop import new_event_loop


def test_a_name_that_is_never_found_does_not_hold_the_loop(monkeypatch):
    is_asked, may_end = threading.Event(), threading.Event()

    def hang(*told, **kinds):
        is_asked.set()
        may_end.wait(60.0)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    executor = concurrent.futures.ThreadPoolExecutor(1)
    loop = new_event_loop()
    loop.set_default_executor(executor)

    async def ask():
        asked = asyncio.ensure_future(loop.getaddrinfo("venue.example", 443, type=socket.SOCK_STREAM))
        while not is_asked.is_set():  # noqa: ASYNC110 - a thread sets it
            await asyncio.sleep(0.001)
        asked.cancel()
        await asyncio.wait({asked})
        return asked.cancelled()

    try:
        assert loop.run_until_complete(ask())
        executor.shutdown(wait=False, cancel_futures=True)
        loop.close()
        assert not may_end.is_set()
    finally:
        may_end.set()


def test_names_are_found():
    loop = new_event_loop()
    try:
        found = loop.run_until_complete(loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM))
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
    assert [address for *_, address in found] == [("127.0.0.1", 80)]
