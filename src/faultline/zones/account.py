"""Ledgers before and after an interval in, where the change of each zone's exposure came from out.

The change of what a zone holds is split into what was opened, what the ledger closed of its own accord, what the path
took, and the rest: units are worth something else. So a change of the estimate is never sold as traders coming or
leaving. Openings are those of a scratch ledger that receives the interval's deposits and nothing else; closes follow
from the hazard of each leverage, as if the path came at the end; what is then missing was swept.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.errors import RequestError
from faultline.heatmap.anchor import anchor_heat
from faultline.heatmap.bands import BAND_LABELS, band_of
from faultline.heatmap.grid import BUCKET_LOG, bucket_of
from faultline.heatmap.ledger import Ledger
from faultline.units import HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from faultline.heatmap.ledger import LedgerParameters

__all__ = (
    "InstrumentFlows",
    "Standing",
    "ZoneAccount",
    "flows_between",
    "make_accounts",
    "standing_of",
)

#: Least share of what a zone held and opened that counts as swept: masses are single precision.
_SWEPT_LEAST: Final = 1e-6
#: Rows of flows: before, opened, closed, swept, after.
_N_FLOWS: Final = 5
_AFTER: Final = 4


@dataclasses.dataclass(frozen=True, slots=True)
class ZoneAccount:
    """Account of one zone over ``[from_ns, to_ns]``, in USD; the ``side_`` fields are all of the zone's side.

    ``after_usd - before_usd = opened_usd - closed_usd - swept_usd + reestimated_usd``. Flows are valued at what a
    unit was worth at ``from_ns``. ``venue_usd`` and ``band_usd`` split ``after_usd``; ``mix_usd`` is what the zone
    holds at ``to_ns`` under each leverage mix, the map's own first.
    """

    from_ns: int
    to_ns: int
    before_usd: float
    opened_usd: float
    closed_usd: float
    swept_usd: float
    reestimated_usd: float
    after_usd: float
    side_before_usd: float
    side_opened_usd: float
    side_closed_usd: float
    side_swept_usd: float
    side_after_usd: float
    venue_usd: dict[str, float]
    band_usd: dict[str, float]
    mix_usd: tuple[float, ...]

    def venue_shares(self) -> dict[str, float] | None:
        """Share of each venue; None where nothing stands."""
        return _shares(self.venue_usd)

    def band_shares(self) -> dict[str, float] | None:
        """Share of each leverage band; None where nothing stands."""
        return _shares(self.band_usd)

    def range_shares(self) -> tuple[float, float] | None:
        """Least and most over leverage mixes, as shares of the map's own; None where nothing stands."""
        if not self.mix_usd or not self.mix_usd[0] > 0:
            return None
        return min(self.mix_usd) / self.mix_usd[0], max(self.mix_usd) / self.mix_usd[0]


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """What stood on one instrument at one moment; B buckets from ``first_bucket``.

    Attributes:
        time_ns: when.
        first_bucket: log bucket of index 0.
        units: by side, bucket and leverage, before any mix, shape (2, B, L).
        mixes: leverage mixes, the map's own first, shape (m, L).
        worth_usd: USD per unit under each mix, by side and bucket, shape (m, 2, B).
        parameters: of the ledger.
    """

    time_ns: int
    first_bucket: int
    units: NDArray[np.float64]
    mixes: NDArray[np.float64]
    worth_usd: NDArray[np.float64]
    parameters: LedgerParameters


def standing_of(
    ledger: Ledger,
    mixes: NDArray[np.float64],
    price_usd: float,
    oi_usd: float,
    worth_usd: float,
    time_ns: int,
) -> Standing:
    """What stands in a ledger now, and what it is worth; the ledger itself is not touched.

    Args:
        ledger: of one hypothesis.
        mixes: leverage mixes, the map's own first, shape (m, L).
        price_usd: price now.
        oi_usd: open interest of a side now; NaN counts as 0: nothing is worth anything.
        worth_usd: slow worth of a unit under the first mix (``heatmap.anchor``); NaN where unknown.
        time_ns: now; every bar that ended by then was applied.

    Raises:
        RequestError: there is no price, or time lies before the ledger's clock.
    """
    if time_ns < ledger.clock_ns:
        message = f"the ledger stands at {ledger.clock_ns} ns: what stood at {time_ns} ns is gone"
        raise RequestError(message, where="time_ns", hint="take accounts when their time has come")
    hours = (time_ns - ledger.clock_ns) / HOUR_NS
    units = ledger.standing()[0] * np.exp(-ledger.parameters[0].hazards_per_hour() * hours)
    centre = bucket_of(price_usd) - ledger.first_bucket
    held = np.einsum("sbl,ml->msb", units, mixes)
    worth = np.empty(held.shape)
    for k, standing in enumerate(held):
        # The worth of a unit belongs to the first mix; under another mix other units make the same open interest.
        own_usd = worth_usd * held[0].sum() / max(standing.sum(), 1e-300)
        worth[k] = anchor_heat(standing, centre, standing.sum(axis=1), oi_usd, own_usd)
    return Standing(time_ns, ledger.first_bucket, units, mixes, worth, ledger.parameters[0])


