"""A few numbers in, weights over leverage out: the mixes that are assumed before anything is learned.

The default centre of 50x is what recorded liquidations of minutes-old levels ask for; a centre of 10x, closer to
what stands in the books of venues that publish positions, scored 0.3 nats per event worse
(``docs/concepts/evaluation.md``).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ("SPIKE_LEVERAGES", "smooth_prior", "spikes")

#: Round leverages of the static maps that are commonly drawn.
SPIKE_LEVERAGES: Final = (10.0, 25.0, 50.0, 100.0)


def smooth_prior(leverages: Sequence[float], centre: float = 50.0, sd: float = 1.0) -> NDArray[np.float64]:
    """Lognormal weights over leverage, shape (L,), sum 1.

    Args:
        leverages: the grid.
        centre: median leverage.
        sd: standard deviation of log leverage.

    Raises:
        RequestError: a leverage or the centre is not positive, or the deviation is not.
    """
    grid = np.asarray(leverages, dtype=np.float64)
    if not (len(grid) and np.all(grid > 0) and 0 < centre < math.inf and 0 < sd < math.inf):
        message = f"no smooth mix around {centre!r}x with deviation {sd!r}"
        raise RequestError(message, where="leverages, centre, sd", hint="give positive numbers")
    weights: NDArray[np.float64] = np.exp(-0.5 * ((np.log(grid) - math.log(centre)) / sd) ** 2)
    weights /= weights.sum()
    return weights


def spikes(leverages: Sequence[float], at: Sequence[float] = SPIKE_LEVERAGES) -> NDArray[np.float64]:
    """Equal weights on a few leverages of the grid and nothing elsewhere, shape (L,), sum 1.

    Raises:
        RequestError: a spike is not on the grid.
    """
    grid = np.asarray(leverages, dtype=np.float64)
    missing = [spike for spike in at if spike not in grid]
    if missing or not at:
        message = f"no spike at {missing or list(at)}: not on the grid of leverages"
        raise RequestError(message, where="at", hint=f"the grid is {grid.tolist()}")
    weights: NDArray[np.float64] = np.isin(grid, np.asarray(at)).astype(np.float64)
    weights /= weights.sum()
    return weights
