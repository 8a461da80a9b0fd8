"""Printed price over mark, event by event, in, how far this venue prints from the mark out.

What a venue prints is ``log print = log mark + sym + s * anti + noise`` with ``s = +1`` for longs and -1 for shorts.
``sym`` is the basis between the venue's prices and the mark; ``anti`` is what a print is away from the trigger, by
its kind: about one maintenance margin below the mark for a long whose bankruptcy price is printed, a slippage
for a fill, nothing for a trigger. Both are followed by a Kalman filter whose noise is Student t with 4
degrees of freedom, because a few per cent of prints are far off and mostly on one side.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.errors import RequestError
from faultline.learning.calibrator.estimate import Estimate, gaussian_estimate
from faultline.learning.calibrator.filter_kernels import offset_filter_kernel
from faultline.states import restoring
from faultline.units import PriceKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("N_PRICE_KINDS", "OffsetFilter", "OffsetPrior", "OffsetSettings")

#: Price kinds, each with an offset of its own.
N_PRICE_KINDS: Final = len(PriceKind)
_STATE_VERSION: Final = 1


class OffsetSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the filter follows.

    Attributes:
        degrees_of_freedom: of the noise; the scale tracker assumes 4.
        drift_bps_per_sqrt_hour: how far the offset may wander.
        scale_start_bps: noise before any event.
        scale_floor_bps: smallest noise.
        scale_step_ratio: change of the noise scale per event in the long run.
        longest_pause_h: hours of silence that are counted as drift at most.
    """

    degrees_of_freedom: float = 4.0
    drift_bps_per_sqrt_hour: float = 0.3
    scale_start_bps: float = 8.0
    scale_floor_bps: float = 0.25
    scale_step_ratio: float = 0.02
    longest_pause_h: float = 24.0


