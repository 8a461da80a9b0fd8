"""Made-up traffic: the same for the same seed, possible in every fact, and in order."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from faultline.errors import ConfigError
from faultline.messages import Kind
from faultline.sources.registry import venue_of
from faultline.sources.rows import Rows
from faultline.testing.facts import (
    BookFact,
    FundingFact,
    LiquidationFact,
    MarkFact,
    OpenInterestFact,
    RatioFact,
    TradeFact,
)
from faultline.testing.traffic import SHARES, Traffic
from faultline.testing.venues import script_of

START_NS = 1_750_000_000_000_000_000


def traffic(seed=4, **options):
    return Traffic(script_of("bybit").contracts, seed, start_ns=START_NS, **options)


def test_traffic_depends_on_the_seed_alone():
    assert traffic().take(500) == traffic().take(500)
    assert traffic(seed=4).take(500) != traffic(seed=5).take(500)


def test_kinds_come_in_their_shares():
    n = Counter(type(fact) for fact in traffic().take(4_000))
    assert n[TradeFact] / 4_000 == pytest.approx(SHARES[Kind.TRADE], abs=0.03)
    assert n[BookFact] / 4_000 == pytest.approx(SHARES[Kind.BOOK_LEVEL], abs=0.03)
    assert set(n) == {
        TradeFact,
        BookFact,
        MarkFact,
        LiquidationFact,
        OpenInterestFact,
        FundingFact,
        RatioFact,
    }
    assert {type(fact) for fact in traffic(shares={Kind.MARK: 1.0}).take(50)} == {MarkFact}


def test_times_rise_in_whole_milliseconds_at_the_rate_asked_for():
    times = [fact.ts_ns for fact in traffic(rate_per_s=200.0).take(4_000)]
    assert times == sorted(times)
    assert all(ts_ns % 1_000_000 == 0 for ts_ns in times)
    assert (times[-1] - START_NS) / 1e9 == pytest.approx(20.0, rel=0.1)
    assert {fact.ts_ns for fact in traffic(rate_per_s=math.inf).take(20)} == {START_NS}


def test_sequence_numbers_rise_by_one():
    facts = traffic().take(3_000)
    seqs = [fact.seq for fact in facts if isinstance(fact, TradeFact | LiquidationFact)]
    assert seqs == list(range(1, len(seqs) + 1))
    for contract in script_of("bybit").contracts:
        books = [f.seq for f in facts if isinstance(f, BookFact) and f.symbol == contract.symbol]
        assert books == list(range(books[0], books[0] + len(books)))


def test_books_begin_with_a_snapshot_and_never_cross():
    sides = {}
    for fact in traffic(shares={Kind.BOOK_LEVEL: 3.0, Kind.TRADE: 1.0}).take(3_000):
        if not isinstance(fact, BookFact):
            continue
        assert fact.is_snapshot is (fact.symbol not in sides)
        bids, asks = sides.setdefault(fact.symbol, ({}, {}))
        for levels, changed in ((bids, fact.bids), (asks, fact.asks)):
            levels.update(changed)
            for price in [price for price, qty in levels.items() if qty == 0.0]:
                del levels[price]
        assert bids
        assert asks
        assert max(bids) < min(asks)


def test_the_mapper_of_the_venue_rejects_none_of_it():
    script, venue = script_of("bybit"), venue_of("bybit")
    pages = {}
    for name, first in venue.feed.listing():
        request, pages[name] = first, []
        while request is not None:
            body = script.answer("GET", request.path, dict(request.query), b"", START_NS).body
            pages[name].append(body)
            request = venue.feed.next_page(name, body)
    contracts = {item.symbol: item for item in venue.feed.contracts(pages)}
    mapper, rows = venue.mapper(contracts), Rows("bybit")
    maker = traffic()
    for fact in [*maker.snapshots(START_NS), *maker.take(2_000)]:
        for _, frame in script.frames(fact, fact.ts_ns):
            mapper.map(frame, fact.ts_ns, rows)
    assert rows.rejects == {}
    assert rows.controls == []
    assert {batch.kind for batch in rows.drain()} == venue.kinds - {Kind.RATIO}


@pytest.mark.parametrize("options", [{"rate_per_s": 0.0}, {"shares": {}}, {"shares": {Kind.ADL: 1.0}}])
def test_impossible_traffic_is_refused(options):
    with pytest.raises(ConfigError):
        traffic(**options)
    with pytest.raises(ConfigError):
        Traffic([], 1, start_ns=START_NS)
