"""Numbers in, the constants of a learner out."""

from __future__ import annotations

import msgspec

from faultline.learning.newton import NewtonSettings
from faultline.units import MINUTE_NS

__all__ = ("LearnerSettings",)


class LearnerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Constants of a learner; half-lives are in recorded hours.

    Attributes:
        window_ns: the rates move once per window.
        n_buckets: buckets of five basis points around the price that each hypothesis keeps.
        blur_bps: deviation of the place of an event, inside what its bar swept.
        newton: step limit, weight and damping of the filter; precision of the floor's log rate. Half-lives are
            those of the bank.
        kernel_share: share of events that the prior gives to the leverages; the rest is the floor.
        starting_events: events that only set the level, before rates move.
        scale_half_life_h: of the level of the prior.
        score_half_life_h: of log scores, which weigh the bank and judge it.
        pooled_below: with fewer events in a half-life one hypothesis and the prior speak for the bank.
        fallback_nats: the prior takes over where the bank is worse by this much discounted log score.
    """

    window_ns: int = MINUTE_NS
    n_buckets: int = 2560
    blur_bps: float = 6.0
    newton: NewtonSettings = NewtonSettings()
    kernel_share: float = 0.9
    starting_events: float = 30.0
    scale_half_life_h: float = 720.0
    score_half_life_h: float = 72.0
    pooled_below: float = 300.0
    fallback_nats: float = 5.0
