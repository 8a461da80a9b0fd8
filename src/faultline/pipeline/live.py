"""What a recorder hands over and the tape it writes in, the messages of a living market in order out.

The engine may be slower than the market: while it rebuilds the past, or after a pause of the machine. What waits in
memory is bounded: beyond the bound it is let go and read back from the tape, where the recorder has put it too. Order
books begin anew with the recording, so those of before are not read; those of since are read in short pieces.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from faultline.messages import merge_batches
from faultline.pipeline.cursor import between
from faultline.pipeline.kinds import BOOK_PIECE_NS, DENSE_KINDS
from faultline.units import SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from faultline.messages import Batch, Kind
    from faultline.tape import Tape

__all__ = ("ROWS_WAITING_MAX", "LiveFeed")

#: Rows that may wait for the engine in memory: about 100 MB.
ROWS_WAITING_MAX: Final = 1_000_000
#: An engine that is this close to the present gets its messages from memory, not from the tape.
_NEAR_NS: Final = 5 * SECOND_NS


class LiveFeed:
    """Messages received before a moment, each once: from the tape while far behind, from memory when near.

    Args:
        tape: opens the tape that the recorder writes.
        kinds: kinds that are wanted.
        from_ns: where to begin.
        now_ns: present of the recorder when the feed is made; nothing later was handed over yet.
        rows_max: rows that may wait in memory.

    Attributes:
        n_spilled: rows that were let go and read back from the tape.
    """

    def __init__(
        self,
        tape: Callable[[], Tape],
        kinds: Sequence[Kind],
        from_ns: int,
        now_ns: int,
        *,
        rows_max: int = ROWS_WAITING_MAX,
    ) -> None:
        self._open_tape, self._kinds, self._rows_max = tape, tuple(kinds), rows_max
        self._sparse = [kind for kind in kinds if kind not in DENSE_KINDS]
        self._dense = [kind for kind in kinds if kind in DENSE_KINDS]
        self._lock = threading.Lock()
        self._at_ns = from_ns
        self._watermark_ns = self._kept_ns = self._began_ns = now_ns
        #: Rows received from here on are in memory; None where everything is to be read from the tape.
        self._held_from_ns: int | None = None
        self._held: list[Batch] = []
        self._n_held = 0
        self.n_spilled = 0

    def take(self, batches: Sequence[Batch], watermark_ns: int) -> None:
        """Take every row received since the last call and before ``watermark_ns``; the recorder calls this."""
        with self._lock:
            before_ns, self._watermark_ns = self._watermark_ns, watermark_ns
            if self._held_from_ns is None:
                if watermark_ns - self._at_ns > _NEAR_NS:
                    return
                self._held_from_ns = before_ns
            mine = [batch for batch in batches if batch.kind in self._kinds]
            self._held += mine
            self._n_held += sum(map(len, mine))
            if self._n_held > self._rows_max:
                self.n_spilled += self._n_held
                self._held, self._n_held, self._held_from_ns = [], 0, None

    def keep(self, upto_ns: int) -> None:
        """Note that every row received before ``upto_ns`` is on the tape; the recorder calls this."""
        with self._lock:
            self._kept_ns = max(self._kept_ns, upto_ns)

    def present_ns(self) -> int:
        """Moment up to which ``advance`` may go now."""
        with self._lock:
            return self._reachable_ns()

    def _reachable_ns(self) -> int:
        held_ns = self._held_from_ns
        if held_ns is not None and self._at_ns >= held_ns:
            return self._watermark_ns
        on_tape_ns = self._kept_ns if held_ns is None else min(self._kept_ns, held_ns)
        if self._dense:
            on_tape_ns = min(on_tape_ns, max(self._at_ns, self._began_ns) + BOOK_PIECE_NS)
        return max(on_tape_ns, self._at_ns)

    def advance(self, to_ns: int) -> list[Batch]:
        """Batches received in [last position, ``to_ns``), or up to ``present_ns()`` where that is earlier."""
        with self._lock:
            end_ns = max(min(to_ns, self._reachable_ns()), self._at_ns)
            held_ns = self._held_from_ns
            from_memory = held_ns is not None and self._at_ns >= held_ns
            if from_memory:
                return self._from_memory(end_ns)
            start_ns, self._at_ns = self._at_ns, end_ns
        if start_ns == end_ns:
            return []
        out: list[Batch] = []
        dense_ns = min(max(start_ns, self._began_ns), end_ns)
        for kinds, from_ns in ((self._sparse, start_ns), (self._dense, dense_ns)):
            if kinds and from_ns < end_ns:
                pieces = self._open_tape().stream(from_ns, end_ns, kinds=kinds, chunk_ns=end_ns - from_ns)
                out += [batch for _, _, batches in pieces for batch in batches]
        return out

    def _from_memory(self, end_ns: int) -> list[Batch]:
        start_ns, self._at_ns = self._at_ns, end_ns
        out = merge_batches(between(self._held, start_ns, end_ns))
        self._held = between(self._held, end_ns, self._watermark_ns)
        self._n_held = sum(map(len, self._held))
        return out
