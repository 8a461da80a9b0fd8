"""Columns and candles of one scope and timeframe in, one shared time axis, colour scale and list of changes
out.
"""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.store.candles import LIQUIDATED, CandleSeries
from faultline.store.columns import (
    COLUMNS_MAX,
    CandleChange,
    Candles,
    Change,
    ColumnChange,
    MapColumns,
    MapKey,
    Resync,
)
from faultline.store.lhm1 import Snapshot
from faultline.store.planes import PlaneMap
from faultline.store.quantise import CodeRange, code_values_usd
from faultline.store.scale import Legend, ValueHistory, choose_range
from faultline.units import MILLISECOND_NS, TIMEFRAMES_NS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ("MapView",)

#: Columns left after a full map is cut, so that a cut (and its resync) is rare.
_COLUMNS_KEPT: Final = COLUMNS_MAX - 200
#: Planes that share a value history and a range of codes.
_FAMILIES: Final = {"real": "real", "synthetic": "synthetic", "smooth": "synthetic", "walls": "walls"}
#: Plane whose values set the colour scale of all.
_SCALE_PLANES: Final = frozenset({"real", "synthetic", "walls"})


@dataclasses.dataclass(slots=True)
class _Family:
    history: ValueHistory = dataclasses.field(default_factory=ValueHistory)
    code_range: CodeRange | None = None
    legend: Legend | None = None
    peak_usd: float = 0.0
    #: Days and number of closed columns the scale was measured on.
    measured_on: tuple[tuple[int, ...], int] | None = None


