"""Evaluation reports and replay manifests in, the last of each out, across restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from faultline.errors import StoreError
from faultline.store.facts import open_facts, replay_runs_table, scores_table
from faultline.units import MILLISECOND_NS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ("ScoreStore",)


class ScoreStore:
    """Last evaluation per asset and refresh interval, and the manifests of finished replays.

    Args:
        target: path of a SQLite file or an SQLAlchemy URL.

    Raises:
        StoreError: the database cannot be opened or has another schema version.
    """

    def __init__(self, target: Path | str) -> None:
        self._engine = open_facts(target)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def write_report(
        self,
        asset: str,
        *,
        from_ns: int,
        to_ns: int,
        refresh_s: int,
        n_scored: int,
        report: Mapping[str, Any],
    ) -> None:
        """Keep a report in place of the one before it of the same asset and refresh interval.

        Args:
            asset: e.g. ``BTC``.
            from_ns: start of the scored window.
            to_ns: end of the scored window.
            refresh_s: seconds between two forecasts.
            n_scored: liquidations scored.
            report: what ``evaluate`` returns, with ``models`` and ``differences``.
        """
        key = {"asset": asset, "refresh_s": refresh_s}
        values = {
            "from_ms": from_ns // MILLISECOND_NS,
            "to_ms": to_ns // MILLISECOND_NS,
            "n_scored": n_scored,
            "report": msgspec.json.encode(dict(report)).decode(),
        }
        with self._engine.begin() as connection:
            same = (scores_table.c.asset == asset) & (scores_table.c.refresh_s == refresh_s)
            connection.execute(sa.delete(scores_table).where(same))
            connection.execute(sa.insert(scores_table).values(**key, **values))

    def reports(self) -> list[dict[str, Any]]:
        """Every kept report with ``asset``, ``refresh_s``, ``from_ms``, ``to_ms``, ``n_scored`` and its own
        fields.

        Raises:
            StoreError: a kept report is not JSON.
        """
        query = sa.select(scores_table).order_by(scores_table.c.asset, scores_table.c.refresh_s)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        names = ("asset", "refresh_s", "from_ms", "to_ms", "n_scored")
        return [
            {**self._parsed(row["report"], row["asset"]), **{name: row[name] for name in names}}
            for row in rows
        ]

    def write_run(self, manifest_sha256: str, tape_sha256: str, manifest: Mapping[str, Any]) -> bool:
        """Remember a finished replay; False where one with the same manifest is known already."""
        with self._engine.begin() as connection:
            known = sa.select(replay_runs_table.c.id).where(
                replay_runs_table.c.manifest_sha256 == manifest_sha256
            )
            if connection.execute(known).first() is not None:
                return False
            connection.execute(
                sa.insert(replay_runs_table).values(
                    manifest_sha256=manifest_sha256,
                    tape_sha256=tape_sha256,
                    manifest=msgspec.json.encode(dict(manifest)).decode(),
                )
            )
        return True

    def runs(self, limit: int = 100) -> list[dict[str, Any]]:
        """Manifests of finished replays, newest first.

        Raises:
            StoreError: a kept manifest is not JSON.
        """
        query = sa.select(replay_runs_table).order_by(replay_runs_table.c.id.desc()).limit(limit)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [self._parsed(row["manifest"], row["manifest_sha256"]) for row in rows]

    def _parsed(self, text: str, where: str) -> dict[str, Any]:
        try:
            parsed: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.DecodeError as exc:
            raise StoreError(
                "a kept report is not JSON", where=where, hint="evaluate again, the row is replaced"
            ) from exc
        return parsed
