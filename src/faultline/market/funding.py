"""Funding rates of an asset's instruments in, how unusual the present ones are out.

A rate is compared with the past of its own instrument only, so venues with other intervals, caps or habits need not be
made alike; the asset's score is the median over its instruments. A mean by open interest would follow one venue and
jump where its open interest comes late or not at all.

The score is the modified one of Iglewicz and Hoaglin ("How to detect and handle outliers", 1993): distance from the
median in units of the median absolute deviation, or, where more than half of all rates are the same, of the mean
absolute deviation. Many venues charge one base rate most of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from faultline.units import DAY_NS, HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("FundingRates",)

#: Rates are remembered this long, one an hour.
_MEMORY_NS: Final = 30 * DAY_NS
#: Before so much is known of an instrument, nothing is unusual: the span covers nine intervals of eight hours.
_LEAST_NS: Final = 3 * DAY_NS
_LEAST_RATES: Final = 9
#: A rate older than this is not the present one: the usual longest interval and an hour.
_STALE_NS: Final = 9 * HOUR_NS
#: Standard deviations of a normal in its median and its mean absolute deviation.
_MEDIAN_TO_SD: Final = 1.4826
_MEAN_TO_SD: Final = 1.2533
_UNITS: Final = ("interval", "hour")
_NO_TIMES: Final = np.zeros(0, dtype=np.int64)
_NO_RATES: Final = np.zeros(0)


class FundingRates:
    """Rates of the instruments of one asset.

    A rate whose interval is known is taken per hour. A venue that never says its interval keeps its own unit, which the
    score is free of; once it says so, only rates per hour are compared.
    """

    def __init__(self) -> None:
        #: Times and rates by instrument and by whether they are per hour.
        self._kept: dict[tuple[str, bool], tuple[NDArray[np.int64], NDArray[np.float64]]] = {}

    def apply(self, instrument_id: str, rows: NDArray[np.void]) -> None:
        """Take in rows of kind ``funding``, sorted by receive time; of every hour the first counts."""
        rows = rows[np.isfinite(rows["rate_ratio"])]
        is_hourly = rows["interval_ns"] > 0
        for hourly in (False, True):
            self._keep(instrument_id, rows[is_hourly == hourly], hourly=hourly)

    def _keep(self, instrument_id: str, rows: NDArray[np.void], *, hourly: bool) -> None:
        times, rates = self._kept.get((instrument_id, hourly), (_NO_TIMES, _NO_RATES))
        hours, first = np.unique(rows["ts_received_ns"] // HOUR_NS, return_index=True)
        rows = rows[first[hours > times[-1] // HOUR_NS] if len(times) else first]
        if not len(rows):
            return
        fresh = rows["rate_ratio"] * (HOUR_NS / rows["interval_ns"]) if hourly else rows["rate_ratio"]
        times, rates = np.concatenate([times, rows["ts_received_ns"]]), np.concatenate([rates, fresh])
        # Kept a little longer than remembered: moments within a step are asked about after all of its rows came.
        kept = times > times[-1] - _MEMORY_NS - DAY_NS
        self._kept[instrument_id, hourly] = times[kept], rates[kept]

    def score(self, time_ns: int) -> float | None:
        """How many standard deviations funding lay above usual at a moment; None where no instrument tells."""
        known = [
            score
            for iid in {iid for iid, _ in self._kept}
            if (score := self._score_of(iid, time_ns)) is not None
        ]
        return float(np.median(known)) if known else None

    def _score_of(self, instrument_id: str, time_ns: int) -> float | None:
        for hourly in (True, False):
            times, rates = self._kept.get((instrument_id, hourly), (_NO_TIMES, _NO_RATES))
            begin, end = np.searchsorted(times, (time_ns - _MEMORY_NS, time_ns), side="right")
            if begin < end:
                return _score(times[begin:end], rates[begin:end], time_ns)
        return None

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays."""
        out: dict[str, NDArray[Any]] = {}
        for (iid, hourly), (times, rates) in self._kept.items():
            name = f"{iid}|{_UNITS[hourly]}"
            out[f"{name}|times"], out[f"{name}|rates"] = times.copy(), rates.copy()
        return out

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Rates that go on where ``state()`` was taken."""
        rates = cls()
        for name in {key.rpartition("|")[0] for key in state}:
            iid, _, unit = name.rpartition("|")
            kept = state[f"{name}|times"].copy(), state[f"{name}|rates"].copy()
            rates._kept[iid, bool(_UNITS.index(unit))] = kept
        return rates


def _score(times: NDArray[np.int64], rates: NDArray[np.float64], time_ns: int) -> float | None:
    """The last rate beside those before it; None where it is old or they are few."""
    past = rates[:-1]
    if len(past) < _LEAST_RATES or time_ns - times[-1] > _STALE_NS or time_ns - times[0] < _LEAST_NS:
        return None
    away = np.abs(past - np.median(past))
    scale = _MEDIAN_TO_SD * float(np.median(away)) or _MEAN_TO_SD * float(np.mean(away))
    return float((rates[-1] - np.median(past)) / scale) if scale > 0 else None
