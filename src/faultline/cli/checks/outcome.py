"""What a check found in, its state and what to do about it out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ("Outcome", "State", "fail", "ok", "warn", "worst")


class State(StrEnum):
    """How bad it is."""

    OK = "ok"
    #: Faultline runs; something is slower, weaker or missing.
    WARN = "warn"
    #: Faultline does not run, or not as it is set up.
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of ``faultline doctor``."""

    #: What was looked at.
    name: str
    state: State
    #: What was found.
    found: str
    #: What to do; empty where nothing has to be done.
    fix: str = ""


def ok(name: str, found: str) -> Outcome:
    """Nothing has to be done."""
    return Outcome(name, State.OK, found)


def warn(name: str, found: str, fix: str) -> Outcome:
    """It runs, but."""
    return Outcome(name, State.WARN, found, fix)


def fail(name: str, found: str, fix: str) -> Outcome:
    """It does not run."""
    return Outcome(name, State.FAIL, found, fix)


def worst(outcomes: Iterable[Outcome]) -> State:
    """State of all of them together."""
    order = list(State)
    return max((outcome.state for outcome in outcomes), key=order.index, default=State.OK)
