"""Path bars and liquidations of one asset in, the leverage mixes that its maps are drawn with from then on out.

Every feed of liquidations has a learner of its own; a feed that mixes several venues is explained by the path of the
asset's reference. What is served pools the learned mix with the assumed one by discounted log score: of the feed's
own events, then of the events of all feeds under the asset's map (``pipeline.map_trial``). Rates move once a minute
of the tape, so an event changes the next column that closes on a whole minute. Which mix speaks (the bank's, the
incumbent's, the prior's) and how wide its band is are settled at whole hours, so the result does not depend on how
the tape is cut into steps.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.heatmap.ledger import PATH_BAR
from faultline.learning.bank import Hypothesis, star_bank
from faultline.learning.calibrator.published import reporting_of
from faultline.learning.leverage import LeverageLearner
from faultline.learning.pool import FLOOR, LEARNING_RATE
from faultline.learning.reporting import EVENT, Reporting
from faultline.pipeline.given_mixes import GivenMixes
from faultline.pipeline.map_trial import MapTrial
from faultline.states import part_of
from faultline.units import HOUR_NS, MINUTE_NS, SECOND_NS, Side

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from faultline.heatmap.ledger import LedgerParameters
    from faultline.learning.constants import LearnerSettings
    from faultline.learning.posterior import LearnedWindows
    from faultline.learning.prior import MixPrior
    from faultline.pipeline.instrument_state import InstrumentState
    from faultline.pipeline.step import LocatedEvents

__all__ = ("FeedLearner", "LearnedMixes", "MarketLearner", "ServedMixes")

#: Silence of a feed after which it is taken to be down rather than quiet...
_SILENCE_NS: Final = 45 * MINUTE_NS
#: ...or this many of its usual intervals, where those are longer.
_SILENCE_INTERVALS: Final = 12.0
#: Length of bars from which on the path between two reports of a venue is not known.
_COARSE_NS: Final = 10 * SECOND_NS
#: Schemes under which the order of price and events inside a minute says nothing.
_ORDERLESS: Final = frozenset({"all", "batched", "none"})
#: Recorded hours after which a difference of scores counts half.
_MEMORY_H: Final = 24.0
#: Weight below which members are not told apart.
_WEIGHT_MIN: Final = 1e-200
#: Deviations of the mean log leverage between the map and the ends of its band.
_BAND_DEVIATIONS: Final = 1.96


class LearnedMixes(msgspec.Struct, frozen=True):
    """What was learned of some whole minutes, and holds from their ends on.

    Attributes:
        from_ns: int64 (n,).
        learned: float64 (n, L): the bank's mix.
        trust: float64 (n,): its weight beside the prior's mix, by the feed's own events.
        share: float64 (n,): how much of it is data rather than prior.
        spread: float64 (n,): how well its mean log leverage is known.
        speaks: bool (n,): whether it is to be served: enough was learned, and it beats the prior.
        heard: int64 (n, 4): times of the first and the last event, minutes taught, and events heard by then.
    """

    from_ns: Any
    learned: Any
    trust: Any
    share: Any
    spread: Any
    speaks: Any
    heard: Any

    @classmethod
    def joined(cls, parts: Sequence[LearnedMixes]) -> LearnedMixes:
        """Parts one after another; at least one."""
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in cls.__struct_fields__))

    def between(self, begin: int, end: int) -> LearnedMixes:
        """Those with an index in [begin, end)."""
        return LearnedMixes(*(getattr(self, name)[begin:end] for name in self.__struct_fields__))


class ServedMixes(msgspec.Struct, frozen=True):
    """Mixes to serve from some whole minutes on.

    Attributes:
        from_ns: int64 (n,).
        mixes: float64 (n, 3, L): the mix and the two ends of its band.
        rivals: float64 (n, 2, L): the prior's mix, and the learned one pooled by the feed's own events alone.
        share: float64 (n,), how much of the mix is data rather than prior.
        speaks: bool (n,), whether it is to be served.
    """

    from_ns: Any
    mixes: Any
    rivals: Any
    share: Any
    speaks: Any


class FeedLearner:
    """Learns from one feed of liquidations.

    Args:
        feed_id: where the liquidations come from.
        path_id: instrument whose path explains them.
        kernel: margins and lifetimes of the incumbent hypothesis.
        reporting: what the feed publishes.
        settings: constants of the learner.
        prior: where it starts; by default lognormal around 50x.
    """

    def __init__(
        self,
        feed_id: str,
        path_id: str,
        kernel: LedgerParameters,
        reporting: Reporting,
        settings: LearnerSettings,
        prior: MixPrior | None = None,
    ) -> None:
        self.feed_id, self.path_id, self.kernel = feed_id, path_id, kernel
        bank = star_bank(Hypothesis(kernel=kernel))
        self.learner = LeverageLearner(reporting, bank, prior, settings)
        # The map's ledger has the incumbent's kernel: shares learned under another do not fit it.
        first = self.learner.bank[0]
        self._alike = np.array(
            [
                member.kernel == first.kernel and member.deposit_exponent == first.deposit_exponent
                for member in self.learner.bank
            ]
        )
        #: Whether enough was learned for its mix to be served, and it has not fallen back.
        self.speaks = False
        #: How much of the mix is data rather than prior.
        self.share = 0.0
        self.events = 0.0
        self.expected = 0.0
        #: Weight of the maps drawn with what is learned beside those drawn with the prior's mixes.
        self.map_trust = 1.0
        #: Windows learned since they were last taken.
        self.learned: list[LearnedWindows] = []
        #: Log score of the learned mix over the static prior's, all windows counted whole.
        self.gained_nats = 0.0
        self._spread = 0.0
        #: The same, faded: what trust goes by.
        self._advantage = 0.0
        self._bars = np.zeros(0, dtype=PATH_BAR)
        self._events = np.zeros(0, dtype=EVENT)
        #: Times of the first and the last event, minutes taught, and events heard.
        self._heard = np.zeros(4, dtype=np.int64)
        #: The same by the last minute that was served.
        self._known = np.zeros(4, dtype=np.int64)
        #: What was learned and is not served yet.
        self._coming: list[LearnedMixes] = []
        self._hour = -1
        self._from_ns = 0
        self._ended_ns = 0

    def apply(self, bars: NDArray[np.void], events: NDArray[np.void], upto_ns: int) -> None:
        """Take in bars and events (``learning.reporting.EVENT``) received until ``upto_ns``; learn whole minutes."""
        if not self._from_ns:
            if not len(events):
                return
            # From the next whole minute on: of the present one some bars may have gone by.
            self._from_ns = (int(events["time_ns"][0]) // MINUTE_NS + 1) * MINUTE_NS
        events = events[events["time_ns"] >= self._from_ns]
        bars = bars[bars["end_ns"] > self._from_ns]
        self._bars = np.concatenate([self._bars, _without_overlap(bars, self._ended_ns)])
        self._ended_ns = max(self._ended_ns, int(bars["end_ns"][-1])) if len(bars) else self._ended_ns
        self._events = np.concatenate([self._events, events])
        last = upto_ns // MINUTE_NS * MINUTE_NS
        while len(self._bars) and int(self._bars["start_ns"][0]) < last:
            hour = int(self._bars["start_ns"][0]) // HOUR_NS
            if hour != self._hour:
                self._settle()
                self._hour = hour
            self._coming.append(self._learn_until(min(last, (hour + 1) * HOUR_NS)))

    def due(self, upto_ns: int) -> ServedMixes | None:
        """Mixes to serve from times until ``upto_ns`` on and not given before, pooled by the trust there is now."""
        if not self._coming or int(self._coming[0].from_ns[0]) > upto_ns:
            return None
        found = LearnedMixes.joined(self._coming)
        cut = int(np.searchsorted(found.from_ns, upto_ns, side="right"))
        rest, found = found.between(cut, len(found.from_ns)), found.between(0, cut)
        self._coming = [rest] if len(rest.from_ns) else []
        self._known = found.heard[-1]
        alone = self._pooled(found.learned, found.trust)
        return ServedMixes(
            from_ns=found.from_ns,
            mixes=self._mixes(found.learned, found.trust * self.map_trust, found.spread),
            rivals=np.stack([np.broadcast_to(self.learner.prior.mix, alone.shape), alone], axis=1),
            share=found.trust * self.map_trust * found.share,
            speaks=found.speaks,
        )

    def _learn_until(self, end_ns: int) -> LearnedMixes:
        """Learn the whole minutes that end by ``end_ns``, all of one hour."""
        n_bars = int(np.searchsorted(self._bars["end_ns"], end_ns, side="right"))
        bars, self._bars = self._bars[:n_bars], self._bars[n_bars:]
        n_events = int(np.searchsorted(self._events["time_ns"], end_ns))
        events, self._events = self._events[:n_events], self._events[n_events:]
        starts = np.unique(bars["start_ns"] // MINUTE_NS) * MINUTE_NS
        taught, heard = self._taught(starts, events["time_ns"])
        if self.learner.reporting.scheme in _ORDERLESS:
            bars = _by_minute(bars)
        learned = self.learner.learn(bars, events, taught)
        self.learned.append(learned)
        self.events += float(learned.observed.sum())
        self.expected += float(learned.expected[taught].sum())
        theta = np.concatenate([learned.theta[1:], self.learner.theta[None]])
        weights = np.concatenate([learned.weights[1:], self.learner.weights[None]])
        trust = self._trust(learned, taught)
        return LearnedMixes(
            from_ns=starts + MINUTE_NS,
            learned=self._bank_mix(theta, weights),
            trust=trust,
            share=np.full(len(starts), self.share),
            spread=np.full(len(starts), self._spread),
            speaks=np.full(len(starts), self.speaks),
            heard=heard,
        )

    def _trust(self, learned: LearnedWindows, taught: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Weight of the learned mix beside the assumed one after each window, by discounted log score, shape (W,)."""
        out = np.zeros(len(taught))
        scores = learned.member_log_likelihood[:, self._alike]
        top = scores.max(axis=1)
        mixed = top + np.log((self._served(learned.weights) * np.exp(scores - top[:, None])).sum(axis=1))
        gains = np.where(taught, mixed - learned.prior_log_likelihood, 0.0)
        fades = np.where(taught, 0.5 ** (MINUTE_NS / HOUR_NS / _MEMORY_H), 1.0)
        for w in range(len(taught)):
            self.gained_nats += float(gains[w])
            self._advantage = self._advantage * float(fades[w]) + float(gains[w])
            out[w] = _trust_of(self._advantage)
        return out

    def served_now(self) -> tuple[NDArray[np.float64], float]:
        """The mix that holds now with the two ends of its band, shape (3, L), and how much of it is data."""
        theta, weights = self.learner.theta[None], self.learner.weights[None]
        trust = np.array([self.map_trust * _trust_of(self._advantage)])
        mixes = self._mixes(self._bank_mix(theta, weights), trust, np.array([self._spread]))
        return mixes[0], float(trust[0]) * self.share

    def _served(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weights (n, m) of the members whose kernel the map has, from those of all (n, M); rows sum to 1."""
        alike = np.maximum(weights[:, self._alike], _WEIGHT_MIN)
        shares: NDArray[np.float64] = alike / alike.sum(axis=1, keepdims=True)
        return shares

    def _taught(
        self, starts: NDArray[np.int64], times_ns: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Whether the feed was up in each minute: after its first event, and not silent for far too long.

        Also what was heard by the end of each minute, shape (W, 4), as in ``LearnedMixes``.
        """
        out = np.zeros(len(starts), dtype=np.bool_)
        heard = np.zeros((len(starts), 4), dtype=np.int64)
        place = np.searchsorted(times_ns, starts + MINUTE_NS)
        first, last, minutes, seen = (int(value) for value in self._heard)
        for w, start in enumerate(starts.tolist()):
            if place[w]:
                first, last = first or int(times_ns[0]), int(times_ns[place[w] - 1])
            usual_ns = minutes * MINUTE_NS / max(seen + int(place[w]), 1)
            up = first > 0 and start + MINUTE_NS - last <= max(_SILENCE_NS, _SILENCE_INTERVALS * usual_ns)
            out[w] = up
            minutes += int(up)
            heard[w] = first, last, minutes, seen + int(place[w])
        self._heard[:] = first, last, minutes, seen + len(times_ns)
        return out, heard

    def _settle(self) -> None:
        """Settle which mix speaks and how wide its band is, before the first minute of an hour is learned."""
        belief = self.learner.posterior()
        self.speaks = belief.basis == "bank"
        self.share = float(belief.mix @ belief.iota) if self.speaks else 0.0
        self._spread = belief.log_leverage_sd

    def _bank_mix(self, theta: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Learned mix, shape (n, L), from rates (n, M, L + 1) and weights (n, M) of the bank's members."""
        theta, weights = theta[:, self._alike, :-1], self._served(weights)
        shares = theta / theta.sum(axis=2, keepdims=True)
        # Products of matrices round by their size; these sums do not, whatever the number of minutes.
        mix: NDArray[np.float64] = (weights[:, :, None] * shares).sum(axis=1)
        return mix

    def _pooled(self, learned: NDArray[np.float64], trust: NDArray[np.float64]) -> NDArray[np.float64]:
        """Learned mixes (n, L) with their trust (n,) beside the prior's, shape (n, L)."""
        pooled: NDArray[np.float64] = (
            trust[:, None] * learned + (1.0 - trust[:, None]) * self.learner.prior.mix
        )
        return pooled

    def _mixes(
        self, learned: NDArray[np.float64], trust: NDArray[np.float64], spread: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Mix and the ends of its band, shape (n, 3, L).

        Args:
            learned: learned mixes, shape (n, L).
            trust: their weights beside the prior's mix, shape (n,).
            spread: how well the mean log leverage is known, shape (n,).
        """
        mix = self._pooled(learned, trust)
        log_leverage = np.log(np.asarray(self.learner.leverages))
        tilted = [_tilted(mix, log_leverage, way * _BAND_DEVIATIONS * spread) for way in (-1.0, 1.0)]
        return np.stack([mix, *tilted], axis=1)

    def is_up(self, now_ns: int) -> bool:
        """Whether the feed is taken to be up: it was heard of, and has not been silent for far too long.

        By what was heard by the last minute that was served.
        """
        first, last, minutes, seen = (int(value) for value in self._known)
        usual_ns = minutes * MINUTE_NS / max(seen, 1)
        return first > 0 and now_ns - last <= max(_SILENCE_NS, _SILENCE_INTERVALS * usual_ns)

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays, once everything learned was served."""
        out = {f"learner.{key}": value for key, value in self.learner.state().items()}
        out["bars"], out["events"] = self._bars.copy(), self._events.copy()
        out["heard"] = np.stack([self._heard, self._known])
        head = {
            "feed": self.feed_id,
            "path": self.path_id,
            "reporting": msgspec.to_builtins(self.learner.reporting),
        }
        out["head"] = np.frombuffer(msgspec.json.encode(head), dtype=np.uint8)
        out["numbers"] = np.array(
            [
                self.events,
                self.expected,
                self.speaks,
                self.share,
                self._spread,
                self._advantage,
                self.gained_nats,
            ]
        )
        out["times"] = np.array([self._hour, self._from_ns, self._ended_ns], dtype=np.int64)
        return out

    @classmethod
    def from_state(
        cls,
        kernels: Mapping[str, LedgerParameters],
        settings: LearnerSettings,
        state: Mapping[str, NDArray[Any]],
    ) -> FeedLearner:
        """A learner that goes on where ``state()`` was taken; ``kernels`` are those of the instruments."""
        head = msgspec.json.decode(state["head"].tobytes())
        kernel = kernels[head["path"]]
        reporting = msgspec.convert(head["reporting"], Reporting)
        feed = cls(head["feed"], head["path"], kernel, reporting, settings)
        feed.learner = LeverageLearner.from_state(
            part_of(state, "learner."), feed.learner.reporting, feed.learner.bank, settings
        )
        feed._bars, feed._events = state["bars"].copy(), state["events"].copy()
        feed._heard, feed._known = state["heard"].copy()
        numbers = state["numbers"].tolist()
        feed.events, feed.expected, speaks, feed.share, feed._spread = numbers[:5]
        feed._advantage, feed.gained_nats = numbers[5:]
        feed.speaks = bool(speaks)
        feed._hour, feed._from_ns, feed._ended_ns = state["times"].tolist()
        return feed


class MarketLearner:
    """Learns from every feed of an asset and lets the instruments serve what was learned.

    Args:
        reporting: what venues publish, by slug, where it is not what their documentation says; everything where that
            says nothing.
        settings: constants of the learners.
        given: mixes of feeds that are served as they are, and those that feeds start from.
    """

    def __init__(
        self, reporting: Mapping[str, Reporting], settings: LearnerSettings, given: GivenMixes | None = None
    ) -> None:
        self._reporting, self._settings, self._given = reporting, settings, given or GivenMixes()
        self.feeds: dict[str, FeedLearner] = {}
        self._trial = MapTrial()

    def apply(
        self, items: Sequence[InstrumentState], reference_id: str, events: LocatedEvents, upto_ns: int
    ) -> None:
        """Learn until ``upto_ns``, no farther than to the next whole hour; ``serve`` follows as time goes on.

        Args:
            items: instruments with a path, their bars until then not yet applied.
            reference_id: the instrument whose path explains feeds that have none.
            events: liquidations received since the last call.
            upto_ns: last moment learned.
        """
        if not (self.feeds or len(events.received_ns)):
            return
        paths = {item.instrument_id: item for item in items}
        ids, first = np.unique(events.instrument, return_index=True)
        for feed_id, index in zip(ids.tolist(), first.tolist(), strict=True):
            path_id = feed_id if feed_id in paths else reference_id
            if feed_id not in self.feeds and path_id in paths and not self._given.is_fixed(feed_id):
                reporting = reporting_of(feed_id, int(events.received_ns[index]), self._reporting)
                if reporting is None or _is_coarse(paths[path_id].ready(upto_ns)):
                    reporting = Reporting()
                kernel, prior = paths[path_id].parameters, self._given.prior_of(feed_id)
                self.feeds[feed_id] = FeedLearner(feed_id, path_id, kernel, reporting, self._settings, prior)
                self.feeds[feed_id].map_trust = self._trial.trust
        for feed_id, feed in sorted(self.feeds.items()):
            if feed.path_id in paths:
                feed.apply(paths[feed.path_id].ready(upto_ns), _rows_of(events, feed_id), upto_ns)

    def serve(self, items: Sequence[InstrumentState], upto_ns: int) -> None:
        """Let every instrument hold the mixes that hold by ``upto_ns``: all once learning stands there."""
        found = {feed_id: feed.due(upto_ns) for feed_id, feed in sorted(self.feeds.items())}
        due = {feed_id: mixes for feed_id, mixes in found.items() if mixes is not None}
        for item in items:
            if self._given.served_by(item.instrument_id) is None:
                self._serve(item, due)

    def watch(self, path: NDArray[np.void], events: LocatedEvents) -> None:
        """Note how the asset's price went (``market.path.PATH_ROW``) and which liquidations came, for the trial."""
        self._trial.apply(path, events)

    def judge(self, items: Sequence[InstrumentState], time_ns: int) -> None:
        """Settle how far the learned maps are trusted, by what came of those that stood until ``time_ns``."""
        teaches = any(feed.is_up(time_ns) for feed in self.feeds.values())
        maps = []
        for item in items:
            fixed = self._given.served_by(item.instrument_id) is not None
            maps.append((item, item.served.now[[0, 0]] if fixed else item.served.rivals))
        self._trial.close(time_ns, maps, teaches=teaches)
        for feed in self.feeds.values():
            feed.map_trust = self._trial.trust

    def up_ids(self, now_ns: int) -> frozenset[str]:
        """Feeds that are taken to be up."""
        return frozenset(feed_id for feed_id, feed in self.feeds.items() if feed.is_up(now_ns))

    def take(self) -> list[tuple[str, LearnedWindows]]:
        """Windows learned since the last call, with their feed; feed by feed, in order of time."""
        taken = [(feed_id, part) for feed_id, feed in sorted(self.feeds.items()) for part in feed.learned]
        for feed in self.feeds.values():
            feed.learned = []
        return taken

    def _serve(self, item: InstrumentState, learned: Mapping[str, ServedMixes]) -> None:
        """Let an instrument hold its own feed's mixes where they speak, else those of the feeds without a path."""
        own = [item.instrument_id] if item.instrument_id in learned else []
        shared = [iid for iid, feed in self.feeds.items() if iid in learned and feed.path_id != iid]
        sources = [learned[iid] for iid in own + shared]
        if not sources:
            return
        times = np.concatenate([source.from_ns for source in sources])
        speaks = np.concatenate([source.speaks for source in sources])
        mixes = np.concatenate([source.mixes for source in sources])
        rivals = np.concatenate([source.rivals for source in sources])
        share = np.concatenate([source.share for source in sources])
        rank = np.repeat(np.arange(len(sources)), [len(source.from_ns) for source in sources])
        order = np.lexsort((rank, ~speaks, times))
        chosen = order[np.diff(times[order], prepend=-1) != 0]
        mixes[~speaks] = item.served.assumed
        rivals[~speaks] = item.served.assumed[0]
        share[~speaks] = 0.0
        if not speaks[chosen].any() and not item.served.is_learned:
            return
        item.served.hold(times[chosen], mixes[chosen], share[chosen])
        item.served.rivals = rivals[chosen[-1]]

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays."""
        head = msgspec.json.encode(list(self.feeds))
        out: dict[str, NDArray[Any]] = {"feeds": np.frombuffer(head, dtype=np.uint8)}
        for feed_id, feed in self.feeds.items():
            out.update({f"{feed_id}/{key}": value for key, value in feed.state().items()})
        out.update({f"trial/{key}": value for key, value in self._trial.state().items()})
        return out

    @classmethod
    def from_state(
        cls,
        reporting: Mapping[str, Reporting],
        settings: LearnerSettings,
        kernels: Mapping[str, LedgerParameters],
        state: Mapping[str, NDArray[Any]],
        given: GivenMixes | None = None,
    ) -> MarketLearner:
        """A learner that goes on where ``state()`` was taken; ``kernels`` are those of the instruments."""
        market = cls(reporting, settings, given)
        for feed_id in msgspec.json.decode(state["feeds"].tobytes()):
            market.feeds[feed_id] = FeedLearner.from_state(kernels, settings, part_of(state, f"{feed_id}/"))
        market._trial = MapTrial.from_state(part_of(state, "trial/"))
        for feed in market.feeds.values():
            feed.map_trust = market._trial.trust
        return market


def _trust_of(advantage_nats: float) -> float:
    """Weight of the learned mix beside the assumed one."""
    odds = math.exp(-min(max(LEARNING_RATE * advantage_nats, -50.0), 50.0))
    return FLOOR + (1.0 - 2.0 * FLOOR) / (1.0 + odds)


def _is_coarse(bars: NDArray[np.void]) -> bool:
    """Whether bars are too long to tell what the path did between two reports of a venue.

    Which report of a minute came last then says nothing, and reading them as all there were scores better.
    """
    return bool(len(bars)) and float(np.median(bars["end_ns"] - bars["start_ns"])) > _COARSE_NS


def _rows_of(events: LocatedEvents, feed_id: str) -> NDArray[np.void]:
    """Events of one feed as rows of ``learning.reporting.EVENT``, at the time they were received."""
    mine = events.instrument == feed_id
    rows = np.zeros(int(np.count_nonzero(mine)), dtype=EVENT)
    rows["time_ns"], rows["count"] = events.received_ns[mine], 1.0
    rows["side"] = events.side[mine] == Side.SHORT
    rows["trigger_usd"], rows["notional_usd"] = events.trigger_usd[mine], events.notional_usd[mine]
    return rows


def _without_overlap(bars: NDArray[np.void], ended_ns: int) -> NDArray[np.void]:
    """Bars that follow each other, each inside one minute.

    What is known by its endpoints alone may reach back over better bars: bars with one end become one, and a bar begins
    no earlier than the one before ended, nor than the minute in which it ends.
    """
    out = _merged(bars, bars["end_ns"])
    ends = out["end_ns"]
    before = np.append(ended_ns, ends[:-1])
    out["start_ns"] = np.maximum(np.maximum(out["start_ns"], before), (ends - 1) // MINUTE_NS * MINUTE_NS)
    return out[ends > before]


def _by_minute(bars: NDArray[np.void]) -> NDArray[np.void]:
    """One bar per minute of bars that lie inside minutes each."""
    return _merged(bars, bars["start_ns"] // MINUTE_NS)


def _merged(bars: NDArray[np.void], key: NDArray[np.int64]) -> NDArray[np.void]:
    """Bars with one key as one: from the first start to the last close, over all prices, with all units."""
    if not len(bars):
        return bars.copy()
    first = np.flatnonzero(np.diff(key, prepend=key[0] - 1))
    out = bars[np.append(first[1:], len(bars)) - 1]
    out["start_ns"] = np.minimum.reduceat(bars["start_ns"], first)
    out["low_usd"] = np.fmin.reduceat(bars["low_usd"], first)
    out["high_usd"] = np.fmax.reduceat(bars["high_usd"], first)
    for name in ("units_long", "units_short"):
        out[name] = np.add.reduceat(np.nan_to_num(bars[name]), first)
    rows: NDArray[np.void] = out
    return rows


def _tilted(
    mix: NDArray[np.float64], log_leverage: NDArray[np.float64], shift: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mixes (n, L) tilted by a power of leverage so that the mean log leverage moves by about ``shift`` (n,)."""
    mean = (mix * log_leverage).sum(axis=1)
    variance = (mix * log_leverage**2).sum(axis=1) - mean**2
    power = shift / np.maximum(variance, 1e-6)
    tilted = mix * np.exp(power[:, None] * (log_leverage - mean[:, None]))
    ratio: NDArray[np.float64] = tilted / tilted.sum(axis=1, keepdims=True)
    return ratio
