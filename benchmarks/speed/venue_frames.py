"""Changes of the book and trades as every venue writes them, by the scripts that its tests play."""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.sources.venues.play import Play, current_lines

from faultline.messages import Kind
from faultline.sources.rows import Rows

_LONG = re.compile(rb"\b\d+\.\d{10,}")
#: Levels of a change.
LEVELS = 50


def book_facts(facts, n):
    """A snapshot and ``n`` changes that set ``LEVELS`` levels each."""

    def change(number):
        away = [1 + 4 * level for level in range(LEVELS // 2)]
        sizes = [1 + (number + level) % 900 for level in range(LEVELS // 2)]
        bids, asks = (
            [(sign * ticks, size) for ticks, size in zip(away, sizes, strict=True)] for sign in (-1, 1)
        )
        return facts.book(bids, asks, seq=number, is_snapshot=number == 0)

    return [change(number) for number in range(n + 1)]


def venue_frames(slug, kind, n):
    """Venue, contracts, and frames and answers with their times for ``n`` facts of a kind; None where it has none.

    A frame has the channel ``""``, an answer those of its poll, parted from the symbol by a space.
    """
    play = Play(slug).connect(kinds=frozenset({kind}))
    if not current_lines(play.venue, kind):
        return None
    facts = play.at(play.script.contracts[0])
    if kind is Kind.BOOK_LEVEL:
        play.publish(*book_facts(facts, n))
    else:
        play.publish(*(facts.trade(1 - 2 * (number % 2), seq=number) for number in range(n)))
    assert not play.out.rejects, play.out.rejects
    return (
        play.venue,
        play.contracts,
        [(name, _LONG.sub(_short, frame), now_ns) for name, frame, now_ns in play.seen],
    )


def map_frames(venue, contracts, seen, drain_every):
    """A function that maps all of it with a new mapper, and gives the number of rows."""

    def run():
        mapper, out, n_rows = venue.mapper(contracts), Rows(venue.slug), 0
        for number, (name, frame, now_ns) in enumerate(seen):
            if name:
                mapper.map_answer(*name.split(" ", 1), frame, now_ns, out)
            else:
                mapper.map(frame, now_ns, out)
            if number % drain_every == 0:
                n_rows += sum(len(batch) for batch in out.drain())
        assert not out.rejects, out.rejects
        return n_rows + sum(len(batch) for batch in out.drain())

    return run


def _short(found):
    """Contracts that the script made of base units by a division, as a venue writes them."""
    return repr(round(float(found[0]), 9)).encode()
