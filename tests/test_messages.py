"""Columns, order and merging of every kind of message."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.messages import (
    HEADER,
    KINDS,
    NO_SEQ,
    Batch,
    Flag,
    Kind,
    empty_rows,
    join_rows,
    merge_batches,
    sort_rows,
)


def rows_at(kind, times, seqs=None):
    rows = empty_rows(kind, len(times))
    rows["ts_received_ns"] = times
    if seqs is not None:
        rows["seq"] = seqs
    return rows


def test_every_kind_has_a_specification_with_its_own_rank():
    assert set(KINDS) == set(Kind)
    assert sorted(spec.order for spec in KINDS.values()) == list(range(len(Kind)))
    assert [spec.kind for spec in KINDS.values()] == list(KINDS)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_row_begins_with_the_header_and_every_field_has_a_sentence(kind):
    spec = KINDS[kind]
    names = spec.dtype.names
    assert names[: len(HEADER)] == ("ts_event_ns", "ts_received_ns", "flags", "seq")
    assert len(set(names)) == len(names)
    assert spec.row_is.endswith(".")
    assert all(field.meaning.endswith(".") for field in spec.fields)


@pytest.mark.parametrize("kind", list(Kind))
def test_field_names_carry_their_unit(kind):
    """A float is a price, a notional, a quantity, a ratio or one of the three that have no unit."""
    suffixes = ("_usd", "_base", "_ratio", "_ns")
    unitless = {"leverage", "max_leverage", "contract_size"}
    for field in KINDS[kind].fields:
        if field.dtype == "<f8":
            assert field.name.endswith(suffixes) or field.name in unitless, field.name
        if field.name.endswith("_ns"):
            assert field.dtype == "<i8"


@pytest.mark.parametrize("kind", list(Kind))
def test_empty_rows_know_nothing(kind):
    rows = empty_rows(kind, 3)
    assert rows.dtype == KINDS[kind].dtype
    assert (rows["seq"] == NO_SEQ).all()
    for field in KINDS[kind].fields:
        if field.dtype == "<f8":
            assert np.isnan(rows[field.name]).all()


def test_flags_are_single_distinct_bits():
    values = [flag.value for flag in Flag]
    assert all(value.bit_count() == 1 for value in values)
    assert len(set(values)) == len(values)


def test_a_batch_refuses_rows_of_another_kind():
    with pytest.raises(ValueError, match="rows of kind bar must have the dtype"):
        Batch(Kind.BAR, "a:B", empty_rows(Kind.TRADE))


@pytest.mark.parametrize("instrument_id", ["", "binance", ":BTCUSDT", "binance:"])
def test_a_batch_refuses_an_id_that_is_not_venue_and_symbol(instrument_id):
    with pytest.raises(ValueError, match="venue:SYMBOL"):
        Batch(Kind.BAR, instrument_id, empty_rows(Kind.BAR))


def test_a_batch_knows_its_venue_and_symbol():
    batch = Batch(Kind.BAR, "mixed-total:BTC", empty_rows(Kind.BAR, 2))
    assert (batch.venue, batch.symbol, len(batch)) == ("mixed-total", "BTC", 2)


def test_a_batch_may_hold_few_fields_of_its_kind_but_never_without_the_receive_time():
    whole = KINDS[Kind.TRADE].dtype
    few = np.dtype([(name, whole[name]) for name in ("ts_received_ns", "price_usd")])
    assert len(Batch(Kind.TRADE, "binance:BTCUSDT", np.zeros(3, few))) == 3
    for bad in ([("price_usd", "<f8")], [("ts_received_ns", "<i8"), ("price_usd", "<f4")]):
        with pytest.raises(ValueError, match="must have the dtype"):
            Batch(Kind.TRADE, "binance:BTCUSDT", np.zeros(3, np.dtype(bad)))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-1, 5)), max_size=40))
def test_rows_are_sorted_by_receive_time_then_sequence_then_input(pairs):
    rows = rows_at(Kind.TRADE, [time for time, _ in pairs], [seq for _, seq in pairs])
    rows["price_usd"] = np.arange(len(pairs))
    expected = sorted(range(len(pairs)), key=lambda i: (pairs[i][0], pairs[i][1], i))
    assert sort_rows(rows)["price_usd"].tolist() == expected


def test_merging_gives_one_sorted_batch_per_kind_and_instrument_in_total_order():
    merged = merge_batches(
        [
            Batch(Kind.LIQUIDATION, "okx:A", rows_at(Kind.LIQUIDATION, [1])),
            Batch(Kind.TRADE, "okx:A", rows_at(Kind.TRADE, [5, 6])),
            Batch(Kind.TRADE, "binance:B", rows_at(Kind.TRADE, [2])),
            Batch(Kind.TRADE, "okx:A", rows_at(Kind.TRADE, [3])),
            Batch(Kind.GAP, "okx:A", rows_at(Kind.GAP, [9])),
        ]
    )
    assert [(batch.kind, batch.instrument_id) for batch in merged] == [
        (Kind.GAP, "okx:A"),
        (Kind.TRADE, "binance:B"),
        (Kind.TRADE, "okx:A"),
        (Kind.LIQUIDATION, "okx:A"),
    ]
    assert merged[2].rows["ts_received_ns"].tolist() == [3, 5, 6]


@given(st.permutations(range(6)))
def test_merging_does_not_depend_on_the_order_of_distinct_batches(order):
    parts = [
        Batch(Kind.TRADE, f"okx:{'AB'[i % 2]}", rows_at(Kind.TRADE, [10 * i, 10 * i + 1])) for i in range(6)
    ]
    merged = merge_batches([parts[i] for i in order])
    again = merge_batches(parts)
    assert [batch.rows.tobytes() for batch in merged] == [batch.rows.tobytes() for batch in again]


def test_rows_of_two_dtypes_are_not_joined():
    rows = rows_at(Kind.TRADE, [1])
    assert join_rows([rows, rows_at(Kind.TRADE, [2, 3])])["ts_received_ns"].tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="rows of one dtype"):
        join_rows([rows, rows_at(Kind.MARK, [1])])


def test_merging_nothing_gives_nothing():
    assert merge_batches([]) == []