@dataclasses.dataclass(frozen=True, slots=True)
class InstrumentFlows:
    """Where the change on one instrument came from, USD by side and bucket.

    Attributes:
        venue: slug.
        from_ns: earlier moment.
        to_ns: later moment.
        first_bucket: log bucket of index 0.
        usd: before, opened, closed, swept, after, then after by leverage band, then after under each mix,
            shape (5 + 4 + m, 2, B).
    """

    venue: str
    from_ns: int
    to_ns: int
    first_bucket: int
    usd: NDArray[np.float64]


def flows_between(venue: str, before: Standing, after: Standing, bars: NDArray[np.void]) -> InstrumentFlows:
    """Where the change of every bucket of one instrument came from.

    Args:
        venue: slug of the instrument's venue.
        before: what stood.
        after: what stands, on the same ledger.
        bars: bars that were applied in between (``heatmap.ledger.PATH_BAR``).

    Raises:
        RequestError: time goes back, or the ledgers have other parameters.
    """
    if after.time_ns < before.time_ns or after.parameters != before.parameters:
        message = f"no flows from {before.time_ns} ns to {after.time_ns} ns"
        raise RequestError(
            message, where="before, after", hint="take both from the same ledger, the earlier first"
        )
    first = min(before.first_bucket, after.first_bucket)
    n_buckets = max(before.first_bucket, after.first_bucket) + after.units.shape[1] - first

    def aligned(values: NDArray[np.float64], own_first: int, axis: int = 1) -> NDArray[np.float64]:
        shift = own_first - first
        if n_buckets == values.shape[axis]:
            return values
        pad = [(0, 0)] * values.ndim
        pad[axis] = (shift, n_buckets - values.shape[axis] - shift)
        return np.pad(values, pad)

    hours = (after.time_ns - before.time_ns) / HOUR_NS
    fade = np.exp(-before.parameters.hazards_per_hour() * hours)
    mix = before.mixes[0]
    stood = aligned(before.units, before.first_bucket)
    stands = aligned(after.units, after.first_bucket)
    gross, kept = (aligned(part, after.first_bucket) for part in _openings(before, after, bars))
    worth_before = aligned(before.worth_usd[0], before.first_bucket)
    worth_after = aligned(after.worth_usd, after.first_bucket, axis=2)
    held, faded = stood @ mix, stood @ (mix * fade)
    now = np.moveaxis(stands @ after.mixes.T, -1, 0)
    band = band_of(after.parameters.leverages)
    in_band = (band == np.arange(len(BAND_LABELS))[:, None]) * after.mixes[0]
    bands = np.moveaxis(stands @ in_band.T, -1, 0)
    usd = np.concatenate(
        [
            np.stack([held, gross, held - faded + gross - kept, faded + kept - now[0]]) * worth_before,
            now[:1] * worth_after[:1],
            bands * worth_after[0],
            now * worth_after,
        ]
    )
    return InstrumentFlows(venue, before.time_ns, after.time_ns, first, usd)


def make_accounts(
    ids: Sequence[str], intervals: NDArray[np.void], flows: Sequence[InstrumentFlows]
) -> dict[str, ZoneAccount]:
    """Accounts of zones over one interval, summed over instruments.

    Args:
        ids: zones, shape (n,): ``ZoneTracker.ids()``.
        intervals: where they stand (``detection.KNOWN``), shape (n,): ``ZoneTracker.intervals()``. Both ends of the
            account look at the same prices.
        flows: of the instruments of the scope, all from the same time to the same time.

    Raises:
        RequestError: the flows are not of the same times.
    """
    if not flows or not len(ids):
        return {}
    times = {(part.from_ns, part.to_ns) for part in flows}
    if len(times) != 1:
        message = f"flows of {sorted(times)} cannot be added up"
        raise RequestError(message, where="flows", hint="take every instrument's at the same two times")
    held = [_sums_between(part.usd, part.first_bucket, intervals) for part in flows]
    sums = np.sum(held, axis=0)
    sides = np.sum([part.usd[:_N_FLOWS].sum(axis=2) for part in flows], axis=0)
    out: dict[str, ZoneAccount] = {}
    for k, zone_id in enumerate(ids):
        venues: dict[str, float] = {}
        for part, zone in zip(flows, held, strict=True):
            venues[part.venue] = venues.get(part.venue, 0.0) + float(zone[_AFTER, k])
        out[zone_id] = _account(times.copy().pop(), sums[:, k], sides[:, int(intervals["side"][k])], venues)
    return out


