"""Windows scored under a bank of hypotheses in, what they say about the maintenance margin out.

Members that differ from the incumbent in nothing but the margin each filter a mix of their own, and each foretells how
many liquidations come of what price sweeps. What counts is when liquidations come, not where they are printed: a print
at the bankruptcy price stands where the assumed margin puts it, whatever the venue's margin is.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from faultline.units import BASIS_POINT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from faultline.learning.bank import Hypothesis
    from faultline.learning.leverage_kernels import WindowSums

__all__ = ("MarginAxis", "MarginScores", "join_scores")


@dataclasses.dataclass(frozen=True, slots=True)
class MarginScores:
    """What some windows say about the maintenance margin, per correction of it.

    Attributes:
        assumed_bps: the margin that is assumed.
        corrections_bps: float64 (H,), what is added to it, ascending, 0 among them.
        expected: float64 (W, H), events expected to be published before the window; NaN where it teaches nothing.
        dispersion: float64 (W,), variance of counts over their expectation, this window included.
        window: int64 (n,), window of each event, ascending.
        rate: float64 (n, H), events expected of all that the event's bar swept.
        count: float64 (n,), liquidations that an event stands for.
        notional_usd: float64 (n,), NaN where it is not known.
    """

    assumed_bps: float
    corrections_bps: NDArray[np.float64]
    expected: NDArray[np.float64]
    dispersion: NDArray[np.float64]
    window: NDArray[np.int64]
    rate: NDArray[np.float64]
    count: NDArray[np.float64]
    notional_usd: NDArray[np.float64]

    def since(self, window: int) -> MarginScores:
        """Those from a window on."""
        first = int(np.searchsorted(self.window, window))
        return MarginScores(
            self.assumed_bps,
            self.corrections_bps,
            self.expected[window:],
            self.dispersion[window:],
            self.window[first:] - window,
            self.rate[first:],
            self.count[first:],
            self.notional_usd[first:],
        )


class MarginAxis:
    """The members of a bank that differ from the incumbent in their margin alone, and the incumbent.

    Args:
        bank: hypotheses, the incumbent first.
        kernel_of: place of each member's kernel, shape (M,).
    """

    def __init__(self, bank: Sequence[Hypothesis], kernel_of: NDArray[np.int64]) -> None:
        margins = {_margin_of(bank[0]): 0}
        for index, member in enumerate(bank):
            if _without_margin(member) == _without_margin(bank[0]):
                margins.setdefault(_margin_of(member), index)
        ordered = sorted(margins)
        shifts = np.array(ordered) - _margin_of(bank[0])
        self.assumed_bps = round(_margin_of(bank[0]) / BASIS_POINT, 6)
        #: What the members add to the incumbent's margin, ascending.
        self.corrections_bps: NDArray[np.float64] = np.round(shifts / BASIS_POINT, 6)
        self._members = [margins[margin] for margin in ordered]
        self._kernels = [int(kernel_of[member]) for member in self._members]

    def read(
        self,
        sums: WindowSums,
        theta: NDArray[np.float64],
        fits: NDArray[np.float64],
        dispersion: float,
        events: tuple[NDArray[np.int64], NDArray[np.void]],
    ) -> MarginScores:
        """What windows say that were just learned.

        Args:
            sums: what they held.
            theta: rates before each, shape (W, M, K).
            fits: as ``leverage_kernels.filter_bank_kernel`` fills it, shape (W, M, 6).
            dispersion: of counts after the last window.
            events: bar of each event, shape (n,), ascending, and the events, rows of ``reporting.EVENT``.
        """
        of_event, rows = events
        bar, place = np.unique(of_event, return_inverse=True)
        window = np.searchsorted(sums.bar_starts, bar, side="right") - 1
        # A window that was not scored, or not recorded, says nothing.
        teaches = (fits[:, 0, 0] != 0.0) & np.isfinite(sums.hours)
        expected = np.where(teaches[:, None], fits[:, self._members, 2], np.nan)
        rate = np.zeros((len(bar), len(self._members)))
        for column, (member, kernel) in enumerate(zip(self._members, self._kernels, strict=True)):
            rate[:, column] = (theta[window, member] * sums.full[kernel, bar]).sum(axis=1)
        return MarginScores(
            self.assumed_bps,
            self.corrections_bps,
            expected,
            np.append(fits[1:, 0, 5], dispersion),
            window[place].astype(np.int64),
            rate[place],
            rows["count"].astype(np.float64),
            rows["notional_usd"] / rows["count"],
        )

    def nothing(self) -> MarginScores:
        """Scores of no window."""
        none, empty = np.zeros(0), np.zeros((0, len(self._members)))
        window = none.astype(np.int64)
        return MarginScores(self.assumed_bps, self.corrections_bps, empty, none, window, empty, none, none)


def join_scores(parts: Sequence[MarginScores]) -> MarginScores:
    """Scores of one bank, one stretch of windows after another; at least one."""
    starts = np.cumsum([0, *(len(part.expected) for part in parts[:-1])])

    def joined(name: str) -> NDArray[np.float64]:
        return np.concatenate([getattr(part, name) for part in parts])

    return MarginScores(
        parts[0].assumed_bps,
        parts[0].corrections_bps,
        joined("expected"),
        joined("dispersion"),
        np.concatenate([part.window + start for part, start in zip(parts, starts, strict=True)]),
        joined("rate"),
        joined("count"),
        joined("notional_usd"),
    )


def _margin_of(member: Hypothesis) -> float:
    return member.kernel.maintenance_ratio + member.kernel.margin_buffer_ratio


def _without_margin(member: Hypothesis) -> Hypothesis:
    """A member with neither name nor margin."""
    kernel = msgspec.structs.replace(member.kernel, maintenance_ratio=0.0, margin_buffer_ratio=0.0)
    return msgspec.structs.replace(member, name="", kernel=kernel)
