"""A tape that is continued in, what its end says of each venue out: where recording left off, and the latest facts.

Between the last row and the first of this run rows are missing, and venues replay what is on the tape already.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import structlog

from faultline.errors import TapeError
from faultline.messages import Batch, Kind
from faultline.sources.handover import FACTS
from faultline.tape.reader import Tape
from faultline.units import DAY_NS, MINUTE_NS

if TYPE_CHECKING:
    import os
    from collections.abc import Collection

__all__ = ("Tail", "read_tail")

_LOG = structlog.get_logger(__name__)
#: Facts of the last rows of an instrument so far back are read: trades are many, and the others few.
_BACK_NS: Final = {Kind.TRADE: 5 * MINUTE_NS, Kind.WALLET_FILL: 5 * MINUTE_NS}
_BACK_ELSE_NS: Final = DAY_NS
#: Rows that are ours, not the market's.
_OURS: Final = frozenset({Kind.INSTRUMENT, Kind.GAP, Kind.SOURCE_STATUS})


@dataclasses.dataclass(slots=True)
class Tail:
    """The end of a tape, of one venue.

    Attributes:
        last_ns: last receive time by instrument id.
        facts: latest facts, oldest first.
    """

    last_ns: dict[str, int] = dataclasses.field(default_factory=dict)
    facts: list[Batch] = dataclasses.field(default_factory=list)


def read_tail(path: str | os.PathLike[str], venues: Collection[str]) -> dict[str, Tail]:
    """The end of a tape, by venue; empty where the tape has no rows of it, or cannot be read (which is logged)."""
    tails: dict[str, Tail] = {venue: Tail() for venue in venues}
    try:
        tape = Tape(path)
        for kind, instrument_id in tape.pairs():
            tail = tails.get(instrument_id.partition(":")[0])
            if tail is None or kind in _OURS:
                continue
            last_ns = tape.span_ns(kind, instrument_id)[1]
            tail.last_ns[instrument_id] = max(last_ns, tail.last_ns.get(instrument_id, 0))
            if kind in FACTS:
                rows = tape.read(kind, instrument_id, last_ns - _BACK_NS.get(kind, _BACK_ELSE_NS))
                tail.facts.append(Batch(kind, instrument_id, rows))
    except (TapeError, OSError) as exc:
        _LOG.warning(
            "the end of the tape cannot be read: what venues replay may be on it twice", error=str(exc)
        )
        return {venue: Tail() for venue in venues}
    return tails
