"""Pieces of one instrument and the fields wanted in, arrays of exactly those rows out, decoded on several cores.

A piece that overlaps no other in time, as nearly all do in recordings and imports, is decoded straight to its place in
the result. Pieces that overlap go through the merging cursor, together with those they overlap.
"""

from __future__ import annotations

import bisect
import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from faultline.tape.cursor import Piece, RowCursor, RowSource, clusters

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
    target = allocate(sum(piece.n_rows for piece in ordered))
    apart: list[tuple[int, Piece]] = []
    start = 0
    for cluster in clusters(ordered):
        if len(cluster) == 1:
            apart.append((start, cluster[0]))
        else:
            _merge(kind, cluster, fields, target, start)
        start += sum(piece.n_rows for piece in cluster)
    _run(_tasks(apart), target, fields)
    return _inside(ordered, target, span)


def _merge(kind: Kind, pieces: Sequence[Piece], fields: tuple[str, ...], target: Target, start: int) -> None:
    for rows in RowCursor(kind, pieces).windows():
        for field in fields:
            target[field][start : start + len(rows)] = rows[field]
        start += len(rows)


def _tasks(apart: Sequence[tuple[int, Piece]]) -> list[_Task]:
    """Calls that decode pieces to their rows of the target, adjacent pieces of a file together."""
    tasks: list[_Task] = []
    for start, piece in apart:
        last = tasks[-1] if tasks else None
        is_continued = last is not None and last.source is piece.source and last.end == piece.index
        if last is not None and is_continued and last.n_rows + piece.n_rows <= _TASK_ROWS:
            last.end += 1
            last.n_rows += piece.n_rows
        else:
            tasks.append(_Task(piece.source, piece.index, piece.index + 1, start, piece.n_rows))
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
    """Rows of the target in the span."""
    start, end = 0, sum(piece.n_rows for piece in ordered)
    if span[0] is not None and any(piece.first_ns < span[0] for piece in ordered):
        start = bisect.bisect_left(target[_RECEIVED], span[0])
    if span[1] is not None and any(piece.last_ns >= span[1] for piece in ordered):
        end = bisect.bisect_left(target[_RECEIVED], span[1])
    return slice(start, max(start, end))
