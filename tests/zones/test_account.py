from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.zones.made import START_NS

from faultline.errors import RequestError
from faultline.heatmap.bands import BAND_LABELS
from faultline.heatmap.grid import bucket_edge_usd
from faultline.heatmap.ledger import PATH_BAR, Ledger, LedgerParameters
from faultline.learning.mixes import smooth_prior
from faultline.units import HOUR_NS, MINUTE_NS
from faultline.zones.account import flows_between, make_accounts, standing_of
from faultline.zones.detection import KNOWN

PARAMETERS = LedgerParameters(dispersion_nodes=5)
MIXES = np.array([smooth_prior(PARAMETERS.leverages, centre) for centre in (50.0, 25.0, 100.0)])
PRICE = 70_000.0


def bars_of(closes, start_ns, reach=2e-4, seed=0):
    rng = np.random.default_rng(seed)
    bars = np.zeros(len(closes), dtype=PATH_BAR)
    bars["end_ns"] = start_ns + MINUTE_NS * np.arange(1, len(closes) + 1)
    bars["start_ns"] = bars["end_ns"] - MINUTE_NS
    bars["close_usd"] = closes
    bars["low_usd"], bars["high_usd"] = closes * (1 - reach), closes * (1 + reach)
    bars["units_long"], bars["units_short"] = rng.random((2, len(closes)))
    return bars


def advance(ledger, bars):
    ledger.advance(bars, MIXES[0], np.zeros(0, dtype=np.int64), first_row=0, n_rows=0, row_usd=1.0)


def story(seed, n_before=300, n_between=5, sd=6e-4, still=False):
    """A ledger, its standing before and after some minutes, and the bars between."""
    rng = np.random.default_rng(seed)
    closes = PRICE * np.exp(np.cumsum(rng.normal(0, sd, n_before + n_between)))
    bars = bars_of(closes, START_NS, seed=seed)
    if still:
        bars["low_usd"][n_before:] = bars["high_usd"][n_before:] = bars["close_usd"][n_before - 1]
        bars["close_usd"][n_before:] = bars["close_usd"][n_before - 1]
    ledger = Ledger([PARAMETERS])
    advance(ledger, bars[:n_before])
    moments = START_NS + n_before * MINUTE_NS, START_NS + (n_before + n_between) * MINUTE_NS
    before = standing_of(ledger, MIXES, float(bars["close_usd"][n_before - 1]), 5e9, 4e6, moments[0])
    advance(ledger, bars[n_before:])
    after = standing_of(ledger, MIXES, float(bars["close_usd"][-1]), 5.2e9, 4.1e6, moments[1])
    return ledger, before, after, bars[n_before:]


def zones_around(price):
    edges = [0.0, 0.002, 0.005, 0.012, 0.03, 0.08]
    pairs = list(itertools.pairwise(edges))
    return np.array(
        [(0, price * (1 - b), price * (1 - a)) for a, b in pairs]
        + [(1, price * (1 + a), price * (1 + b)) for a, b in pairs],
        dtype=KNOWN,
    )


def names(intervals):
    return [f"z{k}" for k in range(len(intervals))]


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.integers(1, 30))
def test_every_account_adds_up_and_nothing_is_negative(seed, n_between) -> None:
    _, before, after, bars = story(seed, n_between=n_between)
    intervals = zones_around(PRICE)
    for one in make_accounts(
        names(intervals), intervals, [flows_between("binance", before, after, bars)]
    ).values():
        flows = one.opened_usd - one.closed_usd - one.swept_usd + one.reestimated_usd
        assert one.after_usd - one.before_usd == pytest.approx(
            flows, abs=1e-6 * max(one.before_usd, one.after_usd, 1)
        )
        for name in ("before_usd", "opened_usd", "closed_usd", "after_usd"):
            assert getattr(one, name) >= 0.0
        assert one.swept_usd >= -1e-6 * (one.before_usd + one.opened_usd)
        assert one.swept_usd <= (one.before_usd + one.opened_usd) * (1 + 1e-6)
        assert sum(one.band_usd.values()) == pytest.approx(one.after_usd)
        assert sum(one.venue_usd.values()) == pytest.approx(one.after_usd)
        assert one.mix_usd[0] == pytest.approx(one.after_usd)
        assert list(one.band_usd) == list(BAND_LABELS)


