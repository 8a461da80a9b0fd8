"""A heat profile at one moment in, a frozen and hash-chained forecast out.

A forecast is what the map said before the outcome: per log bucket and side the USD that would be liquidated there
and the part of the bucket that price has not passed yet. Its hash covers every byte of it and the hash of the
forecast before it, so a chain cannot be edited afterwards without showing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ("GENESIS", "Forecast", "ForecastChain", "passed_ratio")

#: Hash before the first forecast of a chain.
GENESIS: Final = hashlib.sha256(b"faultline forecast chain 1").hexdigest()


@dataclasses.dataclass(frozen=True, slots=True)
class Forecast:
    """One frozen map.

    Attributes:
        asset: asset it is about.
        issued_ns: nothing received after this moment was used.
        horizon_ns: time until the next forecast replaces it.
        price_usd: reference price at issue.
        first_bucket: log bucket of the first element.
        heat_usd: float32[2, n], USD standing per bucket; index 0 longs, 1 shorts.
        remaining: float32[2, n], part of the bucket not yet passed, in [0, 1].
        params_sha256: hash of the parameters in force.
        previous_sha256: hash of the forecast before.
    """

    asset: str
    issued_ns: int
    horizon_ns: int
    price_usd: float
    first_bucket: int
    heat_usd: NDArray[np.float32]
    remaining: NDArray[np.float32]
    params_sha256: str
    previous_sha256: str

    @property
    def sha256(self) -> str:
        """Hash of the content and of the previous hash (little-endian bytes, fixed order)."""
        head = (
            f"{self.previous_sha256}|{self.asset}|{self.issued_ns}|{self.horizon_ns}|"
            f"{self.price_usd:.17g}|{self.first_bucket}|{self.heat_usd.shape[1]}|{self.params_sha256}|"
        )
        digest = hashlib.sha256(head.encode())
        digest.update(np.ascontiguousarray(self.heat_usd, dtype="<f4").tobytes())
        digest.update(np.ascontiguousarray(self.remaining, dtype="<f4").tobytes())
        return digest.hexdigest()


class ForecastChain:
    """Freezes forecasts one after the other."""

    def __init__(self, head_sha256: str = GENESIS, count: int = 0) -> None:
        self.head_sha256 = head_sha256
        self.count = count

    def freeze(
        self,
        *,
        asset: str,
        issued_ns: int,
        horizon_ns: int,
        price_usd: float,
        first_bucket: int,
        heat_usd: NDArray[np.float64],
        remaining: NDArray[np.float64],
        params_sha256: str,
    ) -> Forecast:
        """Append a forecast; empty buckets at both ends are cut off.

        Args:
            asset: asset it is about.
            issued_ns: moment of issue.
            horizon_ns: time until the next forecast.
            price_usd: reference price at issue.
            first_bucket: log bucket of index 0 of the arrays.
            heat_usd: [2, n] USD per bucket and side.
            remaining: [2, n] part of each bucket that price has not passed.
            params_sha256: hash of the parameters in force.
        """
        used = np.flatnonzero(heat_usd.any(axis=0))
        low, high = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)
        forecast = Forecast(
            asset=asset,
            issued_ns=issued_ns,
            horizon_ns=horizon_ns,
            price_usd=price_usd,
            first_bucket=first_bucket + low,
            heat_usd=np.ascontiguousarray(heat_usd[:, low:high], dtype=np.float32),
            remaining=np.ascontiguousarray(remaining[:, low:high], dtype=np.float32),
            params_sha256=params_sha256,
            previous_sha256=self.head_sha256,
        )
        self.head_sha256 = forecast.sha256
        self.count += 1
        return forecast


def passed_ratio(
    remaining: NDArray[np.float64], first_bucket: int, low: float, high: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of what stands in each bucket that a path consumes, and what then remains of it, shapes (2, n).

    Longs at or above the low go, shorts at or below the high; where an end lies in a bucket, the part beyond it stays.

    Args:
        remaining: part of each bucket and side not yet passed, shape (2, n).
        first_bucket: log bucket of index 0.
        low: lowest price of the path, in buckets.
        high: highest.
    """
    share, left = np.zeros(remaining.shape), remaining.copy()
    n = remaining.shape[1]
    bucket = first_bucket + np.arange(n)
    long_part = slice(max(0, min(n, math.floor(low) - first_bucket)), n)
    short_part = slice(0, max(0, min(n, math.floor(high) - first_bucket + 1)))
    for side, part in ((0, long_part), (1, short_part)):
        beyond = low - bucket[part] if side == 0 else bucket[part] + 1 - high
        beyond = np.clip(beyond, 0.0, 1.0)
        front = remaining[side, part]
        share[side, part] = np.where(beyond < front, 1.0 - beyond / np.where(front > 0, front, 1.0), 0.0)
        left[side, part] = np.minimum(front, beyond)
    return share, left
