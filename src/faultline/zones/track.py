"""One zone as the tracker keeps it, and how it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from faultline.units import MINUTE_NS, SECOND_NS
from faultline.zones.zone import Zone, ZoneBand, ZoneFlows, ZoneTrend, ZoneVenue

if TYPE_CHECKING:
    from faultline.zones.density import DensityScale

__all__ = ("Flow", "Track", "Trend", "zone_id", "zone_of")

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Flow(msgspec.Struct):
    """One account interval of a zone, in USD."""

    from_ns: int
    to_ns: int
    opened_usd: float
    closed_usd: float
    swept_usd: float
    reestimated_usd: float


class Trend(msgspec.Struct):
    """Sums of a two-sided Page-Hinkley test and what it last found."""

    up: float = 0.0
    down: float = 0.0
    found: ZoneTrend = "steady"
    found_ns: int = 0


class Track(msgspec.Struct):
    """A zone or, before it is confirmed, a candidate. ``side`` is 0 long, 1 short; times are nanoseconds.

    ``unseen_ns`` is the first evaluated minute of the present absence, 0 while it is seen; ``baseline_usd`` what it
    held when it was created or last reinforced; ``armed`` whether it can be approached; ``shares`` of what it held at
    its last account: by venue, by leverage band, and the two ends of its range over mixes.
    """

    id: str
    side: int
    born_ns: int
    low_usd: float
    high_usd: float
    peak_usd: float
    notional_usd: float
    side_usd: float
    since_start: bool = False
    confirmed: bool = False
    seen_ns: int = 0
    unseen_ns: int = 0
    state: Literal["standing", "approached", "hit", "swept", "expired"] = "standing"
    state_ns: int = 0
    armed: bool = False
    touches: int = 0
    baseline_usd: float = 0.0
    peak_notional_usd: float = 0.0
    before_usd: float = 0.0
    trend: Trend | None = None
    flows: list[Flow] = msgspec.field(default_factory=list)
    venue_shares: dict[str, float] | None = None
    band_shares: dict[str, float] | None = None
    range_shares: tuple[float, float] | None = None

    @property
    def near_usd(self) -> float:
        """Edge that price reaches first: the upper one of longs, the lower one of shorts."""
        return self.high_usd if self.side == 0 else self.low_usd

    @property
    def far_usd(self) -> float:
        """Edge that price reaches last."""
        return self.low_usd if self.side == 0 else self.high_usd

    def distance(self, price_usd: float) -> float:
        """Distance of the nearest edge over price; negative once price is beyond that edge."""
        ratio = self.near_usd / price_usd - 1.0
        return -ratio if self.side == 0 else ratio


def zone_id(scope: str, side: int, born_ns: int, k: int) -> str:
    """Name of a zone: it says where and when it was born."""
    number, text = born_ns // MINUTE_NS, ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return f"{scope}-{'LS'[side]}-{text or '0'}-{k}"


def zone_of(
    track: Track, scope: str, now_ns: int, price_usd: float, density: DensityScale, hour_ns: int
) -> Zone:
    """A track as others see it.

    Args:
        track: what the tracker keeps.
        scope: scope of the tracker.
        now_ns: present.
        price_usd: price now; NaN where unknown.
        density: scale of densities.
        hour_ns: flows of accounts that began within this long before the present are added up.
    """
    held, ended = track.notional_usd, track.state in {"swept", "expired"}
    ratio = density.ratio(held)
    level = density.level(ratio)
    distance = None
    if price_usd > 0:
        inside = track.low_usd <= price_usd <= track.high_usd or track.distance(price_usd) < 0
        distance = 0.0 if inside else track.near_usd / price_usd - 1.0
    flows = [flow for flow in track.flows if flow.from_ns >= now_ns - hour_ns]
    bands, venues, span = track.band_shares, track.venue_shares, track.range_shares
    return Zone(
        id=track.id,
        scope=scope,
        side="LONG" if track.side == 0 else "SHORT",
        state=track.state,
        born_ns=track.born_ns,
        since_start=track.since_start,
        at_ns=track.state_ns,
        low_usd=track.low_usd,
        high_usd=track.high_usd,
        peak_usd=track.peak_usd,
        notional_usd=held,
        lo_usd=None if span is None else held * span[0],
        hi_usd=None if span is None else held * span[1],
        distance_ratio=distance,
        age_s=(now_ns - track.born_ns) / SECOND_NS,
        peak_notional_usd=track.peak_notional_usd,
        density_ratio=ratio,
        density_level=level,
        loaded=None if level is None else level >= 5,
        trend=None if track.trend is None else track.trend.found,
        share_ratio=held / track.side_usd if track.side_usd > 0 else 0.0,
        bands=None if bands is None else [ZoneBand(name, held * part) for name, part in bands.items()],
        venues=None if venues is None else [ZoneVenue(name, held * part) for name, part in venues.items()],
        flows=_sum(flows) if flows else None,
        ended_ns=track.state_ns if ended else None,
        end_reason=track.state if track.state in {"swept", "expired"} else None,
        touches=track.touches,
    )


def _sum(flows: list[Flow]) -> ZoneFlows:
    return ZoneFlows(
        opened_usd=sum(flow.opened_usd for flow in flows),
        closed_usd=sum(flow.closed_usd for flow in flows),
        swept_usd=sum(flow.swept_usd for flow in flows),
        reestimated_usd=sum(flow.reestimated_usd for flow in flows),
        over_s=(flows[-1].to_ns - flows[0].from_ns) / SECOND_NS,
    )
