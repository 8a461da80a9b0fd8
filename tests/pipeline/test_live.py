from __future__ import annotations

import numpy as np
import pytest

from faultline.messages import Batch, Kind, empty_rows
from faultline.pipeline.live import LiveFeed
from faultline.tape import Tape, TapeWriter
from faultline.units import SECOND_NS, parse_time_ns

START = parse_time_ns("2026-01-05")
KINDS = (Kind.TRADE, Kind.MARK)


def trades(*at_s: float, iid: str = "bybit:BTCUSDT") -> Batch:
    rows = empty_rows(Kind.TRADE, len(at_s))
    rows["ts_received_ns"] = rows["ts_event_ns"] = [START + round(s * SECOND_NS) for s in at_s]
    rows["price_usd"], rows["qty_base"] = 100.0, 1.0
    return Batch(Kind.TRADE, iid, rows)


class Recorder:
    """Writes what it hands over to a tape as well, as the real one does."""

    def __init__(self, folder, feed_from_s: float, kinds=KINDS, **settings) -> None:
        self.writer = TapeWriter(folder, simulated=False, group_fsync_s=0.0)
        now = START + round(feed_from_s * SECOND_NS)
        self.feed = LiveFeed(lambda: Tape(folder), kinds, START, now, **settings)

    def flush(self, watermark_s: float, *batches: Batch, kept: bool = True) -> None:
        mark = START + round(watermark_s * SECOND_NS)
        self.feed.take(batches, mark)
        self.writer.append(list(batches))
        if kept:
            self.feed.keep(mark)


def seconds(batches: list[Batch]) -> list[float]:
    times = [row for batch in batches for row in batch.rows["ts_received_ns"]]
    assert times == sorted(times)
    return [(t - START) / SECOND_NS for t in times]


@pytest.fixture
def recorder(tmp_path):
    made = Recorder(tmp_path / "tape", 0.0)
    yield made
    made.writer.close()


