"""Two million level updates through the order book, best bid and ask read after every one, beside two others.

A middle price walks; 90 % of the updates fall within some 40 ticks of it and 10 % within some 1,500; 30 % of them
delete. Levels that the middle passes are deleted first, so that the sides never cross. All books get the same updates
and must give the same sum of all best prices.

* ours: ``ours_kernel`` below, one compiled loop over ticks;
* hftbacktest (only where it is installed: it is no dependency): ``hftbacktest_kernel`` below, one compiled loop over
  its fastest depth, with an event a level. It does more: an event queue, and two books, the venue's and the local one;
* ``SortedDict`` of sortedcontainers: one Python loop, on a part of the updates.

Run ``python benchmarks/speed/bench_book.py``; figures go to ``results/book.json``. Times are CPU time of one thread,
medians of the repeats, taken in turns.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time

import numpy as np
from numba import njit
from published import publish
from sortedcontainers import SortedDict

from faultline.market.book import Book
from faultline.market.book_kernels import apply_ticks_kernel

TICK_USD, LOT = 0.1, 0.001
MESSAGE = 50
#: Levels of the snapshot at the beginning; best prices are compared after it.
SNAPSHOT = 400
GATES = {"ns_per_update": 20.0, "aim_ns_per_update": 9.0, "times_sorted_dict": 40.0}


def generate_updates(n, seed):
    """Sides i1 (+1 bid), ticks i8 and quantities f8 of at least ``n`` updates; the first are a snapshot."""
    rng = np.random.default_rng(seed)
    middle = 600_000
    away = np.arange(1, 201)
    parts = [(np.ones(200), middle - away, np.ones(200)), (-np.ones(200), middle + away, np.ones(200))]
    made = SNAPSHOT
    while made < n:
        step = int(rng.integers(-2, 3))
        passed = np.arange(min(middle, middle + step), max(middle, middle + step) + 1)
        middle += step
        gone = (
            [(np.full(len(passed), side), passed, np.zeros(len(passed))) for side in (1, -1)] if step else []
        )
        sides = np.where(rng.random(MESSAGE) < 0.5, 1, -1)
        far = rng.random(MESSAGE) < 0.1
        places = np.where(far, rng.geometric(1 / 1500, MESSAGE), rng.geometric(1 / 40, MESSAGE))
        # Quantities in lots: a book that counts lots and one that keeps floats agree.
        qty = np.where(rng.random(MESSAGE) < 0.3, 0, rng.integers(1, 5_000, MESSAGE)) * LOT
        parts += [*gone, (sides, middle - sides * places, qty)]
        made += MESSAGE + sum(len(one[1]) for one in gone)
    sides, ticks, qty = (np.concatenate(column) for column in zip(*parts, strict=True))
    return sides.astype(np.int8), ticks.astype(np.int64), qty.astype(np.float64)


@njit(cache=True, nogil=True)
def ours_kernel(integers, near, keys, amounts, sides, ticks, qtys, tops):
    """Sum of best bids and asks in ticks after every update that follows the first snapshot."""
    if apply_ticks_kernel(integers, near, keys, amounts, sides, ticks, qtys, 0, ticks.shape[0], tops) >= 0:
        return -1
    total = 0
    for i in range(SNAPSHOT, tops.shape[0]):
        total += tops[i, 0] + tops[i, 1]
    return total


def run_ours(book, updates, tops):
    """CPU ns and the sum, from an empty book whose tables are as large as they must be."""
    book.clear()
    started = time.process_time_ns()
    total = ours_kernel(*book.arrays, *updates, tops)
    spent = time.process_time_ns() - started
    assert total != -1, "the tables must grow"
    return spent, int(total)


def run_messages(updates, n_messages):
    """Frames of 50 levels as arrays of prices, as a mapper has them; CPU ns per frame."""
    sides, ticks, qtys = updates
    frames = []
    for k in range(n_messages):
        part = slice(SNAPSHOT + k * MESSAGE, SNAPSHOT + (k + 1) * MESSAGE)
        levels = np.stack([ticks[part] * TICK_USD, qtys[part]], axis=1)
        frames.append((levels[sides[part] == 1], levels[sides[part] == -1]))
    book = Book(TICK_USD)
    started = time.process_time_ns()
    for bids, asks in frames:
        book.apply(bids, asks)
    return (time.process_time_ns() - started) / n_messages


def run_sorted(updates):
    """One SortedDict a side; best bid and ask read after every update."""
    bids, asks = SortedDict(), SortedDict()
    changes = list(zip(*(column.tolist() for column in updates), strict=True))
    started, total = time.process_time_ns(), 0
    for number, (side, tick, qty) in enumerate(changes):
        book = bids if side == 1 else asks
        if qty:
            book[tick] = qty
        else:
            book.pop(tick, None)
        if number >= SNAPSHOT:
            total += bids.keys()[-1] + asks.keys()[0]
    return time.process_time_ns() - started, total


def hftbacktest_runner(updates):
    """A function that runs hftbacktest's ROI vector depth over the updates; or why there is none."""
    try:
        import hftbacktest as hft
    except ImportError as exc:
        return None, f"not measured: {exc}"
    # The end of the data is told instead of the last event: one more that is never seen.
    sides, ticks, qtys = (np.append(column, column[-1]) for column in updates)
    events = np.zeros(len(ticks), dtype=hft.event_dtype)
    both = hft.EXCH_EVENT | hft.LOCAL_EVENT | hft.DEPTH_EVENT
    events["ev"] = np.where(sides == 1, hft.BUY_EVENT, hft.SELL_EVENT) | both
    events["exch_ts"] = events["local_ts"] = 1_000_000 * np.arange(1, len(ticks) + 1)
    events["px"], events["qty"] = np.round(ticks * TICK_USD, 1), qtys

    @njit
    def hftbacktest_kernel(hbt):
        total, number = 0, 0
        while hbt.wait_next_feed(False, 10**15) == 2:
            depth = hbt.depth(0)
            if number >= SNAPSHOT:
                total += depth.best_bid_tick + depth.best_ask_tick
            number += 1
        return total, number

    def run():
        asset = hft.BacktestAsset().data(events).linear_asset(1.0).constant_order_latency(0, 0)
        asset = asset.risk_adverse_queue_model().no_partial_fill_exchange().trading_value_fee_model(0.0, 0.0)
        asset = asset.tick_size(TICK_USD).lot_size(LOT)
        asset = asset.roi_lb(ticks.min() * TICK_USD - 10).roi_ub(ticks.max() * TICK_USD + 10)
        hbt = hft.ROIVectorMarketDepthBacktest([asset])
        started = time.process_time_ns()
        total, number = hftbacktest_kernel(hbt)
        spent = time.process_time_ns() - started
        hbt.close()
        assert number == len(ticks) - 1
        return spent, int(total)

    return run, hft.__version__ if hasattr(hft, "__version__") else "installed"


