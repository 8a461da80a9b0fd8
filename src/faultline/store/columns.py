"""Values the pipeline hands over and the API hands out: columns of a map, candles, and what changed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from faultline.errors import StoreError
from faultline.store.lhm1 import PLANES
from faultline.units import TIMEFRAMES_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.store.status import Status

__all__ = (
    "CANDLE_FIELDS",
    "COLUMNS_MAX",
    "ROWS_MAX",
    "CandleChange",
    "CandleView",
    "Candles",
    "Change",
    "ColumnChange",
    "MapColumns",
    "MapKey",
    "Resync",
    "StatusChange",
)

#: Columns kept per map.
COLUMNS_MAX: Final = 2_000
#: Rows a map may have; a frame counts them in 16 bits.
ROWS_MAX: Final = 20_000
#: Number columns of a candle, in the order they are stored.
CANDLE_FIELDS: Final = ("open", "high", "low", "close", "volume_usd", "long_usd", "short_usd")
#: Axes of a map: time and price.
_AXES: Final = 2


class MapKey(NamedTuple):
    """Name of one plane of one side of one map."""

    scope: str
    timeframe: str
    plane: str
    side: str

    def __str__(self) -> str:
        return "/".join(self)


@dataclasses.dataclass(frozen=True)
class MapColumns:
    """Columns of one plane of one side, oldest first.

    ``t_ns`` int64[n] are column starts on the timeframe's grid; ``usd`` float32[n, P] is USD per cell, NaN
    missing; row ``k`` covers prices ``[(first_row + k) * row_usd, (first_row + k + 1) * row_usd)``. Columns
    from ``n_closed`` on are forming and may be written again; closed columns never change once stored.
    """

    scope: str
    timeframe: str
    plane: str
    side: str
    row_usd: float
    first_row: int
    t_ns: NDArray[np.int64]
    usd: NDArray[np.float32]
    n_closed: int

    @property
    def key(self) -> MapKey:
        """Name of the plane and side."""
        return MapKey(self.scope, self.timeframe, self.plane, self.side)

    def check(self) -> None:
        """Refuse columns that cannot be stored.

        Raises:
            StoreError: unknown plane or side, wrong shape, times off the grid or not ascending.
        """
        dt_ns = _checked_timeframe_ns(self.timeframe, str(self.key))
        if self.plane not in PLANES or self.side not in {"long", "short"}:
            raise _refused(
                self.key,
                "the plane or the side is unknown",
                "planes real, synthetic, smooth, walls; sides long, short",
            )
        if (
            self.usd.ndim != _AXES
            or len(self.t_ns) != self.usd.shape[0]
            or not 0 < self.usd.shape[1] <= ROWS_MAX
        ):
            raise _refused(
                self.key,
                f"usd has shape {self.usd.shape} for {len(self.t_ns)} times",
                f"one row per time, 1 to {ROWS_MAX} prices",
            )
        if not (np.isfinite(self.row_usd) and self.row_usd > 0):
            raise _refused(
                self.key, f"rows cannot be {self.row_usd!r} USD high", "give a positive row height"
            )
        _check_times(self.key, self.t_ns, dt_ns, self.n_closed)


@dataclasses.dataclass(frozen=True)
class Candles:
    """Bars of one scope and timeframe, oldest first: float64[n] each, NaN missing; from ``n_closed`` on
    forming.
    """

    scope: str
    timeframe: str
    t_ns: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    long_usd: NDArray[np.float64]
    short_usd: NDArray[np.float64]
    volume_usd: NDArray[np.float64]
    n_closed: int

    def stacked(self) -> NDArray[np.float64]:
        """float64[n, 7] in the order of ``CANDLE_FIELDS``.

        Raises:
            StoreError: the arrays differ in length, or times are off the grid.
        """
        dt_ns = _checked_timeframe_ns(self.timeframe, self.scope)
        columns = [np.asarray(getattr(self, name), np.float64) for name in CANDLE_FIELDS]
        name = f"{self.scope}/{self.timeframe}/candles"
        if any(column.shape != self.t_ns.shape for column in columns):
            raise _refused(name, "its arrays differ in length", "give every field one number per time")
        _check_times(name, self.t_ns, dt_ns, self.n_closed)
        return np.stack(columns, axis=1) if len(self.t_ns) else np.empty((0, len(columns)))


@dataclasses.dataclass(frozen=True, slots=True)
class CandleView:
    """Stored candles: float64[n, 7] in the order of ``CANDLE_FIELDS``, column ``i`` starting at ``t0_ns + i *
    dt_ns``.
    """

    t0_ns: int
    dt_ns: int
    seq: int
    n_closed: int
    values: NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True)
class ColumnChange:
    """One column of one map changed; ``frame`` is ready to be sent."""

    key: MapKey
    seq: int
    frame: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Resync:
    """A map changed by more than frames can say: fetch its snapshot again."""

    key: MapKey
    sub: int
    seq: int


@dataclasses.dataclass(frozen=True, slots=True)
class CandleChange:
    """One candle was added or changed; ``values`` float64[7] in the order of ``CANDLE_FIELDS``."""

    scope: str
    timeframe: str
    index: int
    t_ns: int
    values: NDArray[np.float64]
    closed: bool


@dataclasses.dataclass(frozen=True, slots=True)
class StatusChange:
    """The engine's status changed."""

    status: Status


#: What a listener of the store is told.
Change = ColumnChange | Resync | CandleChange | StatusChange


def _checked_timeframe_ns(timeframe: str, where: str) -> int:
    """Length of a column in nanoseconds.

    Raises:
        StoreError: there is no such timeframe.
    """
    dt_ns = TIMEFRAMES_NS.get(timeframe)
    if dt_ns is None:
        raise _refused(where, f"{timeframe!r} is not a timeframe", f"one of {', '.join(TIMEFRAMES_NS)}")
    return dt_ns


def _check_times(name: object, t_ns: NDArray[np.int64], dt_ns: int, n_closed: int) -> None:
    """Refuse times that are not ascending starts on a grid of ``dt_ns``.

    Raises:
        StoreError: they are not, or ``n_closed`` is outside ``[0, n]``.
    """
    if (
        t_ns.dtype != np.int64
        or t_ns.ndim != 1
        or (len(t_ns) and (np.any(t_ns % dt_ns) or np.any(np.diff(t_ns) <= 0)))
    ):
        raise _refused(
            name, f"its times are not ascending int64 starts on a grid of {dt_ns} ns", "write column starts"
        )
    if not 0 <= n_closed <= len(t_ns):
        raise _refused(name, f"{n_closed} of {len(t_ns)} columns cannot be closed", "0 <= n_closed <= n")


def _refused(name: object, what: str, hint: str) -> StoreError:
    return StoreError(f"cannot store {name}: {what}", where=str(name), hint=hint)
