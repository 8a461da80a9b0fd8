"""What feeds gave and how their connections fare in, one body for people who ask where the numbers come from out."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import msgspec

from faultline.messages import Kind
from faultline.units import MILLISECOND_NS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.messages import Batch
    from faultline.sources.health import HealthSnapshot
    from faultline.sources.venue import Coverage, Venue

__all__ = ("HeardFeeds", "connected_report")

_PLAYED: Final = {
    "replay": "Played from a tape; nothing is connected.",
    "simulated": "Made by the simulator; nothing is connected.",
}


@dataclasses.dataclass(slots=True)
class _Heard:
    """Rows of one kind from one venue."""

    n_rows: int = 0
    last_ns: int = 0
    symbols: set[str] = dataclasses.field(default_factory=set)


class HeardFeeds:
    """Counts what an engine was given, by venue and kind: all that is known of sources that are not connected."""

    def __init__(self) -> None:
        self._heard: dict[tuple[str, str], _Heard] = {}

    def note(self, batches: Sequence[Batch]) -> None:
        """Count batches; how feeds fared while they were recorded is not what they gave."""
        for batch in batches:
            if not len(batch) or batch.kind is Kind.SOURCE_STATUS:
                continue
            found = self._heard.setdefault((batch.venue, batch.kind.value), _Heard())
            found.n_rows += len(batch)
            found.last_ns = max(found.last_ns, int(batch.rows["ts_received_ns"][-1]))
            found.symbols.add(batch.symbol)

    def report(self, mode: str, now_ns: int) -> dict[str, Any]:
        """Body of ``/sources`` for a market that is played."""
        venues: dict[str, dict[str, Any]] = {}
        # The engine's thread may add a feed meanwhile.
        for (slug, kind), found in sorted(self._heard.copy().items()):
            venue = venues.setdefault(
                slug,
                {"venue": slug, "name": slug, "status": "played", "sentence": _PLAYED[mode], "channels": []},
            )
            channel = {
                "channel": kind,
                "kinds": [kind],
                "transport": "tape",
                "status": "played",
                "sentence": f"{len(found.symbols)} symbols",
                "n_rows": found.n_rows,
                "last_row_ms": found.last_ns // MILLISECOND_NS,
            }
            venue["channels"].append(channel)
        return {"connected": False, "at_ms": now_ns // MILLISECOND_NS, "venues": list(venues.values())}


def connected_report(
    snapshot: HealthSnapshot, venues: Mapping[str, Venue], disk: tuple[int, int] | None = None
) -> dict[str, Any]:
    """Body of ``/sources`` for a market that is recorded as it happens.

    Args:
        snapshot: health of all venues.
        venues: the venues by slug.
        disk: free and all bytes of the disk of the tape; None where they are not known.
    """
    body = _in_ms(msgspec.to_builtins(snapshot))
    for venue in body["venues"]:
        known = venues[venue["venue"]]
        venue["docs"] = known.docs
        venue["coverage"] = [_line(line) for line in known.coverage]
        venue["absent"] = [{"kind": kind.value, "reason": why} for kind, why in known.absent.items()]
        venue["channels"] = [one for one in venue["channels"] if one["channel"] != "-"]
    return {
        "connected": True,
        "at_ms": body["as_of_ms"],
        "venues": body["venues"],
        "writer": body["writer"],
        "disk": None if disk is None else {"free_bytes": disk[0], "total_bytes": disk[1]},
    }


def _line(line: Coverage) -> dict[str, Any]:
    return {
        "kind": line.kind.value,
        "channel": line.channel,
        "transport": line.transport.value,
        "evidence": line.evidence.value,
        "throttle": line.throttle.value,
        "side": line.side.value,
        "price": line.price.name.lower(),
        "unit": line.unit.value,
        "window_ms": line.window_ms,
        "note": line.note,
        "source": line.source,
        "from_ms": line.from_ns // MILLISECOND_NS,
        "until_ms": line.until_ns // MILLISECOND_NS,
    }


def _in_ms(value: Any) -> Any:
    """The same, with every time in milliseconds: numbers that a browser can hold."""
    if isinstance(value, dict):
        return {
            (key[:-3] + "_ms" if key.endswith("_ns") else key): (
                inner // MILLISECOND_NS if key.endswith("_ns") and inner is not None else _in_ms(inner)
            )
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_in_ms(inner) for inner in value]
    return value
