from __future__ import annotations

import numpy as np
import pytest

from faultline.errors import StoreError
from faultline.learning.calibrator.sides import SideCheck, SideVerdict
from faultline.units import SECOND_NS, PriceKind


def feed(rng, n, *, kind=PriceKind.BANKRUPTCY, offset_bps=-40.0, wrong_share=0.0, outliers=0.06):
    """Events whose recorded side is wrong in a share of cases; prints ``offset_bps`` in the position's direction."""
    true = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    offsets = true * offset_bps + rng.normal(0.0, 6.0, n)
    far = rng.random(n) < outliers
    offsets[far] += 150.0
    moves = np.where(rng.random(n) < 0.8, -true, true) * rng.exponential(15.0, n)
    recorded = np.where(rng.random(n) < wrong_share, -true, true)
    times = (np.arange(n) * 20 * SECOND_NS).astype(np.int64)
    return np.full(n, kind, dtype=np.int64), recorded, offsets, moves, times


def test_log_odds_are_votes_weighed_clipped_and_bounded_by_the_majority():
    kinds, sides, offsets, _, times = feed(np.random.default_rng(10), 400, wrong_share=0.3)
    nothing = np.full(400, np.nan)
    odds, votes_for, votes_against = 0.0, 0.0, 0.0
    for side, offset in zip(sides, offsets, strict=True):
        if abs(offset) < 3.0:
            continue
        n = votes_for + votes_against
        weight = np.log(0.95 / 0.05)
        if n >= 20:
            share = max((max(votes_for, votes_against) + 2) / (n + 4), 0.55)
            weight = min(weight, np.log(share / (1 - share)))
        agrees = side * offset < 0
        odds = min(max(odds + (weight if agrees else -weight), -12.0), 12.0)
        votes_for = votes_for * 0.5 ** (1 / 200) + agrees
        votes_against = votes_against * 0.5 ** (1 / 200) + (not agrees)
    check = SideCheck()
    check.apply(kinds, sides, offsets, nothing, times)
    assert check.log_odds_nats == pytest.approx(odds, abs=1e-9)
    assert check.agreement().value == pytest.approx(votes_for / (votes_for + votes_against), abs=1e-9)


def test_a_right_feed_is_found_right_within_a_few_events_and_stays_so():
    check = SideCheck()
    alarms = check.apply(*feed(np.random.default_rng(1), 20_000))
    assert [alarm.verdict for alarm in alarms] == [SideVerdict.RIGHT]
    assert alarms[0].row < 15
    assert check.verdict is SideVerdict.RIGHT
    assert check.agreement().value > 0.85


def test_an_inverted_feed_is_found_inverted_within_a_few_events():
    check = SideCheck()
    alarms = check.apply(*feed(np.random.default_rng(2), 2_000, wrong_share=1.0))
    assert [alarm.verdict for alarm in alarms] == [SideVerdict.INVERTED]
    assert alarms[0].row < 15
    assert check.agreement().high < 0.25


@pytest.mark.parametrize("first", [0.0, 1.0])
def test_a_feed_that_turns_is_found_both_ways(first):
    rng = np.random.default_rng(3)
    check = SideCheck()
    check.apply(*feed(rng, 5_000, wrong_share=first))
    columns = list(feed(rng, 200, wrong_share=1.0 - first))
    columns[4] = columns[4] + 5_000 * 20 * SECOND_NS
    alarms = check.apply(*columns)
    assert len(alarms) == 1
    assert alarms[0].row < 30
    assert alarms[0].verdict is (SideVerdict.INVERTED if first == 0.0 else SideVerdict.RIGHT)


def test_a_feed_of_which_a_part_is_inverted_is_mixed():
    check = SideCheck()
    check.apply(*feed(np.random.default_rng(4), 3_000, wrong_share=0.25))
    assert check.verdict is SideVerdict.MIXED


def test_venues_that_come_in_bursts_of_either_convention_are_mixed_and_alarms_do_not_repeat():
    rng = np.random.default_rng(9)
    columns = list(feed(rng, 4_000))
    # Bursts of 40 events; four in ten come from a venue that is recorded inverted.
    inverted = np.repeat(rng.random(100) < 0.4, 40)
    columns[1] = np.where(inverted, -columns[1], columns[1])
    check = SideCheck()
    alarms = check.apply(*columns)
    assert check.verdict is SideVerdict.MIXED
    assert len(alarms) <= 6
    # Once the inverted venue is gone, the feed is right again.
    later = list(feed(rng, 3_000))
    later[4] = later[4] + columns[4][-1]
    check.apply(*later)
    assert check.verdict is SideVerdict.RIGHT


@pytest.mark.parametrize("wrong", [0.0, 1.0])
def test_prints_at_the_trigger_are_judged_by_the_move_before_them(wrong):
    check = SideCheck()
    columns = feed(
        np.random.default_rng(5), 500, kind=PriceKind.MARK, offset_bps=0.0, wrong_share=wrong, outliers=0.0
    )
    check.apply(*columns)
    assert check.verdict is (SideVerdict.RIGHT if wrong == 0.0 else SideVerdict.INVERTED)


def test_one_move_is_one_vote_however_many_events_it_forces():
    columns = list(feed(np.random.default_rng(6), 100, kind=PriceKind.MARK, offset_bps=0.0, outliers=0.0))
    columns[4] = (np.arange(100) * SECOND_NS // 20).astype(np.int64)
    check = SideCheck()
    assert check.apply(*columns) == []
    assert check.agreement().n_events == 1.0


def test_without_a_mark_nothing_is_known():
    check = SideCheck()
    kinds, sides, offsets, _, times = feed(np.random.default_rng(7), 50)
    nothing = np.full_like(offsets, np.nan)
    assert check.apply(kinds, sides, nothing, nothing, times) == []
    assert check.verdict is SideVerdict.UNKNOWN
    assert (check.agreement().low, check.agreement().high) == (0.0, 1.0)


def test_any_cut_gives_the_same_bytes():
    columns = feed(np.random.default_rng(8), 600, wrong_share=0.3)
    whole, found = SideCheck(), SideCheck()
    whole.apply(*columns)
    for part in np.split(np.arange(600), [1, 250, 251]):
        found = SideCheck.from_state(found.state())
        found.apply(*(column[part] for column in columns))
    assert {k: v.tobytes() for k, v in found.state().items()} == {
        k: v.tobytes() for k, v in whole.state().items()
    }
    with pytest.raises(StoreError, match="side check"):
        SideCheck.from_state({})
