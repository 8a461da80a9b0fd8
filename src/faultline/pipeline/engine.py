"""A feed of messages and the wall clock in, a living map in the store out: the loop behind ``serve``.

One thread moves every asset: it reads the feed up to the present of the market it plays, calls ``step`` and
publishes. It looks at the feed every ``GLANCE_S``: an asset that got messages moves at once and its events are told,
which costs little; maps are drawn every ``TURN_S``, which costs more. For a recorded or simulated market that present
runs at ``speed`` times the wall clock and can be paused or, on a tape, moved.
"""

from __future__ import annotations

import dataclasses
import queue
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import structlog

from faultline.clock import SystemClock
from faultline.errors import FaultlineError, NotFound, RequestError
from faultline.instruments import asset_of, instruments_from_rows
from faultline.messages import Kind
from faultline.pipeline.explain import explain_cell, profile_usd
from faultline.pipeline.kinds import DENSE_KINDS
from faultline.pipeline.model_report import learned_of
from faultline.pipeline.publish import Publisher
from faultline.pipeline.shard import Shard
from faultline.pipeline.source_report import HeardFeeds
from faultline.pipeline.step import step
from faultline.pipeline.unheard import UnheardSpans
from faultline.units import DAY_NS, HOUR_NS, SECOND_NS, TIMEFRAMES_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.messages import Batch
    from faultline.pipeline.cursor import MessageFeed, TapeCursor
    from faultline.pipeline.parameters import PipelineParameters
    from faultline.pipeline.step import StepOutputs
    from faultline.store.events import EventStore
    from faultline.store.maps import MapStore
    from faultline.store.zones import ZoneStore

__all__ = ("GLANCE_S", "TURN_S", "Engine", "Market")

#: Wall time between two looks at the feed: the most urgent events are to be told within 0.1 s.
GLANCE_S: Final = 0.025
#: Wall time between two drawings of the maps.
TURN_S: Final = 0.25
#: Wall time between two drawings where they cost much; the first ones, which compile, must not put off the next.
_TURN_MOST_S: Final = 2.0
#: Assets that moved farther than this at once are told of together, in the order of time; otherwise each at once.
_TOGETHER_NS: Final = SECOND_NS
#: Columns kept per timeframe.
_COLUMNS: Final = 2000
#: Longest stretch given to one step while loading.
_CHUNK_NS: Final = DAY_NS // 4
#: Speeds that can be asked for.
_SPEED_MAX: Final = 100_000.0

_LOG = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Market:
    """What an engine plays.

    Attributes:
        mode: ``live``, ``replay`` or ``simulated``.
        simulated: whether the messages come from a simulator.
        world: name of the simulated world, or None.
        assets: assets to map.
        contracts: known contracts.
        warm_ns: where the messages needed for a map begin.
        from_ns: first moment that can be shown.
        to_ns: end of the messages, or None where they never end.
        open_feed: gives a feed that starts at a moment.
        can_seek: whether the present can be moved.
        present: gives the present of a live market; None where it runs at a speed.
        sources: tells how the connections of a live market fare; None where nothing is connected.
        open_books: gives order books from a moment on; None where they come with the feed, if at all.
    """

    mode: str
    simulated: bool
    world: str | None
    assets: Sequence[str]
    contracts: Sequence[Instrument]
    warm_ns: int
    from_ns: int
    to_ns: int | None
    open_feed: Callable[[int], MessageFeed]
    can_seek: bool
    present: Callable[[], int] | None = None
    sources: Callable[[], dict[str, Any]] | None = None
    open_books: Callable[[int], TapeCursor | None] | None = None


