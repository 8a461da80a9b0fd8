"""Facts told twice are taken once, whoever tells them; facts that happened twice are taken twice."""

from __future__ import annotations

import asyncio
import random

import numpy as np
import pytest

from faultline.messages import Flag, Kind
from faultline.sources.handover import Handover, Known
from faultline.sources.rows import Rows
from faultline.units import PriceKind

T0 = 1_800_000_000_000_000_000


class Line:
    """What a handover sees of a connection."""

    def __init__(self):
        self.rows = Rows("bybit")
        self.ready = asyncio.Event()

    def at(self, received_ns):
        self.rows.begin(b"", T0 + received_ns)
        return self.rows


def liquidation(line, number, received_ns, *, qty=1.0, seq=None, flags=0):
    line.at(received_ns).liquidation(
        "BTCUSDT", T0 + number, 1, PriceKind.BANKRUPTCY, 100.0, qty, 100.0 * qty,
        seq=number if seq is None else seq, flags=flags,
    )  # fmt: skip


def trade(line, number, received_ns):
    line.at(received_ns).trade("BTCUSDT", T0 + number, -1, 100.0, 1.0, 1)


def numbers(batches, kind=Kind.LIQUIDATION):
    return [int(row["ts_event_ns"]) - T0 for batch in batches if batch.kind is kind for row in batch.rows]


def opened(*, is_first=True, known=None):
    handover, line = Handover(known or Known()), Line()
    handover.open(line, is_first=is_first)
    line.ready.set()
    return handover, line


def test_what_a_new_connection_replays_is_dropped_and_what_it_adds_is_kept():
    handover, old = opened()
    for number in range(5):
        liquidation(old, number, 10 + number)
    assert numbers(handover.drain()) == [0, 1, 2, 3, 4]
    handover.close(old)
    following = Line()
    handover.open(following, is_first=False)
    for number in range(3, 8):
        liquidation(following, number, 100 + number, flags=Flag.SNAPSHOT)
    assert numbers(handover.drain()) == [5, 6, 7]


def test_distinct_liquidations_of_one_burst_all_live():
    handover, line = opened(is_first=False)
    for number in range(4):
        liquidation(line, 1, 10, seq=number)
    liquidation(line, 1, 10, seq=0, qty=2.0)
    assert numbers(handover.drain()) == [1] * 5


def test_the_second_of_two_equal_trades_of_one_connection_is_another_trade():
    handover, old = opened()
    for _ in range(2):
        trade(old, 1, 10)
    assert numbers(handover.drain(), Kind.TRADE) == [1, 1]
    following = Line()
    handover.open(following, is_first=False)
    for _ in range(3):
        trade(following, 1, 20)
    assert numbers(handover.drain(), Kind.TRADE) == [1]


def test_while_two_connections_overlap_each_fact_is_taken_once_whoever_is_first():
    rng = random.Random(4)
    for _ in range(30):
        known = Known()
        handover, old = opened(known=known)
        told = [rng.randrange(6) for _ in range(12)]
        for number in told[:4]:
            trade(old, number, number)
        taken = numbers(handover.drain(), Kind.TRADE)
        following = Line()
        handover.open(following, is_first=False)
        # Both tell the same facts in the same order, with drains and leads at random.
        places = {old: 4, following: rng.randrange(5)}
        while any(place < len(told) for place in places.values()):
            line = rng.choice([one for one, place in places.items() if place < len(told)])
            trade(line, told[places[line]], 50)
            places[line] += 1
            if rng.random() < 0.4:
                taken += numbers(handover.drain(), Kind.TRADE)
        taken += numbers(handover.drain(), Kind.TRADE)
        handover.close(old)
        handover.close(following)
        assert sorted(taken) == sorted(told)
        assert known._compared == set()
        assert all(memory.taken is None and not memory.told for memory in known._memories.values())


