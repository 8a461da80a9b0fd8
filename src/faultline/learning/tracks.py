"""Path bars in, what several kernels with the same openings exposed in them out: the ledgers of a learner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from faultline.heatmap.grid import BUCKET_LOG
from faultline.heatmap.ledger_kernels import I_FIRST, I_HI, I_LO
from faultline.heatmap.ledger_tables import empty_arrays, ledger_tables
from faultline.learning.leverage_kernels import expose_bars_kernel
from faultline.units import BASIS_POINT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from faultline.heatmap.ledger import LedgerParameters

__all__ = ("ExposureTrack", "blur_weights")

_BLUR_DEVIATIONS: Final = 5.0


def blur_weights(width_bps: float) -> NDArray[np.float64]:
    """Gaussian of a deviation in basis points over whole buckets either side, shape (2 R + 1,), sum 1."""
    sigma = width_bps * BASIS_POINT / BUCKET_LOG
    if sigma <= 0:
        return np.ones(1)
    reach = int(np.ceil(_BLUR_DEVIATIONS * sigma))
    weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    total: NDArray[np.float64] = weight / weight.sum()
    return total


class ExposureTrack:
    """Ledgers of the kernels that share one deposit exponent.

    Args:
        power: exponent of the units over their mean so far.
        kernels: one set of parameters per hypothesis (J).
        n_buckets: buckets of five basis points kept around the price.
    """

    def __init__(self, power: float, kernels: Sequence[LedgerParameters], n_buckets: int) -> None:
        self.power = power
        self._tables = ledger_tables(kernels)
        self._arrays = empty_arrays(len(kernels), n_buckets, self._tables.hazard.shape[1])
        self._mean = np.zeros(2)
        #: Units that stand per hypothesis, side and leverage, at any price, shape (J, 2, L).
        self.standing = np.zeros((len(kernels), 2, len(kernels[0].leverages)))

    def expose(
        self,
        bars: NDArray[np.void],
        after: NDArray[np.float64],
        cells: tuple[NDArray[np.int64], NDArray[np.int64]],
        blur: NDArray[np.float64],
        out: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    ) -> None:
        """Apply bars and fill ``rows``, ``effective`` and ``full`` (``leverage_kernels.expose_bars_kernel``)."""
        arrays, tables = self._arrays, self._tables
        expose_bars_kernel(
            arrays, tables, bars, after, *cells, blur, self.power, self._mean, self.standing, *out
        )

    @property
    def nbytes(self) -> int:
        """Memory of arrays and tables."""
        parts = [*self._arrays, *self._tables[:-1], self.standing]
        return int(sum(part.nbytes for part in parts))

    def state(self, name: str) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, keys starting with ``name``; of the cells only the active range."""
        out: dict[str, NDArray[Any]] = {
            f"{name}.mean": self._mean.copy(),
            f"{name}.standing": self.standing.copy(),
        }
        ints = self._arrays.integers
        for field, part in self._arrays._asdict().items():
            if field not in {"mass", "remaining"}:
                out[f"{name}.{field}"] = part.copy()
                continue
            for side in range(2):
                begin, end = (int(ints[i + side] - ints[I_FIRST]) for i in (I_LO, I_HI))
                stop = end + 1 if begin <= end else begin
                out[f"{name}.{field}.{side}"] = part[:, side, max(begin, 0) : max(stop, 0)].copy()
        return out

    def restore(self, name: str, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on where ``state(name)`` was taken.

        Raises:
            KeyError: a part is missing.
            ValueError: a part has another shape.
        """
        np.copyto(self._mean, state[f"{name}.mean"])
        np.copyto(self.standing, state[f"{name}.standing"])
        for field, part in self._arrays._asdict().items():
            if field not in {"mass", "remaining"}:
                np.copyto(part, state[f"{name}.{field}"], casting="safe")
        ints = self._arrays.integers
        for field in ("mass", "remaining"):
            part = getattr(self._arrays, field)
            part[:] = 0.0 if field == "mass" else 1.0
            for side in range(2):
                kept = state[f"{name}.{field}.{side}"]
                begin = int(ints[I_LO + side] - ints[I_FIRST])
                if kept.shape[1]:
                    part[:, side, begin : begin + kept.shape[1]] = kept
