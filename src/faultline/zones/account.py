"""Ledgers before and after an interval in, where the change of each zone's exposure came from out."""

from __future__ import annotations

import dataclasses

__all__ = ("ZoneAccount",)


@dataclasses.dataclass(frozen=True, slots=True)
class ZoneAccount:
    """Account of one zone over ``[from_ns, to_ns]``, in USD; the ``side_`` fields are all of the zone's side.

    ``after_usd - before_usd = opened_usd - closed_usd - swept_usd + reestimated_usd``, exactly, also for the side.
    Flows are valued at what a unit was worth at ``from_ns``. ``venue_usd`` and ``band_usd`` split ``after_usd``;
    ``mix_usd`` is what the zone holds at ``to_ns`` under each leverage mix, the map's own first.
    """

    from_ns: int
    to_ns: int
    before_usd: float
    opened_usd: float
    closed_usd: float
    swept_usd: float
    reestimated_usd: float
    after_usd: float
    side_before_usd: float
    side_closed_usd: float
    side_swept_usd: float
    side_after_usd: float
    venue_usd: dict[str, float]
    band_usd: dict[str, float]
    mix_usd: tuple[float, ...]

    def venue_shares(self) -> dict[str, float] | None:
        """Share of each venue; None where nothing stands."""
        return _shares(self.venue_usd)

    def band_shares(self) -> dict[str, float] | None:
        """Share of each leverage band; None where nothing stands."""
        return _shares(self.band_usd)

    def range_shares(self) -> tuple[float, float] | None:
        """Least and most over leverage mixes, as shares of the map's own; None where nothing stands."""
        if not self.mix_usd or not self.mix_usd[0] > 0:
            return None
        return min(self.mix_usd) / self.mix_usd[0], max(self.mix_usd) / self.mix_usd[0]


def _shares(parts: dict[str, float]) -> dict[str, float] | None:
    total = sum(parts.values())
    return {name: usd / total for name, usd in parts.items()} if total > 0 else None
