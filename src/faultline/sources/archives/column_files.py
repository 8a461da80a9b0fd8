"""A delimited text file in; typed columns in bounded blocks, with the line number of every row, out.

Whatever cannot be read as its column's type is rejected with the file, the line and the field.
"""

from __future__ import annotations

import csv
import dataclasses
import enum
import hashlib
import io
from typing import TYPE_CHECKING, Final, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from faultline.errors import ImportRejected
from faultline.sources.archives.bounded_bytes import Limits, first_line, line_blocks
from faultline.units import SECOND_NS, parse_time_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = (
    "EARLIEST_NS",
    "LARGEST",
    "LATEST_NS",
    "Block",
    "ColumnFile",
    "ColumnType",
    "TextColumn",
    "block_of_table",
)

#: No market data is older than the first Bitcoin block.
EARLIEST_NS: Final = parse_time_ns("2009-01-03")
#: Times from here on are taken for a wrong unit.
LATEST_NS: Final = parse_time_ns("2100-01-01")

#: No price, size or amount of money is larger, and none but zero is smaller than its inverse.
LARGEST: Final = 1e18

_NEWLINE: Final = 10
_UTF8_MARK: Final = b"\xef\xbb\xbf"
_BOOLS: Final = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False}
_FIX_LINE: Final = "Correct or remove the line."


class ColumnType(enum.Enum):
    """How the text of a column is read; the value is what an error calls it."""

    FLOAT = "a number"
    INT = "a whole number of at most 64 bits"
    TEXT = "text"
    BOOL = "True or False"


_ARROW_TYPES: Final = {
    ColumnType.FLOAT: pa.float64(),
    ColumnType.INT: pa.int64(),
    ColumnType.TEXT: pa.string(),
    ColumnType.BOOL: pa.bool_(),
}


@dataclasses.dataclass(frozen=True, slots=True)
class TextColumn:
    """A text column with few distinct values: ``values[codes[i]]`` is row i."""

    values: tuple[str, ...]
    codes: NDArray[np.int32]

    def equals(self, text: str) -> NDArray[np.bool_]:
        """Mask, shape (n,), of the rows with exactly this text."""
        hits = np.array([*(value == text for value in self.values), False], dtype=np.bool_)
        return hits[self.codes]


@dataclasses.dataclass(frozen=True, slots=True)
class Block:
    """Consecutive rows of a file. Row i is on line ``first_line + i``. Columns have shape (n_rows,)."""

    name: str
    first_line: int
    n_rows: int
    numbers: Mapping[str, NDArray[np.float64]]
    integers: Mapping[str, NDArray[np.int64]]
    bools: Mapping[str, NDArray[np.bool_]]
    texts: Mapping[str, TextColumn]

    def reject(self, row: int, field: str, what: str, hint: str = _FIX_LINE) -> NoReturn:
        """Raise for one value of the block.

        Raises:
            ImportRejected: always; ``where`` names file, line and field.
        """
        where = f"{self.name}: line {self.first_line + row}, field {field}"
        raise ImportRejected(f"{field} {what}", where=where, hint=hint)

    def check(self, field: str, bad: NDArray[np.bool_], what: str, hint: str = _FIX_LINE) -> None:
        """Reject the first row of a mask, if there is one.

        Raises:
            ImportRejected: a row of ``bad`` is True.
        """
        if not bad.any():
            return
        row = int(np.argmax(bad))
        if field in self.texts:
            column = self.texts[field]
            shown = repr(column.values[column.codes[row]])
        else:
            shown = str(self.numbers[field][row] if field in self.numbers else self.integers[field][row])
        self.reject(row, field, f"{what}, not {shown}", hint)

    def positive(self, field: str) -> NDArray[np.float64]:
        """A column of prices, sizes or notionals, every value positive and finite.

        Raises:
            ImportRejected: a value is missing, NaN, zero, negative or absurdly large or small.
        """
        values = self.numbers[field]
        plausible = (values >= 1 / LARGEST) & (values <= LARGEST)
        self.check(field, ~plausible, "must be a positive number, at most 1e18")
        return values

    def non_negative(self, field: str) -> NDArray[np.float64]:
        """A column of amounts that may be zero.

        Raises:
            ImportRejected: a value is missing, NaN, negative or absurdly large or small.
        """
        values = self.numbers[field]
        plausible = (values == 0) | ((values >= 1 / LARGEST) & (values <= LARGEST))
        self.check(field, ~plausible, "must be zero or a positive number, at most 1e18")
        return values

    def finite(self, field: str) -> NDArray[np.float64]:
        """A column of signed numbers.

        Raises:
            ImportRejected: a value is missing, NaN, infinite or absurdly large.
        """
        values = self.numbers[field]
        self.check(field, ~(np.abs(values) <= LARGEST), "must be a finite number, at most 1e18")
        return values

    def one_of(self, field: str, allowed: tuple[str, ...]) -> TextColumn:
        """A text column with a closed set of values.

        Raises:
            ImportRejected: a value is not in the set.
        """
        column = self.texts[field]
        wrong = [value not in allowed for value in column.values]
        if any(wrong):
            bad = np.array([*wrong, False], dtype=np.bool_)[column.codes]
            self.check(field, bad, f"must be one of {', '.join(allowed)}")
        return column

    def seconds_as_ns(self, field: str) -> NDArray[np.int64]:
        """Times written as seconds since 1970, to the microsecond, as nanoseconds.

        Raises:
            ImportRejected: a value is no time between 2009 and 2100.
        """
        seconds = self.finite(field)
        self._check_times(field, seconds * SECOND_NS, "seconds")
        return np.rint(seconds * 1e6).astype(np.int64) * 1_000

    def integers_as_ns(self, field: str, unit_ns: int, unit: str) -> NDArray[np.int64]:
        """Times written as a whole number of ``unit`` since 1970, as nanoseconds.

        Raises:
            ImportRejected: a value is no time between 2009 and 2100.
        """
        counts = self.integers[field]
        self._check_times(field, counts.astype(np.float64) * unit_ns, unit)
        return counts * unit_ns

    def _check_times(self, field: str, approximate_ns: NDArray[np.float64], unit: str) -> None:
        bad = ~((approximate_ns >= EARLIEST_NS) & (approximate_ns < LATEST_NS))
        hint = f"The column holds {unit} since 1970; check its unit."
        self.check(field, bad, "must be a time between 2009-01-03 and 2100-01-01", hint)


