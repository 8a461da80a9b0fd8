"""Where the numbers come from: venues, their connections and what they cannot give."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from faultline.api.context import ApiContext, NotReady, plain
from faultline.api.openapi import FAILURES
from faultline.api.source_bodies import SourcesBody

__all__ = ("sources",)

_BriefQuery = Annotated[
    bool,
    QueryParameter(description="Only the state of each venue: no channels, connections and coverage."),
]
#: What a venue's body is long for.
_LONG = ("channels", "sockets", "coverage", "absent", "refusals")


@get("/api/v1/sources", responses=FAILURES, summary="Venues and how their feeds fare", tags=["engine"])
async def sources(context: NamedDependency[ApiContext], *, brief: _BriefQuery = False) -> SourcesBody:
    """Of every venue: live, quiet, partial, stale, blocked or down, since when, and what it cannot give."""
    ask = context.store.sources_of
    if ask is None:
        raise NotReady(
            "no source is known yet", where="/api/v1/sources", hint="wait until the engine is ready"
        )
    found: Any = await context.in_thread(ask)
    if brief:
        found = {**found, "venues": [{**venue, **dict.fromkeys(_LONG, ())} for venue in found["venues"]]}
    return msgspec.convert({**plain(found), **context.envelope()}, SourcesBody)
