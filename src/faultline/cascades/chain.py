"""A zone that is or would be hit in, the chain from there out; what came of chains in, a better chain next time out.

For every level 1..10: the probability of reaching it with an interval, what plain volatility says, the notional to
expect and the time, the forced flow needed to get there beside the flow to expect, and the local reproduction number.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import numpy as np
from scipy.special import expit, logit, ndtr

from faultline.cascades.delay import DelaySettings, HopDelay
from faultline.cascades.first_passage import hit_prob_given
from faultline.cascades.fraction import FractionLiquidated
from faultline.cascades.hazard import ChainHazard, HazardSettings
from faultline.cascades.impact import ImpactLaw, book_flow_usd
from faultline.cascades.levels import LEVELS_MAX, LevelSettings
from faultline.cascades.logistic import normal_draws
from faultline.cascades.positive import check_positive
from faultline.cascades.recalibration import Recalibration
from faultline.cascades.situation import FEATURES, features, passage_probs
from faultline.errors import StoreError
from faultline.states import part_of
from faultline.units import DAY_NS, SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from faultline.cascades.outcome import Outcome
    from faultline.cascades.situation import Situation

__all__ = ("FROZEN_NS", "GREY_BELOW", "CascadeLearner", "ChainForecast", "ChainSettings")

#: A depth from which fewer hops were seen than this is shown grey, with a wider interval.
GREY_BELOW: Final = 30
#: A learner that has learned until then learns nothing more.
FROZEN_NS: Final = 2**63 - 1
_WIDER_MAX: Final = 4.0
_TAILS: Final = np.array([0.025, 0.975])
_TIMES: Final = np.array([0.1, 0.5, 0.9])
_STATE_VERSION: Final = 3


class ChainSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the learner.

    Attributes:
        hazard: of the hazard.
        delay: of delays.
        levels: what counts as a level.
        half_life_ns: memory of recalibration, share liquidated and impact.
        draws: even number of draws behind every interval.
        seed: of the draws; the same for every forecast.
        reported_ratio: share of liquidations that the feeds report.
        reported_log_variance: how well its log is known.

    Raises:
        ValueError: a value is impossible; the message names it.
    """

    hazard: HazardSettings = HazardSettings()
    delay: DelaySettings = DelaySettings()
    levels: LevelSettings = LevelSettings()
    half_life_ns: int = 30 * DAY_NS
    draws: int = 200
    seed: int = 1
    reported_ratio: float = 1.0
    reported_log_variance: float = 0.09

    def __post_init__(self) -> None:
        check_positive("chains", self, ("half_life_ns", "draws", "reported_ratio"))
        rules = {
            "draws": self.draws % 2 == 0,
            "seed": self.seed >= 0,
            "reported_ratio": self.reported_ratio <= 1,
            "reported_log_variance": 0 <= self.reported_log_variance < math.inf,
        }
        for name, holds in rules.items():
            if not holds:
                raise ValueError(f"chains cannot have {name} = {getattr(self, name)!r}")