@settings(max_examples=10)
@given(st.integers(0, 10_000))
def test_what_the_path_never_touched_was_not_swept_and_not_estimated_anew_at_the_same_worth(seed) -> None:
    _, before, after, bars = story(seed, still=True)
    after = dataclasses.replace(after, worth_usd=before.worth_usd)
    assert before.first_bucket == after.first_bucket
    intervals = zones_around(PRICE)
    for one in make_accounts(
        names(intervals), intervals, [flows_between("binance", before, after, bars)]
    ).values():
        assert one.swept_usd == 0.0
        assert one.reestimated_usd == pytest.approx(0.0, abs=2e-6 * (one.before_usd + one.opened_usd))


def test_a_zone_that_the_path_ran_through_was_swept_and_not_closed() -> None:
    ledger, _, before, _ = story(1)
    price = PRICE * 0.97
    bars = bars_of(np.array([price]), before.time_ns + MINUTE_NS)
    advance(ledger, bars)
    after = standing_of(ledger, MIXES, price, 5e9, 4e6, int(bars["end_ns"][-1]))
    intervals = np.array([(0, PRICE * 0.975, PRICE * 0.985)], dtype=KNOWN)
    (one,) = make_accounts(["z"], intervals, [flows_between("binance", before, after, bars)]).values()
    assert one.after_usd == 0.0
    assert one.swept_usd == pytest.approx(one.before_usd, rel=0.01)
    assert one.venue_shares() is one.band_shares() is one.range_shares() is None


