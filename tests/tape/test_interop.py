"""Sealed files are plain Parquet: DuckDB and pyarrow read them, and the columns mean what the documentation says."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from tests.tape.rows import BTC, random_rows, trades, write_tape

from faultline.messages import KINDS, Batch, Kind
from faultline.tape import Tape, duckdb_sql


def as_plain(rows, name):
    """Values of a field as SQL gives them: None for NaN."""
    column = rows[name]
    if column.dtype.kind == "f":
        return [None if np.isnan(value) else value for value in column.tolist()]
    return [value.decode() for value in column.tolist()] if column.dtype.kind == "S" else column.tolist()


@pytest.mark.parametrize("kind", list(Kind))
def test_duckdb_reads_every_kind_as_documented(tmp_path, kind):
    first, second = random_rows(kind, 60, 1), random_rows(kind, 60, 2)
    for field in KINDS[kind].fields:
        if field.dtype == "<f8":
            second[field.name] /= 100
    path = write_tape(tmp_path / "tape", [Batch(kind, BTC, first)])
    write_tape(path, [Batch(kind, BTC, second), Batch(kind, "okx:X", first)])
    tape = Tape(path)
    names = ", ".join(KINDS[kind].dtype.names)
    query = (
        f"SELECT {names} FROM ({duckdb_sql(tape, kind)}) WHERE venue = 'binance' ORDER BY ts_received_ns, seq"
    )
    rows = tape.read(kind, BTC)
    columns = list(zip(*duckdb.sql(query).fetchall(), strict=True))
    for name, values in zip(KINDS[kind].dtype.names, columns, strict=True):
        assert list(values) == as_plain(rows, name), name


def test_sql_of_a_kind_without_rows_selects_nothing(tmp_path):
    tape = Tape(write_tape(tmp_path / "tape", [trades(1, 1)]))
    assert duckdb.sql(duckdb_sql(tape, Kind.BAR)).fetchall() == []


def test_duckdb_sees_partitions_in_the_folder_names(tmp_path):
    path = write_tape(tmp_path / "tape", [trades(30, 1), trades(20, 2, "okx:BTC/USD:x")])
    files = f"{path}/kind=trade/**/*.parquet"
    query = f"SELECT venue, symbol, count(*) FROM read_parquet('{files}') GROUP BY ALL ORDER BY 1"
    assert duckdb.sql(query).fetchall() == [("binance", "BTCUSDT", 30), ("okx", "BTC/USD:x", 20)]


def test_pyarrow_datasets_read_the_folder(tmp_path):
    path = write_tape(tmp_path / "tape", [trades(30, 1)])
    table = ds.dataset(path / "kind=trade", partitioning="hive", format="parquet").to_table()
    assert table.num_rows == 30
    assert {"price_usd_e1", "venue", "symbol", "date"} <= set(table.column_names)


def test_files_are_delta_packed_zstd_with_statistics(tmp_path):
    path = write_tape(tmp_path / "tape", [trades(300, 1)])
    (file,) = path.glob("kind=trade/*/*/*/*.parquet")
    group = pq.read_metadata(file).row_group(0)
    by_name = {group.column(index).path_in_schema: group.column(index) for index in range(group.num_columns)}
    price = by_name["price_usd_e1"]
    assert price.physical_type == "INT64"
    assert "DELTA_BINARY_PACKED" in price.encodings
    assert {column.compression for column in by_name.values()} == {"ZSTD"}
    assert all(column.is_stats_set for column in by_name.values())
    pq.ParquetFile(file, page_checksum_verification=True).read()
