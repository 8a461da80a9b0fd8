"""Events: the log of what was detected, in pages."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from faultline.api.bodies import EventBody, EventsBody
from faultline.api.context import ApiContext, NotReady
from faultline.api.openapi import FAILURES
from faultline.signals.events import EventType
from faultline.store.events import EventStore, StoredEvent
from faultline.units import MILLISECOND_NS

__all__ = ("events",)

#: A number in the log, or the id of an event.
_PLACE_PATTERN = "^([0-9]{1,18}|[0-9a-f]{24})$"
_ID_CHARS = 24

_AfterQuery = Annotated[
    str | None,
    QueryParameter(
        pattern=_PLACE_PATTERN,
        description="Only events after this one (seq or id), oldest first.",
        schema_extra={"pattern": _PLACE_PATTERN},
    ),
]
_BeforeQuery = Annotated[
    str | None,
    QueryParameter(
        pattern=_PLACE_PATTERN,
        description="Only events before this one (seq or id).",
        schema_extra={"pattern": _PLACE_PATTERN},
    ),
]
_TypeQuery = Annotated[
    list[EventType] | None,
    QueryParameter(
        name="type",
        max_items=32,
        description="Only events of these types; may be repeated.",
        schema_extra={"max_items": 32},
    ),
]
_AssetQuery = Annotated[
    str | None,
    QueryParameter(
        min_length=1,
        max_length=32,
        description="Only events of this asset, e.g. BTC.",
        schema_extra={"min_length": 1, "max_length": 32},
    ),
]
_MomentQuery = Annotated[
    int | None,
    QueryParameter(
        ge=0,
        le=4_102_444_800_000,
        description="Detected at or after from_ms, before to_ms: milliseconds since 1970.",
        schema_extra={"minimum": 0, "maximum": 4_102_444_800_000},
    ),
]
_LimitQuery = Annotated[int, QueryParameter(ge=1, le=1_000, description="Events at most.")]


@get("/api/v1/events", responses=FAILURES, summary="Events that were detected", tags=["events"])
async def events(
    context: NamedDependency[ApiContext],
    after_id: _AfterQuery = None,
    before_id: _BeforeQuery = None,
    event_type: _TypeQuery = None,
    asset: _AssetQuery = None,
    from_ms: _MomentQuery = None,
    to_ms: _MomentQuery = None,
    limit: _LimitQuery = 100,
) -> EventsBody:
    """The newest events, newest first; with ``after_id`` what followed it, oldest first. ``last_seq`` was the
    newest of the log before this answer was read: follow the stream from there.
    """
    store = context.events
    if store is None:
        raise NotReady(
            "there are no events here", where="/api/v1/events", hint="start the engine with a store"
        )
    last_seq = store.last_seq
    found = await context.in_thread(
        _read, store, after_id, before_id, event_type, asset, _ns(from_ms), _ns(to_ms), limit
    )
    return context.body(EventsBody, events=[_body(stored) for stored in found], last_seq=last_seq)


def _read(
    store: EventStore,
    after_id: str | None,
    before_id: str | None,
    types: list[EventType] | None,
    asset: str | None,
    from_ns: int | None,
    to_ns: int | None,
    limit: int,
) -> list[StoredEvent]:
    before_seq = None if before_id is None else _seq(store, before_id)
    if after_id is None:
        return store.newest(limit, before_seq, types, asset, from_ns, to_ns)
    after_seq = _seq(store, after_id)
    return store.after(after_seq, limit, types, asset, before_seq=before_seq, from_ns=from_ns, to_ns=to_ns)


def _seq(store: EventStore, place: str) -> int:
    return store.seq_of(place) if len(place) == _ID_CHARS else int(place)


def _ns(moment_ms: int | None) -> int | None:
    return None if moment_ms is None else moment_ms * MILLISECOND_NS


def _body(stored: StoredEvent) -> EventBody:
    event = stored.event()
    return EventBody(**msgspec.structs.asdict(event), seq=stored.seq)
