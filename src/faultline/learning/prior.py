"""What many instruments taught in, what one of them starts from out: class, venue, instrument.

Log rates of an instrument are its venue's plus a scatter of deviation ``within``, a venue's are its class's plus
``across``, a class's are lognormal around 50x plus ``top``. The level of each instrument is free, so only shapes are
shared. With the data of instrument ``i`` in information form (``D_i`` its precision beyond the prior's, ``h_i = D_i
xhat_i``) and ``T = within^2 I + level^2 11'`` a venue learns ``A_i = D_i (D_i + T^-1)^-1 T^-1`` about its mean, with
``b_i = T^-1 (D_i + T^-1)^-1 h_i``: sums of small matrices, and an instrument is left out of its own prior.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.errors import RequestError
from faultline.learning.mixes import smooth_prior

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ("GENERIC_PRECISION", "MixPrior", "generic_prior")

#: Precision of a log rate about which nothing but the generic mix is known.
GENERIC_PRECISION: Final = 0.25


@dataclasses.dataclass(frozen=True, slots=True)
class MixPrior:
    """Where a learner starts and what it forgets towards.

    Attributes:
        mix: shares of gross opens, shape (L,), sum 1, all positive.
        precision: of the log rates, shape (L, L).
        source: where it comes from, in words.
    """

    mix: NDArray[np.float64]
    precision: NDArray[np.float64]
    source: str

    def __post_init__(self) -> None:
        size = len(self.mix)
        fits = self.precision.shape == (size, size) and np.isfinite(self.precision).all() and size > 0
        if not fits or not np.all(self.mix > 0) or not np.isclose(self.mix.sum(), 1.0):
            message = f"a prior of {size} shares, precision {self.precision.shape}"
            raise RequestError(
                message, where="prior", hint="positive shares that sum to 1, a finite square precision"
            )


def generic_prior(
    leverages: Sequence[float], centre: float = 50.0, sd: float = 1.0, precision: float = GENERIC_PRECISION
) -> MixPrior:
    """Lognormal shares around ``centre`` with deviation ``sd``; every log rate has the same independent precision."""
    mix = smooth_prior(leverages, centre, sd)
    return MixPrior(mix, np.eye(len(mix)) * precision, f"lognormal around {centre:g}x, deviation {sd:g}")
