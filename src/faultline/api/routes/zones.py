"""Zones: where exposure stands out, now or at any moment that was followed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
import numpy as np
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter, QueryParameter

from faultline.api.bodies import (
    ChainBody,
    ChainBookBody,
    ChainStepBody,
    DivergenceBody,
    VenueDivergenceBody,
    ZoneBody,
    ZoneLifeBody,
    ZonesBody,
)
from faultline.api.context import ApiContext, NotReady
from faultline.api.openapi import FAILURES
from faultline.errors import NotFound
from faultline.store.maps import MapStore
from faultline.store.zones import ZonesNow, ZoneStore, seen_ns
from faultline.units import MILLISECOND_NS
from faultline.zones.divergence import VenueDivergence
from faultline.zones.zone import Zone

if TYPE_CHECKING:
    from faultline.cascades.chain import ChainForecast

__all__ = ("zone", "zones")

_ScopeQuery = Annotated[
    str,
    QueryParameter(
        name="scope",
        description="Asset (BTC) or instrument id (binance:BTCUSDT).",
        min_length=1,
        max_length=64,
    ),
]
_MomentQuery = Annotated[
    int | None,
    QueryParameter(
        ge=0,
        le=4_102_444_800_000,
        description="Milliseconds since 1970; without it, how things stand now.",
        schema_extra={"minimum": 0, "maximum": 4_102_444_800_000},
    ),
]
_SideQuery = Annotated[
    Literal["long", "short"] | None, QueryParameter(description="Only zones of this side's positions.")
]
_LevelQuery = Annotated[
    int | None,
    QueryParameter(
        ge=1,
        le=10,
        description="Only zones of at least this density level.",
        schema_extra={"minimum": 1, "maximum": 10},
    ),
]
_StatesQuery = Annotated[int, QueryParameter(ge=1, le=1_000, description="States at most, the newest.")]
_ZonePath = Annotated[
    str, PathParameter(description="Id of a zone, e.g. BTC-L-gq1k2-0.", min_length=1, max_length=96)
]
_ZONES_OK: Final = ResponseSpec(data_container=ZonesBody, description="Zones", generate_examples=False)


@get(
    "/api/v1/zones",
    responses={200: _ZONES_OK, **FAILURES},
    summary="Zones of a scope, now or at a moment",
    tags=["zones"],
)
async def zones(
    request: Request[Any, Any, Any],
    context: NamedDependency[ApiContext],
    scope_id: _ScopeQuery,
    at_ms: _MomentQuery = None,
    side: _SideQuery = None,
    min_level: _LevelQuery = None,
) -> Response[bytes]:
    """Zones that stand, and now also those that ended a short while ago; an unchanged answer costs a 304."""
    store, now = _present(context, scope_id)
    tag = f'"{now.version}-{int(context.envelope()["stale"])}"'
    headers = {"cache-control": "no-cache", "etag": tag}
    is_past = at_ms is not None and at_ms < now.at_ns // MILLISECOND_NS
    if not is_past and tag in {part.strip() for part in request.headers.get("if-none-match", "").split(",")}:
        return Response(b"", status_code=304, headers=headers)
    found, price_usd, moment_ms = list(now.zones), now.price_usd, now.at_ns // MILLISECOND_NS
    if is_past and at_ms is not None:
        del headers["etag"]
        found = await context.in_thread(store.at, now.run, scope_id, at_ms * MILLISECOND_NS)
        price_usd = await context.in_thread(_price_usd, context.store, scope_id, at_ms * MILLISECOND_NS)
        moment_ms = at_ms
    body = context.body(
        ZonesBody,
        scope=scope_id,
        at_ms=moment_ms,
        price_usd=price_usd,
        tracked_from_ms=None if now.tracked_from_ns is None else now.tracked_from_ns // MILLISECOND_NS,
        zones=[
            _body(each, None if is_past else now.chains.get(each.id))
            for each in found
            if (side is None or each.side == side.upper())
            and (min_level is None or (each.density_level or 0) >= min_level)
        ],
        divergence=None if is_past else _divergence(now),
    )
    return Response(msgspec.json.encode(body), media_type="application/json", headers=headers)


@get("/api/v1/zones/{zone_id:str}", responses=FAILURES, summary="The life of one zone", tags=["zones"])
async def zone(
    context: NamedDependency[ApiContext],
    zone_id: _ZonePath,
    scope_id: _ScopeQuery,
    limit: _StatesQuery = 1_000,
) -> ZoneLifeBody:
    """Its states over time, oldest first, up to the present of the engine: never beyond it in a replay."""
    store, now = _present(context, scope_id)
    states = await context.in_thread(_life, store, now, zone_id, limit)
    if not states:
        raise NotFound(
            f"{scope_id[:64]} has no zone {zone_id[:64]!r}",
            where="zone_id",
            hint="see /api/v1/zones; zones that ended long ago are deleted",
        )
    return context.body(ZoneLifeBody, scope=scope_id, id=zone_id, states=[_body(each) for each in states])


def _present(context: ApiContext, scope: str) -> tuple[ZoneStore, ZonesNow]:
    """The store and the present zones of a scope.

    Raises:
        NotReady: no zones are looked for, or none were published yet.
        NotFound: there is no such scope.
    """
    now = context.zones.latest(scope) if context.zones is not None else None
    if context.zones is None or now is None:
        context.store.check_scope(scope)
        raise NotReady(
            f"the zones of {scope[:64]} are not known yet",
            where="scope",
            hint="wait until the engine is ready; /api/v1/assets lists the scopes",
        )
    return context.zones, now


def _life(store: ZoneStore, now: ZonesNow, zone_id: str, limit: int) -> list[Zone]:
    states = store.history(now.run, now.scope, zone_id, until_ns=now.at_ns, limit=limit)
    present = next((each for each in now.zones if each.id == zone_id), None)
    if present is not None and (not states or seen_ns(states[-1]) < seen_ns(present)):
        states = [*states, present][-limit:]
    return states


def _price_usd(maps: MapStore, scope: str, at_ns: int) -> float | None:
    """Close of the last candle that had ended by then, of the shortest timeframe that reaches back; None where none
    is known.
    """
    for timeframe in maps.timeframes(scope):
        view = maps.candles(scope, timeframe)
        last = (at_ns - view.t0_ns) // view.dt_ns - 1
        if 0 <= last < len(view.values) and np.isfinite(close := view.values[last, 3]):
            return float(close)
    return None


def _divergence(now: ZonesNow) -> DivergenceBody | None:
    """How far the venues' maps lie apart at the present; None where neither side is known."""
    long, short = (
        None
        if side is None
        else VenueDivergenceBody(
            **{name: getattr(side, name) for name in VenueDivergence.__struct_fields__},
            at_ms=side.at_ns // MILLISECOND_NS,
        )
        for side in now.divergence
    )
    return None if long is None and short is None else DivergenceBody(long=long, short=short)


