from __future__ import annotations

import sqlite3

import pytest

from faultline.errors import StoreError
from faultline.store.alerts import AlertStore
from faultline.store.facts import SCHEMA_VERSION
from faultline.store.scores import HISTORY_DAYS, ScoreStore
from faultline.units import DAY_NS, SECOND_NS

REPORT = {"models": [{"name": "map", "ig": 0.5, "t": 1.2, "ci": [0.9, 1.5]}], "differences": []}


def write(store, asset="BTC", refresh_s=300, n_scored=100, report=REPORT):
    store.write_report(
        asset, from_ns=0, to_ns=10 * SECOND_NS, refresh_s=refresh_s, n_scored=n_scored, report=report
    )


def test_the_last_report_per_asset_and_refresh_survives_a_restart(tmp_path):
    path = tmp_path / "deep" / "facts.sqlite"
    store = ScoreStore(path)
    write(store)
    write(store, n_scored=200)
    write(store, asset="ETH")
    write(store, refresh_s=60)
    store.close()
    kept = ScoreStore(path).reports()
    assert [(row["asset"], row["refresh_s"], row["n_scored"]) for row in kept] == [
        ("BTC", 60, 100),
        ("BTC", 300, 200),
        ("ETH", 300, 100),
    ]
    assert kept[0]["models"] == REPORT["models"]
    assert (kept[0]["from_ms"], kept[0]["to_ms"]) == (0, 10_000)


def gained(mean):
    """A report in which the map is ``mean`` better than B4."""
    return {
        "models": [
            {"name": "map", "ig": 1.1, "t": mean + 0.2, "ci": [1.0, 1.2], "ci_t": [mean, mean + 0.4]},
            {"name": "B4", "ig": 0.5, "t": 0.2, "ci": [0.4, 0.6], "ci_t": [0.1, 0.3]},
            {"name": "B1", "ig": 0.1, "t": 0.1, "ci": [0.0, 0.2], "ci_t": [0.0, 0.2]},
        ],
        "differences": [
            {"a": "map", "b": "B4", "metric": "ig", "mean": 0.6, "ci": [0.5, 0.7]},
            {"a": "map", "b": "B4", "metric": "t", "mean": mean, "ci": [mean - 0.1, float("nan")]},
        ],
    }


def keep(store, end_ns, mean, refresh_s=300, asset="BTC"):
    store.write_report(asset, from_ns=0, to_ns=end_ns, refresh_s=refresh_s, n_scored=5, report=gained(mean))


def test_gains_over_baselines_are_kept_by_the_day_on_which_the_scored_window_ends(tmp_path):
    store = ScoreStore(tmp_path / "facts.sqlite")
    keep(store, DAY_NS, 0.1)
    keep(store, DAY_NS + 1, 0.2)
    keep(store, 2 * DAY_NS, 0.3)
    keep(store, DAY_NS, 0.4, refresh_s=60)
    keep(store, DAY_NS, 0.5, asset="ETH")
    store.close()
    kept = ScoreStore(tmp_path / "facts.sqlite").history("BTC")
    assert [(row["refresh_s"], row["to_ms"], row["n_scored"], row["gains"][0]["mean"]) for row in kept] == [
        (60, 86_400_000, 5, 0.4),
        (300, 86_400_000, 5, 0.1),
        (300, 172_800_000, 5, 0.3),
    ]
    assert kept[1]["gains"] == [
        {"model": "map", "baseline": "B4", "mean": 0.1, "ci": [0.0, None]},
        {"model": "map", "baseline": "B0", "mean": pytest.approx(0.3), "ci": [0.1, 0.5]},
        {"model": "B4", "baseline": "B0", "mean": 0.2, "ci": [0.1, 0.3]},
    ]
    assert ScoreStore(tmp_path / "facts.sqlite").history("SOL") == []


