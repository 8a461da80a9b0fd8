"""A tape and frozen forecasts of one asset in, a report of scores against fixed baselines with intervals out.

The protocol is written out in ``docs/concepts/evaluation.md``: cells, masks, models, scores and intervals.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from faultline.errors import NotFound
from faultline.evaluation.frozen_map import chain_sha256, frozen_maps
from faultline.evaluation.models import MEANINGS, Bench, all_rates, burned_windows, pooled_rates
from faultline.evaluation.places import place_shares
from faultline.evaluation.report import (
    Ablation,
    DayTotal,
    Difference,
    EvaluationReport,
    EvaluationSettings,
    Hourly,
    LeaveOut,
    ModelScore,
    Places,
    SweptArea,
)
from faultline.evaluation.tape_path import read_asset
from faultline.evaluation.windows import Cells, build_windows, cells_of
from faultline.heatmap.grid import BUCKET_LOG
from faultline.learning import scores
from faultline.learning.pool import apply_gain
from faultline.units import BASIS_POINT, DAY_NS, HOUR_NS, SECOND_NS, format_time_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from faultline.evaluation.windows import Windows
    from faultline.tape import Tape

__all__ = ("DIFFERENCES", "LOCATION_RATIOS", "evaluate", "location_of")

#: Maintenance ratio that a printed bankruptcy price lies beyond its trigger, per asset. Frozen: it moves every score
#: alike, and was set from prints against simultaneous mid prices, never from a score.
LOCATION_RATIOS: Final = {"BTC": 0.0040, "ETH": 0.0050, "SOL": 0.0050}
#: Used where neither the table nor the tape knows the asset's margin.
_DEFAULT_RATIO: Final = 0.0050

#: Pairs whose difference is reported, in IG and in T.
DIFFERENCES: Final = (
    ("map", "B4"),
    ("map", "B3h"),
    ("map+inflow", "B4"),
    ("map+inflow", "map"),
    ("pool", "B4"),
    ("pool", "B3h"),
    ("pool15m", "B4"),
    ("pool15m", "B3h"),
    ("learned", "B4"),
    ("learned", "B3h"),
    ("learned+inflow", "B4"),
    ("learned+inflow", "learned"),
    ("learned+assumed", "learned"),
    ("map", "placebo_shifted"),
    ("levels", "B4"),
)
_SHARES: Final = (0.01, 0.05, 0.10)
_CURVE: Final = (0.0, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0)
#: Share of an hour that must be scored for the hour to count.
_HOUR_SHARE: Final = 10 / 12
_PLACED_MODELS: Final = ("map", "pool15m", "learned", "B4", "B0")
_HOURLY_MODELS: Final = ("map", "pool15m", "learned", "B4", "B3h", "B0")


@dataclasses.dataclass(frozen=True, slots=True)
class _Scored:
    """The cells that count: everything after the burn-in, shape (C,) each; ``window`` counts scored windows."""

    cells: slice
    window: NDArray[np.int64]
    group: NDArray[np.int64]
    start_ns: NDArray[np.int64]
    count: NDArray[np.float64]
    usd: NDArray[np.float64]
    capped: NDArray[np.float64]
    covered: NDArray[np.float64]

    @property
    def n_windows(self) -> int:
        return len(self.start_ns)

    @property
    def n_events(self) -> float:
        return float(self.count.sum())


def location_of(asset: str, tape_ratio: float) -> tuple[float, str]:
    """Maintenance ratio by which prints are moved back to their trigger, and the rule in words."""
    if asset in LOCATION_RATIOS:
        ratio, source = LOCATION_RATIOS[asset], "fixed table"
    elif math.isfinite(tape_ratio):
        ratio, source = tape_ratio, "first margin tier on the tape"
    else:
        ratio, source = _DEFAULT_RATIO, "default"
    words = (
        f"bankruptcy prints moved by {ratio / BASIS_POINT:g} bp ({source}), clipped into the minute's range"
    )
    return ratio, words


def evaluate(
    tape: Tape,
    asset: str,
    *,
    from_ns: int | None = None,
    to_ns: int | None = None,
    refresh_ns: int = 300 * SECOND_NS,
    forecasts: Iterable[Any] | None = None,
    levels: Iterable[Any] | None = None,
    settings: EvaluationSettings | None = None,
    progress: Callable[[float, float, str], None] | None = None,
) -> EvaluationReport:
    """Score maps of an asset on what really happened.

    Args:
        tape: messages.
        asset: asset, e.g. ``BTC``; liquidations of all its venues count, on the path of its reference instrument.
        from_ns: first moment that may be scored; before it the path only fills the ledgers. None: the tape's first.
        to_ns: end, exclusive. None: the tape's last.
        refresh_ns: time between two forecasts: whole minutes up to four hours that divide a day.
        forecasts: frozen maps (``frozen_map.frozen_maps``); None: the engine's kernel with its own deposit is used.
        levels: somebody's levels (``levels.read_levels``), scored as one more model.
        settings: constants of the protocol.
        progress: told (done, total, label).

    Raises:
        NotFound: the tape has no path or no liquidations of the asset, or nothing of the span can be scored.
        RequestError: the refresh interval or a forecast is impossible.
    """
    chosen = settings or EvaluationSettings()
    found = read_asset(tape, asset, int(chosen.warm_h * HOUR_NS), from_ns, to_ns)
    windows = build_windows(found.path, found.gaps_ns, refresh_ns)
    begin = windows.start_ns[0] if from_ns is None and len(windows.start_ns) else from_ns or 0
    frozen = None if forecasts is None else list(forecasts)
    maps = None if frozen is None else frozen_maps(frozen)
    windows.live[windows.start_ns < begin] = False
    if maps is not None:
        windows.live[windows.start_ns < (maps[0].issued_ns if maps else 2**62)] = False
    ratio, rule = location_of(asset, found.maintenance_ratio)
    cells = cells_of(windows, found.events, ratio, chosen.cap_usd)
    single = len(found.event_ids) == 1 and not found.event_ids[0].startswith("mixed")
    burn_in_h = chosen.burn_in_single_h if single else chosen.burn_in_many_h
    bench = Bench(windows, cells, burned_windows(windows, cells, burn_in_h), chosen, ratio)
    scored = _scored(windows, cells, bench.burned)
    if not scored.n_events:
        message = f"nothing of {asset} can be scored: {int(cells.count.sum())} events, all within the burn-in"
        raise NotFound(message, where=str(tape.path), hint=f"evaluate more than {burn_in_h:g} recorded hours")
    rates, fresh, warnings = all_rates(bench, maps, None if levels is None else frozen_maps(levels), progress)
    fresh = fresh[scored.cells]
    models, differences, blocks = _compare(scored, rates, fresh, bench)
    excluded = {**cells.excluded, "burn_in": int(cells.count.sum() - scored.n_events)}
    if not tape.simulated and len(rates) and not math.isfinite(found.maintenance_ratio):
        warnings.append("the tape has no contract of the reference instrument")
    hourly = [_hourly(scored, rates[name], name, bench) for name in _HOURLY_MODELS if name in rates]
    return EvaluationReport(
        asset=asset,
        reference_id=found.reference_id,
        event_ids=list(found.event_ids),
        simulated=tape.simulated,
        from_ns=int(scored.start_ns[0]),
        to_ns=int(scored.start_ns[-1]) + refresh_ns,
        refresh_s=refresh_ns / SECOND_NS,
        n_events_raw=cells.n_raw,
        n_scored=round(scored.n_events),
        excluded=excluded,
        windows=scored.n_windows,
        blocks=blocks,
        burn_in_s=burn_in_h * 3600.0,
        swept_bp=_swept(scored),
        location_rule=rule,
        params_sha256=chosen.sha256(),
        forecast_chain_sha256=chain_sha256(frozen or []),
        map_source="frozen forecasts"
        if maps is not None
        else "kernel of B3h with the engine's deposit, run here",
        models=models,
        differences=differences,
        hourly=hourly[0],
        hourly_models=hourly,
        leave_out=_leave_out(scored, rates["map"], rates["B0"]),
        days=_days(scored, rates["map"]),
        curve_shares=list(_CURVE),
        warnings=warnings,
        ablations=_ablations(scored, rates, bench),
        n_fresh=int(scored.count[fresh].sum()),
        places=[_places(scored, rates[name], name, bench) for name in _PLACED_MODELS if name in rates],
    )


def _scored(windows: Windows, cells: Cells, burned: int) -> _Scored:
    """Everything after the burn-in."""
    first = int(cells.starts[burned])
    part = slice(first, int(cells.starts[-1]))
    window = np.repeat(np.arange(len(cells.window) - burned), np.diff(cells.starts[burned:]))
    return _Scored(
        cells=part,
        window=window,
        group=2 * window + cells.side[part],
        start_ns=windows.start_ns[cells.window[burned:]],
        count=cells.count[part],
        usd=cells.notional_usd[part],
        capped=cells.capped_usd[part],
        covered=cells.covered_ratio[part],
    )


def _swept(scored: _Scored) -> SweptArea:
    """Swept area per side in basis points."""
    area = scores.sum_by(scored.group % 2, scored.covered, 2) * BUCKET_LOG / BASIS_POINT
    return SweptArea(long=float(area[0]), short=float(area[1]))


def _location_free(
    scored: _Scored, rates: NDArray[np.float64], base: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Gain per scored window after summing rates and events over the buckets of each window and side."""
    groups = 2 * scored.n_windows
    summed = [scores.sum_by(scored.group, values, groups) for values in (scored.count, rates, base)]
    owner = np.repeat(np.arange(scored.n_windows), 2)
    return scores.information_gain(summed[0], summed[1], summed[2], owner, scored.n_windows)


