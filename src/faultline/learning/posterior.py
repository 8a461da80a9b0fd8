"""Arrays of a learner in, what it says about windows and about the present out: plain values."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from faultline.learning.bands import band_of
from faultline.learning.margins import join_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from faultline.learning.history import Fact
    from faultline.learning.identify import BinShare
    from faultline.learning.margins import MarginAxis, MarginScores

__all__ = ("LearnedWindows", "Posterior", "join_windows")


@dataclasses.dataclass(frozen=True, slots=True)
class LearnedWindows:
    """What was known before each window and how it scored.

    Attributes:
        start_ns: int64 (W,).
        theta: float64 (W, M, L + 1), rates before the window per member: events per unit swept, last the floor.
        weights: float64 (W, M), of the members before the window.
        log_likelihood: float64 (W,), of the bank's mixture, 0 in windows without an event or exposure and
            until learning starts.
        member_log_likelihood: float64 (W, M), of each member.
        prior_log_likelihood: float64 (W,), of the static prior.
        expected: float64 (W,), events expected in what price swept.
        observed: float64 (W,), events used.
        likelihood: int8 (W,), ``Likelihood``.
        prior_in_force: bool (W,), whether the static prior had taken over.
        facts: what happened to the parameters, in order.
        margins: what the windows say about the maintenance margin.
    """

    start_ns: NDArray[np.int64]
    theta: NDArray[np.float64]
    weights: NDArray[np.float64]
    log_likelihood: NDArray[np.float64]
    member_log_likelihood: NDArray[np.float64]
    prior_log_likelihood: NDArray[np.float64]
    expected: NDArray[np.float64]
    observed: NDArray[np.float64]
    likelihood: NDArray[np.int8]
    prior_in_force: NDArray[np.bool_]
    facts: tuple[Fact, ...]
    margins: MarginScores


@dataclasses.dataclass(frozen=True, slots=True)
class Posterior:
    """What is believed now.

    Attributes:
        basis: ``bank``; ``pooled``: too few events, the incumbent and its prior alone; ``prior``: the learned mix
            scored worse.
        mix: shares of gross opens, shape (L,), sum 1.
        notional_mix: shares of notional, shape (L,), sum 1; NaN before the first size.
        sizes_usd: mean size of an event per leverage, shape (L,).
        bins: pooled shares with band and identifiability.
        iota: what events taught per leverage, shape (L,).
        draws: of the mix, over the bank and over centre and width of the prior, shape (N, L).
        weights: of the bank's members, shape (M,).
        effective_events: events in a half-life.
        dispersion: variance of counts over their expectation; 1 where counts are Poisson.
        log_leverage_sd: deviation of the mean log leverage of what is opened, given centre and width of the prior.
        advantage_nats: discounted log score of the bank over the static prior's.
    """

    basis: Literal["bank", "pooled", "prior"]
    mix: NDArray[np.float64]
    notional_mix: NDArray[np.float64]
    sizes_usd: NDArray[np.float64]
    bins: tuple[BinShare, ...]
    iota: NDArray[np.float64]
    draws: NDArray[np.float64]
    weights: NDArray[np.float64]
    effective_events: float
    dispersion: float
    log_leverage_sd: float
    advantage_nats: float

    def band(self, promise: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Ends of the credible band of each leverage's share that holds it with probability ``promise``, both (L,).

        Neighbouring leverages are hardly told apart: the bands of ``bins`` say more.
        """
        return band_of(self.draws, promise)


def join_windows(
    parts: Sequence[LearnedWindows], members: int, columns: int, margins: MarginAxis
) -> LearnedWindows:
    """Windows of several batches as one, of none as an empty one."""
    if not parts:
        none = np.zeros(0)
        return LearnedWindows(
            none.astype(np.int64),
            np.zeros((0, members, columns)),
            np.zeros((0, members)),
            none,
            np.zeros((0, members)),
            *(none,) * 3,
            none.astype(np.int8),
            none.astype(np.bool_),
            (),
            margins.nothing(),
        )

    def joined(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    return LearnedWindows(
        start_ns=joined("start_ns"),
        theta=joined("theta"),
        weights=joined("weights"),
        log_likelihood=joined("log_likelihood"),
        member_log_likelihood=joined("member_log_likelihood"),
        prior_log_likelihood=joined("prior_log_likelihood"),
        expected=joined("expected"),
        observed=joined("observed"),
        likelihood=joined("likelihood"),
        prior_in_force=joined("prior_in_force"),
        facts=tuple(fact for part in parts for fact in part.facts),
        margins=join_scores([part.margins for part in parts]),
    )