class Engine:
    """Plays a market into a store until ``stop()``.

    Args:
        market: what to play.
        store: where columns, candles and status go; its callbacks are set.
        parameters: settings of the map.
        version: shown in the status.
        start_ns: first present; the market's ``from_ns`` by default.
        speed: market seconds per wall second.
        events: log of events; None keeps none.
        zones: zones now and before; None keeps none.
    """

    def __init__(
        self,
        market: Market,
        store: MapStore,
        parameters: PipelineParameters,
        *,
        version: str,
        start_ns: int | None = None,
        speed: float = 1.0,
        events: EventStore | None = None,
        zones: ZoneStore | None = None,
    ) -> None:
        self._market, self._store, self._parameters = market, store, parameters
        self._publisher = Publisher(
            store, events, zones, mode=market.mode, simulated=market.simulated, clock=SystemClock()
        )
        self._version = version
        self._start_ns = market.from_ns if start_ns is None else start_ns
        self._speed, self._paused = speed, False
        self._commands: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._lock = threading.RLock()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._shards: dict[str, Shard] = {}
        self._feed: MessageFeed | None = None
        self._books: TapeCursor | None = None
        #: Contracts of every asset, those that were listed since the start too.
        self._contracts: dict[str, Instrument] = {}
        self._heard = HeardFeeds()
        self._unheard = UnheardSpans()
        #: Scopes of which the store knows when nobody listened, and instruments of which more is known since.
        self._listened: set[str] = set()
        self._unheard_ids: set[str] = set()
        self._now_ns = 0
        store.explain = self.explain
        store.profile_of = self.profile
        store.model_of = self.model
        store.sources_of = self.sources if market.sources is None else market.sources
        store.control = self.control if market.can_seek or market.mode == "simulated" else None

    def start(self) -> None:
        """Begin loading and playing in a thread of its own."""
        self._status("loading", progress=(0.0, 1.0, "starting"))
        self._thread.start()

    def stop(self) -> None:
        """Stop and wait for the thread."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10.0)

    # Callbacks of the store, called from the API's threads.

    def explain(self, scope: str, timeframe: str, time_ns: int, price_usd: float) -> dict[str, Any]:
        """What stands in a cell.

        Raises:
            NotFound: there is no such scope, or the ledger of that moment is no longer kept.
        """
        with self._lock:
            shard = self._shard_of(scope)
            cell = explain_cell(shard, scope, timeframe, time_ns, price_usd)
        if cell is None:
            msg = "the ledger of that moment is no longer kept"
            raise NotFound(
                msg, where="t_ms", hint="The map shows it; its parts are known for the last hours and days."
            )
        return cell

    def profile(self, scope: str) -> dict[str, Any]:
        """Exposure now by display row.

        Raises:
            NotFound: there is no such scope, or it has no price yet.
        """
        with self._lock:
            shard = self._shard_of(scope)
            if shard.rows.rows is None:
                msg = f"{scope} has no price yet"
                raise NotFound(msg, where="scope", hint="Wait until the map is loaded.")
            return profile_usd(shard, scope, shard.rows.rows)

    def model(self, asset: str) -> dict[str, Any]:
        """What was learned of an asset.

        Raises:
            NotFound: the asset is not mapped.
        """
        with self._lock:
            if asset not in self._shards:
                msg = f"no map of {asset}"
                raise NotFound(msg, where="asset", hint="See /api/v1/assets for the assets that have one.")
            return learned_of(self._shards[asset])

    def sources(self) -> dict[str, Any]:
        """What came from where, of a market that is played."""
        return self._heard.report(self._market.mode, self._now_ns)

    def control(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Take ``{at_ns | speed | pause}``; carried out at the next turn.

        Raises:
            RequestError: a value is out of range or the market cannot be moved.
        """
        at_ns, speed = command.get("at_ns"), command.get("speed")
        if at_ns is not None:
            if not self._market.can_seek:
                msg = "this market cannot be moved in time"
                raise RequestError(msg, where="at_ns", hint="Only a replay of a tape has a time slider.")
            end = self._market.to_ns or at_ns
            if not self._market.from_ns <= at_ns <= end:
                msg = f"{at_ns} lies outside the replay"
                raise RequestError(
                    msg, where="at_ns", hint=f"Choose between {self._market.from_ns} and {end}."
                )
        if speed is not None and not 0 < speed <= _SPEED_MAX:
            msg = f"a speed of {speed} cannot be played"
            raise RequestError(msg, where="speed", hint=f"Choose more than 0 and at most {_SPEED_MAX:g}.")
        self._commands.put(command)
        return {"accepted": True}

    def _shard_of(self, scope: str) -> Shard:
        for shard in self._shards.values():
            if scope in shard.scopes():
                return shard
        msg = f"no map of {scope}"
        raise NotFound(msg, where="scope", hint="See /api/v1/assets for the scopes that have one.")

    # The thread.

    def _run(self) -> None:
        try:
            self._load(self._start_ns)
            self._play()
        except FaultlineError as exc:
            _LOG.exception("engine stopped", code=exc.code)
            self._store.write_status({**self._head("error"), "error": exc.as_dict()})
        except Exception as exc:  # noqa: BLE001 - reported on the page and in the log, never swallowed
            # The thread is the last place that can say so: a page that shows stale numbers silently would be worse.
            _LOG.exception("engine failed")
            problem = {
                "code": "engine",
                "message": repr(exc),
                "hint": "See the log on stderr; please report it.",
            }
            self._store.write_status({**self._head("error"), "error": problem})

    def _play(self) -> None:
        wall = drawn = time.monotonic()
        looked_s = drew_s = 0.0
        while not self._stopping.wait(min(max(GLANCE_S, looked_s), TURN_S)):
            self._obey()
            now = time.monotonic()
            elapsed_ns = int((now - wall) * 1e9 * self._speed)
            wall = now
            # Many instruments cost more: looks take at most half the time, drawings a fifth.
            draws = now - drawn >= min(max(TURN_S, 4.0 * drew_s), _TURN_MOST_S)
            if not self._paused:
                present, end = self._market.present, self._market.to_ns
                target = self._now_ns + elapsed_ns if present is None else present()
                self._move(target if end is None else min(target, end), draws=draws)
            spent_s = time.monotonic() - now
            if draws:
                self._status("ready")
                drawn, drew_s = time.monotonic(), spent_s
            else:
                looked_s = spent_s

    def _obey(self) -> None:
        while not self._commands.empty():
            command = self._commands.get()
            if command.get("speed") is not None:
                self._speed = float(command["speed"])
            if command.get("pause") is not None:
                self._paused = bool(command["pause"])
            if command.get("at_ns") is not None:
                self._seek(int(command["at_ns"]))

    def _seek(self, at_ns: int) -> None:
        """Go to a moment: forward over a short way by playing, otherwise by rebuilding."""
        if self._now_ns <= at_ns <= self._now_ns + 6 * HOUR_NS:
            self._move(at_ns, draws=True)
        else:
            self._load(at_ns)

    def _load(self, at_ns: int) -> None:
        """Rebuild every shard from the market's beginning to ``at_ns``, drawing only the columns that will be seen."""
        warm = min(self._market.warm_ns, at_ns)
        contracts = self._contracts = {item.id: item for item in self._market.contracts}
        with self._lock:
            for shard in self._shards.values():
                for scope in shard.scopes():
                    self._store.clear(scope)
            self._shards = {a: Shard(a, contracts, self._parameters, warm - 1) for a in self._market.assets}
            for shard in self._shards.values():
                shard.keeps_history = shard.draws_smooth = True
                for iid in shard.contracts:
                    shard.member(iid)
                draw = {tf: (at_ns - (_COLUMNS - 1) * length) for tf, length in TIMEFRAMES_NS.items()}
                shard.draw_from(draw)
                if self._publisher.watches:
                    shard.watch_from(self._parameters.zones, max(draw["1m"], warm))
        self._heard, self._unheard = HeardFeeds(), UnheardSpans()
        self._listened, self._unheard_ids = set(), set()
        self._publisher.begin(f"{self._market.mode}-{secrets.token_hex(8)}")
        self._status("loading", progress=(0.0, (at_ns - warm) / HOUR_NS, "hours rebuilt"))
        self._feed, self._books = self._market.open_feed(warm), None
        if self._market.open_books is not None and self._publisher.watches:
            watched = (shard.watch for shard in self._shards.values() if shard.watch is not None)
            self._books = self._market.open_books(max(warm, min(w.cascades.books.at_ns for w in watched)))
        self._now_ns = warm
        while self._now_ns < at_ns and not self._stopping.is_set():
            self._status(
                "loading",
                progress=((self._now_ns - warm) / HOUR_NS, (at_ns - warm) / HOUR_NS, "hours rebuilt"),
            )
            target = min(self._now_ns + _CHUNK_NS, at_ns)
            self._move(target, draws=target == at_ns, rebuilt=True)
        _LOG.info("map ready", at_ns=at_ns, assets=list(self._shards))

    def _move(self, to_ns: int, *, draws: bool, rebuilt: bool = False) -> None:
        """Apply everything received before ``to_ns``.

        Args:
            to_ns: the new present.
            draws: whether the forming columns are drawn; without them an asset that got no message stays where it is.
            rebuilt: whether it lies in the past of a load.

        Raises:
            NotFound: there is no feed.
        """
        if self._feed is None:
            msg = "the feed was not opened"
            raise NotFound(msg)
        if to_ns <= self._now_ns:
            return
        began_s = time.perf_counter()
        for piece_ns, rows in self._books.pieces(to_ns) if self._books else ():
            self._heard.note([batch for batch in rows if batch.kind is Kind.BOOK_LEVEL])
            for asset, shard in self._shards.items():
                with self._lock:
                    shard.take_books(self._of(asset, rows), piece_ns)
        batches = self._feed.advance(to_ns)
        self._heard.note([batch for batch in batches if batch.kind is not Kind.GAP])
        for batch in batches:
            if batch.kind is Kind.INSTRUMENT:
                self._contracts[batch.instrument_id] = instruments_from_rows(batch.instrument_id, batch.rows)[
                    -1
                ][1]
        together = rebuilt or to_ns - self._now_ns > _TOGETHER_NS
        moved: list[tuple[Shard, StepOutputs]] = []
        for asset, shard in self._shards.items():
            mine = self._of(asset, batches)
            if not (draws or rebuilt) and all(batch.kind in DENSE_KINDS for batch in mine):
                # Order books come all the time and change no map.
                with self._lock:
                    shard.take_books(mine, to_ns)
                continue
            with self._lock:
                moved.append((shard, step(shard, self._sorted(mine), to_ns, forming=draws)))
            if not together:
                self._publisher.tell(moved[-1:], speed=self._speed, began_s=began_s)
        if together:
            self._publisher.tell(moved, speed=self._speed, began_s=began_s, rebuilt=rebuilt)
        # What the store has made unknown is lost, so it must know first who was heard.
        self._unheard_ids |= self._unheard.apply(batches, to_ns)
        self._leave_unheard([shard for shard, _ in moved])
        for shard, outputs in moved:
            self._publisher.publish(shard, outputs)
        self._now_ns = to_ns
        if draws or rebuilt:
            self._store.write_assets({asset: list(shard.scopes()) for asset, shard in self._shards.items()})

    def _leave_unheard(self, shards: Sequence[Shard]) -> None:
        """Make liquidations unknown where, as was told since, nobody listened, and in scopes without any so far."""
        for shard in shards:
            for scope, ids in shard.scopes().items():
                if scope not in self._listened or self._unheard_ids.intersection(ids):
                    self._store.leave_unheard(scope, self._unheard.of(ids))
                    self._listened.add(scope)
            self._unheard_ids.difference_update(shard.members)

    def _of(self, asset: str, batches: list[Batch]) -> list[Batch]:
        """Those that an asset's shard wants."""
        return [
            batch
            for batch in batches
            if batch.kind is Kind.SOURCE_STATUS or asset_of(batch.instrument_id, self._contracts) == asset
        ]

    @staticmethod
    def _sorted(batches: list[Batch]) -> list[Batch]:
        return sorted(batches, key=lambda batch: batch.sort_key)

    def _head(self, state: str) -> dict[str, Any]:
        market = self._market
        replay = None
        if market.mode == "replay" and market.to_ns is not None:
            replay = {
                "at_ns": self._now_ns,
                "from_ns": market.from_ns,
                "to_ns": market.to_ns,
                "speed": self._speed,
                "paused": self._paused,
            }
        return {
            "mode": market.mode,
            "state": state,
            "simulated": market.simulated,
            "as_of_ns": self._now_ns,
            "version": self._version,
            "world": market.world,
            "replay": replay,
            "data_age_s": self._data_age_s(),
        }

    def _data_age_s(self) -> float | None:
        """Age of the oldest price among the assets, by the market's own clock."""
        ends = [item.path.last_end_ns for shard in self._shards.values() for item in shard.with_path()]
        return (self._now_ns - min(ends)) / SECOND_NS if ends else None

    def _status(self, state: str, progress: tuple[float, float, str] | None = None) -> None:
        body = self._head(state)
        if progress:
            body["progress"] = dict(zip(("done", "total", "label"), progress, strict=True))
        self._store.write_status(body)