def test_every_row_is_given_once_in_order_and_none_beyond_the_watermark(recorder) -> None:
    feed = recorder.feed
    recorder.flush(1.0, trades(0.2, 0.9))
    assert feed.present_ns() == START + SECOND_NS
    assert seconds(feed.advance(START + SECOND_NS // 2)) == [0.2]
    recorder.flush(2.0, trades(1.5))
    assert seconds(feed.advance(feed.present_ns())) == [0.9, 1.5]
    assert feed.advance(feed.present_ns()) == []


def test_a_feed_never_goes_beyond_what_it_has(recorder) -> None:
    recorder.flush(1.0, trades(0.2))
    assert seconds(recorder.feed.advance(START + 100 * SECOND_NS)) == [0.2]
    recorder.flush(2.0, trades(1.2))
    assert seconds(recorder.feed.advance(START + 100 * SECOND_NS)) == [1.2]


def test_an_engine_that_is_far_behind_reads_the_tape_and_then_memory_without_a_seam(tmp_path) -> None:
    recorder = Recorder(tmp_path / "tape", 0.0)
    for second in range(1, 61):  # The engine has not moved: after 5 s nothing more is held.
        recorder.flush(float(second), trades(second - 0.5))
    got: list[float] = []
    for second in range(61, 121):
        got += seconds(recorder.feed.advance(recorder.feed.present_ns()))
        recorder.flush(float(second), trades(second - 0.5))
    got += seconds(recorder.feed.advance(recorder.feed.present_ns()))
    assert got == [second - 0.5 for second in range(1, 121)]
    recorder.writer.close()


def test_rows_beyond_the_bound_come_back_from_the_tape(tmp_path) -> None:
    recorder = Recorder(tmp_path / "tape", 0.0, rows_max=3)
    feed = recorder.feed
    recorder.flush(1.0, trades(0.1, 0.2))
    recorder.flush(2.0, trades(1.1, 1.2))
    assert feed.n_spilled == 4
    recorder.flush(3.0, trades(2.5))
    got: list[float] = []
    for _ in range(4):
        got += seconds(feed.advance(feed.present_ns()))
    assert got == [0.1, 0.2, 1.1, 1.2, 2.5]
    recorder.writer.close()


def test_spilled_rows_wait_until_they_are_on_the_tape(tmp_path) -> None:
    recorder = Recorder(tmp_path / "tape", 0.0, rows_max=1)
    feed = recorder.feed
    recorder.flush(1.0, trades(0.1, 0.2), kept=False)
    assert feed.present_ns() == START
    assert feed.advance(START + SECOND_NS) == []
    feed.keep(START + SECOND_NS)
    assert seconds(feed.advance(START + SECOND_NS)) == [0.1, 0.2]
    recorder.writer.close()


def test_kinds_that_nobody_wants_are_not_held(recorder) -> None:
    rows = empty_rows(Kind.BOOK_LEVEL, 2)
    rows["ts_received_ns"] = START + SECOND_NS // 2
    recorder.flush(1.0, Batch(Kind.BOOK_LEVEL, "bybit:BTCUSDT", rows), trades(0.6))
    got = recorder.feed.advance(recorder.feed.present_ns())
    assert [batch.kind for batch in got] == [Kind.TRADE]


def levels(*at_s: float) -> Batch:
    rows = empty_rows(Kind.BOOK_LEVEL, len(at_s))
    rows["ts_received_ns"] = rows["ts_event_ns"] = [START + round(s * SECOND_NS) for s in at_s]
    return Batch(Kind.BOOK_LEVEL, "bybit:BTCUSDT", rows)


def test_books_of_before_the_recording_are_left_out_and_later_ones_come_in_pieces(tmp_path) -> None:
    recorder = Recorder(tmp_path / "tape", 600.0, (*KINDS, Kind.BOOK_LEVEL))
    feed = recorder.feed
    recorder.writer.append([levels(*range(0, 600, 10)), trades(*range(0, 600, 10))])
    for second in range(610, 1000, 10):  # The engine is still far behind.
        recorder.flush(float(second), levels(*(second - k for k in (9, 5, 1))), trades(second - 5))
    got = feed.advance(START + 600 * SECOND_NS)
    assert {batch.kind for batch in got} == {Kind.TRADE}
    books, before = [], START + 600 * SECOND_NS
    while before < START + 990 * SECOND_NS:
        now = feed.present_ns()
        assert before < now <= before + 60 * SECOND_NS
        held = [batch for batch in feed.advance(now) if batch.kind is Kind.BOOK_LEVEL]
        assert sum(map(len, held)) <= 18
        books, before = [*books, *held], now
    assert seconds(books) == [second - k for second in range(610, 1000, 10) for k in (9, 5, 1)]
    recorder.flush(1000.0, levels(999.0))
    assert seconds(feed.advance(feed.present_ns())) == [999.0]
    recorder.writer.close()


def test_books_that_wait_in_memory_are_bounded_as_all_rows_are(tmp_path) -> None:
    recorder = Recorder(tmp_path / "tape", 0.0, (*KINDS, Kind.BOOK_LEVEL), rows_max=50)
    got = []
    for second in range(1, 60):
        recorder.flush(float(second), levels(*(second - 1 + k / 20 for k in range(20))))
        assert recorder.feed._n_held <= 50
        if second % 7 == 0:
            got += seconds(recorder.feed.advance(recorder.feed.present_ns()))
    while recorder.feed.present_ns() < START + 59 * SECOND_NS or len(got) < 59 * 20:
        got += seconds(recorder.feed.advance(recorder.feed.present_ns()))
    assert got == [second - 1 + k / 20 for second in range(1, 60) for k in range(20)]
    assert recorder.feed.n_spilled > 0
    recorder.writer.close()


@pytest.mark.parametrize("rows_max", [5, 20, 10_000])
def test_any_pace_of_engine_and_recorder_gives_the_same_rows(tmp_path, rows_max) -> None:
    rng = np.random.default_rng(rows_max)
    recorder = Recorder(tmp_path / "tape", 0.0, rows_max=rows_max)
    times = np.sort(rng.uniform(0.0, 60.0, 400)).round(6)
    got: list[float] = []
    mark = 0.0
    while mark < 60.0:
        after, mark = mark, min(60.0, mark + rng.uniform(0.05, 2.0))
        batch = times[(times >= after) & (times < mark)]
        recorder.flush(mark, *([trades(*batch)] if len(batch) else []))
        if rng.random() < 0.4:
            got += seconds(recorder.feed.advance(START + round(rng.uniform(0.0, 1.1) * mark * SECOND_NS)))
    while recorder.feed.present_ns() < START + 60 * SECOND_NS or len(got) < 400:
        more = seconds(recorder.feed.advance(recorder.feed.present_ns()))
        got += more
        if not more:
            break
    assert got == times.tolist()
    recorder.writer.close()
