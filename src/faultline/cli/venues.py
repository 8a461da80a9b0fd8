"""``faultline venues``: the registry in, what every venue gives and how sure that is out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table

from faultline.cli.arguments import AsJson
from faultline.cli.output import STDOUT, print_json
from faultline.messages import Kind
from faultline.units import PriceKind, format_time_ns

if TYPE_CHECKING:
    from faultline.sources.venue import Coverage, Venue

__all__ = ("venues_command",)

#: Columns of the table of all venues.
_COLUMNS: Final = {
    Kind.TRADE: "trades",
    Kind.LIQUIDATION: "liquidations",
    Kind.BOOK_LEVEL: "book",
    Kind.MARK: "mark",
    Kind.FUNDING: "funding",
    Kind.OPEN_INTEREST: "open interest",
    Kind.RATIO: "ratios",
    Kind.WALLET_POSITION: "wallets",
}


def venues_command(
    slugs: Annotated[str, typer.Argument(help="Slugs with commas between them, or all.")] = "all",
    json: AsJson = False,
) -> None:
    """List the venues: what they give, which events are shown, and how sure every line is.

    A mark after a word says what it rests on: none a recording, ' a published example, * documentation, ? an
    assumption. With one slug every line of that venue is printed.
    """
    from faultline.sources.registry import venues_of

    found = venues_of(slugs)
    if json:
        print_json("venues", {"venues": [_body(venue) for venue in found]}, simulated=False)
    elif len(found) == 1:
        _print_one(found[0])
    else:
        _print_all(found)


def _body(venue: Venue) -> dict[str, Any]:
    return {
        "slug": venue.slug,
        "name": venue.name,
        "docs": venue.docs,
        "sockets": dict(venue.sockets),
        "rest": dict(venue.rest),
        "coverage": [_line(line) for line in venue.coverage],
        "absent": {str(kind): reason for kind, reason in venue.absent.items()},
    }


def _line(line: Coverage) -> dict[str, Any]:
    from faultline.sources.venue import ALWAYS_NS

    return {
        "kind": line.kind,
        "channel": line.channel,
        "transport": line.transport,
        "evidence": line.evidence,
        "throttle": line.throttle,
        "side": line.side,
        "price": line.price.name.lower(),
        "unit": line.unit,
        "time_unit": line.time_unit,
        "window_ms": line.window_ms or None,
        "from": format_time_ns(line.from_ns) if line.from_ns else None,
        "until": format_time_ns(line.until_ns) if line.until_ns < ALWAYS_NS else None,
        "source": line.source,
        "note": line.note,
    }


def _print_all(venues: list[Venue]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("venue", *_COLUMNS.values()):
        table.add_column(name, overflow="fold")
    for venue in venues:
        table.add_row(venue.slug, *(_cell(venue, kind) for kind in _COLUMNS))
    STDOUT.print(table)
    STDOUT.print(f"{len(venues)} venues; ' published example, * documentation, ? assumed, others recorded")


def _cell(venue: Venue, kind: Kind) -> str:
    from faultline.sources.venue import Evidence, Transport

    line = venue.line(kind)
    if line is None:
        return "-"
    word = "REST" if line.transport is Transport.REST else "yes"
    if kind is Kind.LIQUIDATION:
        price = "" if line.price is PriceKind.UNKNOWN else f", {line.price.name.lower()} price"
        word = f"{line.throttle}{price}"
    marks = {Evidence.PUBLISHED: "'", Evidence.DOCUMENTED: "*", Evidence.ASSUMED: "?"}
    return word + marks.get(line.evidence, "")


def _print_one(venue: Venue) -> None:
    STDOUT.print(f"{venue.name} ({venue.slug}), {venue.docs}", highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("kind", "channel", "by", "shows", "side", "unit", "evidence", "note"):
        table.add_column(name, overflow="fold")
    for line in venue.coverage:
        told = _line(line)
        dates = " ".join(
            f"{word.capitalize()} {told[word][:10]}." for word in ("from", "until") if told[word]
        )
        note = " ".join(part for part in (dates, line.note) if part)
        cells = (
            line.kind,
            line.channel,
            line.transport,
            line.throttle,
            line.side,
            line.unit,
            line.evidence,
            note,
        )
        table.add_row(*map(str, cells))
    STDOUT.print(table)
    for kind, reason in venue.absent.items():
        STDOUT.print(f"no {kind}: {reason}", highlight=False)