def _compare(
    scored: _Scored, rates: dict[str, NDArray[np.float64]], fresh: NDArray[np.bool_], bench: Bench
) -> tuple[list[ModelScore], list[Difference], int]:
    """Scores of all models, the reported differences, and the number of bootstrap blocks."""
    names, settings = list(rates), bench.settings
    n, n_windows = scored.n_events, scored.n_windows
    base = rates["B0"][scored.cells]
    ig = np.stack(
        [
            scores.information_gain(scored.count, rates[m][scored.cells], base, scored.window, n_windows)
            for m in names
        ]
    )
    t = np.stack([_location_free(scored, rates[m][scored.cells], base) for m in names])
    intervals = functools.partial(_intervals, scored, settings)
    pairs = [(a, b) for a, b in DIFFERENCES if a in rates and b in rates]
    at = {name: i for i, name in enumerate(names)}
    gaps = {
        "ig": np.stack([ig[at[a]] - ig[at[b]] for a, b in pairs]),
        "t": np.stack([t[at[a]] - t[at[b]] for a, b in pairs]),
    }
    differences = []
    ends = {metric: intervals(rows) for metric, rows in gaps.items()}
    for k, (a, b) in enumerate(pairs):
        for metric, rows in gaps.items():
            ci = (float(ends[metric][k, 0]), float(ends[metric][k, 1]))
            differences.append(Difference(a=a, b=b, metric=metric, mean=float(rows[k].sum() / n), ci=ci))
    ci_ig, ci_t = intervals(ig), intervals(t)
    models = []
    for i, name in enumerate(names):
        cells = rates[name][scored.cells]
        space = scores.space_scores(scored.count, cells, scored.covered, scored.window, n_windows).sum() / n
        curve = scores.concentration(scored.count, cells, scored.covered, _CURVE)
        rank, ratio = _fresh_scores(scored, cells, fresh)
        models.append(
            ModelScore(
                name=name,
                meaning=MEANINGS[name],
                ig=float(ig[i].sum() / n),
                t=float(t[i].sum() / n),
                space=float(space),
                igcap=_size_weighted(scored, rates, name, bench),
                ci=(float(ci_ig[i, 0]), float(ci_ig[i, 1])),
                ci_t=(float(ci_t[i, 0]), float(ci_t[i, 1])),
                n_ratio=float(cells.sum() / n),
                concentration=_by_share(scores.concentration(scored.count, cells, scored.covered, _SHARES)),
                concentration_usd=_by_share(scores.concentration(scored.usd, cells, scored.covered, _SHARES)),
                curve=[float(value) for value in curve],
                fresh_rank=rank,
                fresh_ratio=ratio,
            )
        )
    return models, differences, len(np.unique(_blocks(scored, settings)))


