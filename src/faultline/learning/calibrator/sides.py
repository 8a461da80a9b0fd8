"""Recorded sides, printed prices and moves of the mark in, whether the feed's sides mean what is assumed out.

Feeds differ: some print the side of the position, some of the order that closes it, and a collector
may have turned it once too often. Two things give it away. A bankruptcy price lies below the mark for a long and above
for a short; a fill tends to. And longs are forced out when the mark has fallen. Each event is a vote with a
weight, the log odds of being right; votes add up to log odds that are clipped, so that a feed that was right for
years and then turns is found within a few events. A feed that turns and turns back, or of which a lasting part of the
votes is against the rest, mixes venues with different conventions.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.learning.calibrator.estimate import Estimate
from faultline.learning.calibrator.filter_kernels import side_evidence_kernel
from faultline.states import restoring
from faultline.units import SECOND_NS, PriceKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("SideAlarm", "SideCheck", "SideSettings", "SideVerdict")

_STATE_VERSION: Final = 1


class SideVerdict(enum.StrEnum):
    """What is known about a feed's sides."""

    UNKNOWN = "unknown"
    RIGHT = "right"
    INVERTED = "inverted"
    MIXED = "mixed"


class SideSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weights of the votes.

    Attributes:
        bankruptcy_prob: probability that a bankruptcy print lies on its proper side of the mark.
        fill_prob: the same for a fill.
        move_prob: probability that the mark moved against the position in the minute before.
        deadband_bps: distances and moves below this say nothing.
        move_pause_s: votes of the mark's move are this far apart: one move is one vote.
        threshold_nats: log odds beyond which the verdict is right or inverted.
        cap_nats: log odds at most.
        half_life_events: votes after which one counts half in the share.
        mixed_slack_ratio: a feed is mixed where the share of votes for it is lower by more than this than it should be
            if its sides were right, and higher by more than this than if they were inverted.
        turn_half_life_events: votes after which a turn counts half; a feed that turns twice within is mixed.
    """

    bankruptcy_prob: float = 0.95
    fill_prob: float = 0.65
    move_prob: float = 0.7
    deadband_bps: float = 3.0
    move_pause_s: float = 10.0
    threshold_nats: float = 8.0
    cap_nats: float = 12.0
    half_life_events: float = 200.0
    mixed_slack_ratio: float = 0.1
    turn_half_life_events: float = 800.0


@dataclasses.dataclass(frozen=True, slots=True)
class SideAlarm:
    """The verdict passed from one to another.

    Attributes:
        row: row of the call after which it did.
        verdict: what is known now.
        log_odds_nats: for the recorded sides.
    """

    row: int
    verdict: SideVerdict
    log_odds_nats: float


class SideCheck:
    """Votes of one feed, kept between calls.

    Args:
        settings: see ``SideSettings``.
    """

    def __init__(self, settings: SideSettings | None = None) -> None:
        self.settings = settings or SideSettings()
        self._totals = np.zeros(4)
        self._turns = 0.0
        self._last_move_ns = -1
        self._last = SideVerdict.UNKNOWN

    def apply(
        self,
        kinds: NDArray[np.int64],
        signs: NDArray[np.float64],
        offsets_bps: NDArray[np.float64],
        moves_bps: NDArray[np.float64],
        times_ns: NDArray[np.int64],
        mark_sd_bps: NDArray[np.float64] | None = None,
    ) -> list[SideAlarm]:
        """Count the votes of events in order of receipt.

        Args:
            kinds: price kind of each event, shape (n,).
            signs: recorded side, +1 long, -1 short, shape (n,).
            offsets_bps: ``log print - log mark``, bp, shape (n,); NaN says nothing.
            moves_bps: log move of the mark in the minute before, bp, shape (n,); NaN says nothing.
            times_ns: shape (n,).
            mark_sd_bps: how well the mark at each event is known, shape (n,); None for exactly. A print nearer to it
                than twice that says nothing.

        Returns:
            Where the verdict passed to another.
        """
        evidence = self._print_votes(kinds, signs, offsets_bps, 0.0 if mark_sd_bps is None else mark_sd_bps)
        evidence += self._move_votes(signs, moves_bps, times_ns)
        path = np.empty((len(evidence), 4))
        fade = 0.5 ** (1.0 / self.settings.half_life_events)
        side_evidence_kernel(evidence, self._totals, fade, float(self.settings.cap_nats), path)
        return self._passages(evidence, path)

    @property
    def verdict(self) -> SideVerdict:
        """What is known now."""
        return self._last

    @property
    def log_odds_nats(self) -> float:
        """Log odds for the recorded sides."""
        return float(self._totals[0])

    def agreement(self) -> Estimate:
        """Share of votes for the recorded sides, with the Agresti-Coull interval."""
        votes_for, votes_against = float(self._totals[1]), float(self._totals[2])
        n = votes_for + votes_against
        low, high = _share_interval(votes_for, votes_against)
        return Estimate(votes_for / n if n else np.nan, low, high, "ratio", n, n / (n + 4.0))

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on."""
        return {
            "version": np.array([_STATE_VERSION]),
            "totals": self._totals.copy(),
            "turns": np.array([self._turns]),
            "last_move_ns": np.array([self._last_move_ns], dtype=np.int64),
            "last": np.array([list(SideVerdict).index(self._last)], dtype=np.int64),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]], settings: SideSettings | None = None) -> SideCheck:
        """A check that goes on where ``state()`` was taken.

        Raises:
            StoreError: that is no state of such a check.
        """
        kept = cls(settings)
        with restoring("a side check", state, _STATE_VERSION):
            np.copyto(kept._totals, state["totals"], casting="safe")
            kept._turns = float(state["turns"][0])
            kept._last_move_ns = int(state["last_move_ns"][0])
            kept._last = list(SideVerdict)[int(state["last"][0])]
        return kept

    def _print_votes(
        self,
        kinds: NDArray[np.int64],
        signs: NDArray[np.float64],
        offsets_bps: NDArray[np.float64],
        mark_sd_bps: NDArray[np.float64] | float,
    ) -> NDArray[np.float64]:
        chosen = self.settings
        weights = np.zeros(len(PriceKind))
        weights[PriceKind.BANKRUPTCY] = _log_odds(chosen.bankruptcy_prob)
        weights[PriceKind.FILL] = _log_odds(chosen.fill_prob)
        told = np.abs(offsets_bps) >= np.maximum(chosen.deadband_bps, 2.0 * np.asarray(mark_sd_bps))
        return np.where(told, weights[kinds] * -np.sign(signs * np.nan_to_num(offsets_bps)), 0.0)

    def _move_votes(
        self, signs: NDArray[np.float64], moves_bps: NDArray[np.float64], times_ns: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        votes = np.zeros(len(signs))
        pause_ns = int(self.settings.move_pause_s * SECOND_NS)
        weight = _log_odds(self.settings.move_prob)
        for i in np.flatnonzero(np.abs(moves_bps) >= self.settings.deadband_bps):
            moment = int(times_ns[i])
            if self._last_move_ns < 0 or moment - self._last_move_ns >= pause_ns:
                self._last_move_ns = moment
                votes[i] = -weight * np.sign(signs[i] * moves_bps[i])
        return votes

    def _passages(self, evidence: NDArray[np.float64], path: NDArray[np.float64]) -> list[SideAlarm]:
        alarms: list[SideAlarm] = []
        fade = 0.5 ** (1.0 / self.settings.turn_half_life_events)
        for row in np.flatnonzero(evidence):
            self._turns *= fade
            verdict = self._next_verdict(*(float(value) for value in path[row]))
            if verdict is not self._last:
                self._last = verdict
                alarms.append(SideAlarm(int(row), verdict, float(path[row, 0])))
        return alarms

    def _next_verdict(
        self, odds: float, votes_for: float, votes_against: float, expected_for: float
    ) -> SideVerdict:
        """Verdict after a vote: mixed by turning twice or by a lasting share of votes; else by the log odds."""
        chosen = self.settings
        low, high = _share_interval(votes_for, votes_against)
        most = expected_for / (votes_for + votes_against) - chosen.mixed_slack_ratio
        if self._last is SideVerdict.MIXED:
            if low > most:
                return SideVerdict.RIGHT
            return SideVerdict.INVERTED if high < 1.0 - most else SideVerdict.MIXED
        leaning = SideVerdict.UNKNOWN
        if abs(odds) >= chosen.threshold_nats:
            leaning = SideVerdict.RIGHT if odds > 0 else SideVerdict.INVERTED
        if leaning not in {SideVerdict.UNKNOWN, self._last} and self._last is not SideVerdict.UNKNOWN:
            self._turns += 1.0
        if self._turns > 1.5:
            return SideVerdict.MIXED
        # After one turn the share of votes is between the two for a while, which says nothing.
        if self._turns < 0.5 and self._last is not SideVerdict.UNKNOWN and high < most and low > 1.0 - most:
            return SideVerdict.MIXED
        return self._last if leaning is SideVerdict.UNKNOWN else leaning


def _share_interval(votes_for: float, votes_against: float) -> tuple[float, float]:
    """95 % interval of a share after Agresti and Coull (Approximate is better than "exact", 1998)."""
    n = votes_for + votes_against
    if n == 0.0:
        return 0.0, 1.0
    centre = (votes_for + 2.0) / (n + 4.0)
    reach = 1.96 * (centre * (1.0 - centre) / (n + 4.0)) ** 0.5
    return max(centre - reach, 0.0), min(centre + reach, 1.0)


def _log_odds(prob: float) -> float:
    return float(np.log(prob / (1.0 - prob)))
