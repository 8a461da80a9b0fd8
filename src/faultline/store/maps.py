"""Columns, candles and status from the pipeline in, snapshots, encoded bytes and changes for the API out.

One thread writes, any thread reads. Everything is bounded: columns per map, maps, frames per backlog, one
encoded copy per content encoding. A map is encoded on first demand and the bytes are kept until it changes.
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from faultline.errors import NotFound, StoreError
from faultline.store.columns import Candles, CandleView, Change, MapColumns, MapKey, StatusChange
from faultline.store.lhm1 import PLANES, SIDES, Snapshot, compress, encode_snapshot
from faultline.store.merge import merge_sides
from faultline.store.status import Status, read_status
from faultline.store.view import MapView
from faultline.units import TIMEFRAMES_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from faultline.store.scale import Legend

__all__ = ("VIEWS_MAX", "Candles", "Encoded", "MapColumns", "MapStore", "Resumed")

#: Pairs of (scope, timeframe) a store holds at most.
VIEWS_MAX: Final = 1_024
_NAMES_SHOWN: Final = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Encoded:
    """Bytes of a snapshot in one content encoding, and the ``seq`` they are a function of."""

    seq: int
    encoding: str
    content: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Resumed:
    """Answer to "what did I miss after seq": the numbered frames, or None where a snapshot is needed."""

    frames: list[tuple[int, bytes]] | None
    seq: int
    n_columns: int
    sub: int


class MapStore:
    """Latest maps and candles, bounded and in memory.

    Args:
        first_seq: number that sequences start from. By default it is drawn at random, so that a client of an
            earlier run never mistakes its own position for one of this run.
        monotonic: seconds that never run backwards, for the age of the last write.
    """

    #: Answers ``/cell``: (scope, timeframe, t_ns, price_usd) -> fields. Set by the wiring.
    explain: Callable[[str, str, int, float], dict[str, Any]] | None = None
    #: Answers ``/profile``: (scope) -> fields. Set by the wiring.
    profile_of: Callable[[str], dict[str, Any]] | None = None
    #: Answers what was learned of an asset; set by the engine.
    model_of: Callable[[str], dict[str, Any]] | None = None
    #: Answers ``/sources``: where the numbers come from and how the connections fare. Set by the engine.
    sources_of: Callable[[], dict[str, Any]] | None = None
    #: Obeys ``POST /replay``: ({"at_ns"|"speed"|"pause": value}) -> None. None where nothing is replayed.
    control: Callable[[dict[str, Any]], Any] | None = None

    def __init__(
        self, *, first_seq: int | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._first_seq = secrets.randbits(31) if first_seq is None else first_seq
        self._monotonic = monotonic
        self._written_s = monotonic()
        self._lock = threading.Lock()
        self._unheard_ns: dict[str, NDArray[np.int64]] = {}
        self._views: dict[tuple[str, str], MapView] = {}
        self._subs = itertools.count(1)
        self._status = Status()
        self._scopes_of: dict[str, tuple[str, ...]] = {}
        self._listeners: tuple[Callable[[Change], None], ...] = ()
        self._encoded: dict[tuple[MapKey, str], Encoded] = {}
        self._encoding_locks: dict[MapKey, threading.Lock] = {}
        self.n_encodings = 0

    # ---- the pipeline writes

    def write_columns(self, columns: MapColumns) -> None:
        """Store columns and tell the listeners what changed.

        Raises:
            StoreError: the columns cannot be stored as they are, or there are too many maps.
        """
        columns.check()
        view = self._view_for(columns.scope, columns.timeframe)
        with view.lock:
            self._tell(view.write_columns(columns))
        self._written_s = self._monotonic()

    def write_candles(self, candles: Candles) -> None:
        """Store candles and tell the listeners what changed.

        Raises:
            StoreError: the candles cannot be stored as they are, or there are too many maps.
        """
        values = candles.stacked()
        view = self._view_for(candles.scope, candles.timeframe)
        with view.lock:
            self._tell(view.write_candles(candles, values))
        self._written_s = self._monotonic()

    def leave_unheard(self, scope: str, spans_ns: NDArray[np.int64]) -> None:
        """Make liquidations unknown in candles that lie inside of stretches in which nobody listened to any.

        Args:
            scope: all its timeframes, also those that are written to later.
            spans_ns: [from, to) of all such stretches, shape (n, 2), sorted, apart from each other.
        """
        self._unheard_ns[scope] = spans_ns
        for (name, _), view in list(self._views.items()):
            if name == scope:
                with view.lock:
                    self._tell(view.leave_unheard(spans_ns))

    def write_status(self, status: Status | Mapping[str, Any]) -> None:
        """Replace the status.

        Raises:
            StoreError: a field is unknown or has the wrong type.
        """
        self._status = read_status(status)
        self._written_s = self._monotonic()
        self._tell([StatusChange(self._status)])

    def write_assets(self, scopes_of: Mapping[str, Sequence[str]]) -> None:
        """Say which scopes belong to which asset, e.g. ``{"BTC": ["BTC", "binance:BTCUSDT"]}``."""
        self._scopes_of = {asset: tuple(scopes) for asset, scopes in scopes_of.items()}

    def clear(self, scope: str) -> None:
        """Drop every column and candle of a scope, as after a jump of a replay; clients are told to fetch
        again.
        """
        self._unheard_ns.pop(scope, None)
        for (name, _), view in list(self._views.items()):
            if name == scope:
                with view.lock:
                    self._tell(view.clear())
        self._written_s = self._monotonic()

    # ---- the API reads

    @property
    def status(self) -> Status:
        """The last status written."""
        return self._status

    def silence_s(self) -> float:
        """Seconds since anything was written."""
        return self._monotonic() - self._written_s

    def subscribe(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Have ``listener`` called with every change, in the writer's thread and in order; it must not block.

        Returns:
            A function that ends the subscription.
        """
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners = tuple(known for known in self._listeners if known is not listener)

        return unsubscribe

    def assets(self) -> dict[str, tuple[str, ...]]:
        """Scopes by asset, as the wiring said; a scope without a venue that it did not mention is its own
        asset.
        """
        known = dict(self._scopes_of)
        told = {scope for scopes in known.values() for scope in scopes}
        for scope, _ in list(self._views):
            if ":" not in scope and scope not in told:
                known.setdefault(scope, (scope,))
        return known

    def scopes(self) -> list[str]:
        """Scopes with anything stored, sorted."""
        return sorted({scope for scope, _ in list(self._views)})

    def timeframes(self, scope: str) -> list[str]:
        """Timeframes stored for a scope, shortest first."""
        return [name for name in TIMEFRAMES_NS if (scope, name) in self._views]

    def keys(self, scope: str, timeframe: str) -> list[MapKey]:
        """Planes and sides stored for a map.

        Raises:
            NotFound: nothing is stored under that scope and timeframe.
        """
        return self._view(scope, timeframe).stored()

    def snapshot(self, scope: str, timeframe: str, plane: str, side: str) -> Snapshot:
        """A copy of a map. Side ``both`` is long plus short, coded again (at most 6.6 % off inside the
        range).

        Raises:
            NotFound: there is no such map; the hint names the nearest.
        """
        view, sides = self._find(scope, timeframe, plane, side)
        with view.lock:
            parts = [view.snapshot(plane, each) for each in sides]
        return parts[0] if side != "both" else merge_sides(parts)

    def seq(self, scope: str, timeframe: str, plane: str, side: str) -> int:
        """Number of the last change of a map.

        Raises:
            NotFound: there is no such map.
        """
        view, _ = self._find(scope, timeframe, plane, side)
        return view.seq(plane, side)

    def kept(self, scope: str, timeframe: str, plane: str, side: str, encoding: str) -> Encoded | None:
        """Bytes of a map's snapshot if they are there already, else None; never compresses anything.

        Raises:
            NotFound: there is no such map.
        """
        key = MapKey(scope, timeframe, plane, side)
        kept = self._encoded.get((key, encoding))
        return kept if kept is not None and kept.seq == self.seq(*key) else None

    def encoded(self, scope: str, timeframe: str, plane: str, side: str, encoding: str) -> Encoded:
        """Bytes of a map's snapshot, made once per change and content encoding and shared by everyone who
        asks.

        Raises:
            NotFound: there is no such map.
        """
        key = MapKey(scope, timeframe, plane, side)
        kept = self.kept(*key, encoding)
        if kept is not None:
            return kept
        with self._lock:
            lock = self._encoding_locks.setdefault(key, threading.Lock())
        with lock:
            kept = self._encoded.get((key, encoding))
            if kept is None or kept.seq != self.seq(*key):
                snapshot = self.snapshot(*key)
                kept = Encoded(snapshot.seq, encoding, compress(encode_snapshot(snapshot), encoding))
                self._encoded[key, encoding] = kept
                self.n_encodings += 1
            return kept

    def candles(self, scope: str, timeframe: str) -> CandleView:
        """A copy of the candles, on the index of the map's columns.

        Raises:
            NotFound: nothing is stored under that scope and timeframe.
        """
        view = self._view(scope, timeframe)
        with view.lock:
            t0_ns, series = view.candles()
            return CandleView(t0_ns, view.dt_ns, series.seq, series.n_closed, series.values.copy())

    def check_scope(self, scope: str) -> None:
        """Make sure that something is stored for a scope.

        Raises:
            NotFound: nothing is; the hint names the nearest scope.
        """
        if scope not in self.scopes():
            raise NotFound(
                f"there is no scope {_quoted(scope)}", where="scope", hint=_nearest(scope, self.scopes())
            )

    def row_usd(self, scope: str, timeframe: str) -> float | None:
        """Height of a map's rows; None where only candles are stored.

        Raises:
            NotFound: nothing is stored under that scope and timeframe.
        """
        return self._view(scope, timeframe).row_usd()

    def cell_usd(
        self, scope: str, timeframe: str, plane: str, side: str, t_ns: int, price_usd: float
    ) -> float | None:
        """Shown value of one cell; None where the plane, the column or the row is not stored."""
        view = self._views.get((scope, timeframe))
        if view is None:
            return None
        with view.lock:
            return view.cell_usd(plane, side, t_ns, price_usd)

    def last_price_usd(self, scope: str) -> float:
        """Close of the newest candle of the shortest timeframe that has one; NaN where there is none."""
        for timeframe in self.timeframes(scope):
            closes = self.candles(scope, timeframe).values[:, 3]
            known = closes[np.isfinite(closes)]
            if len(known):
                return float(known[-1])
        return float("nan")

    def legend(self, scope: str, timeframe: str) -> Legend | None:
        """The colour scale of a map; None before anything is closed.

        Raises:
            NotFound: nothing is stored under that scope and timeframe.
        """
        return self._view(scope, timeframe).legend()

    def resume(self, key: MapKey, after_seq: int | None) -> Resumed:
        """What a client missed that has seen ``after_seq``; with None it starts from the present.

        Raises:
            NotFound: there is no such map.
        """
        view, _ = self._find(*key)
        with view.lock:
            frames, seq, n_columns, sub = view.frames_after(
                key.plane, key.side, -1 if after_seq is None else after_seq
            )
        return Resumed([] if after_seq is None else frames, seq, n_columns, sub)

    def counters(self) -> dict[str, int]:
        """Cells, columns and candles that could not be stored as given, and snapshots encoded, ever."""
        total = {"bad_cells": 0, "closed_ignored": 0, "late_columns": 0, "encodings": self.n_encodings}
        for view in list(self._views.values()):
            for name, count in view.counters().items():
                total[name] += count
        return total

    # ---- finding

    def _tell(self, changes: Iterable[Change]) -> None:
        for change in changes:
            for listener in self._listeners:
                listener(change)

    def _view_for(self, scope: str, timeframe: str) -> MapView:
        view = self._views.get((scope, timeframe))
        if view is None:
            if len(self._views) >= VIEWS_MAX:
                raise StoreError(
                    f"the store holds {VIEWS_MAX} maps already",
                    where=f"{scope}/{timeframe}",
                    hint="serve fewer assets",
                )
            with self._lock:
                new = MapView(scope, timeframe, lambda: next(self._subs), self._first_seq)
                new.leave_unheard(self._unheard_ns.get(scope, new.unheard_ns))
                view = self._views.setdefault((scope, timeframe), new)
        return view

    def _view(self, scope: str, timeframe: str) -> MapView:
        view = self._views.get((scope, timeframe))
        if view is not None:
            return view
        if scope not in self.scopes():
            raise NotFound(
                f"there is no scope {_quoted(scope)}", where="scope", hint=_nearest(scope, self.scopes())
            )
        known = self.timeframes(scope)
        raise NotFound(
            f"{scope} has no timeframe {_quoted(timeframe)}", where="tf", hint=_nearest(timeframe, known)
        )

    def _find(self, scope: str, timeframe: str, plane: str, side: str) -> tuple[MapView, tuple[str, ...]]:
        view = self._view(scope, timeframe)
        if plane not in PLANES:
            raise NotFound(
                f"there is no plane {_quoted(plane)}", where="plane", hint=_nearest(plane, list(PLANES))
            )
        if side not in SIDES:
            raise NotFound(
                f"there is no side {_quoted(side)}", where="side", hint=_nearest(side, list(SIDES))
            )
        stored = {(key.plane, key.side) for key in view.stored()}
        sides = ("long", "short") if side == "both" else (side,)
        if any((plane, each) not in stored for each in sides):
            planes = sorted({name for name, _ in stored})
            raise NotFound(
                f"{scope} {timeframe} has no {plane} plane for side {side} yet",
                where="plane",
                hint=_nearest(plane, planes),
            )
        return view, sides


def _quoted(name: str) -> str:
    """A name from outside, shortened and with control characters escaped."""
    return repr(name[:64])


def _nearest(name: str, known: Sequence[str]) -> str:
    if not known:
        return "nothing is stored yet: wait until the engine is ready"
    close = difflib.get_close_matches(name[:64].upper(), [other.upper() for other in known], n=1, cutoff=0.5)
    if close:
        match = next(other for other in known if other.upper() == close[0])
        return f"did you mean {match}?"
    shown = ", ".join(known[:_NAMES_SHOWN])
    return f"known: {shown}" + (", ..." if len(known) > _NAMES_SHOWN else "")
