"""A world, a seed and a start time in, batches of messages and the truth behind them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from faultline.messages import Batch, merge_batches
from faultline.simulator.asset_market import AssetMarket
from faultline.simulator.emission import Channel
from faultline.simulator.truth import Table, TruthLog, positions_table
from faultline.units import MINUTE_NS, SECOND_NS

if TYPE_CHECKING:
    from faultline.simulator.schema import World

__all__ = ("Simulation",)


class Simulation:
    """A simulated market that is advanced in time.

    The rows received in ``[a, b)`` are the same whatever calls of ``advance`` led to ``b``, and the same for
    the same world, seed and start. The warm-up runs in the constructor.

    Args:
        world: what is simulated.
        seed: seed of every random stream; equal seeds share numbers even where worlds differ.
        start_ns: first time at which rows are emitted.
        keeps_truth: record the truth; ``False`` for markets that run without end.
    """

    def __init__(self, world: World, seed: int, start_ns: int, *, keeps_truth: bool = True) -> None:
        self.world = world
        self.seed = seed
        self.start_ns = int(start_ns)
        grid_ns = self.start_ns // MINUTE_NS * MINUTE_NS
        self._markets = [AssetMarket(world, asset, seed, grid_ns) for asset in world.assets]
        self._channels = [
            [Channel(world, asset, row, self.start_ns, seed) for row in range(len(world.venues))]
            for asset in world.assets
        ]
        self._logs = [TruthLog(market) for market in self._markets] if keeps_truth else []
        self._twins: list[AssetMarket] = []
        if keeps_truth and world.truth_counterfactual:
            unforced = msgspec.structs.replace(world, contagion=False)
            self._twins = [AssetMarket(unforced, asset, seed, grid_ns) for asset in world.assets]
        self._taken_ns = self.start_ns
        for log in self._logs:
            log.snapshot(standing=world.truth_map_every_s > 0, positions=world.truth_positions_every_s > 0)

    @property
    def now_ns(self) -> int:
        """Time before which every row has been emitted."""
        return self._taken_ns

    @property
    def instrument_ids(self) -> tuple[str, ...]:
        """Ids of every instrument, by asset then venue."""
        return tuple(channel.id for channels in self._channels for channel in channels)

    def advance(self, to_ns: int) -> list[Batch]:
        """Rows received since the last call and before ``to_ns``: one sorted batch per kind and instrument.

        Raises:
            ValueError: ``to_ns`` lies before the last call's; time does not run backwards.
        """
        if to_ns < self._taken_ns:
            raise ValueError(f"the simulation stands at {self._taken_ns} and cannot go back to {to_ns}")
        while (stop_ns := self._next_stop_ns(int(to_ns))) is not None:
            self._run(stop_ns)
        self._taken_ns = int(to_ns)
        return merge_batches(
            batch for channels in self._channels for channel in channels for batch in channel.take(int(to_ns))
        )

    def positions(self) -> dict[str, Table]:
        """Open positions of each asset as of the last simulated step."""
        return {market.asset.base: positions_table(market) for market in self._markets}

    def truth(self) -> dict[str, Table]:
        """The truth so far, over all assets.

        Tables: ``liquidations`` (every one, published or not), ``opens`` (true leverage mix), ``standing``
        (true maps), ``path`` (price with and without forced impact), and where the world asks for them ``positions``,
        ``odds`` (of reaching each distance) and ``winners`` (closed by auto-deleveraging).

        Raises:
            ValueError: the simulation was made with ``keeps_truth=False``.
        """
        if not self._logs:
            raise ValueError("this simulation keeps no truth: make it with keeps_truth=True")
        found: dict[str, list[Table]] = {}
        for log in self._logs:
            for name, table in log.tables().items():
                found.setdefault(name, []).append(table)
        return {
            name: {column: np.concatenate([table[column] for table in tables]) for column in tables[0]}
            for name, tables in found.items()
        }

    def _next_stop_ns(self, to_ns: int) -> int | None:
        """Next time to simulate to: a snapshot boundary or ``to_ns``; None where everything before it is
        simulated.
        """
        now_ns = self._markets[0].now_ns
        if now_ns >= to_ns:
            return None
        stops = [to_ns]
        wanted_s = self._wanted_s() if self._logs else ()
        for every_ns in (every_s * SECOND_NS for every_s in wanted_s if every_s):
            stops += [(now_ns // every_ns + 1) * every_ns]
        return min(stops)

    def _wanted_s(self) -> tuple[int, int, int]:
        """Seconds between standing maps, position tables and odds."""
        world = self.world
        return (world.truth_map_every_s, world.truth_positions_every_s, world.truth_odds_every_s)

    def _run(self, stop_ns: int) -> None:
        for row, twin in enumerate(self._twins):
            self._logs[row].add_twin(twin.run(stop_ns))
        for row, market in enumerate(self._markets):
            happenings = market.run(stop_ns)
            published = [channel.add(happenings, market.now_ns) for channel in self._channels[row]]
            if self._logs:
                self._logs[row].add(happenings)
                for ids in published:
                    self._logs[row].add_published(ids)
                self._snapshot(self._logs[row], market.now_ns)

    def _snapshot(self, log: TruthLog, now_ns: int) -> None:
        due = [every_s > 0 and now_ns % (every_s * SECOND_NS) == 0 for every_s in self._wanted_s()]
        if due[2]:
            log.add_odds()
        if any(due[:2]):
            log.snapshot(standing=due[0], positions=due[1])
