"""Columns and paths of our own making for the tests of zones."""

from __future__ import annotations

import numpy as np

from faultline.heatmap.display import DisplayRows
from faultline.market.path import PATH_ROW
from faultline.units import MINUTE_NS

#: A whole minute to start from.
START_NS = 29_000_000 * MINUTE_NS
ROWS = DisplayRows(50.0, 1400, 1000)
PRICE = 95_000.0


def bumps(*places, rows=ROWS, width_bps=25.0, floor_usd=0.0):
    """A column with Gaussian bumps: (side, price, USD in all) each, the same heat on any rows."""
    edges = (rows.first_row + np.arange(rows.n_rows + 1)) * rows.row_usd
    centres = (edges[1:] + edges[:-1]) / 2
    usd = np.full((2, rows.n_rows), floor_usd)
    for side, price, notional in places:
        sd = width_bps * 1e-4 * price
        usd[side] += (
            notional * rows.row_usd * np.exp(-0.5 * ((centres - price) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))
        )
    return usd


def path(*bars, start_ns=START_NS, length_ns=1_000_000_000):
    """Path bars of (low, high, close), one after another."""
    out = np.zeros(len(bars), dtype=PATH_ROW)
    out["end_ns"] = start_ns + length_ns * np.arange(1, len(bars) + 1)
    out["start_ns"] = out["end_ns"] - length_ns
    for k, bar in enumerate(bars):
        out["low_usd"][k], out["high_usd"][k], out["close_usd"][k] = bar
    return out
