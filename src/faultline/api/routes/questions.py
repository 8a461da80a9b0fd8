"""Cell, profile and replay: questions and orders that the pipeline answers."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from faultline.api.bodies import CellBody, ProfileBody, ReplayRequest, StatusBody
from faultline.api.context import ApiContext, NotReady, plain
from faultline.api.openapi import FAILURES, ScopePath, TimeframePath
from faultline.errors import NotFound, RequestError
from faultline.units import MILLISECOND_NS

__all__ = ("cell", "profile", "replay")

_TimeQuery = Annotated[
    int,
    QueryParameter(ge=0, le=4_102_444_800_000, description="Milliseconds since 1970, before the year 2100."),
]
_PriceQuery = Annotated[float, QueryParameter(gt=0, le=1e12, description="Price in USD.")]


@get(
    "/api/v1/cell/{scope_id:str}/{tf:str}",
    responses=FAILURES,
    summary="One cell, exactly",
    tags=["questions"],
)
async def cell(
    context: NamedDependency[ApiContext],
    scope_id: ScopePath,
    tf: TimeframePath,
    t_ms: _TimeQuery,
    price: _PriceQuery,
) -> CellBody:
    """What stands in one cell: USD by side, venue and leverage band, when it was opened, where the numbers
    come from.
    """
    explain = context.store.explain
    if explain is None:
        raise NotReady(
            "cells cannot be explained yet", where="/api/v1/cell", hint="wait until the engine is ready"
        )
    context.store.keys(scope_id, tf)
    found: Any = await context.in_thread(explain, scope_id, tf, t_ms * MILLISECOND_NS, price)
    if found is None:
        raise NotFound(
            "that cell is not kept any more",
            where="t_ms",
            hint="ask for a newer column, or one inside the map",
        )
    fields = plain(found)
    for side in ("long", "short"):
        if fields.get(f"real_{side}_usd") is None:
            real = context.store.cell_usd(scope_id, tf, "real", side, t_ms * MILLISECOND_NS, price)
            fields[f"real_{side}_usd"] = real
    return msgspec.convert({**fields, **context.envelope()}, CellBody)


@get(
    "/api/v1/profile/{scope_id:str}", responses=FAILURES, summary="Exposure by price, now", tags=["questions"]
)
async def profile(context: NamedDependency[ApiContext], scope_id: ScopePath) -> ProfileBody:
    """The newest column as a profile with its interval."""
    ask = context.store.profile_of
    if ask is None:
        raise NotReady(
            "the profile is not known yet", where="/api/v1/profile", hint="wait until the engine is ready"
        )
    context.store.check_scope(scope_id)
    found: Any = await context.in_thread(ask, scope_id)
    if found is None:
        raise NotFound(f"there is no profile of {scope_id}", where="scope", hint="see /api/v1/assets")
    return msgspec.convert({**plain(found), **context.envelope()}, ProfileBody)


@post("/api/v1/replay", responses=FAILURES, summary="Steer a replay", tags=["questions"], status_code=200)
async def replay(
    request: Request[Any, Any, Any], context: NamedDependency[ApiContext], data: JSONBody[ReplayRequest]
) -> StatusBody:
    """Jump (``at_ns`` or ``at_ms``), change speed, or pause; answers with the status after it."""
    if request.content_type[0] != "application/json":
        raise RequestError("the body must be JSON", where="content-type", hint="send application/json")
    order = data.order()
    if len(order) != 1:
        raise RequestError(
            "one order at a time", where="body", hint="exactly one of at_ns, at_ms, speed, pause"
        )
    control = context.store.control
    if control is None:
        raise NotReady(
            "nothing is being replayed", where="/api/v1/replay", hint="start with `faultline serve --replay`"
        )
    position = context.store.status.replay
    at_ns = order.get("at_ns")
    if at_ns is not None and position is not None and not position.from_ns <= at_ns <= position.to_ns:
        ends = f"{position.from_ns // MILLISECOND_NS} to {position.to_ns // MILLISECOND_NS} ms"
        raise RequestError("that time is not in the recording", where="at_ns", hint=f"from {ends}")
    answer = await context.in_thread(control, order)
    if asyncio.iscoroutine(answer):
        await answer
    return context.status_body()
