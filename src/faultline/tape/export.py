"""Rows of a tape in, JSON lines, CSV or an Arrow stream out; each row says whether it is simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from faultline.messages import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from faultline.messages import Kind
    from faultline.tape.reader import Tape

__all__ = ("EXPORT_FORMATS", "write_rows")

#: Formats that rows can be written in.
EXPORT_FORMATS: Final = ("jsonl", "csv", "arrow")
#: Rows converted at a time.
_ROWS_MAX: Final = 50_000


def write_rows(
    tape: Tape,
    kind: Kind,
    instrument_ids: Sequence[str],
    stream: BinaryIO,
    output: str,
    from_ns: int | None = None,
    to_ns: int | None = None,
) -> None:
    """Write rows of a kind received in [from_ns, to_ns) to a binary stream, instrument by instrument.

    Raises:
        TapeCorrupt: a file that is needed is damaged.
        ValueError: ``output`` is not one of ``EXPORT_FORMATS``.
    """
    if output not in EXPORT_FORMATS:
        msg = f"no format {output!r}; there are {', '.join(EXPORT_FORMATS)}"
        raise ValueError(msg)
    schema = _table(kind, "", KINDS[kind].dtype, tape).schema
    tables = _tables(tape, kind, instrument_ids, from_ns, to_ns)
    if output == "jsonl":
        for table in tables:
            stream.writelines(msgspec.json.encode(row) + b"\n" for row in table.to_pylist())
    elif output == "csv":
        with pa_csv.CSVWriter(stream, schema) as writer:
            for table in tables:
                writer.write_table(table)
    else:
        with pa.ipc.new_stream(stream, schema) as sink:
            for table in tables:
                sink.write_table(table)


def _tables(
    tape: Tape, kind: Kind, instrument_ids: Sequence[str], from_ns: int | None, to_ns: int | None
) -> Iterator[pa.Table]:
    for instrument_id in instrument_ids:
        rows = tape.read(kind, instrument_id, from_ns, to_ns)
        for start in range(0, len(rows), _ROWS_MAX):
            yield _table(kind, instrument_id, rows[start : start + _ROWS_MAX], tape)


def _table(kind: Kind, instrument_id: str, rows: Any, tape: Tape) -> pa.Table:
    values: NDArray[np.void] = np.empty(0, rows) if isinstance(rows, np.dtype) else rows
    columns: dict[str, pa.Array] = {
        "instrument": pa.array([instrument_id] * len(values), pa.string()),
        "simulated": pa.array([tape.simulated] * len(values), pa.bool_()),
    }
    for name in KINDS[kind].dtype.names or ():
        column = np.ascontiguousarray(values[name])
        if column.dtype.kind == "S":
            columns[name] = pa.array([text.decode() for text in column.tolist()], pa.string())
        else:
            # NaN is how a message says "missing"; readers of the export get a null.
            columns[name] = pa.array(column, from_pandas=column.dtype.kind == "f")
    return pa.table(columns)
