"""Every venue of the registry against the script of its side: what the venue says is what comes out, and nothing else.

A fact (a trade, a liquidation, a change of the book) is put on the wire by a script written from the venue's
documentation; the venue's plans ask for it, its mapper reads it, and the same fact must come out, in our units.
"""

from __future__ import annotations

import dataclasses
import itertools
import math

import msgspec
import numpy as np
import pytest
from tests.contracts.tree import ROOT
from tests.sources.venues.play import (
    ALL_KINDS,
    NOW_NS,
    WALLET,
    Play,
    assert_same_book,
    book_after,
    book_of,
    current_lines,
    spoilt_bodies,
)

from faultline.instruments import ContractKind
from faultline.messages import NO_SEQ, Flag, Kind, TradeCause
from faultline.sources.plan import Beat
from faultline.sources.registry import SLUGS
from faultline.sources.venue import Evidence, SideMeaning, Throttle, TimeUnit, Transport
from faultline.units import MILLISECOND_NS, SECOND_NS, PriceKind

#: What every venue gives, or says why not.
ASKED = (
    Kind.TRADE,
    Kind.LIQUIDATION,
    Kind.BOOK_LEVEL,
    Kind.MARK,
    Kind.FUNDING,
    Kind.OPEN_INTEREST,
    Kind.RATIO,
    Kind.ADL,
)
SAMPLES = {Throttle.LATEST, Throttle.LARGEST, Throttle.ONE}
#: A stamp is at most this far from the fact's.
STEP_NS = {TimeUnit.SECONDS: SECOND_NS, TimeUnit.NONE: 3 * SECOND_NS}

pytestmark = pytest.mark.parametrize("slug", SLUGS)


def played(slug, kind):
    """A play of a kind, with the kind's facts of every contract published, one by one: (fact, rows, heard)."""
    play = Play(slug).connect()
    play.drain()
    told = []
    for item in play.script.contracts:
        for fact in play.at(item).of(kind):
            heard = play.publish(fact)
            told.append((fact, play.drain(), heard))
    return play, told


# -- what the venue says of itself ------------------------------------------------------------------------------------


def test_every_kind_is_covered_or_absent_with_a_reason(slug):
    venue = Play(slug).venue
    assert venue.slug == slug
    assert not venue.kinds & set(venue.absent), "a kind is covered or absent, not both"
    for kind in ASKED:
        if kind not in venue.kinds:
            assert len(venue.absent.get(kind, "")) > 10, f"{kind} is neither covered nor absent with a reason"


def test_lines_of_the_coverage_table_are_complete(slug):
    venue = Play(slug).venue
    for line in venue.coverage:
        assert line.source.startswith("http") or line.evidence in {Evidence.RECORDED, Evidence.ASSUMED}, line
        assert line.from_ns < line.until_ns
        sided = line.kind in {Kind.TRADE, Kind.LIQUIDATION, Kind.ADL}
        assert (line.side is not SideMeaning.NONE) or not sided, line
        if line.kind is Kind.LIQUIDATION:
            assert (line.price is not PriceKind.UNKNOWN) or line.note, "an unknown price kind needs a note"
        same = [one for one in venue.coverage if one.kind is line.kind and one.channel == line.channel]
        moments = sorted((one.from_ns, one.until_ns) for one in same)
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(moments)), line


def test_the_readme_has_every_channel_of_the_table(slug):
    text = (ROOT / "src/faultline/sources/venues" / slug.replace("-", "_") / "README.md").read_text()
    assert text.count("\n") <= 60
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows[0].replace(" ", "") == "|Channel|Variants|Role|Mapperaction|Evidence|"
    for line in Play(slug).venue.coverage:
        assert any(f"`{line.channel}`" in row and line.evidence.value in row for row in rows), line.channel


# -- contracts --------------------------------------------------------------------------------------------------------


