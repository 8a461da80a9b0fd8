"""Which books count at a moment, what they hold together, and that cuts and restarts change nothing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from faultline.cascades.impact import book_flow_usd
from faultline.instruments import ContractKind, FormulaFamily, Instrument, Tier, instrument_rows
from faultline.market.book_curve import book_curve
from faultline.messages import Batch, Flag, Kind, empty_rows
from faultline.pipeline import asset_books
from faultline.pipeline.asset_books import BOOK_GRID_NS, BOOK_WARM_NS, AssetBooks
from faultline.pipeline.cascading import CascadeWatch
from faultline.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

START = 20_000 * DAY_NS
#: Log distances of a side's levels, and what rests at each.
NEAR, FAR = 0.002, 0.01


def contract(iid, kind=ContractKind.LINEAR, size=1.0, tick=0.1):
    return Instrument(
        id=iid,
        base="BTC",
        quote="USD",
        contract_kind=kind,
        formula_family=FormulaFamily.MARK_VALUED,
        contract_size=size,
        tick_usd=tick,
        lot_base=0.001,
        min_notional_usd=5.0,
        tiers=(Tier(0.0, 1e9, 0.005, 100.0, 0.0),),
        taker_fee_ratio=0.0005,
    )


A, B = contract("a:BTCUSDT"), contract("b:BTCUSD", ContractKind.INVERSE, size=100.0, tick=0.5)
CONTRACTS = {item.id: item for item in (A, B)}


def levels(at_ns, prices, qtys, sides, *, seq=0, snapshot=True, iid=A.id):
    rows = empty_rows(Kind.BOOK_LEVEL, len(prices))
    rows["ts_event_ns"] = rows["ts_received_ns"] = at_ns
    rows["price_usd"], rows["qty_base"], rows["side"], rows["seq"] = prices, qtys, sides, seq
    rows["flags"] = Flag.SNAPSHOT if snapshot else 0
    return Batch(Kind.BOOK_LEVEL, iid, rows)


def snapshot(at_s, usd=1e6, *, middle=60_000.0, iid=A.id, seq=0, far=FAR):
    """A book with ``usd`` at its best prices, at 20 and at ``far`` a side."""
    away = np.array([0.0, NEAR, far])
    bids, asks = (middle - 0.5) * np.exp(-away), (middle + 0.5) * np.exp(away)
    prices = np.concatenate([bids, asks])
    return levels(START + round(at_s * SECOND_NS), prices, usd / prices, [1] * 3 + [-1] * 3, seq=seq, iid=iid)


def change(at_s, price, qty, side, *, seq=1, iid=A.id):
    return levels(START + round(at_s * SECOND_NS), [price], [qty], [side], seq=seq, snapshot=False, iid=iid)


def gap(at_s, from_s, to_s, *, kind="book_level", iid=A.id):
    rows = empty_rows(Kind.GAP, 1)
    rows["ts_event_ns"] = rows["ts_received_ns"] = START + round(at_s * SECOND_NS)
    rows["missing_kind"], rows["reason"] = kind, "sequence"
    rows["from_ns"], rows["to_ns"] = START + round(from_s * SECOND_NS), START + round(to_s * SECOND_NS)
    return Batch(Kind.GAP, iid, rows)


def fed(*batches, to_s=60.0, from_ns=START):
    books = AssetBooks(from_ns)
    books.apply(merged(batches), START + round(to_s * SECOND_NS), CONTRACTS)
    return books


def merged(batches):
    """One sorted batch per kind and instrument."""
    groups = {}
    for batch in batches:
        groups.setdefault((batch.kind, batch.instrument_id), []).append(batch.rows)
    out = []
    for key, parts in groups.items():
        rows = np.concatenate(parts)
        out.append(Batch(*key, rows[np.argsort(rows["ts_received_ns"], kind="stable")]))
    return out


def at(books, at_s):
    """Both books and the ratio of depth, at a moment."""
    (bids, asks), ratio = books.at(START + round(at_s * SECOND_NS))
    return bids, asks, ratio


def total(book):
    return sum(book.usd)


def test_what_longs_and_shorts_would_eat_is_told_by_distance_from_the_best_price() -> None:
    bids, asks, ratio = at(fed(snapshot(3.0)), 30.0)
    for side in (bids, asks):
        assert book_flow_usd(side, [0.001, 0.003, 0.009]) == pytest.approx([1e6, 2e6, 2e6], rel=1e-3)
        assert (side.instruments, side.age_s) == ((A.id,), 27.0)
    assert ratio is None


def test_a_moment_knows_nothing_of_rows_that_come_later() -> None:
    books = fed(snapshot(3.0), change(20.0, 59_999.4, 50.0, 1), change(20.1, 59_999.3, 50.0, 1))
    assert at(books, 2.9)[:2] == (None, None)
    # Looked at on whole tens of seconds: of those received at or after one, nothing.
    assert total(at(books, 29.9)[0]) == total(at(books, 10.0)[0])
    assert total(at(books, 30.0)[0]) == pytest.approx(total(at(books, 10.0)[0]) + 100 * 59_999.35)


def test_depth_of_two_venues_adds_up_wherever_their_prices_stand() -> None:
    books = fed(snapshot(1.0, 1e6), snapshot(2.0, 3e6, middle=60_200.0, iid=B.id))
    bids, asks, _ = at(books, 30.0)
    for side in (bids, asks):
        assert book_flow_usd(side, [0.001, 0.003]) == pytest.approx([4e6, 8e6], rel=1e-3)
        assert (side.instruments, side.age_s) == ((A.id, B.id), 29.0)


def test_an_inverse_contract_gives_its_face_value() -> None:
    contracts, price = 40_000, 60_000.0
    qty = B.qty_base(contracts, price)
    rows = [price, price + 0.5], [qty, qty], [1, -1]
    bids, _, _ = at(fed(levels(START, *rows, iid=B.id)), 10.0)
    assert total(bids) == pytest.approx(contracts * 100.0)


def test_a_book_of_which_no_snapshot_was_seen_is_not_used() -> None:
    bare = [change(1.0, 59_990.0, 1.0, 1), change(1.5, 60_010.0, 1.0, -1)]
    assert at(fed(*bare), 10.0)[:2] == (None, None)
    whole = fed(*bare, snapshot(12.0))
    assert total(at(whole, 20.0)[0]) == pytest.approx(3e6, rel=1e-3)


def test_a_book_without_rows_for_two_minutes_is_not_used() -> None:
    books = fed(snapshot(5.0), snapshot(200.0, iid=B.id), to_s=600)
    assert at(books, 120.0)[0].instruments == (A.id,)
    assert at(books, 130.0)[0] is None
    assert at(books, 210.0)[0].instruments == (B.id,)
    assert at(books, 600.0)[0] is None


def test_a_crossed_book_is_not_used_until_it_is_right_again() -> None:
    books = fed(snapshot(5.0), change(12.0, 60_100.0, 1.0, 1), change(22.0, 60_100.0, 0.0, 1))
    assert [at(books, s)[0] is None for s in (10.0, 20.0, 30.0)] == [False, True, False]


@pytest.mark.parametrize("kind", ["book_level", "all"])
def test_a_gap_takes_a_book_away_until_its_next_snapshot(kind) -> None:
    more = [change(s, 59_990.0, 1.0, 1, seq=round(s)) for s in (21.0, 31.0)]
    books = fed(snapshot(5.0), gap(15.0, 12.0, 15.0, kind=kind), *more, snapshot(41.0, seq=9))
    assert [at(books, s)[0] is None for s in (10.0, 20.0, 30.0, 40.0, 50.0)] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_gaps_of_other_kinds_and_those_that_a_snapshot_ended_take_nothing_away() -> None:
    assert at(fed(snapshot(5.0), gap(15.0, 12.0, 15.0, kind="trade")), 20.0)[0] is not None
    # Told after the snapshot with which the connection came back.
    assert at(fed(snapshot(5.0), snapshot(14.0, seq=1), gap(15.0, 8.0, 14.0)), 20.0)[0] is not None
    assert at(fed(snapshot(5.0), gap(15.0, 12.0, 15.0, iid=B.id)), 20.0)[0] is not None


def test_a_book_that_ends_near_counts_as_far_as_it_is_seen() -> None:
    long, short = snapshot(1.0, 3e6), snapshot(2.0, 1e6, iid=B.id, far=0.0021)
    bids, _, _ = at(fed(long, short), 10.0)
    assert book_flow_usd(bids, [0.003, 0.0095]) == pytest.approx([9e6, 9e6], rel=1e-3)
    # Where those that reach on hold less than half, nobody knows what stands there.
    bids, _, _ = at(fed(snapshot(1.0, 3e5), snapshot(2.0, 1e6, iid=B.id, far=0.0021)), 10.0)
    assert np.isnan(book_flow_usd(bids, 0.005))
    assert book_flow_usd(bids, 0.0018) == pytest.approx(1.3e6, rel=1e-3)


def test_an_instrument_without_a_contract_has_no_book_until_it_is_listed() -> None:
    new = contract("c:BTCUSDC", tick=0.2)
    listing = instrument_rows(new, START + 25 * SECOND_NS)
    listing["ts_received_ns"] = START + 25 * SECOND_NS
    rows = [snapshot(s, iid=new.id, seq=s) for s in (5, 15, 28)]
    books = fed(*rows, Batch(Kind.INSTRUMENT, new.id, listing))
    assert [at(books, s)[0] is None for s in (10.0, 20.0, 30.0)] == [True, True, False]


def quarters(usd, n, *, iid=A.id, from_s=0.0):
    """A snapshot just before each quarter of an hour."""
    return [snapshot(from_s + 900 * k - 1, usd[k - 1], iid=iid, seq=k) for k in range(1, n + 1)]


def test_depth_is_set_beside_the_usual_of_six_hours_before_and_never_its_own() -> None:
    usd = [1e6 * (1 + 0.1 * (k % 3)) for k in range(23)] + [5e5, 3e6]
    books = fed(*quarters(usd, 25), to_s=26 * 900)
    assert at(books, 24 * 900)[2] is None
    # Best prices hold a third of each book; ten basis points reach no farther.
    assert at(books, 25 * 900)[2] == pytest.approx(3e6 / np.median(usd[:24]), rel=1e-3)


def test_a_venue_that_falls_silent_does_not_look_like_depth_that_fell() -> None:
    mine, other = [1e6] * 30, [9e6] * 27
    books = fed(*quarters(mine, 30), *quarters(other, 27, iid=B.id), to_s=31 * 900)
    assert at(books, 27 * 900)[2] == pytest.approx(1.0, rel=1e-3)
    assert at(books, 30 * 900)[2] == pytest.approx(1.0, rel=1e-3)
    assert at(books, 30 * 900)[0].instruments == (A.id,)


def busy(hours=8, seed=1):
    """Two venues with snapshots, changes, gaps and a tick that changes."""
    rng = np.random.default_rng(seed)
    batches, end_s = [], hours * 3600
    for iid in CONTRACTS:
        batches += [
            snapshot(s, 1e6 * rng.random(), iid=iid, seq=int(s)) for s in np.sort(rng.random(200) * end_s)
        ]
        for s in np.sort(rng.random(2000) * end_s):
            side = int(rng.choice([-1, 1]))
            price = round(60_000 - side * (1 + 200 * rng.random()), 1)
            batches.append(
                change(s, price, float(rng.choice([0.0, rng.random()])), side, seq=int(s), iid=iid)
            )
    batches += [gap(s, s - 5, s) for s in (1000.0, 5000.5, 20000.0)]
    listing = instrument_rows(contract(A.id, tick=0.05), START + 4 * HOUR_NS)
    listing["ts_received_ns"] = START + 4 * HOUR_NS
    return [*batches, Batch(Kind.INSTRUMENT, A.id, listing)], end_s


@pytest.mark.parametrize("seed", range(3))
def test_cuts_and_restarts_change_nothing(seed) -> None:
    batches, end_s = busy()
    rows, contracts = merged(batches), CONTRACTS
    whole = AssetBooks(START)
    whole.apply(rows, START + end_s * SECOND_NS, contracts)
    rng = np.random.default_rng(seed)
    edges = START + np.sort(rng.integers(0, end_s * SECOND_NS, 300))
    parts = AssetBooks(START)
    for from_ns, to_ns in itertools.pairwise([START, *edges.tolist(), START + end_s * SECOND_NS]):
        cut = []
        for batch in rows:
            times = batch.rows["ts_received_ns"]
            cut.append(
                Batch(batch.kind, batch.instrument_id, batch.rows[(times >= from_ns) & (times < to_ns)])
            )
        parts.apply(cut, to_ns, contracts)
        parts.apply(cut, to_ns, contracts)  # What was given already is passed over.
        if rng.random() < 0.1:
            parts = AssetBooks.from_state(parts.state())
    left, right = whole.state(), parts.state()
    assert left.keys() == right.keys()
    for key, value in left.items():
        assert value.tobytes() == right[key].tobytes(), key
    moments = range(START, START + end_s * SECOND_NS + 1, BOOK_GRID_NS)
    seen = [whole.at(moment) for moment in moments]
    assert seen == [parts.at(moment) for moment in moments]
    assert sum(books[0] is not None for books, _ in seen) > len(seen) // 4
    assert any(ratio is not None for _, ratio in seen)


def test_until_chains_may_ask_only_the_usual_depth_is_learned_and_what_they_hear_is_the_same(
    monkeypatch,
) -> None:
    batches, end_s = busy()
    rows, end_ns, looked = merged(batches), START + end_s * SECOND_NS, []
    every = AssetBooks(START)
    every.apply(rows, end_ns, CONTRACTS)
    monkeypatch.setattr(asset_books, "book_curve", lambda book: looked.append(book) or book_curve(book))
    follow_ns = START + 6 * HOUR_NS + 1
    needed = CascadeWatch("BTC", follow_ns).books
    needed.apply(rows, follow_ns - HOUR_NS, CONTRACTS)
    assert len(looked) <= len(CONTRACTS) * 5 * 4
    needed = AssetBooks.from_state(needed.state())
    needed.apply(rows, end_ns, CONTRACTS)
    asked = range(follow_ns - HOUR_NS, end_ns + 1, BOOK_GRID_NS)
    seen = [needed.at(moment) for moment in asked]
    assert seen == [every.at(moment) for moment in asked]
    assert any(ratio is not None for _, ratio in seen)
    before = [needed.at(moment) for moment in range(START, START + 5 * HOUR_NS, BOOK_GRID_NS)]
    assert set(before) == {((None, None), None)}


def test_what_is_remembered_is_bounded() -> None:
    batches, end_s = busy()
    books = AssetBooks(START)
    books.apply(merged(batches), START + end_s * SECOND_NS, CONTRACTS)
    end_ns = START + end_s * SECOND_NS
    books.forget(end_ns)
    assert books.at(end_ns - 16 * MINUTE_NS) == ((None, None), None)
    state = books.state()
    assert len(state["seen"]) <= 15 * MINUTE_NS // BOOK_GRID_NS + 1
    assert all(len(state[f"{iid}|near"]) <= BOOK_WARM_NS // (15 * MINUTE_NS) + 1 for iid in CONTRACTS)


def test_rows_before_the_beginning_are_passed_over() -> None:
    books = fed(snapshot(5.0), snapshot(35.0, iid=B.id), from_ns=START + 10 * SECOND_NS)
    assert at(books, 40.0)[0].instruments == (B.id,)
