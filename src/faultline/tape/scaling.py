"""Prices, quantities and times in, the integers that stand for them exactly out, and back.

A float that was written as a decimal number with ``scale`` digits is stored as ``ticks = value * 10**scale``.
``ticks / 10**scale`` divides two integers that floats hold exactly, so IEEE division returns the very bits that
reading the decimal text would. Every conversion is checked bit by bit before it is used; a column with one value
that fails stays a float column. Time columns are stored in the largest unit that divides every value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = (
    "SCALE_MAX",
    "decimal_scale",
    "fill_floats_kernel",
    "fill_times_kernel",
    "floats_of_ticks",
    "is_exact",
    "ticks_of_floats",
    "time_unit_ns",
)

#: Most decimal digits after the point that are tried.
SCALE_MAX: Final = 12
#: Integers up to here are exact in float64.
_TICKS_MAX: Final = 2**53
#: Units of time columns, longest first, in nanoseconds.
_TIME_UNITS_NS: Final = (1_000_000_000, 1_000_000, 1_000)
#: Rows looked at before a whole column is.
_PROBE_ROWS: Final = 512


def ticks_of_floats(values: NDArray[np.float64], scale: int) -> NDArray[np.int64]:
    """Integers ``round(value * 10**scale)``, shape as ``values``; NaN gives 0."""
    scaled = np.rint(values * 10.0**scale)
    return np.where(np.isnan(scaled), 0.0, scaled).astype(np.int64)


def floats_of_ticks(ticks: NDArray[np.int64], scale: int) -> NDArray[np.float64]:
    """Floats ``ticks / 10**scale``: the nearest float64 to the decimal number."""
    if scale == 0:
        return ticks.astype(np.float64)
    return np.divide(ticks, 10.0**scale)


@njit(cache=True, nogil=True)
def fill_floats_kernel(ticks: Any, power: float, out: Any) -> None:
    """``out = ticks / power``, shape (n,); ``out`` may be a strided field of a row array. NaN stays NaN."""
    # Several at a time: only then are they spread over the rows.
    values = ticks / power
    for k in range(ticks.shape[0]):
        out[k] = values[k]


@njit(cache=True, nogil=True)
def fill_times_kernel(units: Any, unit_ns: int, out: Any) -> None:
    """``out = units * unit_ns``, shape (n,) int64; ``out`` may be a strided field of a row array."""
    for k in range(units.shape[0]):
        out[k] = units[k] * unit_ns


def decimal_scale(values: NDArray[np.float64]) -> int | None:
    """Fewest decimal digits with which every finite value is an exact integer of ticks.

    NaN is allowed anywhere (it becomes null).

    Returns:
        0 to ``SCALE_MAX``, or None where a value is infinite, negative zero, too large or not decimal.
    """
    known = values[~np.isnan(values)] if np.isnan(values).any() else values
    if len(known) == 0:
        return 0
    suspects = known[:: max(1, len(known) // _PROBE_ROWS)]
    scale = 0
    while True:
        found = _scale_from(suspects, scale)
        if found is None:
            return None
        scale = found
        wrong = ~is_exact(known, scale)
        if not wrong.any():
            return scale
        suspects = known[wrong][:_PROBE_ROWS]


def time_unit_ns(times_ns: NDArray[np.int64]) -> int:
    """Largest of a second, a millisecond, a microsecond and a nanosecond that divides every time."""
    probe = times_ns[:: max(1, len(times_ns) // _PROBE_ROWS)]
    for unit_ns in _TIME_UNITS_NS:
        if not (probe % unit_ns).any() and not (times_ns % unit_ns).any():
            return unit_ns
    return 1


def is_exact(values: NDArray[np.float64], scale: int) -> NDArray[np.bool_]:
    """Which values (finite) come back bit by bit from their ticks."""
    with np.errstate(over="ignore"):
        scaled = np.rint(np.multiply(values, 10.0**scale))
    is_small = np.abs(scaled) <= _TICKS_MAX
    ticks = np.where(is_small, scaled, 0.0).astype(np.int64)
    back = floats_of_ticks(ticks, scale)
    exact: NDArray[np.bool_] = is_small & (back.view(np.int64) == np.ascontiguousarray(values).view(np.int64))
    return exact


def _scale_from(values: NDArray[np.float64], first: int) -> int | None:
    """Smallest scale from ``first`` on with which every value is exact."""
    for scale in range(first, SCALE_MAX + 1):
        if is_exact(values, scale).all():
            return scale
    return None
