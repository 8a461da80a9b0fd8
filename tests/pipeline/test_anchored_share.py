"""A feed that prints a part is found out by what the venues print that print everything, per open interest."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from tests.pipeline.test_calibrate import PATH, REFERENCE, START

from faultline.learning.reporting import Reporting
from faultline.pipeline.calibrate import MarketCalibrator
from faultline.pipeline.step import LocatedEvents
from faultline.units import HOUR_NS, MINUTE_NS, PriceKind

PART, WHOLE, OTHER = "simpart:BTCUSDT", "simwhole:BTCUSDT", "simother:BTCUSDT"
REPORTING = {
    "simpart": Reporting(scheme="latest"),
    "simwhole": Reporting(),
    "simother": Reporting(scheme="batched"),
}
INTEREST_USD = {PART: 300e6, WHOLE: 100e6, OTHER: 50e6}
N_HOURS = 40


def liquidations(share: float) -> LocatedEvents:
    """Each hour every venue liquidates 1 % of its open interest in ten orders; one prints only a share of each."""
    rng = np.random.default_rng(3)
    rows = []
    for hour in range(N_HOURS):
        for feed, part in ((PART, share), (WHOLE, 1.0), (OTHER, 1.0)):
            times = START + hour * HOUR_NS + np.sort(rng.integers(1, HOUR_NS - MINUTE_NS, 10))
            sizes = INTEREST_USD[feed] * 1e-3 * part * np.exp(rng.normal(0.0, 0.2, 10))
            rows += [(int(at), feed, float(usd)) for at, usd in zip(times, sizes, strict=True)]
    rows.sort()
    n = len(rows)
    return LocatedEvents(
        instrument=np.array([row[1] for row in rows]),
        received_ns=np.array([row[0] for row in rows]),
        event_ns=np.array([row[0] for row in rows]),
        side=np.ones(n, dtype=np.int8),
        price_usd=np.full(n, 100.0),
        trigger_usd=np.full(n, 100.0),
        notional_usd=np.array([row[2] for row in rows]),
        price_kind=np.full(n, int(PriceKind.TRIGGER), dtype=np.uint8),
        flags=np.zeros(n, dtype=np.uint32),
    )


def run(events, *, up=frozenset(INTEREST_USD), interest=None, cuts=()):
    """Calibrators after whole hours, each with its close; at ``cuts`` the state is taken and restored."""
    market = MarketCalibrator({}, frozenset(), REPORTING)
    for hour in range(N_HOURS):
        edges = sorted(
            {START + hour * HOUR_NS, *(c for c in cuts if c // HOUR_NS == START // HOUR_NS + hour)}
        )
        edges.append(START + (hour + 1) * HOUR_NS)
        for after_ns, upto_ns in itertools.pairwise(edges):
            low, high = np.searchsorted(PATH["end_ns"], (after_ns, upto_ns), side="right")
            market.apply({REFERENCE: PATH[low:high]}, REFERENCE, events.between(after_ns, upto_ns), upto_ns)
            if upto_ns in cuts:
                market = MarketCalibrator.from_state({}, frozenset(), market.state(), REPORTING)
        market.close_hour(START + (hour + 1) * HOUR_NS, interest or INTEREST_USD, up)
    return market


def share_of(market: MarketCalibrator, feed: str):
    return market.feeds[feed].calibrator.share()


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_the_share_is_within_the_range_and_the_complete_are_near_one(share: float) -> None:
    market = run(liquidations(share))
    found = share_of(market, PART)
    assert found.low < share < found.high
    assert found.value == pytest.approx(share, rel=0.15)
    assert found.data_share == 1.0
    for feed in (WHOLE, OTHER):
        complete = share_of(market, feed)
        assert complete.high > 0.9
        assert complete.value > 0.6


def test_a_venue_that_prints_a_part_is_nobodys_anchor() -> None:
    only = {PART: 300e6, WHOLE: 100e6}
    market = run(liquidations(0.1), interest=only)
    assert share_of(market, PART).value == pytest.approx(0.1, rel=0.15)
    assert np.isnan(share_of(market, WHOLE).value)


def test_nothing_is_learned_without_open_interest_or_from_feeds_that_are_down() -> None:
    assert np.isnan(share_of(run(liquidations(0.1), interest={PART: 300e6}), PART).value)
    assert np.isnan(share_of(run(liquidations(0.1), up=frozenset({PART})), PART).value)
    assert np.isnan(share_of(run(liquidations(0.1), up=frozenset({WHOLE, OTHER})), PART).value)


def test_the_hour_in_which_a_feed_was_first_heard_says_nothing() -> None:
    market = run(liquidations(0.1))
    windows = market.feeds[PART].calibrator.report().sources[0].n_windows
    faded = sum(0.5 ** (hours / 72.0) for hours in range(N_HOURS - 1))
    assert windows == pytest.approx(faded, rel=1e-9)


def test_any_cut_and_any_checkpoint_give_the_same_share() -> None:
    events = liquidations(0.25)
    cuts = tuple(np.random.default_rng(6).integers(START, START + N_HOURS * HOUR_NS, 12).tolist())
    whole, cut = run(events), run(events, cuts=cuts)
    assert share_of(whole, PART) == share_of(cut, PART)