class OffsetPrior(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is believed of one price kind before any event.

    Attributes:
        sym_bps: basis.
        sym_sd_bps: its standard deviation.
        anti_bps: offset in the direction of the position's side; negative for bankruptcy prices.
        anti_sd_bps: its standard deviation.
    """

    sym_bps: float = 0.0
    sym_sd_bps: float = 5.0
    anti_bps: float = 0.0
    anti_sd_bps: float = 40.0


class OffsetFilter:
    """The filter of the module, one per instrument, kept between calls.

    Args:
        priors: by price kind; a kind that is missing has the default of ``OffsetPrior``.
        settings: see ``OffsetSettings``.
    """

    def __init__(
        self,
        priors: Mapping[PriceKind, OffsetPrior] | None = None,
        settings: OffsetSettings | None = None,
    ) -> None:
        self.settings = settings or OffsetSettings()
        given = priors or {}
        self.priors = {kind: given.get(kind, OffsetPrior()) for kind in PriceKind}
        self._mean = np.array([[p.sym_bps, p.anti_bps] for p in self.priors.values()])
        self._cov = np.zeros((N_PRICE_KINDS, 2, 2))
        self._scale = np.full(N_PRICE_KINDS, self.settings.scale_start_bps)
        self._count = np.zeros(N_PRICE_KINDS)
        self._blur = np.zeros((N_PRICE_KINDS, 2))
        self._last_ns = np.full(N_PRICE_KINDS, -1, dtype=np.int64)
        for kind in PriceKind:
            self._widen(kind)

    def apply(
        self,
        kinds: NDArray[np.int64],
        signs: NDArray[np.float64],
        offsets_bps: NDArray[np.float64],
        times_ns: NDArray[np.int64],
        mark_sd_bps: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Learn events in order of receipt.

        Args:
            kinds: price kind of each event, shape (n,).
            signs: +1 long, -1 short, shape (n,).
            offsets_bps: ``log print - log mark``, in bp, shape (n,); NaN teaches nothing.
            times_ns: shape (n,).
            mark_sd_bps: how well the mark at each event is known, shape (n,); None for exactly.

        Returns:
            Residual of each event before it was learned, and its predicted squared scale, both (n,), NaN as above.

        Raises:
            RequestError: a price kind does not exist or the shapes differ.
        """
        shapes = {kinds.shape, signs.shape, offsets_bps.shape, times_ns.shape}
        if len(shapes) != 1 or (len(kinds) and not 0 <= int(kinds.min()) <= int(kinds.max()) < N_PRICE_KINDS):
            message = f"price kinds must be 0-{N_PRICE_KINDS - 1} and all columns of one shape, not {shapes}"
            raise RequestError(message, where="kinds", hint="give the columns of kind liquidation")
        residual, variance = np.empty(len(kinds)), np.empty(len(kinds))
        chosen = self.settings
        offset_filter_kernel(
            np.ascontiguousarray(kinds, dtype=np.int64),
            np.ascontiguousarray(signs, dtype=np.float64),
            np.ascontiguousarray(offsets_bps, dtype=np.float64),
            np.ascontiguousarray(times_ns, dtype=np.int64),
            np.zeros(len(kinds)) if mark_sd_bps is None else np.square(mark_sd_bps, dtype=np.float64),
            self._mean,
            self._cov,
            self._scale,
            self._count,
            self._blur,
            self._last_ns,
            np.array(
                [
                    chosen.degrees_of_freedom,
                    chosen.drift_bps_per_sqrt_hour,
                    chosen.scale_floor_bps,
                    chosen.scale_step_ratio,
                    chosen.longest_pause_h,
                ]
            ),
            residual,
            variance,
        )
        return residual, variance

    def mean_bps(self, kind: PriceKind) -> tuple[float, float]:
        """Symmetric and antisymmetric offset of a kind."""
        return float(self._mean[kind, 0]), float(self._mean[kind, 1])

    def means_bps(self) -> NDArray[np.float64]:
        """Symmetric and antisymmetric offset of every kind, shape (K, 2)."""
        return self._mean.copy()

    def scale_bps(self, kind: PriceKind) -> float:
        """Scale of the noise of a kind."""
        return float(self._scale[kind])

    def count(self, kind: PriceKind) -> int:
        """Events of a kind learned."""
        return int(self._count[kind])

    def sym(self, kind: PriceKind) -> Estimate:
        """The basis of a kind."""
        return self._estimate(kind, 0, self.priors[kind].sym_sd_bps)

    def anti(self, kind: PriceKind) -> Estimate:
        """The offset of a kind in the direction of the position's side.

        Where the mark is only known to some basis points its error does not average out: longs are forced out where
        the mark dipped below the line between two known prices. So its size is added to the range.
        """
        prior = self.priors[kind].anti_sd_bps
        weighted, weight = self._blur[kind]
        systematic = float(weighted / weight) if weight > 0 else 0.0
        return self._estimate(kind, 1, prior, systematic)

    def estimates(self, kind: PriceKind, *, is_assumed: bool) -> tuple[Estimate, Estimate]:
        """Basis and offset of a kind, or what its prior says of them."""
        if not is_assumed:
            return self.sym(kind), self.anti(kind)
        prior, n_events = self.priors[kind], float(self._count[kind])
        return (
            gaussian_estimate(
                prior.sym_bps, prior.sym_sd_bps, prior.sym_sd_bps, unit="bp", n_events=n_events
            ),
            gaussian_estimate(
                prior.anti_bps, prior.anti_sd_bps, prior.anti_sd_bps, unit="bp", n_events=n_events
            ),
        )

    def reset(self, kind: PriceKind, anti_shift_bps: float = 0.0) -> None:
        """Forget how sure the filter was of a kind, and move its antisymmetric part: its venue has changed."""
        self._mean[kind, 1] += anti_shift_bps
        self._widen(kind)

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on."""
        return {
            "version": np.array([_STATE_VERSION]),
            "mean": self._mean.copy(),
            "cov": self._cov.copy(),
            "scale": self._scale.copy(),
            "count": self._count.copy(),
            "blur": self._blur.copy(),
            "last_ns": self._last_ns.copy(),
        }

    @classmethod
    def from_state(
        cls,
        state: Mapping[str, NDArray[Any]],
        priors: Mapping[PriceKind, OffsetPrior] | None = None,
        settings: OffsetSettings | None = None,
    ) -> OffsetFilter:
        """A filter that goes on where ``state()`` was taken.

        Raises:
            StoreError: that is no state of such a filter.
        """
        kept = cls(priors, settings)
        with restoring("an offset filter", state, _STATE_VERSION):
            for name in ("mean", "cov", "scale", "count", "blur", "last_ns"):
                own: NDArray[Any] = getattr(kept, f"_{name}")
                if state[name].shape != own.shape:
                    raise ValueError(f"{name} of shape {state[name].shape}")
                np.copyto(own, state[name], casting="safe")
        return kept

    def _widen(self, kind: PriceKind) -> None:
        prior = self.priors[kind]
        self._cov[kind] = np.diag([prior.sym_sd_bps**2, prior.anti_sd_bps**2])

    def _estimate(self, kind: PriceKind, part: int, prior_sd: float, systematic_bps: float = 0.0) -> Estimate:
        # The filter counts each event as 1 / c^2; the information about the centre of a Student t is
        # (nu + 1) / (nu + 3) of that.
        nu = self.settings.degrees_of_freedom
        known = max(1.0 / float(self._cov[kind, part, part]) - prior_sd**-2, 0.0) * (nu + 1.0) / (nu + 3.0)
        sd = math.hypot((prior_sd**-2 + known) ** -0.5, systematic_bps)
        return gaussian_estimate(
            float(self._mean[kind, part]), sd, prior_sd, unit="bp", n_events=float(self._count[kind])
        )
