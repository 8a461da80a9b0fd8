"""Outputs of a step in, the same in the stores that the API reads out: columns, candles, zones and events."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from faultline.store.maps import Candles, MapColumns
from faultline.units import MILLISECOND_NS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultline.clock import Clock
    from faultline.heatmap.columns import Columns
    from faultline.pipeline.shard import Shard
    from faultline.pipeline.step import StepOutputs
    from faultline.store.events import EventStore
    from faultline.store.maps import MapStore
    from faultline.store.zones import ZoneStore

__all__ = ("Publisher", "publish_columns")


class Publisher:
    """Hands everything that the steps give to the stores.

    Args:
        maps: columns and candles.
        events: log of events; None keeps none.
        zones: zones now and before; None keeps none.
        mode: ``live``, ``replay`` or ``simulated``.
        simulated: whether the market is simulated.
        clock: what latencies of a live market are measured by; other markets run on a time of their own.
    """

    def __init__(
        self,
        maps: MapStore,
        events: EventStore | None,
        zones: ZoneStore | None,
        *,
        mode: str,
        simulated: bool,
        clock: Clock | None = None,
    ) -> None:
        self._maps, self._events, self._zones = maps, events, zones
        self._mode, self._simulated = mode, simulated
        self._clock = clock if mode == "live" else None
        self._run = ""

    @property
    def watches(self) -> bool:
        """Whether anybody keeps zones or events."""
        return self._events is not None or self._zones is not None

    def begin(self, run: str) -> None:
        """Start a run of the market; what was told of the run before it never happened in this one."""
        self._run = run
        if self._events is not None and self._mode != "live":
            self._events.clear()

    def tell(
        self,
        moved: Sequence[tuple[Shard, StepOutputs]],
        *,
        speed: float,
        began_s: float,
        rebuilt: bool = False,
    ) -> None:
        """Log what happened, in the order of time across shards.

        Args:
            moved: the shards that moved and what that gave.
            speed: market seconds per second.
            began_s: ``time.perf_counter()`` when the messages of the step were asked for.
            rebuilt: whether the step lies in the past that is worked through while loading.
        """
        if self._events is None:
            return
        told = [(notice, shard.reached_ns) for shard, outputs in moved for notice in outputs.notices]
        if not told:
            return
        told.sort(key=lambda each: each[0].at_ns)
        spent_ms = (time.perf_counter() - began_s) * 1e3

        def latency_ms(at_ns: int, reached_ns: int) -> float | None:
            if rebuilt:
                return None
            if self._clock is not None:
                return max(0, self._clock.now_ns() - at_ns) / MILLISECOND_NS
            return spent_ms + max(0, reached_ns - at_ns) / speed / MILLISECOND_NS

        mode = "rebuilt" if rebuilt else self._mode
        self._events.append(
            [
                notice.event(
                    simulated=self._simulated, mode=mode, latency_ms=latency_ms(notice.at_ns, reached_ns)
                )
                for notice, reached_ns in told
            ]
        )

    def publish(self, shard: Shard, outputs: StepOutputs) -> None:
        """Hand over the columns, candles and zones that a step gave; what happened in it is told before."""
        publish_columns(self._maps, outputs)
        self._publish_zones(shard, outputs)

    def _publish_zones(self, shard: Shard, outputs: StepOutputs) -> None:
        watch = shard.watch
        if self._zones is None or watch is None:
            return
        by_scope: dict[str, list[int]] = {}
        for index, zone in enumerate(outputs.zone_states):
            by_scope.setdefault(zone.scope, []).append(index)
        for scope, indices in by_scope.items():
            self._zones.write(self._run, scope, [outputs.zone_states[index] for index in indices])
        own = shard.own_scopes()
        for scope in shard.scopes():
            source = scope if scope in own else shard.asset
            self._zones.publish(
                scope,
                shard.reached_ns,
                shard.price_of(scope),
                watch.zones(source, shard.reached_ns),
                run=self._run,
                tracked_from_ns=watch.follow_from_ns,
                divergence=watch.shown_divergence if scope == shard.asset else (None, None),
                chains=watch.cascades.chains if source == shard.asset else None,
            )


def publish_columns(store: MapStore, outputs: StepOutputs) -> None:
    """Write every column and candle of a step to the store."""
    for scope, columns in outputs.columns:
        _write_planes(store, scope, columns)
        store.write_candles(
            Candles(
                scope=scope,
                timeframe=columns.timeframe,
                t_ns=columns.start_ns,
                open=columns.open_usd,
                high=columns.high_usd,
                low=columns.low_usd,
                close=columns.close_usd,
                long_usd=columns.long_usd,
                short_usd=columns.short_usd,
                volume_usd=columns.volume_usd,
                n_closed=columns.n_closed,
            )
        )


def _write_planes(store: MapStore, scope: str, columns: Columns) -> None:
    for plane, usd in columns.usd.items():
        for index, side in enumerate(("long", "short")):
            store.write_columns(
                MapColumns(
                    scope=scope,
                    timeframe=columns.timeframe,
                    plane=plane,
                    side=side,
                    row_usd=columns.rows.row_usd,
                    first_row=columns.rows.first_row,
                    t_ns=columns.start_ns,
                    usd=usd[:, index].astype(np.float32),
                    n_closed=columns.n_closed,
                )
            )
