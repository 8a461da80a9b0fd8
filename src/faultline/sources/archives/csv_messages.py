"""Text files with one message per line in, messages out: the way to import data that no other format reads.

A file is named after its kind (``liquidation.csv``, ``bar-binance-2026.csv.gz``) and has the message's fields as its
columns, plus ``instrument``. Files of any length are read in blocks.
"""

from __future__ import annotations

import difflib
import math
import re
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from faultline.errors import ImportRejected, WorldMismatch
from faultline.instruments import asset_of
from faultline.messages import Batch, Flag, Kind, empty_rows, sort_rows
from faultline.sources.archives.bounded_bytes import Limits
from faultline.sources.archives.column_files import EARLIEST_NS, LATEST_NS, ColumnType
from faultline.sources.archives.csv_columns import (
    DEFAULTS,
    ID_COLUMN,
    SIMULATED_COLUMN,
    CsvColumn,
    columns_of,
    is_time,
)
from faultline.sources.archives.importer import Importer, stem_of
from faultline.units import parse_time_ns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from faultline.sources.archives.column_files import Block, ColumnFile, TextColumn
    from faultline.sources.archives.report import Selection, Tally

__all__ = ("CSV", "kind_of_name")

_ID: Final = re.compile(r"[a-z0-9-]{1,32}:[A-Za-z0-9._/-]{1,64}", re.ASCII)
_IDS_MAX: Final = 10_000
_WHOLE: Final = re.compile(r"-?\d+", re.ASCII)


def kind_of_name(path: Path) -> Kind:
    """Kind that a file name begins with."""
    return Kind(re.split(r"[.-]", stem_of(path), maxsplit=1)[0])


def _read(files: Sequence[ColumnFile], selection: Selection, tally: Tally) -> Iterator[list[Batch]]:
    for file in files:
        kind = kind_of_name(file.path)
        columns = columns_of(kind)
        _check_header(file, kind, columns)
        types = {column.name: column.type for column in columns}
        types[ID_COLUMN] = ColumnType.TEXT
        types[SIMULATED_COLUMN] = ColumnType.BOOL
        optional = frozenset(
            {SIMULATED_COLUMN, *(column.name for column in columns if not column.is_required)}
        )
        latest_ns: dict[str, int] = {}
        for block in file.blocks(types, optional):
            tally.rows_read += block.n_rows
            yield _batches(kind, block, latest_ns, selection, tally)


def _check_header(file: ColumnFile, kind: Kind, columns: tuple[CsvColumn, ...]) -> None:
    known = [ID_COLUMN, SIMULATED_COLUMN, *(column.name for column in columns)]
    for name in file.header():
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise ImportRejected(
                f"a file of kind {kind} has no column {name[:60]!r}",
                where=f"{file.name}: line 1",
                hint=f"The nearest is {nearest}. Columns are {', '.join(known)}.",
            )


def _batches(
    kind: Kind, block: Block, latest_ns: dict[str, int], selection: Selection, tally: Tally
) -> list[Batch]:
    if SIMULATED_COLUMN in block.bools and block.bools[SIMULATED_COLUMN].any():
        row = int(np.argmax(block.bools[SIMULATED_COLUMN]))
        raise WorldMismatch(
            "a row comes from a simulated tape and would be imported as recorded",
            where=f"{block.name}: line {block.first_line + row}, field {SIMULATED_COLUMN}",
            hint="Simulated rows are made again with `faultline simulate`.",
        )
    rows = empty_rows(kind, block.n_rows)
    for column in columns_of(kind):
        rows[column.name] = _values(block, column)
    if "ts_received_ns" not in block.texts:
        rows["ts_received_ns"] = rows["ts_event_ns"]
        rows["flags"] |= np.uint32(Flag.RECEIVED_ASSUMED)
    _check_rows(kind, block, rows)
    ids = block.texts[ID_COLUMN]
    bad = np.array([*(not _ID.fullmatch(value) for value in ids.values), False])[ids.codes]
    block.check(ID_COLUMN, bad, "must be venue:SYMBOL")
    batches: list[Batch] = []
    for code, instrument_id in enumerate(ids.values):
        here = np.flatnonzero(ids.codes == code)
        received_ns = rows["ts_received_ns"][here]
        backwards = np.zeros(block.n_rows, dtype=np.bool_)
        before = latest_ns.get(instrument_id, EARLIEST_NS)
        backwards[here] = np.diff(received_ns, prepend=before) < 0
        if backwards.any():
            name = "ts_received_ns" if "ts_received_ns" in block.texts else "ts_event_ns"
            hint = "Sort the file by this column."
            block.check(name, backwards, f"must not decrease within {instrument_id}", hint)
        latest_ns[instrument_id] = int(received_ns[-1])
        chosen = selection.mask(received_ns) & selection.wants(asset_of(instrument_id, {}))
        tally.reject("outside_selection", ~chosen)
        if chosen.any():
            batches.append(Batch(kind, instrument_id, sort_rows(rows[here[chosen]])))
    if len(latest_ns) > _IDS_MAX:
        raise ImportRejected(
            f"more than {_IDS_MAX:,} instruments", where=block.name, hint="Split the file by instrument."
        )
    return batches


