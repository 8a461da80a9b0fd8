"""What went wrong with a venue in, whether reconnecting can help and one sentence for people out.

``Blocked`` is not ``quiet``: a venue that refuses us, a name that does not resolve and a certificate that is not the
venue's look like silence to whoever only counts rows.
"""

from __future__ import annotations

import socket
import ssl
from typing import ClassVar, Final

from picows import WSError, WSHandshakeError

from faultline.errors import ConnectionLost, RateLimited, SourceError

__all__ = ("Blocked", "failure_of", "first_of", "place_of", "refusal_of", "retry_after_s")

_FORBIDDEN: Final = frozenset({403, 451})
#: 418 is Binance's word for an address that went on after 429.
_SLOWER: Final = frozenset({418, 429})
_RETRY_S: Final = 10.0
_RETRY_S_MOST: Final = 3 * 86_400.0


class Blocked(SourceError):
    """The venue, or something on the way to it, refuses us: by country, by address, by name or by certificate."""

    code: ClassVar[str] = "blocked"


def retry_after_s(header: str | None) -> float:
    """Seconds of a ``Retry-After`` header; 10 where there is none or it is a date or nonsense."""
    try:
        seconds = float(header) if header else _RETRY_S
    except ValueError:
        seconds = _RETRY_S
    return min(max(seconds, 0.0), _RETRY_S_MOST) if seconds == seconds else _RETRY_S  # noqa: PLR0124 - NaN


def place_of(url: str) -> str:
    """An address for people and logs: without its query, which may hold a token."""
    return url.partition("?")[0]


def refusal_of(status: int, retry_after: str | None, where: str) -> SourceError | None:
    """The failure that an HTTP status means; None where the status is fine."""
    if status < 300:
        return None
    if status in _FORBIDDEN:
        hint = "venues refuse some countries and addresses; Faultline offers no way around"
        return Blocked(f"the venue refuses us with HTTP {status}", where=where, hint=hint)
    if status in _SLOWER:
        seconds = retry_after_s(retry_after)
        message = f"the venue asks us to wait {seconds:g} s (HTTP {status})"
        return RateLimited(message, retry_after_s=seconds, where=where)
    return ConnectionLost(f"the venue answered HTTP {status}", where=where)


def failure_of(exc: BaseException, where: str) -> SourceError:
    """Any failure of a connection or request as a ``SourceError`` that says what it was."""
    if isinstance(exc, SourceError):
        return exc
    for cause in _causes(exc):
        if isinstance(cause, socket.gaierror):
            hint = "check the network and its name server; some networks do not resolve the names of venues"
            return Blocked("the venue's name does not resolve", where=where, hint=hint)
        if isinstance(cause, ssl.SSLCertVerificationError):
            hint = "something answers in the venue's place, or this machine's clock or certificates are wrong"
            return Blocked(f"the certificate is refused: {cause.verify_message}", where=where, hint=hint)
    if isinstance(exc, WSHandshakeError) and exc.response is not None:
        headers = exc.response.headers
        found = refusal_of(int(exc.response.status), headers.get("Retry-After"), where)
        if found is not None:
            return found
    if isinstance(exc, TimeoutError):
        return ConnectionLost("no answer in time", where=where)
    if isinstance(exc, ConnectionRefusedError):
        return ConnectionLost("the connection is refused", where=where)
    if isinstance(exc, WSError):
        return ConnectionLost(f"not WebSocket as we know it: {_words(exc)}", where=where)
    return ConnectionLost(f"{type(exc).__name__}: {_words(exc)}", where=where)


def first_of(exc: BaseException) -> BaseException:
    """The failure itself, or of a group the first that says why, else the first at all."""
    found: list[BaseException] = []
    waiting = [exc]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
        else:
            found.append(one)
    return next((one for one in found if isinstance(one, SourceError)), found[0])


def _causes(exc: BaseException) -> list[BaseException]:
    """The failure, what led to it, and their parts."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [exc]
    while waiting and len(found) < 32:
        one = waiting.pop()
        if one is None or one in found:
            continue
        found.append(one)
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
    return found


def _words(exc: BaseException) -> str:
    return " ".join(str(exc).split())[:200] or "no details"
