"""Rows of a venue's list of contracts, undecoded, in; those that can be read out.

A listing names hundreds of contracts and some of them are odd. One that cannot be read is left out; it never takes the
others with it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ("read_each",)

_T = TypeVar("_T")


def read_each(rows: Iterable[msgspec.Raw], decoder: msgspec.json.Decoder[_T]) -> list[_T]:
    """Every row that ``decoder`` can read, in order."""
    out: list[_T] = []
    for row in rows:
        with contextlib.suppress(msgspec.DecodeError):
            out.append(decoder.decode(row))
    return out
