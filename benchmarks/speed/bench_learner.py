"""The leverage learner per event, per hypothesis and per quiet minute, beside a plain numpy filter.

A market of 14 leverages with 40 liquidations a minute is learned in windows of one minute: with one hypothesis, and
with the full bank of 13 members over 11 kernels. Time per event is what a minute with events costs more than the same
minute without; time per window is the minute without. The twin does the same sums with one numpy call per event. CPU
of one thread, medians of the repeats.

Run ``python benchmarks/speed/bench_learner.py``; figures go to ``results/learner.json``.
"""

from __future__ import annotations

import platform
import statistics
import sys
import time

import numpy as np
from published import publish

from faultline.heatmap.ledger import LEVERAGES, PATH_BAR, LedgerParameters
from faultline.learning.bank import Hypothesis, star_bank
from faultline.learning.leverage import LeverageLearner
from faultline.learning.reporting import EVENT

MINUTE_NS = 60_000_000_000
MINUTES = 1_440
EVENTS_PER_MINUTE = 40
INCUMBENT = Hypothesis(kernel=LedgerParameters(leverages=LEVERAGES[:14]))
GATES = {"us_per_event_and_hypothesis": 0.5, "us_per_event_full_bank": 10.0, "mb_per_instrument": 5.4}


def market(seed=1):
    """A day of minute bars and its events, prices drawn over each bar's range."""
    rng = np.random.default_rng(seed)
    price = 60_000 * np.exp(np.concatenate([[0.0], np.cumsum(rng.standard_normal(MINUTES) * 8e-4)]))
    bars = np.zeros(MINUTES, dtype=PATH_BAR)
    bars["start_ns"] = 1_760_000_400_000_000_000 + np.arange(MINUTES) * MINUTE_NS
    bars["end_ns"] = bars["start_ns"] + MINUTE_NS
    bars["low_usd"] = np.minimum(price[:-1], price[1:]) * 0.9995
    bars["high_usd"] = np.maximum(price[:-1], price[1:]) * 1.0005
    bars["close_usd"] = price[1:]
    bars["units_long"] = bars["units_short"] = rng.lognormal(0, 0.5, MINUTES)
    n = MINUTES * EVENTS_PER_MINUTE
    bar = np.sort(rng.integers(0, MINUTES, n))
    events = np.zeros(n, dtype=EVENT)
    events["time_ns"] = np.sort(bars["start_ns"][bar] + rng.integers(0, MINUTE_NS, n))
    part = rng.random(n)
    events["trigger_usd"] = bars["low_usd"][bar] * (1 - part) + bars["high_usd"][bar] * part
    events["side"], events["count"] = rng.integers(0, 2, n), 1.0
    events["notional_usd"] = rng.lognormal(8, 1.5, n)
    return bars, events


def run(bank, bars, events):
    """CPU seconds to learn, and the learner."""
    learner = LeverageLearner(bank=bank)
    start = time.process_time()
    learner.learn(bars, events)
    return time.process_time() - start, learner


def numpy_per_event(n_events=4_000, size=15):
    """Microseconds per event of the same sums, one numpy call after the other."""
    rng = np.random.default_rng(2)
    rows, theta = rng.random((n_events, size)), rng.random(size)
    start = time.process_time()
    for n in range(0, n_events, EVENTS_PER_MINUTE):
        gradient, information, precision = np.zeros(size), np.zeros((size, size)), np.eye(size)
        for row in rows[n : n + EVENTS_PER_MINUTE]:
            share = theta * row
            share /= share.sum()
            gradient += share
            information += np.outer(share, share)
        np.linalg.solve(precision + information, gradient)
    return (time.process_time() - start) / n_events * 1e6


def measure(repeats=7):
    """All figures."""
    bars, events = market()
    banks = {"one": [INCUMBENT], "full": star_bank(INCUMBENT)}
    for bank in banks.values():
        run(bank, bars[:120], events[:400])  # compiles or loads the kernels
    busy, quiet = {name: [] for name in banks}, {name: [] for name in banks}
    for _ in range(repeats):
        for name, bank in banks.items():
            busy[name].append(run(bank, bars, events)[0])
            quiet[name].append(run(bank, bars, events[:0])[0])
    whole = {name: statistics.median(values) for name, values in busy.items()}
    empty = {name: statistics.median(values) for name, values in quiet.items()}
    per_event = {name: (whole[name] - empty[name]) / len(events) * 1e6 for name in banks}
    members = len(banks["full"])
    each = (per_event["full"] - per_event["one"]) / (members - 1)
    twin = statistics.median(numpy_per_event() for _ in range(3))
    memory = run(banks["full"], bars, events)[1].nbytes / 1e6
    return {
        "events": len(events),
        "windows": MINUTES,
        "members": members,
        "us_per_event_one_hypothesis": per_event["one"],
        "us_per_event_full_bank": per_event["full"],
        "us_per_event_and_hypothesis": each,
        "us_per_event_whole_run_full_bank": whole["full"] / len(events) * 1e6,
        "us_per_window_one_hypothesis": empty["one"] / MINUTES * 1e6,
        "us_per_window_full_bank": empty["full"] / MINUTES * 1e6,
        "numpy_us_per_event": twin,
        "times_faster_than_numpy": twin / each,
        "mb_per_instrument": memory,
        "runs_s": busy,
        "gates": GATES,
        "passed": each <= GATES["us_per_event_and_hypothesis"]
        and whole["full"] / len(events) * 1e6 <= GATES["us_per_event_full_bank"]
        and memory <= GATES["mb_per_instrument"],
        "machine": f"{platform.machine()} {platform.processor()}".strip(),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(publish("learner", measure()))
