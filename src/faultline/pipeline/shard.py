"""One asset in, its state out: every instrument of the asset, the display rows, the columns and the forecast chain."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.heatmap.columns import ColumnSeries
from faultline.heatmap.display import RowChooser
from faultline.heatmap.forecast import ForecastChain
from faultline.pipeline.calibrate import MarketCalibrator
from faultline.pipeline.instrument_state import InstrumentState
from faultline.pipeline.learn import MarketLearner
from faultline.pipeline.restored import give_calibrators, give_chains, hold_chains
from faultline.pipeline.watch import MarketWatch
from faultline.states import part_of
from faultline.units import HOUR_NS, TIMEFRAMES_NS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from faultline.instruments import Instrument
    from faultline.messages import Batch
    from faultline.pipeline.parameters import PipelineParameters
    from faultline.zones.parameters import ZoneParameters

__all__ = ("ARCHIVE_VENUES", "Shard")

#: Slugs of archives that mix several venues: their liquidations count, but nothing can be opened there.
ARCHIVE_VENUES: Final = frozenset({"mixed", "mixed-total"})

#: Open interest that is older is not that of now.
_STALE_NS: Final = 2 * HOUR_NS


class Shard:
    """State of one asset. ``reached_ns``: every bar that ended and every message received by then is in it.

    Args:
        asset: e.g. ``BTC``.
        instruments: contracts of this asset by id, as far as they are known at the start.
        parameters: settings of the map.
    """

    def __init__(
        self, asset: str, instruments: Mapping[str, Instrument], parameters: PipelineParameters, start_ns: int
    ) -> None:
        self.asset = asset
        self.parameters = parameters
        self.mixes = parameters.mixes()
        self.mix_draws = parameters.mix_draws()
        self.params_sha256 = parameters.sha256()
        self.contracts = {iid: item for iid, item in instruments.items() if item.asset == asset}
        self.reached_ns = start_ns
        #: Inside a step learning runs ahead to the next whole hour; what was learned is served in its time.
        self.learned_ns = start_ns
        self.members: dict[str, InstrumentState] = {}
        self.reference_id = ""
        self.rows = RowChooser()
        self.chain = ForecastChain()
        self.series: dict[str, dict[str, ColumnSeries]] = {}
        self.draw_from_ns: dict[str, int] = dict.fromkeys(TIMEFRAMES_NS, start_ns)
        #: Keep each instrument's past, so that a cell of an earlier column can be explained.
        self.keeps_history = False
        #: Draw the smooth plane too; it follows from the synthetic one and only eyes need it.
        self.draws_smooth = False
        #: Follows zones and gives notices, where somebody wants them.
        self.watch: MarketWatch | None = None
        #: Learns the leverage mix of every instrument; None where the assumed one is served.
        self.learner: MarketLearner | None = None
        if parameters.learns:
            self.learner = MarketLearner(parameters.reporting, parameters.learner, parameters.given)
        #: Learns what the venues do to their liquidations before they are printed; None where nobody asks.
        self.calibrator: MarketCalibrator | None = None
        if parameters.calibrates:
            self.calibrator = MarketCalibrator(self.contracts, ARCHIVE_VENUES, parameters.reporting)
        #: What a parameter file knows of the asset.
        self.given = parameters.given.of_asset(asset)
        if self.calibrator is not None:
            give_calibrators(self.calibrator, self.given)
        self.steps = 0
        self.messages = 0

    def member(self, instrument_id: str) -> InstrumentState:
        """State of an instrument, made when it is first heard of."""
        if instrument_id not in self.members:
            settings = msgspec.structs.replace(
                self.parameters.ledger, maintenance_ratio=self.maintenance_ratio(instrument_id)
            )
            item = self.members[instrument_id] = InstrumentState(instrument_id, settings, self.mixes)
            fixed = self.parameters.given.served_by(instrument_id)
            if fixed is not None:
                item.served.hold(np.array([0]), fixed.mixes()[None], np.array([fixed.data_ratio]))
        return self.members[instrument_id]

    def maintenance_ratio(self, instrument_id: str) -> float:
        """First-tier maintenance ratio of an instrument; that of the asset's lowest where it has no contract."""
        contract = self.contracts.get(instrument_id)
        if contract is not None:
            return contract.tiers[0].maintenance_ratio
        known = [item.tiers[0].maintenance_ratio for item in self.contracts.values()]
        return min(known, default=self.parameters.default_maintenance_ratio)

    def with_path(self) -> list[InstrumentState]:
        """Instruments that have a price, in the order of their ids."""
        items = [self.members[iid] for iid in sorted(self.members)]
        return [item for item in items if item.has_path and item.venue not in ARCHIVE_VENUES]

    def priced(self, scope: str) -> list[InstrumentState]:
        """Instruments of a scope that have a ledger and a price, in the order of their ids."""
        ids = self.scopes().get(scope, [])
        return [
            item for item in self.with_path() if item.instrument_id in ids and math.isfinite(item.price_usd)
        ]

    def choose_reference(self) -> InstrumentState | None:
        """The instrument whose price is the asset's: the one with the most open interest."""
        candidates = [item for item in self.with_path() if math.isfinite(item.price_usd)]
        if not candidates:
            return None

        def interest(item: InstrumentState) -> float:
            now = np.array([self.reached_ns])
            usd = float(item.open_interest_usd(now, np.array([item.price_usd]))[0])
            return usd if math.isfinite(usd) else 0.0

        best = max(candidates, key=interest)
        self.reference_id = best.instrument_id
        return best

    def published_usd(self, time_ns: int) -> dict[str, float]:
        """Open interest of a side by instrument, of those that published it in the last two hours."""
        known = [item for item in self.with_path() if time_ns - item.interest.as_of_ns <= _STALE_NS]
        now = np.array([time_ns])
        usd = {
            item.instrument_id: float(item.interest.usd_at(now, np.array([item.price_usd]))[0])
            for item in known
        }
        return {iid: value for iid, value in usd.items() if math.isfinite(value)}

    @property
    def price_usd(self) -> float:
        """Price of the reference instrument; NaN before the first."""
        reference = self.members.get(self.reference_id)
        return reference.price_usd if reference else math.nan

    def scopes(self) -> dict[str, list[str]]:
        """Scopes that have a map, with the instruments each is made of: the asset and each instrument."""
        ids = sorted(self.members)
        priced = [item.instrument_id for item in self.with_path()]
        return {self.asset: ids} | {iid: [iid] for iid in priced}

    def own_scopes(self) -> dict[str, list[str]]:
        """Scopes with an estimate of their own: an asset with prices from one instrument has that instrument's."""
        priced = {item.instrument_id for item in self.with_path()}
        own: dict[str, list[str]] = {}
        for scope, ids in self.scopes().items():
            members = [iid for iid in ids if iid in priced]
            if members and members not in own.values():
                own[scope] = members
        return own

    def price_of(self, scope: str) -> float:
        """Price of a scope: the reference instrument's for the asset, else its own; NaN before the first."""
        if scope == self.asset:
            return self.price_usd
        return self.members[scope].price_usd if scope in self.members else math.nan

    def watch_from(self, parameters: ZoneParameters, from_ns: int) -> None:
        """Follow zones and give notices from ``from_ns`` on; call before the first step."""
        self.watch = MarketWatch(self.asset, parameters, from_ns, self.parameters.chains)
        give_chains(self.watch.cascades, self.given, self.parameters.chains)

    def take_books(self, batches: Iterable[Batch], to_ns: int) -> None:
        """Take in order books up to a moment, which may lie ahead of the shard: so they can come in short pieces.

        Nothing is kept where nobody watches.

        Args:
            batches: every row of ``BOOK_KINDS`` received before ``to_ns`` that was not given yet; others may be among
                them, and are passed over as those that were given before are.
            to_ns: end of them, exclusive.
        """
        if self.watch is not None:
            self.watch.cascades.books.apply(batches, to_ns, self.contracts)

    def series_of(self, scope: str) -> dict[str, ColumnSeries]:
        """Column series of a scope, by timeframe."""
        if scope not in self.series:
            self.series[scope] = {
                tf: ColumnSeries(tf, length, self.draw_from_ns[tf]) for tf, length in TIMEFRAMES_NS.items()
            }
        return self.series[scope]

    def draw_from(self, from_ns: Mapping[str, int]) -> None:
        """Draw only columns that end at or after ``from_ns[timeframe]``; call before the first step."""
        self.draw_from_ns.update(from_ns)

    def state(self) -> dict[str, NDArray[Any]]:
        """State without columns and history, as flat arrays: what a checkpoint holds."""
        head = {
            "asset": self.asset,
            "params_sha256": self.params_sha256,
            "reached_ns": self.reached_ns,
            "reference_id": self.reference_id,
            "chain_head": self.chain.head_sha256,
            "chain_count": self.chain.count,
            "steps": self.steps,
            "messages": self.messages,
            "members": list(self.members),
            "contracts": [msgspec.to_builtins(item) for item in self.contracts.values()],
        }
        out: dict[str, NDArray[Any]] = {"head": np.frombuffer(msgspec.json.encode(head), dtype=np.uint8)}
        out.update({f"rows.{key}": value for key, value in self.rows.state().items()})
        for iid, item in self.members.items():
            out.update({f"{iid}/{key}": value for key, value in item.state().items()})
        if self.learner is not None:
            out.update({f"learner.{key}": value for key, value in self.learner.state().items()})
        if self.calibrator is not None:
            out.update({f"calibrator.{key}": value for key, value in self.calibrator.state().items()})
        if self.watch is not None:
            out.update({f"watch.{key}": value for key, value in self.watch.state().items()})
        return out

    @classmethod
    def from_state(
        cls,
        state: Mapping[str, NDArray[Any]],
        contracts: Iterable[Instrument],
        parameters: PipelineParameters,
    ) -> Shard:
        """A shard that goes on where ``state()`` was taken, under the same parameters."""
        head = msgspec.json.decode(state["head"].tobytes())
        shard = cls(head["asset"], {item.id: item for item in contracts}, parameters, head["reached_ns"])
        shard.reference_id = head["reference_id"]
        shard.chain = ForecastChain(head["chain_head"], head["chain_count"])
        shard.steps, shard.messages = head["steps"], head["messages"]
        shard.rows = RowChooser.from_state(part_of(state, "rows."))
        for iid in head["members"]:
            settings = shard.member(iid).parameters
            shard.members[iid] = InstrumentState.from_state(iid, settings, part_of(state, f"{iid}/"))
        if shard.learner is not None:
            kernels = {iid: item.parameters for iid, item in shard.members.items()}
            shard.learner = MarketLearner.from_state(
                parameters.reporting,
                parameters.learner,
                kernels,
                part_of(state, "learner."),
                parameters.given,
            )
        if shard.calibrator is not None:
            frozen, fixed_ids = shard.calibrator.frozen, shard.calibrator.fixed_ids
            shard.calibrator = MarketCalibrator.from_state(
                shard.contracts, ARCHIVE_VENUES, part_of(state, "calibrator."), parameters.reporting
            )
            shard.calibrator.frozen, shard.calibrator.fixed_ids = frozen, fixed_ids
        if "watch.head" in state:
            ledgers = {iid: item.parameters for iid, item in shard.members.items()}
            shard.watch = MarketWatch.from_state(
                parameters.zones, ledgers, part_of(state, "watch."), parameters.chains
            )
            hold_chains(shard.watch.cascades, shard.given)
        return shard
