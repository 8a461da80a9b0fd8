"""A tape and a kind in, one DuckDB query out that gives the kind's rows as they are read here.

Sealed files store a field in the form that suits their rows (``price_usd_e1``, ``ts_event_ms``); the query puts the
forms of all files together again. It names the files that count, so leftovers of interrupted work are not read. Open
segments are not Parquet: seal the tape first to include them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from faultline.messages import KINDS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from faultline.tape.columns import Column
    from faultline.tape.reader import Tape

__all__ = ("duckdb_sql",)

_SQL_TYPES: Final = {"i1": "TINYINT", "u1": "UTINYINT", "u2": "USMALLINT", "u4": "UINTEGER", "i8": "BIGINT"}


def duckdb_sql(tape: Tape, kind: Kind) -> str:
    """A SELECT over every sealed row of ``kind``: its fields, then venue, symbol and date. NaN is NULL.

    Raises:
        TapeCorrupt: a file's footer is damaged.
    """
    headers = tape.headers(kind)
    dtype = KINDS[kind].dtype
    if not headers:
        nothing = [f"CAST(NULL AS {_sql_type(dtype[name].str)}) AS {name}" for name in dtype.names or ()]
        return f"SELECT {', '.join(nothing)}, '' AS venue, '' AS symbol, '' AS date WHERE false"
    forms: dict[str, dict[str, Column]] = {name: {} for name in dtype.names or ()}
    for _, columns in headers:
        for column in columns:
            forms[column.field][column.name] = column
    event = _coalesced(forms["ts_event_ns"].values(), "")
    fields = [f"{_coalesced(columns.values(), event)} AS {field}" for field, columns in forms.items()]
    files = ", ".join(f"'{_quoted(str(path))}'" for path, _ in headers)
    source = f"read_parquet([{files}], hive_partitioning = true, union_by_name = true)"
    # Nothing here is anybody's input: field names are ours, file names are quoted.
    return f"SELECT {', '.join(fields)}, venue, symbol, date FROM {source}"  # noqa: S608 - see above


def _coalesced(columns: Iterable[Column], event: str) -> str:
    """The one expression that is the field's value, whichever form its file has."""
    values = [_value(column, event) for column in columns]
    return values[0] if len(values) == 1 else f"coalesce({', '.join(values)})"


def _value(column: Column, event: str) -> str:
    match column.form:
        case "decimal":
            return f"{column.name} / 1e{column.scale}"
        case "time":
            return f"{column.name} * {column.scale}"
        case "delay":
            return f"({event} + {column.name} * {column.scale})"
        case _:
            return column.name


def _sql_type(code: str) -> str:
    return _SQL_TYPES.get(code[1:], "DOUBLE" if code[1] == "f" else "VARCHAR")


def _quoted(text: str) -> str:
    return text.replace("'", "''")
