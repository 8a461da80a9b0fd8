"""REST requests of a venue in, bounded answers out: within the venue's budget, and never again too soon.

A request waits for its budget rather than fail. ``429`` and ``418`` make every request of the venue wait as long as the
venue asks; failures of the network and of the venue (5xx) are tried again a few times; ``403`` and ``451`` are not.
Proxies of the environment are not used, and redirects are not followed.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlencode

import httpx
import structlog

from faultline.errors import ConfigError, ConnectionLost, RateLimited, SourceError
from faultline.sources.failures import Blocked, failure_of, refusal_of
from faultline.sources.mapper import FRAME_BYTES_MAX
from faultline.sources.pacing import Backoff, Budget

if TYPE_CHECKING:
    import random
    import ssl
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from faultline.sources.pacing import Patience, Timer
    from faultline.sources.plan import Limits, Request

__all__ = ("ANSWER_BYTES_MAX", "RestClient")

_LOG = structlog.get_logger(__name__)
#: A longer answer is refused; listings of some venues are long.
ANSWER_BYTES_MAX: Final = 4 * FRAME_BYTES_MAX
_ATTEMPTS: Final = 3
#: A ban that is longer than this is told to the caller rather than waited for.
_WAIT_S_MOST: Final = 120.0
_AGENT: Final = "faultline"
_ACCEPTED: Final = frozenset({"", "identity", "gzip", "deflate"})


class RestClient:
    """REST of one venue; an async context manager.

    Args:
        rest: addresses by name.
        limits: the venue's budget.
        patience: timeouts and back-off.
        timer: tells the time and waits.
        rng: chance of the back-off.
        ssl_context: certificates to trust; None for those httpx brings.
        count: called with whether a request succeeded, after each.
    """

    def __init__(
        self,
        rest: Mapping[str, str],
        limits: Limits,
        patience: Patience,
        *,
        timer: Timer,
        rng: random.Random,
        ssl_context: ssl.SSLContext | None = None,
        count: Callable[[bool], None] | None = None,
    ) -> None:
        self.budget = Budget(limits.rest_weight, limits.rest_window_s, timer)
        self._rest, self._patience, self._timer, self._rng = dict(rest), patience, timer, rng
        self._count = count
        self._closed_until_s = float("-inf")
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(patience.request_s),
            verify=True if ssl_context is None else ssl_context,
            follow_redirects=False,
            trust_env=False,
            headers={"user-agent": _AGENT, "accept-encoding": "gzip"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def fetch(self, request: Request, share: float = 1.0) -> bytes:
        """The body of the answer; ``share`` is the part of the budget that the request may use up.

        Raises:
            Blocked: the venue or the network refuses us.
            RateLimited: the venue told us to stay away for longer than two minutes.
            ConnectionLost: three attempts failed, or the venue answered with another error or too much.
        """
        url = self._url(request)
        backoff = Backoff(self._patience, self._rng)
        while True:
            await self._wait_for_leave(url)
            await self.budget.take(request.weight, share)
            try:
                return await self._ask(request, url)
            except RateLimited as exc:
                self._closed_until_s = max(self._closed_until_s, self._timer.now_s() + exc.retry_after_s)
                backoff.n_failures += 1
                failure: SourceError = exc
            except Blocked:
                raise
            except _Retry as exc:
                failure = exc.failure
                if backoff.n_failures < _ATTEMPTS - 1:
                    await self._timer.sleep(backoff.next_s())
                else:
                    backoff.n_failures += 1
            if backoff.n_failures >= _ATTEMPTS:
                raise failure

    def _url(self, request: Request) -> str:
        base = self._rest.get(request.base)
        if base is None:
            hint = f"There are {', '.join(sorted(self._rest))}."
            raise ConfigError(f"there is no REST address {request.base!r}", where=request.path, hint=hint)
        query = f"?{urlencode(request.query)}" if request.query else ""
        return base.rstrip("/") + request.path + query

    async def _wait_for_leave(self, url: str) -> None:
        """Wait until the venue lets us ask again.

        Raises:
            RateLimited: that takes too long.
        """
        while (left_s := self._closed_until_s - self._timer.now_s()) > 0.0:
            if left_s > _WAIT_S_MOST:
                message = f"the venue told us to stay away for {left_s:.0f} s more"
                raise RateLimited(message, retry_after_s=left_s, where=url)
            await self._timer.sleep(left_s)

    async def _ask(self, request: Request, url: str) -> bytes:
        """One attempt.

        Raises:
            Blocked: the venue or the network refuses us.
            RateLimited: the venue asks us to wait.
            ConnectionLost: trying again cannot help.
            _Retry: trying again may help.
        """
        is_fine = False
        try:
            async with asyncio.timeout(self._patience.answer_s):
                body = await self._exchange(request, url)
            is_fine = True
            return body
        except (httpx.HTTPError, TimeoutError, OSError, zlib.error) as exc:
            failure = failure_of(_as_timeout(exc), url)
            if isinstance(failure, Blocked):
                raise failure from exc
            raise _Retry(failure) from exc
        finally:
            if self._count is not None:
                self._count(is_fine)

    async def _exchange(self, request: Request, url: str) -> bytes:
        headers = dict(request.headers)
        if request.body is not None:
            headers.setdefault("content-type", "application/json")
        method = "GET" if request.body is None else "POST"
        async with self._client.stream(method, url, content=request.body, headers=headers) as answer:
            refused = refusal_of(answer.status_code, answer.headers.get("retry-after"), url)
            if refused is not None:
                if answer.status_code >= 500:
                    raise _Retry(refused)
                raise refused
            return await _bounded(answer, url)


class _Retry(Exception):
    """An attempt failed in a way that may pass."""

    def __init__(self, failure: SourceError) -> None:
        super().__init__(str(failure))
        self.failure = failure


async def _bounded(answer: httpx.Response, url: str) -> bytes:
    """The body, decompressed here so that it can be bounded.

    Raises:
        ConnectionLost: it is too long, or compressed in a way that was not asked for.
    """
    coding = answer.headers.get("content-encoding", "").strip().lower()
    if coding not in _ACCEPTED:
        raise ConnectionLost(f"an answer in an encoding we did not ask for: {coding[:40]!r}", where=url)
    # 32 + 15: zlib finds out itself whether the header is gzip's or its own.
    stream = zlib.decompressobj(47) if coding in {"gzip", "deflate"} else None
    body = bytearray()
    async for piece in answer.aiter_raw():
        room = ANSWER_BYTES_MAX + 1 - len(body)
        body += piece[:room] if stream is None else stream.decompress(piece, room)
        if len(body) > ANSWER_BYTES_MAX:
            raise ConnectionLost(f"the answer is longer than {ANSWER_BYTES_MAX} bytes", where=url)
    if stream is not None and not stream.eof:
        raise httpx.ReadError("the compressed answer is cut short")
    return bytes(body)


def _as_timeout(exc: BaseException) -> BaseException:
    """The failure, with httpx's own timeouts as Python's."""
    if isinstance(exc, httpx.TimeoutException):
        return TimeoutError(str(exc))
    return exc
