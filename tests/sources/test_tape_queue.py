"""Rows wait a little for others, never when it ends or too much waits, and are acknowledged by the tape alone."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from faultline.errors import TapeError
from faultline.messages import Batch, Kind, empty_rows
from faultline.sources.tape_queue import TapeQueue

LONG_S = 60.0


class Shelf:
    """Keeps what is appended; can be held."""

    path = "shelf"

    def __init__(self):
        self.appends = []
        self.goes = threading.Event()
        self.goes.set()

    def append(self, batches):
        self.goes.wait(LONG_S)
        self.appends.append(batches)

    def seqs(self):
        return [batch.rows["seq"].tolist() for batches in self.appends for batch in batches]


def trades(*seqs, symbol="BTC"):
    rows = empty_rows(Kind.TRADE, len(seqs))
    rows["ts_received_ns"] = rows["seq"] = seqs
    return Batch(Kind.TRADE, f"okx:{symbol}", rows)


def until(condition):
    end_s = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < end_s, "it never came"
        time.sleep(0.002)


def test_what_comes_while_rows_wait_is_one_batch_per_kind_and_instrument():
    shelf = Shelf()
    queue = TapeQueue(shelf, 1_000, gather_s=LONG_S)
    queue.put([trades(1, 2), trades(9, symbol="ETH")])
    queue.put([trades(4), trades(3)])
    queue.put([])
    assert (queue.rows_waiting, queue.n_rows_acknowledged, shelf.appends) == (5, 0, [])
    queue.close(20.0)
    assert shelf.seqs() == [[1, 2, 3, 4], [9]]
    assert (queue.rows_waiting, queue.n_rows_acknowledged) == (0, 5)


def test_rows_are_appended_when_they_have_waited():
    shelf = Shelf()
    queue = TapeQueue(shelf, 1_000, gather_s=0.01)
    queue.put([trades(1)])
    until(lambda: queue.n_rows_acknowledged == 1)
    queue.put([trades(2)])
    until(lambda: queue.n_rows_acknowledged == 2)
    queue.close(20.0)
    assert shelf.seqs() == [[1], [2]]


def test_rows_do_not_wait_where_many_do():
    shelf = Shelf()
    queue = TapeQueue(shelf, 100, gather_s=LONG_S)
    queue.put([trades(*range(5))])
    queue.put([trades(*range(5, 11))])
    until(lambda: queue.n_rows_acknowledged == 11)
    queue.close(20.0)


def test_nothing_is_acknowledged_before_the_tape_has_it():
    shelf = Shelf()
    shelf.goes.clear()
    queue = TapeQueue(shelf, 10, gather_s=0.0)
    queue.put([trades(*range(11))])
    until(queue.is_full)
    queue.end()
    assert (queue.n_rows_acknowledged, queue.has_ended) == (0, False)
    with pytest.raises(TapeError, match="11 rows were not written"):
        queue.close(0.01)
    shelf.goes.set()
    queue.close(20.0)
    assert (queue.n_rows_acknowledged, queue.has_ended, queue.is_full()) == (11, True, False)
    assert np.concatenate(shelf.seqs()).tolist() == list(range(11))
