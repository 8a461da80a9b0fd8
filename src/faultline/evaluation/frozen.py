"""Frozen forecasts and a way to rebuild one in, whether rebuilding from the past alone gives the same hashes out."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from faultline.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ("FrozenCheck", "check_frozen")


class _Hashed(Protocol):
    """A frozen record."""

    @property
    def sha256(self) -> str: ...


R = TypeVar("R", bound=_Hashed)


class FrozenCheck(msgspec.Struct, frozen=True, kw_only=True):
    """How many rebuilt forecasts have their published hash; ``different`` are places in the chain."""

    checked: int
    matched: int
    different: list[int]


def check_frozen(
    rebuild: Callable[[R], str],
    records: Sequence[R],
    n: int = 20,
    seed: int = 0,
    progress: Callable[[float, float, str], None] | None = None,
) -> FrozenCheck:
    """Rebuild forecasts drawn at random and compare their hashes.

    Args:
        rebuild: hash of a record built anew from messages received up to its issue.
        records: frozen records in the order of their chain.
        n: how many to draw, at most.
        seed: of the draw.
        progress: told (done, total, label).

    Raises:
        RequestError: there are no records, or ``n`` is not positive.
    """
    if not records or n < 1:
        message = "there is no frozen forecast to check"
        raise RequestError(message, where="records", hint="freeze forecasts first, and check one or more")
    chosen = sorted(random.Random(seed).sample(range(len(records)), min(n, len(records))))  # noqa: S311 - a seeded draw
    different = []
    for done, index in enumerate(chosen):
        if progress is not None:
            progress(done, len(chosen), "rebuild")
        if rebuild(records[index]) != records[index].sha256:
            different.append(index)
    return FrozenCheck(checked=len(chosen), matched=len(chosen) - len(different), different=different)