def _blocks(scored: _Scored, settings: EvaluationSettings) -> NDArray[np.int64]:
    """Bootstrap block of each scored window, shape (V,)."""
    _, block = np.unique(scored.start_ns // int(settings.block_h * HOUR_NS), return_inverse=True)
    return block.astype(np.int64)


def _intervals(
    scored: _Scored, settings: EvaluationSettings, gains: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Interval per event of rows of gains (Q, V), shape (Q, 2); the same draws whatever the rows."""
    block = _blocks(scored, settings)
    n_blocks = int(block.max()) + 1
    weight = scores.sum_by(block, scores.sum_by(scored.window, scored.count, scored.n_windows), n_blocks)
    folded = np.stack([scores.sum_by(block, row, n_blocks) for row in gains], axis=1)
    return scores.block_bootstrap(folded, weight, settings.resamples, settings.seed)


def _ablations(scored: _Scored, rates: dict[str, NDArray[np.float64]], bench: Bench) -> list[Ablation]:
    """The pool without each of its members, in the order of membership; none of a pool of one."""
    members, n = bench.settings.pool, scored.n_events
    base, full = (
        rates["B0"][scored.cells],
        _location_free(scored, rates["pool"][scored.cells], rates["B0"][scored.cells]),
    )
    out = []
    for name in members if len(members) > 1 else ():
        pooled, _ = pooled_rates(bench, rates, [other for other in members if other != name])
        part = pooled[scored.cells]
        ig = scores.information_gain(scored.count, part, base, scored.window, scored.n_windows)
        t = _location_free(scored, part, base)
        ends = _intervals(scored, bench.settings, (full - t)[None])[0]
        out.append(
            Ablation(
                without=name,
                ig=float(ig.sum() / n),
                t=float(t.sum() / n),
                t_lost=float((full - t).sum() / n),
                ci=(float(ends[0]), float(ends[1])),
            )
        )
    return out


def _fresh_scores(
    scored: _Scored, rates: NDArray[np.float64], fresh: NDArray[np.bool_]
) -> tuple[float, float]:
    """How well a model ranks the fresh cells: nats per event over their area, and densest over thinnest quarter."""
    count, lam, area = scored.count[fresh], rates[fresh], scored.covered[fresh]
    if not (count.sum() > 0 and lam.sum() > 0):
        return float("nan"), float("nan")
    together = np.zeros(len(count), dtype=np.int64)
    gain = float(scores.space_scores(count, lam, area, together, 1)[0] / count.sum())
    return gain, scores.density_ratio(count, lam, area)


def _by_share(values: NDArray[np.float64]) -> dict[str, float]:
    return {f"{share * 100:g}": float(value) for share, value in zip(_SHARES, values, strict=True)}


def _size_weighted(scored: _Scored, rates: dict[str, NDArray[np.float64]], name: str, bench: Bench) -> float:
    """Gain when an event counts as its capped notional over the mean capped notional."""
    mean = scored.capped.sum() / scored.n_events
    if not mean > 0:
        return float("nan")
    amounts = bench.cells.capped_usd / mean
    both = []
    for model in (name, "B0"):
        scaled = apply_gain(
            bench.cells.starts, rates[model], amounts, bench.hours, half_life_h=24.0, pseudo=20.0
        )
        both.append(scores.poisson_scores(amounts[scored.cells], scaled[scored.cells]).sum())
    return float((both[0] - both[1]) / amounts[scored.cells].sum())


def _hourly(scored: _Scored, rates: NDArray[np.float64], name: str, bench: Bench) -> Hourly:
    """Predicted events against observed notional per hour and side, over hours that are scored almost whole."""
    hour, index = np.unique(scored.start_ns // HOUR_NS, return_inverse=True)
    covered = np.bincount(index) * bench.windows.refresh_ns / HOUR_NS
    kept = covered >= min(_HOUR_SHARE, 1.0)
    group = 2 * index[scored.window] + scored.group % 2
    predicted = scores.sum_by(group, rates[scored.cells], 2 * len(hour)).reshape(-1, 2)[kept].ravel()
    observed = scores.sum_by(group, scored.usd, 2 * len(hour)).reshape(-1, 2)[kept].ravel()
    return Hourly(
        model=name,
        n=len(observed),
        spearman_usd=scores.rank_correlation(predicted, observed),
        r2_log_usd=scores.log_fit(predicted, observed),
    )


def _places(scored: _Scored, rates: NDArray[np.float64], name: str, bench: Bench) -> Places:
    """How events are spread over what a model expected of their places."""
    events = place_shares(scored.group, scored.count, rates[scored.cells], scored.n_windows)
    shares = events.sum(axis=0) / max(float(events.sum()), 1e-300)
    ends = _intervals(scored, bench.settings, events.T)
    even = np.arange(1, len(shares) + 1) / len(shares)
    return Places(
        model=name,
        shares=shares.tolist(),
        low=ends[:, 0].tolist(),
        high=ends[:, 1].tolist(),
        distance=float(np.abs(np.cumsum(shares) - even).max()),
    )


def _leave_out(scored: _Scored, rates: NDArray[np.float64], base: NDArray[np.float64]) -> list[LeaveOut]:
    """T of a model without each UTC day in turn."""
    gains = _location_free(scored, rates[scored.cells], base[scored.cells])
    events = scores.sum_by(scored.window, scored.count, scored.n_windows)
    day = scored.start_ns // DAY_NS
    out = []
    for value in np.unique(day):
        kept = day != value
        total = float(events[kept].sum())
        t = float(gains[kept].sum() / total) if total > 0 else float("nan")
        out.append(LeaveOut(day=format_time_ns(int(value) * DAY_NS)[:10], t=t))
    return out


def _days(scored: _Scored, rates: NDArray[np.float64]) -> list[DayTotal]:
    """Observed and predicted events per UTC day."""
    values, index = np.unique(scored.start_ns // DAY_NS, return_inverse=True)
    owner = index[scored.window]
    observed = scores.sum_by(owner, scored.count, len(values))
    predicted = scores.sum_by(owner, rates[scored.cells], len(values))
    return [
        DayTotal(day=format_time_ns(int(value) * DAY_NS)[:10], observed=float(o), predicted=float(p))
        for value, o, p in zip(values, observed, predicted, strict=True)
    ]