def test_a_liquidation_that_one_connection_tells_again_is_taken_once():
    handover, line = opened()
    for number in (1, 1, 2, 1):
        liquidation(line, number, 10 + number, seq=-1)
    assert numbers(handover.drain()) == [1, 2]
    liquidation(line, 2, 90, seq=-1)
    liquidation(line, 2, 91, seq=-1, qty=3.0)
    assert numbers(handover.drain()) == [2]
    handover.close(line)
    following = Line()
    handover.open(following, is_first=False)
    for number in (1, 2, 3):
        liquidation(following, number, 100, seq=-1)
    assert numbers(handover.drain()) == [3]


def test_facts_beyond_the_memory_are_not_compared():
    known = Known(rows_max=10)
    handover, old = opened(known=known)
    for number in range(100):
        liquidation(old, number, number)
        handover.drain()
    assert sum(memory.n_rows for memory in known._memories.values()) <= 10
    handover.close(old)
    following = Line()
    handover.open(following, is_first=False)
    for number in (50, 95):
        liquidation(following, number, 200)
    assert numbers(handover.drain()) == [50]
    assert known.n_duplicates == 1


def test_a_trusted_connection_is_compared_no_more():
    known = Known()
    handover, line = opened(known=known, is_first=False)
    liquidation(line, 1, 10)
    handover.drain()
    handover.trust(line)
    assert known._compared == set()


def level(line, price, received_ns, *, is_snapshot=False):
    line.at(received_ns).levels("BTCUSDT", T0 + received_ns, 1, [(price, 1.0)], [], is_snapshot=is_snapshot)


def prices(batches):
    rows = [row for batch in batches if batch.kind is Kind.BOOK_LEVEL for row in batch.rows]
    return [float(row["price_usd"]) for row in sorted(rows, key=lambda row: row["ts_received_ns"])]


def test_a_book_is_the_old_connections_until_the_new_one_begins_it():
    handover, old = opened()
    level(old, 1.0, 1, is_snapshot=True)
    level(old, 2.0, 2)
    assert prices(handover.drain()) == [1.0, 2.0]
    following = Line()
    handover.open(following, is_first=False)
    level(following, 70.0, 3)
    level(old, 3.0, 4)
    level(following, 71.0, 5, is_snapshot=True)
    level(old, 4.0, 6)
    level(following, 72.0, 7)
    assert prices(handover.drain()) == [3.0, 71.0, 72.0]
    level(old, 5.0, 8)
    level(following, 73.0, 9)
    assert prices(handover.drain()) == [73.0]
    assert handover.begun(following) == {"bybit:BTCUSDT": T0 + 5}


def test_a_state_is_the_old_connections_until_the_new_one_is_ready():
    handover, old = opened()
    following = Line()
    handover.open(following, is_first=False)
    for line, usd in ((old, 1.0), (following, 2.0)):
        line.at(1).mark("BTCUSDT", T0, usd)
    (batch,) = handover.drain()
    assert batch.rows["mark_price_usd"].tolist() == [1.0]
    following.ready.set()
    for line, usd in ((old, 3.0), (following, 4.0)):
        line.at(2).mark("BTCUSDT", T0, usd)
    (batch,) = handover.drain()
    assert batch.rows["mark_price_usd"].tolist() == [4.0]


def test_a_connection_without_another_tells_everything_even_before_it_is_ready():
    handover, line = Handover(Known()), Line()
    handover.open(line, is_first=True)
    line.at(1).mark("BTCUSDT", T0, 1.0)
    level(line, 1.0, 1)
    liquidation(line, 1, 1)
    assert {batch.kind for batch in handover.drain()} == {Kind.MARK, Kind.BOOK_LEVEL, Kind.LIQUIDATION}
    assert handover.heard == {"?": 3}


@pytest.mark.parametrize("n", [0, 1, 1000])
def test_rows_of_one_connection_come_out_as_they_went_in(n):
    handover, line = opened()
    for number in range(n):
        liquidation(line, number, number)
    (rows,) = [batch.rows for batch in handover.drain()] or [np.empty(0)]
    assert len(rows) == n
