"""Status, assets, scores and health: what the engine says about itself."""

from __future__ import annotations

import math
from typing import Annotated, Any, TypeVar

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from faultline.api.bodies import (
    AssetBody,
    AssetsBody,
    HealthBody,
    ReportBody,
    ScorePointBody,
    ScoresBody,
    StatusBody,
)
from faultline.api.context import ApiContext
from faultline.api.metrics import METRICS_TYPE
from faultline.api.openapi import FAILURES
from faultline.errors import NotFound, StoreError

__all__ = ("assets", "livez", "metrics", "readyz", "scores", "status")


_Body = TypeVar("_Body", ReportBody, ScorePointBody)
_HistoryQuery = Annotated[
    str | None,
    QueryParameter(min_length=1, max_length=32, description="Asset whose history of scores is wanted too."),
]


@get("/api/v1/status", responses=FAILURES, summary="State of the engine", tags=["engine"])
async def status(context: NamedDependency[ApiContext]) -> StatusBody:
    """What the engine runs on, whether it is ready, how old its input is, where a replay stands."""
    return context.status_body()


@get("/api/v1/assets", responses=FAILURES, summary="Assets, scopes and timeframes", tags=["engine"])
async def assets(context: NamedDependency[ApiContext]) -> AssetsBody:
    """Everything there is a map of."""
    known = await context.in_thread(context.store.assets)
    return context.body(AssetsBody, assets=[_asset(context, name, scopes) for name, scopes in known.items()])


@get("/api/v1/scores", responses=FAILURES, summary="Measured skill of the map", tags=["engine"])
async def scores(context: NamedDependency[ApiContext], history_of: _HistoryQuery = None) -> ScoresBody:
    """The last evaluation per asset and refresh interval; ``available`` is false where there is none."""
    if context.scores is None:
        return context.body(
            ScoresBody, available=False, reports=[], history=None if history_of is None else []
        )
    kept = await context.in_thread(context.scores.reports)
    past = None if history_of is None else await context.in_thread(context.scores.history, history_of)
    return context.body(
        ScoresBody,
        available=bool(kept),
        reports=[_read(row, ReportBody) for row in kept],
        history=None if past is None else [_read(row, ScorePointBody) for row in past],
    )


@get("/livez", summary="Whether the process answers", tags=["health"], responses=FAILURES)
async def livez(context: NamedDependency[ApiContext]) -> HealthBody:
    """Always 200 while the event loop runs."""
    return context.body(HealthBody, ok=True, reason="")


@get("/readyz", summary="Whether maps can be served", tags=["health"], responses=FAILURES)
async def readyz(context: NamedDependency[ApiContext]) -> Response[HealthBody]:
    """200 when the engine is ready, else 503 with what it is waiting for."""
    state = context.store.status
    is_ready = state.state == "ready"
    reason: str = "" if is_ready else state.state
    if state.progress is not None and not is_ready:
        reason = f"{state.state}: {state.progress.label}"
    if state.error is not None:
        reason = f"{state.state}: {state.error.message}"
    body = context.body(HealthBody, ok=is_ready, reason=reason)
    return Response(body, status_code=200 if is_ready else 503)


@get(
    "/metrics",
    summary="Prometheus metrics",
    tags=["health"],
    media_type=METRICS_TYPE,
    include_in_schema=False,
)
async def metrics(context: NamedDependency[ApiContext]) -> Response[bytes]:
    """Counters of requests, streams, bus and store."""
    return Response(await context.in_thread(context.metrics.text), media_type=METRICS_TYPE)


def _asset(context: ApiContext, name: str, scopes: tuple[str, ...]) -> AssetBody:
    store = context.store
    stored = [scope for scope in scopes if store.timeframes(scope)]
    prices = [price for scope in stored if math.isfinite(price := store.last_price_usd(scope))]
    timeframes = [tf for scope in stored[:1] for tf in store.timeframes(scope)]
    return AssetBody(
        asset=name,
        price_usd=prices[0] if prices else None,
        row_usd=_row_usd(context, stored[0], timeframes[0]) if timeframes else None,
        scopes=stored,
        timeframes=timeframes,
    )


def _row_usd(context: ApiContext, scope: str, timeframe: str) -> float | None:
    try:
        return context.store.row_usd(scope, timeframe)
    except NotFound:
        return None


def _read(row: dict[str, Any], body: type[_Body]) -> _Body:
    try:
        return msgspec.convert(row, body)
    except msgspec.ValidationError as exc:
        raise StoreError(
            f"a kept evaluation cannot be read: {exc}", where="scores", hint="run `faultline evaluate` again"
        ) from exc
