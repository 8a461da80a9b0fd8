"""Path bars and published liquidations of one instrument in, its mix of leverage and how sure that is out.

The Leverage Learner keeps ledgers of its own under a bank of hypotheses and, for each, a Newton filter over one rate
per leverage plus a floor on what price swept (``docs/concepts/learning.md``). Nothing here reads a clock or draws a
random number: the same windows give the same bytes however they are cut into calls.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import numpy as np

from faultline.errors import RequestError
from faultline.heatmap.ledger import PATH_BAR
from faultline.learning.bank import Hypothesis, distinct_kernels, star_bank, weigh_members
from faultline.learning.identify import BinShare, bin_shares, taught_ratio
from faultline.learning.leverage_kernels import (
    BankArrays,
    WindowSums,
    filter_bank_kernel,
    fold_mix_kernel,
    judge_kernel,
)
from faultline.learning.newton import NewtonSettings
from faultline.learning.prior import GENERIC_PRECISION, MixPrior, generic_prior
from faultline.learning.reporting import EVENT, Likelihood, Plan, Reporting, plan_bars
from faultline.learning.sizes import SIZE_LAW, larger_prob, mean_sizes, size_law_kernel
from faultline.learning.tracks import ExposureTrack, blur_weights
from faultline.units import HOUR_NS, MINUTE_NS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ("LearnedWindows", "LearnerSettings", "LeverageLearner", "Posterior")

#: Bars that are worked on at once.
_BATCH_BARS: Final = 1024
#: Bits of a cell's key that hold its bucket.
_BUCKET_BITS: Final = 32
_BUCKET_SHIFT: Final = 1 << (_BUCKET_BITS - 1)


class LearnerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Constants of a learner; half-lives are in recorded hours.

    Attributes:
        window_ns: the rates move once per window.
        n_buckets: buckets of five basis points around the price that each hypothesis keeps.
        blur_bps: deviation of the place of an event, inside what its bar swept.
        newton: step limit, weight and damping of the filter; precision of the floor's log rate. Half-lives are
            those of the bank.
        kernel_share: share of events that the prior gives to the leverages; the rest is the floor.
        starting_events: events that only set the level, before rates move.
        scale_half_life_h: of the level of the prior.
        score_half_life_h: of log scores, which weigh the bank and judge it.
        pooled_below: with fewer events in a half-life one hypothesis and the prior speak for the bank.
        fallback_nats: the prior takes over where the bank is worse by this much discounted log score.
    """

    window_ns: int = MINUTE_NS
    n_buckets: int = 2560
    blur_bps: float = 6.0
    newton: NewtonSettings = NewtonSettings()
    kernel_share: float = 0.9
    starting_events: float = 30.0
    scale_half_life_h: float = 720.0
    score_half_life_h: float = 72.0
    pooled_below: float = 300.0
    fallback_nats: float = 5.0


