"""The trade archive: bytes a row, decoding speed, one hour of one symbol, appending and sealing.

Prints a table, writes ``results/tape.json`` and exits with 1 where a gate does not hold. The gate on reading is by CPU
time, two cores' worth of it, so that it says the same on a busy machine; the wall stands beside it. Reading figures are
the best of the repeats, because other work on the machine only adds to them; the rest are medians.

    python benchmarks/speed/bench_tape.py [--rows 10000000] [--repeats 7]
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import trades as generator

from faultline.messages import Batch, Kind
from faultline.tape import Tape, TapeWriter
from faultline.units import HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = Path(__file__).parent / "results" / "tape.json"
COLUMNS = ("ts_received_ns", "price_usd", "qty_base", "taker_side")
APPEND_ROWS = 100_000


@dataclasses.dataclass(frozen=True)
class Figure:
    """One measured figure and its gate."""

    name: str
    value: float
    unit: str
    gate: float | None = None
    #: True where more is better.
    is_floor: bool = False

    @property
    def holds(self) -> bool:
        if self.gate is None:
            return True
        return self.value >= self.gate if self.is_floor else self.value <= self.gate


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--peak-of", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak_of is not None:
        return print_peak(options.peak_of)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, has_jitter in (("trades", False), ("trades, receive jitter", True)):
            path = Path(folder) / ("jitter" if has_jitter else "plain")
            rows = generator.generate_trades(options.rows, receive_jitter=has_jitter)
            figures += measure(path, name, rows, options.repeats)
        figures += peaks(Path(folder) / "plain")
        figures += latencies(Path(folder) / "latency")
    show(figures)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(summary(figures, options.rows), indent=2) + "\n")
    return 0 if all(figure.holds for figure in figures) else 1


def measure(path: Path, name: str, rows: np.ndarray, repeats: int) -> list[Figure]:
    """Write one tape and read it back in every way."""
    n_rows = len(rows)
    started = time.process_time()
    with TapeWriter(path, simulated=True, world="benchmark") as writer:
        for start in range(0, n_rows, APPEND_ROWS):
            writer.append([Batch(Kind.TRADE, generator.INSTRUMENT_ID, rows[start : start + APPEND_ROWS])])
    write_s = time.process_time() - started
    n_bytes = sum(file.stat().st_size for file in path.rglob("*.parquet"))
    tape = Tape(path)
    key = (Kind.TRADE, generator.INSTRUMENT_ID)
    if tape.read(*key).tobytes() != rows.tobytes():
        raise SystemExit("the tape does not give back what was written")
    columns_s = best(lambda: tape.read_columns(*key, COLUMNS), repeats)
    columns_cpu_s = min(timed(lambda: tape.read_columns(*key, COLUMNS), repeats, time.process_time))
    rows_s = best(lambda: tape.read(*key), repeats)
    stream_s = cpu(lambda: drain(tape), repeats)
    hours_s, n_hour = hours(tape, rows)
    return [
        Figure(f"{name}: size", n_bytes / n_rows, "B/row", 7.0),
        Figure(
            f"{name}: read price, qty, time, side",
            2 * n_rows / columns_cpu_s / 1e6,
            "M rows/s of 2",
            50.0,
            is_floor=True,
        ),
        Figure(f"{name}: the same, by the wall", n_rows / columns_s / 1e6, "M rows/s wall"),
        Figure(f"{name}: read whole rows", n_rows / rows_s / 1e6, "M rows/s wall"),
        Figure(f"{name}: stream by hours, CPU", stream_s / n_rows * 1e9, "ns/row"),
        Figure(f"{name}: symbol-hour p50 ({n_hour} rows)", hours_s * 1e3, "ms", 5.0),
        Figure(f"{name}: append and seal, CPU", write_s / n_rows * 1e9, "ns/row"),
    ]


def drain(tape: Tape) -> int:
    """Stream everything; returns the rows."""
    first_ns, last_ns = tape.span_ns()
    return sum(len(batch) for _, _, batches in tape.stream(first_ns, last_ns + 1) for batch in batches)


def hours(tape: Tape, rows: np.ndarray) -> tuple[float, int]:
    """Median over hours at random of the seconds to read one as columns; and rows in the median hour."""
    key = (Kind.TRADE, generator.INSTRUMENT_ID)
    times = rows["ts_received_ns"]
    n_hours = max(1, int((times[-1] - times[0]) // HOUR_NS))
    elapsed, sizes = [], []
    for hour in np.random.default_rng(5).integers(0, n_hours, 60):
        from_ns = int(times[0]) + int(hour) * HOUR_NS
        read = functools.partial(tape.read_columns, *key, COLUMNS, from_ns, from_ns + HOUR_NS)
        elapsed.append(best(read, 3))
        sizes.append(len(read()["price_usd"]))
    return statistics.median(elapsed), int(statistics.median(sizes))


def peaks(path: Path) -> list[Figure]:
    """Peak memory of processes that do nothing but open, read or stream the tape."""
    command = [sys.executable, __file__, "--peak-of", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    found = json.loads(result.stdout)
    return [
        Figure("stream by hours: peak memory over an idle process", found["stream_mb"], "MB"),
        Figure("read whole rows: peak memory of the process", found["read_mb"], "MB", 600.0),
    ]


def print_peak(path: Path) -> int:
    """Child process: peak memory after streaming, then after reading everything at once."""
    tape = Tape(path)
    idle_mb = peak_mb()
    drain(tape)
    stream_mb = peak_mb() - idle_mb
    tape.read(Kind.TRADE, generator.INSTRUMENT_ID)
    print(json.dumps({"stream_mb": stream_mb, "read_mb": peak_mb()}))
    return 0


def peak_mb() -> float:
    """Peak resident memory of this process; getrusage would count the parent's before the exec."""
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    )
    return int(line.split()[1]) / 1024


