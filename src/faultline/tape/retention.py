"""A tape and a day in, the same tape without the sealed rows of earlier days out: the only way rows ever leave one.

The day is written down, durably, before the first file goes: whoever verifies the tape later can tell rows that were
let go from rows that were lost.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.errors import TapeCorrupt
from faultline.messages import Kind
from faultline.tape.layout import OPEN_FOLDER, date_name, fsync_folder, list_tape
from faultline.tape.seal import remove_durably, write_durably
from faultline.units import DAY_NS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ("RETENTION_NAME", "Retention", "let_go", "read_retention")

#: Kinds that are never let go: contracts are written when they change, and later rows need them.
_KEPT: Final = frozenset({Kind.INSTRUMENT.value})

#: File that tells from which day on rows are kept.
RETENTION_NAME: Final = "retention.json"


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From which UTC day on (``YYYY-MM-DD``) rows are kept; empty where all are."""

    kept_from: str = ""

    def covers(self, kind: str, date: str) -> bool:
        """Whether rows of a kind and a day were let go."""
        return date < self.kept_from and kind not in _KEPT


def read_retention(root: Path) -> Retention:
    """What was let go of a tape.

    Raises:
        TapeCorrupt: the file cannot be read.
    """
    path = root / RETENTION_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Retention)
    except FileNotFoundError:
        return Retention()
    except msgspec.MsgspecError as exc:
        raise TapeCorrupt(
            f"not a note of what was let go: {exc}", where=str(path), hint="Restore the file from a copy."
        ) from exc


def let_go(root: Path, kept_from_ns: int) -> int:
    """Remove sealed files of the days before the one of ``kept_from_ns``; returns how many. Days never come back.

    Only the tape's writer may call it. Rows that are not sealed yet stay.

    Raises:
        OSError: the disk refuses.
        TapeCorrupt: the note of an earlier time cannot be read.
    """
    day = date_name(kept_from_ns // DAY_NS)
    note = Retention(max(day, read_retention(root).kept_from))
    parts = (part for of_key in list_tape(root).parts.values() for part in of_key)
    old = [part for part in parts if note.covers(part.kind, part.date)]
    if not old:
        return 0
    write_durably(root / RETENTION_NAME, msgspec.json.encode(note))
    fsync_folder(root)
    for part in old:
        remove_durably(part.path)
    os.utime(root / OPEN_FOLDER)  # By this readers notice that files changed.
    return len(old)
