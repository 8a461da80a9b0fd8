"""Zones, columns of the map, the path and liquidations of one asset in, chains of every zone and episodes out.

This is what the pipeline talks to: it keeps what a situation is made of (the last column that closed, volatility, the
move of the last quarter of an hour) and hands hits to the collector. A hit is judged by what was known before the bar
that made it. Add columns, hits and liquidations before the bars that they belong to; then it does not matter how the
bars are cut into calls.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.cascades.collector import GAP_NS, CascadeCollector
from faultline.cascades.impact import Book
from faultline.cascades.levels import find_levels, heat_ahead
from faultline.cascades.situation import Situation
from faultline.cascades.sweeps import Column, SweepTally
from faultline.cascades.volatility import VolatilityTracker
from faultline.heatmap.display import DisplayRows
from faultline.states import part_of
from faultline.units import HOUR_NS, MINUTE_NS
from faultline.zones.zone import Zone

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from faultline.cascades.chain import CascadeLearner, ChainForecast

__all__ = ("CascadeStream", "Conditions", "ZoneHit")

#: Span of the move toward the levels.
_MOMENTUM_NS: Final = 15 * MINUTE_NS
#: A column older than this is not what stands there now.
_COLUMN_AGE_NS: Final = 10 * MINUTE_NS
_MASS_LOG_SD: Final = 0.4


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What only others know at a moment.

    Attributes:
        volume_day_usd: notional traded in a day; None where unknown: nothing can be said then.
        books: sides that longs and shorts would be sold and bought into; None where there is none.
        depth_ratio: depth now over usual depth; None where unknown.
        funding_z: positive where longs pay unusually much; None where unknown.
    """

    volume_day_usd: float | None
    books: tuple[Book | None, Book | None] = (None, None)
    depth_ratio: float | None = None
    funding_z: float | None = None


class ZoneHit(msgspec.Struct, frozen=True):
    """A zone was reached in the bar that ends at ``at_ns``; the zone's edges are those before it."""

    at_ns: int
    zone: Zone
    conditions: Conditions


