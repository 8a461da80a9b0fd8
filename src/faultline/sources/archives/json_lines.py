"""Lines of JSON objects in; Arrow columns of the named members, and flat price levels, out.

Whatever is no JSON, no object, or not of its member's type is rejected with the file, the line and the member.
"""

from __future__ import annotations

import dataclasses
import io
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as arrow_json

from faultline.errors import ImportRejected
from faultline.sources.archives.column_files import LARGEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ("Levels", "line_numbers", "parse_lines", "read_levels")

_FIX_LINE: Final = "Correct or remove the line."


@dataclasses.dataclass(frozen=True, slots=True)
class Levels:
    """Price levels of n lines, one after the other, shape (m,): ``lines[k]`` is the line that level k is on."""

    lines: NDArray[np.int64]
    price_usd: NDArray[np.float64]
    amount: NDArray[np.float64]

    def only(self, kept: NDArray[np.bool_]) -> Levels:
        """The levels of a mask of lines, shape (n,)."""
        chosen = kept[self.lines]
        return Levels(self.lines[chosen], self.price_usd[chosen], self.amount[chosen])


def line_numbers(first_line: int, body: bytes) -> range:
    """Number of every line of a block of whole lines."""
    return range(first_line, first_line + body.count(b"\n"))


def parse_lines(
    name: str, numbers: Sequence[int], body: bytes, schema: pa.Schema, required: tuple[str, ...] = ()
) -> pa.Table:
    """The members named in ``schema`` of every line; others are not looked at.

    Args:
        name: file, for errors.
        numbers: number of every line of ``body`` in the file.
        body: whole lines.
        schema: types of members; a member that a line lacks is null.
        required: members that no line may lack.

    Raises:
        ImportRejected: a line is not an object, or a member is missing or not of its type.
    """
    table = _parse(body, schema)
    if table is None or table.num_rows != len(numbers):
        _find_fault(name, numbers, body, schema)
    for member in required:
        column = table[member]
        if column.null_count:
            row = int(np.argmax(pc.is_null(column).to_numpy()))
            where = f"{name}: line {numbers[row]}, field {member}"
            raise ImportRejected(f"{member} is missing", where=where, hint=_FIX_LINE)
    return table


def _parse(body: bytes, schema: pa.Schema) -> pa.Table | None:
    try:
        return arrow_json.read_json(
            io.BytesIO(body),
            read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(body) + 1),
            parse_options=arrow_json.ParseOptions(
                explicit_schema=schema, newlines_in_values=False, unexpected_field_behavior="ignore"
            ),
        )
    except (pa.ArrowException, ValueError):
        return None


def _find_fault(name: str, numbers: Sequence[int], body: bytes, schema: pa.Schema) -> NoReturn:
    """Reject the first line at fault, read one by one."""
    for number, line in zip(numbers, body.split(b"\n"), strict=False):
        where = f"{name}: line {number}"
        try:
            members = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise ImportRejected("the line is not a JSON object", where=where, hint=_FIX_LINE) from exc
        if _is_readable(line, schema):
            continue
        for field in schema:
            raw = bytes(members.get(field.name, b"null"))
            single = b'{"' + field.name.encode() + b'":' + raw + b"}\n"
            if not _is_readable(single, pa.schema([field])):
                shown = raw[:40].decode("utf-8", "replace")
                raise ImportRejected(
                    f"{field.name} must be {_in_words(field.type)}, not {shown}",
                    where=f"{where}, field {field.name}",
                    hint=_FIX_LINE,
                )
        raise ImportRejected("the line cannot be read as columns", where=where, hint=_FIX_LINE)
    raise ImportRejected(
        "the lines cannot be read as columns", where=f"{name}: line {numbers[0]} or later", hint=_FIX_LINE
    )


def _is_readable(line: bytes, schema: pa.Schema) -> bool:
    table = _parse(line.rstrip(b"\r\n") + b"\n", schema)
    return table is not None and table.num_rows == 1


def _in_words(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return "a list of price levels"
    if pa.types.is_integer(kind):
        return "a whole number of at most 64 bits"
    if pa.types.is_struct(kind):
        return "an object with members of the right types"
    return "a number" if pa.types.is_floating(kind) else "text"


def read_levels(name: str, numbers: Sequence[int], table: pa.Table, member: str) -> Levels:
    """Price levels of a member that is a list of pairs of price and amount, as numbers or as text.

    Raises:
        ImportRejected: a level is no pair, or a price or amount is impossible.
    """
    column = table[member].combine_chunks()
    outer = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    counts = pc.fill_null(pc.list_value_length(outer), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    lines = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    pairs = outer.flatten()

    def reject(bad: NDArray[np.bool_], what: str) -> None:
        if bad.any():
            row = int(lines[int(np.argmax(bad))])
            where = f"{name}: line {numbers[row]}, field {member}"
            raise ImportRejected(f"{member} {what}", where=where, hint=_FIX_LINE)

    sizes = pc.fill_null(pc.list_value_length(pairs), 0).to_numpy(zero_copy_only=False)
    reject(sizes != 2, "must hold pairs of price and amount")
    cells = pairs.flatten()
    try:
        parsed = cells.cast(pa.float64())
    except pa.ArrowInvalid:
        bad = np.array([not _is_number(text) for text in cells.to_pylist()], dtype=np.bool_)
        reject(bad[::2] | bad[1::2], "must hold numbers")
        raise
    values = pc.fill_null(parsed, np.nan).to_numpy(zero_copy_only=False).reshape(-1, 2)
    price, amount = values[:, 0].copy(), values[:, 1].copy()
    reject(~((price >= 1 / LARGEST) & (price <= LARGEST)), "must hold positive prices, at most 1e18")
    plausible = (amount == 0) | ((amount >= 1 / LARGEST) & (amount <= LARGEST))
    reject(~plausible, "must hold amounts of zero or more, at most 1e18")
    return Levels(lines, price, amount)


def _is_number(text: str | None) -> bool:
    """True where Arrow reads a text as a number; Python would read more."""
    try:
        pa.array([text], pa.string()).cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True
