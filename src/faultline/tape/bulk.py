"""Pieces of one instrument and the fields wanted in, arrays of exactly those rows out, decoded on several cores.

Where no two pieces overlap in time, which is how recordings and imports are written, every piece is decoded straight to
its place in the result. Overlapping pieces go through the merging cursor.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from faultline.tape.cursor import Piece, RowCursor, RowSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from faultline.messages import Kind

    Target = Mapping[str, NDArray[Any]]

__all__ = ("read_pieces",)

#: Rows that one task decodes: large enough to pay for the call, small enough that a few in flight are no memory.
_TASK_ROWS: Final = 131_072
_THREADS_MAX: Final = 4
_RECEIVED: Final = "ts_received_ns"


@dataclasses.dataclass(slots=True)
class _Task:
    """Adjacent pieces of one file, decoded with one call."""

    source: RowSource
    first: int
    end: int
    start: int
    n_rows: int


def read_pieces(
    kind: Kind,
    pieces: Sequence[Piece],
    span: tuple[int | None, int | None],
    fields: tuple[str, ...],
    allocate: Callable[[int], Target],
) -> slice:
    """Decode ``fields`` of the rows received in ``span``.

    Args:
        kind: kind of the rows.
        pieces: pieces that may hold such rows.
        span: first receive time (inclusive) and last (exclusive); None: no bound.
        fields: fields to decode.
        allocate: makes one array per field for n rows; the arrays may be views into a row array.

    Returns:
        The rows of the target that lie in the span.
    """
    ordered = sorted(pieces, key=lambda piece: (piece.first_ns, piece.order))
    n_rows = sum(piece.n_rows for piece in ordered)
    if _overlap(ordered):
        return _merge(kind, ordered, span, fields, allocate(n_rows))
    target = allocate(n_rows)
    _run(_tasks(ordered), target, fields)
    return _inside(ordered, target, span)


def _overlap(ordered: Sequence[Piece]) -> bool:
    """True where the order of two pieces' rows cannot be told from their bounds."""
    for before, after in itertools.pairwise(ordered):
        is_next = before.source is after.source and after.index == before.index + 1
        if after.first_ns <= before.last_ns and not (is_next and after.follows(before.last_ns)):
            return True
    return False


def _merge(
    kind: Kind,
    pieces: Sequence[Piece],
    span: tuple[int | None, int | None],
    fields: tuple[str, ...],
    target: Target,
) -> slice:
    end = 0
    for rows in RowCursor(kind, pieces, span[0]).windows(span[1]):
        for field in fields:
            target[field][end : end + len(rows)] = rows[field]
        end += len(rows)
    return slice(0, end)


def _tasks(ordered: Sequence[Piece]) -> list[_Task]:
    tasks: list[_Task] = []
    start = 0
    for piece in ordered:
        last = tasks[-1] if tasks else None
        is_continued = last is not None and last.source is piece.source and last.end == piece.index
        if last is not None and is_continued and last.n_rows + piece.n_rows <= _TASK_ROWS:
            last.end += 1
            last.n_rows += piece.n_rows
        else:
            tasks.append(_Task(piece.source, piece.index, piece.index + 1, start, piece.n_rows))
        start += piece.n_rows
    return tasks


def _run(tasks: Sequence[_Task], target: Target, fields: tuple[str, ...]) -> None:
    def run(task: _Task) -> None:
        task.source.read_into(target, task.start, fields, task.first, task.end)

    n_threads = min(len(tasks), os.cpu_count() or 1, _THREADS_MAX)
    if n_threads <= 1:
        for task in tasks:
            run(task)
        return
    with ThreadPoolExecutor(n_threads, thread_name_prefix="tape-read") as pool:
        for _ in pool.map(run, tasks):
            pass


def _inside(ordered: Sequence[Piece], target: Target, span: tuple[int | None, int | None]) -> slice:
    """Rows of the target in the span; only the first and last piece can reach outside."""
    n_rows = sum(piece.n_rows for piece in ordered)
    start, end = 0, n_rows
    if span[0] is not None and ordered and ordered[0].first_ns < span[0]:
        start = int(np.searchsorted(target[_RECEIVED], span[0]))
    if span[1] is not None and ordered and ordered[-1].last_ns >= span[1]:
        end = int(np.searchsorted(target[_RECEIVED], span[1]))
    return slice(start, max(start, end))
