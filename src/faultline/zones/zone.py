"""The words of the zones stage: a zone as everybody outside sees it, and what can happen to one."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

__all__ = (
    "CHANGE_KINDS",
    "Zone",
    "ZoneBand",
    "ZoneChange",
    "ZoneFlows",
    "ZoneSide",
    "ZoneState",
    "ZoneTrend",
    "ZoneVenue",
)

ZoneSide = Literal["LONG", "SHORT"]
ZoneState = Literal["standing", "approached", "hit", "swept", "expired"]
ZoneTrend = Literal["building", "thinning", "steady"]

#: Everything that can happen to a zone.
CHANGE_KINDS: Final = (
    "created",
    "reinforced",
    "approached",
    "hit",
    "swept",
    "expired",
    "building",
    "thinning",
)


class ZoneBand(msgspec.Struct, frozen=True):
    """Exposure of a zone in one pooled leverage band (``heatmap.bands.BAND_LABELS``)."""

    label: str
    usd: float


class ZoneVenue(msgspec.Struct, frozen=True):
    """Exposure of a zone on one venue."""

    venue: str
    usd: float


class ZoneFlows(msgspec.Struct, frozen=True):
    """Where the change of a zone's exposure over the last ``over_s`` seconds came from, in USD.

    after - before = ``opened_usd`` - ``closed_usd`` - ``swept_usd`` + ``reestimated_usd``.
    """

    opened_usd: float
    closed_usd: float
    swept_usd: float
    reestimated_usd: float
    over_s: float


class Zone(msgspec.Struct, frozen=True, kw_only=True):
    """A place where exposure stands out, with its identity through time.

    Attributes:
        id: ``{scope}-{L|S}-{minute of birth in base 36}-{k}``.
        scope: asset or instrument whose map it is on.
        side: the positions that would be liquidated.
        state: ``hit``: price is inside; ``swept`` and ``expired`` are ends.
        born_ns: when it was first seen; ``since_start``: it stood when tracking began, so its age is a lower bound.
        at_ns: when this state began.
        low_usd: lower edge.
        high_usd: upper edge.
        peak_usd: price of its hottest place.
        notional_usd: estimated exposure between the edges.
        lo_usd: lower end of the range over leverage mixes; None until an account was made.
        hi_usd: upper end.
        distance_ratio: nearest edge over price, minus 1; 0 inside; None while no price is known.
        age_s: seconds since ``born_ns``.
        peak_notional_usd: largest exposure it ever held.
        density_ratio: exposure over the median hourly turnover of the trailing 30 days.
        density_level: decile of that among the asset's own zones of the trailing 30 days, 1-10; None below 100.
        loaded: level 5 or more; None where there is no level.
        trend: None until an account was made.
        share_ratio: share of the side's exposure on the map.
        bands: exposure by leverage band; None until an account was made.
        venues: exposure by venue; None until an account was made.
        flows: account of the last hour; None until one was made.
        ended_ns: when it was swept or expired.
        end_reason: which of both.
        touches: how often price hit it.
    """

    id: str
    scope: str
    side: ZoneSide
    state: ZoneState
    born_ns: int
    since_start: bool
    at_ns: int
    low_usd: float
    high_usd: float
    peak_usd: float
    notional_usd: float
    lo_usd: float | None
    hi_usd: float | None
    distance_ratio: float | None
    age_s: float
    peak_notional_usd: float
    density_ratio: float | None
    density_level: int | None
    loaded: bool | None
    trend: ZoneTrend | None
    share_ratio: float
    bands: list[ZoneBand] | None
    venues: list[ZoneVenue] | None
    flows: ZoneFlows | None
    ended_ns: int | None
    end_reason: Literal["swept", "expired"] | None
    touches: int


class ZoneChange(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened to a zone at ``at_ns``; ``zone`` is how it was just then.

    ``extra`` holds, by kind: reinforced ``before_usd``; approached and hit ``price_usd``; swept ``price_usd`` and
    ``before_usd``; expired ``merged_into`` (id or None); building and thinning ``opened_usd``, ``closed_usd`` and
    ``interest_change_ratio``.
    """

    kind: str
    zone: Zone
    extra: dict[str, Any]
    at_ns: int
