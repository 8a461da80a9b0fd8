"""Zones as they change in; zones now from memory and zones at any past moment from the database out.

A zone's state is kept when what it says changed: its state, trend, level, touches or end, its size by 5 %, an edge
by 5 basis points, or when an hour has passed. Old states go after 60 days of the market's time.
"""

from __future__ import annotations

import dataclasses
import itertools
import secrets
import threading
from typing import TYPE_CHECKING, Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import aliased

from faultline.errors import StoreError
from faultline.store.facts import open_facts, zone_states_table
from faultline.store.writer import RowWriter
from faultline.units import DAY_NS, HOUR_NS, SECOND_NS
from faultline.zones.divergence import VenueDivergence
from faultline.zones.zone import Zone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from faultline.cascades.chain import ChainForecast

__all__ = ("ZONES_KEPT_NS", "Divergence", "ZoneStore", "ZonesNow", "seen_ns")

#: Age at which states go, unless they still hold.
ZONES_KEPT_NS: Final = 60 * DAY_NS
#: Changes that are worth a state of their own.
_SIZE_RATIO: Final = 0.05
_EDGE_RATIO: Final = 5e-4
_SPACING_NS: Final = HOUR_NS
#: Old states deleted at once, and the market time between two looks for them.
_PRUNED_MAX: Final = 2_000
_PRUNE_EVERY_NS: Final = HOUR_NS
#: Zones whose last kept state is remembered.
_REMEMBERED_MAX: Final = 100_000

_Key = tuple[str, str, str]
#: How far the venues' maps lie apart, by side, longs first.
Divergence = tuple[VenueDivergence | None, VenueDivergence | None]
_T: Final = zone_states_table.c


@dataclasses.dataclass(frozen=True, slots=True)
class ZonesNow:
    """Zones of a scope at its present.

    Attributes:
        run: under which name their past is kept.
        scope: asset or instrument.
        at_ns: the engine's time.
        price_usd: last price, None where none is known.
        tracked_from_ns: nothing is known before; None where unknown.
        version: changes with every change of the zones.
        zones: standing zones, and those that ended a short while ago.
        divergence: how far the venues' maps lie apart, long side first; None where it is not known.
        chains: how far a cascade from a zone would run, by the zone's id; only of zones that are worth it.
    """

    run: str
    scope: str
    at_ns: int
    price_usd: float | None
    tracked_from_ns: int | None
    version: int
    zones: tuple[Zone, ...]
    divergence: Divergence = (None, None)
    chains: Mapping[str, ChainForecast] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class _State:
    run: str
    scope: str
    zone_id: str
    from_ns: int
    is_end: bool
    body: str


