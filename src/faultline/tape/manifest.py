"""A tape's folder in, what the tape says about itself out: format version, world, when it was created."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.errors import TapeCorrupt, TapeError, TapeNotFound, WorldMismatch

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ("FORMAT_VERSION", "MANIFEST_NAME", "Manifest", "read_manifest", "write_manifest")

#: Version of the layout on disk; a reader refuses others.
FORMAT_VERSION: Final = 1
#: File that makes a folder a tape.
MANIFEST_NAME: Final = "tape.json"
_MANIFEST_BYTES_MAX: Final = 64 * 1024


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``tape.json`` holds."""

    #: Always ``faultline-tape``.
    format: str
    #: Version of the layout on disk.
    version: int
    #: True where the rows come from a simulator.
    simulated: bool
    #: Name of the simulated world; empty for recorded rows.
    world: str
    #: When the tape was created, ISO-8601 UTC.
    created: str

    def check_world(self, *, simulated: bool, world: str, where: str) -> None:
        """Refuse rows of another world.

        Raises:
            WorldMismatch: simulated and recorded rows, or two worlds, would share this tape.
        """
        if (self.simulated, self.world) == (simulated, world):
            return
        message = (
            f"this tape holds {_world_name(simulated=self.simulated, world=self.world)}; "
            f"{_world_name(simulated=simulated, world=world)} cannot be written to it"
        )
        raise WorldMismatch(message, where=where, hint="write to another folder")


def read_manifest(root: Path) -> Manifest:
    """The manifest of the tape in ``root``.

    Raises:
        TapeNotFound: the folder holds no tape.
        TapeCorrupt: ``tape.json`` cannot be read or is of another version.
    """
    path = root / MANIFEST_NAME
    try:
        with path.open("rb") as file:
            content = file.read(_MANIFEST_BYTES_MAX + 1)
    except (FileNotFoundError, NotADirectoryError) as exc:
        hint = (
            "give the folder that holds tape.json; `faultline tape import` and `faultline simulate` write one"
        )
        raise TapeNotFound("there is no tape here", where=str(root), hint=hint) from exc
    except OSError as exc:
        raise TapeError(
            f"the tape cannot be read: {exc.strerror}", where=str(path), hint="check permissions"
        ) from exc
    try:
        if len(content) > _MANIFEST_BYTES_MAX:
            raise ValueError(f"it is longer than {_MANIFEST_BYTES_MAX} bytes")
        manifest = msgspec.json.decode(content, type=Manifest)
    except (ValueError, msgspec.DecodeError) as exc:
        hint = "restore tape.json from a copy: it holds format, version, simulated, world and created"
        raise TapeCorrupt(f"the manifest cannot be read: {exc}", where=str(path), hint=hint) from exc
    if manifest.format != "faultline-tape" or manifest.version != FORMAT_VERSION:
        message = f"this is {manifest.format} version {manifest.version}, not faultline-tape version {FORMAT_VERSION}"
        raise TapeCorrupt(
            message, where=str(path), hint="read it with the version of Faultline that wrote it"
        )
    return manifest


def write_manifest(root: Path, *, simulated: bool, world: str, created: str) -> Manifest:
    """Write ``tape.json`` atomically and return it."""
    manifest = Manifest(
        format="faultline-tape", version=FORMAT_VERSION, simulated=simulated, world=world, created=created
    )
    temporary = root / f".{MANIFEST_NAME}.tmp"
    with temporary.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(root / MANIFEST_NAME)
    return manifest


def _world_name(*, simulated: bool, world: str) -> str:
    if not simulated:
        return f"recorded rows labelled {world!r}" if world else "recorded rows"
    return f"simulated rows of world {world!r}"
