"""How well the learner recovers a mix where its assumptions hold, and where one does not: judged by ``lines.toml``.

Run ``make bench-quality``, or this script. Positions are opened, closed and forced out one by one on a path that they
do not move; what is opened is told, as it is to the learner of a venue that publishes its trades. That is the setting
in which the lines were drawn. Worlds that move their own price and tell of openings by volume alone are in
``bench_worlds.py``. A figure is the mean over five seeds; figures go to ``results/recovery.json``.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import quality_lines

from faultline.evaluation.truth_scores import distance_w1, total_variation
from faultline.heatmap.ledger import LedgerParameters
from faultline.learning.bank import Hypothesis, star_bank
from faultline.learning.identify import IDENTIFIED_FROM
from faultline.learning.leverage import LeverageLearner
from faultline.learning.prior import generic_prior

sys.path.append(str(Path(__file__).resolve().parents[2]))
make_world = importlib.import_module("tests.learning.small_worlds").make_world

SEEDS = (1, 2, 3, 4, 5)
#: Six days of ten-second steps: some 6,000 liquidations, of which the learner's half-life of a day holds 1,500.
STEPS, STEP_SD, OPENS = 52_000, 5e-4, 0.5
HAZARD = 1.0 / 36.0
#: The product's grid; margins and lifetimes of the worlds, but for what a scenario changes.
KERNEL = LedgerParameters(
    margin_buffer_ratio=0.0, dispersion=0.05, hazard_per_hour_at_10x=HAZARD, hazard_exponent=0.5
)


@dataclasses.dataclass(frozen=True)
class Scenario:
    """What a world does other than its learner assumes."""

    hazard_factor: float = 1.0
    margin_noise: float = 0.0


SCENARIOS = {
    "as-assumed": Scenario(),
    "closes-x0.67": Scenario(hazard_factor=0.67),
    "closes-x1.5": Scenario(hazard_factor=1.5),
    "margins-noisy-10": Scenario(margin_noise=0.1),
    "margins-noisy-30": Scenario(margin_noise=0.3),
}


def true_mix() -> Any:
    """Three in five open around 3x, the others around 22x: shares of the grid, shape (L,)."""
    log_leverage = np.log(np.asarray(KERNEL.leverages))
    width = np.gradient(log_leverage)

    def lognormal(median: float, sd: float) -> Any:
        part = width * np.exp(-0.5 * ((log_leverage - math.log(median)) / sd) ** 2)
        return part / part.sum()

    return 0.4 * lognormal(22.0, 0.9) + 0.6 * lognormal(3.0, 0.5)


def recover(scenario: Scenario, seed: int) -> dict[str, Any]:
    """One world, learned from its first minute to its last."""
    true, leverages = true_mix(), np.asarray(KERNEL.leverages)
    world = make_world(
        seed,
        KERNEL.leverages,
        true,
        steps=STEPS,
        sigma=STEP_SD,
        opens=OPENS,
        hazard_per_h=HAZARD * scenario.hazard_factor,
        exponent=KERNEL.hazard_exponent,
        spread=scenario.margin_noise,
        margin=KERNEL.maintenance_ratio,
    )
    learner = LeverageLearner(
        bank=star_bank(Hypothesis(kernel=KERNEL)), prior=generic_prior(KERNEL.leverages)
    )
    learner.learn(world.bars, world.events)
    belief = learner.posterior()
    known = belief.iota > IDENTIFIED_FROM
    mine, theirs = (shares[known] / shares[known].sum() for shares in (belief.mix, true))
    low, high = belief.band(0.95)
    return {
        "events": len(world.events),
        "effective_events": belief.effective_events,
        "dispersion": belief.dispersion,
        "identified": leverages[known].tolist(),
        "tv": total_variation(mine, theirs),
        "w1": distance_w1(mine, theirs, leverages[known]),
        "covered": float(np.mean((low <= true) & (true <= high))),
    }


def figures_of(results: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, float]]:
    """Figures of every line, by scenario: means over the seeds."""

    def mean(scenario: str, key: str) -> float:
        return float(np.mean([row[key] for row in results[scenario]]))

    wrong = ("closes-x0.67", "closes-x1.5", "margins-noisy-10")
    return {
        "recovery-tv": {"as-assumed": mean("as-assumed", "tv")},
        "recovery-wrong-tv": {name: mean(name, "tv") for name in wrong},
        "recovery-wrong-coverage": {name: mean(name, "covered") for name in wrong},
        "recovery-noise30-w1": {"margins-noisy-30": mean("margins-noisy-30", "w1")},
        "recovery-noise30-coverage": {"margins-noisy-30": mean("margins-noisy-30", "covered")},
    }


def main() -> None:
    results = {}
    for name, scenario in SCENARIOS.items():
        results[name] = [recover(scenario, seed) for seed in SEEDS]
        for seed, row in zip(SEEDS, results[name], strict=True):
            print(name, seed, {key: np.round(value, 3).tolist() for key, value in row.items()}, flush=True)
    rows = quality_lines.judge("recovery", figures_of(results))
    sys.exit(not quality_lines.report("recovery", rows, results))


if __name__ == "__main__":
    main()
