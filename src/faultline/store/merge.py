"""The long and the short snapshot of one plane in, one snapshot of both together out."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from faultline.errors import StoreError
from faultline.store.quantise import CODE_STEPS, DECADES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from faultline.store.lhm1 import Snapshot

__all__ = ("merge_sides",)


def merge_sides(parts: Sequence[Snapshot]) -> Snapshot:
    """Cell-by-cell sum of snapshots that share time axis, row height and range of codes.

    The result covers the union of their rows and columns. A cell with one side only keeps its code; a cell
    with both is the sum of two shown values, rounded to a code again: at most 6.6 % from the true sum inside
    the range.

    Raises:
        StoreError: one side has just moved to another row height and the other has not followed yet.
    """
    if len({part.row_usd for part in parts}) > 1:
        raise StoreError(
            "long and short rows differ in height for a moment",
            where=parts[0].plane,
            hint="ask again in a second",
        )
    first_rows = [round(part.price0_usd / part.row_usd) for part in parts]
    low = min(first_rows)
    n_rows = max(first + part.codes.shape[1] for first, part in zip(first_rows, parts, strict=True)) - low
    n_columns = max(len(part.codes) for part in parts)
    steps = _sum_steps()
    total = np.zeros((n_columns, n_rows), np.uint8)
    for first, part in zip(first_rows, parts, strict=True):
        window = total[: len(part.codes), first - low : first - low + part.codes.shape[1]]
        window[...] = steps[window, part.codes]
    return dataclasses.replace(
        parts[0],
        side="both",
        seq=sum(part.seq for part in parts) & 0xFFFFFFFF,
        price0_usd=low * parts[0].row_usd,
        first_live_col=min(part.first_live_col for part in parts),
        codes=total,
    )


def _sum_steps() -> NDArray[np.uint8]:
    """uint8[256, 256]: code of the sum of two codes' values, clipped at 255."""
    values = 10.0 ** (np.arange(-1, 255) * (DECADES / CODE_STEPS))
    values[0] = 0.0
    total = values[:, None] + values[None, :]
    with np.errstate(divide="ignore"):
        codes = np.rint(np.log10(total) * (CODE_STEPS / DECADES)) + 1
    return np.where(total > 0, np.clip(codes, 1, 255), 0).astype(np.uint8)
