"""What happens to zones in, what of it is worth an event out: the log tells a zone's story whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from faultline.zones.zone import Zone, ZoneChange

__all__ = ("NOTABLE_SHARE_RATIO", "Announcer", "is_notable")

#: Share of its side's exposure from which a zone is notable.
NOTABLE_SHARE_RATIO: Final = 0.03
#: Told of every zone: price was there.
_ALWAYS: Final = frozenset({"hit", "swept"})
#: Told of a zone that was told of before: how its story goes on.
_GOES_ON: Final = frozenset({"approached", "thinning", "expired"})
#: Told of a zone that is notable just then.
_BEGINS: Final = frozenset({"created", "reinforced", "approached", "building"})


def is_notable(zone: Zone) -> bool:
    """Whether a zone is large enough to be told of: it holds 3 % of its side's exposure on the map, or is loaded."""
    return zone.share_ratio >= NOTABLE_SHARE_RATIO or zone.loaded is True


class Announcer:
    """Remembers which zones were told of.

    Args:
        told: ids of zones that were told of already.
    """

    def __init__(self, told: Iterable[str] = ()) -> None:
        self._told = set(told)

    def tells(self, change: ZoneChange) -> bool:
        """Whether a change is worth an event; changes come in the order of time."""
        zone_id = change.zone.id
        told = (
            change.kind in _ALWAYS
            or (change.kind in _GOES_ON and zone_id in self._told)
            or (change.kind in _BEGINS and is_notable(change.zone))
        )
        if change.zone.ended_ns is not None:
            self._told.discard(zone_id)
        elif told:
            self._told.add(zone_id)
        return told

    def told(self) -> list[str]:
        """Ids of standing zones that were told of, sorted: everything needed to go on."""
        return sorted(self._told)