class MapView:
    """Everything kept about one (scope, timeframe). All methods take the view's lock; none blocks on anything
    else.
    """

    def __init__(self, scope: str, timeframe: str, new_sub: Callable[[], int], first_seq: int) -> None:
        self.scope = scope
        self.timeframe = timeframe
        self.dt_ns = TIMEFRAMES_NS[timeframe]
        self.lock = threading.Lock()
        self.late_columns = 0
        self._new_sub = new_sub
        self._first_seq = first_seq
        self._t0_ns: int | None = None
        self._planes: dict[tuple[str, str], PlaneMap] = {}
        self._families: dict[str, _Family] = {}
        self._candles = CandleSeries(first_seq)
        #: Stretches in which nobody listened to liquidations, shape (n, 2), sorted.
        self.unheard_ns = np.zeros((0, 2), dtype=np.int64)

    def stored(self) -> list[MapKey]:
        """Planes and sides written so far."""
        return [plane.key for plane in list(self._planes.values())]

    def sub_of(self, plane: str, side: str) -> int:
        """Number that frames of this plane and side carry."""
        return self._planes[plane, side].sub

    def counters(self) -> dict[str, int]:
        """Cells that could not be stored as given, late columns and rewritten closed columns, ever."""
        planes = list(self._planes.values())
        return {
            "bad_cells": sum(plane.bad_cells for plane in planes),
            "closed_ignored": sum(plane.closed_ignored for plane in planes) + self._candles.closed_ignored,
            "late_columns": self.late_columns,
        }

    def write_columns(self, columns: MapColumns) -> list[Change]:
        """Store columns; returns what changed, in order. The caller holds the lock and has checked
        ``columns``.
        """
        if not len(columns.t_ns):
            return []
        plane = self._plane(columns.plane, columns.side)
        family = self._families.setdefault(_FAMILIES[columns.plane], _Family())
        usd = np.ascontiguousarray(columns.usd, np.float32)
        self._count(plane, family, columns, usd)
        must_resync = self._make_room(
            int(columns.t_ns[0]), int(columns.t_ns[-1]), is_empty=plane.n_columns == 0
        )
        index = (columns.t_ns - self._start_ns) // self.dt_ns
        fits = index >= 0
        self.late_columns += int(np.count_nonzero(~fits))
        n_closed = int(np.count_nonzero(fits[: columns.n_closed]))
        index, usd = index[fits], usd[fits]
        if len(index):
            may_change = usd[index >= plane.n_closed]
            must_resync |= self._measure(family, _FAMILIES[columns.plane], int(columns.t_ns[-1]), may_change)
            if not plane.has_geometry(columns.first_row, usd.shape[1], columns.row_usd):
                self._move(plane, columns, int(index[0]), usd, family)
                plane.resync()
        changes: list[Change] = (
            [self._resync(other) for other in self._planes.values()] if must_resync else []
        )
        for start, stop in _runs(index):
            closed = min(max(n_closed - start, 0), stop - start)
            frames = plane.write(int(index[start]), usd[start:stop], closed, _range(family))
            if frames is None:
                changes.append(Resync(plane.key, plane.sub, plane.seq))
            else:
                changes += [ColumnChange(plane.key, seq, frame) for seq, frame in frames]
        return changes

    def write_candles(self, candles: Candles, values: NDArray[np.float64]) -> list[Change]:
        """Store candles; returns what changed. The caller holds the lock; ``values`` is
        ``candles.stacked()``, and is written to.
        """
        if not len(candles.t_ns):
            return []
        must_resync = self._make_room(
            int(candles.t_ns[0]), int(candles.t_ns[-1]), is_empty=self._candles.n_candles == 0
        )
        values[self._is_unheard(candles.t_ns), LIQUIDATED] = np.nan
        index = (candles.t_ns - self._start_ns) // self.dt_ns
        fits = index >= 0
        self.late_columns += int(np.count_nonzero(~fits))
        n_closed = int(np.count_nonzero(fits[: candles.n_closed]))
        changed = self._candles.write(index[fits], values[fits], n_closed)
        changes: list[Change] = (
            [self._resync(plane) for plane in self._planes.values()] if must_resync else []
        )
        return changes + self._candle_changes(changed)

    def leave_unheard(self, spans_ns: NDArray[np.int64]) -> list[Change]:
        """Make the liquidations of candles inside of stretches (n, 2) unknown; returns what changed. The caller holds
        the lock.
        """
        self.unheard_ns = spans_ns
        if not self._candles.n_candles:
            return []
        starts = self._start_ns + np.arange(self._candles.n_candles) * self.dt_ns
        return self._candle_changes(self._candles.forget_liquidations(self._is_unheard(starts)))

    def _is_unheard(self, starts_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which candles lie inside of a stretch in which nobody listened, shape of ``starts_ns``."""
        spans = self.unheard_ns
        if not len(spans):
            return np.zeros(len(starts_ns), dtype=np.bool_)
        at = np.searchsorted(spans[:, 0], starts_ns, side="right") - 1
        inside: NDArray[np.bool_] = (at >= 0) & (starts_ns + self.dt_ns <= spans[at, 1])
        return inside

    def _candle_changes(self, indices: list[int]) -> list[Change]:
        return [
            CandleChange(
                self.scope, self.timeframe, i, self._start_ns + i * self.dt_ns,
                self._candles.values[i].copy(), i < self._candles.n_closed,
            )
            for i in indices
        ]  # fmt: skip

    def clear(self) -> list[Change]:
        """Drop all columns, candles and scales (a replay jumped); keep names and sequence numbers."""
        self._t0_ns = None
        self._candles.clear()
        self.unheard_ns = np.zeros((0, 2), dtype=np.int64)
        for family in self._families.values():
            family.history.clear()
            family.legend, family.measured_on, family.peak_usd = None, None, 0.0
        changes: list[Change] = []
        for plane in self._planes.values():
            plane.clear()
            changes.append(Resync(plane.key, plane.sub, plane.seq))
        return changes

    def seq(self, plane: str, side: str) -> int:
        """Number of the last change of a plane and side; both sides together count as the sum."""
        if side == "both":
            parts = list(self._planes.values())
            return sum(part.seq for part in parts if part.key.plane == plane) & 0xFFFFFFFF
        return self._planes[plane, side].seq

    def frames_after(
        self, plane: str, side: str, seq: int
    ) -> tuple[list[tuple[int, bytes]] | None, int, int, int]:
        """Backlog after ``seq`` (None: too old), then the map's ``seq``, number of columns and ``sub``."""
        found = self._planes[plane, side]
        return found.frames_after(seq), found.seq, found.n_columns, found.sub

    def snapshot(self, plane: str, side: str) -> Snapshot:
        """A copy of one plane and side as it stands. The caller holds the lock and knows that it exists."""
        found = self._planes[plane, side]
        code_range = self._families[_FAMILIES[plane]].code_range or CodeRange(0)
        return Snapshot(
            plane=plane,
            side=side,
            t0_ms=(self._t0_ns or 0) // MILLISECOND_NS,
            dt_ms=self.dt_ns // MILLISECOND_NS,
            seq=found.seq,
            price0_usd=found.first_row * found.row_usd,
            row_usd=found.row_usd,
            vmin_usd=code_range.vmin_usd,
            vmax_usd=code_range.vmax_usd,
            first_live_col=found.n_closed,
            codes=found.codes.copy(),
        )

    def row_usd(self) -> float | None:
        """Height of the rows of the first plane stored; None where there is none."""
        return next((plane.row_usd for plane in list(self._planes.values())), None)

    def cell_usd(self, plane: str, side: str, t_ns: int, price_usd: float) -> float | None:
        """Shown value of one cell; None outside of what is stored. The caller holds the lock."""
        found = self._planes.get((plane, side))
        code_range = self._families[_FAMILIES[plane]].code_range if found else None
        if found is None or code_range is None or self._t0_ns is None:
            return None
        column, row = (t_ns - self._t0_ns) // self.dt_ns, int(price_usd // found.row_usd) - found.first_row
        if not (0 <= column < found.n_columns and 0 <= row < found.codes.shape[1]):
            return None
        return float(code_values_usd(code_range)[found.codes[column, row]])

    def candles(self) -> tuple[int, CandleSeries]:
        """Start of the time axis (0 where nothing is stored) and the candles. The caller holds the lock."""
        return self._t0_ns or 0, self._candles

    def legend(self) -> Legend | None:
        """The colour scale of this map: measured on the synthetic plane; None before anything is closed."""
        family = self._families.get("synthetic")
        return family.legend if family else None

    @property
    def _start_ns(self) -> int:
        if self._t0_ns is None:
            msg = "the time axis has no start before the first column"
            raise RuntimeError(msg)
        return self._t0_ns

    def _plane(self, plane: str, side: str) -> PlaneMap:
        found = self._planes.get((plane, side))
        if found is None:
            key = MapKey(self.scope, self.timeframe, plane, side)
            found = self._planes[plane, side] = PlaneMap(key, self._new_sub(), self._first_seq)
        return found

    def _count(self, plane: PlaneMap, family: _Family, columns: MapColumns, usd: NDArray[np.float32]) -> None:
        if columns.plane not in _SCALE_PLANES or not columns.n_closed:
            return
        t_ns = columns.t_ns[: columns.n_closed]
        start = int(np.searchsorted(t_ns, plane.counted_to_ns))
        if start < len(t_ns):
            family.history.add(t_ns[start:], self.dt_ns, usd[start : columns.n_closed])
            plane.counted_to_ns = int(t_ns[-1]) + self.dt_ns

    def _make_room(self, first_ns: int, last_ns: int, *, is_empty: bool) -> bool:
        """Place a write on the time axis: start it, put columns in front, or cut the oldest; True if indices
        moved.
        """
        if self._t0_ns is None:
            self._t0_ns = first_ns
        n_stored = max([plane.n_columns for plane in self._planes.values()] + [self._candles.n_candles])
        n_after = max(n_stored, (last_ns - self._t0_ns) // self.dt_ns + 1)
        n_early = (self._t0_ns - first_ns) // self.dt_ns
        shift = 0
        if n_early > 0 and is_empty and n_after + n_early <= COLUMNS_MAX:
            shift = -n_early
        elif n_after > COLUMNS_MAX:
            shift = n_after - _COLUMNS_KEPT
        if not shift:
            return False
        self._t0_ns += shift * self.dt_ns
        for plane in self._planes.values():
            plane.shift_time(shift)
        self._candles.shift_time(shift)
        return n_stored > 0

    def _measure(self, family: _Family, name: str, now_ns: int, usd: NDArray[np.float32]) -> bool:
        """Set the family's colour scale and range of codes where it is due; True if stored codes were
        re-expressed.
        """
        finite = usd[np.isfinite(usd)]
        family.peak_usd = max(family.peak_usd, float(finite.max()) if len(finite) else 0.0)
        basis = family.history.basis(now_ns)
        before = family.code_range
        outgrown = before is not None and family.peak_usd > before.vmax_usd
        if before is not None and basis == family.measured_on and not outgrown:
            return False
        if basis != family.measured_on:
            family.legend = family.history.legend(now_ns)
            family.measured_on = basis
        after = choose_range(family.legend, family.peak_usd, before)
        if before is None or after == before:
            family.code_range = after
            return False
        for plane in self._planes.values():
            if _FAMILIES[plane.key.plane] == name:
                plane.change_range(before, after)
        family.code_range = after
        return True

    def _move(
        self,
        plane: PlaneMap,
        columns: MapColumns,
        first_index: int,
        usd: NDArray[np.float32],
        family: _Family,
    ) -> None:
        rows = columns.first_row + np.arange(usd.shape[1])
        known = plane.first_row <= rows
        known &= rows < plane.first_row + plane.codes.shape[1]
        same_height = plane.row_usd == columns.row_usd
        plane.move_rows(columns.first_row, usd.shape[1], columns.row_usd)
        if same_height:
            plane.fill_rows(first_index, usd, ~known, _range(family))

    def _resync(self, plane: PlaneMap) -> Resync:
        plane.resync()
        return Resync(plane.key, plane.sub, plane.seq)


def _range(family: _Family) -> CodeRange:
    if family.code_range is None:
        msg = "a range of codes is chosen before columns are stored"
        raise RuntimeError(msg)
    return family.code_range


def _runs(index: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Half-open stretches of consecutive column indices."""
    if not len(index):
        return []
    breaks = (np.flatnonzero(np.diff(index) != 1) + 1).tolist()
    return list(zip([0, *breaks], [*breaks, len(index)], strict=True))
