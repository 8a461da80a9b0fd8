"""The registry of venues in, ``docs/reference/venues.md`` out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultline.messages import Kind
from faultline.sources.registry import SLUGS, venue_of
from faultline.sources.venue import ALWAYS_NS, Evidence, Transport
from faultline.units import PriceKind, format_time_ns
from pages import GENERATED, page, table

if TYPE_CHECKING:
    from faultline.sources.venue import Coverage, Venue

INTRODUCTION = """\
What every venue gives, where it comes from, and how sure each line is. **Recorded** means that frames recorded from the
venue are decoded by the tests; every other word is weaker. No venue was connected live by the build of this version.
`faultline venues` prints the same, and the health page says what comes now.

How to add one: [how-to/add-a-venue.md](../how-to/add-a-venue.md). The side of a liquidation in our messages is always
that of the position; the column *side* says what the venue's own field means."""

#: Columns of the first table.
COLUMNS = {
    Kind.TRADE: "trades",
    Kind.LIQUIDATION: "liquidations",
    Kind.BOOK_LEVEL: "book",
    Kind.MARK: "mark",
    Kind.FUNDING: "funding",
    Kind.OPEN_INTEREST: "open interest",
    Kind.RATIO: "ratios",
    Kind.WALLET_FILL: "fills of accounts",
    Kind.WALLET_POSITION: "positions of accounts",
}
MARKS = {
    Evidence.RECORDED: "recorded",
    Evidence.PUBLISHED: "example",
    Evidence.DOCUMENTED: "documented",
    Evidence.ASSUMED: "assumed",
}


def venues_page() -> str:
    """Every venue of the registry, line by line."""
    venues = [venue_of(slug) for slug in SLUGS]
    overview = (
        (f"[{venue.slug}](#{venue.slug})", *(overview_cell(venue, kind) for kind in COLUMNS))
        for venue in venues
    )
    out = ["# Venues", GENERATED, INTRODUCTION, table(("venue", *COLUMNS.values()), overview)]
    for venue in venues:
        out += venue_section(venue)
    return page(out)


def overview_cell(venue: Venue, kind: Kind) -> str:
    """How sure the venue's line of a kind is, with the rule by which liquidations are shown."""
    line = venue.line(kind)
    if line is None:
        return "-"
    word = MARKS[line.evidence] + (", polled" if line.transport is Transport.REST else "")
    return f"{line.throttle}; {word}" if kind is Kind.LIQUIDATION else word


def venue_section(venue: Venue) -> list[str]:
    """One venue: its lines, what it does not give, its addresses and limits."""
    columns = ("kind", "channel", "by", "shows", "side", "price", "unit", "times", "evidence", "note")
    out = [f"## {venue.slug}", f"{venue.name}. Documentation: <{venue.docs}>"]
    out.append(table(columns, (line_cells(line) for line in venue.coverage)))
    if venue.absent:
        out.append("\n".join(f"- No `{kind}`: {reason}" for kind, reason in venue.absent.items()))
    addresses = [*venue.sockets.values(), *venue.rest.values()]
    limits = venue.limits
    weight = f"{limits.rest_weight} weight in {limits.rest_window_s:g} s"
    told = f"Kept within {weight}, {limits.connects_per_minute} connections a minute."
    out.append(f"Addresses: {', '.join(f'`{one}`' for one in addresses)}. {told}")
    return out


def line_cells(line: Coverage) -> tuple[str, ...]:
    """One line of coverage as cells."""
    dates = []
    if line.from_ns:
        dates.append(f"From {format_time_ns(line.from_ns)[:10]}.")
    if line.until_ns < ALWAYS_NS:
        dates.append(f"Until {format_time_ns(line.until_ns)[:10]}.")
    window = f" ({line.window_ms:,} ms)" if line.window_ms else ""
    price = "-" if line.price is PriceKind.UNKNOWN else line.price.name.lower()
    source = f"[{line.evidence}]({line.source})" if line.source.startswith("http") else str(line.evidence)
    return (
        f"`{line.kind}`",
        f"`{line.channel}`",
        str(line.transport),
        f"{line.throttle}{window}",
        str(line.side),
        price,
        str(line.unit),
        str(line.time_unit),
        source,
        " ".join([*dates, line.note]).strip(),
    )
