"""Skill of the map in simulated worlds, where the truth is known: permanent scenarios, judged by ``lines.toml``.

Run ``make bench-quality``; figures go to ``results/simulated.json``. A missed gate makes the script fail. Scenario ids
are permanent: a scenario is never changed, only replaced by one with another id.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import quality_lines

from faultline.evaluation.evaluate import evaluate
from faultline.pipeline.parameters import PipelineParameters
from faultline.pipeline.replay import TapeReplay
from faultline.simulator import Simulation, load_world
from faultline.tape import Tape, TapeWriter
from faultline.units import DAY_NS, HOUR_NS, parse_time_ns

#: id: world, seed, days.
SCENARIOS = {"evaluation-s11-8d": ("evaluation", 11, 8), "evaluation-s12-8d": ("evaluation", 12, 8)}
#: Scenarios in which only the gain of the learned mixes is looked at: one venue, and seven.
LEARNING_SCENARIOS = {
    "well-specified-s11-6d": ("well-specified", 11, 6),
    "six-venues-s11-6d": ("six-venues", 11, 6),
}
START = parse_time_ns("2026-01-01")


def record(folder: Path, world: str, seed: int, days: int) -> Tape:
    simulation = Simulation(load_world(world), seed, START, keeps_truth=False)
    with TapeWriter(folder, simulated=True, world=world) as tape:
        for end in range(START + 6 * HOUR_NS, START + days * DAY_NS + 1, 6 * HOUR_NS):
            tape.append(simulation.advance(end))
    return Tape(folder)


def score(tape: Tape, *, learns: bool) -> dict[str, Any]:
    replay = TapeReplay(tape, "BTC", msgspec.structs.replace(PipelineParameters(), learns=learns))
    span = replay.span(None, None)
    frozen: list[object] = []
    replay.run(replay.shard(span.warm_ns), span, lambda outputs: frozen.extend(outputs.forecasts))
    report = evaluate(tape, "BTC", forecasts=frozen)
    models = {model.name: model for model in report.models}
    lead = next(d for d in report.differences if (d.a, d.b, d.metric) == ("map", "B4", "t"))
    return {
        "n_scored": report.n_scored,
        "t": {name: round(model.t, 4) for name, model in models.items()},
        "map_minus_b4_t": {"mean": lead.mean, "ci": lead.ci},
        "mirrored_ig": models["placebo_mirrored"].ig,
    }


def main() -> None:
    result, figures = {}, dict[str, dict[str, float]]()
    for name, (world, seed, days) in (SCENARIOS | LEARNING_SCENARIOS).items():
        with tempfile.TemporaryDirectory() as base:
            tape = record(Path(base) / "tape", world, seed, days)
            found, assumed = score(tape, learns=True), score(tape, learns=False)
        found["t_of_the_map_with_assumed_mixes"] = assumed["t"]["map"]
        result[name] = found
        print(name, json.dumps(found, indent=1), flush=True)
        gain = found["t"]["map"] - assumed["t"]["map"]
        figures.setdefault("simulated-learning-costs-little", {})[name] = gain
        if name in SCENARIOS:
            figures.setdefault("simulated-map-over-ages", {})[name] = found["map_minus_b4_t"]["ci"][0]
            figures.setdefault("simulated-mirrored", {})[name] = abs(found["mirrored_ig"])
    sys.exit(not quality_lines.report("simulated", quality_lines.judge("simulated", figures), result))


if __name__ == "__main__":
    main()
