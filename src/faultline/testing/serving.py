"""Local servers in, the same servers running in a thread out: for tests that are not asynchronous themselves."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from faultline.testing.server import VenueServer

__all__ = ("Caller", "serving")

T = TypeVar("T")


class Caller:
    """Runs things in the thread of the servers, and waits for what they return."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def run(self, coroutine: Coroutine[Any, Any, T], timeout_s: float = 10.0) -> T:
        """The result of a coroutine, e.g. ``run(server.publish(fact))``.

        Raises:
            TimeoutError: it took too long.
        """
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout_s)

    def ask(self, question: Callable[[], T], timeout_s: float = 10.0) -> T:
        """The result of a function, e.g. ``ask(lambda: server.delivered)``.

        Raises:
            TimeoutError: it took too long.
        """

        async def answer() -> T:
            return question()

        return self.run(answer(), timeout_s)


@contextlib.contextmanager
def serving(*servers: VenueServer) -> Iterator[Caller]:
    """Servers that run in a thread until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="venues", daemon=True)
    thread.start()
    caller = Caller(loop)
    stack = contextlib.AsyncExitStack()
    try:
        for server in servers:
            caller.run(stack.enter_async_context(server))
        yield caller
    finally:
        caller.run(stack.aclose())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