@dataclasses.dataclass(frozen=True, slots=True)
class LearnedWindows:
    """What was known before each window and how it scored.

    Attributes:
        start_ns: int64 (W,).
        theta: float64 (W, M, L + 1), rates before the window per member: events per unit swept, last the floor.
        weights: float64 (W, M), of the members before the window.
        log_likelihood: float64 (W,), of the bank's mixture, 0 in windows without an event or exposure.
        prior_log_likelihood: float64 (W,), of the static prior.
        expected: float64 (W,), events expected in what price swept.
        observed: float64 (W,), events used.
        likelihood: int8 (W,), ``Likelihood``.
        prior_in_force: bool (W,), whether the static prior had taken over.
    """

    start_ns: NDArray[np.int64]
    theta: NDArray[np.float64]
    weights: NDArray[np.float64]
    log_likelihood: NDArray[np.float64]
    prior_log_likelihood: NDArray[np.float64]
    expected: NDArray[np.float64]
    observed: NDArray[np.float64]
    likelihood: NDArray[np.int8]
    prior_in_force: NDArray[np.bool_]


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
        weights: of the bank's members, shape (M,).
        effective_events: events in a half-life.
        dispersion: variance of counts over their expectation; 1 where counts are Poisson.
        advantage_nats: discounted log score of the bank over the static prior's.
    """

    basis: Literal["bank", "pooled", "prior"]
    mix: NDArray[np.float64]
    notional_mix: NDArray[np.float64]
    sizes_usd: NDArray[np.float64]
    bins: tuple[BinShare, ...]
    iota: NDArray[np.float64]
    weights: NDArray[np.float64]
    effective_events: float
    dispersion: float
    advantage_nats: float


class LeverageLearner:
    """Online estimate of the leverage of what is opened in one instrument.

    Args:
        reporting: what the venue publishes.
        bank: hypotheses, the incumbent first; by default ``star_bank()``.
        prior: where it starts and what it forgets towards; by default lognormal around 50x.
        settings: constants.

    Raises:
        RequestError: the bank's members do not share a grid, the prior has another, or the window of the reporting
            scheme does not divide that of the learner.
    """

    def __init__(
        self,
        reporting: Reporting | None = None,
        bank: Sequence[Hypothesis] | None = None,
        prior: MixPrior | None = None,
        settings: LearnerSettings | None = None,
    ) -> None:
        self.reporting, self.settings = reporting or Reporting(), settings or LearnerSettings()
        self.bank = tuple(bank if bank is not None else star_bank())
        groups, self._kernel_of = distinct_kernels(self.bank)
        self.leverages = self.bank[0].kernel.leverages
        self.prior = prior or generic_prior(self.leverages)
        if len(self.prior.mix) != len(self.leverages) or self.settings.window_ns % self.reporting.window_ns:
            message = "the prior has another grid, or reporting windows do not divide the learner's"
            raise RequestError(
                message, where="prior, reporting", hint="one share per leverage; whole windows"
            )
        self._tracks = [ExposureTrack(power, kernels, self.settings.n_buckets) for power, kernels in groups]
        sizes = [len(kernels) for _, kernels in groups]
        self._places = [slice(sum(sizes[:i]), sum(sizes[: i + 1])) for i in range(len(sizes))]
        self._n_kernels = sum(sizes)
        self._half_lives = np.array([member.half_life_h for member in self.bank])
        self._blur = blur_weights(self.settings.blur_bps)
        self._bank = _empty_bank(len(self.bank), self._columns)
        self._static = _empty_bank(1, 2)
        self._law = np.array(SIZE_LAW)
        self._guard = np.zeros(2)
        self._clock = np.full(2, np.iinfo(np.int64).min)
        self.frozen = False
        self.excluded: dict[str, int] = {}
        self._apply_prior()

    @property
    def _columns(self) -> int:
        """Leverages and the floor."""
        return len(self.leverages) + 1

    def _apply_prior(self) -> None:
        """Tables that follow from the prior."""
        size, chosen = self._columns, self.settings.newton
        self._shape = np.append(np.log(self.prior.mix), 0.0)
        self._precision0 = np.eye(size) * chosen.prior_precision
        self._precision0[:-1, :-1] = self.prior.precision
        fresh = self._bank.scale[:, 0] < self.settings.starting_events
        self._bank.precision[fresh] = self._precision0
        self._static.precision[:] = np.eye(2) * GENERIC_PRECISION

    def learn(
        self,
        bars: NDArray[np.void],
        events: NDArray[np.void] | None = None,
        taught: NDArray[np.bool_] | None = None,
    ) -> LearnedWindows:
        """Predict, score and learn whole windows in order.

        Args:
            bars: PATH_BAR rows of whole windows, in order; a bar belongs to the window its start lies in. NaN where
                price is unknown.
            events: EVENT rows in the order of their time; of a ``batched`` feed those up to the end of the last window.
                None where the feed was down.
            taught: whether the feed was complete, per window of ``bars``; by default everywhere.

        Raises:
            RequestError: bars overlap, are out of order or older than what was learned; ``taught`` does not fit.
        """
        records = np.ascontiguousarray(bars, dtype=PATH_BAR)
        window, starts = self._windows_of(records)
        if events is None:
            events, taught = np.zeros(0, dtype=EVENT), np.zeros(len(starts) - 1, dtype=np.bool_)
        live = np.ones(len(starts) - 1, dtype=np.bool_) if taught is None else np.asarray(taught)
        if live.shape != (len(starts) - 1,):
            message = f"{live.shape} flags for {len(starts) - 1} windows"
            raise RequestError(message, where="taught", hint="give one flag per window of the bars")
        plan = plan_bars(records, events, self.reporting)
        for reason, number in plan.excluded.items():
            self.excluded[reason] = self.excluded.get(reason, 0) + number
        parts = [
            self._learn_batch(records, plan, window[begin:end], starts[begin : end + 1], live[begin:end])
            for begin, end in self._batches(window, starts)
        ]
        return _joined(parts, len(self.bank), self._columns)

    def _windows_of(self, bars: NDArray[np.void]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Index of each window and its first bar (W + 1,).

        Raises:
            RequestError: see ``learn``.
        """
        start, end = bars["start_ns"], bars["end_ns"]
        ordered = bool(np.all(end > start) and np.all(start[1:] >= end[:-1]))
        if not ordered or (len(bars) and int(start[0]) < int(self._clock[0])):
            message = "bars overlap, are out of order, or older than what was learned"
            raise RequestError(message, where="bars", hint="give whole windows in the order of their time")
        priced = ~np.isnan(bars["low_usd"])
        if not np.all((bars["low_usd"] > 0) & (bars["low_usd"] <= bars["high_usd"]) | ~priced):
            message = "a bar has a low that is not positive or above its high"
            raise RequestError(message, where="bars", hint="leave unknown prices NaN")
        index = start // self.settings.window_ns
        first = (
            np.flatnonzero(np.diff(index, prepend=index[0] - 1)) if len(bars) else np.zeros(0, dtype=np.int64)
        )
        return index[first], np.append(first, len(bars)).astype(np.int64)

    def _batches(self, window: NDArray[np.int64], starts: NDArray[np.int64]) -> list[tuple[int, int]]:
        """Runs of windows inside one hour and one batch; windows one by one where sizes decide what counts."""
        found: list[tuple[int, int]] = []
        hour = window * self.settings.window_ns // HOUR_NS
        begin = 0
        for w in range(1, len(window) + 1):
            cut = w == len(window) or hour[w] != hour[begin] or starts[w + 1] - starts[begin] > _BATCH_BARS
            if cut or self.reporting.scheme == "largest":
                found.append((begin, w))
                begin = w
        return found

    def _learn_batch(
        self,
        bars: NDArray[np.void],
        plan: Plan,
        window: NDArray[np.int64],
        starts: NDArray[np.int64],
        live: NDArray[np.bool_],
    ) -> LearnedWindows:
        """Expose the bars of some windows, then filter them."""
        first, last = int(starts[0]), int(starts[-1])
        span = slice(*np.searchsorted(plan.bar, [first, last]).tolist())
        hours = np.where(live, self.settings.window_ns / HOUR_NS, np.nan)
        if self.reporting.scheme == "none":
            hours[:] = np.nan
        cells = _cells_of(plan, span, first, last)
        n_cells, n_bars = len(cells.index), last - first
        rows = np.zeros((self._n_kernels, n_cells, self._columns))
        effective, full = (np.zeros((self._n_kernels, n_bars, self._columns)) for _ in range(2))
        for track, place in zip(self._tracks, self._places, strict=True):
            track.expose(
                bars[first:last],
                plan.after[first:last],
                (cells.starts, cells.index),
                self._blur,
                (rows[place], effective[place], full[place]),
            )
        sizes = self._weigh_sizes(plan, span, starts, hours, effective, full)
        sized = np.isfinite(sizes)
        sums = WindowSums(
            bar_starts=starts - first,
            cell_starts=cells.starts[starts - first],
            rows=rows,
            counts=np.bincount(cells.owner, plan.events["count"][span], n_cells),
            sizes=np.stack(
                [
                    np.bincount(cells.owner, sized * plan.events["count"][span], n_cells),
                    np.bincount(
                        cells.owner, np.where(sized, sizes, 0.0) * plan.events["count"][span], n_cells
                    ),
                ],
                axis=1,
            ),
            effective=effective,
            full=full,
            hours=hours,
        )
        self._clock[:] = int(bars["end_ns"][last - 1]), int(window[-1])
        return self._filter(sums, window, plan.likelihood[first:last])

    def _weigh_sizes(
        self,
        plan: Plan,
        span: slice,
        starts: NDArray[np.int64],
        hours: NDArray[np.float64],
        effective: NDArray[np.float64],
        full: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Winsorised log size of each event; under ``largest`` the exposure is weighed by what it could not hold."""
        events, first = plan.events[span], int(starts[0])
        with np.errstate(invalid="ignore", divide="ignore"):
            log_size = np.log(events["notional_usd"] / events["count"])
        log_size[~np.isfinite(log_size)] = np.nan
        hidden = np.zeros(len(events))
        if self.reporting.scheme == "largest" and len(events):
            part = plan.cut(span, first, int(starts[-1]))
            weight = part.weigh_largest(larger_prob(self._law, log_size))
            effective *= weight[None, :, None]
            hidden = part.hidden(np.einsum("bk,k->b", full[self._kernel_of[0]], np.exp(self._bank.x[0])))
        fades = 2.0 ** (-hours / self.bank[0].half_life_h)
        out = np.zeros(len(events))
        where = np.searchsorted(plan.bar[span], starts)
        size_law_kernel(where, log_size, hidden, fades, self._law, out)
        return np.where(np.isfinite(log_size), out, np.nan)

    def _filter(
        self, sums: WindowSums, window: NDArray[np.int64], likelihood: NDArray[np.int8]
    ) -> LearnedWindows:
        """Score and learn windows; the static prior goes along."""
        chosen, n = self.settings, len(window)
        newton = chosen.newton
        numbers = np.array(
            [
                newton.step_limit,
                newton.temper,
                newton.damping,
                chosen.kernel_share,
                chosen.starting_events,
                chosen.scale_half_life_h,
                chosen.score_half_life_h,
                float(not self.frozen),
            ]
        )
        theta, fits = np.zeros((n, len(self.bank), self._columns)), np.zeros((n, len(self.bank), 6))
        filter_bank_kernel(
            self._bank,
            sums,
            self._kernel_of,
            self._half_lives,
            self._shape,
            self._precision0,
            numbers,
            theta,
            fits,
        )
        static_theta, static = np.zeros((n, 1, 2)), np.zeros((n, 1, 6))
        filter_bank_kernel(
            self._static,
            self._folded(sums),
            np.zeros(1, dtype=np.int64),
            self._half_lives[:1],
            np.zeros(2),
            np.eye(2) * GENERIC_PRECISION,
            np.append(numbers[:-1], 1.0),
            static_theta,
            static,
        )
        weights, verdict = np.zeros((n, len(self.bank))), np.zeros((n, 3))
        judge_kernel(
            fits,
            static,
            sums.hours,
            chosen.score_half_life_h,
            chosen.fallback_nats,
            self._guard,
            weights,
            verdict,
        )
        first = likelihood[sums.bar_starts[:-1]]
        return LearnedWindows(
            start_ns=window * chosen.window_ns,
            theta=theta,
            weights=weights,
            log_likelihood=verdict[:, 0],
            prior_log_likelihood=verdict[:, 1],
            expected=(weights * fits[:, :, 3]).sum(axis=1),
            observed=fits[:, 0, 1],
            likelihood=np.where(np.isnan(sums.hours), np.int8(Likelihood.SILENT), first),
            prior_in_force=verdict[:, 2] > 0,
        )

    def _folded(self, sums: WindowSums) -> WindowSums:
        """The incumbent's exposures under the prior's mix, as one column and the floor."""
        h, folded = int(self._kernel_of[0]), []
        for values in (sums.rows[h], sums.effective[h], sums.full[h]):
            out = np.zeros((len(values), 2))
            fold_mix_kernel(values, self.prior.mix, out)
            folded.append(out[None])
        return sums._replace(rows=folded[0], effective=folded[1], full=folded[2])

    @property
    def effective_events(self) -> float:
        """Events in a half-life of the incumbent."""
        return float(self._bank.score[0, 1])

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weights of the bank's members, shape (M,), sum 1."""
        return weigh_members(self._bank.score[:, 0], np.array(self._dispersion))

    @property
    def _dispersion(self) -> float:
        """Variance of counts over their expectation under the incumbent, at least 1."""
        score = self._bank.score[0]
        return max(1.0, (float(score[2]) + 20.0) / (float(score[3]) + 20.0))

    def mix(self) -> NDArray[np.float64]:
        """Shares of gross opens per leverage that are in force now, shape (L,), sum 1."""
        return self.posterior().mix

    def posterior(self) -> Posterior:
        """What is believed now; see ``Posterior``."""
        events, weights = self.effective_events, self.weights
        basis: Literal["bank", "pooled", "prior"] = "bank"
        spoken = weights
        if events < self.settings.pooled_below:
            basis, spoken = "pooled", np.eye(len(weights))[0]
        size, dispersion = len(self.leverages), self._dispersion
        learns = self._bank.scale[0, 0] >= self.settings.starting_events
        x = self._bank.x[:, :size] if learns else np.tile(self._shape[:size], (len(weights), 1))
        taught = (self._bank.precision - self._precision0) / dispersion
        covariance = _inverse(self._precision0 + taught)[:, :size, :size]
        before = _inverse(self._precision0)[:size, :size]
        theta = np.exp(x - x.max(axis=1, keepdims=True))
        mix = spoken @ (theta / theta.sum(axis=1, keepdims=True))
        if self._guard[1] > 0:
            basis, mix = "prior", self.prior.mix.copy()
        bank = self._bank
        sizes = mean_sizes(spoken @ bank.size_events[:, :size], spoken @ bank.size_sums[:, :size], self._law)
        notional = mix * sizes
        scale = self._bank.scale[0]
        level = self.settings.kernel_share * scale[0] / max(float(scale[1]), 1e-12)
        return Posterior(
            basis=basis,
            mix=mix,
            notional_mix=notional / notional.sum(),
            sizes_usd=sizes,
            bins=bin_shares(
                self.leverages, x, covariance, spoken, before, self.prior.mix * level * bank.travel[0, :size]
            ),
            iota=spoken @ np.stack([taught_ratio(member, before) for member in covariance]),
            weights=weights,
            effective_events=events,
            dispersion=dispersion,
            advantage_nats=float(self._guard[0]),
        )


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of positive definite matrices, shape (..., K, K)."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


class _Cells(msgspec.Struct, frozen=True):
    """Cells that hold events: first of each bar, (side, bucket) of each, and the cell of each event."""

    starts: Any
    index: Any
    owner: Any


def _cells_of(plan: Plan, span: slice, first: int, last: int) -> _Cells:
    """Distinct cells of the events of bars ``first`` to ``last``, sorted by bar."""
    bar, bucket = plan.bar[span] - first, np.floor(plan.place[span]).astype(np.int64)
    key = ((bar * 2 + plan.events["side"][span]) << _BUCKET_BITS) + bucket + _BUCKET_SHIFT
    distinct, owner = np.unique(key, return_inverse=True)
    group = distinct >> _BUCKET_BITS
    index = np.stack([group & 1, (distinct & ((1 << _BUCKET_BITS) - 1)) - _BUCKET_SHIFT], axis=1)
    starts = np.searchsorted(group >> 1, np.arange(last - first + 1))
    return _Cells(starts.astype(np.int64), index.astype(np.int64), owner.astype(np.int64))


def _empty_bank(members: int, columns: int) -> BankArrays:
    """A bank that has seen nothing; rates are nil until the level of the prior is known."""
    return BankArrays(
        x=np.full((members, columns), -30.0),
        precision=np.zeros((members, columns, columns)),
        scale=np.zeros((members, 3)),
        score=np.zeros((members, 4)),
        size_events=np.zeros((members, columns)),
        size_sums=np.zeros((members, columns)),
        travel=np.zeros((members, columns)),
    )


def _joined(parts: list[LearnedWindows], members: int, columns: int) -> LearnedWindows:
    """Windows of several batches as one."""
    if not parts:
        none = np.zeros(0)
        return LearnedWindows(
            none.astype(np.int64),
            np.zeros((0, members, columns)),
            np.zeros((0, members)),
            *(none,) * 4,
            none.astype(np.int8),
            none.astype(np.bool_),
        )
    fields = [field.name for field in dataclasses.fields(LearnedWindows)]
    return LearnedWindows(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))
