"""An exception in, a problem+json answer out: the one place that decides about status codes."""

from __future__ import annotations

import http
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from faultline.api.bodies import ProblemBody
from faultline.api.context import ApiContext, NotReady
from faultline.errors import ConfigError, FaultlineError, NotFound, RequestError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("PROBLEM_TYPE", "exception_map", "problem_body")

#: Media type of every error.
PROBLEM_TYPE: Final = "application/problem+json"

_LOG: Final = structlog.get_logger("faultline.api")
_STATUS_BY_ERROR: Final[tuple[tuple[type[FaultlineError], int], ...]] = (
    (NotReady, 503),
    (NotFound, 404),
    (RequestError, 400),
    (ConfigError, 400),
    (StoreError, 503),
)
_DETAIL_CHARS: Final = 300


def problem_body(
    context: ApiContext, status: int, code: str, detail: str, *, where: str = "", hint: str = ""
) -> ProblemBody:
    """The body of an error."""
    title = http.HTTPStatus(status).phrase
    return context.body(
        ProblemBody,
        type="about:blank",
        title=title,
        status=status,
        detail=detail[:_DETAIL_CHARS],
        code=code,
        where=where[:_DETAIL_CHARS],
        hint=hint[:_DETAIL_CHARS],
    )


def exception_map(context: ApiContext) -> dict[int | type[Exception], Callable[..., Response[Any]]]:
    """What litestar does with each exception."""

    def answer(
        status: int, code: str, detail: str, where: str, hint: str, headers: dict[str, str]
    ) -> Response[Any]:
        body = problem_body(context, status, code, detail, where=where, hint=hint)
        return Response(
            msgspec.json.encode(body), status_code=status, media_type=PROBLEM_TYPE, headers=headers
        )

    def on_faultline(_: Request[Any, Any, Any], exc: FaultlineError) -> Response[Any]:
        status = next((status for kind, status in _STATUS_BY_ERROR if isinstance(exc, kind)), 500)
        headers = {"retry-after": "2"} if status == 503 else {}
        return answer(status, exc.code, exc.user_message, exc.where, exc.hint, headers)

    def on_http(request: Request[Any, Any, Any], exc: HTTPException) -> Response[Any]:
        where, hint = request.url.path, "see /api/v1/openapi.json"
        if isinstance(exc, ValidationException) and isinstance(exc.extra, list) and exc.extra:
            first = exc.extra[0]
            if isinstance(first, dict):
                where, hint = str(first.get("key", where)), str(first.get("message", hint))
        code = http.HTTPStatus(exc.status_code).name.lower()
        detail = exc.detail if exc.status_code < 500 else "the request could not be answered"
        return answer(exc.status_code, code, detail, where, hint, dict(exc.headers or {}))

    def on_nesting(request: Request[Any, Any, Any], _: RecursionError) -> Response[Any]:
        detail = "the body is nested too deeply"
        return answer(400, "bad_request", detail, request.url.path, "see /api/v1/openapi.json", {})

    def on_bug(request: Request[Any, Any, Any], exc: Exception) -> Response[Any]:
        context.metrics.count_bug()
        _LOG.error("request failed", path=request.url.path, error=type(exc).__name__, exc_info=exc)
        return answer(
            500, "internal", "the server made a mistake; its log says which", request.url.path, "", {}
        )

    return {
        FaultlineError: on_faultline,
        HTTPException: on_http,
        RecursionError: on_nesting,
        Exception: on_bug,
    }
