"""An address and a listener in, an open WebSocket out, or the reason why not; a failed attempt leaves nothing open."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from typing import TYPE_CHECKING, Any, Final

import httpx
from picows import ws_connect

from faultline.errors import ConnectionLost
from faultline.sources.failures import failure_of, place_of
from faultline.sources.mapper import FRAME_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from picows import WSListener

    from faultline.sources.plan import SocketPlan

__all__ = ("dial", "trusted_certificates")

#: What picows says is not lost on whoever wants it, and silent by default: every end of a connection is told here.
_SOCKET_LOG: Final = logging.getLogger("faultline.sources.picows")
_SOCKET_LOG.addHandler(logging.NullHandler())
#: One address of several gets at most this share of the time.
_ADDRESS_SHARE: Final = 0.5
_CLOSE_CHECKS: Final = 50
_CLOSE_CHECK_S: Final = 0.01


def trusted_certificates() -> ssl.SSLContext:
    """Certificates that the machine trusts; those that httpx brings where it has none."""
    context = ssl.create_default_context()
    return context if context.cert_store_stats()["x509_ca"] else httpx.create_ssl_context(trust_env=False)


async def dial(
    plan: SocketPlan, listen: Callable[[], WSListener], timeout_s: float, ssl_context: ssl.SSLContext | None
) -> None:
    """Open the plan's WebSocket; from then on the listener hears it.

    Redirects are not followed and proxies are not used.

    Raises:
        SourceError: why that failed.
    """
    sockets: list[socket.socket] = []
    options: dict[str, Any] = {"extra_headers": plan.headers} if plan.headers else {}

    async def connect(parsed: Any) -> socket.socket:
        sockets.append(await _connect(parsed.host, parsed.port, timeout_s * _ADDRESS_SHARE))
        return sockets[-1]

    try:
        async with asyncio.timeout(timeout_s):
            _, listener = await ws_connect(
                listen,
                plan.url,
                ssl_context=ssl_context,
                logger_name=_SOCKET_LOG,
                websocket_handshake_timeout=None,
                enable_auto_pong=False,
                max_frame_size=FRAME_BYTES_MAX,
                max_redirects=0,
                socket_factory=connect,
                **options,
            )
        # picows takes an end in the middle of the handshake for an end of the handshake.
        if listener is None:
            raise ConnectionLost(
                "the connection ended before the handshake was done", where=place_of(plan.url)
            )
    except BaseException as exc:
        await _discard(sockets)
        if isinstance(exc, Exception):
            raise failure_of(exc, place_of(plan.url)) from exc
        raise


async def _connect(host: str, port: int, address_s: float) -> socket.socket:
    """A connected socket to the first address of a host that answers.

    Raises:
        OSError: none does.
    """
    loop = asyncio.get_running_loop()
    failure: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)  # noqa: FBT003 - takes no name
        try:
            async with asyncio.timeout(address_s):
                await loop.sock_connect(made, address)
            return made
        except OSError as exc:  # a timeout is one, too
            made.close()
            failure = exc
        except BaseException:
            made.close()
            raise
    raise failure


async def _discard(sockets: list[socket.socket]) -> None:
    """Make whoever still holds the sockets close them; a handshake that was given up keeps its transport else."""
    for made in sockets:
        with contextlib.suppress(OSError):
            made.shutdown(socket.SHUT_RDWR)
    for _ in range(_CLOSE_CHECKS):
        if all(made.fileno() < 0 for made in sockets):
            return
        await asyncio.sleep(_CLOSE_CHECK_S)
    for made in sockets:
        made.close()
