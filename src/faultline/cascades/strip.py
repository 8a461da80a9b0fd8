"""Liquidations and open interest in, liquidated notional per day as a share of open interest out.

One row per venue and UTC day, and one per day for the asset, which adds up only the venues whose open interest is known
that day. A share that is not known is NaN: neither silence nor a missing poll is a quiet day.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.units import DAY_NS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("DailyStrip", "StripDay")


class StripDay(msgspec.Struct, frozen=True, kw_only=True):
    """One day of one venue, or of the asset where ``venue`` is None.

    Attributes:
        venue: slug.
        day_ns: start of the UTC day.
        long_usd: longs liquidated.
        short_usd: shorts liquidated.
        oi_usd: mean open interest of a side that day; NaN where it is not known.
        ratio: liquidated notional over open interest; NaN where that is not known.
    """

    venue: str | None
    day_ns: int
    long_usd: float
    short_usd: float
    oi_usd: float
    ratio: float


_LONG, _SHORT, _OI, _POLLS = range(4)
_DAYS_KEPT: Final = 400


class DailyStrip:
    """Days of one asset; nothing here depends on the order of rows within a day, sums aside."""

    def __init__(self) -> None:
        self._days: dict[tuple[str, int], NDArray[np.float64]] = {}

    def apply_liquidations(
        self,
        venue: str,
        time_ns: NDArray[np.int64],
        side: NDArray[np.int8],
        notional_usd: NDArray[np.float64],
    ) -> None:
        """Take in liquidations: side 0 long, 1 short; shapes (n,). Values that are not positive are passed over."""
        for at, which, usd in zip(time_ns.tolist(), side.tolist(), notional_usd.tolist(), strict=True):
            if 0 < usd < math.inf:
                self._day(venue, at)[which] += usd

    def apply_interest(self, venue: str, time_ns: NDArray[np.int64], oi_usd: NDArray[np.float64]) -> None:
        """Take in polls of open interest, shapes (n,). Missing ones and 0 are passed over."""
        for at, usd in zip(time_ns.tolist(), oi_usd.tolist(), strict=True):
            if 0 < usd < math.inf:
                self._day(venue, at)[_OI:] += (usd, 1.0)

    def days(self, from_ns: int, to_ns: int) -> list[StripDay]:
        """Rows of the days that begin in [from_ns, to_ns), by day; the asset's first, then venues by name."""
        out: list[StripDay] = []
        starts = sorted({day for _, day in self._days if from_ns <= day * DAY_NS < to_ns})
        for day in starts:
            venues = sorted(venue for venue, other in self._days if other == day)
            rows = [_row(venue, day, self._days[venue, day]) for venue in venues]
            known = [row for row in rows if row.oi_usd > 0]
            oi_usd = math.fsum(row.oi_usd for row in known) if known else math.nan
            long_usd = math.fsum(row.long_usd for row in known)
            short_usd = math.fsum(row.short_usd for row in known)
            ratio = (long_usd + short_usd) / oi_usd if known else math.nan
            total = StripDay(
                venue=None,
                day_ns=day * DAY_NS,
                long_usd=long_usd if known else math.fsum(row.long_usd for row in rows),
                short_usd=short_usd if known else math.fsum(row.short_usd for row in rows),
                oi_usd=oi_usd,
                ratio=ratio,
            )
            out += [total, *rows]
        return out

    def _day(self, venue: str, time_ns: int) -> NDArray[np.float64]:
        key = (venue, time_ns // DAY_NS)
        if key not in self._days:
            self._days[key] = np.zeros(4)
            oldest = max(day for _, day in self._days) - _DAYS_KEPT
            self._days = {
                kept: value for kept, value in self._days.items() if kept[1] > oldest or kept == key
            }
        return self._days[key]

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays."""
        keys = sorted(self._days)
        return {
            "keys": np.frombuffer(msgspec.json.encode(keys), dtype=np.uint8),
            "sums": np.array([self._days[key] for key in keys]).reshape(-1, 4),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> DailyStrip:
        """A strip that goes on where ``state()`` was taken."""
        strip = cls()
        keys = msgspec.json.decode(state["keys"].tobytes(), type=list[tuple[str, int]])
        strip._days = {key: row.copy() for key, row in zip(keys, state["sums"], strict=True)}
        return strip


def _row(venue: str, day: int, sums: NDArray[np.float64]) -> StripDay:
    long_usd, short_usd, oi_sum, polls = sums.tolist()
    oi_usd = oi_sum / polls if polls else math.nan
    return StripDay(
        venue=venue,
        day_ns=day * DAY_NS,
        long_usd=long_usd,
        short_usd=short_usd,
        oi_usd=oi_usd,
        ratio=(long_usd + short_usd) / oi_usd if polls else math.nan,
    )
