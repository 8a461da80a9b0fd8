"""A tape in, its messages piece by piece in order out."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, Protocol

from faultline.messages import Batch, Kind
from faultline.pipeline.kinds import STEP_FIELDS
from faultline.units import HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from faultline.tape import Tape

__all__ = ("MessageFeed", "TapeCursor", "between")


class MessageFeed(Protocol):
    """Something that gives the messages received before a moment, each once."""

    def advance(self, to_ns: int) -> list[Batch]:
        """Batches received since the last call and before ``to_ns``."""
        ...


class TapeCursor:
    """Reads a tape forward, of a trade only what the engine needs; a few hours are held in memory, or a short piece.

    Args:
        tape: what to read.
        kinds: kinds to read.
        ids: instruments to read; how the feeds of venues fared is read besides, where that kind is.
        from_ns: where to begin.
        piece_ns: hold no more than this at once, for kinds of which there are very many rows.
    """

    def __init__(
        self,
        tape: Tape,
        kinds: Sequence[Kind],
        ids: Sequence[str],
        from_ns: int,
        *,
        piece_ns: int | None = None,
    ) -> None:
        self._tape, self._kinds, self._piece_ns = tape, tuple(kinds), piece_ns
        self._ids = (*ids, *tape.ids(Kind.SOURCE_STATUS))
        self._at_ns = from_ns
        self._held: list[Batch] = []
        self._held_to_ns = self._opened_to_ns = from_ns
        self._pieces: Iterator[tuple[int, int, list[Batch]]] = iter(())

    def pieces(self, to_ns: int) -> Iterator[tuple[int, list[Batch]]]:
        """What ``advance`` would give, in pieces no longer than those that are held: their ends and batches."""
        while self._at_ns < to_ns:
            self._hold(to_ns)
            end_ns = min(to_ns, self._held_to_ns)
            yield end_ns, self.advance(end_ns)

    def advance(self, to_ns: int) -> list[Batch]:
        """Batches received in [last position, to_ns)."""
        out: list[Batch] = []
        while self._at_ns < to_ns:
            self._hold(to_ns)
            end_ns = min(to_ns, self._held_to_ns)
            out += between(self._held, self._at_ns, end_ns)
            self._at_ns = end_ns
        return out

    def _hold(self, to_ns: int) -> None:
        """Read the next piece where everything that is held was given."""
        if self._at_ns < self._held_to_ns:
            return
        if self._at_ns >= self._opened_to_ns:
            self._opened_to_ns = max(self._at_ns + 6 * HOUR_NS, to_ns)
            self._pieces = self._tape.stream(
                self._at_ns,
                self._opened_to_ns,
                kinds=self._kinds,
                ids=self._ids,
                chunk_ns=self._piece_ns or self._opened_to_ns - self._at_ns,
                fields=STEP_FIELDS,
            )
        _, self._held_to_ns, self._held = next(self._pieces)


def between(batches: Sequence[Batch], from_ns: int, to_ns: int) -> list[Batch]:
    """The rows of sorted batches received in [from_ns, to_ns)."""
    out = []
    for batch in batches:
        times = batch.rows["ts_received_ns"]
        if len(times) and from_ns <= times[0] and times[-1] < to_ns:
            out.append(batch)
            continue
        # NumPy's own search would copy the strided times of all rows first.
        low, high = bisect.bisect_left(times, from_ns), bisect.bisect_left(times, to_ns)
        if low < high:
            out.append(Batch(batch.kind, batch.instrument_id, batch.rows[low:high]))
    return out
