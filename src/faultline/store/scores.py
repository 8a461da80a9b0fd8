"""Evaluation reports and replay manifests in, the last of each and gains over baselines by day out, across restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import sqlalchemy as sa

from faultline.errors import StoreError
from faultline.store.facts import open_facts, replay_runs_table, score_history_table, scores_table
from faultline.units import DAY_NS, MILLISECOND_NS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ("HISTORY_DAYS", "ScoreStore")

#: Days of which gains are kept, per asset and refresh interval; the newest.
HISTORY_DAYS: Final = 400
#: What all scores are measured over.
_REFERENCE: Final = "B0"


class ScoreStore:
    """Last evaluation per asset and refresh interval, gains over baselines by day, manifests of finished replays.

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
        """Keep a report in place of the one before it of the same asset and refresh interval, and its gains by day.

        Of evaluations whose scored windows end on the same UTC day the last one counts.

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
            past = score_history_table
            mine = (past.c.asset == asset) & (past.c.refresh_s == refresh_s)
            # The end is exclusive: a window that ends at midnight is of the day before.
            day = (to_ns - 1) // DAY_NS
            newest = sa.select(past.c.day).where(mine).order_by(past.c.day.desc()).limit(HISTORY_DAYS - 1)
            connection.execute(sa.delete(past).where(mine & (past.c.day == day)))
            connection.execute(sa.delete(past).where(mine & past.c.day.not_in(newest)))
            gains = msgspec.json.encode(_gains(report)).decode()
            row = {name: value for name, value in values.items() if name != "report"}
            connection.execute(sa.insert(past).values(**key, **row, day=day, gains=gains))

    def history(self, asset: str) -> list[dict[str, Any]]:
        """Gains in T of models over baselines, by refresh interval and day, oldest first.

        Raises:
            StoreError: what was kept is not JSON.
        """
        past = score_history_table
        query = sa.select(past).where(past.c.asset == asset).order_by(past.c.refresh_s, past.c.day)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        names = ("refresh_s", "from_ms", "to_ms", "n_scored")
        return [
            {"gains": self._parsed(row["gains"], asset, list[Any]), **{name: row[name] for name in names}}
            for row in rows
        ]

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

    def _parsed(self, text: str, where: str, kind: Any = dict[str, Any]) -> Any:
        try:
            parsed = msgspec.json.decode(text, type=kind)
        except msgspec.DecodeError as exc:
            raise StoreError(
                "a kept report is not JSON", where=where, hint="evaluate again, the row is replaced"
            ) from exc
        return parsed


def _gains(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every difference in T with its interval, and T of the models of these over the reference, from a report."""
    models, differences = report.get("models"), report.get("differences")
    if not isinstance(models, list) or not isinstance(differences, list):
        return []
    compared = [row for row in differences if row["metric"] == "t"]
    gains = [
        {"model": row["a"], "baseline": row["b"], "mean": row["mean"], "ci": row["ci"]} for row in compared
    ]
    named = {row[end] for row in compared for end in ("a", "b")}
    return gains + [
        {"model": row["name"], "baseline": _REFERENCE, "mean": row["t"], "ci": row["ci_t"]}
        for row in models
        if row["name"] in named and "ci_t" in row
    ]
