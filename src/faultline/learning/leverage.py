"""Path bars and published liquidations of one instrument in, its mix of leverage and how sure that is out.

The Leverage Learner keeps ledgers of its own under a bank of hypotheses and, for each, a Newton filter over one rate
per leverage plus a floor on what price swept (``docs/concepts/learning.md``). Nothing here reads a clock or draws a
random number: the same windows give the same bytes however they are cut into calls.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import numpy as np

from faultline.errors import RequestError
from faultline.heatmap.ledger import PATH_BAR
from faultline.learning.bands import draw_shares, loosened
from faultline.learning.bank import Hypothesis, distinct_kernels, empty_bank, star_bank, weigh_members
from faultline.learning.cells import cells_of, event_sizes
from faultline.learning.closure import close_mix
from faultline.learning.constants import LearnerSettings
from faultline.learning.history import Fact, FactKind, ParameterHistory
from faultline.learning.identify import between_instruments, bin_shares, mean_log_sd, taught_ratio
from faultline.learning.leverage_kernels import (
    WindowSums,
    filter_bank_kernel,
    fold_mix_kernel,
    judge_kernel,
    rates_kernel,
)
from faultline.learning.margins import MarginAxis
from faultline.learning.posterior import LearnedWindows, Posterior, join_windows
from faultline.learning.prior import GENERIC_PRECISION, LearnedShape, MixPrior, generic_prior
from faultline.learning.reporting import EVENT, Likelihood, Plan, Reporting, plan_bars
from faultline.learning.sizes import SIZE_LAW, larger_prob, mean_sizes, size_law_kernel
from faultline.learning.tracks import ExposureTrack, blur_weights
from faultline.learning.windows import runs_of, windows_of
from faultline.states import restoring
from faultline.units import HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ("LeverageLearner",)

#: Bars that are worked on at once.
_BATCH_BARS: Final = 1024
_STATE_VERSION: Final = 1


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
        self._margins = MarginAxis(self.bank, self._kernel_of)
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
        self._bank = empty_bank(len(self.bank), self._columns)
        self._static = empty_bank(1, 2)
        self._law = np.array(SIZE_LAW)
        self._guard = np.zeros(3)
        self._clock = np.full(2, np.iinfo(np.int64).min)
        self._history = ParameterHistory(len(self.leverages), len(self.bank))
        self.frozen = False
        #: Events that were not used, by reason.
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
        window, starts = windows_of(records, self.settings.window_ns, int(self._clock[0]))
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
            for begin, end in runs_of(
                window,
                starts,
                self.settings.window_ns,
                _BATCH_BARS,
                single=self.reporting.scheme == "largest",
            )
        ]
        return join_windows(parts, len(self.bank), self._columns, self._margins)

    def _learn_batch(
        self,
        bars: NDArray[np.void],
        plan: Plan,
        window: NDArray[np.int64],
        starts: NDArray[np.int64],
        live: NDArray[np.bool_],
    ) -> LearnedWindows:
        """Expose the bars of some windows, then filter them."""
        self._note_hour(int(window[0]) * self.settings.window_ns)
        first, last = int(starts[0]), int(starts[-1])
        span = slice(*np.searchsorted(plan.bar, [first, last]).tolist())
        hours = np.where(live, self.settings.window_ns / HOUR_NS, np.nan)
        if self.reporting.scheme == "none":
            hours[:] = np.nan
        cells = cells_of(plan, span, first, last)
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
        sums = WindowSums(
            bar_starts=starts - first,
            cell_starts=cells.starts[starts - first],
            rows=rows,
            counts=np.bincount(cells.owner, plan.events["count"][span], n_cells),
            sizes=event_sizes(cells, plan.events["count"][span], sizes),
            effective=effective,
            full=full,
            hours=hours,
        )
        self._clock[:] = int(bars["end_ns"][last - 1]), int(window[-1])
        return self._filter(
            sums, window, plan.likelihood[first:last], (plan.bar[span] - first, plan.events[span])
        )

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
        self,
        sums: WindowSums,
        window: NDArray[np.int64],
        likelihood: NDArray[np.int8],
        events: tuple[NDArray[np.int64], NDArray[np.void]],
    ) -> LearnedWindows:
        """Score and learn windows with their events, each with its bar; the static prior goes along."""
        chosen, n = self.settings, len(window)
        numbers = self._numbers()
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
        weights, verdict = np.zeros((n, len(self.bank))), np.zeros((n, 4))
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
            member_log_likelihood=fits[:, :, 0].copy(),
            prior_log_likelihood=verdict[:, 1],
            expected=(weights * fits[:, :, 3]).sum(axis=1),
            observed=fits[:, 0, 1],
            likelihood=np.where(np.isnan(sums.hours), np.int8(Likelihood.SILENT), first),
            prior_in_force=verdict[:, 2] > 0,
            facts=self._facts_of(window, verdict),
            margins=self._margins.read(sums, theta, fits, self._dispersion, events),
        )

    def _numbers(self) -> NDArray[np.float64]:
        """Constants of ``filter_bank_kernel``, shape (9,)."""
        chosen, newton = self.settings, self.settings.newton
        return np.array(
            [
                newton.step_limit,
                newton.temper,
                newton.damping,
                1.0,
                chosen.kernel_share,
                chosen.starting_events,
                chosen.scale_half_life_h,
                chosen.score_half_life_h,
                float(not self.frozen),
            ]
        )

    def _facts_of(self, window: NDArray[np.int64], verdict: NDArray[np.float64]) -> tuple[Fact, ...]:
        """Windows at the end of which the static prior took over or gave back."""
        in_force = np.append(verdict[:, 2], self._guard[1])
        return tuple(
            self._fact(
                "fallback" if in_force[w + 1] > 0 else "restored",
                int(window[w] + 1) * self.settings.window_ns,
                float(verdict[w, 3]),
            )
            for w in np.flatnonzero(np.diff(in_force)).tolist()
        )

    def _fact(self, kind: FactKind, time_ns: int, balance: float) -> Fact:
        """A fact with the threshold in force."""
        return Fact(kind, time_ns, balance, self.settings.fallback_nats)

    def _folded(self, sums: WindowSums) -> WindowSums:
        """The incumbent's exposures under the prior's mix, as one column and the floor."""
        h, folded = int(self._kernel_of[0]), []
        for values in (sums.rows[h], sums.effective[h], sums.full[h]):
            out = np.zeros((len(values), 2))
            fold_mix_kernel(values, self.prior.mix, out)
            folded.append(out[None])
        return sums._replace(rows=folded[0], effective=folded[1], full=folded[2])

    @property
    def theta(self) -> NDArray[np.float64]:
        """Rates now per member, events per unit swept, shape (M, L + 1); the last is the floor's."""
        theta = np.zeros(self._bank.x.shape)
        rates_kernel(self._bank.x, theta)
        return theta

    def _note_hour(self, time_ns: int) -> None:
        """Add to the history where a new hour begins."""
        if self._history.is_due(time_ns):
            numbers = (self.effective_events, float(self._guard[0]), self._dispersion, float(self._guard[1]))
            self._history.note(time_ns, self.mix(), numbers, self._bank.x, self._bank.precision)

    @property
    def effective_events(self) -> float:
        """Events in a half-life of the incumbent."""
        return float(self._bank.score[0, 1])

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weights of the bank's members, shape (M,), sum 1."""
        return weigh_members(self._bank.score[:, 0], self._dispersion)

    @property
    def _dispersion(self) -> float:
        """Variance of counts over their expectation under the incumbent, at least 1."""
        score = self._bank.score[0]
        return max(1.0, (float(score[2]) + 20.0) / (float(score[3]) + 20.0))

    def mix(self) -> NDArray[np.float64]:
        """Shares of gross opens per leverage that are in force now, shape (L,), sum 1."""
        basis, spoken = self._basis()
        return self._mixed(basis, spoken)

    def _basis(self) -> tuple[Literal["bank", "pooled", "prior"], NDArray[np.float64]]:
        """Who speaks, and with which weights, shape (M,)."""
        pooled = self.effective_events < self.settings.pooled_below
        spoken = np.eye(len(self.bank))[0] if pooled else self.weights
        if self._guard[1] > 0:
            return "prior", spoken
        return "pooled" if pooled else "bank", spoken

    def _log_rates(self) -> NDArray[np.float64]:
        """Log rates of the leverages per member, shape (M, L); the prior's shape before anything was learned."""
        size = len(self.leverages)
        learns = self._bank.scale[0, 0] >= self.settings.starting_events
        return self._bank.x[:, :size] if learns else np.tile(self._shape[:size], (len(self.bank), 1))

    def _mixed(self, basis: str, spoken: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shares in force."""
        if basis == "prior":
            return self.prior.mix.copy()
        x = self._log_rates()
        theta = np.exp(x - x.max(axis=1, keepdims=True))
        return np.asarray(spoken @ (theta / theta.sum(axis=1, keepdims=True)), dtype=np.float64)

    def posterior(self) -> Posterior:
        """What is believed now; see ``Posterior``."""
        size, dispersion = len(self.leverages), self._dispersion
        basis, spoken = self._basis()
        mix = self._mixed(basis, spoken)
        taught = self._bank.precision - self._precision0
        covariance = _inverse(self._precision0 + taught)[:, :size, :size]
        before = _inverse(self._precision0)
        loose = _inverse(_inverse(loosened(before, self.leverages, self.prior.mix)) + taught)
        draws = draw_shares(self._log_rates(), loose[:, :size, :size], spoken)
        before = between_instruments(before[:size, :size])
        gram = np.einsum("m,mkn->kn", spoken, self._bank.size_gram)
        sizes = mean_sizes(gram, spoken @ self._bank.size_sums, self._law)[:size]
        notional = mix * sizes
        expected = self.prior.mix * np.exp(self._level(0)) * self._bank.travel[0, :size] / dispersion
        return Posterior(
            basis=basis,
            mix=mix,
            notional_mix=notional / notional.sum() if np.isfinite(notional).all() else np.full(size, np.nan),
            sizes_usd=sizes,
            bins=bin_shares(
                self.leverages, self._log_rates(), covariance, spoken, before, expected, draws, self.prior.mix
            ),
            iota=spoken @ np.stack([taught_ratio(member, before) for member in covariance]),
            draws=draws,
            weights=self.weights,
            effective_events=self.effective_events,
            dispersion=dispersion,
            log_leverage_sd=mean_log_sd(self.leverages, self._log_rates(), covariance, spoken),
            advantage_nats=float(self._guard[0]),
        )

    def _level(self, member: int) -> float:
        """Log rate of one unit of the prior's mix, from the events so far."""
        events, kernel = self._bank.scale[member, :2].tolist()
        return math.log(self.settings.kernel_share * max(events, 0.5) / max(kernel, 1e-12))

    def freeze(self) -> Fact:
        """Keep the rates as they are: windows are scored, nothing is learned. The state is kept to go back to."""
        self.frozen = True
        self._history.keep(int(self._clock[0]), self._bank.x, self._bank.precision)
        return self._fact("frozen", int(self._clock[0]), float(self._guard[2]))

    def thaw(self) -> Fact:
        """Learn again."""
        self.frozen = False
        return self._fact("thawed", int(self._clock[0]), float(self._guard[2]))

    def roll_back(self, time_ns: int) -> Fact:
        """Go back to the rates of the last state kept at or before a time; ledgers and levels stay as they are.

        Raises:
            RequestError: no state was kept by then (``history()["states_ns"]``).
        """
        kept_ns, x, precision = self._history.before(time_ns)
        self._bank.x[:], self._bank.precision[:] = x, precision
        return self._fact("rolled_back", kept_ns, float(self._guard[2]))

    def history(self) -> dict[str, NDArray[Any]]:
        """Hourly parameters (``ParameterHistory.table``) and ``states_ns``, the times that can be gone back to."""
        return {**self._history.table(), "states_ns": self._history.states_ns()}

    def taught(self, instrument_id: str, asset_class: str = "") -> LearnedShape:
        """What events taught the incumbent, the prior taken out: input of ``prior.refresh_priors``."""
        size = len(self.leverages)
        precision = self._bank.precision[0] - self._precision0
        prior = np.append(self._shape[:size] + self._level(0), self._bank.x[0, size])
        # The floor is kept where it is; what the leverages learned is conditional on it.
        moved = self._bank.precision[0] @ self._bank.x[0] - self._precision0 @ prior
        given = moved[:size] - precision[:size, size] * self._bank.x[0, size]
        return LearnedShape(instrument_id, asset_class, precision[:size, :size], given)

    def set_prior(self, prior: MixPrior) -> None:
        """Forget towards another prior from now on; what events taught is kept and combined with it.

        Raises:
            RequestError: it has another grid.
        """
        if prior.mix.shape != self.prior.mix.shape:
            message = f"a prior of {len(prior.mix)} shares for {len(self.leverages)} leverages"
            raise RequestError(message, where="prior", hint="give one share per leverage")
        bank, size = self._bank, len(self.leverages)
        old_shape, old_precision = self._shape, self._precision0
        levels = np.array([self._level(m) for m in range(len(self.bank))])
        swept = bank.travel[:, :size]
        ratio = (swept @ prior.mix) / np.maximum(swept @ self.prior.mix, 1e-300)
        ratio = np.where(swept.sum(axis=1) > 0, ratio, 1.0)
        self.prior = prior
        bank.scale[:, 1] *= ratio
        self._static.scale[0, 1] *= ratio[0]
        self._static.x[0, 0] -= math.log(ratio[0])
        self._apply_prior()
        for m in np.flatnonzero(bank.scale[:, 0] >= self.settings.starting_events).tolist():
            floor = bank.x[m, size]
            before = np.append(old_shape[:size] + levels[m], floor)
            after = np.append(self._shape[:size] + self._level(m), floor)
            told = bank.precision[m] @ bank.x[m] - old_precision @ before
            bank.precision[m] += self._precision0 - old_precision
            bank.x[m] = np.linalg.solve(bank.precision[m], told + self._precision0 @ after)

    def closed_prior(self, oi_usd: float, below: float = 10.0, reported_ratio: float = 1.0) -> MixPrior:
        """The prior with leverage below ``below`` set so that what stands adds up to open interest (``closure``).

        Args:
            oi_usd: open interest of one side.
            below: leverages under it are set.
            reported_ratio: share of liquidations that the venue publishes.

        Raises:
            RequestError: see ``closure.close_mix``; before the first size nothing can be closed.
        """
        size = len(self.leverages)
        standing = np.concatenate([track.standing for track in self._tracks])[self._kernel_of[0]].mean(axis=0)
        mix = close_mix(
            np.exp(self._bank.x[0, :size]),
            self.posterior().sizes_usd,
            standing,
            oi_usd,
            np.asarray(self.leverages) < below,
            self.prior.mix,
            level=math.exp(self._level(0)),
            reported_ratio=reported_ratio,
        )
        return MixPrior(
            mix, self.prior.precision, f"{self.prior.source}, below {below:g}x closed by open interest"
        )

    @property
    def nbytes(self) -> int:
        """Memory of ledgers, filters and history."""
        arrays = [*self._bank, *self._static, *self._history.state().values()]
        return int(sum(track.nbytes for track in self._tracks) + sum(part.nbytes for part in arrays))

    def _fingerprint(self) -> NDArray[np.uint8]:
        """Hash of what was given, uint8 (32,)."""
        text = msgspec.json.encode([self.settings, self.reporting, self.bank])
        return np.frombuffer(hashlib.sha256(text).digest(), dtype=np.uint8)

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays; ``from_state`` continues bit for bit."""
        out: dict[str, NDArray[Any]] = {
            "version": np.array([_STATE_VERSION]),
            "given": self._fingerprint(),
            "prior.mix": self.prior.mix.copy(),
            "prior.precision": self.prior.precision.copy(),
            "prior.source": np.frombuffer(self.prior.source.encode(), dtype=np.uint8),
            "frozen": np.array([self.frozen]),
            "excluded": np.frombuffer(msgspec.json.encode(self.excluded), dtype=np.uint8),
            "law": self._law.copy(),
            "guard": self._guard.copy(),
            "clock": self._clock.copy(),
            **self._history.state(),
        }
        for name, bank in (("bank", self._bank), ("static", self._static)):
            out.update({f"{name}.{field}": part.copy() for field, part in bank._asdict().items()})
        for index, track in enumerate(self._tracks):
            out.update(track.state(f"ledger{index}"))
        return out

    @classmethod
    def from_state(
        cls,
        state: Mapping[str, NDArray[Any]],
        reporting: Reporting | None = None,
        bank: Sequence[Hypothesis] | None = None,
        settings: LearnerSettings | None = None,
    ) -> LeverageLearner:
        """A learner that goes on where ``state()`` was taken; the prior comes from the state.

        Raises:
            StoreError: the state is of another version, or was taken with other arguments.
        """
        with restoring("this learner", state, _STATE_VERSION):
            source = bytes(state["prior.source"]).decode()
            prior = MixPrior(np.array(state["prior.mix"]), np.array(state["prior.precision"]), source)
            learner = cls(reporting, bank, prior, settings)
            if not np.array_equal(state["given"], learner._fingerprint()):
                raise ValueError("it was taken with other settings, reporting or bank")
            learner._restore(state)
        return learner

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over every array of a state."""
        self.frozen = bool(state["frozen"][0])
        self.excluded = msgspec.json.decode(bytes(state["excluded"]), type=dict[str, int])
        for name, part in (("law", self._law), ("guard", self._guard), ("clock", self._clock)):
            np.copyto(part, state[name], casting="safe")
        for name, bank in (("bank", self._bank), ("static", self._static)):
            for field, part in bank._asdict().items():
                np.copyto(part, state[f"{name}.{field}"], casting="safe")
        self._history.restore(state)
        for index, track in enumerate(self._tracks):
            track.restore(f"ledger{index}", state)


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of positive definite matrices, shape (..., K, K)."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)
