"""Gate: linear and inverse perpetuals, every liquidation in batches of a second."""

from __future__ import annotations

from faultline.sources.venues.gate.feed import VENUE

__all__ = ("VENUE",)
