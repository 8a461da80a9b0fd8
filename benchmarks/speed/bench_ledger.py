"""Ten million trades through the ledger, beside three plain ways to do the same work.

Five busy days of one pair: trades are binned into one-second bars; every bar fades the ledger, consumes what it
reached and deposits its volume over 14 leverages, two sides and 15 nodes; every minute a map column of 1,000 rows is
drawn. Times are CPU time of one thread, medians of the repeats; ``copy`` is ``np.copyto`` of the 32 bytes that a trade
is made of, measured in turn with the ledger, and is the portable yardstick.

The three twins do less than the ledger (no bars, exact times or nodes are dropped where noted) and run on a part of
the trades; their times per trade are stated for what they do.

Run ``python benchmarks/speed/bench_ledger.py``; figures go to ``results/ledger.json``.
"""

from __future__ import annotations

import math
import platform
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from numba import njit

sys.path.insert(0, str(Path(__file__).parent))

from published import publish
from trades import generate_trades

from faultline.heatmap.ledger import LEVERAGES, PATH_BAR, Ledger, LedgerParameters

SECOND_NS = 1_000_000_000
COLUMN_BARS_NS = 60 * SECOND_NS
PARAMETERS = LedgerParameters(leverages=LEVERAGES[:14], dispersion_nodes=15)
MIX = np.full(14, 1 / 14)
ROWS = {"first_row": 1_500, "n_rows": 1_000, "row_usd": 50.0}
GATES = {"ns_per_trade": 25.0, "aim_ns_per_trade": 15.0, "times_copy": 25.0}


@njit(cache=True, nogil=True)
def bars_kernel(times, prices, quantities, sides, bars):
    """One-second bars of trades, sorted by time, half of the notional to each side; returns their number."""
    n, second = -1, -1
    low = high = close = units = 0.0
    for i in range(times.shape[0]):
        price = prices[i]
        if times[i] // SECOND_NS != second:
            if n >= 0:
                bars[n].low_usd, bars[n].high_usd, bars[n].close_usd = low, high, close
                bars[n].units_long = bars[n].units_short = units
            n += 1
            second = times[i] // SECOND_NS
            bars[n].start_ns, bars[n].end_ns = second * SECOND_NS, (second + 1) * SECOND_NS
            low = high = price
            units = 0.0
        low, high, close = min(low, price), max(high, price), price
        units += 0.5 * price * quantities[i] * abs(sides[i])
    if n >= 0:
        bars[n].low_usd, bars[n].high_usd, bars[n].close_usd = low, high, close
        bars[n].units_long = bars[n].units_short = units
    return n + 1