def test_the_listing_gives_the_contracts_of_the_script(slug):
    play = Play(slug)
    expected = {item.symbol: item for item in play.script.contracts}
    assert {item.symbol for item in play.instruments} == set(expected)
    assert {item.asset for item in play.instruments} & {"BTC"}
    for found in play.instruments:
        item = expected[found.symbol]
        assert found.venue == slug
        assert (found.base, found.quote) == (item.base, item.quote)
        assert (found.contract_kind is ContractKind.INVERSE) == item.is_inverse
        np.testing.assert_allclose(found.tick_usd, item.tick_usd, rtol=1e-9)
        np.testing.assert_allclose(
            found.qty_base(1.0, item.price_usd),
            item.contract_size / (item.price_usd if item.is_inverse else 1.0),
            rtol=1e-9,
        )
        assert found.max_leverage >= found.tiers[0].max_leverage >= 1


def test_a_contract_that_cannot_be_read_is_left_out_and_takes_none_with_it(slug):
    """Every leaf of every answer is spoilt in turn: contracts come, or the answer as a whole is refused."""
    play = Play(slug)
    least, most = len(play.instruments), 0
    for name, pages in play.answers.items():
        for page, body in enumerate(pages):
            for spoilt in list(spoilt_bodies(body, ("x", -1, None, 10**30, {}, 0)))[:400]:
                answers = {**play.answers, name: [*pages[:page], spoilt, *pages[page + 1 :]]}
                try:
                    found = play.venue.feed.contracts(answers)
                except msgspec.MsgspecError:
                    continue
                least, most = min(least, len(found)), max(most, len(found))
                assert len({item.id for item in found}) == len(found)
    assert most == len(play.instruments)
    assert least >= len(play.instruments) // 2, "one odd contract took others with it"


# -- connections ------------------------------------------------------------------------------------------------------


def test_every_subscription_is_confirmed(slug):
    play = Play(slug).connect()
    assert play.connections or play.polls
    for connection in play.connections:
        assert not connection.refused
        if "" not in connection.confirmed:
            assert set(connection.confirmed) == set(connection.plan.expects)
    assert play.out.rejects == {}


def test_plans_name_channels_of_the_table_and_addresses_of_the_venue(slug):
    play = Play(slug)
    channels = {line.channel for line in play.venue.coverage}
    plans = play.venue.feed.sockets(play.wanted())
    assert len({plan.name for plan in plans}) == len(plans)
    for plan in plans:
        assert plan.url.startswith(tuple(play.venue.sockets.values()))
        assert set(plan.channels) <= channels
        assert all(seconds > 0 for seconds in plan.channels.values())
        assert plan.expects or not plan.subscribe
    for poll in play.venue.feed.polls(play.wanted()):
        assert poll.channel in channels
        assert poll.every_s > 0
        assert poll.request.base in play.venue.rest
    told = set().union(*(plan.channels for plan in plans), {poll.channel for poll in play.polls})
    socket_lines = {
        line.channel
        for line in play.venue.coverage
        if line.transport is Transport.SOCKET and line.until_ns > NOW_NS
    }
    assert socket_lines <= told


def test_nothing_is_asked_that_is_not_wanted(slug):
    play = Play(slug)
    trades = play.venue.feed.sockets(play.wanted(kinds=frozenset({Kind.TRADE})))
    everything = play.venue.feed.sockets(play.wanted())
    one = play.venue.feed.sockets(play.wanted(play.instruments[:1]))
    size = lambda plans: sum(len(frame) for plan in plans for frame in plan.subscribe)
    assert size(trades) <= size(everything)
    assert size(one) <= size(everything)
    assert play.venue.feed.sockets(play.wanted(instruments=[])) == []
    assert not play.venue.feed.sockets(play.wanted(kinds=frozenset()))
    assert not play.venue.feed.polls(play.wanted(kinds=frozenset()))