def test_only_the_newest_days_are_kept_however_they_came(tmp_path):
    store = ScoreStore(tmp_path / "facts.sqlite")
    for day in (*range(HISTORY_DAYS + 5), 0):
        keep(store, (day + 1) * DAY_NS, 0.1)
    ends = [row["to_ms"] // 86_400_000 for row in store.history("BTC")]
    assert len(ends) == HISTORY_DAYS
    # What was asked for last is kept even where it is older than the rest.
    assert ends == [1, *range(7, HISTORY_DAYS + 6)]


def test_a_damaged_history_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "facts.sqlite"
    store = ScoreStore(path)
    keep(store, DAY_NS, 0.1)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE score_history SET gains = '{}'")
    connection.commit()
    with pytest.raises(StoreError, match="not JSON") as caught:
        store.history("BTC")
    assert caught.value.where == "BTC"


def test_an_unknown_number_comes_back_as_null(tmp_path):
    store = ScoreStore(tmp_path / "facts.sqlite")
    write(store, report={"models": [{"name": "map", "ig": float("nan")}]})
    assert store.reports()[0]["models"] == [{"name": "map", "ig": None}]


def test_a_replay_is_remembered_once(tmp_path):
    store = ScoreStore(tmp_path / "facts.sqlite")
    assert store.write_run("a" * 64, "b" * 64, {"steps": 1}) is True
    assert store.write_run("a" * 64, "b" * 64, {"steps": 2}) is False
    assert store.write_run("c" * 64, "b" * 64, {"steps": 3}) is True
    assert [run["steps"] for run in store.runs()] == [3, 1]


def test_the_database_is_in_write_ahead_mode(tmp_path):
    path = tmp_path / "facts.sqlite"
    ScoreStore(path)
    assert sqlite3.connect(path).execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_another_schema_version_is_refused_with_file_and_hint(tmp_path):
    path = tmp_path / "facts.sqlite"
    ScoreStore(path).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE meta SET value = ?", (SCHEMA_VERSION + 1,))
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match=f"version {SCHEMA_VERSION + 1}") as caught:
        ScoreStore(path)
    assert "facts.sqlite" in caught.value.where
    assert "another file" in caught.value.hint


def test_an_older_database_gains_the_tables_it_lacks_and_nothing_else_in_it_changes(tmp_path):
    path = tmp_path / "facts.sqlite"
    ScoreStore(path).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE meta SET value = 2 WHERE name = 'schema_version'")
    connection.execute("INSERT INTO meta VALUES ('another', 7)")
    connection.execute("DROP TABLE alert_progress")
    connection.execute("DROP TABLE score_history")
    connection.commit()
    connection.close()
    store = AlertStore(path)
    store.record(5, ())
    assert store.seen_seq() == 5
    store.close()
    assert ScoreStore(path).history("BTC") == []
    connection = sqlite3.connect(path)
    kept = dict(connection.execute("SELECT name, value FROM meta"))
    connection.close()
    assert kept == {"schema_version": SCHEMA_VERSION, "another": 7}


def test_somebody_elses_database_is_refused(tmp_path):
    path = tmp_path / "other.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x)")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="version None"):
        ScoreStore(path)


def test_a_file_that_is_not_a_database_is_refused_with_its_name(tmp_path):
    path = tmp_path / "facts.sqlite"
    path.write_bytes(b"not a database, " * 100)
    with pytest.raises(StoreError) as caught:
        ScoreStore(path)
    assert "facts.sqlite" in caught.value.where


def test_a_folder_that_cannot_be_made_is_an_error_with_its_name(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError) as caught:
        ScoreStore(tmp_path / "file" / "facts.sqlite")
    assert "facts.sqlite" in caught.value.where


def test_a_damaged_row_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "facts.sqlite"
    store = ScoreStore(path)
    write(store)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE scores SET report = '{'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="not JSON") as caught:
        store.reports()
    assert caught.value.where == "BTC"


def test_hostile_text_is_kept_as_text(tmp_path):
    store = ScoreStore(tmp_path / "facts.sqlite")
    write(store, asset="'; DROP TABLE scores; --")
    assert store.reports()[0]["asset"] == "'; DROP TABLE scores; --"
