"""A shard, a moment and a price in, what stands there and why out: the answer behind a tooltip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from faultline.cascades.chain import GREY_BELOW
from faultline.heatmap.anchor import anchor_heat
from faultline.heatmap.bands import BAND_LABELS, band_of
from faultline.heatmap.display import DisplayRows
from faultline.heatmap.grid import bucket_edge_usd, bucket_of, project_rows
from faultline.units import DAY_NS, MILLISECOND_NS, SECOND_NS, TIMEFRAMES_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.pipeline.instrument_state import InstrumentState
    from faultline.pipeline.shard import Shard

__all__ = ("explain_cell", "profile_usd")

_SIDES = ("long", "short")
#: Of reproduction numbers; the interval is never narrower than some percent.
_R_DECIMALS = 6


def profile_usd(shard: Shard, scope: str, rows: DisplayRows | None = None) -> dict[str, Any]:
    """Exposure now by display row (``prices_usd`` are lower edges), by side, with a band ``lo_usd`` to ``hi_usd``.

    The band is the range over leverage mixes: where one was learned, over those whose mean log leverage lies at the
    ends of its 95 % interval; else over mixes centred at 25x and 100x, which is no credible interval. With ``rows``
    None every row that holds anything is returned, so each side sums to its open interest. ``reproduction`` is R by
    row, None where it is not known.
    """
    items = shard.priced(scope)
    window = rows or _whole_rows(shard, items)
    heat = np.zeros((3, 2, window.n_rows))
    oi_usd = learned_usd = 0.0
    for item in items:
        usd = item.heat_usd(shard.reached_ns, item.served.now)
        heat += project_rows(usd, item.ledger.first_bucket, window.row_usd, window.first_row, window.n_rows)
        known = float(item.open_interest_usd(np.array([shard.reached_ns]), np.array([item.price_usd]))[0])
        oi_usd += known if np.isfinite(known) else 0.0
        learned_usd += known * item.served.learned_share if np.isfinite(known) else 0.0
    total = heat.sum(axis=1)
    return {
        "prices_usd": (window.first_row + np.arange(window.n_rows)) * window.row_usd,
        "row_usd": window.row_usd,
        "long_usd": heat[0, 0],
        "short_usd": heat[0, 1],
        "lo_usd": total.min(axis=0),
        "hi_usd": total.max(axis=0),
        "learned_share": learned_usd / oi_usd if oi_usd > 0 else 0.0,
        "oi_long_usd": oi_usd,
        "oi_short_usd": oi_usd,
        "price_usd": shard.price_usd,
        "reproduction": _reproduction(shard, items, window, heat[0]),
    }


def _reproduction(
    shard: Shard, items: list[InstrumentState], rows: DisplayRows, usd: NDArray[np.float64]
) -> dict[str, Any] | None:
    """R by row (``cascades.reproduction``); None of a part of the asset, because all heat on the way moves price.

    ``established`` says whether the law rests on as many flows as a step of a chain must, not to be grey.
    """
    if shard.watch is None or len(items) < len(shard.priced(shard.asset)):
        return None
    edges = np.arange(rows.first_row, rows.first_row + rows.n_rows + 1, dtype=np.float64) * rows.row_usd
    found = shard.watch.reproduction(edges, usd, shard.price_usd)
    if found is None:
        return None
    known = {name: np.round(getattr(found, name), _R_DECIMALS) for name in ("value", "low", "high")}
    return known | {"n_flows": found.n_flows, "established": found.n_flows >= GREY_BELOW}


def _whole_rows(shard: Shard, items: list[InstrumentState]) -> DisplayRows:
    """Rows of the display's height that cover every bucket that holds anything."""
    row_usd = shard.rows.rows.row_usd if shard.rows.rows else 1.0
    low, high = np.inf, 0.0
    for item in items:
        used = np.flatnonzero(item.ledger.profile(item.served.now[:1])[0].any(axis=0))
        if len(used):
            low = min(low, bucket_edge_usd(item.ledger.first_bucket + int(used[0])))
            high = max(high, bucket_edge_usd(item.ledger.first_bucket + int(used[-1]) + 1))
    if high == 0.0:
        return DisplayRows(row_usd, 0, 0)
    first = int(np.floor(low / row_usd))
    return DisplayRows(row_usd, first, int(np.floor(high / row_usd)) + 1 - first)


