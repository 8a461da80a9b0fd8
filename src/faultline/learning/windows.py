"""Path bars in, the whole windows they fill and the runs in which those are learned out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faultline.errors import RequestError
from faultline.units import HOUR_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ("runs_of", "windows_of")


def windows_of(
    bars: NDArray[np.void], window_ns: int, learned_ns: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Index of each window (W,) and its first bar (W + 1,).

    Args:
        bars: PATH_BAR rows; a bar belongs to the window its start lies in.
        window_ns: length of a window.
        learned_ns: end of the last bar that was learned.

    Raises:
        RequestError: bars overlap, are out of order or older than what was learned, or a price is impossible.
    """
    start, end = bars["start_ns"], bars["end_ns"]
    ordered = bool(np.all(end > start) and np.all(start[1:] >= end[:-1]))
    if not ordered or (len(bars) and int(start[0]) < learned_ns):
        message = "bars overlap, are out of order, or older than what was learned"
        raise RequestError(message, where="bars", hint="give whole windows in the order of their time")
    priced = ~np.isnan(bars["low_usd"])
    if not np.all((bars["low_usd"] > 0) & (bars["low_usd"] <= bars["high_usd"]) | ~priced):
        message = "a bar has a low that is not positive or above its high"
        raise RequestError(message, where="bars", hint="leave unknown prices NaN")
    index = start // window_ns
    first = np.flatnonzero(np.diff(index, prepend=index[0] - 1)) if len(bars) else np.zeros(0, dtype=np.int64)
    return index[first], np.append(first, len(bars)).astype(np.int64)


def runs_of(
    window: NDArray[np.int64], starts: NDArray[np.int64], window_ns: int, most_bars: int, *, single: bool
) -> list[tuple[int, int]]:
    """Runs of windows inside one hour and of no more than ``most_bars``; one by one where they are to be ``single``."""
    found: list[tuple[int, int]] = []
    hour = window * window_ns // HOUR_NS
    begin = 0
    for w in range(1, len(window) + 1):
        cut = w == len(window) or hour[w] != hour[begin] or starts[w + 1] - starts[begin] > most_bars
        if cut or single:
            found.append((begin, w))
            begin = w
    return found
