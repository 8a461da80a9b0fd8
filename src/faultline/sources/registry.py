"""A slug in, the venue out: the list of what Faultline connects to."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from faultline.errors import ConfigError

if TYPE_CHECKING:
    from faultline.sources.venue import Venue

__all__ = ("SLUGS", "venue_of", "venues_of")

#: Slugs of all venues, each a folder of ``venues`` (with ``_`` for ``-``).
SLUGS: Final = (
    "aster",
    "backpack",
    "binance",
    "binance-coinm",
    "bingx",
    "bitfinex",
    "bitget",
    "bybit",
    "coinex",
    "deribit",
    "dydx",
    "extended",
    "gate",
    "htx",
    "hyperliquid",
    "kraken",
    "kucoin",
    "lighter",
    "mexc",
    "okx",
    "orderly",
    "paradex",
)


def venue_of(slug: str) -> Venue:
    """The venue of a slug; its folder is imported when it is first asked for.

    Raises:
        ConfigError: there is no such venue.
    """
    if slug not in SLUGS:
        hint = f"Choose among {', '.join(SLUGS)}."
        raise ConfigError(f"there is no venue {slug!r}", where="venues", hint=hint)
    folder = importlib.import_module(f"faultline.sources.venues.{slug.replace('-', '_')}")
    found: Venue = folder.VENUE
    return found


def venues_of(slugs: str) -> list[Venue]:
    """Venues of a comma-separated list, or of ``all``.

    Raises:
        ConfigError: one of them does not exist.
    """
    names = SLUGS if slugs.strip() == "all" else [name.strip() for name in slugs.split(",") if name.strip()]
    if not names:
        raise ConfigError(
            "no venue was named", where="venues", hint=f"Choose among {', '.join(SLUGS)}, or all."
        )
    return [venue_of(name) for name in names]
