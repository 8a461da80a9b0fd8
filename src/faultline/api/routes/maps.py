"""Heat, legend and candles: what a chart draws."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
import numpy as np
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromQuery, PathParameter, QueryParameter

from faultline.api.bodies import CandlesBody, HeatBody, LegendBody
from faultline.api.context import ApiContext, plain
from faultline.api.openapi import FAILURES, ScopePath, TimeframePath
from faultline.errors import NotFound
from faultline.store.columns import CANDLE_FIELDS, COLUMNS_MAX
from faultline.store.lhm1 import ENCODINGS, PLANES
from faultline.units import MILLISECOND_NS

if TYPE_CHECKING:
    from faultline.store.lhm1 import Snapshot
    from faultline.store.scale import Legend

__all__ = ("HEAT_TYPE", "candles", "chosen_encoding", "heat", "legend")

#: Media type of a snapshot.
HEAT_TYPE: Final = "application/vnd.faultline.lhm1"

_FILE_PATTERN: Final = r"^(real|synthetic|smooth|walls)\.(bin|json)$"
_FilePath = Annotated[
    str,
    PathParameter(description="Plane and format, e.g. synthetic.bin.", pattern=_FILE_PATTERN, max_length=16),
]
_ColumnsQuery = Annotated[
    int, QueryParameter(ge=1, le=COLUMNS_MAX, description="How many of the newest columns; only for .json.")
]
_HEAT_OK: Final = ResponseSpec(
    data_container=HeatBody, description="LHM1 bytes for .bin, numbers for .json", generate_examples=False
)
_WEIGHT: Final = re.compile(r"^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$")


@get(
    "/api/v1/heat/{scope_id:str}/{tf:str}/{plane_file:str}",
    responses={200: _HEAT_OK, **FAILURES},
    summary="One plane of a liquidation map",
    tags=["maps"],
)
async def heat(
    request: Request[Any, Any, Any],
    context: NamedDependency[ApiContext],
    scope_id: ScopePath,
    tf: TimeframePath,
    plane_file: _FilePath,
    side: FromQuery[Literal["long", "short", "both"]] = "both",
    columns: _ColumnsQuery = 200,
) -> Response[bytes]:
    """A map as LHM1 (``.bin``, whole, compressed once per change and shared) or as numbers (``.json``)."""
    plane, _, form = plane_file.partition(".")
    if form not in {"bin", "json"} or plane not in PLANES:
        raise NotFound(
            f"there is no map file {plane_file[:32]!r}",
            where="plane_file",
            hint="e.g. synthetic.bin, real.json",
        )
    scale = context.store.legend(scope_id, tf)
    headers = _map_headers(context, scale)
    if form == "json":
        snapshot = await context.in_thread(context.store.snapshot, scope_id, tf, plane, side)
        body = _heat_body(context, snapshot, scope_id, tf, columns, scale)
        return Response(msgspec.json.encode(body), media_type="application/json", headers=headers)
    encoding = chosen_encoding(request.headers.get("accept-encoding"))
    tag = f'"{context.store.seq(scope_id, tf, plane, side)}-{encoding}"'
    if tag in {part.strip() for part in request.headers.get("if-none-match", "").split(",")}:
        return Response(b"", status_code=304, headers={**headers, "etag": tag})
    encoded = context.store.kept(scope_id, tf, plane, side, encoding)
    if encoded is None:
        encoded = await context.in_thread(context.store.encoded, scope_id, tf, plane, side, encoding)
    headers["etag"] = f'"{encoded.seq}-{encoding}"'
    if encoding != "identity":
        headers["content-encoding"] = encoding
    return Response(encoded.content, media_type=HEAT_TYPE, headers=headers)


@get(
    "/api/v1/legend/{scope_id:str}/{tf:str}",
    responses=FAILURES,
    summary="Ends of the colour scale",
    tags=["maps"],
)
async def legend(context: NamedDependency[ApiContext], scope_id: ScopePath, tf: TimeframePath) -> LegendBody:
    """30 % and 99.8 % of the positive cells of the trailing seven closed days, synthetic plane, in USD."""
    scale = context.store.legend(scope_id, tf)
    return context.body(
        LegendBody,
        lo_usd=scale.lo_usd if scale else None,
        hi_usd=scale.hi_usd if scale else None,
        from_ms=scale.from_ns // MILLISECOND_NS if scale else None,
        to_ms=scale.to_ns // MILLISECOND_NS if scale else None,
    )


@get("/api/v1/candles/{scope_id:str}/{tf:str}", responses=FAILURES, summary="Candles", tags=["maps"])
async def candles(
    context: NamedDependency[ApiContext], scope_id: ScopePath, tf: TimeframePath
) -> CandlesBody:
    """Candles on the index of the map's columns; null where nothing is known."""
    view = await context.in_thread(context.store.candles, scope_id, tf)
    fields = {name: plain(view.values[:, index]) for index, name in enumerate(CANDLE_FIELDS)}
    return context.body(
        CandlesBody,
        scope=scope_id,
        timeframe=tf,
        t0_ms=view.t0_ns // MILLISECOND_NS,
        dt_ms=view.dt_ns // MILLISECOND_NS,
        seq=view.seq,
        n=len(view.values),
        n_closed=view.n_closed,
        **fields,
    )


def chosen_encoding(accepted: str | None) -> str:
    """Best content encoding a client accepts; ``identity`` where it names neither zstd nor gzip."""
    weights: dict[str, float] = {}
    for part in (accepted or "").lower().split(","):
        name, _, parameter = part.strip().partition(";")
        match = _WEIGHT.match(parameter.strip()) if parameter else None
        weights[name.strip()] = float(match[1]) if match else 1.0
    offered = [(weights.get(name, weights.get("*", 0.0)), name) for name in ENCODINGS if name != "identity"]
    best = max((weight for weight, _ in offered), default=0.0)
    return next((name for weight, name in offered if weight == best and weight > 0), "identity")


def _map_headers(context: ApiContext, scale: Legend | None) -> dict[str, str]:
    world = context.envelope()
    headers = {
        "cache-control": "no-cache",
        "vary": "Accept-Encoding",
        "x-faultline-simulated": str(world["simulated"]).lower(),
        "x-faultline-as-of-ns": str(world["as_of_ns"]),
        "x-faultline-as-of-ms": str(world["as_of_ms"]),
        "x-faultline-stale": str(world["stale"]).lower(),
    }
    if scale is not None:
        headers["x-faultline-legend"] = f"{scale.lo_usd:.6g},{scale.hi_usd:.6g}"
    return headers


def _heat_body(
    context: ApiContext, snapshot: Snapshot, scope: str, tf: str, n_columns: int, scale: Legend | None
) -> HeatBody:
    first = max(len(snapshot.codes) - n_columns, 0)
    usd = np.round(snapshot.usd()[first:].astype(np.float64), 2)
    rows = snapshot.price0_usd + np.arange(snapshot.codes.shape[1]) * snapshot.row_usd
    return context.body(
        HeatBody,
        scope=scope,
        timeframe=tf,
        plane=snapshot.plane,
        side=snapshot.side,
        seq=snapshot.seq,
        dt_ms=snapshot.dt_ms,
        row_usd=snapshot.row_usd,
        first_live_col=max(snapshot.first_live_col - first, 0),
        legend_lo_usd=scale.lo_usd if scale else None,
        legend_hi_usd=scale.hi_usd if scale else None,
        prices=rows.tolist(),
        t_ms=[snapshot.t0_ms + index * snapshot.dt_ms for index in range(first, len(snapshot.codes))],
        usd=usd.tolist(),
    )