class ChainForecast(msgspec.Struct, frozen=True, kw_only=True):
    """The chain from one zone; tuples have one entry per level 1..n unless they say otherwise.

    Attributes:
        zone_id: zone at level 0.
        symbol: asset or instrument.
        side: 0 longs, 1 shorts.
        time_ns: when.
        tau_ns: time that each hop has.
        level_usd: prices.
        distance: log distances from the hit.
        mass_usd: heat of levels 0..n.
        prob: P(level is reached | zone is hit), each hop within ``tau_ns``.
        lo: lower end of the 95 % interval of ``prob``.
        hi: upper end.
        passage_prob: the same where only plain volatility moves price.
        excess_prob: ``prob - passage_prob``.
        expected_usd: notional to expect: share liquidated times heat of the level times ``prob``; levels 0..n.
        released_usd: forced flow to expect by the time that the level before is through, given it is reached.
        needed_usd: forced flow that moves price to the level, by the law or the book, whichever asks for more; a book
            that ends before asks for all that is seen of it.
        needed_from: which of them that is: ``law`` or ``book``.
        book_usd: what stands in the order book up to the level; None where none is known or it is shorter.
        book: instruments whose order books the flow was walked through; none where no book is known.
        book_age_s: time since the last row of the oldest of them; None where there is none.
        depth_ratio: depth of the books over what is usual; None where unknown.
        funding_z: standard deviations by which the side pays more than usual; None where unknown.
        hop_delay_s: 10, 50 and 90 % quantile of the time of one hop that happens in time.
        delay_s: the same from the hit to each level, given it is reached; n triples.
        reproduction: mean reproduction number over the stretch of levels 0..n.
        n_observations: hops seen from the level before, faded.
        is_grey: fewer than 30 of them: do not lean on it.
        raw_prob: ``prob`` before recalibration.
        is_frozen: whether nothing is learned of chains any more.
    """

    zone_id: str
    symbol: str
    side: int
    time_ns: int
    tau_ns: int
    level_usd: tuple[float, ...]
    distance: tuple[float, ...]
    mass_usd: tuple[float, ...]
    prob: tuple[float, ...]
    lo: tuple[float, ...]
    hi: tuple[float, ...]
    passage_prob: tuple[float, ...]
    excess_prob: tuple[float, ...]
    expected_usd: tuple[float, ...]
    released_usd: tuple[float, ...]
    needed_usd: tuple[float, ...]
    needed_from: tuple[Literal["law", "book"], ...]
    hop_delay_s: tuple[float, ...]
    delay_s: tuple[tuple[float, ...], ...]
    reproduction: tuple[float, ...]
    n_observations: tuple[float, ...]
    is_grey: tuple[bool, ...]
    raw_prob: tuple[float, ...]
    is_frozen: bool = False
    book_usd: tuple[float | None, ...]
    book: tuple[str, ...]
    book_age_s: float | None
    depth_ratio: float | None
    funding_z: float | None


