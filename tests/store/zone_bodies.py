"""Zones for tests, each with only what matters said."""

from __future__ import annotations

from faultline.units import SECOND_NS
from faultline.zones.zone import Zone


def zone(name="BTC-L-a-0", *, born_ns=0, age_s=0.0, **fields):
    """A standing zone of longs below 100,000 USD."""
    ended = fields.get("state") in {"swept", "expired"}
    seen_ns = born_ns + round(age_s * SECOND_NS)
    known = {
        "id": name,
        "scope": "BTC",
        "side": "LONG",
        "state": "standing",
        "born_ns": born_ns,
        "since_start": False,
        "at_ns": seen_ns if ended else born_ns,
        "low_usd": 98_000.0,
        "high_usd": 98_500.0,
        "peak_usd": 98_200.0,
        "notional_usd": 2e7,
        "lo_usd": None,
        "hi_usd": None,
        "distance_ratio": -0.015,
        "age_s": age_s,
        "peak_notional_usd": 3e7,
        "density_ratio": None,
        "density_level": None,
        "loaded": None,
        "trend": None,
        "share_ratio": 0.1,
        "bands": None,
        "venues": None,
        "flows": None,
        "ended_ns": seen_ns if ended else None,
        "end_reason": fields.get("state") if ended else None,
        "touches": 0,
    }
    return Zone(**(known | fields))
