"""The result of an evaluation as plain values: what the CLI prints, the API serves and the HTML page shows."""

from __future__ import annotations

import hashlib
import math
from typing import Final

import msgspec

from faultline.learning.newton import NewtonSettings

__all__ = (
    "POOLED",
    "Ablation",
    "DayTotal",
    "Difference",
    "EvaluationReport",
    "EvaluationSettings",
    "Hourly",
    "LeaveOut",
    "ModelScore",
    "Places",
    "SweptArea",
)

#: Members of the pool.
POOLED: Final = ("map", "B2", "B4", "learned+inflow", "ages+inflow")


class EvaluationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Constants of the protocol; their hash is part of every report.

    Attributes:
        kernel_buffer_ratio: added to the location rule's maintenance ratio for the kernels' margin distance.
        mix_centre: median leverage of the engine's and of B3h's mix; B3's is ``mix_centre_low``.
        mix_centre_low: see above.
        mix_sd: deviation of log leverage of both.
        newton: the online filter of every fitted model.
        cap_usd: cap of a single event in size-weighted scores.
        burn_in_single_h: recorded hours that are not scored where one venue reports.
        burn_in_many_h: the same where several do.
        warm_h: most hours of path before the span that fill the ledgers.
        block_h: length of a bootstrap block.
        resamples: bootstrap draws.
        seed: of the draws.
        placebo_shift_h: by how much the shifted placebo's deposits are late.
        pool: members of the pool.
    """

    kernel_buffer_ratio: float = 0.001
    mix_centre: float = 50.0
    mix_centre_low: float = 10.0
    mix_sd: float = 1.0
    newton: NewtonSettings = msgspec.field(default_factory=NewtonSettings)
    cap_usd: float = 100_000.0
    burn_in_single_h: float = 12.0
    burn_in_many_h: float = 6.0
    warm_h: float = 60.0 * 24.0
    block_h: float = 6.0
    resamples: int = 400
    seed: int = 20_260_101
    placebo_shift_h: float = 7.0 * 24.0
    pool: tuple[str, ...] = POOLED

    def sha256(self) -> str:
        """Hash of the canonical JSON form."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


class ModelScore(msgspec.Struct, frozen=True, kw_only=True):
    """Scores of one model, in nats per event over B0 unless said otherwise.

    Attributes:
        name: model.
        meaning: one sentence.
        ig: with locations.
        t: without locations: per window and side.
        space: of the place inside a window, given its count.
        igcap: weighted by capped size.
        ci: 95 % interval of ``ig``.
        ci_t: 95 % interval of ``t``.
        n_ratio: predicted over observed events.
        concentration: share of events in the densest 1, 5 and 10 % of the swept area.
        concentration_usd: the same of notional.
        curve: share of events in the densest part, at each of ``EvaluationReport.curve_shares``.
        fresh_rank: of the place among all fresh cells (ahead, unvisited for eight hours), given their count.
        fresh_ratio: events per area in the quarter of the fresh area that is predicted densest, over the thinnest.
    """

    name: str
    meaning: str
    ig: float
    t: float
    space: float
    igcap: float
    ci: tuple[float, float]
    ci_t: tuple[float, float]
    n_ratio: float
    concentration: dict[str, float]
    concentration_usd: dict[str, float]
    curve: list[float]
    fresh_rank: float = math.nan
    fresh_ratio: float = math.nan


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Score of ``a`` minus score of ``b`` with its 95 % interval; ``metric`` is ``ig`` or ``t``."""

    a: str
    b: str
    metric: str
    mean: float
    ci: tuple[float, float]


class Ablation(msgspec.Struct, frozen=True, kw_only=True):
    """The pool without one member: scores, and T of the full pool minus its T with a 95 % interval."""

    without: str
    ig: float
    t: float
    t_lost: float
    ci: tuple[float, float]


class Hourly(msgspec.Struct, frozen=True, kw_only=True):
    """Predicted against observed notional per hour and side: ``n`` such hours."""

    model: str
    n: int
    spearman_usd: float
    r2_log_usd: float


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Where events lay in what price swept, beside where a model expected them.

    Attributes:
        model: name.
        shares: share of the events in each tenth of what was expected, from the near end of what was swept to the far
            one; 0.1 each where places are as foretold.
        low: lower ends of their 95 % intervals.
        high: upper ends.
        distance: largest gap between the summed shares and the even ones (Kolmogorov).
    """

    model: str
    shares: list[float]
    low: list[float]
    high: list[float]
    distance: float


class LeaveOut(msgspec.Struct, frozen=True, kw_only=True):
    """T of the map when a UTC day is left out."""

    day: str
    t: float


class SweptArea(msgspec.Struct, frozen=True, kw_only=True):
    """Swept area of the scored windows in basis points, by side."""

    long: float
    short: float


class DayTotal(msgspec.Struct, frozen=True, kw_only=True):
    """Events observed and predicted by the map on a UTC day."""

    day: str
    observed: float
    predicted: float


class EvaluationReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an evaluation found. Times in nanoseconds; NaN where a number is not defined."""

    asset: str
    reference_id: str
    event_ids: list[str]
    simulated: bool
    from_ns: int
    to_ns: int
    refresh_s: float
    n_events_raw: int
    n_scored: int
    excluded: dict[str, int]
    windows: int
    blocks: int
    burn_in_s: float
    swept_bp: SweptArea
    location_rule: str
    params_sha256: str
    forecast_chain_sha256: str
    map_source: str
    models: list[ModelScore]
    differences: list[Difference]
    hourly: Hourly
    hourly_models: list[Hourly]
    leave_out: list[LeaveOut]
    days: list[DayTotal]
    curve_shares: list[float]
    warnings: list[str]
    ablations: list[Ablation] = []
    places: list[Places] = []
    n_fresh: int = 0
