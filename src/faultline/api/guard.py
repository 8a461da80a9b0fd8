"""Every request in, only those that may pass out, with a time limit and the headers a browser needs.

Checks in order: ``Host`` on the allow-list (a page that rebinds its name to this machine is refused), length
of path and query, parameters given twice, length of the declared body, ``Origin`` on writes and streams, key.
Health checks skip host and key.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import msgspec

from faultline.api.keys import is_known_key, presented_key
from faultline.api.problems import PROBLEM_TYPE, problem_body

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Message, Receive, Scope, Send

    from faultline.api.context import ApiContext

__all__ = ("CONTENT_SECURITY_POLICY", "Guard")

#: Nothing from elsewhere, no inline script; inline style is what the chart library sets.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; connect-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_HEALTH_PATHS: Final = frozenset({"/livez", "/readyz"})
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: Query parameters that may be given more than once.
_REPEATABLE: Final = frozenset({"type"})
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_KEY_CHALLENGE: Final = (b"www-authenticate", b'Basic realm="Faultline: any name, the key as password"')


class Guard:
    """ASGI application around another one."""

    def __init__(self, inner: ASGIApp, context: ApiContext) -> None:
        self._inner = inner
        self._context = context
        settings = context.settings
        self._hosts = (
            _LOOPBACK_NAMES | {_host_name(settings.host)} | {name.lower() for name in settings.allowed_hosts}
        )
        self._origins = {origin.lower().rstrip("/") for origin in settings.allowed_origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, then pass on."""
        kind = str(scope["type"])
        if kind not in {"http", "websocket"}:
            await self._inner(scope, receive, send)
            return
        refusal = self._refusal(scope, dict(scope["headers"]), is_stream=kind == "websocket")
        if refusal is not None:
            self._context.metrics.count_refused(refusal[1])
            await _refuse(self._context, scope, send, *refusal)
        elif kind == "websocket":
            await self._inner(scope, receive, send)
        else:
            await self._timed(scope, receive, send)

    def _refusal(
        self, scope: Scope, headers: dict[bytes, bytes], *, is_stream: bool
    ) -> tuple[int, str, str, str] | None:
        """Status, code, detail and hint of a refusal; None where the request may pass."""
        settings = self._context.settings
        is_health = scope["path"] in _HEALTH_PATHS
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not is_health and _host_name(host) not in self._hosts:
            return (
                403,
                "host_not_allowed",
                "this name is not on the list of hosts",
                "add it to api.allowed_hosts",
            )
        if (
            len(scope["path"]) > settings.path_chars_max
            or len(scope["query_string"]) > settings.query_chars_max
        ):
            return (
                414,
                "too_long",
                "the address is too long",
                f"query up to {settings.query_chars_max} characters",
            )
        repeated = _repeated(scope["query_string"])
        if repeated:
            return 400, "repeated_parameter", f"the parameter {repeated!r} is given twice", "give it once"
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or int(declared[:20]) > settings.body_bytes_max:
            return 413, "body_too_large", "the body is too large", f"up to {settings.body_bytes_max} bytes"
        writes = is_stream or scope.get("method") not in _SAFE_METHODS
        if writes and not self._same_origin(headers, host):
            return 403, "origin_not_allowed", "another site may not do this", "add it to api.allowed_origins"
        if (
            settings.key_hashes
            and not is_health
            and not is_known_key(presented_key(headers), settings.key_hashes)
        ):
            return (
                401,
                "key_required",
                "a valid API key is required",
                "send X-API-Key, or the key as Basic password",
            )
        return None

    def _same_origin(self, headers: dict[bytes, bytes], host: str) -> bool:
        if (
            headers.get(b"sec-fetch-site", b"none") not in {b"none", b"same-origin"}
            and b"origin" not in headers
        ):
            return False
        if b"origin" not in headers:
            return True
        origin = headers[b"origin"].decode("latin-1").lower()
        return origin in self._origins or origin in {f"http://{host}", f"https://{host}"}

    async def _timed(self, scope: Scope, receive: Receive, send: Send) -> None:
        started_s = time.monotonic()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        try:
            async with asyncio.timeout(self._context.settings.timeout_s):
                await self._inner(scope, receive, send_with_headers)
        except TimeoutError:
            if not status:
                limit_s = self._context.settings.timeout_s
                detail = f"no answer within {limit_s:g} s"
                await _refuse(self._context, scope, send, 504, "timeout", detail, "ask for less")
                status = 504
        route = str(scope.get("path_template") or "unmatched")
        self._context.metrics.count_request(
            str(scope.get("method")), route, status, time.monotonic() - started_s
        )


def _repeated(query: bytes) -> str:
    """Name of a single-valued parameter that is given more than once, empty where none is: which one is meant?"""
    names = Counter(name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    return next((name for name, n in names.items() if n > 1 and name not in _REPEATABLE), "")[:64]


def _host_name(host: str) -> str:
    """Host without its port, in lower case; IPv6 addresses keep their brackets."""
    name = host.lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return f"[{name}]" if name.count(":") > 1 else name.partition(":")[0]


async def _refuse(
    context: ApiContext, scope: Scope, send: Send, status: int, code: str, detail: str, hint: str
) -> None:
    if str(scope["type"]) == "websocket":
        closing: Any = {"type": "websocket.close", "code": 1008, "reason": code}
        await send(closing)
        return
    body = msgspec.json.encode(problem_body(context, status, code, detail, where=scope["path"], hint=hint))
    headers = [
        (b"content-type", PROBLEM_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        *_HEADERS,
    ]
    if status == 401:
        headers.append(_KEY_CHALLENGE)
    start: Any = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    content = b"" if scope.get("method") == "HEAD" else body
    finish: Any = {"type": "http.response.body", "body": content, "more_body": False}
    await send(finish)
