"""A tape with hourly totals of liquidations in, how well maps foretell them by hour and side out.

Totals have no places and no single events, so windows are hours and cells are their two sides: what a map exposes in
the five-minute windows of an hour is summed, and its rates per $100,000 are filtered online from the hours before.
Money is far from Poisson, so the likelihood is tempered (``docs/concepts/evaluation.md``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.errors import NotFound
from faultline.evaluation.exposures import Track, deposit_share, expected_inflow, expose
from faultline.evaluation.models import kernel_parameters
from faultline.evaluation.report import EvaluationSettings
from faultline.evaluation.tape_path import read_path
from faultline.evaluation.windows import Events, build_windows, cells_of
from faultline.heatmap.grid import bucket_position
from faultline.heatmap.ledger import LEVERAGES
from faultline.learning import scores
from faultline.learning.age_table import BEHIND, AgeTable, age_class
from faultline.learning.mixes import smooth_prior, spikes
from faultline.learning.newton import NewtonSettings, filter_rates
from faultline.messages import Flag, Kind
from faultline.units import HOUR_NS, MINUTE_NS, Side

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.evaluation.windows import Cells, Windows
    from faultline.tape import Tape

__all__ = ("EVENT_USD", "HourlyTotalsScore", "score_hourly_totals")

#: Notional that counts as one event.
EVENT_USD: Final = 100_000.0
#: Weight of the likelihood: the inverse of its dispersion, rounded up.
_TEMPER: Final = 0.02
_WINDOW_NS: Final = 5 * MINUTE_NS
_PER_HOUR: Final = HOUR_NS // _WINDOW_NS


class HourlyTotalsScore(msgspec.Struct, frozen=True, kw_only=True):
    """Scores of one model over ``n`` hours and sides.

    Attributes:
        model: name.
        n: hours times two.
        gain: nats per $100,000 over one rate per swept area.
        spearman: rank correlation of predicted and observed notional.
        r2_log: squared correlation of their base-10 logarithms, where both are positive.
        mae_log10: mean distance of these logarithms.
    """

    model: str
    n: int
    gain: float
    spearman: float
    r2_log: float
    mae_log10: float


def score_hourly_totals(
    tape: Tape, totals_id: str, path_id: str, *, ratio: float, from_ns: int, to_ns: int
) -> list[HourlyTotalsScore]:
    """Score maps on hourly totals.

    Args:
        tape: messages.
        totals_id: whose totals, e.g. ``mixed-total:BTC``.
        path_id: instrument whose path is used; five-minute endpoints are enough.
        ratio: maintenance ratio of the kernel.
        from_ns: first hour that is scored; hours before set the scale.
        to_ns: end, exclusive.

    Raises:
        NotFound: no hour before ``from_ns``, or none after it, has both a path and a total.
    """
    begin = tape.span_ns(Kind.BAR, path_id)[0] // HOUR_NS * HOUR_NS
    windows = build_windows(
        read_path(tape, Kind.BAR, path_id, begin, to_ns // HOUR_NS * HOUR_NS),
        np.zeros((0, 2), dtype=np.int64),
        _WINDOW_NS,
    )
    windows.live[:] = np.isfinite(windows.low_usd) & np.isfinite(windows.open_usd)
    cells = cells_of(windows, _no_events(), ratio, EVENT_USD)
    amounts = _amounts(tape, totals_id, begin, len(windows.start_ns) // _PER_HOUR)
    whole = windows.live[: len(amounts) * _PER_HOUR].reshape(-1, _PER_HOUR).all(axis=1)
    usable = np.flatnonzero(whole & np.isfinite(amounts).all(axis=1))
    start_ns = begin + usable * HOUR_NS
    burned = int(np.searchsorted(start_ns, from_ns))
    if not 0 < burned < len(usable):
        message = (
            f"no hours with both a total of {totals_id} and a path before and after the first scored hour"
        )
        raise NotFound(message, where=str(tape.path), hint="`faultline tape ls` shows what is on the tape")
    usd = amounts[usable].ravel()
    owner = 2 * ((windows.start_ns[cells.window] - begin) // HOUR_NS)
    group = np.repeat(owner, np.diff(cells.starts)) + cells.side
    picked = np.stack([2 * usable, 2 * usable + 1], axis=1).ravel()

    def by_hour(columns: NDArray[np.float64]) -> NDArray[np.float64]:
        summed = [scores.sum_by(group, column, 2 * len(amounts)) for column in columns.T]
        return np.ascontiguousarray(np.stack(summed, axis=1)[picked])

    rates = _model_rates(windows, cells, by_hour, usd / EVENT_USD, burned, ratio)
    seen = slice(2 * burned, None)
    return [_score(name, lam[seen], rates["B0"][seen], usd[seen]) for name, lam in rates.items()]


def _no_events() -> Events:
    empty = np.zeros(0)
    return Events(empty.astype(np.int64), empty.astype(np.int8), empty, empty, empty.astype(np.uint8))


def _amounts(tape: Tape, name: str, begin: int, hours: int) -> NDArray[np.float64]:
    """Liquidated notional per hour and side, NaN where there is no total, shape (H, 2)."""
    rows = tape.read(Kind.LIQUIDATION, name)
    rows = rows[(rows["flags"] & int(Flag.TOTAL)) != 0]
    hour = (rows["ts_event_ns"] - begin) // HOUR_NS
    kept = (hour >= 0) & (hour < hours)
    out = np.full((hours, 2), np.nan)
    out[hour[kept], np.where(rows["side"][kept] == Side.LONG, 0, 1)] = rows["notional_usd"][kept]
    return out


def _model_rates(
    windows: Windows, cells: Cells, by_hour: Any, counts: NDArray[np.float64], burned: int, ratio: float
) -> dict[str, NDArray[np.float64]]:
    """Events per hour and side that each model expects from the hours before, shape (2 H,) each."""
    settings = EvaluationSettings()
    kernel = kernel_parameters(settings, ratio)
    track = Track(kernel, deposit_share(windows)["range"])
    heat = by_hour(expose(windows, cells, [track])[0] + expected_inflow(windows, cells, kernel)[0])
    area = by_hour(cells.covered_ratio[:, None])
    starts = 2 * np.arange(len(counts) // 2 + 1)
    hours = np.ones(len(counts) // 2)

    def fit(columns: NDArray[np.float64], shape: NDArray[np.float64], temper: float) -> NDArray[np.float64]:
        expected = float((columns[: 2 * burned] @ shape).sum())
        prior = np.log(np.maximum(shape * counts[: 2 * burned].sum() / max(expected, 1e-12), 1e-12))
        chosen = NewtonSettings(temper=temper)
        return np.asarray(filter_rates(starts, columns, counts, hours, prior, chosen).rates)

    def beside_area(columns: NDArray[np.float64], mix: NDArray[np.float64]) -> NDArray[np.float64]:
        held, free = (float(part[: 2 * burned].sum()) for part in (columns @ mix, area))
        shape = np.append(mix * (0.9 / max(held, 1e-12)), 0.1 / max(free, 1e-12))
        return fit(np.column_stack([columns, area]), shape, _TEMPER)

    one = np.ones(1)
    out = {}
    for name, mix in (
        ("B3h", smooth_prior(LEVERAGES, settings.mix_centre, settings.mix_sd)),
        ("B3", smooth_prior(LEVERAGES, settings.mix_centre_low, settings.mix_sd)),
        ("B2", spikes(LEVERAGES)),
    ):
        out[name] = beside_area((heat @ mix)[:, None], one)
        out[f"learned from {name}"] = beside_area(heat, mix + 1e-6)
    ages = by_hour(_age_columns(windows, cells))
    out["B4"] = fit(ages, np.ones(ages.shape[1]), _TEMPER)
    out["B0"] = fit(area, one, _TEMPER)
    return out


def _age_columns(windows: Windows, cells: Cells) -> NDArray[np.float64]:
    """Covered area per cell by age class, shape (C, classes)."""
    table, opened = AgeTable(), np.floor(bucket_position(windows.open_usd))
    out = np.zeros((len(cells.bucket), BEHIND + 1))
    for k, w in enumerate(cells.window):
        row = slice(int(cells.starts[k]), int(cells.starts[k + 1]))
        start = int(windows.start_ns[w])
        bucket, side = cells.bucket[row], cells.side[row]
        classes = age_class(table.ages_min(bucket, start), side, bucket, int(opened[w]))
        out[np.arange(row.start, row.stop), classes] = cells.covered_ratio[row]
        table.visit(float(windows.low_usd[w]), float(windows.high_usd[w]), start + windows.refresh_ns)
    return out


def _score(
    name: str, rates: NDArray[np.float64], base: NDArray[np.float64], usd: NDArray[np.float64]
) -> HourlyTotalsScore:
    """Scores of one model."""
    counts = usd / EVENT_USD
    gain = scores.poisson_scores(counts, rates).sum() - scores.poisson_scores(counts, base).sum()
    both = (usd > 0) & (rates > 0)
    away = np.abs(np.log10(rates[both] * EVENT_USD) - np.log10(usd[both]))
    return HourlyTotalsScore(
        model=name,
        n=len(usd),
        gain=float(gain / counts.sum()),
        spearman=scores.rank_correlation(rates, usd),
        r2_log=scores.log_fit(rates, usd),
        mae_log10=float(away.mean()),
    )
