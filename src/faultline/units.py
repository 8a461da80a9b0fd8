"""Plain values in, the names, units and enumerations every stage shares out.

A liquidation's side is the side of the **position** that was forced out, never the side of the
order that closed it: a ``SELL`` liquidation order on Binance closes a ``LONG``.
"""

from __future__ import annotations

import datetime as dt
import enum
import math
from typing import Final

__all__ = (
    "BASIS_POINT",
    "DAY_NS",
    "HOUR_NS",
    "MICROSECOND_NS",
    "MILLISECOND_NS",
    "MINUTE_NS",
    "SECOND_NS",
    "TIMEFRAMES_NS",
    "PriceKind",
    "Side",
    "TakerSide",
    "canonical_bucket_usd",
    "format_time_ns",
    "parse_duration_ns",
    "parse_time_ns",
)

#: One microsecond in nanoseconds.
MICROSECOND_NS: Final = 1_000
#: One millisecond in nanoseconds.
MILLISECOND_NS: Final = 1_000_000
#: One second in nanoseconds.
SECOND_NS: Final = 1_000_000_000
#: One minute in nanoseconds.
MINUTE_NS: Final = 60 * SECOND_NS
#: One hour in nanoseconds.
HOUR_NS: Final = 60 * MINUTE_NS
#: One day in nanoseconds.
DAY_NS: Final = 24 * HOUR_NS
#: One basis point as a ratio.
BASIS_POINT: Final = 1e-4

#: Display timeframes and the length of one of their columns, in nanoseconds.
TIMEFRAMES_NS: Final[dict[str, int]] = {
    "1m": MINUTE_NS,
    "5m": 5 * MINUTE_NS,
    "15m": 15 * MINUTE_NS,
    "1h": HOUR_NS,
    "4h": 4 * HOUR_NS,
    "1d": DAY_NS,
}

_DURATION_UNITS_NS: Final[dict[str, int]] = {
    "ns": 1,
    "us": MICROSECOND_NS,
    "ms": MILLISECOND_NS,
    "s": SECOND_NS,
    "m": MINUTE_NS,
    "h": HOUR_NS,
    "d": DAY_NS,
}


class Side(enum.IntEnum):
    """Side of a position. The value doubles as the sign of the position."""

    LONG = 1
    SHORT = -1


class TakerSide(enum.IntEnum):
    """Side of the aggressor of a trade; ``UNKNOWN`` where the source does not say."""

    BUY = 1
    SELL = -1
    UNKNOWN = 0


class PriceKind(enum.IntEnum):
    """What a printed liquidation price means."""

    UNKNOWN = 0
    BANKRUPTCY = 1
    FILL = 2
    TRIGGER = 3
    ENTRY = 4
    MARK = 5


def parse_time_ns(text: str) -> int:
    """Nanoseconds since 1970 of an ISO-8601 time; UTC unless the text carries an offset.

    Raises:
        ValueError: the text is not an ISO-8601 date or time.
    """
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as exc:
        msg = f"not an ISO-8601 time: {text!r} (write 2026-02-03T14:00 or 2026-02-03)"
        raise ValueError(msg) from exc
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    delta = moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return (delta.days * 86_400 + delta.seconds) * SECOND_NS + delta.microseconds * MICROSECOND_NS


def format_time_ns(time_ns: int) -> str:
    """ISO-8601 text in UTC of a time in nanoseconds, to the second (milliseconds where there are any)."""
    seconds, rest_ns = divmod(int(time_ns), SECOND_NS)
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    millis = rest_ns // MILLISECOND_NS
    return f"{text}.{millis:03d}Z" if millis else f"{text}Z"


def parse_duration_ns(text: str) -> int:
    """Nanoseconds of a duration such as ``5m``, ``1.5h``, ``250ms``.

    Raises:
        ValueError: the text is not a positive number followed by ns, us, ms, s, m, h or d.
    """
    stripped = text.strip()
    number = stripped.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit_ns = _DURATION_UNITS_NS.get(stripped[len(number) :])
    try:
        amount = float(number)
    except ValueError:
        amount = math.nan
    if unit_ns is None or not amount > 0 or math.isinf(amount):
        msg = f"not a duration: {text!r} (write a number and a unit: 250ms, 30s, 5m, 4h, 1d)"
        raise ValueError(msg)
    return round(amount * unit_ns)


def canonical_bucket_usd(price_usd: float) -> float:
    """Height in USD of a display row: 5 bp of the price, rounded to 1-2-5 x 10^k ($50 at 100,000).

    Rounding happens in the logarithm, so a row is between 3.1 and 8 bp of ``price_usd``.

    Raises:
        ValueError: the price is not a positive finite number.
    """
    if not (price_usd > 0 and math.isfinite(price_usd)):
        msg = f"no canonical bucket for a price of {price_usd!r}: it must be positive and finite"
        raise ValueError(msg)
    target = 5 * BASIS_POINT * price_usd
    decade = math.floor(math.log10(target))
    candidates = [step * 10.0**power for power in (decade, decade + 1) for step in (1, 2, 5)]
    return min(candidates, key=lambda step: abs(math.log(step / target)))
