"""Rows of a venue's list of contracts, undecoded, in; those that can be read, or the contracts that they are, out.

A listing names hundreds of contracts and some of them are odd. One that cannot be read is left out; it never takes the
others with it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from faultline.instruments import Instrument

__all__ = ("instruments_of", "read_each")

_T = TypeVar("_T")


def read_each(rows: Iterable[msgspec.Raw], decoder: msgspec.json.Decoder[_T]) -> list[_T]:
    """Every row that ``decoder`` can read, in order."""
    out: list[_T] = []
    for row in rows:
        with contextlib.suppress(msgspec.DecodeError):
            out.append(decoder.decode(row))
    return out


def instruments_of(
    rows: Iterable[msgspec.Raw],
    decoder: msgspec.json.Decoder[_T],
    instrument: Callable[[_T], Instrument | None],
) -> list[Instrument]:
    """The contracts of the rows that are one, each once: the first of an id."""
    found: dict[str, Instrument] = {}
    for row in read_each(rows, decoder):
        item = instrument(row)
        if item is not None:
            found.setdefault(item.id, item)
    return list(found.values())
