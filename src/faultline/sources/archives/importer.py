"""The contract of an archive format: which files it reads, and how their columns become messages."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Final, Protocol

from faultline.errors import ImportRejected
from faultline.sources.archives.bounded_bytes import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from faultline.messages import Batch
    from faultline.sources.archives.column_files import ColumnFile
    from faultline.sources.archives.report import Selection, Tally

__all__ = ("WHOLE_FILE_LIMITS", "Importer", "ReadMessages", "asset_of_name", "stem_of")

#: Bounds of formats whose files must be seen whole.
WHOLE_FILE_LIMITS: Final = Limits(max_bytes=1 << 30, max_rows=20_000_000)

_SUFFIX: Final = re.compile(r"(\.(csv|jsonl|txt))?(\.(gz|zip))?$")


class ReadMessages(Protocol):
    """Reads the files of one import.

    The same files and selection give the same batches in the same order, every time.
    """

    def __call__(
        self, files: Sequence[ColumnFile], selection: Selection, tally: Tally
    ) -> Iterator[list[Batch]]:
        """Batches of messages; every row read is counted in ``tally``."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Importer:
    """One archive format."""

    name: str
    summary: str
    #: What a file name must look like, without its suffix; matched in full.
    name_pattern: str
    #: The same in words, for errors and documentation.
    expected_files: str
    read: ReadMessages
    limits: Limits = WHOLE_FILE_LIMITS
    #: How file names may end.
    suffixes: tuple[str, ...] = (".csv", ".csv.gz")

    def accepts(self, path: Path) -> bool:
        """True where the name of a file is one of this format's."""
        return path.name.endswith(self.suffixes) and bool(re.fullmatch(self.name_pattern, stem_of(path)))

    @property
    def _expectation(self) -> str:
        return f"This format reads {self.expected_files}, as {' or '.join(self.suffixes)}."

    def find(self, paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
        """Files to read, sorted by name, and files of given directories that are left out.

        Raises:
            ImportRejected: a path does not exist, a named file is not of this format, two files are of the same
                name, or nothing is left to read.
        """
        found: list[Path] = []
        ignored: list[Path] = []
        for path in paths:
            if path.is_dir():
                inside = sorted(entry for entry in path.iterdir() if entry.is_file())
                found += [entry for entry in inside if self.accepts(entry)]
                ignored += [entry for entry in inside if not self.accepts(entry)]
            elif not path.exists():
                raise ImportRejected(
                    "there is no such file or directory", where=str(path), hint="Check the path."
                )
            elif self.accepts(path):
                found.append(path)
            else:
                raise ImportRejected(
                    f"the name is not one of format {self.name}",
                    where=str(path),
                    hint=self._expectation,
                )
        unique = sorted(
            {path.resolve(): path for path in found}.values(), key=lambda path: (path.name, str(path))
        )
        stems = [stem_of(path) for path in unique]
        twice = next((stem for stem in stems if stems.count(stem) > 1), None)
        if twice is not None:
            raise ImportRejected(
                f"two files are named {twice}", where=", ".join(map(str, paths)), hint="Give one of them."
            )
        if not unique:
            raise ImportRejected(
                f"no file of format {self.name}",
                where=", ".join(map(str, paths)),
                hint=self._expectation,
            )
        return unique, ignored


def stem_of(path: Path) -> str:
    """File name without ``.csv``, ``.csv.gz``, ``.zip`` and the like."""
    return _SUFFIX.sub("", path.name, count=1)


def asset_of_name(path: Path) -> str:
    """Asset that a file name begins with, up to the first underscore."""
    return stem_of(path).partition("_")[0]