def test_a_contract_that_the_venue_does_not_know_is_refused_without_harm(slug):
    play = Play(slug)
    known = play.instruments[0]
    foreign = msgspec.structs.replace(known, id=f"{slug}:{known.symbol.replace(known.base, 'NOSUCH')}x")
    play.contracts[foreign.symbol] = foreign
    play.connect([foreign], kinds=frozenset({Kind.TRADE, Kind.LIQUIDATION, Kind.BOOK_LEVEL}))
    assert play.out.rejects == {}, "a refusal is a control, not a reject"
    play = Play(slug).connect([known])
    assert not any(connection.refused for connection in play.connections)


def test_pings_are_answered_and_ours_are_understood(slug):
    play = Play(slug).connect()
    for connection in play.connections:
        beat = connection.plan.heartbeat
        assert beat.every_s > 0
        if play.script.ping is not None:
            assert beat.beat is Beat.THEIRS
            before = len(play.seen)
            play._deliver(connection, play.script.ping)
            assert len(play.seen) > before
        if beat.frame is not None:
            play.send(connection, beat.frame(play.now_ns))
    assert play.out.rejects == {}


def test_a_ping_of_the_venue_gets_a_reply(slug):
    play = Play(slug).connect()
    if play.script.ping is None:
        assert all(one.plan.heartbeat.beat is not Beat.THEIRS for one in play.connections)
        return
    mapper = play.connections[0].mapper
    mapper.map(play.script.ping, play.now_ns, play.out)
    assert len(play.out.controls) == 1
    assert play.out.controls[0].frame


# -- facts ------------------------------------------------------------------------------------------------------------


def _same_time(row, fact, line):
    step = STEP_NS.get(line.time_unit, MILLISECOND_NS)
    assert abs(int(row["ts_event_ns"]) - fact.ts_ns) < step
    assert row["ts_received_ns"] >= fact.ts_ns


def test_trades_come_out_as_they_were_made(slug):
    play, told = played(slug, Kind.TRADE)
    lines = current_lines(play.venue, Kind.TRADE)
    for fact, rows, heard in told:
        row = rows[(Kind.TRADE, fact.symbol)][0]
        assert len(rows[(Kind.TRADE, fact.symbol)]) == 1
        _same_time(row, fact, lines[0])
        assert row["taker_side"] == fact.taker_side
        assert row["cause"] == TradeCause.ORDINARY
        assert row["seq"] in {fact.seq, NO_SEQ}
        np.testing.assert_allclose(
            [row["price_usd"], row["qty_base"]], [fact.price_usd, fact.qty_base], rtol=1e-9
        )
        assert heard & {line.channel for line in lines}
    assert play.out.rejects == {}


def test_liquidations_come_out_with_the_side_of_the_position(slug):
    play = Play(slug).connect()
    lines = current_lines(play.venue, Kind.LIQUIDATION)
    if not lines:
        assert Kind.LIQUIDATION in play.venue.absent
        return
    marks_trades = bool(
        {line.channel for line in lines} & {one.channel for one in current_lines(play.venue, Kind.TRADE)}
    )
    for item in play.script.contracts:
        for fact in play.at(item).of(Kind.LIQUIDATION):
            play.drain()
            heard = play.publish(fact)
            if not heard:  # the script tells liquidations as marked trades only
                trade = play.at(item, seq=fact.seq).trade(-fact.side, is_liquidation=True)
                trade = dataclasses.replace(
                    trade, ts_ns=fact.ts_ns, price_usd=fact.price_usd, qty_base=fact.qty_base
                )
                heard = play.publish(trade)
            rows = play.drain()
            found = rows[(Kind.LIQUIDATION, fact.symbol)]
            assert len(found) == 1
            row, line = found[0], lines[0]
            _same_time(row, fact, line)
            assert row["side"] == fact.side
            assert row["price_kind"] == line.price
            assert bool(row["flags"] & Flag.SAMPLED) == (line.throttle in SAMPLES)
            values = [row["price_usd"], row["qty_base"], row["notional_usd"]]
            expected = [fact.price_usd, fact.qty_base, fact.price_usd * fact.qty_base]
            np.testing.assert_allclose(values, expected, rtol=1e-9)
            assert line.channel in heard
            if marks_trades:
                trade = rows[(Kind.TRADE, fact.symbol)][0]
                assert trade["cause"] == TradeCause.LIQUIDATION
                assert row["price_kind"] == PriceKind.FILL
            else:
                assert (Kind.TRADE, fact.symbol) not in rows
    assert play.out.rejects == {}


