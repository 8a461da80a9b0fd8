"""What is known about the recorder of the ``faultline-2026`` archive: when it was down, and which ids it recorded.

These are facts of that one archive, found by comparing its event file, its bar file and the venue's own series; the
archive does not carry them itself. They are kept in this one table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from faultline.messages import Kind
from faultline.sources.archives.binance_contracts import contract_id
from faultline.sources.archives.report import GapSpan
from faultline.units import parse_time_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("MIXED_FROM_NS", "RECORDER_DOWN", "liquidation_gaps", "liquidation_id", "recorder_down_gaps")

#: From here on the recorder also took Bybit and OKX, and did not note which event came from which venue.
MIXED_FROM_NS: Final = parse_time_ns("2026-02-23")

#: The recorder was down: start, end (UTC). The last one ends with the last bar of the archive.
RECORDER_DOWN: Final = tuple(
    (parse_time_ns(f"2026-{start}"), parse_time_ns(f"2026-{end}"))
    for start, end in (
        ("01-29T00:15", "01-29T01:15"),
        ("01-29T06:15", "01-29T08:12"),
        ("01-29T08:44", "01-30T00:03"),
        ("01-30T06:59", "02-03T05:19"),
        ("02-05T22:00", "02-05T23:00"),
        ("02-05T23:53", "02-06T04:03"),
        ("02-06T10:32", "02-06T19:10"),
        ("02-07T05:41", "02-23T08:57"),
        ("02-23T21:43", "02-23T23:35"),
        ("02-24T14:25", "02-24T15:20"),
        ("02-24T15:42", "02-24T16:50"),
        ("02-26T00:42", "02-26T23:39"),
        ("02-27T02:35", "02-28T02:20"),
    )
)


def liquidation_id(asset: str, *, is_mixed: bool) -> str:
    """Id that liquidations of an asset carry: Binance's contract before ``MIXED_FROM_NS``, ``mixed:`` after."""
    return f"mixed:{asset}" if is_mixed else contract_id(asset)


def liquidation_gaps(asset: str, from_ns: int, to_ns: int, reason: str) -> Iterator[GapSpan]:
    """The gap on the id that was recorded at the time; two gaps where it spans the change of ids."""
    kind = Kind.LIQUIDATION.value
    if from_ns < min(to_ns, MIXED_FROM_NS):
        scope = liquidation_id(asset, is_mixed=False)
        yield GapSpan(scope, kind, from_ns, min(to_ns, MIXED_FROM_NS), reason)
    if max(from_ns, MIXED_FROM_NS) < to_ns:
        scope = liquidation_id(asset, is_mixed=True)
        yield GapSpan(scope, kind, max(from_ns, MIXED_FROM_NS), to_ns, reason)


def recorder_down_gaps(asset: str, first_ns: int, last_ns: int) -> Iterator[GapSpan]:
    """The table's gaps that touch ``[first_ns, last_ns]``, the time the archive at hand is about."""
    for start_ns, end_ns in RECORDER_DOWN:
        if end_ns > first_ns and start_ns <= last_ns:
            yield from liquidation_gaps(asset, max(start_ns, first_ns), end_ns, "recorder_down")
