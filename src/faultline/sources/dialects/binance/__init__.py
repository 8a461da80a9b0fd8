"""Binance's futures interface in, rows and plans out: spoken by Binance itself twice, and by Aster."""

from __future__ import annotations