def latencies(path: Path) -> list[Figure]:
    """Wall time of one caller's appends of 200 rows each, until they are durable."""
    rows = generator.generate_trades(200_000)
    elapsed = []
    with TapeWriter(path, simulated=True, world="benchmark") as writer:
        for start in range(0, len(rows), 200):
            batch = Batch(Kind.TRADE, generator.INSTRUMENT_ID, rows[start : start + 200])
            started = time.perf_counter()
            writer.append([batch])
            elapsed.append(time.perf_counter() - started)
    p50_s, p99_s = np.quantile(elapsed, [0.5, 0.99])
    return [
        Figure("append 200 rows durably, p50", float(p50_s) * 1e3, "ms wall"),
        Figure("append 200 rows durably, p99", float(p99_s) * 1e3, "ms wall", 200.0),
    ]


def best(action: Callable[[], object], repeats: int) -> float:
    """Least wall seconds of ``action``."""
    return min(timed(action, repeats, time.perf_counter))


def cpu(action: Callable[[], object], repeats: int) -> float:
    """Median CPU seconds of ``action``."""
    return statistics.median(timed(action, repeats, time.process_time))


def timed(action: Callable[[], object], repeats: int, clock: Callable[[], float]) -> list[float]:
    """Seconds of each repeat of ``action`` by ``clock``, after one warm-up."""
    action()
    elapsed = []
    for _ in range(repeats):
        started = clock()
        action()
        elapsed.append(clock() - started)
    return elapsed


def show(figures: list[Figure]) -> None:
    for figure in figures:
        gate = "" if figure.gate is None else f"{'>=' if figure.is_floor else '<='} {figure.gate:g}"
        verdict = "" if figure.gate is None else ("holds" if figure.holds else "MISSED")
        print(f"{figure.name:<62} {figure.value:>9.2f} {figure.unit:<14} {gate:<8} {verdict}")


def summary(figures: list[Figure], n_rows: int) -> dict[str, object]:
    found = [
        {**dataclasses.asdict(figure), "value": round(figure.value, 3), "holds": figure.holds}
        for figure in figures
    ]
    return {"rows": n_rows, "cores": os.cpu_count(), "figures": found}


if __name__ == "__main__":
    sys.exit(main())
