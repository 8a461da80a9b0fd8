"""A price in, the linear rows in USD that a map shows it on out.

The ledger's buckets are logarithmic; people read linear prices. A display row is 5 bp of the asset's 30-day
median price, rounded to 1-2-5 x 10^k ($50 on BTC at 100,000), and stays until price leaves a factor of 2.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Final

import numpy as np

from faultline.units import HOUR_NS, canonical_bucket_usd

__all__ = ("DISPLAY_ROWS", "DisplayRows", "RowChooser")

#: Rows of a live map.
DISPLAY_ROWS: Final = 1000
#: Rows that price may drift from the centre before the window moves.
_DRIFT_ROWS: Final = 200
#: Hours of closes in the median.
_MEDIAN_HOURS: Final = 720


@dataclasses.dataclass(frozen=True, slots=True)
class DisplayRows:
    """Rows ``[(first_row + k) * row_usd, (first_row + k + 1) * row_usd)`` for k in [0, n_rows)."""

    row_usd: float
    first_row: int
    n_rows: int

    @property
    def low_usd(self) -> float:
        """Lower edge of the first row."""
        return self.first_row * self.row_usd

    @property
    def high_usd(self) -> float:
        """Upper edge of the last row."""
        return (self.first_row + self.n_rows) * self.row_usd

    def row_of(self, price_usd: float) -> int:
        """Index of the row that holds a price; outside [0, n_rows) where none does."""
        return math.floor(price_usd / self.row_usd) - self.first_row


class RowChooser:
    """Keeps the display rows of one asset stable while its price moves."""

    def __init__(self, n_rows: int = DISPLAY_ROWS) -> None:
        self._n_rows = n_rows
        self._closes = np.empty(0)
        self._last_hour = -1
        self._reference_usd = math.nan
        self.rows: DisplayRows | None = None

    def follow(self, time_ns: int, price_usd: float) -> DisplayRows:
        """Rows to use now; the same object while nothing has to change.

        Raises:
            ValueError: the price is not positive and finite.
        """
        hour = time_ns // HOUR_NS
        if hour > self._last_hour:
            self._closes = np.append(self._closes, price_usd)[-_MEDIAN_HOURS:]
            self._last_hour = hour
        if self.rows is None or not 0.5 < price_usd / self._reference_usd < 2.0:
            self._reference_usd = float(np.median(self._closes)) if self.rows is None else price_usd
            self.rows = self._centred(canonical_bucket_usd(self._reference_usd), price_usd)
        elif abs(self.rows.row_of(price_usd) - self._n_rows // 2) > _DRIFT_ROWS:
            self.rows = self._centred(self.rows.row_usd, price_usd)
        return self.rows

    def _centred(self, row_usd: float, price_usd: float) -> DisplayRows:
        first = max(0, math.floor(price_usd / row_usd) - self._n_rows // 2)
        return DisplayRows(row_usd, first, self._n_rows)

    def state(self) -> dict[str, np.ndarray]:
        """Everything needed to go on, as arrays."""
        rows = self.rows
        window = [rows.row_usd, rows.first_row, rows.n_rows] if rows else [math.nan] * 3
        return {
            "closes": self._closes.copy(),
            "scalars": np.array(
                [self._last_hour, self._reference_usd, self._n_rows, *window], dtype=np.float64
            ),
        }

    @classmethod
    def from_state(cls, state: dict[str, np.ndarray]) -> RowChooser:
        """A chooser that goes on where ``state()`` was taken."""
        last_hour, reference, n_rows, row_usd, first_row, n_window = state["scalars"]
        chooser = cls(int(n_rows))
        chooser._closes = state["closes"].copy()
        chooser._last_hour = int(last_hour)
        chooser._reference_usd = float(reference)
        if math.isfinite(row_usd):
            chooser.rows = DisplayRows(float(row_usd), int(first_row), int(n_window))
        return chooser