class ColumnFile:
    """One file that is read as columns, as often as needed.

    Args:
        path: a regular file, plain text or gzip (told by its content, not its name).
        limits: bounds of the file.
        on_bytes: called with the number of bytes of the file (as stored) that were read since the last call.
    """

    def __init__(
        self, path: Path, limits: Limits | None = None, on_bytes: Callable[[int], None] | None = None
    ) -> None:
        self.path = path
        self.limits = limits or Limits()
        self._on_bytes = on_bytes or (lambda _n: None)
        self._sha256 = ""

    @property
    def name(self) -> str:
        """The path as the caller wrote it."""
        return str(self.path)

    @property
    def sha256(self) -> str:
        """Digest of the decompressed content up to its last line, once ``blocks`` was read to its end."""
        return self._sha256

    def header(self) -> list[str]:
        """Column names: the first line of the file.

        Raises:
            ImportRejected: the file cannot be read or has no usable header.
        """
        line = first_line(self.path, self.limits)
        if not line.strip():
            self._reject_empty()
        return self._parse_header(line)

    def has_names(self) -> bool:
        """True where the first line holds column names, not values.

        Raises:
            ImportRejected: the file cannot be read.
        """
        return not _is_row(first_line(self.path, self.limits))

    def blocks(
        self,
        types: Mapping[str, ColumnType],
        optional: frozenset[str] = frozenset(),
        unnamed: Sequence[Sequence[str]] = (),
    ) -> Iterator[Block]:
        """The rows in blocks of a few MB. Columns that are not in ``types`` are not read.

        Args:
            types: columns to read.
            optional: those of them that may be absent (then they are not in the block either) or, for numbers and
                text, empty (then NaN or '').
            unnamed: column names of files that begin with a row instead of a line of names; the first of as many
                columns as that row holds.

        Raises:
            ImportRejected: a column is missing, a value is not of its type, or a bound is reached.
        """
        header: list[str] | None = None
        wanted: dict[str, ColumnType] = {}
        for first_line_of_text, text in self.texts():
            body, line_number = text, first_line_of_text
            if header is None:
                line, _newline, rest = text.partition(b"\n")
                is_row = bool(unnamed) and _is_row(line)
                header = self._names_of_row(line, unnamed) if is_row else self._parse_header(line)
                self._require(header, [name for name in types if name not in optional])
                wanted = {name: kind for name, kind in types.items() if name in header}
                if not is_row:
                    body, line_number = rest, 2
            if body:
                yield self._parse(body, header, wanted, optional, line_number)
        if header is None:
            self._reject_empty()

    def texts(self) -> Iterator[tuple[int, bytes]]:
        """The content in blocks of a few MB of whole lines, each with the number of its first line.

        Raises:
            ImportRejected: the file cannot be read, or a bound is reached.
        """
        digest = hashlib.sha256()
        n_lines = 0
        for text in line_blocks(self.path, self.limits, self._on_bytes):
            digest.update(text)
            yield n_lines + 1, text
            n_lines += _count_lines(text)
            if n_lines > self.limits.max_rows + 1:
                raise ImportRejected(
                    f"the file has more than {self.limits.max_rows:,} rows", where=self.name, hint="Split it."
                )
        self._sha256 = digest.hexdigest()

    def read(
        self,
        types: Mapping[str, ColumnType],
        optional: frozenset[str] = frozenset(),
        unnamed: Sequence[Sequence[str]] = (),
    ) -> Block:
        """All rows as one block, for files that must be seen whole; ``limits`` bound it.

        Raises:
            ImportRejected: as ``blocks``.
        """
        found = list(self.blocks(types, optional, unnamed))
        if len(found) == 1:
            return found[0]
        if not found:
            return block_of_table(
                self.name, 2, pa.table({n: pa.array([], _ARROW_TYPES[t]) for n, t in types.items()}), types
            )
        first = found[0]
        return Block(
            name=self.name,
            first_line=first.first_line,
            n_rows=sum(block.n_rows for block in found),
            numbers={key: np.concatenate([block.numbers[key] for block in found]) for key in first.numbers},
            integers={
                key: np.concatenate([block.integers[key] for block in found]) for key in first.integers
            },
            bools={key: np.concatenate([block.bools[key] for block in found]) for key in first.bools},
            texts={key: _join_texts([block.texts[key] for block in found]) for key in first.texts},
        )

    def _reject_empty(self) -> NoReturn:
        raise ImportRejected(
            "the file is empty", where=self.name, hint="A file starts with a line of column names."
        )

    def _parse_header(self, line: bytes) -> list[str]:
        where = f"{self.name}: line 1"
        try:
            text = line.removeprefix(_UTF8_MARK).decode("utf-8")
            names = [name.strip() for name in next(csv.reader([text], strict=True), [])]
        except (UnicodeDecodeError, csv.Error) as exc:
            raise ImportRejected(
                "the line of column names is not UTF-8 text of columns",
                where=where,
                hint="Save the file as comma-separated UTF-8, plain or gzipped.",
            ) from exc
        if len(names) > self.limits.max_columns:
            raise ImportRejected(
                f"more than {self.limits.max_columns} columns", where=where, hint="Remove what is not needed."
            )
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ImportRejected(
                f"column {twice[0]!r} stands twice", where=where, hint="Keep one column of each name."
            )
        return names

    def _names_of_row(self, line: bytes, unnamed: Sequence[Sequence[str]]) -> list[str]:
        """Names for a file whose first line is a row already."""
        count = line.count(b",") + 1
        for names in unnamed:
            if len(names) == count:
                return list(names)
        known = " or ".join(f"{len(names)} columns" for names in unnamed)
        raise ImportRejected(
            f"the file has no line of column names, and {count} columns instead of {known}",
            where=f"{self.name}: line 1",
            hint=f"Without names the columns must be {', '.join(unnamed[0])}.",
        )

    def _require(self, header: list[str], names: list[str]) -> None:
        missing = [name for name in names if name not in header]
        if missing:
            raise ImportRejected(
                f"column {', '.join(missing)} is missing",
                where=f"{self.name}: line 1",
                hint=f"The file must have the columns {', '.join(names)}; it has {', '.join(header)[:200]}.",
            )

    def _parse(
        self,
        body: bytes,
        header: list[str],
        types: Mapping[str, ColumnType],
        optional: frozenset[str],
        line: int,
    ) -> Block:
        """Parse whole lines with Arrow; where it refuses, find the offending line the slow way."""
        try:
            table = arrow_csv.read_csv(
                io.BytesIO(body),
                read_options=arrow_csv.ReadOptions(
                    column_names=header, use_threads=False, block_size=len(body) + 1
                ),
                parse_options=arrow_csv.ParseOptions(ignore_empty_lines=False),
                convert_options=arrow_csv.ConvertOptions(
                    column_types={name: _ARROW_TYPES[kind] for name, kind in types.items()},
                    include_columns=list(types),
                    null_values=[""],
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowException as exc:
            self._find_fault(body, header, types, optional, line)
            raise ImportRejected(
                "the rows cannot be read as columns",
                where=f"{self.name}: line {line} or later",
                hint=f"Check quotes and separators ({str(exc)[:160]}).",
            ) from exc
        self._check_row_count(body, table.num_rows, line)
        block = block_of_table(self.name, line, table, types)
        nulls = {name for name in types if table[name].null_count}
        if any(types[name] is not ColumnType.FLOAT or name not in optional for name in nulls):
            self._find_fault(body, header, types, optional, line)
        return block

    def _check_row_count(self, body: bytes, n_rows: int, line: int) -> None:
        """A quote that spans lines would shift every line number: such a file is refused."""
        if n_rows != _count_lines(body):
            raise ImportRejected(
                "a quoted value spans lines",
                where=f"{self.name}: line {line} or later",
                hint="Remove line ends inside quotes, and carriage returns without a line feed.",
            )

    def _find_fault(
        self,
        body: bytes,
        header: list[str],
        types: Mapping[str, ColumnType],
        optional: frozenset[str],
        line: int,
    ) -> None:
        """Reject the first line that Python's own reader finds at fault, if there is one."""
        for number, raw in enumerate(body.split(b"\n")[:-1], start=line):
            where = f"{self.name}: line {number}"
            try:
                cells = next(csv.reader([raw.decode("utf-8").rstrip("\r")], strict=True), [])
            except (UnicodeDecodeError, csv.Error) as exc:
                raise ImportRejected(
                    "the line is not UTF-8 text of columns", where=where, hint="Save the file as UTF-8."
                ) from exc
            if len(cells) != len(header):
                raise ImportRejected(
                    f"the line has {len(cells)} columns instead of {len(header)}", where=where, hint=_FIX_LINE
                )
            for name, cell in zip(header, cells, strict=True):
                kind = types.get(name)
                if kind is not None and not _is_readable(cell, kind, may_be_empty=name in optional):
                    shown = repr(cell[:40]) if cell else "empty"
                    raise ImportRejected(
                        f"{name} must be {kind.value}, not {shown}",
                        where=f"{where}, field {name}",
                        hint=_FIX_LINE,
                    )


def _count_lines(text: bytes) -> int:
    """Line ends in a block; several times as fast as ``bytes.count``."""
    return int(np.count_nonzero(np.frombuffer(text, dtype=np.uint8) == _NEWLINE))


def _is_row(line: bytes) -> bool:
    """True where a first line holds values: names begin with a letter."""
    return not line.removeprefix(_UTF8_MARK).lstrip(b' "')[:1].isalpha()


def _join_texts(columns: list[TextColumn]) -> TextColumn:
    values = tuple(dict.fromkeys(value for column in columns for value in column.values))
    place = {value: index for index, value in enumerate(values)}
    maps = [np.array([*(place[value] for value in column.values), 0], dtype=np.int32) for column in columns]
    return TextColumn(values, np.concatenate([m[c.codes] for m, c in zip(maps, columns, strict=True)]))


def _is_readable(cell: str, kind: ColumnType, *, may_be_empty: bool) -> bool:
    if kind is ColumnType.TEXT:
        return True
    if not cell:
        return may_be_empty and kind is ColumnType.FLOAT
    if kind is ColumnType.BOOL:
        return cell in _BOOLS
    try:
        if kind is ColumnType.INT:
            return cell == cell.strip() and -(2**63) <= int(cell) < 2**63
        float(cell)
    except ValueError:
        return False
    return True


def block_of_table(name: str, line: int, table: pa.Table, types: Mapping[str, ColumnType]) -> Block:
    """The columns of a table whose row i stands on line ``line + i`` of the file ``name``."""
    numbers: dict[str, NDArray[np.float64]] = {}
    integers: dict[str, NDArray[np.int64]] = {}
    bools: dict[str, NDArray[np.bool_]] = {}
    texts: dict[str, TextColumn] = {}
    for field, kind in types.items():
        column = table[field]
        if kind is ColumnType.TEXT:
            coded = column.combine_chunks().dictionary_encode()
            coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
            codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int32)
            texts[field] = TextColumn(tuple(coded.dictionary.to_pylist()), codes)
        elif kind is ColumnType.FLOAT:
            numbers[field] = column.to_numpy().astype(np.float64)
        elif kind is ColumnType.INT:
            integers[field] = column.fill_null(0).to_numpy().astype(np.int64)
        else:
            bools[field] = pc.fill_null(column, fill_value=False).to_numpy().astype(np.bool_)
    return Block(name, line, table.num_rows, numbers, integers, bools, texts)