class CascadeLearner:
    """Everything that is learned about chains. Symbols share one learner; outcomes come in the order of their ends."""

    def __init__(self, settings: ChainSettings | None = None) -> None:
        self.settings = settings or ChainSettings()
        memory = self.settings.half_life_ns
        self.hazard = ChainHazard(self.settings.hazard)
        self.recalibration = Recalibration(memory)
        self.fraction = self._unknown_fraction()
        self.delay = HopDelay(self.settings.delay)
        self.impact = ImpactLaw(memory)
        #: What was over by then teaches nothing: it was learned before, or nothing is to be learned.
        self.learned_ns = -1
        cuts = np.cumsum([len(FEATURES) + 1, LEVELS_MAX + 2, LEVELS_MAX, 1])
        normals = normal_draws(self.settings.draws, int(cuts[-1]), self.settings.seed)
        self._weight_normals, self._mass_normals, self._delay_normals, self._surprises, _ = np.split(
            normals, cuts, axis=1
        )

    def tau_ns(self) -> int:
        """Time to give each hop of a chain that begins now."""
        return self.delay.tau_ns()

    def raw_probs(self, situation: Situation) -> NDArray[np.float64]:
        """P(level is reached) of levels 1..n before recalibration: the mean over the belief about the weights."""
        rows = features(situation, passage_probs(situation), np.asarray(situation.levels.mass_usd))
        drawn = self.hazard.hazard_draws(situation.symbol, rows, self._weight_normals)
        return np.asarray(np.cumprod(drawn, axis=1).mean(axis=0))

    def forecast(self, situation: Situation) -> ChainForecast:
        """The chain from a zone."""
        levels, n = situation.levels, situation.levels.n
        mass = np.asarray(levels.mass_usd, dtype=np.float64)
        passage = passage_probs(situation)
        raw = self.raw_probs(situation)
        prob = self.recalibration.map(raw)
        seen = self.hazard.observations(situation.time_ns)[:n]
        lo, hi = self._interval(situation, prob, seen)
        share = self.fraction.mean
        flow = share * np.cumsum(mass)
        alone = np.cumprod(passage)
        hop, cumulative = self._delays(situation, n)
        needed, eaten, book_usd = self._needed_usd(situation)
        return ChainForecast(
            zone_id=situation.id,
            symbol=situation.symbol,
            side=levels.side,
            time_ns=situation.time_ns,
            tau_ns=situation.tau_ns,
            level_usd=levels.prices_usd(),
            distance=levels.distance,
            mass_usd=levels.mass_usd,
            prob=_tuple(prob),
            lo=_tuple(lo),
            hi=_tuple(hi),
            passage_prob=_tuple(alone),
            excess_prob=_tuple(prob - alone),
            expected_usd=_tuple(share * mass * np.concatenate([[1.0], prob])),
            released_usd=_tuple(flow[:n]),
            needed_usd=_tuple(np.maximum(needed, eaten)),
            needed_from=tuple("book" if booked else "law" for booked in eaten > needed),
            book_usd=book_usd,
            hop_delay_s=_tuple(hop),
            delay_s=tuple(_tuple(row) for row in cumulative),
            reproduction=_tuple(self._reproduction(situation, flow)),
            n_observations=_tuple(seen),
            is_grey=tuple(bool(count < GREY_BELOW) for count in seen),
            raw_prob=_tuple(raw),
            is_frozen=self.learned_ns >= FROZEN_NS,
            book=() if situation.book is None else situation.book.instruments,
            book_age_s=None if situation.book is None else situation.book.age_s,
            depth_ratio=situation.depth_ratio,
            funding_z=situation.funding_z,
        )

    def apply(self, outcome: Outcome) -> None:
        """Learn from a chain that is over."""
        situation, time_ns = outcome.situation, outcome.end_ns
        if time_ns <= self.learned_ns:
            return
        rows = features(situation, passage_probs(situation), np.asarray(situation.levels.mass_usd))
        reached, resolved = outcome.reached, outcome.resolved
        known = reached if outcome.is_cut else situation.levels.n
        depth = np.arange(1, known + 1)
        said = np.asarray(outcome.said, dtype=np.float64)
        self.recalibration.apply(time_ns, said[:known], (depth <= reached).astype(np.float64))
        if outcome.waited_s is not None:
            chance = float(self.hazard.hazards(situation.symbol, rows)[reached])
            self.delay.apply_unseen(time_ns, outcome.waited_s, chance)
        happened = (np.arange(resolved) < reached).astype(np.float64)
        self.hazard.apply(time_ns, situation.symbol, rows[:resolved], happened)
        for delay_s in outcome.delay_s:
            self.delay.apply(time_ns, delay_s)
        self._learn_flow(outcome)

    def _unknown_fraction(self) -> FractionLiquidated:
        """What is believed of the share liquidated before anything was swept."""
        chosen = self.settings
        return FractionLiquidated(chosen.half_life_ns, chosen.reported_ratio, chosen.reported_log_variance)

    def _learn_flow(self, outcome: Outcome) -> None:
        """Learn the law of impact from the last level reached."""
        situation, passed = outcome.situation, outcome.reached
        flow_usd = sum(outcome.level_usd[:passed]) / self.settings.reported_ratio
        if flow_usd > 0:
            self.impact.apply(
                outcome.end_ns,
                flow_usd,
                situation.levels.distance[passed - 1],
                situation.moves.sigma_day,
                situation.volume_day_usd,
            )

    def _interval(
        self,
        situation: Situation,
        prob: NDArray[np.float64],
        seen: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """95 % interval over the belief about weights, heat and variance, wider where few hops were seen."""
        n = situation.levels.n
        if n == 0:
            return np.zeros(0), np.zeros(0)
        # Half of the error of heat is common to all levels of a hit (its scale), half is each level's own.
        normals = (self._mass_normals[:, :1] + self._mass_normals[:, 1 : n + 2]) / np.sqrt(2.0)
        spread = np.exp(situation.mass_log_sd * normals)
        moves, hops = situation.moves, situation.levels.increments()
        passage = hit_prob_given(hops, situation.tau_ns, moves, self._surprises)
        rows = features(situation, passage, np.asarray(situation.levels.mass_usd) * spread)
        hazards = self.hazard.hazard_draws(situation.symbol, rows, self._weight_normals)
        drawn = self.recalibration.map(np.cumprod(hazards, axis=1))
        ends = logit(np.clip(np.quantile(drawn, _TAILS, axis=0), 1e-9, 1 - 1e-9))
        middle = logit(np.clip(prob, 1e-9, 1 - 1e-9))
        wider = np.clip(np.sqrt(GREY_BELOW / np.maximum(seen, 1e-9)), 1.0, _WIDER_MAX)
        lo = expit(middle + wider * np.minimum(ends[0] - middle, 0.0))
        hi = expit(middle + wider * np.maximum(ends[1] - middle, 0.0))
        return np.minimum(lo, prob), np.maximum(hi, prob)

    def _delays(self, situation: Situation, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Quantiles of one hop and from the hit to each level, given that each hop happens in its time."""
        inside = self.delay.share_within(situation.tau_ns / SECOND_NS)
        hop = self.delay.quantiles_s(_TIMES * inside)
        uniform = np.clip(ndtr(self._delay_normals[:, :n]) * inside, 1e-9, None)
        total = np.cumsum(self.delay.quantiles_s(uniform), axis=1)
        return hop, np.quantile(total, _TIMES, axis=0).T

    def _needed_usd(
        self, situation: Situation
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[float | None, ...]]:
        """Forced flow that moves price to each level: by the law, and what is eaten of the book, as far as it is seen.

        The last is what stands in the book up to each level, None where it is not known.
        """
        distance = np.asarray(situation.levels.distance, dtype=np.float64)
        needed = self.impact.law.flow_usd(distance, situation.moves.sigma_day, situation.volume_day_usd)
        if situation.book is None or not situation.book.usd:
            return needed, np.zeros(len(distance)), (None,) * len(distance)
        walked = book_flow_usd(situation.book, distance)
        # Beyond its end all that is seen of a book is eaten, and more.
        eaten = np.where(np.isnan(walked), sum(situation.book.usd), walked)
        return needed, eaten, tuple(None if math.isnan(usd) else usd for usd in walked.tolist())

    def _reproduction(self, situation: Situation, flow: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean R over the stretch of each level 0..n; NaN where a stretch has no width."""
        moved = self.impact.law.of(
            np.concatenate([[0.0], flow]), situation.moves.sigma_day, situation.volume_day_usd
        )
        width = np.diff(np.asarray(situation.levels.edges))
        out = np.full(len(width), np.nan)
        np.divide(np.diff(moved), width, out=out, where=width > 0)
        return out

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays."""
        out: dict[str, NDArray[Any]] = {"version": np.array([_STATE_VERSION], dtype=np.int64)}
        parts = {
            "hazard": self.hazard.state(),
            "recalibration": self.recalibration.state(),
            "fraction": self.fraction.state(),
            "delay": self.delay.state(),
            "impact": self.impact.state(),
        }
        for name, part in parts.items():
            out |= {f"{name}|{key}": value for key, value in part.items()}
        return out

    @classmethod
    def from_state(cls, settings: ChainSettings, state: Mapping[str, NDArray[Any]]) -> CascadeLearner:
        """A learner that goes on where ``state()`` was taken.

        Raises:
            StoreError: the state was written by another version.
        """
        if int(state["version"][0]) != _STATE_VERSION:
            message = f"state of cascades has version {int(state['version'][0])}, expected {_STATE_VERSION}"
            raise StoreError(message, where="cascades", hint="start without it: it is learned again")
        learner = cls(settings)
        memory = settings.half_life_ns
        learner.hazard = ChainHazard.from_state(settings.hazard, part_of(state, "hazard|"))
        learner.recalibration = Recalibration.from_state(memory, part_of(state, "recalibration|"))
        learner.fraction.restore(part_of(state, "fraction|"))
        learner.delay = HopDelay.from_state(settings.delay, part_of(state, "delay|"))
        learner.impact = ImpactLaw.from_state(memory, part_of(state, "impact|"))
        return learner


def _tuple(values: NDArray[Any]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
