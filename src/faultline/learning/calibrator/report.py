"""What the calibrator knows about one instrument, as plain values out: for people, the store and the API."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faultline.learning.calibrator.estimate import Estimate
    from faultline.learning.calibrator.reporting import SourceShare
    from faultline.learning.calibrator.sides import SideVerdict
    from faultline.units import PriceKind

__all__ = ("CalibrationReport", "EngineChange", "MarginReport", "OffsetReport", "SideTurn")


@dataclasses.dataclass(frozen=True, slots=True)
class EngineChange:
    """A venue's engine must have changed; what was learned of it before counts no more.

    Attributes:
        time_ns: stamp of the event with which it was found.
        what: ``print offset`` or ``margin``.
        subject: price kind, or number of the tier.
        before_bps: value until then.
        after_bps: value that explains the latest events, to the nearest alternative that was tested.
        evidence_nats: log likelihood by which the new value explains the events since better than the old one.
        n_events: events since the change, about.
    """

    time_ns: int
    what: str
    subject: int
    before_bps: float
    after_bps: float
    evidence_nats: float
    n_events: int


@dataclasses.dataclass(frozen=True, slots=True)
class SideTurn:
    """What is known about a feed's sides has changed.

    Attributes:
        time_ns: stamp of the event with which it was found.
        verdict: what is known now; inverted and mixed are alarms.
        log_odds_nats: for the recorded sides.
    """

    time_ns: int
    verdict: SideVerdict
    log_odds_nats: float


@dataclasses.dataclass(frozen=True, slots=True)
class OffsetReport:
    """Where one price kind prints.

    Attributes:
        price_kind: what the price means.
        sym: basis between prints and mark, bp.
        anti: offset in the direction of the position's side, bp; negative means below the mark for longs.
        scale_bps: noise around them.
        quartiles_bps: of side times (print over mark), fading.
        clusters_bps: centre of each cluster of that and its share, the largest first; more than one means that
            several venues or rules are mixed, and that ``anti`` stands for none of them.
    """

    price_kind: PriceKind
    sym: Estimate
    anti: Estimate
    scale_bps: float
    quartiles_bps: tuple[float, ...]
    clusters_bps: tuple[tuple[float, float], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class MarginReport:
    """Correction of one tier.

    Attributes:
        floor_usd: notional from which the tier holds.
        cap_usd: notional up to which it holds.
        correction: bp to be added to the assumed maintenance margin.
    """

    floor_usd: float
    cap_usd: float
    correction: Estimate


@dataclasses.dataclass(frozen=True, slots=True)
class CalibrationReport:
    """Everything known about one instrument.

    Attributes:
        instrument_id: ``venue:SYMBOL``.
        offsets: one entry per price kind that was printed.
        delay: from trigger to the venue's stamp, s.
        receipt: from stamp to receipt, s: median and the middle 95 % of events.
        margins: one entry per tier.
        share: reporting fraction.
        sources: what it was combined from.
        verdict: what is known about the feed's sides.
        agreement: share of votes for the recorded sides.
        changes: the latest changes of the engine, the oldest first.
        n_learned: prints learned.
        n_unlocated: prints without a path around them.
        n_mistimed: prints whose stamp cannot be.
        n_unusable: prints without a price or a side.
        n_foreign: prints so far from the mark that they belong to another instrument.
        offset_gained_nats: log score of the learned offsets over their static prior's, over all prints scored.
        n_scored: prints scored, each before it was learned.
    """

    instrument_id: str
    offsets: tuple[OffsetReport, ...]
    delay: Estimate
    receipt: Estimate
    margins: tuple[MarginReport, ...]
    share: Estimate
    sources: tuple[SourceShare, ...]
    verdict: SideVerdict
    agreement: Estimate
    changes: tuple[EngineChange, ...]
    n_learned: int
    n_unlocated: int
    n_mistimed: int
    n_unusable: int
    n_foreign: int
    offset_gained_nats: float
    n_scored: int
