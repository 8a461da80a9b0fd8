"""Columns, hits, bars and liquidations of one asset in, chains of its zones, episodes and a record of both out.

Volatility has a memory of days, so it is fed two days before zones are followed; everything else begins there. Chains
are said anew with the accounts of zones, at whole quarters of an hour, and at a hit; in between the last ones hold.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.cascades.chain import CascadeLearner, ChainForecast, ChainSettings
from faultline.cascades.hazard import POOL_LIMIT_NATS
from faultline.cascades.recalibration import Recalibration
from faultline.cascades.reproduction import RowReproduction, row_reproduction
from faultline.cascades.stream import CascadeStream, Conditions, ZoneHit
from faultline.cascades.strip import DailyStrip
from faultline.cascades.sweeps import FORCED, Column
from faultline.heatmap.display import DisplayRows
from faultline.learning.history import Fact
from faultline.market.funding import FundingRates
from faultline.messages import Kind
from faultline.pipeline.asset_books import BOOK_WARM_NS, AssetBooks
from faultline.pipeline.cascade_record import CascadeRecord, strip_rows
from faultline.signals.announcing import is_notable
from faultline.signals.cascade_notices import cascade_notice
from faultline.signals.notices import learner_notice
from faultline.states import part_of
from faultline.units import DAY_NS, HOUR_NS, MINUTE_NS, Side

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from faultline.cascades.hazard import PoolTurn
    from faultline.learning.history import FactKind
    from faultline.pipeline.step import LocatedEvents
    from faultline.signals.notices import Notice
    from faultline.zones.zone import Zone, ZoneChange

__all__ = ("CascadeWatch",)

#: Volatility is learned this long before zones are followed.
_WARM_NS: Final = 2 * DAY_NS
#: A column older than this is not what stands there now.
_COLUMN_AGE_NS: Final = 10 * MINUTE_NS
#: Chains are said of at most so many zones a side, the nearest ones.
_ZONES_A_SIDE: Final = 6
#: Days of the strip that are shown.
_STRIP_DAYS: Final = 30
_HOURS_A_DAY: Final = 24.0


class _Head(msgspec.Struct):
    """What of a watch is neither an array nor the stream's."""

    asset: str
    follow_from_ns: int
    column: tuple[int, float, int, int] | None
    chains: dict[str, ChainForecast]
    asked: list[int]
    record: CascadeRecord


