"""Rows from any thread in, transactions of one thread out: a bounded queue, many rows per commit."""

from __future__ import annotations

import functools
import threading
from collections import deque
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import sqlalchemy as sa
import structlog

from faultline.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ("RowWriter",)

_Row = TypeVar("_Row")

#: Rows of one transaction at most.
_COMMIT_ROWS_MAX: Final = 1_000
#: Waits between two tries of a transaction that failed, in seconds.
_RETRY_FIRST_S: Final = 0.05
_RETRY_LAST_S: Final = 5.0
_LOG: Final = structlog.get_logger("faultline.store.writer")


class RowWriter(Generic[_Row]):
    """One thread that commits what other threads put.

    A transaction that fails is tried again until it succeeds, the rows behind it wait in order. A full queue makes
    ``put`` wait; after ``patience_s`` it gives up with an error.

    Args:
        name: of the thread, and of the store in errors.
        commit: writes rows in one transaction; called in the writer's thread only, again after a database error.
        limit: rows that may wait.
        patience_s: longest wait of ``put`` and ``flush``.
    """

    def __init__(
        self,
        name: str,
        commit: Callable[[Sequence[_Row]], None],
        *,
        limit: int,
        patience_s: float = 30.0,
    ) -> None:
        self._name, self._commit = name, commit
        self._limit, self._patience_s = limit, patience_s
        self._rows: deque[_Row] = deque()
        self._changed = threading.Condition()
        self._n_put = 0
        self._n_done = 0
        self._closing = False
        self._failure = ""
        #: Times that ``put`` had to wait for room, transactions that failed, rows given up when it was closed.
        self.waits = 0
        self.retries = 0
        self.lost = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Rows not committed yet."""
        return self._n_put - self._n_done

    def put(self, rows: Sequence[_Row]) -> None:
        """Queue rows in order; waits where the queue is full.

        Raises:
            StoreError: there was no room in time, or the writer has ended.
        """
        for start in range(0, len(rows), self._limit):
            part = rows[start : start + self._limit]
            with self._changed:
                if not self._has_room(len(part)):
                    self.waits += 1
                    self._wait(functools.partial(self._has_room, len(part)), "has no room")
                if self._closing or self._failure:
                    raise self._ended()
                self._rows.extend(part)
                self._n_put += len(part)
                self._changed.notify_all()

    def flush(self) -> None:
        """Wait until everything put so far is committed.

        Raises:
            StoreError: it took too long, or the writer has ended before.
        """
        with self._changed:
            target = self._n_put
            self._wait(lambda: self._n_done >= target, "is not done")
            if self._n_done < target:
                raise self._ended()

    def close(self) -> None:
        """Commit what waits (one try where the database fails) and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(self._patience_s)

    def _has_room(self, n: int) -> bool:
        return len(self._rows) + n <= self._limit

    def _wait(self, is_met: Callable[[], bool], what: str) -> None:
        met = self._changed.wait_for(
            lambda: is_met() or bool(self._failure) or self._closing, self._patience_s
        )
        if not met:
            raise StoreError(
                f"the database {what} after {self._patience_s:g} s",
                where=self._name,
                hint="Check that its disk is neither full nor failing and that no other program locks it.",
            )

    def _ended(self) -> StoreError:
        reason = self._failure or "it was closed"
        return StoreError(f"nothing can be written any more: {reason}", where=self._name, hint="See the log.")

    def _run(self) -> None:
        try:
            while rows := self._next():
                self._keep_trying(rows)
                with self._changed:
                    self._n_done += len(rows)
                    self._changed.notify_all()
        except Exception as exc:  # noqa: BLE001 - told to everybody who writes from now on, and logged
            _LOG.exception("writer failed", store=self._name)
            with self._changed:
                self._failure = type(exc).__name__
                self._changed.notify_all()

    def _next(self) -> list[_Row]:
        """The next transaction's rows; none when there is nothing left and the writer is closing."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._rows) or self._closing)
            rows = [self._rows.popleft() for _ in range(min(len(self._rows), _COMMIT_ROWS_MAX))]
            self._changed.notify_all()
            return rows

    def _keep_trying(self, rows: list[_Row]) -> None:
        wait_s = _RETRY_FIRST_S
        while True:
            try:
                self._commit(rows)
            except sa.exc.SQLAlchemyError as exc:
                self.retries += 1
                _LOG.warning("transaction failed", store=self._name, error=type(exc).__name__, rows=len(rows))
                if self._closing:
                    self.lost += len(rows)
                    _LOG.error(
                        "rows lost: the database failed while closing", store=self._name, rows=len(rows)
                    )
                    return
            else:
                return
            with self._changed:
                self._changed.wait_for(lambda: self._closing, wait_s)
            wait_s = min(wait_s * 2, _RETRY_LAST_S)
