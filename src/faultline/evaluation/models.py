"""Exposures and events per cell in, the rate of every model in every cell, known before its window, out.

The models and what each is for are in ``docs/concepts/evaluation.md``; ``MEANINGS`` has one sentence each.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.errors import RequestError
from faultline.evaluation.exposures import Track, blur_cells, deposit_share, expected_inflow, expose
from faultline.evaluation.frozen_map import expose_frozen
from faultline.heatmap.grid import bucket_of, bucket_position
from faultline.heatmap.ledger import LEVERAGES, LedgerParameters
from faultline.learning.age_table import AGE_EDGES_MIN, BEHIND, AgeTable, age_class
from faultline.learning.mixes import smooth_prior, spikes
from faultline.learning.newton import filter_rates
from faultline.learning.pool import apply_gain, linear_pool
from faultline.units import HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from faultline.evaluation.frozen_map import FrozenMap
    from faultline.evaluation.report import EvaluationSettings
    from faultline.evaluation.windows import Cells, Windows

__all__ = (
    "FRESH_MIN",
    "MEANINGS",
    "Bench",
    "all_rates",
    "base_rates",
    "burned_windows",
    "kernel_parameters",
    "pooled_rates",
)

#: One sentence per model, in the order of the report.
MEANINGS: Final[dict[str, str]] = {
    "map": "The engine's frozen map.",
    "map+inflow": "The map beside what opens inside the window and is forced out in it, given the range.",
    "levels": "The given file of levels.",
    "pool": "Linear pool of map, B2, B4, learned+inflow and ages+inflow, weighted by discounted score.",
    "pool15m": "The pool times a gain with 15 minutes of memory: the full engine.",
    "learned+inflow": "learned, plus what opens inside the window and is forced out in it, given the range.",
    "ages+inflow": "B3h with that inflow, beside the rates of B4.",
    "learned+assumed": "learned+inflow with a range assumed at issue: what a map can draw.",
    "learned": "The kernel of B3h with a leverage mix learned online.",
    "B4": "Rates by age since price was last there, and one behind it: freshness alone, the baseline to beat.",
    "B3h": "Kernel with a fixed smooth mix around 50x.",
    "B3": "Kernel with a fixed smooth mix around 10x.",
    "B2": "Kernel with equal spikes at 10, 25, 50 and 100x.",
    "B2c": "Equal spikes, open-interest growth deposited, consumed by price, no voluntary closes.",
    "B2n": "Equal spikes, open-interest growth deposited, never consumed, fading over 3.5 days.",
    "B1": "Volume profile: how often price was there, fading over 48 hours.",
    "B0f": "Three rates: ahead and just visited, ahead, behind.",
    "B0d": "Two rates: ahead of price and behind it.",
    "B0r": "B0 times a gain with 30 minutes of memory.",
    "B0": "One rate per swept area: the reference of all scores.",
    "placebo_mirrored": "B3h with longs and shorts exchanged: must score about 0.",
    "placebo_shifted": "B3h with deposits seven days late: must score below the map.",
}
#: Zones ahead of the price that it did not visit for so long are fresh: freshness alone says least about them.
FRESH_MIN: Final = 480.0
#: Share of the burn-in's events that a map is given beforehand, beside a uniform rate and beside the age table.
_KERNEL_SHARE: Final = 0.9
_KERNEL_SHARE_OF_AGES: Final = 0.8
#: Share of the inflow beside a map in money.
_INFLOW_SHARE: Final = 0.2
_NO_CLOSES: Final = 1e-12
_STATIC_FADE_H: Final = 84.0
_PROFILE_HALF_LIFE_H: Final = 48.0


@dataclasses.dataclass(frozen=True, slots=True)
class Bench:
    """What all models are fitted on.

    Attributes:
        windows: all windows.
        cells: swept cells of the scored and the burn-in windows.
        burned: number of leading scored windows that only set the scale.
        settings: constants of the protocol.
        location_ratio: maintenance ratio of the location rule.
    """

    windows: Windows
    cells: Cells
    burned: int
    settings: EvaluationSettings
    location_ratio: float

    @property
    def hours(self) -> NDArray[np.float64]:
        """Recorded hours of each window of the cells, shape (V,)."""
        return np.full(len(self.cells.window), self.windows.refresh_ns / HOUR_NS)

    def fit(self, exposure: NDArray[np.float64], shape: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rates of the Newton filter on columns ``exposure`` (C, K) with prior rates in proportion to ``shape`` (K,).

        The prior's scale is such that the burn-in's total is right.
        """
        burned = int(self.cells.starts[self.burned])
        events = max(float(self.cells.count[:burned].sum()), 1.0)
        expected = float((exposure[:burned] @ shape).sum())
        prior = np.log(np.maximum(shape * events / max(expected, 1e-12), 1e-12))
        cells, newton = self.cells, self.settings.newton
        return np.asarray(filter_rates(cells.starts, exposure, cells.count, self.hours, prior, newton).rates)

    def fit_map(
        self,
        heat: NDArray[np.float64],
        mix: NDArray[np.float64],
        beside: NDArray[np.float64] | None = None,
        share: float = _KERNEL_SHARE,
    ) -> NDArray[np.float64]:
        """Rates of kernel columns ``heat`` (C, L) blurred, plus columns beside them; the mix is the prior's shape.

        Beside them stands a uniform column, unless others (C, K), blurred already, are given. The kernel is expected to
        hold ``share`` of the burn-in's events.
        """
        blurred = blur_cells(self.cells, heat)
        rest = self.cells.covered_ratio[:, None] if beside is None else beside
        burned = int(self.cells.starts[self.burned])
        kernel, area = float((blurred[:burned] @ mix).sum()), float(rest[:burned].sum())
        known = mix * (share / kernel if kernel > 0 else 1.0)
        others = np.full(rest.shape[1], (1 - share) / max(area, 1e-12))
        return self.fit(np.column_stack([blurred, rest]), np.concatenate([known, others]))

    def fit_fixed(self, heat: NDArray[np.float64], mix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rates of [map, uniform], the map being ``heat @ mix``."""
        return self.fit_map((heat @ mix)[:, None], np.ones(1))


def burned_windows(windows: Windows, cells: Cells, hours: float) -> int:
    """Leading windows that lie within the first recorded ``hours``."""
    return min(int(hours * HOUR_NS) // windows.refresh_ns, len(cells.window))


def base_rates(cells: Cells) -> NDArray[np.float64]:
    """B0: all events so far over all swept area so far, shape (C,); at least half an event is assumed."""
    owner = np.repeat(np.arange(len(cells.window)), np.diff(cells.starts))
    events = np.bincount(owner, cells.count, len(cells.window))
    area = np.bincount(owner, cells.covered_ratio, len(cells.window))
    before = np.maximum(np.cumsum(events) - events, 0.5)
    swept = np.cumsum(area) - area
    rate: NDArray[np.float64] = before / np.where(swept > 0, swept, np.maximum(area, 1e-12))
    rates: NDArray[np.float64] = rate[owner] * cells.covered_ratio
    return rates


def all_rates(
    bench: Bench,
    forecasts: list[FrozenMap] | None,
    levels: list[FrozenMap] | None,
    progress: Callable[[float, float, str], None] | None = None,
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.bool_], list[str]]:
    """Rates per model, shape (C,) each, in the order of ``MEANINGS``; which cells are fresh; warnings.

    Fresh cells lie ahead of the price and were not visited for ``FRESH_MIN`` minutes; shape (C,).
    """

    def tell(done: float, label: str) -> None:
        if progress is not None:
            progress(done, 12.0, label)

    cells, settings, warnings = bench.cells, bench.settings, list[str]()
    tracks, missing = _tracks(bench)
    names = list(tracks)
    heats = dict(
        zip(
            names,
            expose(bench.windows, cells, list(tracks.values()), lambda done: tell(done, "ledgers")),
            strict=True,
        )
    )
    if missing:
        warnings.append("no open interest on the tape: B2n and B2c deposit nothing and equal a constant rate")
    centre = smooth_prior(LEVERAGES, settings.mix_centre, settings.mix_sd)
    low = smooth_prior(LEVERAGES, settings.mix_centre_low, settings.mix_sd)
    spiky = spikes(LEVERAGES)
    rates: dict[str, NDArray[np.float64]] = {}
    drawn = (
        (heats["engine"] @ centre)[:, None]
        if forecasts is None
        else expose_frozen(bench.windows, cells, forecasts)
    )
    rates["map"] = bench.fit_fixed(drawn, np.ones(1))
    if levels is not None:
        rates["levels"] = bench.fit_fixed(expose_frozen(bench.windows, cells, levels), np.ones(1))
    tell(7, "fit")
    rates["B3h"] = bench.fit_fixed(heats["kernel"], centre)
    rates["B3"] = bench.fit_fixed(heats["kernel"], low)
    rates["B2"] = bench.fit_fixed(heats["kernel"], spiky)
    rates["B2c"] = bench.fit_fixed(heats["swept spikes"], spiky)
    rates["B2n"] = bench.fit_fixed(heats["static spikes"], spiky)
    rates["placebo_shifted"] = bench.fit_fixed(heats["shifted"], centre)
    rates["placebo_mirrored"] = bench.fit_fixed(_mirrored(cells, heats["kernel"]), centre)
    tell(9, "learn")
    rates["learned"] = bench.fit_map(heats["kernel"], centre)
    paths, ages, fresh = _path_rates(bench)
    rates.update(paths)
    rates.update(_inflow_rates(bench, heats["kernel"], drawn, ages, centre))
    rates["B0"] = base_rates(cells)
    rates["B0r"] = apply_gain(
        cells.starts, rates["B0"], cells.count, bench.hours, half_life_h=0.5, pseudo=5.0
    )
    tell(11, "pool")
    rates["pool"], rates["pool15m"] = pooled_rates(bench, rates, settings.pool)
    return {name: rates[name] for name in MEANINGS if name in rates}, fresh, warnings


def pooled_rates(
    bench: Bench, rates: dict[str, NDArray[np.float64]], members: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Linear pool of the named models, and the same times a gain with 15 minutes of memory, shape (C,) each.

    Raises:
        RequestError: a member is no model, or there is none.
    """
    unknown = [name for name in members if name not in rates]
    if unknown or not members:
        message = f"no pool of {list(members)}: {', '.join(unknown) or 'nothing'} is no model"
        raise RequestError(message, where="pool", hint=f"models are {', '.join(rates)}")
    cells, hours = bench.cells, bench.hours
    pooled, _ = linear_pool(cells.starts, np.stack([rates[name] for name in members]), cells.count, hours)
    return pooled, apply_gain(cells.starts, pooled, cells.count, hours, half_life_h=0.25, pseudo=5.0)


def _inflow_rates(
    bench: Bench,
    heat: NDArray[np.float64],
    drawn: NDArray[np.float64],
    ages: NDArray[np.float64],
    mix: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """Models that expect what opens inside the window.

    Args:
        bench: what they are fitted on.
        heat: units of the kernel, shape (C, L).
        drawn: amounts of the map, shape (C, 1).
        ages: columns of the age table, shape (C, K).
        mix: prior of the leverages, shape (L,).
    """
    covered, issued = expected_inflow(
        bench.windows, bench.cells, kernel_parameters(bench.settings, bench.location_ratio)
    )
    seen = ((heat + covered) @ mix)[:, None]
    # The map is in money and the inflow in units, so it has a rate of its own.
    beside = np.column_stack([drawn, covered @ mix])
    held = np.maximum(beside[: int(bench.cells.starts[bench.burned])].sum(axis=0), 1e-12)
    return {
        "map+inflow": bench.fit_map(beside, np.array([1.0 - _INFLOW_SHARE, _INFLOW_SHARE]) / held),
        "learned+inflow": bench.fit_map(heat + covered, mix),
        "ages+inflow": bench.fit_map(seen, np.ones(1), ages, _KERNEL_SHARE_OF_AGES),
        "learned+assumed": bench.fit_map(heat + issued, mix),
    }


def kernel_parameters(settings: EvaluationSettings, location_ratio: float) -> LedgerParameters:
    """The kernel's ledger."""
    return LedgerParameters(
        maintenance_ratio=location_ratio, margin_buffer_ratio=settings.kernel_buffer_ratio
    )


def _tracks(bench: Bench) -> tuple[dict[str, Track], bool]:
    """Ledgers to run, and whether there is no open interest."""
    settings, ratio = bench.settings, bench.location_ratio
    kernel = kernel_parameters(settings, ratio)
    static, eternal = (
        LedgerParameters(
            maintenance_ratio=ratio,
            margin_buffer_ratio=0.0,
            hazard_per_hour_at_10x=hazard,
            hazard_exponent=0.0,
            dispersion=0.0,
        )
        for hazard in (1 / _STATIC_FADE_H, _NO_CLOSES)
    )
    deposits = deposit_share(bench.windows)
    late = min(round(settings.placebo_shift_h * HOUR_NS / bench.windows.refresh_ns), len(deposits["range"]))
    shifted = np.concatenate([np.zeros(late), deposits["range"][: len(deposits["range"]) - late]])
    tracks = {
        "kernel": Track(kernel, deposits["range"]),
        "engine": Track(kernel, deposits["volume"]),
        "static spikes": Track(static, deposits["oi_increase"], consumes=False),
        "swept spikes": Track(eternal, deposits["oi_increase"]),
        "shifted": Track(kernel, shifted),
    }
    return tracks, not deposits["oi_increase"].any()


def _mirrored(cells: Cells, heat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Heat with the sides of each window exchanged: the rows of its longs and of its shorts change places."""
    width = np.diff(cells.starts) // 2
    owner = np.repeat(np.arange(len(width)), np.diff(cells.starts))
    index = np.arange(len(heat)) + np.where(cells.side == 0, 1, -1) * width[owner]
    mirrored: NDArray[np.float64] = heat[index]
    return mirrored


def _path_rates(
    bench: Bench,
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64], NDArray[np.bool_]]:
    """Models that know only where price has been: B0d, B0f, B1, B4; the columns of B4, blurred; the fresh cells."""
    cells = bench.cells
    ages, ahead, visits = _visited(bench.windows, cells)
    recent = np.where(ahead, np.where(ages == 0, 0, 1), 2)
    columns = {
        name: blur_cells(cells, np.eye(size)[index] * cells.covered_ratio[:, None])
        for name, index, size in (
            ("B0d", np.where(ahead, 0, 1), 2),
            ("B0f", recent, 3),
            ("B4", np.where(ahead, ages, BEHIND), BEHIND + 1),
        )
    }
    rates = {name: bench.fit(values, np.ones(values.shape[1])) for name, values in columns.items()}
    profile = (visits * cells.covered_ratio)[:, None]
    rates["B1"] = bench.fit_fixed(profile, np.ones(1))
    fresh = ahead & (ages > AGE_EDGES_MIN.index(FRESH_MIN))
    return rates, columns["B4"], fresh


def _visited(
    windows: Windows, cells: Cells
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64]]:
    """Age class, whether ahead of the window's open, and fading count of visits of each cell."""
    table = AgeTable()
    ages = np.zeros(len(cells.bucket), dtype=np.int64)
    ahead = np.zeros(len(cells.bucket), dtype=np.bool_)
    visits = np.zeros(len(cells.bucket))
    known = np.isfinite(windows.low_usd)
    ends = bucket_of(np.stack([windows.low_usd[known], windows.high_usd[known]]))
    base = int(ends[0].min())
    count = np.zeros(int(ends[1].max()) - base + 1)
    fade = 2.0 ** (-windows.refresh_ns / HOUR_NS / _PROFILE_HALF_LIFE_H)
    opened = bucket_position(windows.open_usd)
    slot = np.full(len(known), -1, dtype=np.int64)
    slot[cells.window] = np.arange(len(cells.window))
    for w in range(len(known)):
        if slot[w] >= 0:
            row = slice(int(cells.starts[slot[w]]), int(cells.starts[slot[w] + 1]))
            bucket, side = cells.bucket[row], cells.side[row]
            start = int(windows.start_ns[w])
            here = int(np.floor(opened[w]))
            classes = age_class(table.ages_min(bucket, start), side, bucket, here)
            ahead[row] = classes != BEHIND
            ages[row] = classes
            visits[row] = count[bucket - base]
        count *= fade
        if known[w]:
            low, high = float(windows.low_usd[w]), float(windows.high_usd[w])
            table.visit(low, high, int(windows.start_ns[w]) + windows.refresh_ns)
            first, last = bucket_of(low), bucket_of(high)
            count[first - base : last + 1 - base] += 1.0
    return ages, ahead, visits
