"""A book without a beginning, or with a change that was rejected, is asked for anew: never half a book."""

from __future__ import annotations

import dataclasses

import pytest
from tests.sources.venues.play import Play, assert_same_book, book_after, book_of

from faultline.messages import Kind
from faultline.sources.awaited import CHANGES_PATIENT

SLUGS = [
    "aster",
    "backpack",
    "binance",
    "binance-coinm",
    "bingx",
    "bitget",
    "bybit",
    "coinex",
    "deribit",
    "extended",
    "gate",
    "htx",
    "kucoin",
    "lighter",
    "mexc",
    "okx",
    "orderly",
]


@pytest.mark.parametrize("slug", SLUGS)
def test_a_snapshot_that_does_not_come_is_asked_for_again(slug):
    play = Play(slug, mends=False).connect()
    item = play.script.contracts[0]
    facts = play.at(item)
    whole = facts.book([(-1, 5)], [(1, 5)], is_snapshot=True)
    play.publish(whole, losing=True)
    play.drain()
    changes = [facts.book([(-1, 6 + n % 2)], [], seq=n + 1) for n in range(CHANGES_PATIENT)]
    play.publish(*changes)
    first = len(play.resyncs)
    assert first >= 1
    play.publish(*(facts.book([(-1, 8)], [], seq=CHANGES_PATIENT + n + 1) for n in range(CHANGES_PATIENT)))
    assert len(play.resyncs) == first + 1
    assert Kind.BOOK_LEVEL not in {kind for kind, _ in play.drain()}
    play.mends = True
    more = [facts.book([(-2, 1)], [], seq=2 * CHANGES_PATIENT + n + 1) for n in range(CHANGES_PATIENT + 1)]
    play.publish(*more)
    found = book_of(play.drain(Kind.BOOK_LEVEL)[item.symbol])
    assert_same_book(found, book_after([whole, facts.book([(-1, 8), (-2, 1)], [])]))


# KuCoin tells levels one by one: the good ones of a fact are changes of their own.
@pytest.mark.parametrize("slug", [slug for slug in SLUGS if slug != "kucoin"])
def test_a_change_with_an_impossible_level_loses_the_book_until_it_is_whole_again(slug):
    play = Play(slug).connect()
    item = play.script.contracts[0]
    facts = play.at(item)
    start = facts.of(Kind.BOOK_LEVEL)
    play.publish(*start)
    play.drain()
    before = len(play.resyncs)
    good = facts.book([(-4, 3)], [], seq=5)
    bad = dataclasses.replace(good, bids=(*good.bids, (-good.bids[0][0], 1.0)))
    play.mends = False
    play.publish(bad)
    rows = play.drain()
    assert (Kind.GAP, item.symbol) in rows
    assert (Kind.BOOK_LEVEL, item.symbol) not in rows
    assert len(play.resyncs) == before + 1
    play.publish(facts.book([(-5, 3)], [], seq=6))
    assert (Kind.BOOK_LEVEL, item.symbol) not in play.drain(), "changes wait"
