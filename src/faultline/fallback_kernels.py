"""What a learner gained on its static prior in, whether the prior is in force out: one rule for every learner.

The balance is the sum of the gains, fading; a gain is the log score of what was learned over the prior's. It is held
between minus twice the threshold and what the past may count, so that neither failure nor merit of long ago decides
today. Below minus the threshold the prior takes over; at 0 what was learned is back. How a balance fades is the
learner's own: by time for prints and chains, by recorded hours for leverage.
"""

from __future__ import annotations

from numba import njit

__all__ = ("fall_back_kernel",)


@njit(cache=True, nogil=True)
def fall_back_kernel(
    balance: float, has_fallen_back: bool, fade: float, gain: float, threshold: float, most: float
) -> tuple[float, bool]:
    """Balance after a gain, ``min(max(fade * balance + gain, -2 threshold), most)``, and whether the prior is in force.

    Args:
        balance: before, in nats.
        has_fallen_back: whether the prior was in force.
        fade: share of the balance that is kept.
        gain: in nats.
        threshold: in nats.
        most: what the past may count, in nats.
    """
    after = min(max(fade * balance + gain, -2.0 * threshold), most)
    return after, after < (0.0 if has_fallen_back else -threshold)