class CascadeWatch:
    """Chains and episodes on the map of one asset.

    Args:
        asset: e.g. ``BTC``.
        follow_from_ns: chains are followed from here on.
        settings: of the learner.
    """

    def __init__(self, asset: str, follow_from_ns: int, settings: ChainSettings | None = None) -> None:
        self.asset = asset
        self.follow_from_ns = follow_from_ns
        self.stream = CascadeStream(asset, CascadeLearner(settings))
        self.strip = DailyStrip()
        self.record = CascadeRecord()
        # A hit is judged by what was known when its bar began: none that is walked is longer than an hour.
        self.books = AssetBooks(follow_from_ns - BOOK_WARM_NS, follow_from_ns - HOUR_NS)
        self.funding = FundingRates()
        #: The last chain that was said of each zone, by its id.
        self.chains: dict[str, ChainForecast] = {}
        self._column: Column | None = None
        #: How probabilities were scaled when the chains that are open began, by the moment of the hit.
        self._asked: dict[int, Recalibration] = {}

    def resume(self, learner: CascadeLearner) -> None:
        """Go on with what was learned elsewhere; call before anything else."""
        self.stream = CascadeStream(self.asset, learner)

    def apply_liquidations(self, events: LocatedEvents) -> None:
        """Take in located liquidations, before the bars during which they were received."""
        venues = np.array([iid.partition(":")[0] for iid in events.instrument.tolist()])
        for venue in sorted(set(venues.tolist())):
            mine = venues == venue
            sides = (events.side[mine] == Side.SHORT).astype(np.int8)
            self.strip.apply_liquidations(venue, events.received_ns[mine], sides, events.notional_usd[mine])
        recent = events.received_ns > self.follow_from_ns
        if not recent.any():
            return
        forced = np.zeros(int(np.count_nonzero(recent)), dtype=FORCED)
        forced["time_ns"], forced["side"] = events.received_ns[recent], events.side[recent] == Side.SHORT
        forced["price_usd"], forced["notional_usd"] = events.trigger_usd[recent], events.notional_usd[recent]
        self.stream.add_liquidations(forced)

    def apply_interest(self, time_ns: int, oi_usd: Mapping[str, float]) -> None:
        """Take in the open interest of a side by instrument; a venue of which one is not known is passed over."""
        venues: dict[str, float] = {}
        for iid, usd in oi_usd.items():
            venue = iid.partition(":")[0]
            venues[venue] = venues.get(venue, 0.0) + usd
        for venue, usd in venues.items():
            self.strip.apply_interest(venue, np.array([time_ns]), np.array([usd]))

    def apply_funding(self, rows: Mapping[str, Mapping[Kind, NDArray[np.void]]]) -> None:
        """Take in funding rates, by instrument and kind of row."""
        for iid, kinds in rows.items():
            if Kind.FUNDING in kinds:
                self.funding.apply(iid, kinds[Kind.FUNDING])

    def conditions(self, time_ns: int, hourly_turnover_usd: float | None) -> Conditions:
        """What was known at a moment beside the map and the path."""
        books, depth_ratio = self.books.at(time_ns)
        return Conditions(
            volume_day_usd=None if hourly_turnover_usd is None else _HOURS_A_DAY * hourly_turnover_usd,
            books=books,
            depth_ratio=depth_ratio,
            funding_z=self.funding.score(time_ns),
        )

    def add_column(self, end_ns: int, rows: DisplayRows, usd: NDArray[np.float32]) -> None:
        """Take in a closed column, shape (2, P), before the bars that follow it."""
        if end_ns >= self.follow_from_ns:
            self._column = Column(end_ns, rows, usd.copy())
            self.stream.add_columns([self._column])

    def apply_path(
        self, path: NDArray[np.void], hits: Sequence[ZoneChange], hourly_turnover_usd: float | None
    ) -> list[Notice]:
        """Walk bars of the reference.

        Args:
            path: bars since the last call (``market.path.PATH_ROW``).
            hits: zones that they hit, in the order of time.
            hourly_turnover_usd: notional that is usually traded in an hour; None where unknown.

        Returns:
            What is to be told of episodes.
        """
        ends = path["end_ns"]
        first, begin = np.searchsorted(ends, (self.follow_from_ns - _WARM_NS, self.follow_from_ns), "right")
        self.stream.volatility.apply(ends[first:begin], path["close_usd"][first:begin])
        for hit in hits:
            # Known is what was known before the bar that made the hit.
            start_ns = int(path["start_ns"][np.searchsorted(ends, hit.at_ns, "left")])
            known = self.conditions(start_ns, hourly_turnover_usd)
            self.stream.add_hits([ZoneHit(hit.at_ns, hit.zone, known)])
        self.record.n_hits += len(hits)
        told: list[Notice] = []
        for at_ns in sorted({hit.at_ns for hit in hits}):
            bar, after = np.searchsorted(ends, at_ns, "left"), np.searchsorted(ends, at_ns, "right")
            told += self._walk(path[begin:bar])
            learner = self.stream.learner
            memory = learner.settings.half_life_ns
            self._asked[at_ns] = Recalibration.from_state(memory, learner.recalibration.state())
            told += self._walk(path[bar:after])
            self._say(at_ns)
            begin = after
        return told + self._walk(path[begin:])

    def forecast(self, zones: Sequence[Zone], time_ns: int, hourly_turnover_usd: float | None) -> None:
        """Say the chains of the zones that are worth it: loaded or notable, and the nearest of a side."""
        column, self.chains = self._column, {}
        if column is None or time_ns - column.end_ns > _COLUMN_AGE_NS:
            return
        chosen = []
        for side in ("LONG", "SHORT"):
            mine = [zone for zone in zones if zone.side == side and is_notable(zone)]
            chosen += sorted(mine, key=_distance)[:_ZONES_A_SIDE]
        found = self.stream.forecasts(chosen, column, time_ns, self.conditions(time_ns, hourly_turnover_usd))
        self.chains = {forecast.zone_id: forecast for forecast in found}

    def reproduction(
        self,
        edges_usd: NDArray[np.float64],
        usd: NDArray[np.float64],
        price_usd: float,
        hourly_turnover_usd: float | None,
    ) -> RowReproduction | None:
        """R of every row of the asset's map; None before volatility and volume are known."""
        moves = self.stream.volatility.volatility()
        if moves is None or hourly_turnover_usd is None or not price_usd > 0:
            return None
        return row_reproduction(
            edges_usd,
            usd,
            price_usd,
            self.stream.learner,
            sigma_day=moves.sigma_day,
            volume_day_usd=_HOURS_A_DAY * hourly_turnover_usd,
        )

    def report(self) -> dict[str, Any]:
        """How chains went and how well they were foretold (``CascadeRecord.report``), and the strip of days."""
        days = self.strip.days(0, 2**63 - 1)
        return {**self.record.report(), "strip": strip_rows(days)[-_STRIP_DAYS:]}

    def _walk(self, path: NDArray[np.void]) -> list[Notice]:
        """Walk bars between which no zone is hit."""
        if not len(path):
            return []
        self.stream.apply_path(path)
        outcomes, changes = self.stream.collector.take()
        for outcome in outcomes:
            scaling = self._asked[outcome.situation.time_ns]
            self.record.apply_outcome(outcome, scaling.map(np.asarray(outcome.said)))
        for change in changes:
            self.record.apply_change(change)
        if outcomes:
            self._forget()
        turns = self.stream.learner.hazard.take_turns()
        told = [cascade_notice(self.asset, change) for change in changes]
        return told + [learner_notice(self.asset, "chains", self.asset, _fact(turn)) for turn in turns]

    def _say(self, at_ns: int) -> None:
        """Say the chain that a hit began."""
        for situation, _ in self.stream.collector.open_chains():
            if situation.time_ns == at_ns:
                self.chains[situation.id] = self.stream.learner.forecast(situation)
        self._forget()

    def _forget(self) -> None:
        """Forget how probabilities were scaled at hits that no open chain began with."""
        began = {situation.time_ns for situation, _ in self.stream.collector.open_chains()}
        self._asked = {at_ns: scaling for at_ns, scaling in self._asked.items() if at_ns in began}

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays."""
        column = self._column
        head = _Head(
            asset=self.asset,
            follow_from_ns=self.follow_from_ns,
            column=None
            if column is None
            else (column.end_ns, column.rows.row_usd, column.rows.first_row, column.rows.n_rows),
            chains=self.chains,
            asked=list(self._asked),
            record=self.record,
        )
        # Not JSON: a reproduction number may be NaN.
        out: dict[str, NDArray[Any]] = {"head": np.frombuffer(msgspec.msgpack.encode(head), dtype=np.uint8)}
        if column is not None:
            out["column"] = np.array(column.usd)
        parts: dict[str, Any] = {
            "stream": self.stream,
            "learner": self.stream.learner,
            "strip": self.strip,
            "books": self.books,
            "funding": self.funding,
        }
        parts |= {f"asked.{at_ns}": scaling for at_ns, scaling in self._asked.items()}
        for name, part in parts.items():
            out |= {f"{name}/{key}": value for key, value in part.state().items()}
        return out

    @classmethod
    def from_state(
        cls, state: Mapping[str, NDArray[Any]], settings: ChainSettings | None = None
    ) -> CascadeWatch:
        """A watch that goes on where ``state()`` was taken, under the same settings."""
        head = msgspec.msgpack.decode(state["head"].tobytes(), type=_Head)
        watch = cls(head.asset, head.follow_from_ns, settings)
        chain = settings or ChainSettings()
        learner = CascadeLearner.from_state(chain, part_of(state, "learner/"))
        watch.stream = CascadeStream.from_state(learner, part_of(state, "stream/"))
        watch.strip = DailyStrip.from_state(part_of(state, "strip/"))
        watch.books = AssetBooks.from_state(part_of(state, "books/"))
        watch.funding = FundingRates.from_state(part_of(state, "funding/"))
        watch.record, watch.chains = head.record, head.chains
        watch._asked = {
            at_ns: Recalibration.from_state(chain.half_life_ns, part_of(state, f"asked.{at_ns}/"))
            for at_ns in head.asked
        }
        if head.column is not None:
            end_ns, row_usd, first_row, n_rows = head.column
            watch._column = Column(end_ns, DisplayRows(row_usd, first_row, n_rows), state["column"].copy())
        return watch


def _fact(turn: PoolTurn) -> Fact:
    kind: FactKind = "fallback" if turn.is_behind else "restored"
    return Fact(kind, turn.time_ns, turn.balance_nats, POOL_LIMIT_NATS)


def _distance(zone: Zone) -> float:
    return math.inf if zone.distance_ratio is None else abs(zone.distance_ratio)
