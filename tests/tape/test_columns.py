"""Rows to Parquet columns and back."""

from __future__ import annotations

import datetime as dt
import decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tape.rows import BTC, any_kind, hostile_rows, on_disk, random_rows, same

from faultline.messages import KINDS, Kind, empty_rows, sort_rows
from faultline.tape.columns import Column, arrow_schema, columns_of, encode_rows, misfits, widen
from faultline.tape.parts import PartReader, group_slices, place_parts, write_part


def decoded(path, kind, rows, columns=None):
    draft = write_part(
        path, (kind, BTC), (False, ""), (1, 1), columns or columns_of(kind, rows), group_slices(rows)
    )
    (part,) = place_parts(path, [draft])
    reader = PartReader(part, (False, ""))
    result = np.empty(len(rows), rows.dtype)
    reader.read_into(
        {name: result[name] for name in rows.dtype.names}, 0, rows.dtype.names, 0, len(reader.groups)
    )
    return result


def naive_decoded(table, columns, dtype):
    """Slow twin of the decoder: value by value, through decimal text and Python integers."""
    rows = np.zeros(table.num_rows, dtype)
    cells = {column.field: table.column(column.name).to_pylist() for column in columns}
    for column in columns:
        for index, cell in enumerate(cells[column.field]):
            match column.form:
                case "decimal":
                    value = (
                        np.nan if cell is None else float(str(decimal.Decimal(cell).scaleb(-column.scale)))
                    )
                case "float":
                    value = np.nan if cell is None else cell
                case "time":
                    value = cell * column.scale
                case "delay":
                    value = int(rows["ts_event_ns"][index]) + cell * column.scale
                case "text":
                    value = cell.encode()
                case _:
                    value = cell
            rows[column.field][index] = value
    return rows


@pytest.mark.timeout(900)
@on_disk
@given(st.data())
def test_every_row_of_every_kind_comes_back_bit_by_bit(tmp_path_factory, data):
    kind = data.draw(any_kind())
    rows = sort_rows(data.draw(hostile_rows(kind)))
    assert same(decoded(tmp_path_factory.mktemp("part"), kind, rows), rows)


@pytest.mark.timeout(900)
@on_disk
@given(st.data())
def test_decoder_equals_its_slow_twin(tmp_path_factory, data):
    kind = data.draw(any_kind())
    rows = sort_rows(data.draw(hostile_rows(kind)))
    columns = columns_of(kind, rows)
    table = encode_rows(columns, arrow_schema(kind, columns), rows)
    twin = naive_decoded(table, columns, rows.dtype)
    assert same(decoded(tmp_path_factory.mktemp("part"), kind, rows), twin)


@pytest.mark.timeout(900)
@on_disk
@given(st.data())
def test_widened_columns_hold_both_files(tmp_path_factory, data):
    kind = data.draw(any_kind())
    first, second = (sort_rows(data.draw(hostile_rows(kind))) for _ in range(2))
    plans = [columns_of(kind, rows) for rows in (first, second)]
    wrong = {name for rows in (first, second) for name in misfits(widen(plans), rows)}
    columns = widen(plans, wrong)
    for rows in (first, second):
        assert same(decoded(tmp_path_factory.mktemp("part"), kind, rows, columns), rows)


def test_column_names_tell_scale_and_unit():
    assert Column("price_usd", "decimal", 1).name == "price_usd_e1"
    assert Column("ts_event_ns", "time", 10**6).name == "ts_event_ms"
    assert Column("ts_received_ns", "delay", 1).name == "ts_received_after_ns"
    assert Column("qty_base", "float").name == "qty_base"


def test_trades_are_stored_as_ticks_lots_and_milliseconds():
    rows = random_rows(Kind.TRADE, 500, 1)
    rows["ts_event_ns"] = rows["ts_event_ns"] // 10**6 * 10**6
    rows["ts_received_ns"] = rows["ts_event_ns"]
    names = [column.name for column in columns_of(Kind.TRADE, sort_rows(rows))]
    assert names == [
        "ts_event_ms",
        "ts_received_after_s",
        "flags",
        "seq",
        "price_usd_e1",
        "qty_base_e1",
        "taker_side",
        "cause",
    ]


def test_receive_times_stay_absolute_where_delays_are_wider():
    rows = empty_rows(Kind.OPEN_INTEREST, 200)
    rows["ts_received_ns"] = np.arange(200) * 10**9
    rows["ts_event_ns"] = np.random.default_rng(1).integers(0, 10**17, 200)
    column = columns_of(Kind.OPEN_INTEREST, rows)[1]
    assert (column.form, column.scale) == ("time", 10**9)


@pytest.mark.parametrize("value", [dt.datetime(1678, 1, 1), dt.datetime(2261, 12, 31)])
def test_times_at_the_ends_of_the_calendar_come_back(tmp_path, value):
    rows = empty_rows(Kind.TRADE, 2)
    rows["ts_received_ns"] = np.datetime64(value, "ns").astype(np.int64)
    rows["ts_event_ns"] = 0
    assert same(decoded(tmp_path, Kind.TRADE, rows), rows)


def test_every_field_of_every_kind_has_a_form():
    for kind in Kind:
        columns = columns_of(kind, random_rows(kind, 10, 1))
        assert tuple(column.field for column in columns) == KINDS[kind].dtype.names
