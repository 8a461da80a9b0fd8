"""Liquidations and the path of one instrument in, everything its venue does to them out, kept between calls.

Four things that one "offset" would confuse are learned apart: where the venue prints (``offset``), how late it stamps
(``delay``), what its margins really are (``margin``) and which share it reports (``reporting``). Two checks run along:
whether sides mean what is assumed (``sides``) and whether the engine has changed (``change``).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.learning.calibrator.change import ChangeDetector
from faultline.learning.calibrator.delay import LAGS_S, DelayEstimator, DelaySettings
from faultline.learning.calibrator.estimate import Estimate
from faultline.learning.calibrator.guard import PriorGuard
from faultline.learning.calibrator.hierarchy import CalibratorPrior
from faultline.learning.calibrator.margin import MarginBank, MarginSettings
from faultline.learning.calibrator.offset import N_PRICE_KINDS, OffsetFilter, OffsetSettings
from faultline.learning.calibrator.prints import PrintLocator
from faultline.learning.calibrator.report import (
    CalibrationReport,
    EngineChange,
    MarginReport,
    OffsetReport,
    SideTurn,
)
from faultline.learning.calibrator.reporting import ReportingFraction, ReportingSettings
from faultline.learning.calibrator.sides import SideCheck, SideSettings
from faultline.learning.calibrator.spread import OFFSET_EDGES_BPS, RECEIPT_EDGES_S, Spread
from faultline.messages import Flag
from faultline.states import part_of, restoring
from faultline.units import SECOND_NS, PriceKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from faultline.learning.history import Fact
    from faultline.learning.margins import MarginScores

__all__ = ("Calibrator", "CalibratorSettings")

_STATE_VERSION: Final = 3
#: Events between two looks at the delay.
_BLOCK: Final = 64
#: Changes of the engine that are remembered.
_KEPT_CHANGES: Final = 32
_WHAT: Final = ("print offset", "margin")


class CalibratorSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How everything is learned.

    Attributes:
        offset: see ``OffsetSettings``.
        delay: see ``DelaySettings``; its prior is replaced by the instrument's.
        sides: see ``SideSettings``.
        margin: see ``MarginSettings``.
        reporting: see ``ReportingSettings``; its prior is replaced by the instrument's.
        shifts_bps: changes of the print offset that are tested for.
        drift_nats: of that test, per event.
        threshold_nats: of that test.
        most_nats: what one event counts in that test at most: a few prints of one burst are no change.
        pause_s: events count in that test this far apart: what is wrong with one is wrong with its neighbours.
        settle_events: events of a price kind before a change of its offset is told.
        fallback_nats: the prior of the print offset takes over where what was learned is worse by this much discounted
            log score; events count in it as in the test for changes, and at most as much.
        fallback_half_life_h: memory of that score.
        farthest_bps: prints farther from the mark belong to another instrument.
        is_one_venue: False for a feed that mixes venues: its offset jumps from event to event, and no change is told.
    """

    offset: OffsetSettings = OffsetSettings()
    delay: DelaySettings = DelaySettings()
    sides: SideSettings = SideSettings()
    margin: MarginSettings = MarginSettings()
    reporting: ReportingSettings = ReportingSettings()
    shifts_bps: tuple[float, ...] = (-25.0, -10.0, -5.0, 5.0, 10.0, 25.0)
    drift_nats: float = 0.05
    threshold_nats: float = 15.0
    most_nats: float = 1.5
    pause_s: float = 10.0
    settle_events: int = 100
    fallback_nats: float = 5.0
    fallback_half_life_h: float = 72.0
    farthest_bps: float = 300.0
    is_one_venue: bool = True


