"""Recorded files of a known format in, messages on a tape and an account of every row out."""

from __future__ import annotations

from faultline.sources.archives.formats import FORMATS
from faultline.sources.archives.importing import import_files
from faultline.sources.archives.report import GapSpan, ImportReport, KindCount

__all__ = ("FORMATS", "GapSpan", "ImportReport", "KindCount", "import_files")
