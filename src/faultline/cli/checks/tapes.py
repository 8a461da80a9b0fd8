"""The folder of a tape in, whether it can be read out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultline.cli.checks.outcome import Outcome, fail, ok, warn
from faultline.errors import FaultlineError
from faultline.tape import describe, verify

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ("check_tape",)


def check_tape(path: Path, *, deep: bool) -> Outcome:
    """Manifest and headers of a tape; with ``deep`` every checksum, order and count."""
    name = f"tape {path.name}"
    try:
        about = describe(path)
        report = verify(path) if deep else None
    except FaultlineError as exc:
        return fail(name, f"{exc.user_message} ({exc.where})", exc.hint)
    kind = f"simulated world {about.world}" if about.simulated else "recorded"
    found = f"{kind}, {about.rows:,} rows of {len(about.kinds)} kinds"
    if report is not None and report.problems:
        first = report.problems[0]
        more = f" and {len(report.problems) - 1} more" if len(report.problems) > 1 else ""
        return fail(name, f"{first.file}: {first.message}{more}", first.hint)
    if about.losses:
        fix = "`faultline tape verify` lists what is lost; the writer cuts it off when it opens the tape"
        return warn(name, f"{found}; lost: {'; '.join(about.losses)}"[:400], fix)
    if not about.rows:
        return warn(name, f"{kind}, empty", "import or simulate something into it")
    if report is None:
        return ok(name, f"{found}; headers only, --deep reads everything")
    return ok(name, f"{found}; {report.n_bytes / 10**6:,.1f} MB verified")
