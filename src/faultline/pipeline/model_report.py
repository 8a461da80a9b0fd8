"""A shard in, what it has learned as plain values out: the answer behind the model page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from faultline.learning.identify import BIN_LABELS, bin_of
from faultline.units import MILLISECOND_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.learning.posterior import Posterior
    from faultline.pipeline.learn import FeedLearner
    from faultline.pipeline.learned_rows import LearnedFeed
    from faultline.pipeline.shard import Shard

__all__ = ("learned_of",)


def learned_of(shard: Shard) -> dict[str, Any]:
    """Leverage mix, hypotheses, history and calibration of every feed of an asset, and what is known of cascades.

    ``feeds`` is empty where nothing is learned: no liquidation was heard, or learning is off.
    """
    learner, given = shard.learner, shard.given
    feeds = [] if learner is None else [_feed(shard, feed) for feed in learner.feeds.values()]
    if given is not None and given.frozen:
        feeds += [_frozen_feed(shard, feed) for feed in given.feeds]
    versions = {} if given is None else {feed.feed: given.version for feed in given.feeds}
    rows = [{**row, "version": versions.get(row["feed"])} for row in feeds]
    rows.sort(key=lambda row: str(row["feed"]))
    return {"asset": shard.asset, "feeds": rows, "cascade": _cascade(shard)}


def _cascade(shard: Shard) -> dict[str, Any] | None:
    """What is known of cascades; None where the asset's market is not watched or nothing was hit.

    How they went and how well they were foretold is of this run; who foretold them may be frozen.
    """
    if shard.watch is None:
        return None
    given = shard.given
    return {
        **shard.watch.cascades.report(),
        "frozen": given is not None and given.frozen,
        "version": None if given is None else given.version,
    }


def _frozen_feed(shard: Shard, feed: LearnedFeed) -> dict[str, Any]:
    """A feed of which nothing is learned: what it taught until the snapshot that is served."""
    return {
        "feed": feed.feed,
        "venue": feed.feed.partition(":")[0],
        "path": feed.path,
        "reporting": feed.reporting,
        "basis": feed.basis,
        "speaks": bool(feed.serves),
        "frozen": True,
        "serves": list(feed.serves),
        "events": feed.events,
        "expected": feed.expected,
        "effective_events": feed.effective_events,
        "dispersion": feed.dispersion,
        "advantage_nats": feed.advantage.recent_nats,
        "learned_share": feed.data_ratio,
        "map_trust": None,
        "leverages": list(feed.leverages),
        "mix": list(feed.believed_mix),
        "assumed_mix": list(feed.assumed_mix),
        "assumed_from": "parameter file",
        "bins": [{**msgspec.to_builtins(found), "before_share": None} for found in feed.bins],
        "before_ms": None,
        "hypotheses": [{"name": name, "weight": weight} for name, weight in feed.hypotheses.items()],
        "history": {"t_ms": [], "shares": [], "effective_events": []},
        "calibration": None if shard.calibrator is None else shard.calibrator.report(feed.feed),
    }


def _feed(shard: Shard, feed: FeedLearner) -> dict[str, Any]:
    learner = feed.learner
    belief, past = learner.posterior(), learner.history()
    before = past["mix"][0] if len(past["time_ns"]) else None
    return {
        "feed": feed.feed_id,
        "venue": feed.feed_id.partition(":")[0],
        "path": feed.path_id,
        "reporting": learner.reporting.scheme,
        "basis": belief.basis,
        "speaks": feed.speaks,
        "frozen": learner.frozen,
        "serves": _served_by(shard, feed),
        "events": feed.events,
        "expected": feed.expected,
        "effective_events": belief.effective_events,
        "dispersion": belief.dispersion,
        "advantage_nats": belief.advantage_nats,
        "learned_share": feed.share,
        "map_trust": feed.map_trust,
        "leverages": list(learner.leverages),
        "mix": belief.mix,
        "assumed_mix": learner.prior.mix,
        "assumed_from": learner.prior.source,
        "bins": _bins(belief, learner.prior.mix, before, np.asarray(learner.leverages)),
        "before_ms": int(past["time_ns"][0]) // MILLISECOND_NS if before is not None else None,
        "hypotheses": [
            {"name": member.name, "weight": float(weight)}
            for member, weight in zip(learner.bank, belief.weights, strict=True)
        ],
        "history": {
            "t_ms": (past["time_ns"] // MILLISECOND_NS).tolist(),
            "shares": _pooled(past["mix"], np.asarray(learner.leverages)).tolist(),
            "effective_events": past["effective_events"].tolist(),
        },
        "calibration": None if shard.calibrator is None else shard.calibrator.report(feed.feed_id),
    }


def _served_by(shard: Shard, feed: FeedLearner) -> list[str]:
    """Instruments whose map is drawn with what this feed taught; none of those that are drawn with a frozen mix."""
    if not feed.speaks or shard.learner is None:
        return []
    given = shard.parameters.given
    items = [item for item in shard.with_path() if given.served_by(item.instrument_id) is None]
    own = [item.instrument_id for item in items if item.instrument_id == feed.feed_id]
    silent = [
        item.instrument_id
        for item in items
        if not ((other := shard.learner.feeds.get(item.instrument_id)) and other.speaks)
    ]
    return own or (silent if feed.path_id != feed.feed_id else [])


def _bins(
    belief: Posterior,
    assumed: NDArray[np.float64],
    before: NDArray[np.float64] | None,
    leverages: NDArray[np.float64],
) -> list[dict[str, Any]]:
    prior = dict(zip(BIN_LABELS, _pooled(assumed[None], leverages)[0], strict=True))
    old = {} if before is None else dict(zip(BIN_LABELS, _pooled(before[None], leverages)[0], strict=True))
    return [
        {
            "label": found.label,
            "share": found.share,
            "low": found.low,
            "high": found.high,
            "iota": found.iota,
            "identified": found.identified,
            "assumed_share": prior[found.label],
            "before_share": old.get(found.label),
        }
        for found in belief.bins
    ]


def _pooled(mixes: NDArray[np.float64], leverages: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of the four bins, shape (n, 4), from mixes (n, L)."""
    inside = bin_of(leverages.tolist())[:, None] == np.arange(len(BIN_LABELS))
    shares: NDArray[np.float64] = mixes @ inside
    return shares
