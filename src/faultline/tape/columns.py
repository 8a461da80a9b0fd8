"""Rows of one kind in, the columns of a sealed file out, and back, bit by bit.

A field may be stored in one of these forms; the column's name says which, so that a query over files with different
forms fails or sees two columns, and never mixes scales:

=========  ===================================  ==================================================================
form       column of ``price_usd``, times       meaning
=========  ===================================  ==================================================================
decimal    ``price_usd_e1``                     integer ticks; value = ticks / 10**1; NaN is null
float      ``price_usd``                        float64 as is; NaN is null (the payload of a NaN is not kept)
integer    the field's name                     integer as is
text       the field's name                     UTF-8
bytes      the field's name                     bytes that are not UTF-8
time       ``ts_event_ms`` (s, ms, us, ns)      time in the largest unit that divides every value
delay      ``ts_received_after_us``             receive time minus event time, where that is smaller
=========  ===================================  ==================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import numpy as np
import pyarrow as pa

from faultline.messages import KINDS, Kind
from faultline.tape.scaling import (
    decimal_scale,
    fill_floats_kernel,
    fill_times_kernel,
    is_exact,
    ticks_of_floats,
    time_unit_ns,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

__all__ = (
    "Column",
    "Form",
    "arrow_schema",
    "columns_of",
    "encode_rows",
    "encodings_of",
    "fill_field",
    "misfits",
    "widen",
)

#: How a field is stored.
Form = Literal["decimal", "float", "integer", "text", "bytes", "time", "delay"]

_UNIT_NAMES: Final = {1_000_000_000: "s", 1_000_000: "ms", 1_000: "us", 1: "ns"}
_EVENT: Final = "ts_event_ns"
_RECEIVED: Final = "ts_received_ns"
#: Differences of times within these bounds cannot overflow.
_TIME_MAX: Final = 2**62
_MINIBLOCK_ROWS: Final = 32
_SAMPLE_ROWS: Final = 65_536


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one field is stored in one file."""

    field: str
    form: Form
    #: Digits after the point (decimal), nanoseconds of a unit (time, delay), else 0.
    scale: int = 0
    #: True where some value is NaN.
    has_nulls: bool = False
    #: The field's only value in the whole file (integers and times): such a column need not be decoded.
    constant: int | None = None

    @property
    def name(self) -> str:
        """Name of the column in the file."""
        match self.form:
            case "decimal":
                return f"{self.field}_e{self.scale}"
            case "time":
                return f"{self.field.removesuffix('_ns')}_{_UNIT_NAMES[self.scale]}"
            case "delay":
                return f"{self.field.removesuffix('_ns')}_after_{_UNIT_NAMES[self.scale]}"
            case _:
                return self.field


def columns_of(kind: Kind, rows: NDArray[np.void]) -> tuple[Column, ...]:
    """The smallest exact form of every field of ``rows`` (at least one row, sorted by receive time)."""
    dtype = KINDS[kind].dtype
    return tuple(_column_of(rows, name, dtype[name]) for name in dtype.names or ())


def widen(plans: Sequence[tuple[Column, ...]], as_float: Iterable[str] = ()) -> tuple[Column, ...]:
    """Forms that hold what every plan holds; the fields in ``as_float`` become floats."""
    floats = frozenset(as_float)
    event_unit_ns = min(column.scale for plan in plans for column in plan if column.field == _EVENT)
    widened = []
    for columns in zip(*plans, strict=True):
        first = columns[0]
        forms = {column.form for column in columns}
        has_nulls = any(column.has_nulls for column in columns)
        scales = [column.scale for column in columns]
        if first.field in floats or "float" in forms:
            widened.append(Column(first.field, "float", 0, has_nulls))
        elif "decimal" in forms:
            widened.append(Column(first.field, "decimal", max(scales), has_nulls))
        elif forms == {"time", "delay"}:
            widened.append(Column(first.field, "time", min(*scales, event_unit_ns)))
        elif "time" in forms or "delay" in forms:
            constant = first.constant if len({column.constant for column in columns}) == 1 else None
            widened.append(Column(first.field, first.form, min(scales), constant=constant))
        else:
            constant = first.constant if len({column.constant for column in columns}) == 1 else None
            widened.append(
                Column(first.field, "bytes" if "bytes" in forms else first.form, constant=constant)
            )
    return tuple(widened)


def misfits(columns: Iterable[Column], rows: NDArray[np.void]) -> list[str]:
    """Decimal fields whose values do not come back exactly at the column's scale."""
    return [
        column.field
        for column in columns
        if column.form == "decimal" and not _fits(np.ascontiguousarray(rows[column.field]), column.scale)
    ]


def arrow_schema(kind: Kind, columns: Iterable[Column]) -> pa.Schema:
    """Arrow schema of a file."""
    dtype = KINDS[kind].dtype
    fields = [
        pa.field(column.name, _arrow_type(column, dtype[column.field]), column.has_nulls)
        for column in columns
    ]
    return pa.schema(fields)


def encodings_of(columns: Iterable[Column]) -> tuple[list[str], dict[str, str]]:
    """Columns that get a dictionary, and the Parquet encoding of the others."""
    dictionary = []
    encodings = {}
    for column in columns:
        if column.form in ("text", "bytes"):
            dictionary.append(column.name)
        else:
            encodings[column.name] = "BYTE_STREAM_SPLIT" if column.form == "float" else "DELTA_BINARY_PACKED"
    return dictionary, encodings


