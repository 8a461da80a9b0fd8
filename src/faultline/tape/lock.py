"""A tape's folder in, the right to write to it out: one writer at a time, on one machine."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from faultline.errors import TapeError
from faultline.tape.layout import LOCK_NAME

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ("TapeLock",)


class TapeLock:
    """The one writer's lock on a tape; the system releases it when the process ends, however it ends.

    Raises:
        TapeError: somebody else writes to the tape.
    """

    def __init__(self, root: Path) -> None:
        self._descriptor = os.open(root / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            os.close(self._descriptor)
            hint = "stop the other writer, or write to another folder; reading is always possible"
            raise TapeError("another process is writing to this tape", where=str(root), hint=hint) from exc

    def release(self) -> None:
        """Let the next writer in."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
