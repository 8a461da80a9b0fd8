"""Times of what is taken in in, how much of what was known before is kept out: half after every half-life."""

from __future__ import annotations

__all__ = ("Memory",)


class Memory:
    """How a learner forgets; what comes late fades nothing, and nothing fades before the first.

    Args:
        half_life_ns: after so long half is kept.
    """

    def __init__(self, half_life_ns: int) -> None:
        self._half_life_ns = half_life_ns
        #: Latest time of anything taken in, -1 before the first: all there is to keep of a memory.
        self.last_ns = -1

    def kept(self, time_ns: int) -> float:
        """Share of what is known that is kept until ``time_ns``."""
        if self.last_ns < 0:
            return 1.0
        return float(0.5 ** (max(time_ns - self.last_ns, 0) / self._half_life_ns))

    def move(self, time_ns: int) -> float:
        """The same, and on to that time."""
        kept = self.kept(time_ns)
        self.last_ns = max(time_ns, self.last_ns)
        return kept
