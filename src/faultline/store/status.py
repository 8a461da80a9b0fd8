"""What the engine says about itself in, one checked ``Status`` out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from faultline.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("Problem", "Progress", "ReplayPosition", "Status", "read_status")


class Progress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a long piece of work has come."""

    done: float
    total: float
    label: str


class Problem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The error that stopped the engine."""

    code: str
    message: str
    hint: str
    where: str = ""


class ReplayPosition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a replay stands between its two ends, and how fast it runs (1 = as it happened)."""

    at_ns: int
    from_ns: int
    to_ns: int
    speed: float
    paused: bool


class Status(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """State of the engine: what it runs on, whether it is ready, how old its input is."""

    mode: Literal["replay", "simulated", "live"] = "live"
    state: Literal["loading", "ready", "error"] = "loading"
    simulated: bool = False
    #: Engine time in nanoseconds; 0 before the first message.
    as_of_ns: int = 0
    version: str = ""
    world: str | None = None
    progress: Progress | None = None
    error: Problem | None = None
    data_age_s: float | None = None
    replay: ReplayPosition | None = None


def read_status(fields: Status | Mapping[str, Any]) -> Status:
    """A ``Status`` from a mapping with its fields.

    Raises:
        StoreError: a field is unknown or has the wrong type.
    """
    if isinstance(fields, Status):
        return fields
    try:
        return msgspec.convert(dict(fields), Status)
    except msgspec.ValidationError as exc:
        raise StoreError(f"not a status: {exc}", where="status", hint="see store.status.Status") from exc