class Calibrator:
    """The calibrator of one instrument.

    Args:
        instrument_id: ``venue:SYMBOL``.
        prior: of the venue's class, see ``hierarchy.class_prior``.
        tier_caps_usd: upper notional of each margin tier but the last, ascending.
        settings: see ``CalibratorSettings``.
    """

    def __init__(
        self,
        instrument_id: str,
        *,
        prior: CalibratorPrior | None = None,
        tier_caps_usd: tuple[float, ...] = (),
        settings: CalibratorSettings | None = None,
    ) -> None:
        self.instrument_id = instrument_id
        self.settings = settings or CalibratorSettings()
        self.prior = prior or CalibratorPrior()
        self._locator = PrintLocator()
        self._offset = OffsetFilter(self.prior.offsets, self.settings.offset)
        self._delay = DelayEstimator(self._delay_settings())
        self._sides = SideCheck(self.settings.sides)
        self._margin = MarginBank(tier_caps_usd, self.settings.margin)
        self._reporting = ReportingFraction(self._reporting_settings())
        self._test = ChangeDetector(
            N_PRICE_KINDS * len(self.settings.shifts_bps),
            self.settings.drift_nats,
            self.settings.threshold_nats,
        )
        self._spreads = [Spread(OFFSET_EDGES_BPS) for _ in range(N_PRICE_KINDS)]
        self._receipts = Spread(RECEIPT_EDGES_S)
        self._since_reset = np.zeros(N_PRICE_KINDS, dtype=np.int64)
        self._next_vote_ns = np.full(N_PRICE_KINDS, -1, dtype=np.int64)
        self._counts = np.zeros(2, dtype=np.int64)  # learned, foreign
        self._changes: list[EngineChange] = []
        #: Log score of the offset filter over its static prior's, and prints scored.
        self._gained = np.zeros(2)
        chosen = self.settings
        self._guard = PriorGuard(chosen.fallback_nats, chosen.most_nats, chosen.fallback_half_life_h)

    def apply(
        self, liquidations: NDArray[np.void], path: NDArray[np.void], upto_ns: int
    ) -> list[EngineChange | SideTurn | Fact]:
        """Learn liquidations as the path passes them.

        Args:
            liquidations: rows of kind ``liquidation``, sorted by receipt.
            path: closed bars, rows of ``market.path.PATH_ROW``, sorted by end.
            upto_ns: everything received and closed by this moment is in the arguments.

        Returns:
            What was found, in the order of the events.
        """
        return self.apply_prints(self._locator.apply(liquidations, path, upto_ns))

    def apply_prints(self, prints: NDArray[np.void]) -> list[EngineChange | SideTurn | Fact]:
        """Learn prints whose mark is known: rows of ``prints.PRINT_ROW``, in order of receipt."""
        found: list[EngineChange | SideTurn | Fact] = []
        start = 0
        while start < len(prints):
            stop = start + _BLOCK - int(self._counts[0]) % _BLOCK
            block = prints[start:stop]
            found += self._learn(block)
            self._counts[0] += len(block)
            if int(self._counts[0]) % _BLOCK == 0:
                self._delay.refresh()
            start = stop
        return found

    def apply_margins(self, scores: MarginScores, ends_ns: NDArray[np.int64]) -> list[EngineChange]:
        """Learn what windows of the learner say about the margin; a feed that mixes venues has no margin to learn.

        Args:
            scores: of windows in order.
            ends_ns: end of each, shape (W,).
        """
        if not self.settings.is_one_venue:
            return []
        found = [
            EngineChange(
                int(ends_ns[change.window]),
                _WHAT[1],
                change.tier,
                change.before_bps,
                change.after_bps,
                change.evidence_nats,
                change.n_events,
            )
            for change in self._margin.apply(scores)
        ]
        self._remember(found)
        return found

    def apply_windows(self, windows: NDArray[np.void]) -> None:
        """Learn the reporting fraction from rows of ``reporting.REPORTING_ROW``.

        Raises:
            RequestError: other fields, or windows that go back in time.
        """
        self._reporting.apply(windows)

    @property
    def delay_s(self) -> float:
        """Most probable time from trigger to the venue's stamp."""
        return float(LAGS_S[self._delay.lag_index])

    def offset_bps(self, kind: PriceKind) -> tuple[float, float]:
        """Symmetric and antisymmetric offset of a price kind."""
        return self._offset.mean_bps(kind)

    def share(self) -> Estimate:
        """Reporting fraction."""
        return self._reporting.estimate()

    def report(self) -> CalibrationReport:
        """Everything known, with its ranges."""
        kinds = [kind for kind in PriceKind if self._offset.count(kind)]
        edges = (0.0, *self._margin.tier_caps_usd, math.inf)
        low, middle, high = self._receipts.quantiles((0.025, 0.5, 0.975))
        n_received = self._receipts.n_events
        return CalibrationReport(
            instrument_id=self.instrument_id,
            offsets=tuple(
                OffsetReport(
                    kind,
                    *self._offset.estimates(kind, is_assumed=self._guard.has_fallen_back),
                    self._offset.scale_bps(kind),
                    self._spreads[kind].quantiles(),
                    self._spreads[kind].clusters(),
                )
                for kind in kinds
            ),
            delay=self._delay.estimate(),
            receipt=Estimate(middle, low, high, "s", n_received, 1.0 if n_received else 0.0),
            margins=tuple(
                MarginReport(edges[tier], edges[tier + 1], self._margin.correction(tier))
                for tier in range(len(edges) - 1)
            ),
            share=self.share(),
            sources=self._reporting.sources(),
            verdict=self._sides.verdict,
            agreement=self._sides.agreement(),
            changes=tuple(self._changes),
            n_learned=int(self._counts[0]),
            n_unlocated=self._locator.n_unlocated,
            n_mistimed=self._locator.n_mistimed,
            n_unusable=self._locator.n_unusable,
            n_foreign=int(self._counts[1]),
            offset_gained_nats=float(self._gained[0]),
            n_scored=int(self._gained[1]),
        )

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on; the settings and the prior are the caller's."""
        parts = {
            "locator": self._locator.state(),
            "offset": self._offset.state(),
            "delay": self._delay.state(),
            "sides": self._sides.state(),
            "margin": self._margin.state(),
            "reporting": self._reporting.state(),
            "test": self._test.state(),
            "guard": self._guard.state(),
            "receipts": self._receipts.state(),
            **{f"spread{kind}": spread.state() for kind, spread in enumerate(self._spreads)},
        }
        flat = {f"{part}.{name}": value for part, arrays in parts.items() for name, value in arrays.items()}
        changes = [
            (
                c.time_ns,
                _WHAT.index(c.what),
                c.subject,
                c.n_events,
                c.before_bps,
                c.after_bps,
                c.evidence_nats,
            )
            for c in self._changes
        ]
        return flat | {
            "version": np.array([_STATE_VERSION]),
            "since_reset": self._since_reset.copy(),
            "next_vote_ns": self._next_vote_ns.copy(),
            "counts": self._counts.copy(),
            "gained": self._gained.copy(),
            "changes_whole": np.array([change[:4] for change in changes], dtype=np.int64).reshape(-1, 4),
            "changes_real": np.array([change[4:] for change in changes], dtype=np.float64).reshape(-1, 3),
        }

    @classmethod
    def from_state(
        cls,
        instrument_id: str,
        state: Mapping[str, NDArray[Any]],
        *,
        prior: CalibratorPrior | None = None,
        tier_caps_usd: tuple[float, ...] = (),
        settings: CalibratorSettings | None = None,
    ) -> Calibrator:
        """A calibrator that goes on where ``state()`` was taken.

        Raises:
            StoreError: that is no state of a calibrator with these tiers and settings.
        """
        kept = cls(instrument_id, prior=prior, tier_caps_usd=tier_caps_usd, settings=settings)
        chosen = kept.settings
        with restoring("a calibrator", state, _STATE_VERSION):
            kept._locator = PrintLocator.from_state(part_of(state, "locator."))
            kept._offset = OffsetFilter.from_state(
                part_of(state, "offset."), kept.prior.offsets, chosen.offset
            )
            kept._delay = DelayEstimator.from_state(part_of(state, "delay."), kept._delay_settings())
            kept._sides = SideCheck.from_state(part_of(state, "sides."), chosen.sides)
            kept._margin = MarginBank.from_state(part_of(state, "margin."), tier_caps_usd, chosen.margin)
            kept._reporting = ReportingFraction.from_state(
                part_of(state, "reporting."), kept._reporting_settings()
            )
            kept._test = ChangeDetector.from_state(
                part_of(state, "test."), chosen.drift_nats, chosen.threshold_nats
            )
            kept._guard.restore(part_of(state, "guard."))
            kept._receipts = Spread.from_state(part_of(state, "receipts."), RECEIPT_EDGES_S)
            kept._spreads = [
                Spread.from_state(part_of(state, f"spread{kind}."), OFFSET_EDGES_BPS)
                for kind in range(N_PRICE_KINDS)
            ]
            np.copyto(kept._since_reset, state["since_reset"], casting="safe")
            np.copyto(kept._next_vote_ns, state["next_vote_ns"], casting="safe")
            np.copyto(kept._counts, state["counts"], casting="safe")
            np.copyto(kept._gained, state["gained"], casting="safe")
            kept._changes = [
                EngineChange(
                    int(w[0]), _WHAT[int(w[1])], int(w[2]), float(r[0]), float(r[1]), float(r[2]), int(w[3])
                )
                for w, r in zip(state["changes_whole"], state["changes_real"], strict=True)
            ]
        return kept

    def _learn(self, block: NDArray[np.void]) -> list[EngineChange | SideTurn | Fact]:
        """Learn prints between two looks at the delay."""
        log_marks = block["log_marks"]
        offsets = (np.log(block["price_usd"]) - log_marks[:, self._delay.lag_index]) * 1e4
        foreign = np.abs(offsets) > self.settings.farthest_bps
        self._counts[1] += int(foreign.sum())
        offsets = np.where(foreign, np.nan, offsets)
        signs = block["side"].astype(np.float64)
        kinds, times = block["price_kind"].astype(np.int64), block["ts_event_ns"]
        found: list[tuple[int, EngineChange | SideTurn | Fact]] = []
        # Where the importer has turned a side, the feed printed the other one.
        printed = np.where(block["flags"] & Flag.SIDE_REPAIRED, -signs, signs)
        found += [
            (alarm.row, SideTurn(int(times[alarm.row]), alarm.verdict, alarm.log_odds_nats))
            for alarm in self._sides.apply(
                kinds, printed, offsets, block["move_bps"], times, block["mark_sd_bps"]
            )
        ]
        residuals, changes = self._filter(block, offsets)
        found += changes
        self._remember([change for _, change in changes if isinstance(change, EngineChange)])
        for kind in np.unique(kinds):
            self._spreads[kind].add((signs * offsets)[kinds == kind])
        stamped = (block["flags"] & Flag.RECEIVED_ASSUMED) == 0
        self._receipts.add(((block["ts_received_ns"] - times) / SECOND_NS)[stamped])
        # The residual at every lag, from the one at the lag in use and the move of the mark between them.
        lagged = residuals[:, None] + (log_marks[:, [self._delay.lag_index]] - log_marks) * 1e4
        lagged = np.where(block["is_fine"][:, None], signs[:, None] * lagged, np.nan)
        self._delay.push(lagged, block["speed_bps_s"])
        return [entry for _, entry in sorted(found, key=lambda pair: pair[0])]

    def _filter(
        self,
        block: NDArray[np.void],
        offsets: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], list[tuple[int, EngineChange | Fact]]]:
        """Run the offset filter and the test for changes; the filter is reset where one is found."""
        signs, kinds = block["side"].astype(np.float64), block["price_kind"].astype(np.int64)
        times, known_to = block["ts_event_ns"], block["mark_sd_bps"]
        is_vote = self._is_vote(kinds, times, block["mark_end_ns"])
        residuals = np.full(len(kinds), np.nan)
        changes: list[tuple[int, EngineChange | Fact]] = []
        start = 0
        while start < len(kinds):
            rest = slice(start, None)
            before = self._offset.state()
            residual, variance = self._offset.apply(
                kinds[rest], signs[rest], offsets[rest], times[rest], known_to[rest]
            )
            gains = self._gains(kinds[rest], signs[rest], residual, variance)
            gains[~is_vote[rest]] = np.nan
            alarm = self._test.apply(gains) if self.settings.is_one_venue else None
            residuals[rest] = residual
            known = kinds[rest] if alarm is None else kinds[start : start + alarm.row + 1]
            self._since_reset += np.bincount(known, minlength=N_PRICE_KINDS)
            now = slice(start, start + len(known))
            gains = self._score(
                kinds[now], signs[now], offsets[now], residual[: len(known)], variance[: len(known)]
            )
            told = self._guard.apply(np.where(is_vote[now], gains, np.nan), times[now])
            changes += [(start + row, fact) for row, fact in told]
            if alarm is None:
                break
            # The filter went on past the change: take it back to there.
            self._offset = OffsetFilter.from_state(before, self.prior.offsets, self.settings.offset)
            stop = start + alarm.row + 1
            part = slice(start, stop)
            self._offset.apply(kinds[part], signs[part], offsets[part], times[part], known_to[part])
            kind = PriceKind(alarm.alternative // len(self.settings.shifts_bps))
            shift = self.settings.shifts_bps[alarm.alternative % len(self.settings.shifts_bps)]
            anti = self._offset.mean_bps(kind)[1]
            if self._since_reset[kind] > self.settings.settle_events:
                change = EngineChange(
                    int(times[stop - 1]),
                    _WHAT[0],
                    int(kind),
                    anti,
                    anti + shift,
                    alarm.evidence_nats,
                    alarm.n_events,
                )
                changes.append((stop - 1, change))
                self._since_reset[kind] = 0
            self._offset.reset(kind)
            start = stop
        return residuals, changes

    def _is_vote(
        self, kinds: NDArray[np.int64], times_ns: NDArray[np.int64], ends_ns: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Which events count in the test: the first of its kind in each bar, and none soon after another."""
        votes = np.zeros(len(kinds), dtype=np.bool_)
        pause_ns = int(self.settings.pause_s * SECOND_NS)
        for i, (kind, time_ns, end_ns) in enumerate(zip(kinds, times_ns, ends_ns, strict=True)):
            # The next vote comes after the bar of this one, and after the pause.
            votes[i] = time_ns >= self._next_vote_ns[kind]
            if votes[i]:
                self._next_vote_ns[kind] = max(time_ns + pause_ns, end_ns)
        return votes

    def _score(
        self,
        kinds: NDArray[np.int64],
        signs: NDArray[np.float64],
        offsets: NDArray[np.float64],
        residual: NDArray[np.float64],
        variance: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Add how much better prints were foretold than by the static prior under the same noise, Student t, (n,).

        Print by print, so that sums do not depend on how prints are cut into blocks.
        """
        nu = self.settings.offset.degrees_of_freedom
        priors = np.array(
            [
                (p.sym_bps, p.anti_bps, p.sym_sd_bps**2 + p.anti_sd_bps**2)
                for p in self._offset.priors.values()
            ]
        )[kinds]
        away = offsets - priors[:, 0] - signs * priors[:, 1]
        wide = variance + priors[:, 2]
        learned = -0.5 * np.log(variance) - (nu + 1.0) / 2.0 * np.log1p(residual**2 / (nu * variance))
        static = -0.5 * np.log(wide) - (nu + 1.0) / 2.0 * np.log1p(away**2 / (nu * wide))
        gains: NDArray[np.float64] = learned - static
        for gain in gains[np.isfinite(residual)].tolist():
            self._gained += (gain, 1.0)
        return gains

    def _gains(
        self,
        kinds: NDArray[np.int64],
        signs: NDArray[np.float64],
        residual: NDArray[np.float64],
        variance: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Log likelihood of each shift of the offset minus that of none, per price kind, Student t, (n, K * A)."""
        nu = self.settings.offset.degrees_of_freedom
        moved = residual[:, None] - signs[:, None] * np.array(self.settings.shifts_bps)
        scale = (nu * variance)[:, None]
        gain = (nu + 1.0) / 2.0 * (np.log1p(residual[:, None] ** 2 / scale) - np.log1p(moved**2 / scale))
        gains = np.full((len(kinds), N_PRICE_KINDS, gain.shape[1]), np.nan)
        gains[np.arange(len(kinds)), kinds] = gain
        return np.minimum(gains.reshape(len(kinds), -1), self.settings.most_nats)

    def _remember(self, changes: list[EngineChange]) -> None:
        self._changes = (self._changes + changes)[-_KEPT_CHANGES:]

    def _delay_settings(self) -> DelaySettings:
        return msgspec.structs.replace(
            self.settings.delay, prior_s=self.prior.delay_s, prior_sd_s=self.prior.delay_sd_s
        )

    def _reporting_settings(self) -> ReportingSettings:
        return msgspec.structs.replace(
            self.settings.reporting,
            prior_log_mean=self.prior.share_log_mean,
            prior_log_sd=self.prior.share_log_sd,
        )
