"""Alert rules made on the page and deliveries in, what is still to be sent and what became of the rest out."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import msgspec
import sqlalchemy as sa

from faultline.errors import StoreError
from faultline.store.alert_rules import AlertRule, Delivery
from faultline.store.facts import (
    alert_deliveries_table,
    alert_progress_table,
    alert_rules_table,
    open_facts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ("AlertStore",)

_row: Final = alert_deliveries_table.c
#: Fields of a delivery that have a column of their own; the others stand in its body.
_COLUMNS: Final = ("rule", "target", "event_id", "state", "attempts", "due_ns", "updated_ns")

#: The row of ``alert_progress`` that tells how far the log of events was looked at.
_EVENTS: Final = "events"
#: Events looked up by one query.
_IDS_MAX: Final = 500


class AlertStore:
    """Rules, deliveries and how far the events have been looked at, across restarts.

    Every method is one transaction; what it returned from survives the end of the process. Methods may be
    called from any thread; only one desk writes deliveries.

    Args:
        target: path of a SQLite file or an SQLAlchemy URL.

    Raises:
        StoreError: the database cannot be opened or has another schema version.
    """

    def __init__(self, target: Path | str) -> None:
        self._engine = open_facts(target)
        self._where = self._engine.url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def rules(self) -> list[AlertRule]:
        """Every rule made on the page, by name.

        Raises:
            StoreError: a kept rule is not a rule (any more).
        """
        query = sa.select(alert_rules_table).order_by(alert_rules_table.c.name)
        with self._transaction() as connection:
            rows = connection.execute(query).mappings().all()
        found = []
        for row in rows:
            try:
                found.append(msgspec.json.decode(row["body"], type=AlertRule))
            except msgspec.DecodeError as exc:
                raise StoreError(
                    f"the kept alert rule {row['name']!r} cannot be read: {exc}",
                    where=self._where,
                    hint="delete the row and make the rule again",
                ) from exc
        return found

    def write_rule(self, rule: AlertRule) -> None:
        """Keep a rule in place of the one of the same name."""
        body = msgspec.json.encode(rule).decode()
        with self._transaction() as connection:
            connection.execute(sa.delete(alert_rules_table).where(alert_rules_table.c.name == rule.name))
            connection.execute(sa.insert(alert_rules_table).values(name=rule.name, body=body))

    def delete_rule(self, name: str) -> bool:
        """Forget a rule; False where there is none of that name."""
        with self._transaction() as connection:
            done = connection.execute(sa.delete(alert_rules_table).where(alert_rules_table.c.name == name))
            return bool(done.rowcount)

    def seen_seq(self) -> int | None:
        """Number of the last event that the rules were asked about; None before the first."""
        query = sa.select(alert_progress_table.c.seq).where(alert_progress_table.c.name == _EVENTS)
        with self._transaction() as connection:
            found: int | None = connection.execute(query).scalar_one_or_none()
        return found

    def record(self, seen_seq: int, deliveries: Sequence[Delivery]) -> int:
        """Keep new deliveries together with the number of the last event they come from.

        A delivery of the same rule, target and event is kept once.

        Args:
            seen_seq: number of the last event that the rules were asked about.
            deliveries: what the rules answered.

        Returns:
            How many deliveries were not there before.
        """
        with self._transaction() as connection:
            known: set[tuple[str, str, str]] = set()
            ids = sorted({item.event_id for item in deliveries})
            for start in range(0, len(ids), _IDS_MAX):
                same = _row.event_id.in_(ids[start : start + _IDS_MAX])
                query = sa.select(_row.rule, _row.target, _row.event_id).where(same)
                known |= {(rule, target, event_id) for rule, target, event_id in connection.execute(query)}
            fresh: dict[tuple[str, str, str], dict[str, object]] = {}
            for item in deliveries:
                key = (item.rule, item.target, item.event_id)
                if key not in known:
                    fresh.setdefault(key, _values(item))
            if fresh:
                connection.execute(sa.insert(alert_deliveries_table), list(fresh.values()))
            connection.execute(sa.delete(alert_progress_table).where(alert_progress_table.c.name == _EVENTS))
            connection.execute(sa.insert(alert_progress_table).values(name=_EVENTS, seq=seen_seq))
        return len(fresh)

    def pending(self, limit: int) -> list[Delivery]:
        """Deliveries that wait, the longest due first."""
        query = (
            sa.select(alert_deliveries_table)
            .where(_row.state == "pending")
            .order_by(_row.due_ns, _row.id)
            .limit(limit)
        )
        return self._deliveries(query)

    def newest(self, limit: int) -> list[Delivery]:
        """The newest deliveries, newest first."""
        return self._deliveries(sa.select(alert_deliveries_table).order_by(_row.id.desc()).limit(limit))

    def updated_since(self, moment_ns: int) -> list[Delivery]:
        """Deliveries changed at or after a moment, oldest first."""
        query = sa.select(alert_deliveries_table).where(_row.updated_ns >= moment_ns).order_by(_row.id)
        return self._deliveries(query)

    def update(self, item: Delivery) -> None:
        """Keep a delivery as it is now."""
        with self._transaction() as connection:
            change = sa.update(alert_deliveries_table).where(_row.id == item.id).values(**_values(item))
            connection.execute(change)

    def counts(self) -> dict[str, int]:
        """Deliveries by state."""
        query = sa.select(_row.state, sa.func.count()).group_by(_row.state)
        with self._transaction() as connection:
            return {str(state): int(n) for state, n in connection.execute(query)}

    def prune(self, keep: int) -> int:
        """Forget finished deliveries but for the newest; those that wait always stay.

        Returns:
            How many were forgotten.
        """
        query = sa.select(_row.id).order_by(_row.id.desc()).offset(keep).limit(1)
        with self._transaction() as connection:
            last = connection.execute(query).scalar_one_or_none()
            if last is None:
                return 0
            old = sa.delete(alert_deliveries_table).where(_row.id <= last, _row.state != "pending")
            return int(connection.execute(old).rowcount)

    def _deliveries(self, query: sa.Select[tuple[object, ...]]) -> list[Delivery]:
        with self._transaction() as connection:
            rows = connection.execute(query).mappings().all()
        try:
            return [
                msgspec.convert(
                    {
                        **msgspec.json.decode(row["body"], type=dict[str, object]),
                        **{name: row[name] for name in ("id", *_COLUMNS)},
                    },
                    Delivery,
                )
                for row in rows
            ]
        except msgspec.DecodeError as exc:
            raise StoreError(
                f"a kept delivery cannot be read: {exc}", where=self._where, hint="delete the row"
            ) from exc

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as exc:
            raise StoreError(
                f"alerts cannot be kept: {type(exc).__name__}",
                where=self._where,
                hint="check space and permissions of the disk",
            ) from exc


def _values(item: Delivery) -> dict[str, object]:
    """Columns of a delivery."""
    fields = msgspec.structs.asdict(item)
    del fields["id"]
    columns: dict[str, object] = {name: fields.pop(name) for name in _COLUMNS}
    return {**columns, "body": msgspec.json.encode(fields).decode()}
