"""Chains that are over and changes of episodes in, how chains went and how well they were foretold out.

Every number is about what was said before: probabilities are those of the moment of the hit, the rival by depth is
asked before it is told. Hops are counted whole here, not faded, so that a reader can check the counts.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from scipy.special import betaincinv

from faultline.cascades.chain import GREY_BELOW
from faultline.cascades.episodes import Episode
from faultline.cascades.levels import LEVELS_MAX
from faultline.cascades.situation import passage_probs
from faultline.units import MILLISECOND_NS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from faultline.cascades.episodes import EpisodeChange
    from faultline.cascades.outcome import Outcome
    from faultline.cascades.strip import StripDay

__all__ = ("CascadeRecord", "strip_rows")

#: Episodes, and delays per depth, that are remembered.
_EPISODES: Final = 50
_DELAYS: Final = 500
#: Probabilities are sorted into as many bins of one width.
_BINS: Final = 10
_TAILS: Final = np.array([0.025, 0.975])
_LEAST: Final = 1e-6
_SIDES: Final = ("LONG", "SHORT")


class _Told(msgspec.Struct):
    """One episode: how it stands, when it started, and when it ended."""

    episode: Episode
    started_ns: int
    ended_ns: int | None = None


class CascadeRecord(msgspec.Struct):
    """What there is to say about the chains of one asset so far; its fields are all its state.

    Attributes:
        n_hits: zones that were hit.
        at_risk: hops that were at risk, by depth 1..10.
        reached: of these, those that happened.
        delay_s: seconds of the last hops that happened, by depth.
        bins: of the probabilities of whole chains: how many, their sum, how many came true; by bin.
        losses: hops at risk, and the summed log loss of what was said and of the rival by depth.
        told: episodes, oldest first.
        passage_loss: summed log loss of plain volatility alone, on the same hops.
    """

    n_hits: int = 0
    at_risk: list[int] = msgspec.field(default_factory=lambda: [0] * LEVELS_MAX)
    reached: list[int] = msgspec.field(default_factory=lambda: [0] * LEVELS_MAX)
    delay_s: list[list[float]] = msgspec.field(default_factory=lambda: [[] for _ in range(LEVELS_MAX)])
    bins: list[list[float]] = msgspec.field(default_factory=lambda: [[0.0, 0.0, 0.0] for _ in range(_BINS)])
    losses: list[float] = msgspec.field(default_factory=lambda: [0.0, 0.0, 0.0])
    told: list[_Told] = []
    passage_loss: float = 0.0

    @property
    def gained_nats(self) -> float:
        """Log score of what was said over that of plain volatility alone, over all hops at risk."""
        return self.passage_loss - self.losses[1]

    def apply_outcome(self, outcome: Outcome, said: NDArray[np.float64]) -> None:
        """Count a chain that is over.

        Args:
            outcome: the chain.
            said: probabilities of levels 1..n as they were shown at the hit.
        """
        hops = said / np.concatenate([[1.0], said[:-1]])
        alone = passage_probs(outcome.situation)
        for j in range(outcome.resolved):
            happened = j < outcome.reached
            rival = (self.reached[j] + 1.0) / (self.at_risk[j] + 2.0)
            self.losses[0] += 1.0
            self.losses[1] += _log_loss(float(hops[j]), happened=happened)
            self.losses[2] += _log_loss(rival, happened=happened)
            self.passage_loss += _log_loss(float(alone[j]), happened=happened)
            self.at_risk[j] += 1
            self.reached[j] += happened
            if happened:
                self.delay_s[j] = [*self.delay_s[j], outcome.delay_s[j]][-_DELAYS:]
        if not outcome.is_cut:
            # Of a chain that was cut nobody knows how far it would have gone.
            for depth, prob in enumerate(said.tolist(), start=1):
                counts = self.bins[min(int(prob * _BINS), _BINS - 1)]
                counts[0] += 1.0
                counts[1] += prob
                counts[2] += depth <= outcome.reached

    def apply_change(self, change: EpisodeChange) -> None:
        """Note what happened to an episode."""
        episode = change.episode
        if change.kind == "started":
            self.told = [*self.told, _Told(episode, episode.at_ns)][-_EPISODES:]
        for row in self.told:
            if row.episode.id == episode.id:
                row.episode = episode
                row.ended_ns = episode.at_ns if change.kind == "ended" else row.ended_ns

    def report(self) -> dict[str, Any]:
        """Everything as plain values.

        ``prob`` of a depth is the share of hops from the depth before that happened, with a 95 % interval (Jeffreys);
        its ``delay_s`` the 10, 50 and 90 % quantiles of their times. ``reliability`` sets probabilities of reaching a
        level, as shown at the hit, beside how often it was. ``excess_ratio`` of an episode is its depth over the mean
        depth that plain volatility alone would give, ``tail_prob`` the probability of this depth or more under that.
        """
        hops = self.losses[0]
        return {
            "n_hits": self.n_hits,
            "depths": [self._depth(j) for j in range(LEVELS_MAX)],
            "reliability": [_reliability(*counts) for counts in self.bins if counts[0]],
            "log_loss": self.losses[1] / hops if hops else None,
            "log_loss_beta": self.losses[2] / hops if hops else None,
            "episodes": [_episode(row) for row in reversed(self.told)],
        }

    def _depth(self, j: int) -> dict[str, Any]:
        n, k, delays = self.at_risk[j], self.reached[j], self.delay_s[j]
        low, high = _interval(k, n)
        times = np.quantile(delays, [0.1, 0.5, 0.9]).tolist() if delays else None
        return {
            "depth": j + 1,
            "n_at_risk": n,
            "n_reached": k,
            "prob": k / n if n else None,
            "low": low if n else None,
            "high": high if n else None,
            "delay_s": dict(zip(("low", "median", "high"), times, strict=True)) if times else None,
            "greyed": n < GREY_BELOW,
        }


def strip_rows(days: Iterable[StripDay]) -> list[dict[str, Any]]:
    """Days of an asset from the rows of its venues and itself, by day.

    ``liquidated_usd`` is of all feeds, null on days without any: silence is not a quiet day. ``ratio`` is null then,
    and on days on which a feed without open interest of its own had liquidations: what they are a share of is not
    known.
    """
    by_day: dict[int, dict[str, StripDay]] = {}
    for row in days:
        by_day.setdefault(row.day_ns, {})[row.venue or ""] = row
    out = []
    for day_ns, rows in sorted(by_day.items()):
        total = rows.pop("")
        seen = {venue: row.long_usd + row.short_usd for venue, row in rows.items()}
        known = all(row.oi_usd > 0 for venue, row in rows.items() if seen[venue] > 0)
        out.append(
            {
                "day_ms": day_ns // MILLISECOND_NS,
                "liquidated_usd": math.fsum(seen.values()) or None,
                "oi_usd": total.oi_usd if math.isfinite(total.oi_usd) else None,
                "ratio": total.ratio if known and total.ratio > 0 else None,
            }
        )
    return out


def _episode(row: _Told) -> dict[str, Any]:
    episode = row.episode
    usual = episode.expected_depth
    return {
        "id": episode.id,
        "started_ms": row.started_ns // MILLISECOND_NS,
        "ended_ms": None if row.ended_ns is None else row.ended_ns // MILLISECOND_NS,
        "side": _SIDES[episode.side],
        "depth": episode.depth,
        "realised_usd": episode.liquidated_usd,
        "expected_usd": episode.expected_usd,
        "excess_ratio": episode.depth / usual if usual > 0 else None,
        "tail_prob": episode.tail_prob,
    }


def _reliability(n: float, said: float, reached: float) -> dict[str, Any]:
    low, high = _interval(int(reached), int(n))
    return {"forecast": said / n, "observed": reached / n, "low": low, "high": high, "n": int(n)}


def _interval(k: int, n: int) -> tuple[float, float]:
    """95 % interval of a share, k of n, by the prior of Jeffreys; its ends are 0 and 1 where all or none happened."""
    low, high = betaincinv(k + 0.5, n - k + 0.5, _TAILS).tolist()
    return (low if k else 0.0), (high if k < n else 1.0)


def _log_loss(prob: float, *, happened: bool) -> float:
    return -math.log(min(max(prob if happened else 1.0 - prob, _LEAST), 1.0))
