"""An application in, answers on a socket out, in this very process, until a signal asks it to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from faultline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar import Litestar

__all__ = ("serve", "serve_async")

#: Longest wait for the server's own threads to end.
_THREADS_END_S = 1.0
#: How long a thread may keep the interpreter while another waits for it. The server's own thread needs it once for
#: every message that did not leave at once: at Python's 5 ms, a thousand clients beside a busy engine wait seconds.
_SWITCH_S = 0.0003
#: Where Linux lists the threads of this process.
_TASKS = Path("/proc/self/task")
#: Largest head of a request, in bytes.
_HEAD_BYTES_MAX = 64 * 1024


def serve(
    app: Litestar, host: str, port: int, *, on_listening: Callable[[str], object] | None = None
) -> None:
    """Serve until SIGINT or SIGTERM, then let running requests end and return.

    Args:
        app: what ``build_app`` made.
        host: address to bind to.
        port: port to bind to; 0 chooses a free one.
        on_listening: called with the address, e.g. ``http://127.0.0.1:8787``, once it can be opened.

    Raises:
        ConfigError: the address cannot be bound.
    """
    asyncio.run(serve_async(app, host, port, on_listening=on_listening))


async def serve_async(
    app: Litestar,
    host: str,
    port: int,
    *,
    on_listening: Callable[[str], object] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Like ``serve`` inside a running event loop; ``stop`` ends it too.

    Raises:
        ConfigError: the address cannot be bound.
    """
    port = _free_port(host, port)
    threads_before = _native_threads()
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    server = Server(
        app,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        log_enabled=False,
        http1_settings=HTTP1Settings(header_read_timeout=10_000, max_buffer_size=_HEAD_BYTES_MAX),
    )
    loop = asyncio.get_running_loop()
    caught = _catch_signals(loop, server.stop)
    serving = asyncio.create_task(server.serve())
    watching = [asyncio.create_task(_announce(host, port, serving, on_listening))]
    if stop is not None:
        watching.append(asyncio.create_task(_stop_on(stop, server.stop)))
    try:
        await serving
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        for number in caught:
            loop.remove_signal_handler(number)
        sys.setswitchinterval(switch_s)
        await _threads_ended(threads_before)


def _free_port(host: str, port: int) -> int:
    """The port to use, after trying that it can be bound at all."""
    name = host.strip("[]")
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((name, port))
        except OSError as exc:
            raise ConfigError(
                f"cannot listen on {host}:{port}: {exc.strerror}",
                where="api.port",
                hint="choose another with --port",
            ) from exc
        return int(probe.getsockname()[1])


def _catch_signals(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> list[signal.Signals]:
    caught = []
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop)
        except (ValueError, RuntimeError, NotImplementedError):
            # Not in the main thread, or not on this system: whoever started us stops us.
            continue
        caught.append(number)
    return caught


def _native_threads() -> set[int]:
    """Threads of this process that Python did not start; empty where the system does not tell."""
    if not _TASKS.is_dir():
        return set()
    known = {thread.native_id for thread in threading.enumerate()}
    return {int(task.name) for task in _TASKS.iterdir()} - known


async def _threads_ended(before: set[int]) -> None:
    """Wait for the server's threads: one that still runs while the interpreter shuts down aborts the process."""
    if not before:
        await asyncio.sleep(_THREADS_END_S / 4)
    deadline_s = asyncio.get_running_loop().time() + _THREADS_END_S
    while _native_threads() - before and asyncio.get_running_loop().time() < deadline_s:  # noqa: ASYNC110 - threads of Rust tell nobody when they end
        await asyncio.sleep(0.005)


async def _announce(
    host: str, port: int, serving: asyncio.Task[None], on_listening: Callable[[str], object] | None
) -> None:
    target = {"0.0.0.0": "127.0.0.1", "[::]": "::1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    while not serving.done():
        try:
            _, writer = await asyncio.open_connection(target.strip("[]"), port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        if on_listening is not None:
            on_listening(f"http://{host}:{port}")
        return


async def _stop_on(stop: asyncio.Event, action: Callable[[], None]) -> None:
    await stop.wait()
    action()
