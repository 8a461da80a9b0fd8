"""Frames of many threads in, one write and one fsync for all that wait out.

The first caller that finds the disk free leads: it takes everything that is queued, writes and syncs it, and wakes the
others. Whoever arrives meanwhile forms the next group. A single caller therefore never waits for company; several share
a sync. No lock is held while the disk works.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from faultline.errors import TapeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ("GroupCommit",)

T = TypeVar("T")


class _Group(Generic[T]):
    """Frames that become durable together."""

    __slots__ = ("failure", "frames", "is_done")

    def __init__(self) -> None:
        self.frames: list[T] = []
        self.is_done = False
        self.failure: BaseException | None = None


class GroupCommit(Generic[T]):
    """Serialises writers without a lock across the disk.

    Args:
        write: writes frames and returns when they are durable. Called by one thread at a time.
        wait_s: longest a leader waits for callers that are still preparing their frames.
    """

    def __init__(self, write: Callable[[Sequence[T]], None], wait_s: float) -> None:
        self._write = write
        self._wait_s = wait_s
        self._changed = threading.Condition()
        self._filling: _Group[T] = _Group()
        self._n_preparing = 0
        self._is_led = False
        self._failure: BaseException | None = None
        #: Syncs so far.
        self.n_groups = 0

    def prepare(self) -> None:
        """Announce frames: a leader waits for them, at most ``wait_s``. ``submit`` or ``abandon`` must follow."""
        with self._changed:
            self._n_preparing += 1

    def abandon(self) -> None:
        """The announced frames will not come."""
        with self._changed:
            self._n_preparing -= 1
            self._changed.notify_all()

    def submit(self, frames: Sequence[T]) -> None:
        """Return when the frames are durable.

        Raises:
            TapeError: this write, or one before it, failed.
        """
        with self._changed:
            self._n_preparing -= 1
            self._changed.notify_all()
            self._check(self._failure)
            group = self._filling
            group.frames.extend(frames)
            while self._is_led and not group.is_done:
                self._changed.wait()
            if group.is_done:
                self._check(group.failure)
                return
            self._check(self._failure)
            self._is_led = True
            self._gather()
            self._filling = _Group()
        self._lead(group)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the disk while no group is being written, e.g. to change the file.

        Raises:
            TapeError: a write before failed.
        """
        with self._changed:
            while self._is_led:
                self._changed.wait()
            self._check(self._failure)
            self._is_led = True
        try:
            yield
        except BaseException as exc:
            self._failure = exc
            raise
        finally:
            self._release()

    def _gather(self) -> None:
        """Wait for callers who are preparing frames, so that they share this sync."""
        deadline = time.monotonic() + self._wait_s
        while self._n_preparing:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return
            self._changed.wait(left_s)

    def _lead(self, group: _Group[T]) -> None:
        try:
            self._write(group.frames)
            self.n_groups += 1
        except BaseException as exc:
            self._failure = exc
            group.failure = exc
            raise
        finally:
            group.is_done = True
            self._release()

    def _release(self) -> None:
        with self._changed:
            self._is_led = False
            self._changed.notify_all()

    def _check(self, failure: BaseException | None) -> None:
        if failure is not None:
            message = f"the tape cannot be written any more: {failure}"
            hint = "free space or repair the disk, then open the tape again; acknowledged rows are safe"
            raise TapeError(message, hint=hint) from failure
