"""The catalogue of events in, ``docs/reference/events.md`` out."""

from __future__ import annotations

from faultline.signals.events import CATALOGUE, LATENCY_GOAL_MS, Event, Priority
from pages import GENERATED, page, plain, table

INTRODUCTION = """\
The engine tells what happens as events: on the page `/signals`, at `/api/v1/events`, on the stream and to alert
targets. An event is never sent before it is stored, and the same event found again has the same `id`."""

MODES = """\
`mode` is `live`, `replay` or `simulated` after the market, or `rebuilt`: the event lies in the past that the engine
worked through while it loaded. Rebuilt events fill the log; they never raise an alert."""


def events_page() -> str:
    """Every type of event by priority, with its fields."""
    goals = ((f"P{int(rank)}", f"{goal:g} ms") for rank, goal in LATENCY_GOAL_MS.items())
    common = (
        (f"`{name.strip()}`", plain(meaning).rstrip("."))
        for name, _, meaning in (line.partition(": ") for line in _attributes())
    )
    out = [
        "# Events",
        GENERATED,
        INTRODUCTION,
        MODES,
        "## Fields of every event",
        table(("field", "meaning"), common),
        "## Priorities",
        table(("priority", "goal from receipt to event"), goals),
    ]
    for rank in Priority:
        for kind, spec in CATALOGUE.items():
            if spec.priority is rank:
                fields = ((f"`{name}`", meaning) for name, meaning in spec.fields.items())
                when = f"P{int(rank)}. When {spec.happens_when}."
                out += [f"## `{kind}`", when, table(("field of `data`", "meaning"), fields)]
    return page(out)


def _attributes() -> list[str]:
    """The ``Attributes`` lines of an event's docstring."""
    text = (Event.__doc__ or "").partition("Attributes:")[2]
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(" " * 8) and not line.startswith(" " * 9):
            lines.append(line.strip())
        elif line.strip():
            lines[-1] += " " + line.strip()
    return lines
