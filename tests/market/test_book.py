"""The order book beside a slow twin of dictionaries, on random, hostile and recorded changes."""

from __future__ import annotations

import bisect
import gzip
import json
import math

import numpy as np
import pytest

from faultline.market.book import ASKS, BIDS, Best, Book, Condition
from faultline.messages import Flag, Kind, empty_rows

TICK = 0.1


class Twin:
    """Two dictionaries, sorted whenever anything is asked."""

    def __init__(self, steps):
        self.steps = steps
        self.sides = ({}, {})
        self.n_rejected = 0

    def set(self, side, price, qty):
        if not (0 < price < 1e15 and 0 <= qty < 1e15):
            self.n_rejected += 1
            return
        tick = round(price * self.steps)
        if qty:
            self.sides[side][tick] = qty
        else:
            self.sides[side].pop(tick, None)

    def levels(self, side):
        ticks = sorted(self.sides[side], reverse=side == 0)
        return [[tick / self.steps, self.sides[side][tick]] for tick in ticks]

    def best(self):
        return [value for side in (0, 1) for value in (*self.levels(side), [math.nan, math.nan])[0]]


def assert_same(book, twin):
    for side in (BIDS, ASKS):
        assert book.levels(side).tolist() == twin.levels(side)
        assert book.levels(side, 3).tolist() == twin.levels(side)[:3]
    np.testing.assert_array_equal(book.best, twin.best())
    assert book.n_rejected == twin.n_rejected
    bid, _, ask, _ = twin.best()
    n_sides = 2 - math.isnan(bid) - math.isnan(ask)
    expected = (Condition.EMPTY, Condition.ONE_SIDED, Condition.CROSSED if bid >= ask else Condition.OPEN)[
        n_sides
    ]
    assert book.condition is expected
    depth = book.depth(20.0)
    if n_sides < 2:
        assert all(math.isnan(value) for value in depth)
        return
    middle = (bid + ask) / 2
    inside = (
        [level for level in twin.levels(0) if level[0] >= middle * (1 - 20e-4)],
        [level for level in twin.levels(1) if level[0] <= middle * (1 + 20e-4)],
    )
    expected = [value for side in inside for value in (sum(q for _, q in side), sum(p * q for p, q in side))]
    np.testing.assert_allclose(depth, expected, rtol=1e-12, atol=1e-12)


def random_changes(rng, n, jump=0.0, far=0.1):
    """Sides, prices and quantities of changes around a middle that walks and sometimes jumps."""
    middle, out = 60_000.0, []
    for _ in range(n):
        middle += rng.integers(-3, 4) * TICK
        if rng.random() < jump:
            middle = max(middle * rng.uniform(0.5, 1.6), 10.0)
        side = int(rng.integers(2))
        away = rng.geometric(1 / 1500) * 30 if rng.random() < far else rng.geometric(1 / 40) - 3
        tick = max(round(middle / TICK) + (away if side else -away), 1)
        qty = 0.0 if rng.random() < 0.4 else round(rng.random() * 5, 3)
        out.append((side, tick / 10, qty))
        if rng.random() < 0.3 and len(out) > 5:
            out.append((*out[rng.integers(len(out))][:2], 0.0))
    return out


def as_rows(changes, flags=0, seq=1):
    rows = empty_rows(Kind.BOOK_LEVEL, len(changes))
    rows["ts_event_ns"], rows["ts_received_ns"], rows["flags"], rows["seq"] = 5, 6, flags, seq
    for row, (side, price, qty) in zip(rows, changes, strict=True):
        row["side"], row["price_usd"], row["qty_base"] = 1 - 2 * side, price, qty
    return rows


@pytest.mark.parametrize("window_ticks", [64, 256, 4096])
@pytest.mark.parametrize(("jump", "far"), [(0.0, 0.1), (0.01, 0.3), (0.2, 0.9)])
def test_the_book_is_that_of_the_twin(window_ticks, jump, far):
    rng = np.random.default_rng(int(window_ticks + 10 * jump + 100 * far))
    book, twin = Book(TICK, window_ticks), Twin(10)
    for _ in range(40):
        changes = random_changes(rng, 60, jump, far)
        for change in changes:
            twin.set(*change)
        bids, asks = ([(price, qty) for side, price, qty in changes if side == which] for which in (0, 1))
        if rng.random() < 0.5:
            book.apply(bids, asks)
        else:
            book.apply_rows(as_rows(changes))
        assert_same(book, twin)


