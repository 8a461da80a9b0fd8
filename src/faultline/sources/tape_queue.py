"""Batches of the recorder's loop in, rows acknowledged by the tape out, without ever making the loop wait."""

from __future__ import annotations

import collections
import threading
from typing import TYPE_CHECKING, Final

import structlog

from faultline.errors import FaultlineError, TapeError
from faultline.messages import merge_batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultline.messages import Batch
    from faultline.tape.writer import TapeWriter

__all__ = ("TapeQueue",)

_LOG = structlog.get_logger(__name__)
#: Nothing is gathered where more than this share of the bound waits.
_HASTE_SHARE: Final = 0.1


class TapeQueue:
    """Rows on their way to a tape, and the thread that appends them.

    The queue drops nothing and does not block: whoever fills it looks at ``is_full`` and stops reading.

    Args:
        tape: where rows go; the queue does not close it.
        rows_max: rows that may wait.
        gather_s: rows wait so long for others: few large batches cost the tape less than many small ones.
    """

    def __init__(self, tape: TapeWriter, rows_max: int, gather_s: float = 0.25) -> None:
        self.rows_max = rows_max
        self._gather_s = gather_s
        self._tape = tape
        self._waiting: collections.deque[Sequence[Batch]] = collections.deque()
        self._changed = threading.Condition()
        self._rows_waiting = 0
        self._is_closing = False
        #: Rows the tape has acknowledged.
        self.n_rows_acknowledged = 0
        #: Why the tape takes no more; what waits then is not acknowledged.
        self.failure: FaultlineError | None = None
        self._thread = threading.Thread(target=self._append_all, name="tape-queue", daemon=True)
        self._thread.start()

    @property
    def rows_waiting(self) -> int:
        """Rows handed over and not acknowledged yet."""
        return self._rows_waiting

    def put(self, batches: Sequence[Batch]) -> None:
        """Hand over batches; they are appended in this order."""
        n_rows = sum(map(len, batches))
        if not n_rows:
            return
        with self._changed:
            is_first = not self._waiting
            self._waiting.append(batches)
            self._rows_waiting += n_rows
            if is_first or self.is_full(_HASTE_SHARE):
                self._changed.notify_all()

    def is_full(self, share: float = 1.0) -> bool:
        """Whether more than a share of the bound waits."""
        return self._rows_waiting > share * self.rows_max

    @property
    def has_ended(self) -> bool:
        """Whether everything is acknowledged after ``end``, or never will be."""
        return not self._thread.is_alive()

    def end(self) -> None:
        """Nothing more will be handed over."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()

    def close(self, timeout_s: float) -> None:
        """End, and wait until everything handed over is acknowledged.

        Raises:
            TapeError: the tape refused, or took longer than ``timeout_s``.
        """
        self.end()
        self._thread.join(timeout_s)
        if self.failure is not None:
            raise self.failure
        if self._thread.is_alive():
            message = f"{self._rows_waiting} rows were not written within {timeout_s:g} s"
            raise TapeError(message, where=str(self._tape.path), hint="the disk is too slow or hangs")

    def _append_all(self) -> None:
        """Body of the thread."""
        while True:
            with self._changed:
                while not self._waiting and not self._is_closing:
                    self._changed.wait()
                self._changed.wait_for(lambda: self._is_closing or self.is_full(_HASTE_SHARE), self._gather_s)
                if not self._waiting:
                    return
                gathered = [batch for group in self._waiting for batch in group]
                self._waiting.clear()
            n_rows = sum(map(len, gathered))
            batches = merge_batches(gathered)
            try:
                self._tape.append(batches)
            except FaultlineError as exc:
                self.failure = exc
            except (OSError, ValueError) as exc:
                self.failure = TapeError(f"the tape refuses rows: {exc}", where=str(self._tape.path))
            if self.failure is not None:
                _LOG.error("tape refused rows", n_rows=n_rows, error=str(self.failure))
                return
            with self._changed:
                self._rows_waiting -= n_rows
                self.n_rows_acknowledged += n_rows
