"""An event in, the sentence that a person reads on a telephone out."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import msgspec

from faultline.signals.events import EventType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from faultline.signals.events import Event

__all__ = ("AlertText", "price_text", "text_of", "usd_text")

_LINE_CHARS: Final = 200
_ESTIMATE: Final = "Model estimate: not exchange data, not advice."
_RECORDED: Final = "As the venue reported it; not advice."
_OWN_FEED: Final = "About the connection, not about the market."
_VENUE: Final = "Inferred from what the venue prints; not exchange data, not advice."
#: Where an event's numbers come from, where they are not estimates of the map.
_SOURCES: Final[dict[str, str]] = {
    EventType.LIQUIDATION_LARGE: _RECORDED,
    EventType.SOURCE_DOWN: _OWN_FEED,
    EventType.SOURCE_RECOVERED: _OWN_FEED,
    EventType.ENGINE_CHANGED: _VENUE,
    EventType.SIDE_CONVENTION_ALARM: _VENUE,
}


class AlertText(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent: a first line that says it all, and what one may want to know besides."""

    summary: str
    text: str
    is_urgent: bool = False


def text_of(event: Event) -> AlertText:
    """The message about an event. Fields that are not known are left out; nothing is made up for them."""
    say = _SENTENCES.get(event.type)
    sentence = say(event.data) if say is not None else event.type.replace("_", " ").lower()
    marks = ("[SIMULATED] " if event.simulated else "") + ("[REPLAY] " if event.mode == "replay" else "")
    moment = dt.datetime.fromtimestamp(event.detected_at_ns // 1_000_000_000, dt.UTC)
    facts = [f"P{event.priority}", f"{moment:%Y-%m-%d %H:%M:%S} UTC"]
    price = event.data.get("price_usd")
    if _is_number(price):
        facts.insert(0, f"Price {price_text(price)}")
    if event.simulated:
        facts.append("simulated market, no real money")
    return AlertText(
        summary=f"{marks}{_plain(event.asset)}: {sentence}"[:_LINE_CHARS],
        text=f"{', '.join(facts)}.\n{_SOURCES.get(event.type, _ESTIMATE)}",
        is_urgent=event.priority == 0,
    )


def usd_text(value: Any) -> str:
    """An amount, e.g. ``$31.2M``; ``?`` where it is not known."""
    if not _is_number(value):
        return "$?"
    size = abs(value)
    for limit, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if size >= limit * 0.9995:
            digits = 0 if size / limit >= 99.95 else 1
            return f"${value / limit:.{digits}f}{unit}"
    return f"${value:.0f}"


def price_text(value: Any) -> str:
    """A price with about five digits, e.g. ``96,150``, ``3,412.5``, ``0.52341``; ``?`` where unknown."""
    if not _is_number(value):
        return "?"
    size = abs(value)
    decimals = 0 if size >= 10_000 else 1 if size >= 1000 else 2 if size >= 100 else 3 if size >= 10 else None
    if decimals is not None:
        text = f"{value:,.{decimals}f}"
    elif size == 0:
        return "0"
    else:
        text = f"{value:.{min(12, 4 - math.floor(math.log10(size)))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _zone(fields: Mapping[str, Any], *, estimate: bool = True) -> str:
    """``long zone 96,150-96,400 (est. $31.2M, level 8)``."""
    side = _plain(fields.get("side")).lower()
    edges = f"{price_text(fields.get('low_usd'))}-{price_text(fields.get('high_usd'))}"
    level = fields.get("density_level")
    size = f"est. {usd_text(fields.get('notional_usd'))}" if estimate else ""
    inside = ", ".join(part for part in (size, f"level {level}" if _is_number(level) else "") if part)
    return f"{side} zone {edges}{_on(fields)}" + (f" ({inside})" if inside else "")


def _on(fields: Mapping[str, Any]) -> str:
    """Which map, where it is not the asset's own."""
    scope = _plain(fields.get("scope") or "")
    return f" on {scope}" if ":" in scope else ""


def _approached(fields: Mapping[str, Any]) -> str:
    distance = fields.get("distance_ratio")
    away = f"{abs(distance) * 100:.2g} % from" if _is_number(distance) else "close to"
    return f"price is {away} {_zone(fields)}"


def _swept(fields: Mapping[str, Any]) -> str:
    seen = usd_text(fields.get("liquidated_usd"))
    before = usd_text(fields.get("before_usd"))
    return f"price swept {_zone(fields, estimate=False)}: {seen} liquidated at least, est. {before} before"


def _expired(fields: Mapping[str, Any]) -> str:
    end = "has given way to another" if fields.get("merged_into") else "has faded"
    touches = fields.get("touches")
    if not _is_number(touches):
        return f"{_zone(fields)} {end}"
    if touches == 0:
        return f"{_zone(fields)} {end} without being reached"
    times = "once" if touches == 1 else f"{touches:.0f} times"
    return f"{_zone(fields)} {end} after price was in it {times}"


def _flows(fields: Mapping[str, Any]) -> str:
    opened, closed = usd_text(fields.get("opened_usd")), usd_text(fields.get("closed_usd"))
    return f"{_zone(fields)}; last hour {opened} opened, {closed} closed"


def _large(fields: Mapping[str, Any]) -> str:
    size, side = usd_text(fields.get("notional_usd")), _plain(fields.get("side")).lower()
    where = f"{price_text(fields.get('price_usd'))} on {_plain(fields.get('instrument'))}"
    return f"{size} {side} liquidated at {where}"


def _divergence(fields: Mapping[str, Any]) -> str:
    venues = fields.get("venues")
    names = " and ".join(map(_plain, venues)) if isinstance(venues, list | tuple) else _plain(venues)
    side = _plain(fields.get("side")).lower()
    distance, floor = fields.get("distance_bps"), fields.get("floor_bps")
    apart = f"{distance:.0f} bp apart" if _is_number(distance) else "apart"
    chance = f" (chance explains {floor:.0f})" if _is_number(floor) else ""
    return f"{side} maps of {names} are {apart}{chance}"


def _cascade(fields: Mapping[str, Any], verb: str) -> str:
    """``cascade of longs has started: level 1 of 6 at 95,100, $1.2M liquidated at least (est. $3.4M)``."""
    side, depth, known = _plain(fields.get("side")).lower(), fields.get("depth"), fields.get("n_levels")
    level = f"level {depth:.0f}" if _is_number(depth) else "a level"
    level += f" of {known:.0f}" if _is_number(known) else ""
    seen, expected = usd_text(fields.get("liquidated_usd")), usd_text(fields.get("expected_usd"))
    where = f"{level} at {price_text(fields.get('price_usd'))}"
    return f"cascade of {side}s {verb}: {where}, {seen} liquidated at least (est. {expected})"


def _excess(fields: Mapping[str, Any]) -> str:
    prob = fields.get("tail_prob")
    chance = f" (chance of that {prob * 100:.2g} %)" if _is_number(prob) else ""
    return _cascade(fields, f"runs deeper than volatility explains{chance}")


def _ended(fields: Mapping[str, Any]) -> str:
    took = fields.get("duration_s")
    return _cascade(fields, f"is over after {took / 60:.0f} min" if _is_number(took) else "is over")


def _silence(fields: Mapping[str, Any]) -> str:
    silent = fields.get("silent_s")
    return f"{silent:.0f} s" if _is_number(silent) else "some time"


def _feeds(fields: Mapping[str, Any]) -> str:
    """The feeds of a venue that an event is about; empty where it is about one instrument."""
    channels = fields.get("channels")
    if not isinstance(channels, list | tuple) or not channels:
        return ""
    venue = _plain(fields.get("instrument")).partition(":")[0]
    return f"{venue} ({', '.join(map(_plain, channels))})"


def _failed(fields: Mapping[str, Any]) -> str:
    feeds = _feeds(fields)
    if not feeds:
        return f"{_plain(fields.get('instrument'))} has sent no price for {_silence(fields)}"
    # What follows a semicolon is when it will be tried again: long past where this is read.
    words = _plain(str(fields.get("detail")).partition(";")[0])
    return f"{feeds} has been {_plain(fields.get('status'))} for {_silence(fields)}: {words}"


def _recovered(fields: Mapping[str, Any]) -> str:
    feeds = _feeds(fields)
    if not feeds:
        return f"{_plain(fields.get('instrument'))} sends prices again after {_silence(fields)}"
    return f"{feeds} is {_plain(fields.get('status'))} again after {_silence(fields)}"


#: What learners are about, and the static prior that they fall back on.
_LEARNERS: Final = {
    "leverage": ("leverage", "the assumed leverage mix"),
    "print offset": ("where it prints", "the usual print offset"),
    "chains": ("chains", "plain volatility"),
}


def _fell_back(fields: Mapping[str, Any]) -> str:
    feed, advantage = _plain(fields.get("instrument")), fields.get("advantage_nats")
    score = f" (score {advantage:+.1f} nats)" if _is_number(advantage) else ""
    about, prior = _LEARNERS.get(str(fields.get("learner")), _LEARNERS["leverage"])
    if fields.get("change") == "restored":
        return f"what {feed} taught about {about} is in use again{score}"
    return f"{prior} is in use: what {feed} taught did worse{score}"


def _engine(fields: Mapping[str, Any]) -> str:
    what, part = _plain(fields.get("what")), _plain(fields.get("part")).lower()
    before, after = fields.get("before_bps"), fields.get("after_bps")
    values = f" from {before:.1f} to {after:.1f} bp" if _is_number(before) and _is_number(after) else ""
    return f"{_plain(fields.get('instrument'))} has changed its liquidation engine: {what} ({part}) moved{values}"


_VERDICTS: Final = {
    "inverted": "are inverted",
    "mixed": "are mixed: some are inverted",
    "right": "mean what is assumed again",
}


def _sides(fields: Mapping[str, Any]) -> str:
    verdict = _VERDICTS.get(str(fields.get("verdict")), "are in doubt")
    return f"sides of liquidations of {_plain(fields.get('instrument'))} {verdict}"


_SENTENCES: Final[dict[str, Callable[[Mapping[str, Any]], str]]] = {
    EventType.ZONE_HIT: lambda fields: f"price reached {_zone(fields)}",
    EventType.CASCADE_STARTED: lambda fields: _cascade(fields, "has started"),
    EventType.CASCADE_EXTENDED: lambda fields: _cascade(fields, "goes on"),
    EventType.CASCADE_ENDED: _ended,
    EventType.CASCADE_EXCESS: _excess,
    EventType.ZONE_APPROACHED: _approached,
    EventType.ZONE_CREATED: lambda fields: f"new {_zone(fields)}",
    EventType.ZONE_REINFORCED: lambda fields: (
        f"{_zone(fields)} has grown from {usd_text(fields.get('before_usd'))}"
    ),
    EventType.ZONE_BUILDING: lambda fields: f"positions build up in {_flows(fields)}",
    EventType.ZONE_THINNING: lambda fields: f"positions leave {_flows(fields)}",
    EventType.ZONE_SWEPT: _swept,
    EventType.ZONE_EXPIRED: _expired,
    EventType.LIQUIDATION_LARGE: _large,
    EventType.SOURCE_DOWN: _failed,
    EventType.SOURCE_RECOVERED: _recovered,
    EventType.DIVERGENCE: _divergence,
    EventType.LEARNER_FELL_BACK: _fell_back,
    EventType.ENGINE_CHANGED: _engine,
    EventType.SIDE_CONVENTION_ALARM: _sides,
}


def _plain(value: Any) -> str:
    """A name as letters, digits and a few marks: nothing a chat program could take for an order to it."""
    return re.sub(r"[^A-Za-z0-9:._/ -]", "?", str(value))[:64] if value is not None else "?"


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