def test_the_best_prices_after_every_level_are_those_of_the_twin():
    rng = np.random.default_rng(8)
    changes = random_changes(rng, 3_000, 0.01, 0.2)
    book, other, twin = Book(TICK, 128), Book(TICK), Twin(10)
    tops = book.best_after_rows(as_rows(changes))
    sides = np.array([1 - 2 * side for side, _, _ in changes], dtype=np.int8)
    ticks = np.array([round(price * 10) for _, price, _ in changes])
    again = other.apply_ticks(sides, ticks, np.array([qty for _, _, qty in changes]))
    np.testing.assert_array_equal(tops, again)
    for change, top in zip(changes, tops, strict=True):
        twin.set(*change)
        np.testing.assert_array_equal(top, twin.best()[::2])
    assert_same(book, twin)


def test_however_changes_are_cut_into_calls_the_book_is_the_same():
    rng = np.random.default_rng(3)
    rows = as_rows(random_changes(rng, 2_000, 0.02, 0.3))
    whole = Book(TICK, 128)
    whole.apply_rows(rows)
    for size in (1, 7, 333):
        parts = Book(TICK, 128)
        for start in range(0, len(rows), size):
            parts.apply_rows(rows[start : start + size])
            parts = Book.from_state(parts.state())
        for name, part in whole.state().items():
            assert part.tobytes() == parts.state()[name].tobytes(), name
        assert parts.levels(BIDS).tobytes() == whole.levels(BIDS).tobytes()


def test_an_empty_book_is_visible():
    book = Book(TICK)
    assert book.condition is Condition.EMPTY
    assert all(math.isnan(value) for value in (*book.best, *book.depth(10)))
    book.apply([], [])
    assert book.levels(BIDS).shape == book.levels(ASKS).shape == (0, 2)
    book.apply([], [(100.0, 1.0)])
    assert book.condition is Condition.ONE_SIDED
    assert book.best[2:] == (100.0, 1.0)
    book.apply([], [(100.0, 0.0)])
    assert book.condition is Condition.EMPTY


def test_a_crossed_book_is_visible_and_keeps_every_level():
    book = Book(TICK)
    book.apply([(100.0, 1.0), (99.0, 2.0)], [(101.0, 1.0)])
    assert book.condition is Condition.OPEN
    book.apply([(1_000_000.0, 3.0)], [])
    assert book.condition is Condition.CROSSED
    assert book.best == Best(1_000_000.0, 3.0, 101.0, 1.0)
    assert len(book.levels(BIDS)) == 3
    book.apply([(101.0, 5.0), (1_000_000.0, 0.0)], [])
    assert book.condition is Condition.CROSSED
    book.apply([(101.0, 0.0)], [])
    assert (book.condition, book.best.bid_usd) == (Condition.OPEN, 100.0)


def test_impossible_levels_are_left_out_and_counted():
    book, twin = Book(TICK), Twin(10)
    bad = [
        *((price, 1.0) for price in (math.nan, math.inf, -math.inf, 0.0, -5.0, 1e16, 1e300)),
        *((100.0, qty) for qty in (math.nan, math.inf, -1.0, 1e15)),
    ]
    for side in (0, 1):
        for level in [(99.0 + 2 * side, 1.0), *bad]:
            twin.set(side, *level)
            book.apply(*([[level], []] if side == 0 else [[], [level]]))
    assert_same(book, twin)
    assert book.n_rejected == 2 * len(bad)
    book.apply_ticks(np.array([0, 2, 1, -1], np.int8), np.array([1, 1, -1, 2**60]), np.ones(4))
    assert book.n_rejected == 2 * len(bad) + 4
    rows = as_rows([(0, 98.0, 1.0)])
    rows["side"] = 0
    book.apply_rows(rows)
    assert book.n_rejected == 2 * len(bad) + 5
    assert len(book.levels(BIDS)) == 1


def test_a_level_between_two_ticks_is_counted_and_kept_at_the_nearest():
    book = Book(0.5)
    book.apply([(99.5, 1.0), (99.30, 2.0)], [(1e9 + 0.5, 1.0)])
    assert (book.n_off_grid, book.best.bid_qty_base) == (1, 2.0)


@pytest.mark.parametrize(
    ("tick", "prices"),
    [
        (0.1, (61800.2, 0.1)),
        (0.01, (3500.07,)),
        (0.0005, (1.2345,)),
        (1e-7, (0.0000123,)),
        (1e-8, (12.34567891,)),
        (0.003, (0.333,)),
        (0.25, (4.75,)),
        (2.5, (7.5,)),
        (5.0, (65.0,)),
    ],
)
def test_prices_come_back_as_they_were_written(tick, prices):
    book = Book(tick)
    for price in prices:
        book.apply([(price, 1.0)], [], is_snapshot=True)
        assert book.best.bid_usd == (price if tick != 0.003 else 111 * 0.003)
        assert book.n_off_grid == 0


