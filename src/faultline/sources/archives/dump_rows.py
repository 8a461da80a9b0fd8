"""Times, prices and ids of a block of a dump in, rows that are in order and belong to it out, the rest counted."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.messages import Batch, Flag
from faultline.sources.archives.message_rows import make_rows
from faultline.sources.archives.venue_contracts import instrument_batch
from faultline.units import MINUTE_NS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from faultline.instruments import Instrument
    from faultline.messages import Kind
    from faultline.sources.archives.column_files import Block
    from faultline.sources.archives.report import Selection

__all__ = ("BACKWARDS_MAX_NS", "Announcer", "Clock", "sorted_batch")

#: Venues' stamps may run backwards by this much between rows whose order is known otherwise.
BACKWARDS_MAX_NS: Final = MINUTE_NS


@dataclasses.dataclass(slots=True)
class Clock:
    """Latest time of one stream of rows, so that a row is never known before the one it follows."""

    latest_ns: int = 0

    def advance(
        self, block: Block, field: str, time_ns: NDArray[np.int64], kept: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Receive times of all rows, shape (n,): each the latest of its own and all earlier kept times.

        Raises:
            ImportRejected: time runs backwards by more than ``BACKWARDS_MAX_NS``.
        """
        seen_ns = np.where(kept, time_ns, self.latest_ns)
        received_ns = np.maximum.accumulate(np.maximum(seen_ns, self.latest_ns))
        hint = "Lines must be in the order of their time; give one file per day or month."
        far = kept & (received_ns - time_ns > BACKWARDS_MAX_NS)
        block.check(field, far, "must not run backwards by more than a minute", hint)
        self.latest_ns = int(received_ns[-1]) if len(received_ns) else self.latest_ns
        return received_ns

    def is_next(self, time_ns: NDArray[np.int64], kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Mask of rows later than every kept row before them."""
        seen_ns = np.where(kept, time_ns, self.latest_ns)
        before_ns = np.concatenate(([self.latest_ns], seen_ns[:-1]))[: len(seen_ns)]
        later: NDArray[np.bool_] = time_ns > np.maximum.accumulate(before_ns)
        return later


class Announcer:
    """Writes the rows of every contract once, before the first message of its id."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def before(self, instrument: Instrument | None, batches: list[Batch]) -> list[Batch]:
        """The same batches, with the contract's rows in front where these are its first."""
        if instrument is None or not batches or instrument.id in self._known:
            return batches
        self._known.add(instrument.id)
        first_ns = min(int(batch.rows["ts_received_ns"][0]) for batch in batches)
        return instrument_batch(instrument, first_ns) + batches


def sorted_batch(
    kind: Kind,
    instrument_id: str,
    times: tuple[NDArray[np.int64], NDArray[np.int64]],
    fields: Mapping[str, ArrayLike],
    selection: Selection,
    flags: ArrayLike = Flag.RECEIVED_ASSUMED,
) -> list[Batch]:
    """Rows that are in order already, cut to the selected time; none where nothing is left.

    Args:
        kind: kind of message.
        instrument_id: whose rows they are.
        times: event and receive times, shape (n,); receive times do not decrease.
        fields: columns of the kind, shape (n,).
        selection: which times to keep.
        flags: of all rows, or of each.
    """
    rows = make_rows(kind, *times, fields, flags)
    if selection.from_ns is not None or selection.to_ns is not None:
        rows = rows[selection.mask(times[1])]
    return [Batch(kind, instrument_id, rows)] if len(rows) else []
