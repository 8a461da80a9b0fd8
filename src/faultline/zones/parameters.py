"""Nothing in, the settings of the zones stage out: what counts as a zone, and what counts as news about one."""

from __future__ import annotations

import math

import msgspec

from faultline.units import DAY_NS, HOUR_NS, MINUTE_NS

__all__ = ("ZoneParameters",)


class ZoneParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of detection, tracking and life of zones; lengths are shares and basis points, alike for every asset.

    Attributes:
        smooth_bps: standard deviation of the Gaussian that blurs a column before peaks are looked for: the
            error of a liquidation's location.
        birth_peak_ratio: a peak begins a zone when its prominence is at least this share of its height ...
        birth_side_ratio: ... and a hundred basis points of that prominence are this share of the side's heat.
        life_ratio: share of both that is enough for a zone that stands already.
        edge_ratio: edges lie where this share of the drop from the peak to the valley beside it is reached.
        edge_drop_ratio: deepest drop that counts for that, as a share of the peak.
        half_width_max_bps: edges lie no farther than this from the peak.
        reach_ratio: peaks farther from price than this share of it are not looked at.
        overlap_ratio: share of the narrower of two intervals that must overlap for them to be the same zone.
        near_bps: or their peaks lie this close.
        edge_half_life_ns: edges and size follow what is found with this half-life.
        confirm_ns: how long a peak must stand before its zone is created.
        candidate_gap_ns: how long it may be missing meanwhile.
        fade_ns: how long a zone may be missing before it has expired.
        reinforced_ratio: growth since creation or the last reinforcement that is one.
        volatility_half_life_ns: memory of the typical move.
        approach_move_ns: a zone is approached when its edge is nearer than the typical move over this time.
        rearm_ratio: it can be approached again from this many such moves away.
        retreat_ratio: price has left a zone that it hit when it is this many such moves away from its edge.
        trend_drift_per_hour: change of a zone's log share that is no news.
        trend_threshold: sum of changes beyond it that is.
        trend_hold_ns: how long a trend is shown after it was found.
        interest_fall_ratio: change of open interest over the last hour at or below which thinning is believed.

    Raises:
        ValueError: a value is impossible; the message names it.
    """

    smooth_bps: float = 8.0
    birth_peak_ratio: float = 0.10
    birth_side_ratio: float = 0.004
    life_ratio: float = 0.4
    edge_ratio: float = 0.7
    edge_drop_ratio: float = 0.55
    half_width_max_bps: float = 120.0
    reach_ratio: float = 0.25
    overlap_ratio: float = 0.3
    near_bps: float = 15.0
    edge_half_life_ns: int = 3 * MINUTE_NS
    confirm_ns: int = 10 * MINUTE_NS
    candidate_gap_ns: int = 2 * MINUTE_NS
    fade_ns: int = 30 * MINUTE_NS
    reinforced_ratio: float = 0.5
    volatility_half_life_ns: int = DAY_NS
    approach_move_ns: int = 15 * MINUTE_NS
    rearm_ratio: float = 2.0
    retreat_ratio: float = 1.0
    trend_drift_per_hour: float = 0.12
    trend_threshold: float = 0.25
    trend_hold_ns: int = 3 * HOUR_NS
    interest_fall_ratio: float = -0.002

    def __post_init__(self) -> None:
        shares = ("birth_peak_ratio", "life_ratio", "edge_ratio", "edge_drop_ratio", "overlap_ratio")
        rules = dict.fromkeys(shares, True) | {name: 0 < getattr(self, name) <= 1 for name in shares}
        rules |= {
            name: 0 <= getattr(self, name) < math.inf
            for name in (
                "smooth_bps",
                "birth_side_ratio",
                "near_bps",
                "edge_half_life_ns",
                "confirm_ns",
                "candidate_gap_ns",
                "fade_ns",
                "retreat_ratio",
                "trend_drift_per_hour",
                "trend_hold_ns",
            )
        }
        rules |= {
            name: 0 < getattr(self, name) < math.inf
            for name in (
                "half_width_max_bps",
                "reach_ratio",
                "reinforced_ratio",
                "volatility_half_life_ns",
                "approach_move_ns",
                "trend_threshold",
            )
        }
        rules["rearm_ratio"] = 1 <= self.rearm_ratio < math.inf
        rules["interest_fall_ratio"] = -1 <= self.interest_fall_ratio <= 0
        for name, holds in rules.items():
            if not holds:
                raise ValueError(f"zones cannot have {name} = {getattr(self, name)!r}")
