"""This machine in, whether its disk, clock and limits are what Faultline needs out."""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import tempfile
import time
from typing import TYPE_CHECKING, Final

from faultline.cli.checks.outcome import Outcome, fail, ok, warn
from faultline.clock import SystemClock
from faultline.units import SECOND_NS, format_time_ns, parse_time_ns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from faultline.clock import Clock

__all__ = ("check_clock", "check_disk_space", "check_fsync", "check_open_files")

_MB: Final = 10**6
_SPACE_FAIL_BYTES: Final = 200 * _MB
_SPACE_WARN_BYTES: Final = 2_000 * _MB
_FSYNC_TRIES: Final = 9
_FSYNC_BYTES: Final = 4096
#: A tape acknowledges rows after an fsync; slower ones delay every acknowledgement.
_FSYNC_WARN_S: Final = 0.05
#: The program is younger than this.
_EARLIEST_NS: Final = parse_time_ns("2026-01-01")
_CLOCK_SPAN_S: Final = 0.1
_CLOCK_DRIFT_WARN_S: Final = 0.02
_FUTURE_WARN_S: Final = 60
#: Clients at the same time that a machine should be able to serve, and files beside their sockets.
_CLIENTS: Final = 1_000
_OTHER_FILES: Final = 256


def check_disk_space(home: Path, free_bytes: Callable[[Path], int] | None = None) -> Outcome:
    """Free space where things are kept."""
    try:
        free = shutil.disk_usage(home).free if free_bytes is None else free_bytes(home)
    except OSError as exc:
        return fail(
            "disk space", f"{home}: {exc.strerror}", "point FAULTLINE_HOME to a folder that can be used"
        )
    found = f"{free / 10**9:,.1f} GB free in {home}"
    fix = "make room, or point FAULTLINE_HOME to a larger disk; recorded tapes grow by gigabytes"
    if free < _SPACE_FAIL_BYTES:
        return fail("disk space", found, fix)
    if free < _SPACE_WARN_BYTES:
        return warn("disk space", found, fix)
    return ok("disk space", found)


def check_fsync(home: Path, timer: Callable[[], float] = time.perf_counter) -> Outcome:
    """How long the disk takes to acknowledge a small write, median of a few."""
    tries_s = []
    try:
        with tempfile.TemporaryFile(dir=home) as file:
            for _ in range(_FSYNC_TRIES):
                file.write(bytes(_FSYNC_BYTES))
                file.flush()
                begun_s = timer()
                os.fsync(file.fileno())
                tries_s.append(timer() - begun_s)
    except OSError as exc:
        fix = "point FAULTLINE_HOME to a folder on a local disk that you can write to"
        return fail("fsync", f"{home}: {exc.strerror}", fix)
    median_s = statistics.median(tries_s)
    found = f"{median_s * 1000:.1f} ms (median of {_FSYNC_TRIES})"
    if median_s > _FSYNC_WARN_S:
        return warn("fsync", found, "put FAULTLINE_HOME and tapes on a faster or a local disk")
    return ok("fsync", found)


def check_clock(
    home: Path | None,
    clock: Clock | None = None,
    monotonic_ns: Callable[[], int] = time.monotonic_ns,
    pause: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Whether the wall clock runs evenly and is not in the past.

    How far it is from the true time cannot be found out without asking the network, so it is not looked at.
    """
    wall = clock or SystemClock()
    fix = "set the clock and keep it synchronised (`timedatectl status`, chrony)"
    begun_ns, begun_even_ns = wall.now_ns(), monotonic_ns()
    pause(_CLOCK_SPAN_S)
    now_ns = wall.now_ns()
    drift_s = abs((now_ns - begun_ns) - (monotonic_ns() - begun_even_ns)) / SECOND_NS
    if now_ns < _EARLIEST_NS:
        return fail("clock", f"it says {format_time_ns(now_ns)}, before this program was written", fix)
    if drift_s > _CLOCK_DRIFT_WARN_S:
        return warn(
            "clock", f"it moved by {drift_s:.3f} s against the steady clock while it was watched", fix
        )
    newest_ns = max((path.stat().st_mtime_ns for path in _files(home)), default=0)
    if newest_ns > now_ns + _FUTURE_WARN_S * SECOND_NS:
        found = f"files in {home} were written at {format_time_ns(newest_ns)}, which is in the future"
        return warn("clock", found, fix)
    found = f"{format_time_ns(now_ns)}, even; its offset from the true time cannot be checked offline"
    return ok("clock", found)


def _files(home: Path | None) -> list[Path]:
    return [path for path in home.iterdir() if path.is_file()] if home is not None and home.is_dir() else []


def check_open_files(limits: tuple[int, int] | None = None) -> Outcome:
    """Whether the limit of open files lets 1,000 clients in."""
    soft, hard = limits or resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = _CLIENTS + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        raised = hard == resource.RLIM_INFINITY or hard >= needed
        fix = (
            f"`ulimit -n {needed}` before starting"
            if raised
            else "raise the hard limit: LimitNOFILE= in systemd"
        )
        return warn("open files", f"at most {soft}; {_CLIENTS:,} clients need {needed:,}", fix)
    return ok("open files", "no limit" if soft == resource.RLIM_INFINITY else f"at most {soft:,}")
