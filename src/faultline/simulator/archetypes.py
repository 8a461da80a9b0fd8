"""An archetype's name in, the rules that venues of that kind follow out.

A world may replace single rules of an archetype; what it does not say is taken from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from faultline.units import PriceKind

if TYPE_CHECKING:
    from faultline.simulator.schema import VenueSpec

__all__ = ("ARCHETYPES", "MARGIN_FAMILY", "PRINT_KIND", "VenueRules", "venue_rules")


class VenueRules(NamedTuple):
    """How a venue sets liquidation levels, which liquidations it publishes, and at which price."""

    margin_rule: str
    reporting: str
    print_price: str


#: Rules of every archetype.
ARCHETYPES: Final[dict[str, VenueRules]] = {
    "latest-per-second": VenueRules("at-mark", "latest-per-second", "bankruptcy"),
    "largest-per-second": VenueRules("at-mark", "largest-per-second", "fill"),
    "all-events": VenueRules("at-entry", "batch", "bankruptcy"),
    "immediate": VenueRules("at-mark", "immediate", "mark"),
    "leverage-adjusted": VenueRules("leverage-adjusted", "batch", "trigger"),
    "silent": VenueRules("at-mark", "none", "bankruptcy"),
}

#: Formula family as numbered by the instrument message, by margin rule.
MARGIN_FAMILY: Final = {"at-mark": 0, "at-entry": 1, "leverage-adjusted": 2}

#: Meaning of the printed price, by its name in a world file.
PRINT_KIND: Final = {
    "bankruptcy": PriceKind.BANKRUPTCY,
    "fill": PriceKind.FILL,
    "trigger": PriceKind.TRIGGER,
    "mark": PriceKind.MARK,
}


def venue_rules(venue: VenueSpec) -> VenueRules:
    """Rules of a venue: its own where the world gives them, else its archetype's."""
    base = ARCHETYPES[venue.archetype]
    return VenueRules(
        venue.margin_rule or base.margin_rule,
        venue.reporting or base.reporting,
        venue.print_price or base.print_price,
    )
