"""One script per venue: ``script_of(slug)`` finds it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faultline.testing.script import VenueScript

__all__ = ("script_of",)


def script_of(slug: str) -> VenueScript:
    """A new script of a venue.

    Raises:
        ModuleNotFoundError: the venue has none.
    """
    module = importlib.import_module(f"faultline.testing.venues.{slug.replace('-', '_')}")
    script: VenueScript = module.Script()
    return script