def explain_cell(
    shard: Shard, scope: str, timeframe: str, time_ns: int, price_usd: float
) -> dict[str, Any] | None:
    """What stands in one cell: USD by side, venue and leverage band, when it was opened, on what authority.

    None where the past is no longer kept or nothing is known of the scope.
    """
    rows = shard.rows.rows
    items = shard.priced(scope)
    if rows is None or not items:
        return None
    length = TIMEFRAMES_NS[timeframe]
    moment = min(time_ns // length * length + length, shard.reached_ns)
    row = int(np.floor(price_usd / rows.row_usd))
    bands = np.zeros((len(BAND_LABELS), 2))
    range_usd = np.zeros((3, 2))
    venues: dict[str, float] = {}
    learned_usd = 0.0
    for item in items:
        found = _cell_usd(shard, item, moment, row, rows.row_usd)
        if found is None:
            return None
        cell, under = found
        np.add.at(bands, band_of(item.parameters.leverages), cell.T)
        range_usd += under
        venues[item.venue] = venues.get(item.venue, 0.0) + float(cell.sum())
        learned_usd += float(cell.sum()) * item.served.share_at(moment)
    anchor = shard.members.get(shard.reference_id, items[0])
    known_ns = anchor.interest.as_of_ns
    usd = bands.sum(axis=0)
    learned = learned_usd / usd.sum() if usd.sum() > 0 else 0.0
    return {
        "price_low_usd": row * rows.row_usd,
        "price_high_usd": (row + 1) * rows.row_usd,
        "t_ms": moment // MILLISECOND_NS,
        "long_usd": float(usd[0]),
        "short_usd": float(usd[1]),
        **{
            f"{side}_{end}_usd": float(ends[k])
            for end, ends in (("lo", range_usd.min(axis=0)), ("hi", range_usd.max(axis=0)))
            for k, side in enumerate(_SIDES)
        },
        "venues": [{"venue": name, "usd": value} for name, value in sorted(venues.items())],
        "bands": [
            {"label": label, "long_usd": float(pair[0]), "short_usd": float(pair[1])}
            for label, pair in zip(BAND_LABELS, bands, strict=True)
        ],
        "entry_window": _entry_window(anchor, moment, row * rows.row_usd, (row + 1) * rows.row_usd, bands),
        "oi_source": anchor.interest_source,
        "oi_age_s": (moment - known_ns) / SECOND_NS if 0 < known_ns <= moment else None,
        "learned_share": learned,
        "assumed_share": 1.0 - learned,
        "distance_ratio": (row + 0.5) * rows.row_usd / shard.price_usd - 1.0,
    }


def _cell_usd(
    shard: Shard, item: InstrumentState, moment_ns: int, row: int, row_usd: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """USD of one display row by side and leverage (2, L), and by side (3, 2) under the mix and the ends of its band.

    None where that past is forgotten.
    """
    past = (item.ledger, item.anchor.worth_usd)
    if moment_ns < shard.reached_ns:
        known = item.history.ledger_at(moment_ns, [item.parameters])
        if known is None:
            return None
        past = known
    ledger, assumed_worth_usd = past
    closes = item.history.bars(moment_ns - DAY_NS, moment_ns)["close_usd"]
    price = float(closes[-1]) if len(closes) else item.price_usd
    oi_usd = float(np.nan_to_num(item.open_interest_usd(np.array([moment_ns]), np.array([price])))[0])
    assumed = item.served.assumed[:1]

    def worth_of(mix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Units (2, B) under a mix, and USD per unit."""
        units = ledger.profile(mix)[0].astype(np.float64)
        worth_usd = assumed_worth_usd
        if not np.array_equal(mix, assumed[0]):
            worth_usd *= float(ledger.total(assumed).sum()) / max(
                float(ledger.total(mix[None]).sum()), 1e-300
            )
        centre = bucket_of(price) - ledger.first_bucket
        return units, anchor_heat(units, centre, units.sum(axis=1), oi_usd, worth_usd)

    def in_row(usd: NDArray[np.float64]) -> NDArray[np.float64]:
        return project_rows(usd, ledger.first_bucket, row_usd, row, 1)[:, 0]

    mixes = item.served.band_at(moment_ns)
    worths = [worth_of(mix) for mix in mixes]
    out = np.zeros((2, len(mixes[0])))
    for lane in range(out.shape[1]):
        units = ledger.profile(np.where(np.arange(out.shape[1]) == lane, mixes[0], 0.0))[0]
        out[:, lane] = in_row(units * worths[0][1])
    return out, np.stack([in_row(units * worth) for units, worth in worths])


def _entry_window(
    item: InstrumentState, moment_ns: int, low_usd: float, high_usd: float, bands: NDArray[np.float64]
) -> dict[str, int] | None:
    """First and last time the heavier side of the cell can have been opened, as far as the path is kept.

    A long that is liquidated in the row was opened above it, after the path last went below the row.
    """
    usd = bands.sum(axis=0)
    if usd.max() <= 0.0:
        return None
    bars = item.history.bars(0, moment_ns)
    if not len(bars):
        return None
    is_long = usd[0] >= usd[1]
    passed = bars["low_usd"] <= low_usd if is_long else bars["high_usd"] >= high_usd
    index = np.flatnonzero(passed)
    since = bars[index[-1] + 1 :] if len(index) else bars
    leverages = np.asarray(item.parameters.leverages)
    margin = item.parameters.maintenance_ratio + item.parameters.margin_buffer_ratio
    distance = 1.0 / leverages.max() - margin
    # The nearest entry is that of the highest leverage with the smallest margin; nothing opened nearer can stand here.
    edge = high_usd / (1.0 - 0.4 * distance) if is_long else low_usd / (1.0 + 0.4 * distance)
    eligible = since[since["close_usd"] >= edge] if is_long else since[since["close_usd"] <= edge]
    if not len(eligible):
        return None
    return {
        "from_ms": int(eligible["start_ns"][0]) // MILLISECOND_NS,
        "to_ms": int(eligible["end_ns"][-1]) // MILLISECOND_NS,
    }