class ZoneStore:
    """Zones now and before.

    Args:
        target: path of a SQLite file or an SQLAlchemy URL.
        backlog: states that may wait to be written; ``write`` waits for room where more come.
        kept_ns: age at which states go.
        first_version: number that versions start from; drawn at random by default, so that a client of an earlier
            run never takes an old answer for the present one.

    Raises:
        StoreError: the database cannot be opened or has another schema version.
    """

    def __init__(
        self,
        target: Path | str,
        *,
        backlog: int = 20_000,
        kept_ns: int = ZONES_KEPT_NS,
        first_version: int | None = None,
    ) -> None:
        self._engine = open_facts(target)
        self._kept_ns = kept_ns
        self._lock = threading.Lock()
        self._now: dict[str, ZonesNow] = {}
        self._versions = itertools.count(secrets.randbits(31) if first_version is None else first_version)
        self._listeners: tuple[Callable[[str, int], object], ...] = ()
        self._last_kept: dict[_Key, Zone] = {}
        self._looked_ns: dict[str, int] = {}
        #: States that said nothing new and were not kept, and old ones deleted.
        self.skipped = 0
        self.pruned = 0
        self._writer: RowWriter[_State] = RowWriter("zones", self._commit, limit=backlog)

    # ---- the engine writes

    def publish(
        self,
        scope: str,
        at_ns: int,
        price_usd: float | None,
        zones: Sequence[Zone],
        *,
        run: str = "",
        tracked_from_ns: int | None = None,
        divergence: Divergence = (None, None),
        chains: Mapping[str, ChainForecast] | None = None,
    ) -> None:
        """Replace the present zones of a scope and tell the listeners where they changed.

        Args:
            scope: asset or instrument.
            at_ns: the engine's time.
            price_usd: last price; None or NaN where none is known.
            zones: standing zones, and those that ended a short while ago.
            run: name under which ``write`` keeps their past.
            tracked_from_ns: when the zones of this scope began to be followed.
            divergence: how far the venues' maps lie apart, long side first.
            chains: how far a cascade from a zone would run, by the zone's id.
        """
        price = price_usd if price_usd is not None and price_usd == price_usd else None  # noqa: PLR0124 - NaN
        before = self._now.get(scope)
        listed, said = tuple(zones), dict(chains or {})
        is_same = before is not None and (before.run, before.zones, before.divergence, before.chains) == (
            run,
            listed,
            divergence,
            said,
        )
        version = before.version if before is not None and is_same else next(self._versions)
        self._now[scope] = ZonesNow(
            run, scope, at_ns, price, tracked_from_ns, version, listed, divergence, said
        )
        if not is_same:
            for listener in self._listeners:
                listener(scope, version)

    def write(self, run: str, scope: str, states: Sequence[Zone]) -> None:
        """Have states of zones written, each as of the moment it describes (``seen_ns``); see above for which.

        Raises:
            StoreError: the database did not take them in time.
        """
        kept = []
        for zone in states:
            key = (run, scope, zone.id)
            last = self._last_kept.get(key)
            if last is not None and not _is_news(last, zone):
                self.skipped += 1
                continue
            self._remember(key, zone)
            body = msgspec.json.encode(zone).decode()
            kept.append(_State(run, scope, zone.id, seen_ns(zone), zone.ended_ns is not None, body))
        self._writer.put(kept)

    def flush(self) -> None:
        """Wait until everything written so far can be read.

        Raises:
            StoreError: it took too long.
        """
        self._writer.flush()

    def close(self) -> None:
        """Write what waits and let go of the database."""
        self._writer.close()
        self._engine.dispose()

    # ---- everybody reads

    def subscribe(self, listener: Callable[[str, int], object]) -> Callable[[], None]:
        """Have ``listener(scope, version)`` called when zones changed, in the engine's thread; it must not block.

        Returns:
            A function that ends the subscription.
        """
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners = tuple(known for known in self._listeners if known is not listener)

        return unsubscribe

    def scopes(self) -> list[str]:
        """Scopes with zones, sorted."""
        return sorted(self._now)

    def latest(self, scope: str) -> ZonesNow | None:
        """Zones of a scope at its present; None before any were published."""
        return self._now.get(scope)

    def at(self, run: str, scope: str, at_ns: int) -> list[Zone]:
        """Zones that stood at a moment, each in the last state kept at or before it, by side and lower edge.

        Raises:
            StoreError: a kept state cannot be read.
        """
        last = (
            sa.select(_T.zone_id, sa.func.max(_T.from_ns).label("from_ns"))
            .where(_T.run == run, _T.scope == scope, _T.from_ns <= at_ns)
            .group_by(_T.zone_id)
            .subquery()
        )
        query = (
            sa.select(_T.body)
            .join(last, (_T.zone_id == last.c.zone_id) & (_T.from_ns == last.c.from_ns))
            .where(_T.run == run, _T.scope == scope, _T.is_end == sa.false())
        )
        return sorted(self._read(query), key=lambda zone: (zone.side, zone.low_usd))

    def history(
        self, run: str, scope: str, zone_id: str, *, until_ns: int | None = None, limit: int = 1_000
    ) -> list[Zone]:
        """Kept states of one zone, oldest first; where there are more than ``limit``, the newest ones.

        Raises:
            StoreError: a kept state cannot be read.
        """
        query = sa.select(_T.body).where(_T.run == run, _T.scope == scope, _T.zone_id == zone_id)
        if until_ns is not None:
            query = query.where(_T.from_ns <= until_ns)
        return self._read(query.order_by(_T.from_ns.desc()).limit(limit))[::-1]

    def counters(self) -> dict[str, int]:
        """States that said nothing new, old ones deleted, waits of ``write``, transactions tried again, states
        lost, and states that wait now.
        """
        return {
            "skipped": self.skipped,
            "pruned": self.pruned,
            "waits": self._writer.waits,
            "retries": self._writer.retries,
            "lost": self._writer.lost,
            "waiting": self._writer.waiting,
        }

    # ---- the writer's thread

    def _commit(self, rows: Sequence[_State]) -> None:
        # The last of several states of one moment is how the zone was then.
        states = {(row.run, row.scope, row.zone_id, row.from_ns): row for row in rows}
        pruned = 0
        with self._engine.begin() as connection:
            self._delete(connection, list(states))
            values = [dataclasses.asdict(row) for row in states.values()]
            connection.execute(sa.insert(zone_states_table), values)
            newest: dict[str, int] = {}
            for row in rows:
                newest[row.run] = max(newest.get(row.run, 0), row.from_ns)
            for run, now_ns in newest.items():
                pruned += self._prune(connection, run, now_ns)
        self.pruned += pruned

    def _prune(self, connection: sa.Connection, run: str, now_ns: int) -> int:
        """Delete a bounded number of states that neither hold at nor begin after the oldest moment kept."""
        looked_ns = self._looked_ns.get(run)
        if looked_ns is not None and 0 <= now_ns - looked_ns < _PRUNE_EVERY_NS:
            return 0
        oldest_ns = now_ns - self._kept_ns
        later = aliased(zone_states_table)
        has_later = sa.exists().where(
            later.c.run == _T.run,
            later.c.scope == _T.scope,
            later.c.zone_id == _T.zone_id,
            later.c.from_ns > _T.from_ns,
            later.c.from_ns <= oldest_ns,
        )
        query = (
            sa.select(_T.run, _T.scope, _T.zone_id, _T.from_ns)
            .where(_T.run == run, _T.from_ns < oldest_ns, sa.or_(_T.is_end, has_later))
            .limit(_PRUNED_MAX)
        )
        keys = [(row.run, row.scope, row.zone_id, int(row.from_ns)) for row in connection.execute(query)]
        self._delete(connection, keys)
        if len(keys) < _PRUNED_MAX:
            self._looked_ns[run] = now_ns
        return len(keys)

    @staticmethod
    def _delete(connection: sa.Connection, keys: Sequence[tuple[str, str, str, int]]) -> None:
        if not keys:
            return
        this = (
            (_T.run == sa.bindparam("b_run"))
            & (_T.scope == sa.bindparam("b_scope"))
            & (_T.zone_id == sa.bindparam("b_zone_id"))
            & (_T.from_ns == sa.bindparam("b_from_ns"))
        )
        names = ("b_run", "b_scope", "b_zone_id", "b_from_ns")
        values = [dict(zip(names, key, strict=True)) for key in keys]
        connection.execute(sa.delete(zone_states_table).where(this), values)

    # ---- the rest

    def _remember(self, key: _Key, zone: Zone) -> None:
        if zone.ended_ns is None:
            self._last_kept.pop(key, None)
            self._last_kept[key] = zone
            if len(self._last_kept) > _REMEMBERED_MAX:
                self._last_kept.pop(next(iter(self._last_kept)))
        else:
            self._last_kept.pop(key, None)

    def _read(self, query: sa.Select[Any]) -> list[Zone]:
        with self._engine.connect() as connection:
            bodies: Sequence[str] = connection.execute(query).scalars().all()
        try:
            return [msgspec.json.decode(body, type=Zone) for body in bodies]
        except msgspec.DecodeError as exc:
            raise StoreError(
                f"a kept zone cannot be read: {exc}",
                where="zone_states",
                hint="It was written by another version: move the database away, it is built again.",
            ) from exc


def seen_ns(zone: Zone) -> int:
    """The moment that a description of a zone is of: its end, or its birth plus its age."""
    return zone.born_ns + round(zone.age_s * SECOND_NS) if zone.ended_ns is None else zone.ended_ns


def _is_news(last: Zone, zone: Zone) -> bool:
    """Whether a zone says something that its last kept state does not."""
    if _words(last) != _words(zone) or not 0 <= seen_ns(zone) - seen_ns(last) < _SPACING_NS:
        return True
    return (
        abs(zone.notional_usd - last.notional_usd) > _SIZE_RATIO * last.notional_usd
        or abs(zone.low_usd - last.low_usd) > _EDGE_RATIO * last.low_usd
        or abs(zone.high_usd - last.high_usd) > _EDGE_RATIO * last.high_usd
    )


def _words(zone: Zone) -> tuple[object, ...]:
    return (zone.state, zone.trend, zone.density_level, zone.touches, zone.end_reason, zone.bands is None)
