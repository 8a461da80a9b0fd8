"""An address in, whether Faultline may and can listen on it out."""

from __future__ import annotations

import errno
import http.client
import json
import socket
from typing import TYPE_CHECKING, Final

from faultline.api.keys import hash_key
from faultline.api.settings import ApiSettings, check_bind, is_loopback
from faultline.cli.checks.outcome import Outcome, fail, ok, warn
from faultline.errors import ConfigError

if TYPE_CHECKING:
    from faultline.config import Settings

__all__ = ("check_access", "check_port")

_ANSWER_LIMIT_S: Final = 2.0
_ANSWER_BYTES_MAX: Final = 65_536


def check_access(settings: Settings, host: str) -> Outcome:
    """Who could reach the API on that address, and whether a key keeps strangers out."""
    try:
        keys = () if settings.api_key is None else (hash_key(settings.api_key),)
        check_bind(ApiSettings(host=host, key_hashes=keys, allowed_hosts=settings.allowed_hosts))
    except ConfigError as exc:
        fix = "set FAULTLINE_API_KEY (`python -c 'from faultline.api.keys import new_key; print(new_key())'`)"
        return fail(
            "access", exc.user_message, fix if is_loopback(host) else f"{fix}, or listen on 127.0.0.1"
        )
    odd = [name for name in settings.allowed_hosts if "/" in name or name.count(":") == 1]
    if odd:
        fix = "names only, without scheme and port: FAULTLINE_ALLOWED_HOSTS=map.example.org"
        return warn("access", f"allowed hosts that no request can have: {', '.join(odd)}", fix)
    who = "this machine only" if is_loopback(host) else f"everyone who can reach {host}"
    return ok("access", f"{who}, {'with the key' if keys else 'without a key'}")


def check_port(host: str, port: int) -> Outcome:
    """Whether the port is free; one that Faultline itself has is no problem."""
    name = host.strip("[]")
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((name, port))
            probe.listen(1)
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                return _occupied(name, port)
            fix = "choose another with --host and --port"
            return fail("port", f"cannot listen on {host}:{port}: {exc.strerror}", fix)
    return ok("port", f"{host}:{port} is free")


def _occupied(host: str, port: int) -> Outcome:
    market = _served_market({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port)  # noqa: S104 - compared, not bound
    if market is not None:
        return ok("port", f"Faultline is running on {host}:{port} already, with {market}")
    fix = f"stop the program that has it (`ss -ltnp 'sport = :{port}'`), or choose another with --port"
    return fail("port", f"another program listens on {host}:{port}", fix)


def _served_market(host: str, port: int) -> str | None:
    """What the Faultline on that port shows; None where it does not answer as Faultline does."""
    connection = http.client.HTTPConnection(host, port, timeout=_ANSWER_LIMIT_S)
    try:
        connection.request("GET", "/livez")
        body = json.loads(connection.getresponse().read(_ANSWER_BYTES_MAX))
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    if (
        not isinstance(body, dict)
        or body.get("ok") is not True
        or not {"simulated", "as_of_ns"} <= body.keys()
    ):
        return None
    return "a simulated market" if body["simulated"] else "a recorded or live market"
