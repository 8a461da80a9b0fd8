"""Liquidations are unknown where every feed of a scope was down, however the gaps were told."""

from __future__ import annotations

import numpy as np
import pytest

from faultline.messages import Batch, Flag, Kind, empty_rows
from faultline.pipeline.unheard import UnheardSpans
from faultline.units import MINUTE_NS

NOW = 200 * MINUTE_NS
ONE, TWO, SILENT = "binance:BTCUSDT", "bybit:BTCUSDT", "kucoin:XBTUSDTM"


def heard(iid: str, *minutes: int) -> Batch:
    rows = empty_rows(Kind.LIQUIDATION, len(minutes))
    rows["ts_received_ns"] = np.array(minutes) * MINUTE_NS
    return Batch(Kind.LIQUIDATION, iid, rows)


def gap(iid: str, from_minute: int, to_minute: int, missing: bytes = b"liquidation") -> Batch:
    rows = empty_rows(Kind.GAP, 1)
    rows["missing_kind"], rows["from_ns"], rows["to_ns"] = (
        missing,
        from_minute * MINUTE_NS,
        to_minute * MINUTE_NS,
    )
    rows["ts_received_ns"] = to_minute * MINUTE_NS
    return Batch(Kind.GAP, iid, rows)


def minutes(found: UnheardSpans, *ids: str) -> list[tuple[int, int]]:
    """Spans in minutes; the beginning of all time is -1."""
    spans = found.of(ids)
    assert spans.dtype == np.int64
    return [(max(int(a), -MINUTE_NS) // MINUTE_NS, int(b) // MINUTE_NS) for a, b in spans]


def test_without_a_feed_nothing_was_ever_heard() -> None:
    (span,) = UnheardSpans().of([ONE])
    assert span.tolist() == [np.iinfo(np.int64).min, np.iinfo(np.int64).max]


def test_a_feed_was_not_listened_to_before_it_is_heard_nor_in_its_gaps() -> None:
    found = UnheardSpans()
    assert found.apply([heard(ONE, 10, 11), gap(ONE, 20, 30), gap(ONE, 28, 35), gap(ONE, 50, 51)], NOW) == {
        ONE
    }
    assert minutes(found, ONE) == [(-1, 10), (20, 35), (50, 51)]
    assert found.apply([heard(ONE, 60)], NOW) == frozenset()


def test_what_one_feed_prints_is_known_while_another_is_down() -> None:
    found = UnheardSpans()
    found.apply([heard(ONE, 5), heard(TWO, 12), gap(ONE, 20, 30), gap(TWO, 25, 40), gap(ONE, 60, 70)], NOW)
    assert minutes(found, ONE, TWO) == [(-1, 5), (25, 30)]
    assert minutes(found, TWO, SILENT) == [(-1, 12), (25, 40)]


def test_gaps_of_other_kinds_and_of_venues_that_print_nothing_do_not_count() -> None:
    found = UnheardSpans()
    assert found.apply([heard(ONE, 5), gap(ONE, 10, 20, b"book_level")], NOW) == {ONE}
    assert minutes(found, ONE) == [(-1, 5)]
    found.apply([gap(SILENT, 10, 20, b"all")], NOW)
    assert minutes(found, ONE, SILENT) == [(-1, 5)]
    totals = heard(SILENT, 10)
    totals.rows["flags"] = Flag.TOTAL
    assert found.apply([totals], NOW) == frozenset()
    found.apply([gap(ONE, 30, 31, b"all")], NOW)
    assert minutes(found, ONE) == [(-1, 5), (30, 31)]


def test_a_feed_that_prints_nothing_for_more_than_a_day_may_be_down() -> None:
    found, day = UnheardSpans(), 24 * 60
    found.apply([heard(ONE, 5, 10)], NOW)
    assert found.apply([], (10 + day) * MINUTE_NS) == frozenset()
    assert found.apply([], (11 + day) * MINUTE_NS) == {ONE}
    assert found.apply([], (12 + day) * MINUTE_NS) == frozenset()
    assert found.of([ONE])[-1].tolist() == [10 * MINUTE_NS, np.iinfo(np.int64).max]
    assert found.apply([heard(ONE, 10 + 2 * day)], (11 + 2 * day) * MINUTE_NS) == {ONE}
    assert minutes(found, ONE) == [(-1, 5), (10, 10 + 2 * day)]
    together = UnheardSpans()
    together.apply([heard(ONE, 5, 10, 10 + 2 * day)], (11 + 2 * day) * MINUTE_NS)
    assert minutes(together, ONE) == minutes(found, ONE)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_spans_are_those_of_a_walk_over_the_minutes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found, ids = UnheardSpans(), [ONE, TWO, "okx:X"]
    is_down = np.zeros((3, 200), dtype=bool)
    for k, iid in enumerate(ids):
        first = int(rng.integers(0, 40))
        found.apply([heard(iid, first)], NOW)
        is_down[k, :first] = True
        for begin in rng.integers(40, 180, 6).tolist():
            end = begin + int(rng.integers(1, 25))
            is_down[k, begin:end] = True
            found.apply([gap(iid, begin, end)], NOW)
    shown = np.zeros(200, dtype=bool)
    for begin, end in minutes(found, *ids):
        shown[max(begin, 0) : end] = True
    np.testing.assert_array_equal(shown, is_down.all(axis=0))
