"""Zone hits, path bars and liquidations in, chains that are over and what happened to episodes out.

At a hit the levels are frozen. From level ``j`` the next one has ``tau`` to be reached; a chain stops at the first
level that is not, so each hop is at risk once. While a chain of a side is open further hits of that side belong to it
and are counted, not followed: observations never overlap. Everything happens bar by bar, so it does not matter how bars
are cut into calls. Add what belongs to a bar (its hits, and the liquidations received by its end) before the bar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.cascades.episodes import (
    START_QUANTILE,
    START_RATIO,
    Episode,
    EpisodeChange,
    ExcessTally,
    OpenEpisode,
)
from faultline.cascades.outcome import Outcome
from faultline.cascades.situation import Situation, passage_probs
from faultline.cascades.sweeps import FORCED
from faultline.errors import RequestError, StoreError
from faultline.states import part_of
from faultline.units import DAY_NS, MINUTE_NS, SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from faultline.cascades.chain import CascadeLearner

__all__ = ("GAP_NS", "CascadeCollector")

#: A pause of the path longer than this cuts open chains.
GAP_NS: Final = 10 * MINUTE_NS
_EXCESS_HALF_LIFE_NS: Final = 7 * DAY_NS
_STATE_VERSION: Final = 1


class _Chain(msgspec.Struct):
    """One open chain."""

    situation: Situation
    said: tuple[float, ...]
    episode: OpenEpisode
    from_ns: int
    level_usd: list[float]
    #: When the level last reached was reached: the end of its bar, and the middle of it.
    since_ns: int
    middle_ns: int
    reached: int = 0
    delay_s: list[float] = []
    #: Races of the hops so far, and that of the open one.
    races: list[int] = []
    race: int = 0
    is_tied: bool = False
    liquidated_usd: float = 0.0
    deleveraging: bool = False


class _Head(msgspec.Struct):
    version: int
    open: dict[str, _Chain]
    waiting: list[Situation]
    end_ns: int
    counts: dict[str, int]
    adl_ns: list[int]


class CascadeCollector:
    """Follows the chains of one symbol; one writer, no locks.

    Args:
        learner: forecasts at the hit and is taught when a chain is over, in the order of time.
    """

    def __init__(self, learner: CascadeLearner) -> None:
        self.learner = learner
        self.tally = ExcessTally(_EXCESS_HALF_LIFE_NS)
        #: Hits followed, hits inside an open chain, hits without a level beyond, chains cut by a gap.
        self.counts = {"followed": 0, "overlapping": 0, "without_levels": 0, "cut": 0, "late": 0}
        self._open: dict[str, _Chain] = {}
        self._waiting: list[Situation] = []
        self._forced = np.zeros(0, dtype=FORCED)
        self._adl_ns: list[int] = []
        self._end_ns = 0
        self._outcomes: list[Outcome] = []
        self._changes: list[EpisodeChange] = []

    def add_hit(self, situation: Situation) -> None:
        """A zone was hit in the bar that ends at ``situation.time_ns``; its ``tau_ns`` is set when the bar comes."""
        if situation.time_ns <= self._end_ns:
            self.counts["late"] += 1
            return
        self._waiting.append(situation)

    def add_liquidations(self, forced: NDArray[np.void]) -> None:
        """Liquidations (``FORCED``) in any order; what is older than the last bar's start is not looked at."""
        self._forced = np.concatenate([self._forced, forced])

    def add_deleveraging(self, time_ns: int) -> None:
        """Positions of winners were closed at that moment: what chains show of the share liquidated is censored."""
        self._adl_ns.append(time_ns)

    def apply_path(self, path: NDArray[np.void]) -> None:
        """Walk bars (``market.path.PATH_ROW``) in the order of their ends.

        Raises:
            RequestError: bars are not in order, or go back.
        """
        ends = path["end_ns"]
        if len(path) and (int(ends[0]) < self._end_ns or np.any(np.diff(ends) < 0)):
            message = f"bars go back behind {self._end_ns} ns"
            raise RequestError(message, where="path", hint="apply bars once, in the order of their ends")
        self._waiting.sort(key=lambda situation: (situation.time_ns, situation.id))
        for k, end in enumerate(ends.tolist()):
            if not self._open and not self._waiting:
                # Nothing is followed: the rest only moves time.
                self._due(int(ends[-1]))
                self._adl_ns = [time_ns for time_ns in self._adl_ns if time_ns > int(ends[-1])]
                self._end_ns = int(ends[-1])
                return
            bar = path[k]
            self._take_bar(int(bar["start_ns"]), end, float(bar["low_usd"]), float(bar["high_usd"]))

    def take(self) -> tuple[list[Outcome], list[EpisodeChange]]:
        """Chains that ended and what happened to episodes since the last call."""
        out = self._outcomes, self._changes
        self._outcomes, self._changes = [], []
        return out

    def open_chains(self) -> list[tuple[Situation, int]]:
        """Situations of the chains that are open, with the levels reached."""
        return [(chain.situation, chain.reached) for _, chain in sorted(self._open.items())]

    def _take_bar(self, start: int, end: int, low: float, high: float) -> None:
        for key in sorted(self._open):
            if start - self._end_ns > GAP_NS:
                self._finish(key, self._end_ns, is_cut=True)
        # A hit whose bar never came belongs to a gap.
        self._waiting = [item for item in self._waiting if item.time_ns > self._end_ns]
        forced = self._due(end)
        adl = any(time_ns <= end for time_ns in self._adl_ns)
        self._adl_ns = [time_ns for time_ns in self._adl_ns if time_ns > end]
        for key in sorted(self._open):
            self._follow(key, start, end, low, high, forced)
        while self._waiting and self._waiting[0].time_ns <= end:
            situation = self._waiting.pop(0)
            self._begin(situation, start, end, low, high, forced)
        if adl:
            for chain in self._open.values():
                chain.deleveraging = True
        self._end_ns = end

    def _due(self, end: int) -> NDArray[np.void]:
        """Liquidations up to a moment, in the order of time; they are not kept."""
        if not len(self._forced):
            return self._forced
        due = self._forced["time_ns"] <= end
        taken, self._forced = self._forced[due], self._forced[~due]
        return taken[np.argsort(taken["time_ns"], kind="stable")]

    def _begin(
        self, situation: Situation, start: int, end: int, low: float, high: float, forced: NDArray[np.void]
    ) -> None:
        key = str(situation.levels.side)
        if key in self._open:
            self.counts["overlapping"] += 1
            return
        if situation.levels.n == 0:
            self.counts["without_levels"] += 1
            return
        situation = msgspec.structs.replace(situation, tau_ns=self.learner.tau_ns())
        self.counts["followed"] += 1
        passage = tuple(passage_probs(situation).tolist())
        share = self.learner.fraction.mean
        least = float(self.learner.fraction.quantiles(np.array([START_QUANTILE]))[0])
        self._open[key] = _Chain(
            situation=situation,
            said=tuple(self.learner.raw_probs(situation).tolist()),
            episode=OpenEpisode(
                passage,
                tuple(share * usd for usd in situation.levels.mass_usd),
                START_RATIO * least * situation.levels.mass_usd[0],
            ),
            from_ns=start,
            level_usd=[0.0] * (situation.levels.n + 1),
            since_ns=end,
            middle_ns=(start + end) // 2,
            delay_s=[],
            races=[],
        )
        self._follow(key, start, end, low, high, forced)

    def _follow(
        self, key: str, start: int, end: int, low: float, high: float, forced: NDArray[np.void]
    ) -> None:
        """Walk one chain along one bar."""
        chain = self._open[key]
        levels, side = chain.situation.levels, chain.situation.levels.side
        if end > chain.since_ns + chain.situation.tau_ns:
            self._finish(key, end, is_cut=False)
            return
        self._count_forced(chain, forced)
        extreme, behind = (low, high) if side == 0 else (high, low)
        reach = levels.ahead_of(extreme) if extreme > 0 else -1.0
        if end > chain.since_ns and chain.race == 0 and behind > 0:
            here = levels.distance[chain.reached - 1] if chain.reached else 0.0
            hop = levels.distance[chain.reached] - here
            if levels.ahead_of(behind) <= here - hop:
                chain.race, chain.is_tied = -1, reach >= here + hop
        middle, length_s = (start + end) // 2, (end - start) / SECOND_NS
        while chain.reached < levels.n and reach >= levels.distance[chain.reached]:
            # Hops inside one bar are only known to be shorter than it.
            chain.delay_s.append(max((middle - chain.middle_ns) / SECOND_NS, length_s / 4.0, 1e-3))
            chain.races.append(0 if chain.is_tied else chain.race or 1)
            chain.race, chain.is_tied = 0, False
            chain.reached += 1
            chain.since_ns, chain.middle_ns = end, middle
        if chain.reached == levels.n:
            self._finish(key, end, is_cut=False)
        else:
            self._tell(chain, end, is_over=False)

    @staticmethod
    def _count_forced(chain: _Chain, forced: NDArray[np.void]) -> None:
        levels = chain.situation.levels
        mine = forced[(forced["side"] == levels.side) & (forced["time_ns"] >= chain.from_ns)]
        for price, usd in zip(mine["price_usd"].tolist(), mine["notional_usd"].tolist(), strict=True):
            chain.liquidated_usd += usd
            place = int(np.searchsorted(levels.edges, levels.ahead_of(price), side="right")) - 1
            if 0 <= place < len(chain.level_usd):
                chain.level_usd[place] += usd

    def _finish(self, key: str, end: int, *, is_cut: bool) -> None:
        chain = self._open.pop(key)
        situation, n = chain.situation, chain.situation.levels.n
        failed = chain.reached < n
        races = chain.races + [chain.race] * (failed and not is_cut)
        waited_ns = min(end - chain.since_ns, situation.tau_ns)
        outcome = Outcome(
            situation=situation,
            said=chain.said,
            reached=chain.reached,
            resolved=chain.reached + (failed and not is_cut),
            delay_s=tuple(chain.delay_s),
            waited_s=waited_ns / SECOND_NS if failed and waited_ns > 0 else None,
            is_cut=failed and is_cut,
            races=tuple(races),
            level_usd=tuple(chain.level_usd),
            liquidated_usd=chain.liquidated_usd,
            deleveraging=chain.deleveraging,
            end_ns=end,
        )
        self.counts["cut"] += outcome.is_cut
        self._tell(chain, end, is_over=True)
        self.tally.apply(end, np.asarray(chain.episode.passage[: outcome.resolved]), chain.reached, races)
        self.learner.apply(outcome)
        self._outcomes.append(outcome)

    def _tell(self, chain: _Chain, at_ns: int, *, is_over: bool) -> None:
        situation, episode = chain.situation, chain.episode
        for kind, depth in episode.kinds(chain.reached, chain.liquidated_usd, is_over=is_over):
            before = chain.said[depth - 1]
            state = Episode(
                id=f"{situation.id}-{situation.time_ns}",
                zone_id=situation.id,
                symbol=situation.symbol,
                side=situation.levels.side,
                hit_ns=situation.time_ns,
                at_ns=at_ns,
                depth=depth,
                n_levels=situation.levels.n,
                level_usd=situation.levels.prices_usd()[depth - 1],
                liquidated_usd=chain.liquidated_usd,
                expected_usd=sum(episode.expected_usd[:depth]),
                expected_depth=episode.expected_depth(),
                tail_prob=episode.tail_prob(depth),
                duration_s=(at_ns - situation.time_ns) / SECOND_NS,
                next_prob=chain.said[depth] / before if depth < situation.levels.n and before > 0 else None,
            )
            self._changes.append(EpisodeChange(kind, state))

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on but the learner, as flat arrays; what ``take`` would give is not part of it."""
        head = _Head(_STATE_VERSION, self._open, self._waiting, self._end_ns, self.counts, list(self._adl_ns))
        out = {
            "head": np.frombuffer(msgspec.json.encode(head), dtype=np.uint8),
            "forced": self._forced.copy(),
        }
        return out | {f"tally.{key}": value for key, value in self.tally.state().items()}

    @classmethod
    def from_state(cls, learner: CascadeLearner, state: Mapping[str, NDArray[Any]]) -> CascadeCollector:
        """A collector that goes on where ``state()`` was taken.

        Raises:
            StoreError: the state was written by another version.
        """
        head = msgspec.json.decode(state["head"].tobytes(), type=_Head)
        if head.version != _STATE_VERSION:
            message = f"state of a collector has version {head.version}, expected {_STATE_VERSION}"
            raise StoreError(message, where="cascades", hint="start without it: open chains are lost")
        collector = cls(learner)
        collector._open, collector._waiting, collector._end_ns = head.open, head.waiting, head.end_ns
        collector.counts, collector._adl_ns = head.counts, head.adl_ns
        collector._forced = state["forced"].copy()
        collector.tally = ExcessTally.from_state(_EXCESS_HALF_LIFE_NS, part_of(state, "tally."))
        return collector
