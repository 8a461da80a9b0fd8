"""Leverages in, the four pooled bands that can be told apart out.

Single leverages are not identified by liquidations below about 15x and unstable above, so shares are shown pooled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ("BAND_LABELS", "band_of")

#: Upper edges of the first three bands.
_EDGES: Final = (10.0, 25.0, 60.0)
#: Names of the bands, from low to high leverage.
BAND_LABELS: Final = ("<10x", "10-25x", "25-60x", ">60x")


def band_of(leverages: Sequence[float]) -> NDArray[np.int64]:
    """Index into ``BAND_LABELS`` of each leverage, shape (L,)."""
    return np.searchsorted(np.asarray(_EDGES), np.asarray(leverages, dtype=np.float64), side="right")