def encode_rows(columns: Sequence[Column], schema: pa.Schema, rows: NDArray[np.void]) -> pa.Table:
    """Arrow table of ``rows`` in the given forms."""
    arrays = [_encode(column, field.type, rows) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def fill_field(
    target: NDArray[Any], column: Column, values: pa.Array | None, event_ns: NDArray[Any] | None
) -> None:
    """Write one decoded column into ``target`` (same length; may be a strided view of a row array).

    Args:
        target: where the values go.
        column: how they are stored.
        values: the Arrow column; None for a constant one.
        event_ns: event times of the same rows; None where no column is a delay.
    """
    if values is None:
        constant = column.constant
        if column.form == "delay" and event_ns is not None and constant is not None:
            np.add(event_ns, constant, out=target)
        else:
            target[...] = constant
        return
    match column.form:
        case "decimal":
            ticks = values.to_numpy(zero_copy_only=False)
            if column.scale == 0:
                target[...] = ticks
            else:
                fill_floats_kernel(ticks, 10.0**column.scale, target)
        case "time":
            fill_times_kernel(values.to_numpy(zero_copy_only=False), column.scale, target)
        case "delay":
            fill_times_kernel(values.to_numpy(zero_copy_only=False), column.scale, target)
            if event_ns is not None:
                target += event_ns
        case "text" | "bytes":
            target[...] = np.array(values.cast(pa.binary()).to_pylist(), dtype=target.dtype)
        case _:
            target[...] = values.to_numpy(zero_copy_only=False)


def _column_of(rows: NDArray[np.void], name: str, dtype: np.dtype[np.generic]) -> Column:
    values = np.ascontiguousarray(rows[name])
    if name == _RECEIVED:
        return _received_column(rows, values)
    if name == _EVENT:
        return Column(name, "time", time_unit_ns(values))
    if dtype.kind == "f":
        scale = decimal_scale(values)
        has_nulls = bool(np.isnan(values).any())
        return (
            Column(name, "float", 0, has_nulls)
            if scale is None
            else Column(name, "decimal", scale, has_nulls)
        )
    if dtype.kind == "S":
        return Column(name, "text" if _is_utf8(values) else "bytes")
    return Column(name, "integer", constant=int(values[0]) if (values == values[0]).all() else None)


def _received_column(rows: NDArray[np.void], received_ns: NDArray[np.int64]) -> Column:
    """Receive times: as they are, or as delays after the event where the deltas of those are narrower."""
    unit_ns = time_unit_ns(received_ns)
    event_ns = np.ascontiguousarray(rows[_EVENT])
    extremes = (received_ns[0], received_ns[-1], event_ns.min(), event_ns.max())
    if max(abs(int(value)) for value in extremes) < _TIME_MAX:
        delays_ns = received_ns - event_ns
        delay_unit_ns = time_unit_ns(delays_ns)
        if _packed_bits(delays_ns // delay_unit_ns) < _packed_bits(received_ns // unit_ns):
            is_constant = delays_ns.min() == delays_ns.max()
            return Column(
                _RECEIVED, "delay", delay_unit_ns, constant=int(delays_ns[0]) if is_constant else None
            )
    return Column(_RECEIVED, "time", unit_ns)


def _packed_bits(values: NDArray[np.int64]) -> float:
    """Bits a value takes after delta packing: mean width of a block's spread of deltas."""
    deltas = np.diff(values[:_SAMPLE_ROWS])
    n_blocks = len(deltas) // _MINIBLOCK_ROWS
    if n_blocks == 0:
        return float(np.log2(1.0 + np.ptp(deltas))) if len(deltas) else 0.0
    blocks = deltas[: n_blocks * _MINIBLOCK_ROWS].reshape(n_blocks, _MINIBLOCK_ROWS)
    return float(np.log2(1.0 + np.ptp(blocks, axis=1).astype(np.float64)).mean())


def _fits(values: NDArray[np.float64], scale: int) -> bool:
    known = values[~np.isnan(values)]
    return bool(is_exact(known, scale).all())


def _is_utf8(values: NDArray[np.bytes_]) -> bool:
    try:
        for value in np.unique(values).tolist():
            value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _arrow_type(column: Column, dtype: np.dtype[np.generic]) -> pa.DataType:
    match column.form:
        case "decimal" | "time" | "delay":
            return pa.int64()
        case "text":
            return pa.string()
        case "bytes":
            return pa.binary()
        case _:
            return pa.from_numpy_dtype(dtype)


def _encode(column: Column, arrow_type: pa.DataType, rows: NDArray[np.void]) -> pa.Array:
    values = np.ascontiguousarray(rows[column.field])
    mask = np.isnan(values) if column.has_nulls else None
    match column.form:
        case "decimal":
            return pa.array(ticks_of_floats(values, column.scale), type=arrow_type, mask=mask)
        case "time":
            return pa.array(values // column.scale, type=arrow_type)
        case "delay":
            return pa.array((values - rows[_EVENT]) // column.scale, type=arrow_type)
        case "text" | "bytes":
            return pa.array(values.tolist(), type=pa.binary()).cast(arrow_type)
        case _:
            return pa.array(values, type=arrow_type, mask=mask)
