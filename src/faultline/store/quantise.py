"""USD per cell in, one byte per cell out: log codes with an error bound.

Codes live on one global logarithmic grid of 254 steps per 3.5 decades. A code range is a window of that grid
whose lower end moves in rungs of ``RUNG_CODES`` whole steps, so changing the range shifts codes by an integer
and loses nothing. ``value(code) = 0`` for code 0, else ``vmin * (vmax / vmin) ** ((code - 1) / 254)``.

Along time a cell keeps its previous code while the new one differs by at most one (dead band); appearing and
disappearing always pass. Inside the range the shown value is therefore within 1.5 steps of the true one: 4.9
%. Below half of ``vmin`` a cell is code 0, above ``vmax`` it is code 255.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = (
    "CODE_STEPS",
    "DEAD_BAND_CODES",
    "DECADES",
    "RUNG_CODES",
    "STEP_RATIO",
    "CodeRange",
    "code_values_usd",
    "quantise",
    "shift_codes",
)

#: Decades between ``vmin`` and ``vmax``.
DECADES: Final = 3.5
#: Steps between code 1 and code 255.
CODE_STEPS: Final = 254
#: Ratio of two neighbouring codes: 1.0322.
STEP_RATIO: Final = 10.0 ** (DECADES / CODE_STEPS)
#: Whole codes by which a range moves; one rung is a factor 1.77.
RUNG_CODES: Final = 18
#: A cell keeps its code while the new one differs by no more than this.
DEAD_BAND_CODES: Final = 1

_RUNG_LOG10: Final = RUNG_CODES * DECADES / CODE_STEPS
#: Mantissa bits of a float32 dropped before the table look-up: 10 are left, half a cell is 0.05 %.
_DROPPED_BITS: Final = 13


@dataclasses.dataclass(frozen=True, slots=True)
class CodeRange:
    """The USD window that codes 1..255 span; ``rung`` counts steps of 10^0.248 from 1 USD."""

    rung: int

    @property
    def vmin_usd(self) -> float:
        """Value of code 1."""
        return math.pow(10.0, self.rung * _RUNG_LOG10)

    @property
    def vmax_usd(self) -> float:
        """Value of code 255."""
        return math.pow(10.0, self.rung * _RUNG_LOG10 + DECADES)

    @classmethod
    def above(cls, value_usd: float) -> CodeRange:
        """Lowest range whose ``vmax`` is at least ``value_usd``."""
        return cls(math.ceil((math.log10(value_usd) - DECADES) / _RUNG_LOG10 - 1e-9))

    @classmethod
    def below(cls, value_usd: float) -> CodeRange:
        """Highest range whose ``vmin`` is at most ``value_usd``."""
        return cls(math.floor(math.log10(value_usd) / _RUNG_LOG10 + 1e-9))


def code_values_usd(code_range: CodeRange) -> NDArray[np.float64]:
    """Value in USD of each of the 256 codes, float64[256]."""
    values: NDArray[np.float64] = code_range.vmin_usd * np.power(
        10.0, np.arange(-1, 255) * (DECADES / CODE_STEPS)
    )
    values[0] = 0.0
    return values


def quantise(
    usd: NDArray[np.float32], code_range: CodeRange, previous: NDArray[np.uint8] | None = None
) -> tuple[NDArray[np.uint8], int]:
    """Codes of consecutive columns.

    Args:
        usd: float32[n, P], USD per cell, one column per row of the array; NaN is missing and becomes code 0.
        code_range: the window of values that codes stand for.
        previous: uint8[P], codes of the column before ``usd[0]``; None where there is none.

    Returns:
        uint8[n, P] codes, and how many cells were negative or infinite (they are code 0; the caller decides).
    """
    table, first_index = _table(code_range.rung)
    before = np.zeros(usd.shape[1], np.uint8) if previous is None else previous
    codes = np.empty(usd.shape, np.uint8)
    bits = np.ascontiguousarray(usd, np.float32).view(np.int32)
    n_bad = int(_quantise_kernel(bits, table, first_index, before, codes))
    return codes, n_bad


def shift_codes(codes: NDArray[np.uint8], from_range: CodeRange, to_range: CodeRange) -> NDArray[np.uint8]:
    """The same cells as codes of another range: an integer shift, clipped at the ends.

    Values that fall below half of the new ``vmin`` become 0, between that and ``vmin`` 1, above ``vmax`` 255.
    """
    shift = (to_range.rung - from_range.rung) * RUNG_CODES
    lookup = np.arange(256) - shift
    half = 1 - round(math.log10(2.0) * CODE_STEPS / DECADES)
    lookup = np.where(lookup < half, 0, np.clip(lookup, 1, 255))
    lookup[0] = 0
    return lookup.astype(np.uint8)[codes]


@functools.lru_cache(maxsize=32)
def _table(rung: int) -> tuple[NDArray[np.uint8], int]:
    code_range = CodeRange(rung)
    ends = (
        np.array([code_range.vmin_usd / 2, code_range.vmax_usd], np.float32).view(np.int32) >> _DROPPED_BITS
    )
    first, last = int(ends[0]), int(ends[1]) + 1
    indices = np.arange(first, last + 1, dtype=np.int64)
    lower = (indices << _DROPPED_BITS).astype(np.int32).view(np.float32).astype(np.float64)
    upper = ((indices + 1) << _DROPPED_BITS).astype(np.int32).view(np.float32).astype(np.float64)
    steps = np.log10(np.sqrt(lower * upper) / code_range.vmin_usd) * (CODE_STEPS / DECADES)
    codes = np.clip(np.rint(steps) + 1, 1, 255)
    # One row in front for everything below half of ``vmin``.
    return np.concatenate([[0], codes]).astype(np.uint8), first - 1


@njit(cache=True, nogil=True)
def _rows_kernel(bits: NDArray[np.int32], first_index: int, last_row: int, rows: NDArray[np.uint16]) -> int:
    """Table row of each float32 by its top bits; returns how many were negative or infinite.

    A positive float32 read as an integer grows with its value, so ``(bits >> 13) - first_index`` clipped to
    the table is its row; row 0 is "nothing", which NaN, infinities and everything negative get. Selects only:
    runs on vectors.
    """
    first, last = np.int32(first_index), np.int32(last_row)
    infinite = np.int32(0x7F800000)
    nothing = np.int32(0)
    for i in range(bits.shape[0]):
        raw = bits[i]
        row = (raw >> np.int32(13)) - first
        row = max(nothing, row)
        row = min(last, row)
        rows[i] = row if raw < infinite else nothing
    n_bad = np.int32(0)
    for i in range(bits.shape[0]):
        raw = bits[i]
        size = raw & np.int32(0x7FFFFFFF)
        n_bad += np.int32((size == infinite) | ((raw < 0) & (size > 0) & (size < infinite)))
    return int(n_bad)


@njit(cache=True, nogil=True)
def _lookup_kernel(rows: NDArray[np.uint16], table: NDArray[np.uint8], codes: NDArray[np.uint8]) -> None:
    """``codes[p] = table[rows[p]]``."""
    for p in range(rows.shape[0]):
        codes[p] = table[rows[p]]


@njit(cache=True, nogil=True)
def _keep_kernel(codes: NDArray[np.uint8], previous: NDArray[np.uint8]) -> None:
    """``codes[p] = previous[p]`` where both are non-zero and differ by at most one; a select, so it runs on
    vectors.
    """
    for p in range(codes.shape[0]):
        code, kept = codes[p], previous[p]
        step = code - kept + np.uint64(1)
        codes[p] = kept if (step <= np.uint64(2)) & (code != 0) & (kept != 0) else code


@njit(cache=True, nogil=True)
def _quantise_kernel(
    bits: NDArray[np.int32],
    table: NDArray[np.uint8],
    first_index: int,
    before: NDArray[np.uint8],
    codes: NDArray[np.uint8],
) -> int:
    """Look every cell up, then apply the dead band column after column, each against the finished one before
    it.
    """
    n_bad = 0
    rows = np.empty(bits.shape[1], np.uint16)
    for t in range(codes.shape[0]):
        n_bad += _rows_kernel(bits[t], first_index, table.shape[0] - 1, rows)
        _lookup_kernel(rows, table, codes[t])
        _keep_kernel(codes[t], before if t == 0 else codes[t - 1])
    return n_bad
