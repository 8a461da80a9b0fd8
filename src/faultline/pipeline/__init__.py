"""Every stage in, one engine out: the only place that wires stages; live, replay and backtest share its step."""

from __future__ import annotations

__all__ = ()
