"""Settings and the names of some of them in, an error out where one is not positive and finite."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import msgspec

__all__ = ("check_positive",)


def check_positive(what: str, settings: msgspec.Struct, names: Iterable[str]) -> None:
    """Check settings while they are made.

    Args:
        what: that they are of, e.g. ``a delay``.
        settings: the struct.
        names: fields that are to be positive and finite.

    Raises:
        ValueError: one is not; the message names it.
    """
    for name in names:
        if not 0 < getattr(settings, name) < math.inf:
            raise ValueError(f"{what} cannot have {name} = {getattr(settings, name)!r}")