def test_openings_and_closes_are_those_of_a_slow_count() -> None:
    """Level by level: entry, margin distance, node, leverage and hazard."""
    _, before, after, bars = story(7, n_between=8)
    (flow,) = [flows_between("binance", before, after, bars)]
    p, mix = PARAMETERS, MIXES[0]
    opened = np.zeros(flow.usd.shape[1:])
    faded = np.zeros(flow.usd.shape[1:])
    z, weights = p.nodes()
    for bar in bars:
        entry = np.floor(np.log(bar["close_usd"]) / 5e-4 * 2)
        middle = (entry % 2 + 0.5) / 2
        for lev, leverage in enumerate(p.leverages):
            for node, weight in zip(z, weights, strict=True):
                distance = (1 / leverage - p.maintenance_ratio - p.margin_buffer_ratio) * np.exp(
                    p.dispersion * node
                )
                kept = np.exp(-p.hazards_per_hour()[lev] * (after.time_ns - bar["end_ns"]) / HOUR_NS)
                for side, sign in ((0, -1), (1, 1)):
                    if not 0 < distance < (1 if side == 0 else np.inf):
                        continue
                    shift = np.floor(middle + np.log1p(sign * distance) / 5e-4)
                    index = int(entry // 2 + shift) - flow.first_bucket
                    if 0 <= index < opened.shape[1]:
                        units = bar[("units_long", "units_short")[side]] * weight * mix[lev]
                        opened[side, index] += units
                        faded[side, index] += units * (1 - kept)
    worth = before.worth_usd[0]
    hours = (after.time_ns - before.time_ns) / HOUR_NS
    stood = before.units * (1 - np.exp(-p.hazards_per_hour() * hours)) @ mix
    assert flow.usd[1] == pytest.approx(opened * worth, rel=1e-4, abs=1.0)
    assert flow.usd[2] == pytest.approx((stood + faded) * worth, rel=1e-4, abs=1.0)


def test_standing_is_the_ledgers_own_profile_and_adds_up_to_open_interest() -> None:
    ledger, _, after, _ = story(3)
    for k, mix in enumerate(MIXES):
        profile = ledger.profile(mix)[0]
        assert after.units @ mix == pytest.approx(profile, rel=1e-5, abs=1e-6)
        assert ((after.units @ mix) * after.worth_usd[k]).sum(axis=1) == pytest.approx(
            [5.2e9, 5.2e9], rel=1e-9
        )


def test_standing_leaves_the_ledger_as_it_is() -> None:
    ledger, _, after, _ = story(3)
    before = ledger.sha256()
    later = standing_of(ledger, MIXES, PRICE, 5e9, 4e6, after.time_ns + HOUR_NS)
    assert ledger.sha256() == before
    fade = np.exp(-PARAMETERS.hazards_per_hour())
    assert later.units == pytest.approx(after.units * fade)
    with pytest.raises(RequestError, match="is gone"):
        standing_of(ledger, MIXES, PRICE, 5e9, 4e6, after.time_ns - 1)


def test_zones_that_tile_a_side_hold_all_of_it() -> None:
    _, before, after, bars = story(5)
    flow = flows_between("binance", before, after, bars)
    cuts = np.array([30_000.0, 60_000.0, 68_311.0, 69_000.0, 69_777.7, 75_000.0, 140_000.0])
    intervals = np.array([(0, a, b) for a, b in itertools.pairwise(cuts)], dtype=KNOWN)
    accounts = make_accounts(names(intervals), intervals, [flow])
    edges = [bucket_edge_usd(flow.first_bucket), bucket_edge_usd(flow.first_bucket + flow.usd.shape[2])]
    assert edges[0] < cuts[0]
    assert edges[1] > cuts[-1]
    for name, row in (("before_usd", 0), ("opened_usd", 1), ("closed_usd", 2), ("after_usd", 4)):
        assert sum(getattr(one, name) for one in accounts.values()) == pytest.approx(flow.usd[row, 0].sum())
    assert accounts["z0"].side_before_usd == pytest.approx(flow.usd[0, 0].sum())
    assert accounts["z0"].side_opened_usd == pytest.approx(flow.usd[1, 0].sum())


def test_venues_add_up() -> None:
    _, before, after, bars = story(5)
    one, other = (flows_between(venue, before, after, bars) for venue in ("binance", "bybit"))
    intervals = zones_around(PRICE)
    alone = make_accounts(names(intervals), intervals, [one])
    both = make_accounts(names(intervals), intervals, [other, one])
    for key, account in both.items():
        assert account.after_usd == pytest.approx(2 * alone[key].after_usd)
        assert list(account.venue_usd) == ["binance", "bybit"]
        if account.after_usd > 0:
            assert account.range_shares() == pytest.approx(alone[key].range_shares())
            low, high = account.range_shares()
            assert low <= 1.0 <= high


def test_the_window_of_a_ledger_may_move_between_two_accounts() -> None:
    ledger, _, before, _ = story(2)
    far = PRICE * 1.5
    bars = bars_of(np.array([far, far]), int(before.time_ns) + 5 * MINUTE_NS)
    advance(ledger, bars)
    after = standing_of(ledger, MIXES, far, 5e9, 4e6, int(bars["end_ns"][-1]))
    assert after.first_bucket != before.first_bucket
    flow = flows_between("binance", before, after, bars)
    intervals = np.array([(0, PRICE * 0.98, PRICE * 0.99), (0, far * 0.98, far * 0.99)], dtype=KNOWN)
    stayed, fresh = make_accounts(["a", "b"], intervals, [flow]).values()
    assert stayed.swept_usd == 0.0
    assert stayed.before_usd > 0
    assert fresh.before_usd == 0.0
    assert fresh.opened_usd > 0


def test_flows_of_different_times_or_ledgers_are_not_added_up() -> None:
    _, before, after, bars = story(5)
    one = flows_between("binance", before, after, bars)
    other = dataclasses.replace(one, to_ns=one.to_ns + 1)
    intervals = zones_around(PRICE)
    with pytest.raises(RequestError, match="cannot be added up"):
        make_accounts(names(intervals), intervals, [one, other])
    with pytest.raises(RequestError, match="no flows"):
        flows_between("binance", after, before, bars)
    assert make_accounts([], intervals[:0], [one]) == {}
    assert make_accounts(names(intervals), intervals, []) == {}