def test_a_book_can_be_rebuilt(slug):
    play = Play(slug).connect()
    if not current_lines(play.venue, Kind.BOOK_LEVEL):
        assert Kind.BOOK_LEVEL in play.venue.absent
        return
    for item in play.script.contracts:
        facts = play.at(item).of(Kind.BOOK_LEVEL)
        more = play.at(item)
        facts.append(more.book([(-2, 3)], [(2, 0), (4, 11)], seq=2))
        facts.append(more.book([(-3, 0)], [], seq=3))
        heard = play.publish(*facts)
        rows = play.drain()
        assert_same_book(book_of(rows[(Kind.BOOK_LEVEL, item.symbol)]), book_after(facts))
        assert heard & {line.channel for line in current_lines(play.venue, Kind.BOOK_LEVEL)}
        assert (Kind.GAP, item.symbol) not in rows
        again = play.at(item, seq=5_000).of(Kind.BOOK_LEVEL)
        play.publish(*again)
        rows = play.drain(Kind.BOOK_LEVEL)[item.symbol]
        assert_same_book(book_of(rows), book_after(again)) if rows[0]["flags"] & Flag.SNAPSHOT else None
    assert play.out.rejects == {}


def test_a_lost_change_of_the_book_is_told_and_mended(slug):
    """Where the venue numbers its changes, a lost one makes a gap, a resync, and a whole book after it."""
    play = Play(slug).connect()
    if not current_lines(play.venue, Kind.BOOK_LEVEL):
        return
    item = play.script.contracts[0]
    facts = play.at(item).of(Kind.BOOK_LEVEL)
    play.publish(*facts)
    play.drain()
    before = len(play.resyncs)
    lost, later = play.at(item).book([(-2, 1)], [], seq=2), play.at(item).book([], [(2, 2)], seq=3)
    play.publish(lost, losing=True)
    play.publish(later)
    rows = play.drain()
    if len(play.resyncs) == before:  # its changes are not numbered one by one, or every frame is whole
        assert (Kind.GAP, item.symbol) not in rows
        return
    assert rows[(Kind.GAP, item.symbol)][0]["missing_kind"] == b"book_level"
    assert rows[(Kind.GAP, item.symbol)][0]["reason"] == b"sequence"
    final = play.at(item).book([(-4, 2)], [], seq=4)
    play.publish(final)
    whole = [*rows.get((Kind.BOOK_LEVEL, item.symbol), []), *play.drain(Kind.BOOK_LEVEL)[item.symbol]]
    assert_same_book(book_of(whole), book_after([*facts, lost, later, final]))
    assert len(play.resyncs) == before + 1


def test_marks_funding_and_interest_come_out_as_they_were_told(slug):
    for kind in (Kind.MARK, Kind.FUNDING, Kind.OPEN_INTEREST):
        play, told = played(slug, kind)
        lines = current_lines(play.venue, kind)
        for fact, rows, heard in told if lines else ():
            row = rows[(kind, fact.symbol)][-1]
            _same_time(row, fact, lines[0])
            assert heard & {line.channel for line in lines}
            if kind is Kind.MARK:
                np.testing.assert_allclose(row["mark_price_usd"], fact.mark_usd, rtol=1e-9)
                assert math.isnan(row["index_price_usd"]) or math.isclose(
                    row["index_price_usd"], fact.index_usd
                )
            elif kind is Kind.FUNDING:
                np.testing.assert_allclose(row["rate_ratio"], fact.rate_ratio, rtol=1e-9)
                assert row["next_ns"] in {0, fact.next_ns}
            else:
                pairs = ((row["oi_base"], fact.oi_base), (row["oi_usd"], fact.oi_base * fact.mark_usd))
                known = [(found, true) for found, true in pairs if not math.isnan(found)]
                assert known
                np.testing.assert_allclose(*zip(*known, strict=True), rtol=1e-6)
        assert play.out.rejects == {}


