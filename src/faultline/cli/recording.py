"""Venues, assets and a tape in, a recorder that keeps them out: what ``record`` and ``serve --venues`` share."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections import deque
from typing import TYPE_CHECKING, Final, Self

import structlog

from faultline.clock import SystemClock
from faultline.config import read_addresses
from faultline.errors import ConfigError, FaultlineError
from faultline.messages import Kind
from faultline.sources.raw_frames import RawFrames
from faultline.sources.recorder import Recorder
from faultline.sources.registry import venues_of
from faultline.tape import TapeWriter
from faultline.units import HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from faultline.config import Settings
    from faultline.messages import Batch
    from faultline.pipeline.live import LiveFeed
    from faultline.sources.venue import Venue

__all__ = ("Handover", "Recording", "kinds_of")

_LOG = structlog.get_logger(__name__)
_UPKEEP_S: Final = 15.0


def kinds_of(names: Sequence[str] | None) -> frozenset[Kind] | None:
    """Kinds by name; None for all.

    Raises:
        ConfigError: there is no such kind.
    """
    if names is None:
        return None
    for name in names:
        if name not in set(Kind):
            raise ConfigError(
                f"there is no kind {name!r}", where="--kinds", hint=f"Choose among {', '.join(Kind)}."
            )
    return frozenset(Kind(name) for name in names)


class Recording:
    """A tape, what records onto it, and its upkeep; a context manager.

    Args:
        venues: comma-separated slugs, or ``all``.
        assets: bases of the contracts.
        out: folder of the tape; continued where it is one.
        settings: addresses of the home folder take the place of the venues' own; accounts are kept there.
        kinds: kinds of rows; None for all.
        keeps_raw: whether frames are kept as they came, beside the tape in ``<tape>-raw``.
        rotate_ns: what was recorded is sealed at least this often.
        retain_ns: sealed rows older than this are let go; None keeps all.
        on_batches: see ``Recorder``.

    Raises:
        ConfigError: a venue or an address does not exist.
        TapeError: the tape cannot be written.
    """

    def __init__(
        self,
        venues: str,
        assets: Collection[str],
        out: Path,
        settings: Settings,
        *,
        kinds: frozenset[Kind] | None = None,
        keeps_raw: bool = False,
        rotate_ns: int = HOUR_NS,
        retain_ns: int | None = None,
        on_batches: Callable[[Sequence[Batch], int], None] | None = None,
    ) -> None:
        self.venues: list[Venue] = venues_of(venues)
        addresses = read_addresses(settings, {venue.slug: venue for venue in self.venues})
        self._clock = SystemClock()
        self._rotate_ns, self._retain_ns = rotate_ns, retain_ns
        self._stopping = threading.Event()
        self._writer = TapeWriter(out, simulated=False)
        self.recorder = Recorder(
            self.venues,
            assets,
            self._writer,
            kinds=kinds,
            sockets={slug: found.sockets for slug, found in addresses.items()},
            rest={slug: found.rest for slug, found in addresses.items()},
            wallets_folder=settings.wallets,
            raw=RawFrames(out.with_name(f"{out.name}-raw")) if keeps_raw else None,
            on_batches=on_batches,
        )
        self._upkeep = threading.Thread(target=self._keep_up, name="tape-upkeep", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to record; returns at once."""
        # What is here now stays: looking through all of it for waste stops the reading for a tenth of a second.
        gc.collect()
        gc.freeze()
        self.recorder.start()
        self._upkeep.start()

    def stop(self) -> None:
        """Stop; returns when everything read is on the tape and sealed.

        Raises:
            TapeError: the tape took not all.
        """
        self._stopping.set()
        with contextlib.closing(self._writer):
            try:
                self.recorder.stop()
            finally:
                if self._upkeep.is_alive():
                    self._upkeep.join()
                gc.unfreeze()

    def _keep_up(self) -> None:
        """Seal and let go, until stopped. A disk that refuses is told and tried again: recording goes on."""
        sealed_ns = let_go_ns = self._clock.now_ns()
        while not self._stopping.wait(min(_UPKEEP_S, self._rotate_ns / 1e9)):
            now_ns = self._clock.now_ns()
            try:
                if now_ns - sealed_ns >= self._rotate_ns:
                    sealed_ns = now_ns
                    self._writer.seal()
                if self._retain_ns is not None and now_ns - let_go_ns >= min(self._retain_ns, HOUR_NS):
                    let_go_ns = now_ns
                    _LOG.info("rows let go", n_files=self._writer.let_go(now_ns - self._retain_ns))
            except (FaultlineError, OSError) as exc:
                _LOG.error("upkeep of the tape failed", error=str(exc))


class Handover:
    """Rows from the recorder's thread into the engine's feed, and word of what is on the tape."""

    def __init__(self, feed: LiveFeed, n_acknowledged: Callable[[], int]) -> None:
        self._feed, self._n_acknowledged = feed, n_acknowledged
        #: (rows handed over by then, watermark), until they are on the tape.
        self._marks: deque[tuple[int, int]] = deque()
        self._n_rows = 0

    def take(self, batches: Sequence[Batch], watermark_ns: int) -> None:
        """Called by the recorder after every flush."""
        self._n_rows += sum(map(len, batches))
        self._feed.take(batches, watermark_ns)
        self._marks.append((self._n_rows, watermark_ns))
        acknowledged, kept_ns = self._n_acknowledged(), 0
        while self._marks and self._marks[0][0] <= acknowledged:
            kept_ns = self._marks.popleft()[1]
        if kept_ns:
            self._feed.keep(kept_ns)
