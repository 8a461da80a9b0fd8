"""A recording in, the living market that an engine follows out."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from faultline.cli.recording import Handover, Recording
from faultline.clock import SystemClock
from faultline.errors import TapeNotFound
from faultline.pipeline.engine import Market
from faultline.pipeline.kinds import LIVE_KINDS
from faultline.pipeline.live import LiveFeed
from faultline.pipeline.source_report import connected_report
from faultline.tape import Tape
from faultline.units import DAY_NS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from faultline.config import Settings
    from faultline.instruments import Instrument
    from faultline.messages import Batch

__all__ = ("live_market",)

#: Past of the tape that a map is built from: positions older than this are few.
_PAST_NS: Final = 30 * DAY_NS


def live_market(
    venues: str,
    assets: Sequence[str],
    out: Path,
    settings: Settings,
    *,
    keeps_raw: bool = False,
    retain_ns: int | None = None,
) -> tuple[Market, Recording]:
    """Venues as they are recorded onto a tape, and what records them; the caller starts and stops that.

    Raises:
        ConfigError: a venue or an address does not exist.
        TapeError: the tape cannot be written.
    """
    clock = SystemClock()
    now_ns = clock.now_ns()
    warm_ns, contracts = _past(out, now_ns)
    feed = LiveFeed(lambda: Tape(out), LIVE_KINDS, warm_ns, now_ns)
    handover: Handover | None = None

    def take(batches: Sequence[Batch], watermark_ns: int) -> None:
        if handover is not None:
            handover.take(batches, watermark_ns)

    recording = Recording(
        venues, assets, out, settings, keeps_raw=keeps_raw, retain_ns=retain_ns, on_batches=take
    )
    recorder = recording.recorder
    handover = Handover(feed, lambda: recorder.n_rows_acknowledged)
    by_slug = {venue.slug: venue for venue in recording.venues}
    market = Market(
        mode="live",
        simulated=False,
        world=None,
        assets=list(assets),
        contracts=contracts,
        warm_ns=warm_ns,
        from_ns=now_ns,
        to_ns=None,
        open_feed=lambda _: feed,
        can_seek=False,
        present=feed.present_ns,
        sources=lambda: connected_report(recorder.health.snapshot(clock.now_ns()), by_slug, _disk(out)),
    )
    return market, recording


def _disk(out: Path) -> tuple[int, int] | None:
    """Free and all bytes of the disk of a folder; None where the system does not say."""
    try:
        usage = shutil.disk_usage(out)
    except OSError:
        return None
    return usage.free, usage.total


def _past(out: Path, now_ns: int) -> tuple[int, list[Instrument]]:
    """Where the past that is on the tape begins, and its contracts."""
    try:
        tape = Tape(out)
    except TapeNotFound:
        return now_ns, []
    if not tape.pairs():
        return now_ns, []
    first_ns, _ = tape.span_ns()
    return min(max(first_ns, now_ns - _PAST_NS), now_ns), tape.instruments()
