"""Messages in, messages out later: an append-only archive that loses nothing it acknowledged."""

from __future__ import annotations

from faultline.tape.reader import Tape
from faultline.tape.writer import TapeWriter

__all__ = ("Tape", "TapeWriter")
