"""Rates per cell and where events lay in, how the places are spread over what a model expected of them out.

Inside a window and a side a model says which part of the events lies nearer than a place to where price came from:
``F``, from 0 at the near end of what was swept (the top for longs, the bottom for shorts) to 1 at the far end. Over
events from the model ``F`` is uniform. Of an event only its bucket is known, so its ``F`` is spread evenly over the
bucket's part: the mean of what drawing it at random would give (Czado, Gneiting and Held, Biometrics 65, 2009).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ("N_BINS", "place_shares")

#: Bins of F, all of one width.
N_BINS: Final = 10


def place_shares(
    group: NDArray[np.int64], count: NDArray[np.float64], rates: NDArray[np.float64], n_windows: int
) -> NDArray[np.float64]:
    """Events of each window by bin of F, shape (V, N_BINS). Too full is a bin of which the model thinks too little.

    Args:
        group: twice the window plus the side, ascending; buckets ascend inside, shape (C,).
        count: events, shape (C,).
        rates: expected events, shape (C,); events of a side of which none is expected are left out.
        n_windows: V.
    """
    out = np.zeros((n_windows, N_BINS))
    if not len(group):
        return out
    after = np.cumsum(rates)
    first = np.searchsorted(group, group, side="left")
    last = np.searchsorted(group, group, side="right") - 1
    start = after[first] - rates[first]
    total = after[last] - start
    known = (count > 0) & (total > 0)
    low = ((after - rates - start)[known] / total[known]).clip(0.0, 1.0)
    high = ((after - start)[known] / total[known]).clip(0.0, 1.0)
    # Longs are swept downward: for them the highest bucket is where price was.
    is_long = group[known] % 2 == 0
    low, high = np.where(is_long, 1.0 - high, low), np.where(is_long, 1.0 - low, high)
    edges = np.linspace(0.0, 1.0, N_BINS + 1)
    width = np.maximum(high - low, 1e-12)
    below = ((edges - low[:, None]) / width[:, None]).clip(0.0, 1.0)
    # An event where nothing was expected lies in one place: that of the last bin it reaches.
    below[:, -1] = 1.0
    np.add.at(out, group[known] // 2, count[known, None] * np.diff(below, axis=1))
    return out