def test_a_snapshot_replaces_the_book():
    book = Book(TICK)
    book.apply([(100.0, 1.0)], [(101.0, 1.0)])
    book.apply([(90.0, 2.0)], [(91.0, 1.0)], is_snapshot=True)
    assert book.levels(BIDS).tolist() == [[90.0, 2.0]]
    snapshot = int(Flag.SNAPSHOT)
    first, second = (
        as_rows([(0, 80.0, 1.0), (1, 81.0, 1.0)], snapshot, 7),
        as_rows([(0, 70.0, 1.0)], snapshot, 8),
    )
    book.apply_rows(first[:1])
    book.apply_rows(first[1:])
    assert book.best == Best(80.0, 1.0, 81.0, 1.0)
    book.apply_rows(np.concatenate([as_rows([(0, 79.0, 4.0)]), second]))
    assert (book.condition, book.levels(BIDS).tolist()) == (Condition.ONE_SIDED, [[70.0, 1.0]])
    book.apply_rows(np.concatenate([as_rows([(0, 79.0, 4.0)]), second]))
    assert book.levels(BIDS).tolist() == [[70.0, 1.0]]


def test_a_gap_empties_the_book_and_counts_stay():
    book = Book(TICK)
    book.apply([(100.0, 1.0), (math.nan, 1.0)], [])
    book.clear()
    assert (book.condition, book.n_rejected) == (Condition.EMPTY, 1)


def test_tables_grow_with_levels_far_away_and_forget_those_that_went():
    book, twin = Book(TICK, 64), Twin(10)
    for round_ in range(30):
        prices = [1_000.0 + 100 * n + round_ for n in range(400)]
        for changes in ([(price, 1.0) for price in prices], [(price, 0.0) for price in prices[:-3]]):
            book.apply(changes, [])
            for change in changes:
                twin.set(0, *change)
        assert_same(book, twin)
    assert book._keys.shape[1] <= 4_096


def test_a_book_has_an_upper_bound_of_levels():
    from faultline.market.book_kernels import LEVELS_MAX

    book = Book(TICK, 64)
    prices = np.arange(LEVELS_MAX + 1_000, 0, -1) / 10
    book.apply(np.stack([prices, np.ones(len(prices))], axis=1), [])
    assert book.n_rejected > 0
    assert len(book.levels(BIDS)) + book.n_rejected == len(prices)
    assert len(book.levels(BIDS)) <= LEVELS_MAX + 64


@pytest.mark.parametrize("tick", [0.0, -1.0, math.nan, math.inf])
def test_an_impossible_tick_is_refused(tick):
    with pytest.raises(ValueError, match="tick must be positive"):
        Book(tick)


def test_a_window_too_small_is_refused():
    with pytest.raises(ValueError, match="at least 64"):
        Book(TICK, 8)


@pytest.mark.recorded
@pytest.mark.parametrize(("name", "tick"), [("btcusdt", 0.1), ("ethusdt", 0.01)])
def test_a_recorded_book_has_no_gap_and_the_recorded_best_prices(recorded, name, tick):
    path = recorded / "binance_raw_frames" / f"usdm_{name}_20240808.gz"
    if not path.is_file():
        pytest.skip(f"no recorded frames at {path}")
    changes, tickers, snapshot = [], [], None
    with gzip.open(path, "rb") as stream:
        for line in stream:
            frame = json.loads(line.partition(b" ")[2])
            event = frame.get("data", frame)
            if "lastUpdateId" in event:
                snapshot = event
            elif event["e"] == "depthUpdate":
                changes.append(event)
            elif event["e"] == "bookTicker":
                tickers.append((event["u"], *(float(event[key]) for key in "bBaA")))
    tickers.sort()
    ids = [ticker[0] for ticker in tickers]
    book, last, n_same = Book(tick), None, 0
    book.apply(*(np.array(snapshot[key], dtype=float) for key in ("bids", "asks")), is_snapshot=True)
    for change in changes:
        if change["u"] < snapshot["lastUpdateId"]:
            continue
        if last is None:
            assert change["U"] <= snapshot["lastUpdateId"] <= change["u"]
        else:
            assert change["pu"] == last
        last = change["u"]
        book.apply(*(np.array(change[key], dtype=float).reshape(-1, 2) for key in "ba"))
        assert book.condition is Condition.OPEN
        at = bisect.bisect_right(ids, last) - 1
        if at >= 0 and at + 1 < len(ids):
            assert tuple(book.best) == tickers[at][1:], last
            n_same += 1
    print(f"{name}: {len(changes)} changes, {n_same} best prices the same")
    assert n_same > 5_000
    assert (book.n_rejected, book.n_off_grid) == (0, 0)
