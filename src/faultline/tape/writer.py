"""Batches in, acknowledged rows on disk out.

``append`` returns when the rows are durable; a background thread turns full segments into sealed files. A crash loses
nothing that was acknowledged and doubles nothing. One writer at a time: the lock is on the tape's folder.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from faultline.clock import SystemClock
from faultline.errors import FaultlineError, TapeError
from faultline.tape.commit import GroupCommit
from faultline.tape.frames import batch_frame, schema_frame, slice_rows
from faultline.tape.layout import (
    LOCK_NAME,
    OPEN_FOLDER,
    QUARANTINE_FOLDER,
    fsync_folder,
    list_parts,
    list_receipts,
    list_segments,
    segment_path,
)
from faultline.tape.lock import TapeLock
from faultline.tape.manifest import MANIFEST_NAME, Manifest, read_manifest, write_manifest
from faultline.tape.retention import let_go
from faultline.tape.seal import remove_durably, remove_parts_of, seal_segment
from faultline.tape.segments import Loss, SegmentReader, segment_head
from faultline.units import format_time_ns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray

    from faultline.clock import Clock
    from faultline.messages import Batch, Kind

__all__ = ("SEGMENTS_WAITING_MAX", "SEGMENT_BYTES_MAX", "TapeWriter")

#: A segment is sealed when it has this many bytes.
SEGMENT_BYTES_MAX: Final = 64 * 1024 * 1024
#: Full segments that may wait for their seal; after that ``append`` waits too.
SEGMENTS_WAITING_MAX: Final = 4
#: The sealing thread rests so many times as long as it has worked while nobody waits for it.
_REST_SHARE: Final = 3.0
_SLICE_BYTES: Final = 16 * 1024 * 1024


@dataclasses.dataclass(slots=True)
class _Segment:
    """The segment that grows."""

    number: int
    descriptor: int
    n_bytes: int
    kinds: set[Kind] = dataclasses.field(default_factory=set)
    has_rows: bool = False


class TapeWriter:
    """Writes batches to a tape; a context manager that seals on leaving.

    Thread-safe: several threads may append, and share a sync.

    Args:
        path: the tape's folder; created when absent, continued when it holds a tape of the same world.
        simulated: True where the rows come from a simulator.
        world: name of the simulated world; empty for recorded rows.
        group_fsync_s: longest wait for other threads that are about to append, so that they share a sync.
        clock: where ``created`` in the manifest comes from.
        segment_bytes: size at which a segment is sealed.

    Raises:
        WorldMismatch: the tape holds rows of another world.
        TapeCorrupt: the folder's manifest is damaged.
        TapeError: another writer holds the tape, or the disk refuses.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        simulated: bool,
        world: str = "",
        group_fsync_s: float = 0.2,
        clock: Clock | None = None,
        segment_bytes: int = SEGMENT_BYTES_MAX,
    ) -> None:
        self.path = Path(path)
        self._segment_bytes = segment_bytes
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = TapeLock(self.path)
        try:
            self._manifest = self._open_manifest(simulated, world, clock or SystemClock())
            self._head = segment_head(simulated=simulated, world=world)
            #: What recovery cut off when the tape was opened.
            self.recovered: tuple[Loss, ...] = self._recover()
            self._active = self._open_segment(self._next_number())
        except BaseException:
            self._lock.release()
            raise
        self._commit = GroupCommit(self._write, group_fsync_s)
        self._sealing = threading.Condition()
        self._n_awaiting_seals = 0
        #: CPU time of the sealing thread when it last rested.
        self._rested_s = 0.0
        self._stopped = False
        self._is_closed = False
        self._seal_failure: BaseException | None = None
        self._sealer = threading.Thread(target=self._seal_waiting, name="tape-sealer", daemon=True)
        self._sealer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def manifest(self) -> Manifest:
        """What the tape says about itself."""
        return self._manifest

    @property
    def n_syncs(self) -> int:
        """Group syncs so far."""
        return self._commit.n_groups

    def append(self, batches: Sequence[Batch]) -> None:
        """Write batches; when this returns their rows are acknowledged: they survive a crash.

        Empty batches are ignored. The tape never drops a row as a duplicate.

        Raises:
            TapeError: the tape is closed, the disk refuses, or sealing failed; the rows are not acknowledged.
        """
        self._check_open()
        for group in _frame_groups(batches):
            self._commit.prepare()
            try:
                frames = [_Frame(kind, batch_frame(kind, iid, rows)) for kind, iid, rows in group]
            except BaseException:
                self._commit.abandon()
                raise
            self._commit.submit(frames)

    def seal(self) -> None:
        """Turn everything appended so far into sealed files; returns when that is durable.

        Raises:
            TapeError: sealing failed; the rows are still in the open segments.
        """
        self._check_open()
        with self._commit.alone():
            if self._active.has_rows:
                self._rotate()
        self._await_seals(0)

    def let_go(self, kept_from_ns: int) -> int:
        """Remove sealed files of the days before the one of ``kept_from_ns``; contracts stay. Returns how many files.

        Raises:
            TapeError: the tape is closed.
            OSError: the disk refuses.
        """
        self._check_open()
        return let_go(self.path, kept_from_ns)

    def close(self) -> None:
        """Seal, and let the next writer in. Closing twice does nothing.

        Raises:
            TapeError: sealing failed; the rows are still in the open segments.
        """
        if self._is_closed:
            return
        try:
            self.seal()
        finally:
            self._is_closed = True
            with self._sealing:
                self._stopped = True
                self._sealing.notify_all()
            self._sealer.join()
            os.close(self._active.descriptor)
            if not self._active.has_rows:
                remove_durably(segment_path(self.path, self._active.number))
            self._lock.release()

    def _check_open(self) -> None:
        if self._is_closed:
            raise TapeError("this tape writer is closed", where=str(self.path), hint="open another one")
        self._check_sealer()

    def _check_sealer(self) -> None:
        if self._seal_failure is not None:
            hint = "free space or repair the disk, then open the tape again; acknowledged rows are in open/"
            message = f"sealing failed: {self._seal_failure}"
            raise TapeError(message, where=str(self.path), hint=hint) from self._seal_failure

    def _open_manifest(self, simulated: bool, world: str, clock: Clock) -> Manifest:  # noqa: FBT001 - private
        if not (self.path / MANIFEST_NAME).exists():
            names = sorted(path.name for path in self.path.iterdir())
            foreign = [name for name in names if name != LOCK_NAME and not name.startswith(".")]
            if foreign:
                message = f"the folder is not a tape and holds {foreign[0]}"
                hint = "give a new or empty folder, or one that holds a tape"
                raise TapeError(message, where=str(self.path), hint=hint)
            created = format_time_ns(clock.now_ns())
            manifest = write_manifest(self.path, simulated=simulated, world=world, created=created)
        else:
            manifest = read_manifest(self.path)
            manifest.check_world(simulated=simulated, world=world, where=str(self.path))
        (self.path / OPEN_FOLDER).mkdir(exist_ok=True)
        fsync_folder(self.path)
        return manifest

    def _recover(self) -> tuple[Loss, ...]:
        """Cut unfinished writes, drop half-made parts, queue segments for sealing; returns what was cut."""
        self._waiting: collections.deque[int] = collections.deque()
        losses: list[Loss] = []
        for number in list_segments(self.path):
            path = segment_path(self.path, number)
            reader = SegmentReader(path, self._head)
            remove_parts_of(self.path, number)
            for loss in reader.losses:
                self._quarantine(loss)
                losses.append(loss)
            if reader.frames or any(not loss.is_tail for loss in reader.losses):
                self._waiting.append(number)
            else:
                remove_durably(path)
        return tuple(losses)

    def _quarantine(self, loss: Loss) -> None:
        """Keep bytes that are not valid frames, for a look; a tail is cut from its segment."""
        folder = self.path / QUARANTINE_FOLDER
        folder.mkdir(exist_ok=True)
        with loss.path.open("r+b") as file:
            file.seek(loss.offset)
            content = file.read(loss.n_bytes)
            (folder / f"{loss.path.stem}-{loss.offset}.bytes").write_bytes(content)
            if loss.is_tail:
                file.truncate(loss.offset)
                os.fsync(file.fileno())

    def _next_number(self) -> int:
        """A number that no segment ever had: parts and receipts keep the numbers of those that are gone."""
        parts, _ = list_parts(self.path)
        gone = [*(part.last_segment for part in parts), *list_receipts(self.path)]
        return max([*gone, *list_segments(self.path)], default=0) + 1

    def _open_segment(self, number: int) -> _Segment:
        path = segment_path(self.path, number)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        _write_all(descriptor, self._head)
        os.fsync(descriptor)
        fsync_folder(path.parent)
        return _Segment(number, descriptor, len(self._head))

    def _write(self, frames: Sequence[_Frame]) -> None:
        """Write frames and sync; only the leader of a group calls this."""
        # Written at once: other threads may take over at every call of the system.
        contents: list[bytes] = []
        for frame in frames:
            if self._active.has_rows and self._active.n_bytes + len(frame.content) > self._segment_bytes:
                _write_all(self._active.descriptor, b"".join(contents))
                contents.clear()
                self._rotate()
                self._await_seals(SEGMENTS_WAITING_MAX)
            segment = self._active
            if frame.kind not in segment.kinds:
                contents.append(schema_frame(frame.kind))
                segment.n_bytes += len(contents[-1])
                segment.kinds.add(frame.kind)
            contents.append(frame.content)
            segment.n_bytes += len(frame.content)
            segment.has_rows = True
        _write_all(self._active.descriptor, b"".join(contents))
        os.fdatasync(self._active.descriptor)

    def _rotate(self) -> None:
        """Begin the next segment and queue the present one for sealing."""
        full = self._active
        os.fdatasync(full.descriptor)
        self._active = self._open_segment(full.number + 1)
        os.close(full.descriptor)
        with self._sealing:
            self._waiting.append(full.number)
            self._sealing.notify_all()

    def _await_seals(self, n_waiting: int) -> None:
        """Return when at most ``n_waiting`` segments wait for their seal."""
        with self._sealing:
            self._n_awaiting_seals += 1
            self._sealing.notify_all()
            while len(self._waiting) > n_waiting and self._seal_failure is None:
                self._sealing.wait()
            self._n_awaiting_seals -= 1
        self._check_sealer()

    def _rest(self) -> None:
        """Let other threads have the interpreter: sealing is not urgent until somebody or many segments wait."""
        worked_s = time.thread_time() - self._rested_s
        with self._sealing:
            self._sealing.wait_for(
                lambda: self._n_awaiting_seals or self._stopped or len(self._waiting) >= SEGMENTS_WAITING_MAX,
                _REST_SHARE * worked_s,
            )
        self._rested_s = time.thread_time()

    def _seal_waiting(self) -> None:
        """Body of the sealing thread."""
        while True:
            with self._sealing:
                while not self._waiting and not self._stopped:
                    self._sealing.wait()
                if not self._waiting or self._seal_failure is not None:
                    return
                number = self._waiting[0]
            try:
                seal_segment(self.path, self._manifest, number, self._rest)
            except (OSError, FaultlineError) as exc:
                with self._sealing:
                    self._seal_failure = exc
                    self._sealing.notify_all()
                return
            with self._sealing:
                self._waiting.popleft()
                self._sealing.notify_all()


@dataclasses.dataclass(frozen=True, slots=True)
class _Frame:
    """Bytes of one frame, and the kind whose schema must come before it in a segment."""

    kind: Kind
    content: bytes


def _frame_groups(batches: Sequence[Batch]) -> Iterator[list[tuple[Kind, str, NDArray[np.void]]]]:
    """Slices of the batches, grouped so that one group is about ``_SLICE_BYTES``."""
    group: list[tuple[Kind, str, NDArray[np.void]]] = []
    n_bytes = 0
    for batch in batches:
        for rows in slice_rows(batch.rows):
            group.append((batch.kind, batch.instrument_id, rows))
            n_bytes += rows.nbytes
            if n_bytes >= _SLICE_BYTES:
                yield group
                group, n_bytes = [], 0
    if group:
        yield group


def _write_all(descriptor: int, content: bytes) -> None:
    """Write every byte."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
