"""A shard in, the leverage mixes that it recovered of its feeds out: what ``score_truth`` compares with the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faultline.evaluation.truth import RecoveredMix
from faultline.learning.identify import IDENTIFIED_FROM

if TYPE_CHECKING:
    from faultline.pipeline.given_mixes import FixedMix
    from faultline.pipeline.learn import FeedLearner
    from faultline.pipeline.shard import Shard

__all__ = ("recovered_mixes",)


def recovered_mixes(shard: Shard) -> list[RecoveredMix]:
    """What is believed now of the leverage of opens, by feed; fixed mixes as they are, without bands."""
    learners = {} if shard.learner is None else shard.learner.feeds
    t_ns = shard.reached_ns + 1
    leverages = np.asarray(shard.parameters.ledger.leverages, dtype=np.float64)
    fixed = [
        _fixed(t_ns, leverages, each) for each in shard.parameters.given.fixed if each.feed in shard.members
    ]
    return fixed + [_learned(t_ns, feed) for _, feed in sorted(learners.items())]


def _learned(t_ns: int, feed: FeedLearner) -> RecoveredMix:
    belief = feed.learner.posterior()
    (low, high), (low80, high80), (low50, high50) = (belief.band(promise) for promise in (0.95, 0.80, 0.50))
    return RecoveredMix(
        t_ns=t_ns,
        instrument=feed.feed_id,
        leverages=np.asarray(feed.learner.leverages, dtype=np.float64),
        shares=belief.mix,
        low=low,
        high=high,
        is_identified=belief.iota > IDENTIFIED_FROM,
        low80=low80,
        high80=high80,
        low50=low50,
        high50=high50,
        iota=belief.iota,
    )


def _fixed(
    t_ns: int, leverages: np.ndarray[tuple[int], np.dtype[np.float64]], each: FixedMix
) -> RecoveredMix:
    nothing = np.full(len(leverages), np.nan)
    known = np.zeros(len(leverages), dtype=np.bool_)
    return RecoveredMix(t_ns, each.feed, leverages, np.array(each.mix), nothing, nothing, known)
