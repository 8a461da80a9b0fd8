"""A seed in, candles and liquidation maps of a market that never existed out.

Price walks with bursts of volume; every column opens positions at twelve leverages, whose levels are spread
over a few rows, fade, and vanish where price passes. The picture has the ridges, holes and quiet stretches of
a real map and none of its meaning.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.store.columns import Candles, MapColumns
from faultline.units import TIMEFRAMES_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.store.maps import MapStore

__all__ = ("FakeMarket", "fake_market", "fill_store")

_LEVERAGES: Final = (4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 25.0, 33.0, 50.0, 75.0, 100.0, 125.0)
_MAINTENANCE_RATIO: Final = 0.004
_HALF_LIFE_COLUMNS: Final = 300.0
#: 2026-01-12T00:00Z, a Monday.
_START_NS: Final = 1_768_176_000_000_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class FakeMarket:
    """Time axis int64[n]; candles float64[n]; ``heat`` and ``real`` float32[2, n, P] with long first."""

    timeframe: str
    row_usd: float
    first_row: int
    t_ns: NDArray[np.int64]
    ohlc_usd: NDArray[np.float64]
    volume_usd: NDArray[np.float64]
    heat: NDArray[np.float32]
    real: NDArray[np.float32]

    def columns(self, scope: str, plane: str, side: str, start: int, stop: int, n_closed: int) -> MapColumns:
        """Columns ``[start, stop)`` of a plane, of which the first ``n_closed`` of the market are closed."""
        grid = (self.real if plane == "real" else self.heat)[0 if side == "long" else 1]
        closed = min(max(n_closed - start, 0), stop - start)
        return MapColumns(
            scope, self.timeframe, plane, side, self.row_usd, self.first_row,
            self.t_ns[start:stop], grid[start:stop], closed,
        )  # fmt: skip

    def candles(self, scope: str, start: int, stop: int, n_closed: int) -> Candles:
        """Candles ``[start, stop)``, of which the first ``n_closed`` of the market are closed."""
        prices = self.ohlc_usd[start:stop]
        long_usd, short_usd = (self.real[side, start:stop].sum(axis=1).astype(np.float64) for side in (0, 1))
        open_usd, high_usd, low_usd, close_usd = prices.T
        return Candles(
            scope, self.timeframe, self.t_ns[start:stop], open_usd, high_usd, low_usd, close_usd,
            long_usd, short_usd, self.volume_usd[start:stop], min(max(n_closed - start, 0), stop - start),
        )  # fmt: skip


def fake_market(
    seed: int, n_columns: int = 400, n_rows: int = 300, timeframe: str = "5m", start_ns: int = _START_NS
) -> FakeMarket:
    """A market of ``n_columns`` bars around 100,000 USD with $50 rows, the same for the same seed."""
    rng = np.random.default_rng(seed)
    row_usd, centre = 50.0, 100_000.0
    activity = np.exp(np.convolve(rng.normal(0, 0.5, n_columns + 15), np.ones(16) / 4, "valid"))
    step = rng.normal(0, 1, n_columns) * np.sqrt(activity) * n_rows * row_usd / 12 / np.sqrt(n_columns)
    path = centre + np.cumsum(step) * 0.7
    open_usd = np.concatenate([[centre], path[:-1]])
    wick = np.abs(rng.normal(0, 60, (2, n_columns))) * np.sqrt(activity)
    high, low = np.maximum(open_usd, path) + wick[0], np.minimum(open_usd, path) - wick[1]
    first_row = int(centre / row_usd) - n_rows // 2
    volume_usd = 2e6 * activity * rng.lognormal(0, 0.6, n_columns)
    heat = np.zeros((2, n_columns, n_rows), np.float32)
    real = np.zeros_like(heat)
    rows_usd = np.asarray((first_row + np.arange(n_rows)) * row_usd, np.float64)
    for side, sign in enumerate((-1.0, 1.0)):
        _fill_side(rng, sign, path, low, high, volume_usd, rows_usd, row_usd, heat[side], real[side])
    t_ns = start_ns + np.arange(n_columns, dtype=np.int64) * TIMEFRAMES_NS[timeframe]
    ohlc = np.stack([open_usd, high, low, path], axis=1)
    return FakeMarket(timeframe, row_usd, first_row, t_ns, ohlc, volume_usd, heat, real)


def fill_store(store: MapStore, market: FakeMarket, scope: str = "BTC", n_columns: int | None = None) -> None:
    """Write the first ``n_columns`` (all) of a market to a store, the last of them forming, and mark it
    ready.
    """
    stop = len(market.t_ns) if n_columns is None else n_columns
    store.write_status(
        {
            "mode": "simulated", "state": "ready", "simulated": True, "version": "0.0.0", "world": "fake",
            "as_of_ns": int(market.t_ns[stop - 1]), "data_age_s": 0.5,
        }
    )  # fmt: skip
    store.write_candles(market.candles(scope, 0, stop, stop - 1))
    for plane in ("synthetic", "smooth", "real"):
        for side in ("long", "short"):
            store.write_columns(market.columns(scope, plane, side, 0, stop, stop - 1))


def _fill_side(
    rng: np.random.Generator,
    sign: float,
    path: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    volume_usd: NDArray[np.float64],
    rows_usd: NDArray[np.float64],
    row_usd: float,
    heat: NDArray[np.float32],
    real: NDArray[np.float32],
) -> None:
    fade = 0.5 ** (1 / _HALF_LIFE_COLUMNS)
    level = np.zeros(len(rows_usd))
    middle = rows_usd + row_usd / 2
    for column, price in enumerate(path):
        level *= fade
        swept = (rows_usd + row_usd > low[column]) & (rows_usd < high[column])
        real[column, swept] = level[swept] * rng.uniform(0.2, 0.6)
        level[swept] = 0.0
        for leverage in _LEVERAGES:
            distance = 1 / leverage - _MAINTENANCE_RATIO
            target = price * (1 + sign * distance)
            width = row_usd + price * distance * 0.12
            bump = np.maximum(1 - np.abs(middle - target) / width, 0)
            level += bump * volume_usd[column] / len(_LEVERAGES) * row_usd / width
        wrong = (middle > price) if sign < 0 else (middle < price)
        level[wrong] = 0.0
        heat[column] = level
