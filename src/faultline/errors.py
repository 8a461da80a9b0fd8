"""A situation in, an error that tells the caller what to do out.

The branches are decisions for the caller, the leaves are situations::

    FaultlineError                 .code, .user_message, .where, .hint
    ├── SourceError                .is_terminal: give up (True) or reconnect (False)
    │   ├── ConnectionLost
    │   ├── SequenceGap
    │   ├── StaleSource
    │   ├── RateLimited            .retry_after_s
    │   └── PayloadRejected        .venue, .channel, .digest of the raw frame; counted, never swallowed
    ├── ImportRejected             a file cannot be imported: .where names file, line and field
    ├── TapeError                  disk or format of a tape
    │   ├── TapeNotFound
    │   ├── TapeCorrupt            bytes do not match their checksum; .where names the segment
    │   └── WorldMismatch          simulated and recorded data never share a tape
    ├── ConfigError                names the key, the value and the nearest valid key
    ├── StoreError                 schema or disk of the store
    └── RequestError               the client's fault; the API answers 4xx
        └── NotFound               what was asked for does not exist
"""

from __future__ import annotations

from typing import ClassVar

__all__ = (
    "ConfigError",
    "ConnectionLost",
    "FaultlineError",
    "ImportRejected",
    "NotFound",
    "PayloadRejected",
    "RateLimited",
    "RequestError",
    "SequenceGap",
    "SourceError",
    "StaleSource",
    "StoreError",
    "TapeCorrupt",
    "TapeError",
    "TapeNotFound",
    "WorldMismatch",
)


class FaultlineError(Exception):
    """Base of every error that Faultline raises on purpose.

    Args:
        message: one sentence that names the thing that is wrong.
        where: the file, line, field, key or URL it is wrong in.
        hint: what to do about it.
    """

    #: Stable word for programs; a leaf sets its own.
    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.user_message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        where = f" ({self.where})" if self.where else ""
        hint = f" Hint: {self.hint}" if self.hint else ""
        return f"{self.user_message}{where}{hint}"

    def __reduce__(self) -> tuple[object, ...]:
        """An error of a worker process reaches its parent with every field, whatever its constructor asks."""
        return (_rebuild, (type(self), self.args, self.__dict__.copy()))

    def as_dict(self) -> dict[str, str]:
        """The four fields a machine reader gets: code, message, where, hint."""
        return {"code": self.code, "message": self.user_message, "where": self.where, "hint": self.hint}


class SourceError(FaultlineError):
    """A venue's feed failed; ``is_terminal`` says whether reconnecting can help."""

    code: ClassVar[str] = "source"
    #: True where reconnecting cannot help.
    is_terminal: ClassVar[bool] = False


class ConnectionLost(SourceError):
    """The socket closed or never opened."""

    code: ClassVar[str] = "connection_lost"


class SequenceGap(SourceError):
    """The venue's sequence numbers skip: the book must be fetched again."""

    code: ClassVar[str] = "sequence_gap"


class StaleSource(SourceError):
    """Nothing arrived for longer than the channel's limit."""

    code: ClassVar[str] = "stale_source"


class RateLimited(SourceError):
    """The venue asks us to wait ``retry_after_s`` seconds."""

    code: ClassVar[str] = "rate_limited"

    def __init__(self, message: str, *, retry_after_s: float, where: str = "", hint: str = "") -> None:
        super().__init__(message, where=where, hint=hint)
        self.retry_after_s = retry_after_s


class PayloadRejected(SourceError):
    """One frame could not be read; it is counted and its digest kept."""

    code: ClassVar[str] = "payload_rejected"

    def __init__(self, message: str, *, venue: str, channel: str, digest: str, hint: str = "") -> None:
        super().__init__(message, where=f"{venue} {channel} sha256:{digest}", hint=hint)
        self.venue = venue
        self.channel = channel
        self.digest = digest


class ImportRejected(FaultlineError):
    """A file cannot be imported; ``where`` names file, line and field."""

    code: ClassVar[str] = "import_rejected"


class TapeError(FaultlineError):
    """A tape cannot be written or read."""

    code: ClassVar[str] = "tape"


class TapeNotFound(TapeError):
    """There is no tape at that path."""

    code: ClassVar[str] = "tape_not_found"


class TapeCorrupt(TapeError):
    """Bytes on disk do not match their checksum."""

    code: ClassVar[str] = "tape_corrupt"


class WorldMismatch(TapeError):
    """Simulated and recorded data, or two different worlds, would share a tape."""

    code: ClassVar[str] = "world_mismatch"


class ConfigError(FaultlineError):
    """A setting is unknown or has a value that cannot be used."""

    code: ClassVar[str] = "config"


class StoreError(FaultlineError):
    """The store's schema or disk is wrong."""

    code: ClassVar[str] = "store"


class RequestError(FaultlineError):
    """The client asked for something that cannot be answered as asked."""

    code: ClassVar[str] = "request"


class NotFound(RequestError):
    """What was asked for does not exist."""

    code: ClassVar[str] = "not_found"


def _rebuild(
    cls: type[FaultlineError], args: tuple[object, ...], fields: dict[str, object]
) -> FaultlineError:
    exc = cls.__new__(cls, *args)
    exc.__dict__.update(fields)
    return exc
