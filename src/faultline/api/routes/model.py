"""What the engine has learned of an asset: leverage mixes, calibration of venues, cascades."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import PathParameter

from faultline.api.context import ApiContext, NotReady, plain
from faultline.api.model_bodies import LearnedBody
from faultline.api.openapi import FAILURES

__all__ = ("model",)

_AssetPath = Annotated[str, PathParameter(description="Asset, e.g. BTC.", min_length=1, max_length=32)]


@get(
    "/api/v1/model/{asset:str}",
    responses=FAILURES,
    summary="What was learned of an asset",
    tags=["model"],
)
async def model(context: NamedDependency[ApiContext], asset: _AssetPath) -> LearnedBody:
    """The leverage mix of every feed with its band, how venues print and report, and how far cascades run."""
    ask = context.store.model_of
    if ask is None:
        raise NotReady("nothing is learned yet", where="/api/v1/model", hint="wait until the engine is ready")
    found: Any = await context.in_thread(ask, asset)
    return msgspec.convert({**plain(found), **context.envelope()}, LearnedBody)
