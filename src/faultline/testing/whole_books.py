"""Changes of books in, whole books out: what a venue script sends to those who subscribe late."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faultline.testing.facts import BookFact

__all__ = ("WholeBooks",)


class WholeBooks:
    """The book of every symbol after the facts so far; ``seq`` is given by the script, as the venue numbers books."""

    def __init__(self) -> None:
        self._books: dict[str, BookFact] = {}

    def apply(self, fact: BookFact, seq: int | None = None) -> BookFact:
        """Take a snapshot or a change; returns the whole book after it, numbered ``seq`` (None: as the fact)."""
        before = None if fact.is_snapshot else self._books.get(fact.symbol)
        sides = []
        for new, old in (
            (fact.bids, before.bids if before else ()),
            (fact.asks, before.asks if before else ()),
        ):
            sides.append(tuple((price, qty) for price, qty in (dict(old) | dict(new)).items() if qty > 0))
        whole = dataclasses.replace(
            fact, bids=sides[0], asks=sides[1], is_snapshot=True, seq=fact.seq if seq is None else seq
        )
        self._books[fact.symbol] = whole
        return whole

    def get(self, symbol: str) -> BookFact | None:
        """The whole book of a symbol; None before its first fact."""
        return self._books.get(symbol)
