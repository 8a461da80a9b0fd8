"""Messages in, messages out later: an append-only archive that loses nothing it acknowledged."""

from __future__ import annotations

from faultline.tape.compact import CompactReport, compact
from faultline.tape.describe import KindDescription, TapeDescription, describe
from faultline.tape.reader import Tape
from faultline.tape.sql import duckdb_sql
from faultline.tape.verify import Problem, VerifyReport, verify
from faultline.tape.writer import TapeWriter

__all__ = (
    "CompactReport",
    "KindDescription",
    "Problem",
    "Tape",
    "TapeDescription",
    "TapeWriter",
    "VerifyReport",
    "compact",
    "describe",
    "duckdb_sql",
    "verify",
)
