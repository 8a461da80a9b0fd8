"""The zones of every minute and what happened to them in, how often a zone lost its identity out.

A tracker must not look steady by forgetting: a zone that expires while one is created on its place counts as well, and
so does one that is gone without a word.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from faultline.units import HOUR_NS, MINUTE_NS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from faultline.zones.zone import Zone, ZoneChange

__all__ = ("IdentityReport", "measure_identity")

#: A zone created this close in time to the end of another on its place is the same one under another name.
_AGAIN_NS: Final = 30 * MINUTE_NS
#: Share of a zone that another must cover to have its place.
_MOST: Final = 0.5


@dataclasses.dataclass(frozen=True, slots=True)
class IdentityReport:
    """Counts over a sequence of zone sets.

    Attributes:
        zone_minutes: zones, summed over the minutes that have a next one.
        taken: a minute later most of the zone's place belongs to another, though it was not hit, swept or expired.
        lost: a minute later it is not there, and no change says why.
        recreated: it expired, and one was created on its place within 30 minutes before or after.
        merged: it expired and a zone that stood before has most of its place: a change that was told, not counted.
        drifted: an hour later less than half of its place is still its own, though price never came: told apart
            because edges follow what is found, but counted as a change as well.
        zones: different ids.
    """

    zone_minutes: int
    taken: int
    lost: int
    recreated: int
    merged: int
    drifted: int
    zones: int

    @property
    def changed(self) -> int:
        """Changes of identity that no event explains."""
        return self.taken + self.lost + self.recreated + self.drifted

    @property
    def changed_ratio(self) -> float:
        """Such changes per zone-minute; 0 where there was none to change."""
        return self.changed / self.zone_minutes if self.zone_minutes else 0.0

    @property
    def changed_per_zone(self) -> float:
        """Such changes per zone: a stricter number, as a zone lives for many minutes."""
        return self.changed / self.zones if self.zones else 0.0


def measure_identity(
    moments: Iterable[tuple[int, Sequence[Zone]]], changes: Iterable[ZoneChange]
) -> IdentityReport:
    """Count changes of identity.

    Args:
        moments: time and zones of each minute, in order.
        changes: everything that was told over the same time.
    """
    told = list(changes)
    ends = {
        change.zone.id: (change.kind, change.at_ns) for change in told if change.kind in {"swept", "expired"}
    }
    created = [change.zone for change in told if change.kind == "created"]
    counts = dict.fromkeys(("zone_minutes", "taken", "lost", "recreated", "merged", "drifted"), 0)
    places: dict[str, tuple[int, Zone]] = {}
    ids: set[str] = set()
    before: Sequence[Zone] = ()
    for index, (time_ns, zones) in enumerate(moments):
        ids.update(zone.id for zone in zones)
        for zone in zones:
            since_ns, then = places.setdefault(zone.id, (time_ns, zone))
            if zone.touches > then.touches or then.state == "hit" or time_ns - since_ns >= HOUR_NS:
                moved = _shared_usd(then, zone) < _MOST * min(_width_usd(then), _width_usd(zone))
                counts["drifted"] += moved and zone.touches == then.touches and then.state != "hit"
                places[zone.id] = (time_ns, zone)
        after = {zone.id: zone for zone in zones}
        for zone in before if index else ():
            counts["zone_minutes"] += 1
            verdict = _verdict(zone, after, ends, created)
            if verdict:
                counts[verdict] += 1
        before = zones
    return IdentityReport(zones=len(ids), **counts)


def _verdict(
    zone: Zone, after: dict[str, Zone], ends: dict[str, tuple[str, int]], created: list[Zone]
) -> str | None:
    """What became of a zone a minute later; None where nothing is wrong."""
    heirs = [other for other in after.values() if other.side == zone.side]
    heir = max(heirs, key=lambda other: (_shared_usd(zone, other), other.id == zone.id), default=None)
    taken = heir is not None and heir.id != zone.id and _shared_usd(zone, heir) > _MOST * _width_usd(zone)
    now = after.get(zone.id)
    if now is not None:
        return "taken" if taken and "hit" not in {zone.state, now.state} else None
    if zone.id not in ends:
        return "lost"
    kind, at_ns = ends[zone.id]
    if kind == "swept" or zone.state == "hit":
        return None
    again = any(
        other.side == zone.side
        and other.id != zone.id
        and abs(other.at_ns - at_ns) <= _AGAIN_NS
        and _shared_usd(zone, other) > _MOST * min(_width_usd(zone), _width_usd(other))
        for other in created
    )
    if again:
        return "recreated"
    return "merged" if taken else None


def _width_usd(zone: Zone) -> float:
    return zone.high_usd - zone.low_usd


def _shared_usd(one: Zone, other: Zone) -> float:
    return max(0.0, min(one.high_usd, other.high_usd) - max(one.low_usd, other.low_usd))
