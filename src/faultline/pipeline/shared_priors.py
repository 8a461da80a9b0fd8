"""Learners of an asset's feeds in, quiet ones that start from what the others have taught out.

A feed with few events would otherwise stand on the generic prior for days. Only while it is quiet does it borrow: once
it has events enough to speak for itself its prior stays, as what it learned is measured against it. Busy feeds borrow
nothing: what misleads one of them misleads all, and would be taken for agreement (``docs/decisions/0013``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultline.learning.prior import refresh_priors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultline.pipeline.learn import FeedLearner

__all__ = ("share_priors",)


def share_priors(feeds: Sequence[FeedLearner]) -> None:
    """Give every quiet feed the prior that all others taught, where one of them speaks for itself.

    Args:
        feeds: of one asset; ``learner.settings.pooled_below`` events make a feed speak.
    """
    quiet = [feed for feed in feeds if feed.events < feed.learner.settings.pooled_below]
    teaches = any(feed.learner.effective_events >= feed.learner.settings.pooled_below for feed in feeds)
    if not quiet or not teaches:
        return
    learned = [feed.learner.taught(feed.feed_id) for feed in feeds]
    priors = refresh_priors(learned, feeds[0].learner.leverages)
    for feed in quiet:
        feed.learner.set_prior(priors[feed.feed_id])
