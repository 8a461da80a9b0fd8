"""Columns of a source in, sorted batches of messages inside the selected time out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faultline.messages import Batch, Flag, Kind, empty_rows, sort_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import ArrayLike, NDArray

    from faultline.sources.archives.report import GapSpan, Selection

__all__ = ("gap_batches", "make_batches", "make_rows")


def make_rows(
    kind: Kind,
    event_ns: NDArray[np.int64],
    received_ns: NDArray[np.int64],
    fields: Mapping[str, ArrayLike],
    flags: ArrayLike = Flag.NONE,
) -> NDArray[np.void]:
    """Rows of one kind, shape (n,); fields that are not given stay NaN, zero or empty."""
    rows = empty_rows(kind, len(event_ns))
    rows["ts_event_ns"] = event_ns
    rows["ts_received_ns"] = received_ns
    rows["flags"] = flags
    for name, values in fields.items():
        rows[name] = values
    return rows


def make_batches(kind: Kind, instrument_id: str, rows: NDArray[np.void], selection: Selection) -> list[Batch]:
    """The selected rows as one sorted batch, or none where nothing is left."""
    kept = rows[selection.mask(rows["ts_received_ns"])]
    return [Batch(kind, instrument_id, sort_rows(kept))] if len(kept) else []


def gap_batches(gaps: Iterable[GapSpan], selection: Selection) -> list[Batch]:
    """Gap messages, cut to the selected time. A gap is known when it ends."""
    by_scope: dict[str, list[GapSpan]] = {}
    for gap in sorted(selection.clip(set(gaps))):
        by_scope.setdefault(gap.scope, []).append(gap)
    batches: list[Batch] = []
    for scope, group in by_scope.items():
        starts = np.array([gap.from_ns for gap in group], dtype=np.int64)
        ends = np.array([gap.to_ns for gap in group], dtype=np.int64)
        fields: dict[str, ArrayLike] = {
            "missing_kind": [gap.kind.encode() for gap in group],
            "from_ns": starts,
            "to_ns": ends,
            "reason": [gap.reason.encode() for gap in group],
        }
        rows = make_rows(Kind.GAP, starts, ends, fields)
        batches.append(Batch(Kind.GAP, scope, sort_rows(rows)))
    return batches
