"""Nothing in, the present as nanoseconds out; the only place that reads the wall clock.

Stages never call it: they take the time as an argument. Only edges (sources, tape writer, API,
CLI) hold a clock, and tests give them a ``ManualClock``.
"""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ("Clock", "ManualClock", "SystemClock")


class Clock(Protocol):
    """Something that tells the time in nanoseconds UTC."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970, UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970, UTC, as the machine believes."""
        return time.time_ns()


class ManualClock:
    """A clock that moves only when told, for tests and replays."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        """Nanoseconds since 1970, UTC, as last set."""
        return self._now_ns

    def advance(self, by_ns: int) -> None:
        """Move forward.

        Raises:
            ValueError: ``by_ns`` is negative; time does not run backwards.
        """
        if by_ns < 0:
            msg = f"a clock cannot go back by {-by_ns} ns"
            raise ValueError(msg)
        self._now_ns += by_ns
