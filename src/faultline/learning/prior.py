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

import msgspec
import numpy as np

from faultline.errors import RequestError
from faultline.learning.mixes import smooth_prior

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = (
    "GENERIC_PRECISION",
    "HierarchySettings",
    "LearnedShape",
    "MixPrior",
    "generic_prior",
    "refresh_priors",
)

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


class HierarchySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Deviations of log shares between levels of the hierarchy.

    Attributes:
        centre: median leverage of the generic mix at the top.
        sd: deviation of log leverage of it.
        top: deviation of a class's log shares around the generic mix.
        across: of a venue's around its class's.
        within: of an instrument's around its venue's.
        level: of the level of an instrument's rates, which is not shared.
    """

    centre: float = 50.0
    sd: float = 1.0
    top: float = 1.0
    across: float = 0.5
    within: float = 0.4
    level: float = 2.0


@dataclasses.dataclass(frozen=True, slots=True)
class LearnedShape:
    """What one instrument taught, its prior taken out: ``LeverageLearner.taught()``.

    Attributes:
        instrument_id: e.g. ``binance:BTCUSDT``; the part before the colon is the venue.
        asset_class: instruments of one class share the top, e.g. ``major``.
        precision: of the log rates beyond the prior's, shape (L, L).
        information: precision times the mean that the events alone imply, shape (L,).
    """

    instrument_id: str
    asset_class: str
    precision: NDArray[np.float64]
    information: NDArray[np.float64]

    @property
    def venue(self) -> tuple[str, str]:
        """Class and venue."""
        return self.asset_class, self.instrument_id.partition(":")[0]


def refresh_priors(
    learned: Sequence[LearnedShape], leverages: Sequence[float], settings: HierarchySettings | None = None
) -> dict[str, MixPrior]:
    """Prior of every instrument from what all others taught; a pure function, cheap enough for every hour.

    Args:
        learned: one per instrument, on the same grid.
        leverages: the grid.
        settings: deviations between the levels.

    Returns:
        A prior per ``instrument_id``; its precision holds the scatter within the venue, the free level, and what is
        unknown about the venue's mean.

    Raises:
        RequestError: a shape does not fit the grid, or an instrument comes twice.
    """
    chosen, size = settings or HierarchySettings(), len(leverages)
    names = [one.instrument_id for one in learned]
    if any(one.precision.shape != (size, size) for one in learned) or len(set(names)) != len(names):
        message = "shapes of different grids, or an instrument twice"
        raise RequestError(message, where="learned", hint=f"one (L, L) precision per instrument, L = {size}")
    eye = np.eye(size)
    free = eye * chosen.within**2 + np.ones((size, size)) * chosen.level**2
    told = {one.instrument_id: _marginal(one.precision, one.information, free) for one in learned}
    venues = sorted({one.venue for one in learned})
    of_venue = {venue: [one.instrument_id for one in learned if one.venue == venue] for venue in venues}
    mean0 = np.log(smooth_prior(leverages, chosen.centre, chosen.sd))
    out = {}
    for one in learned:
        top = _Belief(eye / chosen.top**2, mean0 / chosen.top**2)
        for venue in venues:
            if venue[0] == one.asset_class and venue != one.venue:
                part = _summed([told[name] for name in of_venue[venue]], size)
                top = top.joined(_marginal(part.precision, part.information, eye * chosen.across**2))
        cover = _inverse(top.precision)
        spread = cover + eye * chosen.across**2
        here = _Belief(_inverse(spread), _inverse(spread) @ cover @ top.information)
        siblings = [told[name] for name in of_venue[one.venue] if name != one.instrument_id]
        here = here.joined(_summed(siblings, size))
        unknown = _inverse(here.precision)
        mean = unknown @ here.information
        mix = np.exp(mean - mean.max())
        others = sum(other is not one and other.asset_class == one.asset_class for other in learned)
        source = f"taught by {others} other instrument{'s' * (others != 1)}"
        out[one.instrument_id] = MixPrior(mix / mix.sum(), _inverse(free + unknown), source)
    return out


@dataclasses.dataclass(frozen=True, slots=True)
class _Belief:
    """A normal belief in information form: precision (L, L) and precision times mean (L,)."""

    precision: NDArray[np.float64]
    information: NDArray[np.float64]

    def joined(self, other: _Belief) -> _Belief:
        """Both together."""
        return _Belief(self.precision + other.precision, self.information + other.information)


def _summed(parts: Sequence[_Belief], size: int) -> _Belief:
    """All parts together; nothing known without parts."""
    total = _Belief(np.zeros((size, size)), np.zeros(size))
    for part in parts:
        total = total.joined(part)
    return total


def _marginal(
    precision: NDArray[np.float64], information: NDArray[np.float64], scatter: NDArray[np.float64]
) -> _Belief:
    """What data about ``x`` say about its mean ``m``, ``x ~ N(m, scatter)``; the data's precision may be singular.

    ``A = D (I + scatter D)^-1``, ``b = (I + D scatter)^-1 h``.
    """
    eye = np.eye(len(precision))
    shrunk = precision @ _inverse(eye + scatter @ precision)
    return _Belief(0.5 * (shrunk + shrunk.T), _inverse(eye + precision @ scatter) @ information)


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse, shape (L, L)."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)