class CascadeStream:
    """Chains and episodes of one asset; one writer, no locks.

    Args:
        symbol: asset.
        learner: what is learned; assets may share one if they are fed by one writer.
    """

    def __init__(self, symbol: str, learner: CascadeLearner) -> None:
        self.symbol = symbol
        self.collector = CascadeCollector(learner)
        self.volatility = VolatilityTracker()
        #: What price sweeps, hour by hour, beside what is liquidated: it teaches the share liquidated.
        self.sweeps = SweepTally()
        #: Hits about which too little was known to follow them.
        self.unknown = 0
        self._columns: list[Column] = []
        self._hits: list[ZoneHit] = []
        self._closes = np.zeros((0, 2))
        self._hour = 0
        self._adl_ns: list[int] = []

    @property
    def learner(self) -> CascadeLearner:
        """What is learned."""
        return self.collector.learner

    def add_columns(self, columns: Sequence[Column]) -> None:
        """Columns that closed, in the order of their ends."""
        self._columns += columns
        self.sweeps.add_columns(columns)

    def add_liquidations(self, forced: NDArray[np.void]) -> None:
        """Liquidations (``sweeps.FORCED``) in any order."""
        self.collector.add_liquidations(forced)
        self.sweeps.add_liquidations(forced)

    def add_deleveraging(self, time_ns: int) -> None:
        """Positions of winners were closed at that moment: what is swept in that hour shows less than the share."""
        self.collector.add_deleveraging(time_ns)
        self._adl_ns.append(time_ns)

    def add_hits(self, hits: Sequence[ZoneHit]) -> None:
        """Zones that were hit, in the order of time."""
        self._hits += hits

    def apply_path(self, path: NDArray[np.void]) -> None:
        """Walk bars (``market.path.PATH_ROW``) in the order of their ends; ``collector.take`` gives what came of it."""
        begin = 0
        hours = -(-path["end_ns"] // HOUR_NS)
        while begin < len(path):
            if hours[begin] != self._hour:
                self._close_hour(int(hours[begin]))
            while self._hits and self._hits[0].at_ns <= int(path["end_ns"][begin]):
                self._begin(self._hits.pop(0), int(path["start_ns"][begin]))
            stop = int(np.searchsorted(hours, self._hour, side="right"))
            if self._hits:
                stop = min(stop, int(np.searchsorted(path["end_ns"], self._hits[0].at_ns, side="left")))
            part = path[begin:stop]
            self.collector.apply_path(part)
            self.sweeps.apply_path(part)
            self.volatility.apply(part["end_ns"], part["close_usd"])
            for end, close in zip(part["end_ns"].tolist(), part["close_usd"].tolist(), strict=True):
                self._remember(end, close)
            begin = stop

    def situation(self, zone: Zone, column: Column, time_ns: int, conditions: Conditions) -> Situation | None:
        """What is known about a zone that is hit at ``time_ns``, or would be; None where too little is.

        Args:
            zone: the zone; the chain begins at its near edge.
            column: the map to take the levels from.
            time_ns: when.
            conditions: what others know.
        """
        moves = self.volatility.volatility()
        volume = conditions.volume_day_usd
        side = 0 if zone.side == "LONG" else 1
        usd: NDArray[np.float64] = np.asarray(column.usd[side]).astype(np.float64)
        if moves is None or volume is None or not 0 < volume < math.inf or not np.isfinite(usd).all():
            return None
        near, far = (zone.high_usd, zone.low_usd) if side == 0 else (zone.low_usd, zone.high_usd)
        rows = column.rows
        edges = np.arange(rows.first_row, rows.first_row + rows.n_rows + 1, dtype=np.float64) * rows.row_usd
        ahead, width = heat_ahead(edges, usd, near, side), abs(math.log(far / near))
        levels = find_levels(ahead, width, self.learner.settings.levels)
        sign = 1.0 if side == 0 else -1.0
        return Situation(
            id=zone.id,
            symbol=self.symbol,
            time_ns=time_ns,
            levels=levels,
            moves=moves,
            volume_day_usd=volume,
            tau_ns=self.learner.tau_ns(),
            momentum=self._momentum(time_ns, side),
            book=conditions.books[side],
            share=self.learner.fraction.mean,
            depth_ratio=conditions.depth_ratio,
            funding_z=None if conditions.funding_z is None else sign * conditions.funding_z,
            mass_log_sd=_mass_log_sd(zone),
        )

    def forecasts(
        self, zones: Sequence[Zone], column: Column, time_ns: int, conditions: Conditions
    ) -> list[ChainForecast]:
        """The chain of every zone that stands, were it hit now; zones about which too little is known are left out."""
        found = (self.situation(zone, column, time_ns, conditions) for zone in zones)
        return [self.learner.forecast(situation) for situation in found if situation is not None]

    def _close_hour(self, coming: int) -> None:
        """Learn from what was swept in the hour that is over, before the first bar of the coming one."""
        end_ns = self._hour * HOUR_NS
        for sweep in self.sweeps.close_hour(end_ns):
            if end_ns <= self.learner.learned_ns:
                continue
            censored = any(end_ns - HOUR_NS < time_ns <= end_ns for time_ns in self._adl_ns)
            self.learner.fraction.apply(end_ns, sweep.seen_usd, sweep.swept_usd, deleveraging=censored)
        self._adl_ns = [time_ns for time_ns in self._adl_ns if time_ns > end_ns]
        self._hour = coming

    def _begin(self, hit: ZoneHit, start_ns: int) -> None:
        """Hand a hit to the collector with the last column before its bar."""
        known = [column for column in self._columns if column.end_ns <= start_ns]
        self._columns = known[-1:] + self._columns[len(known) :]
        fresh = known and start_ns - known[-1].end_ns <= _COLUMN_AGE_NS
        situation = self.situation(hit.zone, known[-1], hit.at_ns, hit.conditions) if fresh else None
        if situation is None:
            self.unknown += 1
        else:
            self.collector.add_hit(situation)

    def _remember(self, end_ns: int, close_usd: float) -> None:
        """Keep a close a minute for a quarter of an hour, and the last column."""
        while len(self._columns) > 1 and self._columns[1].end_ns <= end_ns - MINUTE_NS:
            self._columns = self._columns[1:]
        if len(self._closes) and end_ns < self._closes[-1, 0] + MINUTE_NS:
            return
        if not close_usd > 0:
            return
        kept = self._closes[self._closes[:, 0] >= end_ns - _MOMENTUM_NS - GAP_NS]
        self._closes = np.vstack([kept, [float(end_ns), close_usd]])

    def _momentum(self, time_ns: int, side: int) -> float | None:
        """Log move toward the levels over the last quarter of an hour; None where it is not known."""
        old = self._closes[self._closes[:, 0] <= time_ns - _MOMENTUM_NS]
        if not len(old) or time_ns - old[-1, 0] > _MOMENTUM_NS + GAP_NS:
            return None
        moved = math.log(self._closes[-1, 1] / old[-1, 1])
        return -moved if side == 0 else moved

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on but the learner, as flat arrays, and but what ``collector.take`` would give."""
        head = {
            "symbol": self.symbol,
            "unknown": self.unknown,
            "hour": self._hour,
            "adl_ns": self._adl_ns,
            "hits": self._hits,
            "columns": [(c.end_ns, c.rows.row_usd, c.rows.first_row, c.rows.n_rows) for c in self._columns],
        }
        out: dict[str, NDArray[Any]] = {
            "head": np.frombuffer(msgspec.json.encode(head), dtype=np.uint8),
            "closes": self._closes.copy(),
        }
        for k, column in enumerate(self._columns):
            out[f"column.{k}"] = np.array(column.usd)
        parts = {
            "collector": self.collector.state(),
            "volatility": self.volatility.state(),
            "sweeps": self.sweeps.state(),
        }
        for name, part in parts.items():
            out |= {f"{name}|{key}": value for key, value in part.items()}
        return out

    @classmethod
    def from_state(cls, learner: CascadeLearner, state: Mapping[str, NDArray[Any]]) -> CascadeStream:
        """A stream that goes on where ``state()`` was taken."""
        head = msgspec.json.decode(state["head"].tobytes(), type=_Head)
        stream = cls(head.symbol, learner)
        stream.collector = CascadeCollector.from_state(learner, part_of(state, "collector|"))
        stream.volatility = VolatilityTracker.from_state(part_of(state, "volatility|"))
        stream.sweeps = SweepTally.from_state(part_of(state, "sweeps|"))
        stream.unknown, stream._hits = head.unknown, head.hits
        stream._hour, stream._adl_ns = head.hour, head.adl_ns
        stream._columns = [
            Column(end_ns, DisplayRows(row_usd, first_row, n_rows), state[f"column.{k}"].copy())
            for k, (end_ns, row_usd, first_row, n_rows) in enumerate(head.columns)
        ]
        stream._closes = state["closes"].copy()
        return stream


class _Head(msgspec.Struct):
    symbol: str
    unknown: int
    hour: int
    adl_ns: list[int]
    hits: list[ZoneHit]
    columns: list[tuple[int, float, int, int]]


def _mass_log_sd(zone: Zone) -> float:
    """How well heat is known: from the zone's range over leverage mixes, which is wide, but never well."""
    if zone.lo_usd is None or zone.hi_usd is None or not 0 < zone.lo_usd < zone.hi_usd:
        return _MASS_LOG_SD
    return max(_MASS_LOG_SD, math.log(zone.hi_usd / zone.lo_usd) / 4.0)
