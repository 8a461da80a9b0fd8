"""The named arrays that something online is kept as in, those of one part and an error where they are wrong out."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from faultline.errors import RequestError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

__all__ = ("part_of", "restoring")


def part_of(state: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """Arrays whose names begin with ``prefix``, without it."""
    return {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}


@contextlib.contextmanager
def restoring(what: str, state: Mapping[str, Any], version: int) -> Iterator[None]:
    """While a state is read: whatever a wrong one raises becomes a ``StoreError``.

    Args:
        what: it is to be the state of, e.g. ``a histogram``.
        state: it; ``version`` is one of its arrays.
        version: that it must have.

    Raises:
        StoreError: the version is another, or something is missing, of another shape or impossible.
    """
    try:
        if int(state["version"][0]) != version:
            raise ValueError(f"version {int(state['version'][0])}")
        yield
    except (KeyError, ValueError, IndexError, TypeError, RequestError) as exc:
        message = f"not the state of {what}: {exc}"
        raise StoreError(message, where="state", hint="rebuild it from the tape") from exc