def _account(
    times: tuple[int, int], sums: NDArray[np.float64], side: NDArray[np.float64], venues: dict[str, float]
) -> ZoneAccount:
    """One zone's account; what rounding leaves goes to the re-estimation, so that the account adds up."""
    before, opened, closed, swept, after = sums[:_N_FLOWS].tolist()
    if abs(swept) <= _SWEPT_LEAST * (before + opened):
        swept = 0.0
    side_before, side_opened, side_closed, side_swept, side_after = side.tolist()
    parts = sums[_N_FLOWS:].tolist()
    return ZoneAccount(
        from_ns=times[0],
        to_ns=times[1],
        before_usd=before,
        opened_usd=opened,
        closed_usd=closed,
        swept_usd=swept,
        reestimated_usd=after - (before + opened - closed - swept),
        after_usd=after,
        side_before_usd=side_before,
        side_opened_usd=side_opened,
        side_closed_usd=side_closed,
        side_swept_usd=side_swept,
        side_after_usd=side_after,
        venue_usd=dict(sorted(venues.items())),
        band_usd=dict(zip(BAND_LABELS, parts[: len(BAND_LABELS)], strict=True)),
        mix_usd=tuple(parts[len(BAND_LABELS) :]),
    )


def _openings(before: Standing, after: Standing, bars: NDArray[np.void]) -> NDArray[np.float64]:
    """Opened by the interval's deposits under the map's mix, and what decay left, in the later window, (2, 2, B)."""
    n_buckets = after.units.shape[1]
    out = np.zeros((2, *after.units.shape[:2]))
    if not len(bars):
        return out
    lasting = msgspec.structs.replace(before.parameters, hazard_per_hour_at_10x=0.0)
    scratch = Ledger([lasting, before.parameters], n_buckets)
    scratch.decay_to(before.time_ns)
    still = bars.copy()
    # The path does not move: what is opened stays where it was put.
    still["low_usd"] = still["high_usd"] = np.nan
    flat = np.ones((2, len(before.parameters.leverages)))
    scratch.advance(still, flat, np.zeros(0, dtype=np.int64), first_row=0, n_rows=0, row_usd=1.0)
    scratch.decay_to(after.time_ns)
    opened = scratch.standing() @ before.mixes[0]
    shift = scratch.first_bucket - after.first_bucket
    low, high = max(0, shift), min(n_buckets, n_buckets + shift)
    if low < high:
        out[:, :, low:high] = opened[:, :, low - shift : high - shift]
    return out


def _sums_between(
    values: NDArray[np.float64], first_bucket: int, intervals: NDArray[np.void]
) -> NDArray[np.float64]:
    """Sums between prices, shape (k, n), of amounts by bucket, shape (k, 2, B); a bucket is cut evenly over prices."""
    n_buckets = values.shape[2]
    edges = np.exp((first_bucket + np.arange(n_buckets + 1)) * BUCKET_LOG)
    out = np.zeros((values.shape[0], len(intervals)))
    for k, place in enumerate(intervals):
        low, high = (float(np.clip(place[name], edges[0], edges[-1])) for name in ("low_usd", "high_usd"))
        begin = int(np.searchsorted(edges, low, side="right")) - 1
        end = int(np.searchsorted(edges, high, side="left"))
        tops, bottoms = edges[begin + 1 : end + 1], edges[begin:end]
        share = np.maximum(np.minimum(tops, high) - np.maximum(bottoms, low), 0.0) / (tops - bottoms)
        out[:, k] = values[:, int(place["side"]), begin:end] @ share
    return out


def _shares(parts: dict[str, Any]) -> dict[str, float] | None:
    total = sum(parts.values())
    return {name: usd / total for name, usd in parts.items()} if total > 0 else None
