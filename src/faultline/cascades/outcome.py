"""What came of one chain: which levels were reached, when, and what was liquidated on the way."""

from __future__ import annotations

import msgspec

from faultline.cascades.situation import Situation

__all__ = ("Outcome",)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A chain that is over.

    Attributes:
        situation: what was known at the hit.
        said: probabilities of levels 1..n that were said at the hit, before recalibration.
        reached: levels reached.
        resolved: hops that are known: those that happened, and the first that did not.
        delay_s: seconds of each hop that happened, shape (reached,).
        waited_s: seconds for which the next hop was waited for in vain; None where the last level was reached.
        is_cut: a gap ended it, so that the next hop is not known.
        races: of each resolved hop 1 where price went the hop's distance ahead before it went as far back, -1 where it
            went back first, 0 where neither happened or a bar does not tell which was first.
        level_usd: liquidations of the side seen in the stretch of levels 0..n since the hit.
        liquidated_usd: all liquidations of the side since the hit.
        deleveraging: winners' positions were closed meanwhile.
        end_ns: when it was over.
    """

    situation: Situation
    said: tuple[float, ...]
    reached: int
    resolved: int
    delay_s: tuple[float, ...]
    waited_s: float | None
    is_cut: bool
    races: tuple[int, ...]
    level_usd: tuple[float, ...]
    liquidated_usd: float
    deleveraging: bool
    end_ns: int