def test_ratios_come_out_as_shares_of_longs(slug):
    play = Play(slug).connect()
    lines = current_lines(play.venue, Kind.RATIO)
    if not lines:
        return
    heard, told = set(), set()
    for item in play.script.contracts:
        for fact in play.at(item).of(Kind.RATIO):
            play.drain()
            heard |= play.publish(fact)
            rows = play.drain(Kind.RATIO).get(fact.symbol, [])
            found = [row for row in rows if row["ratio_kind"].decode() == fact.ratio_kind]
            if found:
                told.add(fact.ratio_kind)
                np.testing.assert_allclose(found[-1]["long_share_ratio"], fact.long_share_ratio, atol=1e-3)
                _same_time(found[-1], fact, lines[0])
    assert told
    assert {line.channel for line in lines} <= heard
    assert play.out.rejects == {}


def test_wallets_come_out_as_they_stand(slug):
    play = Play(slug).connect()
    item = play.script.contracts[0]
    if Kind.WALLET_FILL in play.venue.kinds:
        fact = play.at(item).of(Kind.WALLET_FILL)[0]
        play.publish(fact)
        rows = play.drain(Kind.WALLET_FILL)[item.symbol]
        mine = {row["wallet"].decode(): row for row in rows}
        assert set(mine) == set(fact.users)
        assert mine[fact.users[0]]["taker_side"] == fact.taker_side
        assert mine[fact.users[1]]["taker_side"] == -fact.taker_side
    if Kind.WALLET_POSITION in play.venue.kinds:
        fact = play.at(item).of(Kind.WALLET_POSITION)[0]
        play.publish(fact)
        play.drain()
        play.poll_wallet(WALLET)
        row = play.drain(Kind.WALLET_POSITION)[item.symbol][0]
        assert (row["wallet"].decode(), row["side"]) == (WALLET, fact.side)
        found = [row["qty_base"], row["entry_price_usd"], row["leverage"]]
        np.testing.assert_allclose(found, [fact.qty_base, fact.entry_price_usd, fact.leverage], rtol=1e-9)
    assert play.out.rejects == {}


def test_what_comes_is_what_the_table_says(slug):
    """Kinds and channels of everything the script can say are those of the coverage table."""
    play = Play(slug).connect()
    kinds, heard = set(), set()
    for item in play.script.contracts:
        for kind in set(play.venue.kinds) - {Kind.ADL}:
            for fact in play.at(item).of(kind):
                heard |= play.publish(fact)
            if kind is Kind.LIQUIDATION:
                heard |= play.publish(play.at(item, seq=9_000).trade(1, is_liquidation=True))
            if kind is Kind.WALLET_POSITION:
                play.poll_wallet(WALLET)
                heard |= set(play.out.heard)
            kinds |= {one for one, _ in play.drain()}
    now = [line for line in play.venue.coverage if line.from_ns <= NOW_NS < line.until_ns]
    assert kinds - {Kind.GAP} == {line.kind for line in now} - {Kind.ADL}
    assert {line.channel for line in now if line.kind is not Kind.ADL} == heard


def test_the_test_covers_every_kind(slug):
    assert Play(slug).venue.kinds <= ALL_KINDS
    assert Play(slug).venue.kinds <= set(ASKED) | {Kind.WALLET_FILL, Kind.WALLET_POSITION}