def _values(block: Block, column: CsvColumn) -> NDArray[np.generic] | int | bytes | float:
    """Checked values of a column, shape (n,), or the default of one that is not in the file."""
    name = column.name
    if column.type is ColumnType.TEXT and name in block.texts:
        return _times_ns(block, name) if is_time(name) else _texts(block, column)
    if name in block.integers:
        whole = block.integers[name]
        bad = (whole < column.low) | (whole > column.high)
        if not column.allows_zero:
            bad |= whole == 0
        block.check(name, bad, f"must be {_in_words(column)}")
        return whole
    if name in block.numbers:
        values = block.numbers[name]
        too_low = values < column.low if column.includes_low else values <= column.low
        bad = too_low | (values > column.high)
        if column.is_required:
            bad |= np.isnan(values)
        block.check(name, bad, f"must be {_in_words(column)}")
        return values
    return DEFAULTS.get(name, np.nan)


def _in_words(column: CsvColumn) -> str:
    if column.type is ColumnType.INT:
        without = "" if column.allows_zero else " and not 0"
        return f"a whole number from {int(column.low)} to {int(column.high)}{without}"
    if column.low < 0:
        return "a finite number, at most 1e18"
    low = "zero or more" if column.includes_low else "more than zero"
    return f"a number, {low}" + ("" if math.isinf(column.high) else f" and at most {column.high:g}")


def _texts(block: Block, column: CsvColumn) -> NDArray[np.bytes_]:
    texts = block.texts[column.name]
    encoded = [value.encode() for value in texts.values]
    size = column.dtype.itemsize
    is_empty_allowed = column.name in DEFAULTS
    wrong = [len(value) > size or b"\0" in value or not (value or is_empty_allowed) for value in encoded]
    bad = np.array([*wrong, False])[texts.codes]
    block.check(column.name, bad, f"must be text of 1 to {size} bytes")
    return np.array([*encoded, b""], dtype=f"S{size}")[texts.codes]


def _times_ns(block: Block, name: str) -> NDArray[np.int64]:
    """Times of a column that holds nanoseconds or ISO-8601, UTC unless a time says otherwise."""
    texts = block.texts[name]
    values = _whole_times(texts)
    if values is None:
        values = np.array([*(_time_of(value) for value in texts.values), 0], dtype=np.int64)[texts.codes]
    is_unknown_allowed = name in DEFAULTS and name != "ts_received_ns"
    bad = ~((values >= EARLIEST_NS) & (values < LATEST_NS))
    if is_unknown_allowed:
        bad &= values != 0
    hint = "Write nanoseconds since 1970, or ISO-8601 such as 2026-02-03T14:00:00.250Z."
    block.check(name, bad, "must be a time between 2009-01-03 and 2100-01-01", hint)
    return values


def _whole_times(texts: TextColumn) -> NDArray[np.int64] | None:
    """All values at once where every one is a whole number."""
    try:
        whole = pc.cast(pa.array(texts.values, pa.string()), pa.int64())
    except pa.ArrowInvalid:
        return None
    values: NDArray[np.int64] = np.append(whole.to_numpy(zero_copy_only=False).astype(np.int64), 0)
    return values[texts.codes]


def _time_of(text: str) -> int:
    """One time; -1 where it is none."""
    try:
        is_whole = bool(_WHOLE.fullmatch(text))
        time_ns = int(text[:20]) if is_whole else parse_time_ns(text)
    except (ValueError, OverflowError):
        return -1
    return time_ns if 0 <= time_ns < LATEST_NS else -1


def _check_rows(kind: Kind, block: Block, rows: NDArray[np.void]) -> None:
    """What must hold between the fields of a row."""
    is_total = rows["flags"] & np.uint32(Flag.TOTAL) != 0
    takes_time = is_total | (kind is Kind.BAR)
    too_short = takes_time & (rows["ts_received_ns"] <= rows["ts_event_ns"])
    name = "ts_received_ns" if "ts_received_ns" in block.texts else "ts_event_ns"
    block.check(name, too_short, "must be later than the event time of a bar or a total")
    match kind:
        case Kind.BAR:
            top = np.fmax(rows["open_usd"], rows["close_usd"])
            bottom = np.fmin(rows["open_usd"], rows["close_usd"])
            block.check("high_usd", rows["high_usd"] < top, "must not be below open or close")
            block.check("low_usd", rows["low_usd"] > bottom, "must not be above open or close")
        case Kind.GAP:
            block.check("to_ns", rows["to_ns"] <= rows["from_ns"], "must be later than from_ns")
            block.one_of("missing_kind", (*(kind.value for kind in Kind), "all"))
        case Kind.OPEN_INTEREST:
            neither = np.isnan(rows["oi_base"]) & np.isnan(rows["oi_usd"])
            _reject_first(block, neither, "oi_base", "or oi_usd must be given")
        case Kind.LIQUIDATION:
            priceless = np.isnan(rows["price_usd"]) & ~is_total
            _reject_first(block, priceless, "price_usd", "may only be left out of totals (flag 16)")
        case _:
            pass


def _reject_first(block: Block, bad: NDArray[np.bool_], field: str, what: str) -> None:
    if bad.any():
        block.reject(int(np.argmax(bad)), field, what)


#: One message per line, for data that no other format reads.
CSV: Final = Importer(
    name="csv",
    summary="any message kind, one per line, with the message's fields as columns",
    name_pattern=f"({'|'.join(kind.value for kind in Kind)})([.-].*)?",
    expected_files="<kind>.csv or <kind>-<anything>.csv, where kind is " + ", ".join(Kind),
    read=_read,
    limits=Limits(max_bytes=1 << 40, max_rows=10_000_000_000),
)