def measure(n_updates=2_000_000, repeats=7):
    """All figures as one dictionary."""
    updates = generate_updates(n_updates, seed=1)
    n = len(updates[1])
    part = tuple(column[:200_000] for column in updates)
    tops = np.empty((n, 2), dtype=np.int64)
    hft_run, hft_note = hftbacktest_runner(updates)
    book = Book(TICK_USD)
    book.apply_ticks(*updates)  # compiles or loads the kernels, and makes room
    run_ours(book, part, tops[: len(part[1])])
    ours, sorted_ns, hft_ns, messages = [], [], [], []
    if hft_run is not None:
        hft_run()
    total = hft_total = part_total = sorted_total = 0
    for turn in range(repeats):
        spent, total = run_ours(book, updates, tops)
        ours.append(spent / n)
        if hft_run is not None:
            spent, hft_total = hft_run()
            hft_ns.append(spent / n)
        if turn < 3:
            spent, sorted_total = run_sorted(part)
            sorted_ns.append(spent / len(part[1]))
            _, part_total = run_ours(book, part, tops[: len(part[1])])
        messages.append(run_messages(updates, 5_000))
    ns, slow = statistics.median(ours), statistics.median(sorted_ns)
    return {
        "updates": n,
        "ns_per_update": ns,
        "ns_per_update_runs": ours,
        "us_per_message_of_50_levels": statistics.median(messages) / 1e3,
        "sorted_dict_ns_per_update": slow,
        "sorted_dict_updates": len(part[1]),
        "times_sorted_dict": slow / ns,
        "hftbacktest_ns_per_update": statistics.median(hft_ns) if hft_ns else None,
        "hftbacktest": hft_note,
        "times_hftbacktest": statistics.median(hft_ns) / ns if hft_ns else None,
        "same_best_prices": {
            "sorted_dict": part_total == sorted_total,
            "hftbacktest": hft_total == total if hft_run is not None else None,
        },
        "state_kb": sum(part.nbytes for part in book.arrays) / 1e3,
        "load": os.getloadavg(),
        "gates": GATES,
        "passed": bool(
            ns <= GATES["ns_per_update"]
            and slow / ns >= GATES["times_sorted_dict"]
            and part_total == sorted_total
            and (hft_run is None or hft_total == total)
        ),
        "machine": f"{platform.machine()} {platform.processor()}".strip(),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(publish("book", measure()))
