"""An application in, its address on this machine out: a real server in a thread, for benchmarks."""

from __future__ import annotations

import asyncio
import threading
from urllib.parse import urlsplit

from faultline.api.server import serve_async


class Serving:
    """The application on a free port, in a thread of its own."""

    def __init__(self, app) -> None:
        self._ready, self._app = threading.Event(), app
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        self._ready.wait(20)

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await serve_async(self._app, "127.0.0.1", 0, on_listening=self._listening, stop=self._stop)

    def _listening(self, address: str) -> None:
        self.address = urlsplit(address)
        self._ready.set()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
