"""Bitget: linear and inverse perpetuals; the largest liquidated long and short of every contract and second."""

from __future__ import annotations

from faultline.sources.venues.bitget.feed import VENUE

__all__ = ("VENUE",)
