"""How fast the simulator runs: the live world in small steps of time, ten days of the evaluation world, and
worlds with many venues and with order books.

Run ``python benchmarks/speed/bench_simulator.py``; figures go to ``results/simulator.json``. CPU time of one process,
median of the runs; compiling is not counted.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

from faultline.simulator import Simulation, load_world
from faultline.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, parse_time_ns

START_NS = parse_time_ns("2026-01-05")
#: World, length, length of one call of advance, whether the truth is kept.
CASES = (
    ("three-assets", HOUR_NS // 2, SECOND_NS // 4, False),
    ("three-assets", HOUR_NS, SECOND_NS, False),
    ("three-assets", 4 * HOUR_NS, MINUTE_NS, False),
    ("evaluation", 10 * DAY_NS, HOUR_NS, True),
    ("six-venues", 2 * DAY_NS, HOUR_NS, True),
    ("thin-book", 2 * DAY_NS, HOUR_NS, False),
)
N_RUNS = 3


def measure(name: str, length_ns: int, call_ns: int, keeps_truth: bool) -> dict[str, float]:
    begun = time.process_time()
    simulation = Simulation(load_world(name), 1, START_NS, keeps_truth=keeps_truth)
    warm_s = time.process_time() - begun
    begun = time.process_time()
    rows = 0
    for moment in range(START_NS + call_ns, START_NS + length_ns + 1, call_ns):
        rows += sum(len(batch) for batch in simulation.advance(moment))
    cpu_s = time.process_time() - begun
    return {"warm_up_s": warm_s, "cpu_s": cpu_s, "rows": rows, "times_real": length_ns / 1e9 / cpu_s}


def main() -> int:
    for name, *_ in CASES:
        Simulation(load_world(name), 1, START_NS).advance(START_NS + MINUTE_NS)
    results = []
    for name, length_ns, call_ns, keeps_truth in CASES:
        runs = [measure(name, length_ns, call_ns, keeps_truth) for _ in range(N_RUNS)]
        medians = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        results.append(
            {"world": name, "hours": length_ns / HOUR_NS, "call_s": call_ns / SECOND_NS, **medians}
        )
        length, call = f"{length_ns / HOUR_NS:.1f} h", f"{call_ns / SECOND_NS:g} s"
        print(
            f"{name}: {length} in calls of {call} took {medians['cpu_s']:.2f} s CPU, "
            f"{medians['times_real']:,.0f} x real time; warm-up {medians['warm_up_s']:.2f} s"
        )
    target = Path(__file__).parent / "results" / "simulator.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(
        json.dumps({"benchmark": "simulator", "runs": N_RUNS, "cases": results}, indent=2) + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
