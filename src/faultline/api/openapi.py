"""Nothing in, what all routes declare alike out: path parameters and the failures they can answer with."""

from __future__ import annotations

from typing import Annotated, Final

from litestar.openapi import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.params import PathParameter

from faultline.api.bodies import ProblemBody

__all__ = ("FAILURES", "ScopePath", "TimeframePath", "openapi_config")

#: Path parameter: an asset or an instrument id.
ScopePath = Annotated[
    str,
    PathParameter(description="Asset (BTC) or instrument id (binance:BTCUSDT).", min_length=1, max_length=64),
]
#: Path parameter: a timeframe.
TimeframePath = Annotated[
    str, PathParameter(description="Timeframe, e.g. 1m, 5m, 1h.", min_length=2, max_length=4)
]

_PROBLEM_TYPE: Final = "application/problem+json"


def _failure(description: str) -> ResponseSpec:
    return ResponseSpec(
        data_container=ProblemBody, description=description, media_type=_PROBLEM_TYPE, generate_examples=False
    )


#: Failures every route can answer with.
FAILURES: Final[dict[int, ResponseSpec]] = {
    400: _failure("The request cannot be answered as asked."),
    401: _failure("A valid API key is required."),
    403: _failure("The host or the origin is not allowed."),
    404: _failure("What was asked for does not exist; the hint names the nearest."),
    413: _failure("The body is too large."),
    414: _failure("The address is too long."),
    500: _failure("The server made a mistake."),
    503: _failure("The engine cannot answer that yet."),
    504: _failure("The answer took too long."),
}


def openapi_config(version: str) -> OpenAPIConfig:
    """Where and how the API describes itself: ``/api/v1/openapi.json`` only, no page that loads scripts."""
    return OpenAPIConfig(
        title="Faultline",
        version=version,
        summary="Where leveraged positions are forced out of the market.",
        path="/api/v1/openapi.json",
        render_plugins=[JsonRenderPlugin(path="/")],
        use_handler_docstrings=True,
    )
