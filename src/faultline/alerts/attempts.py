"""Messages to be sent in, outcomes out: each attempt in a thread of its own, since libraries may block."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from faultline.alerts.sending import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultline.alerts.targets import Target
    from faultline.alerts.texts import AlertText

__all__ = ("Attempts", "Outcome")


class Outcome(NamedTuple):
    """How one attempt ended.

    Attributes:
        key: what the attempt was started with.
        refusal: why the message was not taken; None where it was.
        is_given_up: whether it has not ended, but has taken too long; its end comes later, with ``is_late``.
        is_late: whether this is the end of an attempt that had been given up.
    """

    key: int
    refusal: Refused | None
    is_given_up: bool = False
    is_late: bool = False


class _Flight:
    def __init__(self, key: int, target_name: str, until_s: float) -> None:
        self.key = key
        self.target_name = target_name
        self.until_s = until_s
        self.given_up = False


class Attempts:
    """Attempts under way: one per target, so that a target that hangs delays nobody but itself.

    A thread cannot be stopped from outside. An attempt that takes too long is given up, but its target is left
    alone until the thread comes back, and if it comes back with success that is told after all: nothing is
    sent twice because an answer was slow. There are never more threads than targets.

    Args:
        send: delivers a message or raises ``Refused``; may block.
        timeout_s: when an attempt is given up.
        parallel_max: attempts at the same time, not counting those given up.
        on_outcome: called in the thread of an attempt that has ended.
    """

    def __init__(
        self,
        send: Callable[[Target, AlertText], None],
        *,
        timeout_s: float,
        parallel_max: int,
        on_outcome: Callable[[], object],
    ) -> None:
        self._send = send
        self._timeout_s = timeout_s
        self._parallel_max = parallel_max
        self._on_outcome = on_outcome
        self._lock = threading.Lock()
        self._flights: dict[str, _Flight] = {}
        self._ended: queue.SimpleQueue[tuple[_Flight, Refused | None]] = queue.SimpleQueue()

    def can_start(self, target_name: str) -> bool:
        """Whether an attempt may begin: its target's last outcome has been fetched, and there is a place."""
        with self._lock:
            active = sum(not flight.given_up for flight in self._flights.values())
            return target_name not in self._flights and active < self._parallel_max

    def start(self, key: int, target: Target, text: AlertText) -> None:
        """Begin an attempt; only where ``can_start``."""
        flight = _Flight(key, target.name, time.monotonic() + self._timeout_s)
        with self._lock:
            self._flights[target.name] = flight
        threading.Thread(
            target=self._fly, args=(flight, target, text), name=f"alert-{target.name}", daemon=True
        ).start()

    def outcomes(self) -> list[Outcome]:
        """What ended, or took too long, since the last call."""
        found: list[Outcome] = []
        with self._lock:
            while not self._ended.empty():
                flight, refusal = self._ended.get()
                del self._flights[flight.target_name]
                found.append(Outcome(flight.key, refusal, is_late=flight.given_up))
            now_s = time.monotonic()
            for flight in self._flights.values():
                if not flight.given_up and flight.until_s <= now_s:
                    flight.given_up = True
                    reason = f"no answer within {self._timeout_s:g} s"
                    found.append(Outcome(flight.key, Refused(reason, is_final=False), is_given_up=True))
        return found

    def next_limit_s(self) -> float | None:
        """Seconds until the next attempt takes too long; None where none is under way."""
        with self._lock:
            limits = [flight.until_s for flight in self._flights.values() if not flight.given_up]
        return max(0.0, min(limits) - time.monotonic()) if limits else None

    def _fly(self, flight: _Flight, target: Target, text: AlertText) -> None:
        refusal: Refused | None = None
        try:
            self._send(target, text)
        except Refused as exc:
            refusal = exc
        except Exception as exc:  # noqa: BLE001 - whatever it is, the delivery has failed and must say so
            refusal = Refused(f"sending failed with {type(exc).__name__}", is_final=False)
        self._ended.put((flight, refusal))
        self._on_outcome()
