"""What was learned over a tape in, a parameter file that people can read and that an engine can serve out, and back.

A file holds snapshots of everything that was learned, which of them is in force, whether it is frozen, and every change
of that. Snapshots and changes are only ever added. Each has a hash, each change covers the one before it, and the file
one over all: what was damaged or edited by hand is found when it is read.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from faultline.errors import ConfigError, NotFound, StoreError
from faultline.pipeline.given_mixes import FixedMix, GivenMixes, GivenSnapshot
from faultline.pipeline.learned_rows import KeptState, LearnedCascade, LearnedFeed
from faultline.pipeline.parameters import PipelineParameters, read_parameters
from faultline.pipeline.restored import check_restorable
from faultline.units import format_time_ns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = (
    "Change",
    "LearnedFile",
    "LearnedSpan",
    "Snapshot",
    "first_file",
    "freeze",
    "read_learned",
    "read_learned_or_settings",
    "roll_back",
    "snapshot_of",
    "thaw",
    "write_learned",
)

_SCHEMA: Final = "faultline.learned"
_VERSION: Final = 2
#: A file larger than this was not written here.
_BYTES_MAX: Final = 256 * 1024 * 1024
_NO_HASH: Final = "0" * 64
_HINT: Final = "Give the file that `faultline learn` wrote, or learn it again."
#: Lists without lists or objects inside, as ``msgspec.json.format`` breaks them into lines.
_FLAT_LIST: Final = re.compile(r"\[\n\s*([^\[\]{}\"]*?)\n\s*\]")


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that was learned until one moment.

    Attributes:
        version: 1, 2, ... in the order of time.
        at_ns: messages received before are in it.
        at: the same to the second, for people.
        kind: ``hour``, ``day`` or ``end`` of the tape.
        feeds: what the feeds taught.
        cascades: what was learned of chains.
        states: where the calibrator of each feed and the learner of chains of each asset stood.
        sha256: hash of all the others.
    """

    version: int
    at_ns: int
    at: str
    kind: Literal["hour", "day", "end"]
    feeds: tuple[LearnedFeed, ...]
    cascades: tuple[LearnedCascade, ...]
    states: tuple[KeptState, ...]
    sha256: str = ""


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that was done to the parameters.

    Attributes:
        action: what.
        version: snapshot in force from then on.
        frozen: whether it is served unchanged from then on.
        previous_sha256: hash of the change before.
        sha256: hash of all the others and of the snapshot in force.
    """

    action: Literal["learned", "frozen", "thawed", "rolled back"]
    version: int
    frozen: bool
    previous_sha256: str = _NO_HASH
    sha256: str = ""


class _Head(msgspec.Struct, frozen=True):
    """What of a file every format has."""

    version: int


class LearnedSpan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was learned from.

    Attributes:
        sha256: of the tape.
        from_ns: first moment of which liquidations were learned.
        to_ns: end, exclusive.
        text: both, for people.
        assets: assets that were learned.
    """

    sha256: str
    from_ns: int
    to_ns: int
    text: str
    assets: tuple[str, ...]


class LearnedFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A parameter file.

    Attributes:
        simulated: whether the market was simulated.
        world: name of the simulated world.
        tape: what was learned from.
        settings: what it was learned with.
        settings_sha256: their hash.
        changes: what was done to the parameters; the last one is in force.
        snapshots: in the order of time.
        sha256: hash of all the others.
    """

    schema: Literal["faultline.learned"] = _SCHEMA
    version: Literal[2] = _VERSION
    simulated: bool
    world: str
    tape: LearnedSpan
    settings: PipelineParameters
    settings_sha256: str
    changes: tuple[Change, ...]
    snapshots: tuple[Snapshot, ...]
    sha256: str = ""

    @property
    def is_frozen(self) -> bool:
        """Whether what was learned is served unchanged."""
        return self.changes[-1].frozen

    @property
    def current(self) -> Snapshot:
        """The snapshot in force."""
        return self.snapshots[self.changes[-1].version - 1]

    def parameters(self) -> PipelineParameters:
        """Settings with the snapshot in force: served as it is where it is frozen, else where learning starts."""
        current, feeds = self.current, self.current.feeds
        snapshot = GivenSnapshot(
            version=current.version,
            at_ns=current.at_ns,
            sha256=current.sha256,
            frozen=self.is_frozen,
            assets=self.tape.assets,
            feeds=feeds,
            states=current.states,
        )
        if not self.is_frozen:
            starts = {feed.feed: feed.mix for feed in feeds if feed.serves}
            given = GivenMixes(starts=starts, snapshot=snapshot)
        else:
            given = GivenMixes(
                snapshot=snapshot,
                fixed=tuple(
                    FixedMix(
                        feed=feed.feed,
                        serves=feed.serves,
                        mix=feed.mix,
                        low=feed.low,
                        high=feed.high,
                        data_ratio=feed.data_ratio,
                    )
                    for feed in feeds
                ),
            )
        return msgspec.structs.replace(self.settings, given=given)


def snapshot_of(
    version: int,
    at_ns: int,
    kind: Literal["hour", "day", "end"],
    feeds: Sequence[LearnedFeed],
    cascades: Sequence[LearnedCascade],
    states: Sequence[KeptState],
) -> Snapshot:
    """A snapshot with its hash."""
    bare = Snapshot(
        version=version,
        at_ns=at_ns,
        at=format_time_ns(at_ns),
        kind=kind,
        feeds=tuple(feeds),
        cascades=tuple(cascades),
        states=tuple(states),
    )
    # A whole number where a real one is meant would be written, and hashed, otherwise after it was read.
    bare = msgspec.json.decode(msgspec.json.encode(bare), type=Snapshot)
    return msgspec.structs.replace(bare, sha256=_hash(bare))


def first_file(
    span: LearnedSpan,
    settings: PipelineParameters,
    snapshots: Sequence[Snapshot],
    *,
    simulated: bool,
    world: str,
) -> LearnedFile:
    """A file of which the last snapshot is in force."""
    settings = msgspec.structs.replace(settings, given=settings.given.named())
    settings = msgspec.json.decode(msgspec.json.encode(settings), type=PipelineParameters)
    bare = LearnedFile(
        simulated=simulated,
        world=world,
        tape=span,
        settings=settings,
        settings_sha256=settings.sha256(),
        changes=(),
        snapshots=tuple(snapshots),
    )
    return _changed(bare, "learned", snapshots[-1], frozen=False)


def freeze(learned: LearnedFile, at_ns: int | None = None) -> LearnedFile:
    """Let what was learned be served unchanged: the snapshot in force, or the last one at or before a moment.

    Raises:
        NotFound: there is no snapshot that old.
    """
    chosen = learned.current if at_ns is None else _last_by(learned, at_ns)
    return _changed(learned, "frozen", chosen, frozen=True)


def thaw(learned: LearnedFile) -> LearnedFile:
    """Let engines learn on, from the snapshot in force."""
    return _changed(learned, "thawed", learned.current, frozen=False)


def roll_back(learned: LearnedFile, *, version: int | None = None, at_ns: int | None = None) -> LearnedFile:
    """Put an earlier snapshot in force: of a version, or the last one at or before a moment.

    What is frozen stays frozen.

    Raises:
        NotFound: there is no such snapshot.
    """
    if version is not None and not 1 <= version <= len(learned.snapshots):
        message = f"there is no version {version} of these parameters"
        raise NotFound(message, where="--to", hint=_kept(learned))
    chosen = learned.snapshots[version - 1] if version is not None else _last_by(learned, at_ns or 0)
    return _changed(learned, "rolled back", chosen, frozen=learned.is_frozen)


def _last_by(learned: LearnedFile, at_ns: int) -> Snapshot:
    found = [each for each in learned.snapshots if each.at_ns <= at_ns]
    if not found:
        message = f"no snapshot was kept at or before {format_time_ns(at_ns)}"
        raise NotFound(message, where="time", hint=_kept(learned))
    return found[-1]


def _kept(learned: LearnedFile) -> str:
    first, last = learned.snapshots[0], learned.snapshots[-1]
    return f"Versions {first.version} to {last.version} are kept, of {first.at} to {last.at}."


def _changed(
    learned: LearnedFile,
    action: Literal["learned", "frozen", "thawed", "rolled back"],
    chosen: Snapshot,
    *,
    frozen: bool,
) -> LearnedFile:
    """The file with one more change, and new hashes."""
    before = learned.changes[-1].sha256 if learned.changes else _NO_HASH
    change = Change(action=action, version=chosen.version, frozen=frozen, previous_sha256=before)
    change = msgspec.structs.replace(change, sha256=_change_hash(change, chosen))
    bare = msgspec.structs.replace(learned, changes=(*learned.changes, change))
    return msgspec.structs.replace(bare, sha256=_hash(bare))


def _change_hash(change: Change, chosen: Snapshot) -> str:
    return hashlib.sha256((_hash(change) + chosen.sha256).encode()).hexdigest()


def _hash(value: msgspec.Struct | Mapping[str, Any]) -> str:
    """Hash of the canonical JSON form of everything but its own hash."""
    plain = msgspec.to_builtins(value)
    rest = {key: part for key, part in plain.items() if key != "sha256"}
    return hashlib.sha256(msgspec.json.encode(rest, order="sorted")).hexdigest()


def write_learned(learned: LearnedFile, path: Path) -> None:
    """Write a parameter file: whole or not at all.

    Raises:
        StoreError: it cannot be written.
    """
    text = msgspec.json.format(msgspec.json.encode(learned), indent=1).decode()
    text = _FLAT_LIST.sub(lambda found: "[" + re.sub(r"\s*\n\s*", " ", found[1]) + "]", text)
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as exc:
        message = f"cannot write the parameters: {exc.strerror}"
        raise StoreError(message, where=str(path), hint="Choose a folder you can write to.") from exc


def read_learned(path: Path) -> LearnedFile:
    """A parameter file.

    Raises:
        ConfigError: it cannot be read, is no parameter file, of another version, damaged or edited.
    """
    raw = _bytes_of(path)
    if not _is_learned(raw):
        message = "this is no file of learned parameters"
        raise ConfigError(message, where=str(path), hint=_HINT)
    try:
        _check_version(msgspec.json.decode(raw, type=_Head), str(path))
        learned = msgspec.json.decode(raw, type=LearnedFile)
    except msgspec.DecodeError as exc:
        message = f"the file of learned parameters cannot be read: {exc}"
        raise ConfigError(message, where=str(path), hint=_HINT) from exc
    _check(learned, msgspec.json.decode(raw), str(path))
    return learned


def read_learned_or_settings(path: Path) -> tuple[PipelineParameters, LearnedFile | None]:
    """Parameters of a file: settings in JSON, or a parameter file with the snapshot in force.

    Raises:
        ConfigError: it is neither, or damaged, or its learners cannot go on in this version.
    """
    if _is_learned(_bytes_of(path)):
        learned = read_learned(path)
        check_restorable(learned.current.states, learned.settings.chains, str(path))
        return learned.parameters(), learned
    return read_parameters(path), None


def _bytes_of(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > _BYTES_MAX:
            message = f"a parameter file of {size:,} bytes was not written by `faultline learn`"
            raise ConfigError(message, where=str(path), hint=_HINT)
        return path.read_bytes()
    except OSError as exc:
        message = f"cannot read the parameters: {exc.strerror}"
        raise ConfigError(message, where=str(path), hint="Give the path of a JSON file.") from exc


def _is_learned(raw: bytes) -> bool:
    """Whether these bytes say that they are a parameter file; its first key says so even where the rest is damaged."""
    return re.match(rb'\s*\{\s*"schema"\s*:\s*"faultline\.learned"', raw[:256]) is not None


def _check_version(head: _Head, where: str) -> None:
    """Refuse a file of another format; its snapshots lack what engines start from, or hold what nobody here knows."""
    if head.version == _VERSION:
        return
    message = (
        f"the file of learned parameters has format {head.version}, and this version reads format {_VERSION}"
    )
    hint = "Learn it again: `faultline learn TAPE --out NEW.json`."
    if head.version > _VERSION:
        hint = "A later version of faultline wrote it: update faultline, or learn it again with this one."
    raise ConfigError(message, where=where, hint=hint)


def _check(learned: LearnedFile, plain: Mapping[str, Any], where: str) -> None:
    """Check every hash and every reference.

    Args:
        learned: the file.
        plain: the same as it was written: what a setting that is missing in it stands for is not in the hashes.
        where: its path.
    """

    def refuse(what: str) -> ConfigError:
        message = f"the file of learned parameters is damaged or was edited: {what}"
        return ConfigError(message, where=where, hint="Restore it from a copy, or learn it again.")

    if not learned.snapshots or not learned.changes:
        raise refuse("it holds no snapshot in force")
    for number, (each, written) in enumerate(
        zip(learned.snapshots, plain["snapshots"], strict=True), start=1
    ):
        if each.version != number or each.sha256 != _hash(written):
            raise refuse(f"the hash of snapshot {number} does not fit")
    before = _NO_HASH
    for number, change in enumerate(learned.changes, start=1):
        if not 1 <= change.version <= len(learned.snapshots):
            raise refuse(f"change {number} names a snapshot that is not there")
        fits = change.sha256 == _change_hash(change, learned.snapshots[change.version - 1])
        if change.previous_sha256 != before or not fits:
            raise refuse(f"the hash of change {number} does not fit")
        before = change.sha256
    if learned.settings_sha256 != _hash(plain["settings"]):
        raise refuse("its settings are not those it was learned with")
    if learned.sha256 != _hash(plain):
        raise refuse("its hash does not fit")
    sizes = {len(feed.mix) for each in learned.snapshots for feed in each.feeds}
    if sizes - {len(learned.settings.ledger.leverages)}:
        raise refuse("a mix has another grid of leverages than its settings")
