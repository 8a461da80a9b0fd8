"""Anybody's file of liquidation levels in, maps that are scored like our own out."""

from __future__ import annotations

import csv
import itertools
import math
from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.errors import ImportRejected
from faultline.evaluation.frozen_map import FrozenMap
from faultline.heatmap.grid import bucket_of
from faultline.units import parse_time_ns

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ("LEVEL_COLUMNS", "read_levels")

#: Columns that a file must have; ``issued_ns`` may be an ISO-8601 time, also under the name ``issued``.
LEVEL_COLUMNS: Final = ("issued_ns", "price_usd", "side", "notional_usd")
_MAX_ROWS: Final = 5_000_000
#: Buckets that one set may span: a factor of 22 in price at five basis points.
_MAX_SPAN: Final = 2**16 // 8
_SIDES: Final = {"long": 0, "short": 1}

_Row = tuple[int, int, int, float]


def read_levels(path: Path) -> list[FrozenMap]:
    """Sets of levels from a CSV file, one map per issue time; a new issue time replaces the set before.

    Raises:
        ImportRejected: the file, a line or a field cannot be used; the message names it.
    """
    rows: list[_Row] = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            names = {name: name for name in reader.fieldnames or ()}
            if "issued" in names:
                names["issued_ns"] = "issued"
            missing = [name for name in LEVEL_COLUMNS if name not in names]
            if missing:
                message = f"a file of levels lacks the columns {', '.join(missing)}"
                raise ImportRejected(
                    message, where=str(path), hint=f"the header is {','.join(LEVEL_COLUMNS)}"
                )
            for record in reader:
                if len(rows) >= _MAX_ROWS:
                    message = f"more than {_MAX_ROWS} levels"
                    raise ImportRejected(message, where=str(path), hint="evaluate a shorter span")
                rows.append(_level(record, names["issued_ns"], f"{path}:{reader.line_num}"))
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        message = f"a file of levels cannot be read: {exc}"
        raise ImportRejected(message, where=str(path), hint="give a UTF-8 CSV file") from exc
    if not rows:
        message = "a file of levels has no rows"
        raise ImportRejected(message, where=str(path), hint="give at least one level")
    return _maps(rows, str(path))


def _level(record: dict[str, str], time_name: str, where: str) -> _Row:
    """Issue time, side, bucket and amount of one line."""
    text = (record[time_name] or "").strip()
    side = _SIDES.get((record["side"] or "").strip().lower())
    try:
        issued = int(text) if text.lstrip("-").isdigit() else parse_time_ns(text)
        price, notional = float(record["price_usd"] or "nan"), float(record["notional_usd"] or "nan")
    except ValueError as exc:
        raise ImportRejected(
            f"a level has an unreadable number: {exc}", where=where, hint="see the header"
        ) from exc
    if (
        side is None
        or not (0 < price < math.inf)
        or not (0 <= notional < math.inf)
        or not 0 <= issued < 2**62
    ):
        message = f"an impossible level: side {record['side']!r}, price {price}, notional {notional}, issued {text!r}"
        raise ImportRejected(
            message, where=where, hint="side is long or short (of the position), amounts are positive"
        )
    return issued, side, bucket_of(price), notional


def _maps(rows: list[_Row], where: str) -> list[FrozenMap]:
    """One map per issue time.

    Raises:
        ImportRejected: the levels of one set are too far apart to be of one asset.
    """
    maps = []
    for issued, group in itertools.groupby(sorted(rows), key=lambda row: row[0]):
        part = list(group)
        side = np.array([row[1] for row in part])
        bucket = np.array([row[2] for row in part])
        first, last = int(bucket.min()), int(bucket.max())
        if last - first >= _MAX_SPAN:
            message = f"levels issued at {issued} lie too far apart to be of one asset"
            raise ImportRejected(message, where=where, hint="give one asset per file")
        density = np.zeros((2, last - first + 1))
        np.add.at(density, (side, bucket - first), np.array([row[3] for row in part]))
        maps.append(FrozenMap(issued, first, density, np.ones_like(density)))
    return maps
