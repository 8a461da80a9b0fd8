"""Switches in, the fate of every frame and answer out: what the local server does wrong, by seed and on demand.

A frame meets at most one fault, so that counts add up. Every fault a frame can meet is one that a client can see:
corrupted bytes are never valid JSON (or fail the checksum of the compression), so that no frame is silently wrong.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Final

from faultline.errors import ConfigError
from faultline.testing.wire import zip_frame

if TYPE_CHECKING:
    import numpy as np

__all__ = ("Fate", "Faults", "corrupt", "spoil")


class Fate(enum.StrEnum):
    """What becomes of one frame; the word is its count in ``VenueServer.counts``."""

    SENT = "sent"
    DROPPED = "dropped"
    DUPLICATED = "duplicated"
    REORDERED = "reordered"
    CORRUPTED = "corrupted"
    SPOILT = "spoilt"
    HALVED = "halved"
    RESET = "reset"


@dataclasses.dataclass(slots=True)
class Faults:
    """Switches of one server or of several; assign to them while it runs, ``calm()`` puts all back.

    Attributes:
        drop_prob: a frame is not sent.
        duplicate_prob: a frame is sent twice.
        reorder_prob: a frame waits until the next has gone, 50 ms at most.
        corrupt_prob: bytes of a frame are destroyed; the frame around them is whole.
        spoil_prob: a frame's text is replaced by what is not the JSON a client expects: cut short, another shape, HTML.
        half_prob: half of a frame is sent, then the connection ends.
        reset_prob: instead of a frame, the connection is reset.
        delay_s: every frame and answer waits so long; order is kept.
        jitter_s: and up to so much longer.
        trickle_bytes_s: bytes leave no faster than so many a second; 0 for no limit.
        is_stalled: nothing is sent any more, no pong either, and nothing is read; sockets stay open.
        answers_too: frames that answer a client (confirmations, pongs) meet faults like those that tell facts.
        handshake_status: a WebSocket is refused with this status; 0 opens it.
        rest_status: REST requests are answered with this status; 0 for what the script says.
        rest_status_prob: share of REST requests to which that happens.
        retry_after_s: header ``Retry-After`` of refusals; negative for none.
        is_rest_spoilt: bodies of REST answers are not the JSON a client expects.
        is_rest_halved: REST answers end in the middle of their body.
        rest_padding_bytes: so many spaces stand before the body of a REST answer.
        resets_connects: connections are accepted and reset.
        hangs_connects: connections are accepted, and never answered.
    """

    drop_prob: float = 0.0
    duplicate_prob: float = 0.0
    reorder_prob: float = 0.0
    corrupt_prob: float = 0.0
    spoil_prob: float = 0.0
    half_prob: float = 0.0
    reset_prob: float = 0.0
    delay_s: float = 0.0
    jitter_s: float = 0.0
    trickle_bytes_s: float = 0.0
    is_stalled: bool = False
    answers_too: bool = False
    handshake_status: int = 0
    rest_status: int = 0
    rest_status_prob: float = 1.0
    retry_after_s: float = -1.0
    is_rest_spoilt: bool = False
    is_rest_halved: bool = False
    rest_padding_bytes: int = 0
    resets_connects: bool = False
    hangs_connects: bool = False

    def __setattr__(self, name: str, value: float) -> None:
        """Assign a switch.

        Raises:
            ConfigError: the value is impossible for it.
        """
        largest = 1.0 if name.endswith("_prob") else float("inf")
        if name != "retry_after_s" and not 0.0 <= value <= largest:
            raise ConfigError(
                f"{value} is impossible for a fault", where=name, hint=f"Give 0 to {largest:g}."
            )
        object.__setattr__(self, name, value)

    def calm(self) -> None:
        """Put every switch back: the server behaves."""
        for field in dataclasses.fields(self):
            setattr(self, field.name, field.default)

    def draw(self, rng: np.random.Generator) -> Fate:
        """The fate of the next frame; no chance is spent while every probability is 0."""
        chances = (
            (Fate.DROPPED, self.drop_prob),
            (Fate.DUPLICATED, self.duplicate_prob),
            (Fate.REORDERED, self.reorder_prob),
            (Fate.CORRUPTED, self.corrupt_prob),
            (Fate.SPOILT, self.spoil_prob),
            (Fate.HALVED, self.half_prob),
            (Fate.RESET, self.reset_prob),
        )
        if not any(prob for _, prob in chances):
            return Fate.SENT
        left = rng.random()
        for fate, prob in chances:
            if left < prob:
                return fate
            left -= prob
        return Fate.SENT

    def wait_s(self, rng: np.random.Generator) -> float:
        """How long the next frame or answer waits."""
        return self.delay_s + (self.jitter_s * rng.random() if self.jitter_s else 0.0)


def corrupt(payload: bytes, zips: str, rng: np.random.Generator) -> bytes:
    """A payload with destroyed bytes, compressed as ``zips`` says; no reader can take it for whole."""
    if zips == "gzip":
        packed = bytearray(zip_frame(payload, zips))
        packed[-5] ^= 0xFF  # Its checksum no longer fits.
        return bytes(packed)
    broken = bytearray(payload)
    for at in rng.integers(0, max(len(broken), 1), size=3):
        broken[at : at + 1] = b"\xff"  # Never part of UTF-8.
    broken[:1] = b"\xff"
    return zip_frame(bytes(broken), zips)


def spoil(payload: bytes, rng: np.random.Generator) -> bytes:
    """What a client gets instead of the JSON it expects."""
    cut = payload[: max(len(payload) * 2 // 3, 1)]
    return (*_SPOILT, cut)[int(rng.integers(0, len(_SPOILT) + 1))]


_SPOILT: Final = (
    b"<html><body><h1>502 Bad Gateway</h1></body></html>",
    b"null",
    b"[]",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b'"Internal error"',
    b"",
)
