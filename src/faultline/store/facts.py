"""A database address in, an engine with the project's tables and a checked schema version out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy import event

from faultline.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

__all__ = (
    "SCHEMA_VERSION",
    "TABLES",
    "alert_deliveries_table",
    "alert_progress_table",
    "alert_rules_table",
    "events_table",
    "open_facts",
    "replay_runs_table",
    "score_history_table",
    "scores_table",
    "zone_states_table",
)

#: Version of the tables below. Versions 2 to 4 only added tables, so an older file gains them; a newer one is refused.
SCHEMA_VERSION: Final = 4
#: All tables.
TABLES: Final = sa.MetaData()

_meta_table: Final = sa.Table(
    "meta",
    TABLES,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.Integer, nullable=False),
)
#: Evaluation reports: one per asset and refresh interval, the last one wins.
scores_table: Final = sa.Table(
    "scores",
    TABLES,
    sa.Column("asset", sa.String(32), primary_key=True),
    sa.Column("refresh_s", sa.Integer, primary_key=True),
    sa.Column("from_ms", sa.BigInteger, nullable=False),
    sa.Column("to_ms", sa.BigInteger, nullable=False),
    sa.Column("n_scored", sa.Integer, nullable=False),
    sa.Column("report", sa.Text, nullable=False),
)
#: What evaluations found over time: one row per asset, refresh interval and UTC day in which the scored window ends.
score_history_table: Final = sa.Table(
    "score_history",
    TABLES,
    sa.Column("asset", sa.String(32), primary_key=True),
    sa.Column("refresh_s", sa.Integer, primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True),
    sa.Column("from_ms", sa.BigInteger, nullable=False),
    sa.Column("to_ms", sa.BigInteger, nullable=False),
    sa.Column("n_scored", sa.Integer, nullable=False),
    sa.Column("gains", sa.Text, nullable=False),
)
#: Replays that ran to their end, by the hash of their manifest.
replay_runs_table: Final = sa.Table(
    "replay_runs",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("manifest_sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("tape_sha256", sa.String(64), nullable=False),
    sa.Column("manifest", sa.Text, nullable=False),
)
#: Events in the order they became known; ``seq`` is what a stream client resumes from.
events_table: Final = sa.Table(
    "events",
    TABLES,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(24), nullable=False, unique=True),
    sa.Column("type", sa.String(32), nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("asset", sa.String(32), nullable=False),
    sa.Column("venue", sa.String(32)),
    sa.Column("detected_at_ns", sa.BigInteger, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Index("events_by_asset", "asset", "detected_at_ns"),
    sa.Index("events_by_type", "type", "seq"),
    sqlite_autoincrement=True,
)
#: States of zones, each valid from ``from_ns`` until the next of the same zone; the last one has ``is_end``.
zone_states_table: Final = sa.Table(
    "zone_states",
    TABLES,
    sa.Column("run", sa.String(24), primary_key=True),
    sa.Column("scope", sa.String(64), primary_key=True),
    sa.Column("zone_id", sa.String(64), primary_key=True),
    sa.Column("from_ns", sa.BigInteger, primary_key=True),
    sa.Column("is_end", sa.Boolean, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Index("zone_states_by_time", "run", "scope", "from_ns"),
)
#: Alert rules that people made on the page.
alert_rules_table: Final = sa.Table(
    "alert_rules",
    TABLES,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
)
#: What was sent, or could not be sent, to whom.
alert_deliveries_table: Final = sa.Table(
    "alert_deliveries",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("rule", sa.String(64), nullable=False),
    sa.Column("target", sa.String(64), nullable=False),
    sa.Column("event_id", sa.String(24), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_ns", sa.BigInteger, nullable=False),
    sa.Column("updated_ns", sa.BigInteger, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.UniqueConstraint("rule", "target", "event_id"),
    sa.Index("deliveries_by_state", "state", "due_ns"),
    sqlite_autoincrement=True,
)
#: Up to which event the alert rules have been asked: what stands in ``alert_deliveries`` cannot tell.
alert_progress_table: Final = sa.Table(
    "alert_progress",
    TABLES,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
)


def open_facts(target: Path | str) -> sa.Engine:
    """Open (and create where missing) the database of facts.

    Args:
        target: path of a SQLite file, or any SQLAlchemy URL.

    Raises:
        StoreError: the file is not a database, cannot be written, or has another schema version.
    """
    is_url = isinstance(target, str) and "://" in target
    where = str(target)
    try:
        url = (
            sa.make_url(target)
            if isinstance(target, str) and is_url
            else sa.URL.create("sqlite", database=where)
        )
        if url.get_backend_name() == "sqlite" and url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(url)
        where = url.render_as_string(hide_password=True)
        if url.get_backend_name() == "sqlite":
            event.listen(engine, "connect", _set_pragmas)
        _check_schema(engine, where)
    except (sa.exc.SQLAlchemyError, OSError) as exc:
        raise StoreError(
            f"the database of facts cannot be opened: {type(exc).__name__}",
            where=where,
            hint="check path and permissions; a damaged file can be moved away, it is built again",
        ) from exc
    return engine


def _set_pragmas(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.close()


def _check_schema(engine: sa.Engine, where: str) -> None:
    with engine.begin() as connection:
        tables = set(sa.inspect(connection).get_table_names())
        if not tables:
            TABLES.create_all(connection)
            connection.execute(sa.insert(_meta_table).values(name="schema_version", value=SCHEMA_VERSION))
            return
        found = None
        if _meta_table.name in tables:
            query = sa.select(_meta_table.c.value).where(_meta_table.c.name == "schema_version")
            found = connection.execute(query).scalar_one_or_none()
        if found is not None and found < SCHEMA_VERSION:
            TABLES.create_all(connection)
            this = _meta_table.c.name == "schema_version"
            connection.execute(sa.update(_meta_table).where(this).values(value=SCHEMA_VERSION))
            found = SCHEMA_VERSION
    if found != SCHEMA_VERSION:
        engine.dispose()
        raise StoreError(
            f"the database has schema version {found}, this program needs {SCHEMA_VERSION}",
            where=where,
            hint="use another file, or move this one away: what is in it can be computed again",
        )