def run_ledger(trades):
    """All of it; returns the ledger and its columns."""
    bars = np.zeros(int((trades["time"][-1] - trades["time"][0]) // SECOND_NS) + 2, dtype=PATH_BAR)
    bars = bars[: bars_kernel(trades["time"], trades["price"], trades["qty"], trades["side"], bars)]
    first = bars["end_ns"][0] // COLUMN_BARS_NS + 1
    ends = np.arange(first, bars["end_ns"][-1] // COLUMN_BARS_NS + 1) * COLUMN_BARS_NS
    ledger = Ledger([PARAMETERS])
    columns, _ = ledger.advance(bars, MIX, np.searchsorted(bars["end_ns"], ends, side="right"), **ROWS)
    return ledger, columns


def levels():
    """Log distances (2, 14, 15) and weights (15,) of the levels."""
    distance = np.minimum(PARAMETERS.distances(), 0.98)  # a long at 2x with a wide margin has no level
    return np.stack([np.log1p(-distance), np.log1p(distance)]), PARAMETERS.nodes()[1]


def as_rows(trades):
    """Python numbers of each trade."""
    return zip(*(trades[name].tolist() for name in ("time", "price", "qty")), strict=True)


def twin_dictionary(trades):
    """A dictionary of cells, a loop over everything: a first version. Decays all cells once a minute."""
    shifts, weights = levels()
    hazard = PARAMETERS.hazards_per_hour() / 60.0
    cells, minute = {}, trades["time"][0] // COLUMN_BARS_NS
    for time_ns, price, qty in as_rows(trades):
        if time_ns // COLUMN_BARS_NS != minute:
            minute = time_ns // COLUMN_BARS_NS
            for key in cells:
                cells[key] *= math.exp(-hazard[key[2]])
        place = math.log(price) / 5e-4
        here = math.floor(place)
        for side in (0, 1):
            for lev in range(14):
                for node in range(15):
                    key = (side, math.floor(place + shifts[side, lev, node] / 5e-4), lev)
                    cells[key] = cells.get(key, 0.0) + 0.5 * price * qty * weights[node]
        for key in [key for key in cells if (key[1] > here if key[0] == 0 else key[1] < here)]:
            del cells[key]
    return cells


def twin_numpy_per_trade(trades):
    """Dense arrays, one fancy-indexed addition per trade and side. Decays once a minute."""
    shifts, weights = levels()
    hazard = PARAMETERS.hazards_per_hour() / 60.0
    first = math.floor(math.log(trades["price"][0]) / 5e-4) - 4096
    mass = np.zeros((2, 8192, 14))
    lanes = np.repeat(np.arange(14), 15)
    minute = trades["time"][0] // COLUMN_BARS_NS
    for time_ns, price, qty in as_rows(trades):
        if time_ns // COLUMN_BARS_NS != minute:
            minute = time_ns // COLUMN_BARS_NS
            mass *= np.exp(-hazard)
        place = math.log(price) / 5e-4 - first
        here = math.floor(place)
        for side in (0, 1):
            index = np.clip(np.floor(place + shifts[side] / 5e-4).astype(np.int64), 0, 8191)
            np.add.at(mass[side], (index.ravel(), lanes), np.tile(0.5 * price * qty * weights, 14))
        mass[0, here + 1 :] = 0.0
        mass[1, :here] = 0.0
    return mass


def twin_numpy_batch(trades):
    """Whole minutes at once: a histogram of entries, then shifted additions. Levels in a minute's range go."""
    shifts, weights = levels()
    hazard = PARAMETERS.hazards_per_hour() / 60.0
    first = math.floor(math.log(trades["price"][0]) / 5e-4) - 4096
    mass = np.zeros((2, 14, 8192))
    offsets = np.floor(shifts / 5e-4).astype(np.int64)
    cut = np.flatnonzero(np.diff(trades["time"] // COLUMN_BARS_NS)) + 1
    for part in np.split(np.arange(len(trades["time"])), cut):
        bucket = np.floor(np.log(trades["price"][part]) / 5e-4).astype(np.int64) - first
        low, high = int(bucket.min()), int(bucket.max())
        units = np.bincount(bucket - low, 0.5 * trades["price"][part] * trades["qty"][part])
        mass *= np.exp(-hazard)[None, :, None]
        mass[0, :, low + 1 :] = 0.0
        mass[1, :, :high] = 0.0
        for side in (0, 1):
            for lev in range(14):
                for node in range(15):
                    begin = low + int(offsets[side, lev, node])
                    if begin >= 0 and begin + len(units) <= 8192:
                        mass[side, lev, begin : begin + len(units)] += units * weights[node]
    return mass


def cpu_ns(action, n, repeats):
    """Median CPU nanoseconds per trade."""
    times = []
    for _ in range(repeats):
        started = time.process_time_ns()
        action()
        times.append((time.process_time_ns() - started) / n)
    return statistics.median(times)


def measure(n_trades=10_000_000, repeats=5):
    """All figures as one dictionary."""
    rows = generate_trades(n_trades, seed=1)
    trades = {
        "time": rows["ts_received_ns"].copy(),
        "price": rows["price_usd"].copy(),
        "qty": rows["qty_base"].copy(),
        "side": rows["taker_side"].astype(np.float64),
    }
    part = {name: values[:50_000] for name, values in trades.items()}
    run_ledger(part)  # compiles or loads the kernels
    source, target = np.zeros(n_trades * 4), np.zeros(n_trades * 4)
    ours, copies = [], []
    for _ in range(repeats):
        ours.append(cpu_ns(lambda: run_ledger(trades), n_trades, 1))
        copies.append(cpu_ns(lambda: np.copyto(target, source), n_trades, 3))
    ledger, columns = run_ledger(trades)
    book = {name: float(values.sum()) for name, values in ledger.accounts().items()}
    small = {name: values[:300] for name, values in trades.items()}
    medium = {name: values[:3_000] for name, values in trades.items()}
    large = {name: values[:200_000] for name, values in trades.items()}
    twins = {
        "dictionary": (twin_dictionary, small),
        "numpy per trade": (twin_numpy_per_trade, medium),
        "numpy per minute": (twin_numpy_batch, large),
    }
    ns = statistics.median(ours)
    copy_ns = statistics.median(copies)
    slow = {name: cpu_ns(lambda f=f, t=t: f(t), len(t["time"]), 3) for name, (f, t) in twins.items()}
    return {
        "trades": n_trades,
        "columns": len(columns),
        "ns_per_trade": ns,
        "ns_per_trade_runs": ours,
        "copy_ns_per_trade": copy_ns,
        "times_copy": ns / copy_ns,
        "trades_per_s": 1e9 / ns,
        "twins_ns_per_trade": slow,
        "times_faster": {name: value / ns for name, value in slow.items()},
        "twin_trades": {name: len(t["time"]) for name, (_, t) in twins.items()},
        "units": book,
        "units_lost": 1
        - (book["standing"] + book["decayed"] + book["swept"] + book["skipped"]) / book["deposited"],
        "state_mb": sum(values.nbytes for values in ledger.state().values()) / 1e6,
        "gates": GATES,
        "passed": bool(ns <= GATES["ns_per_trade"] and ns / copy_ns <= GATES["times_copy"]),
        "machine": f"{platform.machine()} {platform.processor()}".strip(),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(publish("ledger", measure()))