def _body(zone: Zone, chain: ChainForecast | None = None) -> ZoneBody:
    stands = zone.ended_ns is None
    return ZoneBody(
        **{name: getattr(zone, name) for name in Zone.__struct_fields__},
        born_ms=zone.born_ns // MILLISECOND_NS,
        at_ms=zone.at_ns // MILLISECOND_NS,
        ended_ms=None if zone.ended_ns is None else zone.ended_ns // MILLISECOND_NS,
        seen_ms=seen_ns(zone) // MILLISECOND_NS,
        chain=_chain(chain) if chain is not None and stands else None,
    )


def _chain(chain: ChainForecast) -> ChainBody:
    return ChainBody(
        at_ms=chain.time_ns // MILLISECOND_NS,
        book=None
        if chain.book_age_s is None
        else ChainBookBody(
            instruments=list(chain.book), age_s=chain.book_age_s, depth_ratio=chain.depth_ratio
        ),
        funding_z=chain.funding_z,
        frozen=chain.is_frozen,
        steps=[
            ChainStepBody(
                depth=k + 1,
                price_usd=chain.level_usd[k],
                prob=chain.prob[k],
                low=chain.lo[k],
                high=chain.hi[k],
                expected_usd=chain.expected_usd[k + 1],
                delay_s=_finite(chain.delay_s[k][1]),
                needed_usd=_finite(chain.needed_usd[k]),
                needed_from=chain.needed_from[k],
                book_usd=chain.book_usd[k],
                n_at_risk=chain.n_observations[k],
                greyed=chain.is_grey[k],
            )
            for k in range(len(chain.prob))
        ],
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
