"""The event loop of the recorder: thousands of frames a second are as many wake-ups, and uvloop's are cheap."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any

if sys.platform != "win32":
    import uvloop

__all__ = ("new_event_loop",)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A new event loop; asyncio's own where there is no uvloop.

    It looks names up in its executor, as asyncio does: uvloop's own threads cannot be left behind where a look-up
    hangs.
    """
    if sys.platform == "win32":
        return asyncio.new_event_loop()

    class Loop(uvloop.Loop):
        async def getaddrinfo(self, host: Any, port: Any, **kinds: int) -> Any:
            return await self.run_in_executor(None, lambda: socket.getaddrinfo(host, port, **kinds))

    return Loop()
