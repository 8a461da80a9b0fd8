"""Openings, elapsed time and the price path in, the standing forced orders by price, side and leverage out.

The ledger holds, per hypothesis, side and leverage, how much of what was opened would be liquidated in each
bucket of log price. A position of leverage ``l`` opened at ``p`` is forced out at ``ln p + ln(1 - d)`` (long) or
``ln p + ln(1 + d)`` (short) with the margin distance ``d = (1/l - m) * exp(sigma * z)``; the nodes ``z`` stand for
top-ups, cross margin and tiers. Openings fade as positions close by choice, at a rate that grows with leverage.
A path that reaches a level consumes it, in part where it enters a bucket only in part. See
``docs/concepts/ledger.md``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.errors import RequestError, StoreError
from faultline.heatmap import column_kernels, ledger_kernels, window_kernels
from faultline.heatmap.grid import bucket_of, bucket_position
from faultline.heatmap.ledger_kernels import LedgerArrays
from faultline.heatmap.ledger_tables import empty_arrays, ledger_tables
from faultline.units import SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ("LEVERAGES", "PATH_BAR", "Ledger", "LedgerParameters", "Swept")

#: Leverages that the ledger tells apart by default.
LEVERAGES: Final = (2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 25.0, 33.0, 50.0, 75.0, 100.0, 125.0, 150.0)

#: One step of the path: ``[low, high]`` is consumed, then units are deposited at ``close`` at ``end_ns``.
PATH_BAR: Final = np.dtype(
    [
        ("start_ns", "<i8"),
        ("end_ns", "<i8"),
        ("low_usd", "<f8"),
        ("high_usd", "<f8"),
        ("close_usd", "<f8"),
        ("units_long", "<f8"),
        ("units_short", "<f8"),
    ]
)

_NODE_RANGE: Final = 2.0
_STATE_VERSION: Final = 1


class LedgerParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One hypothesis about margins and lifetimes.

    Attributes:
        leverages: leverages told apart, ascending.
        maintenance_ratio: maintenance margin over notional of the first tier.
        margin_buffer_ratio: distance added to it: fees and the gap between trigger and margin.
        hazard_per_hour_at_10x: voluntary closes per hour at leverage 10; the hazard at ``l`` is this times
            ``(l / 10) ** hazard_exponent``.
        hazard_exponent: see above.
        dispersion: standard deviation of the log margin distance.
        dispersion_nodes: nodes it is split over, evenly spaced in two standard deviations either side.

    Raises:
        ValueError: a value is impossible; the message names it.
    """

    leverages: tuple[float, ...] = LEVERAGES
    maintenance_ratio: float = 0.004
    margin_buffer_ratio: float = 0.001
    hazard_per_hour_at_10x: float = 1.0 / 36.0
    hazard_exponent: float = 0.5
    dispersion: float = 0.4
    dispersion_nodes: int = 9

    def __post_init__(self) -> None:
        levs = self.leverages
        rules = {
            "leverages": len(levs) > 0
            and all(1 < lev < math.inf for lev in levs)
            and tuple(sorted(set(levs))) == levs,
            "maintenance_ratio": 0 <= self.maintenance_ratio < 1,
            "margin_buffer_ratio": 0 <= self.margin_buffer_ratio < 1,
            "hazard_per_hour_at_10x": 0 <= self.hazard_per_hour_at_10x < math.inf,
            "hazard_exponent": math.isfinite(self.hazard_exponent),
            "dispersion": 0 <= self.dispersion < math.inf,
            "dispersion_nodes": 1 <= self.dispersion_nodes <= 99,
        }
        for name, holds in rules.items():
            if not holds:
                raise ValueError(f"a ledger cannot have {name} = {getattr(self, name)!r}")

    def hazards_per_hour(self) -> NDArray[np.float64]:
        """Voluntary closes per hour and leverage, shape (L,)."""
        return self.hazard_per_hour_at_10x * (np.asarray(self.leverages) / 10.0) ** self.hazard_exponent

    def nodes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Standard normal nodes ``z`` and their weights (sum 1), each of shape (nodes,)."""
        if self.dispersion_nodes == 1 or self.dispersion == 0:
            return np.zeros(1), np.ones(1)
        z = np.linspace(-_NODE_RANGE, _NODE_RANGE, self.dispersion_nodes)
        weights = np.exp(-0.5 * z * z)
        return z, weights / weights.sum()

    def distances(self) -> NDArray[np.float64]:
        """Margin distance per leverage and node, shape (L, nodes); zero or less where no margin is left."""
        z, _ = self.nodes()
        margin = 1.0 / np.asarray(self.leverages) - self.maintenance_ratio - self.margin_buffer_ratio
        return margin[:, None] * np.exp(self.dispersion * z)[None, :]


@dataclasses.dataclass(frozen=True, slots=True)
class Swept:
    """What a path consumes (or would): ``n`` cells.

    Attributes:
        side: int8 (n,), 0 long, 1 short.
        bucket: int64 (n,), log bucket.
        covered_ratio: float64 (n,), share of the bucket between low and high of the path.
        exposure: float64 (J, n, L), units consumed.
    """

    side: NDArray[np.int8]
    bucket: NDArray[np.int64]
    covered_ratio: NDArray[np.float64]
    exposure: NDArray[np.float64]


class Ledger:
    """Standing forced orders under one or several hypotheses; one writer, no locks.

    Args:
        parameters: one set per hypothesis (leading axis J); all share the number of leverages and nodes.
        n_buckets: buckets of five basis points kept around the price; the window follows the price on its own.

    Raises:
        RequestError: no parameters, or sets of different shapes, or fewer than 64 buckets.
    """

    def __init__(self, parameters: Sequence[LedgerParameters], n_buckets: int = 4096) -> None:
        shapes = {(len(p.leverages), len(p.nodes()[0])) for p in parameters}
        if len(shapes) != 1 or n_buckets < 64:
            message = (
                "a ledger needs hypotheses with equally many leverages and nodes, and 64 buckets or more"
            )
            raise RequestError(
                message, where="parameters, n_buckets", hint=f"got shapes {sorted(shapes)}, {n_buckets}"
            )
        self.parameters = tuple(parameters)
        self.n_buckets = n_buckets
        self._tables = ledger_tables(self.parameters)
        self._arrays = empty_arrays(len(parameters), n_buckets, self._tables.hazard.shape[1])
        self._scratch = np.zeros((2, *self._tables.hazard.shape))
        self._projection: tuple[tuple[float, int, int], tuple[NDArray[Any], ...]] | None = None

    @property
    def n_leverages(self) -> int:
        """Number of leverages L."""
        return len(self.parameters[0].leverages)

    @property
    def first_bucket(self) -> int:
        """Log bucket of index 0 of every array over buckets."""
        return int(self._arrays.integers[ledger_kernels.I_FIRST])

    @property
    def clock_ns(self) -> int:
        """Time up to which the ledger has decayed."""
        return int(self._arrays.integers[ledger_kernels.I_CLOCK])

    @property
    def rejected(self) -> int:
        """Bars and deposits left out because a value was impossible (negative, infinite, low above high)."""
        return int(self._arrays.integers[ledger_kernels.I_REJECTED])

    @property
    def remaining(self) -> NDArray[np.float32]:
        """Share of each bucket that the path has not entered, shape (2, B), of the first hypothesis."""
        front: NDArray[np.float32] = self._arrays.remaining[0].copy()
        return front

    def decay(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass.

        Raises:
            RequestError: the time is negative or not finite.
        """
        if not 0 <= dt_s < math.inf:
            message = f"time cannot pass by {dt_s!r} seconds"
            raise RequestError(message, where="dt_s", hint="give a finite number of seconds, 0 or more")
        self.decay_to(self.clock_ns + round(dt_s * SECOND_NS))

    def decay_to(self, time_ns: int) -> None:
        """Let time pass until ``time_ns``.

        Raises:
            RequestError: that is before the ledger's clock.
        """
        if time_ns < self.clock_ns:
            message = f"the ledger stands at {self.clock_ns} ns and cannot go back to {time_ns} ns"
            raise RequestError(message, where="time_ns", hint="apply steps in the order of their time")
        ledger_kernels.decay_kernel(self._arrays, self._tables, time_ns, self._scratch[0])

    def deposit(
        self,
        prices_usd: ArrayLike,
        units_long: ArrayLike,
        units_short: ArrayLike,
        low_usd: ArrayLike | None = None,
        high_usd: ArrayLike | None = None,
    ) -> None:
        """Open units at prices; missing (NaN) prices or units open nothing, impossible ones are counted.

        Args:
            prices_usd: entry prices, shape (n,).
            units_long: units opened long at each, shape (n,) or a scalar; every leverage receives them.
            units_short: the same for shorts.
            low_usd: lowest price since the entry; long levels at or above it have been passed and are skipped.
            high_usd: highest price since the entry; short levels at or below it are skipped.

        Raises:
            RequestError: only one of ``low_usd`` and ``high_usd`` is given.
        """
        if (low_usd is None) != (high_usd is None):
            message = "only one end of the path since the entry is given"
            raise RequestError(message, where="low_usd, high_usd", hint="give both or neither")
        columns = [prices_usd, units_long, units_short]
        if low_usd is not None and high_usd is not None:
            columns += [low_usd, high_usd]
        rows = np.stack([np.atleast_1d(c) for c in np.broadcast_arrays(*columns)]).astype(np.float64)
        missing = np.isnan(rows).any(axis=0)
        bad = ~missing & ~(np.isfinite(rows).all(axis=0) & (rows[1:3] >= 0).all(axis=0) & (rows[0] > 0))
        if len(rows) == 5:
            bad |= ~missing & ~((rows[3] > 0) & (rows[3] <= rows[4]))
        self._arrays.integers[ledger_kernels.I_REJECTED] += int(bad.sum())
        growth, scale = self._scratch[1], self._scratch[0]
        ledger_kernels.scale_kernel(self._arrays, self._tables, self.clock_ns, growth, grow=True)
        for row in rows[:, ~missing & ~bad & (rows[1:3].sum(axis=0) > 0)].T:
            if len(row) == 5:
                ledger_kernels.deposit_passed_kernel(
                    self._arrays, self._tables, row[0], row[1:3].copy(), row[3:5].copy(), growth, scale
                )
            else:
                ledger_kernels.apply_deposit_kernel(
                    self._arrays, self._tables, row[0], row[1], row[2], growth, scale
                )

    def sweep(self, low_usd: float, high_usd: float) -> Swept:
        """Consume what a path over ``[low_usd, high_usd]`` reaches, and tell what it was.

        Longs down to the low and shorts up to the high go. Cells of both sides cover every bucket from low to
        high, and beyond it those that a jump of the path passed. A missing (NaN) range consumes nothing.

        Raises:
            RequestError: the range is not a pair of positive finite prices, low first.
        """
        swept = self.exposure(low_usd, high_usd)
        if len(swept.bucket):
            ledger_kernels.apply_sweep_kernel(self._arrays, self._tables, low_usd, high_usd, self._scratch[0])
        return swept

    def exposure(self, low_usd: float, high_usd: float) -> Swept:
        """What ``sweep`` would consume, without consuming it.

        Raises:
            RequestError: as ``sweep``.
        """
        if math.isnan(low_usd) or math.isnan(high_usd):
            return _no_cells(len(self.parameters), self.n_leverages)
        if not 0 < low_usd <= high_usd < math.inf:
            message = f"no path covers [{low_usd!r}, {high_usd!r}]"
            raise RequestError(
                message, where="low_usd, high_usd", hint="give positive finite prices, low first"
            )
        arrays = self._arrays
        if arrays.integers[ledger_kernels.I_PENDING] > 0:
            arrays = LedgerArrays(*(part.copy() for part in arrays))
            ledger_kernels.flush_kernel(arrays, self._tables, self._scratch[0])
        ledger_kernels.scale_kernel(arrays, self._tables, self.clock_ns, self._scratch[0], grow=False)
        ends = (bucket_of(low_usd), bucket_of(high_usd))
        places = (bucket_position(low_usd), bucket_position(high_usd))
        ints = arrays.integers
        reach = []
        for side in range(2):
            active = int(ints[ledger_kernels.I_LO + side]), int(ints[ledger_kernels.I_HI + side])
            stands = active[0] <= active[1]
            begin = min(ends[0], active[0]) if side == 1 and stands else ends[0]
            end = max(ends[1], active[1]) if side == 0 and stands else ends[1]
            reach.append(np.arange(begin, end + 1))
        bucket = np.concatenate(reach)
        out = np.zeros((len(self.parameters), len(bucket), self.n_leverages))
        for side, part in ((0, slice(0, len(reach[0]))), (1, slice(len(reach[0]), None))):
            begin = int(reach[side][0])
            ledger_kernels.exposure_kernel(arrays, side, begin, places[side], self._scratch[0], out[:, part])
        covered = np.clip(np.minimum(places[1], bucket + 1) - np.maximum(places[0], bucket), 0, 1)
        side_of = np.repeat(np.array([0, 1], dtype=np.int8), [len(part) for part in reach])
        return Swept(side_of, bucket, covered, out)

    def profile(self, mix: ArrayLike) -> NDArray[np.float32]:
        """Units that stand per hypothesis, side and bucket under a leverage mix, shape (J, 2, B).

        Args:
            mix: weight per leverage, shape (J, L); (1, L) or (L,) is used for every hypothesis.
        """
        weights = self._mix(mix)
        scale = self._scratch[0]
        ledger_kernels.scale_kernel(self._arrays, self._tables, self.clock_ns, scale, grow=False)
        out = np.zeros((len(self.parameters), 2, self.n_buckets), dtype=np.float32)
        lanes = np.zeros(self._tables.hazard.shape[1], dtype=np.float32)
        for j in range(len(self.parameters)):
            lanes[: self.n_leverages] = weights[j] * scale[j, : self.n_leverages]
            for side in range(2):
                column_kernels.heat_kernel(
                    self._arrays, self._tables, j, side, lanes, 0, self.n_buckets, out[j, side]
                )
        return out

    def standing(self) -> NDArray[np.float64]:
        """Units that stand per hypothesis, side, bucket and leverage, before any mix, shape (J, 2, B, L)."""
        scale = self._scratch[0]
        ledger_kernels.scale_kernel(self._arrays, self._tables, self.clock_ns, scale, grow=False)
        out = np.zeros((len(self.parameters), 2, self.n_buckets, self.n_leverages))
        column_kernels.standing_kernel(self._arrays, self._tables, scale, 0, self.n_buckets, out)
        return out

    def total(self, mix: ArrayLike) -> NDArray[np.float64]:
        """Units that stand per side under a leverage mix, summed over hypotheses, shape (2,)."""
        out = np.zeros(2)
        ledger_kernels.scale_kernel(self._arrays, self._tables, self.clock_ns, self._scratch[0], grow=False)
        column_kernels.totals_kernel(self._arrays, self._tables, self._mix(mix), self._scratch[0], out)
        return out

    def advance(
        self,
        bars: NDArray[np.void],
        mix: ArrayLike,
        column_at: ArrayLike,
        *,
        mix_of: ArrayLike | None = None,
        first_row: int,
        n_rows: int,
        row_usd: float,
        oi_usd: ArrayLike = math.nan,
        worth_usd: float = math.nan,
        prices_usd: ArrayLike = math.nan,
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Apply path bars in order and draw map columns between them; the fast path.

        Per bar: time passes to ``end_ns``, ``[low, high]`` is consumed, units are deposited at the close. The
        result does not depend on how the bars are cut into calls, and equals the same steps called one by one.

        Args:
            bars: rows of ``PATH_BAR`` in the order of their ends, shape (m,). NaN moves and deposits nothing.
            mix: weight per leverage, shape (J, L) or (L,), or several of them, shape (M, J, L).
            column_at: for each column, how many of these bars are applied before it is drawn; sorted, shape (n,).
            mix_of: which of several mixes each column is drawn with, shape (n,); None for the first.
            first_row: first display row; row ``k`` covers ``[k*row_usd, (k+1)*row_usd)``.
            n_rows: number of display rows.
            row_usd: height of a display row.
            oi_usd: open interest of a side at each column, shape (n,); NaN draws units instead of USD.
            worth_usd: slow worth of a unit (``heatmap.anchor``).
            prices_usd: price at each column, shape (n,); NaN draws units.

        Returns:
            USD (or units) per column, side and row, shape (n, 2, n_rows), and all units that stand per column and
            side, shown or not, shape (n, 2).

        Raises:
            RequestError: bars are not in order or begin before the ledger's clock, or the rows are impossible.
        """
        ends = bars["end_ns"]
        if len(ends) and (ends[0] < self.clock_ns or np.any(np.diff(ends) < 0)):
            message = "path bars are not in the order of their ends, or end before the ledger's clock"
            raise RequestError(message, where="bars", hint=f"the clock stands at {self.clock_ns} ns")
        at = np.ascontiguousarray(column_at, dtype=np.int64)
        if (
            not row_usd > 0
            or n_rows < 0
            or np.any(np.diff(at) < 0)
            or (len(at) and (at[0] < 0 or at[-1] > len(bars)))
        ):
            message = "columns cannot be drawn"
            hint = "give sorted counts between 0 and the number of bars, and rows of positive height"
            raise RequestError(message, where="column_at, row_usd, n_rows", hint=hint)
        mixes, chosen = self._mixes(mix, mix_of, len(at))
        columns = np.zeros((len(at), 2, n_rows), dtype=np.float32)
        totals = np.zeros((len(at), 2))
        anchors = np.empty((len(at), 3))
        anchors[:, 0], anchors[:, 1], anchors[:, 2] = oi_usd, worth_usd, prices_usd
        records = np.ascontiguousarray(bars, dtype=PATH_BAR)
        rows = np.array([row_usd, first_row, n_rows], dtype=np.float64)
        column_kernels.advance_kernel(
            self._arrays,
            self._tables,
            records,
            mixes,
            chosen,
            at,
            anchors,
            rows,
            self._projection_of(row_usd, first_row, n_rows),
            columns,
            totals,
            self._scratch,
        )
        return columns, totals

    def _projection_of(self, row_usd: float, first_row: int, n_rows: int) -> tuple[NDArray[Any], ...]:
        """Tables from buckets to display rows, kept while the rows stay the same; the kernel fills them."""
        key = (row_usd, first_row, n_rows)
        if self._projection is None or self._projection[0] != key:
            tables = (
                np.empty(self.n_buckets + 1),
                np.empty((n_rows, 2), dtype=np.int64),
                np.empty((n_rows, 2), dtype=np.float32),
                np.array([np.iinfo(np.int64).min]),
            )
            self._projection = (key, tables)
        return self._projection[1]

    def walk(
        self,
        times_ns: NDArray[np.int64],
        ranges_usd: NDArray[np.float64],
        entries_usd: NDArray[np.float64],
        units: NDArray[np.float64],
        cells: NDArray[np.int64],
        *,
        consumes: bool = True,
    ) -> NDArray[np.float64]:
        """What each window of a sequence would consume, shape (J, C, L): ``exposure``, ``sweep``, ``deposit`` in a row.

        Per window: time passes to its start, the exposure of its range is noted, the range is consumed, time passes to
        its end, and units are opened at its entries, without the levels passed since.

        Args:
            times_ns: start and end, shape (W, 2), sorted, from the ledger's clock on.
            ranges_usd: low and high, shape (W, 2); NaN where price is unknown.
            entries_usd: price, low since and high since, shape (W, m, 3); NaN where there is none.
            units: units opened per side and entry, shape (W,).
            cells: first row of the result, lowest bucket and number of buckets (0: not noted), shape (W, 3). The rows
                of the long cells come first, then those of the short cells.
            consumes: False notes what the range holds without consuming it.

        Raises:
            RequestError: the windows are not in order.
        """
        flat = times_ns.ravel()
        if len(flat) and (flat[0] < self.clock_ns or np.any(np.diff(flat) < 0)):
            message = "windows are not in order, or start before the ledger's clock"
            raise RequestError(message, where="times_ns", hint=f"the clock stands at {self.clock_ns} ns")
        rows = int((cells[:, 0] + 2 * cells[:, 2]).max(initial=0))
        out = np.zeros((len(self.parameters), rows, self.n_leverages))
        window_kernels.windows_kernel(
            self._arrays, self._tables, times_ns, ranges_usd, entries_usd, units, cells, consumes, out
        )
        return out

    def accounts(self) -> dict[str, NDArray[np.float64]]:
        """Units per hypothesis, side and leverage, each (J, 2, L): deposited = standing + decayed + swept + skipped.

        ``standing`` is summed over the cells; ``decayed`` follows from running sums that never look at a cell.
        """
        n = self.n_leverages
        arrays, scale = self._arrays, self._scratch[0]
        ledger_kernels.scale_kernel(arrays, self._tables, self.clock_ns, scale, grow=False)
        now = scale[:, None, :n]
        book = arrays.accounts
        deposited = np.repeat(book[:, ledger_kernels.ACCOUNT_DEPOSITED, :, :1], n, axis=2)
        swept = book[:, ledger_kernels.ACCOUNT_SWEPT, :, :n].copy()
        skipped = book[:, ledger_kernels.ACCOUNT_SKIPPED, :, :n].copy()
        waiting = arrays.pending[..., :n].sum(axis=1) * now
        running = book[:, ledger_kernels.ACCOUNT_RUNNING, :, :n] * now + waiting
        standing = arrays.mass[..., :n].sum(axis=2, dtype=np.float64) * now + waiting
        decayed = deposited - swept - skipped - running
        return {
            "deposited": deposited,
            "standing": standing,
            "decayed": decayed,
            "swept": swept,
            "skipped": skipped,
        }

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays; ``from_state`` continues bit for bit."""
        out: dict[str, NDArray[Any]] = {
            "version": np.array([_STATE_VERSION]),
            "parameters": self._fingerprint(),
        }
        low = self._arrays.integers[ledger_kernels.I_LO : ledger_kernels.I_LO + 2]
        high = self._arrays.integers[ledger_kernels.I_HI : ledger_kernels.I_HI + 2]
        for name, part in self._arrays._asdict().items():
            if name in {"mass", "remaining"}:
                # Only the active range is kept; outside it mass is 0 and nothing is penetrated.
                for side, word in enumerate(("long", "short")):
                    begin, end = int(low[side] - self.first_bucket), int(high[side] - self.first_bucket) + 1
                    out[f"{name}_{word}"] = (
                        part[:, side, begin:end].copy() if begin < end else part[:, side, :0].copy()
                    )
            else:
                out[name] = part.copy()
        return out

    @classmethod
    def from_state(
        cls, parameters: Sequence[LedgerParameters], state: Mapping[str, NDArray[Any]], n_buckets: int = 4096
    ) -> Ledger:
        """A ledger that goes on where ``state()`` was taken.

        Raises:
            StoreError: the state is of another version or does not fit the parameters.
        """
        ledger = cls(parameters, n_buckets)
        arrays = ledger._arrays
        try:
            if int(state["version"][0]) != _STATE_VERSION:
                raise ValueError(f"version {int(state['version'][0])}")
            if not np.array_equal(state["parameters"], ledger._fingerprint()):
                raise ValueError("it was taken with other parameters")
            for name, part in arrays._asdict().items():
                if name not in {"mass", "remaining"}:
                    np.copyto(part, state[name], casting="safe")
            for side, word in enumerate(("long", "short")):
                begin = int(arrays.integers[ledger_kernels.I_LO + side]) - ledger.first_bucket
                for name, part in (("mass", arrays.mass), ("remaining", arrays.remaining)):
                    kept = state[f"{name}_{word}"]
                    if kept.shape[1]:
                        part[:, side, begin : begin + kept.shape[1]] = kept
        except (KeyError, ValueError, IndexError, TypeError) as exc:
            message = f"not the state of this ledger: {exc}"
            raise StoreError(message, where="state", hint="rebuild it from the tape") from exc
        return ledger

    def sha256(self) -> str:
        """Hash of the state; equal for equal histories."""
        digest = hashlib.sha256()
        for name, part in sorted(self.state().items()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

    def _fingerprint(self) -> NDArray[np.uint8]:
        """Hash of the parameters, uint8 (32,)."""
        text = msgspec.json.encode([self.n_buckets, *self.parameters])
        return np.frombuffer(hashlib.sha256(text).digest(), dtype=np.uint8)

    def _mix(self, mix: ArrayLike) -> NDArray[np.float64]:
        """The mix as (J, L) float64.

        Raises:
            RequestError: it has another shape, or a weight is negative or not finite.
        """
        weights = np.asarray(mix, dtype=np.float64)
        shape = (len(self.parameters), self.n_leverages)
        fits = weights.shape in {shape, (1, shape[1]), shape[1:]}
        if not fits or not bool(np.all(np.isfinite(weights) & (weights >= 0))):
            message = f"a leverage mix of shape {weights.shape} does not fit {shape}, or has negative weights"
            raise RequestError(message, where="mix", hint="give one non-negative weight per leverage")
        return np.ascontiguousarray(np.broadcast_to(weights, shape))

    def _mixes(
        self, mix: ArrayLike, mix_of: ArrayLike | None, n_columns: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Mixes (M, J, L), and which of them each column takes (n,).

        Raises:
            RequestError: a column takes a mix that is not there.
        """
        given = np.asarray(mix, dtype=np.float64)
        several = given if given.ndim == 3 else given[None]
        mixes = np.array([self._mix(one) for one in several])
        chosen = np.zeros(n_columns, np.int64) if mix_of is None else np.array(mix_of, dtype=np.int64)
        if chosen.shape != (n_columns,) or np.any((chosen < 0) | (chosen >= max(len(mixes), 1))):
            message = f"{n_columns} columns cannot choose among {len(mixes)} mixes by {chosen.shape} indices"
            raise RequestError(message, where="mix_of", hint="give one index of a mix per column")
        return mixes, chosen


def _no_cells(n_hypotheses: int, n_leverages: int) -> Swept:
    """A sweep that reached nothing."""
    empty = np.zeros(0)
    return Swept(
        empty.astype(np.int8), empty.astype(np.int64), empty, np.zeros((n_hypotheses, 0, n_leverages))
    )
