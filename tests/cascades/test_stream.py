"""Zones and columns in, situations with levels taken before the hit out, whatever the cuts."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from tests.zones.made import bumps

from faultline.cascades.chain import CascadeLearner, ChainSettings
from faultline.cascades.levels import LevelSettings
from faultline.cascades.stream import CascadeStream, Conditions, ZoneHit
from faultline.cascades.sweeps import FORCED, Column, SweepTally
from faultline.heatmap.display import DisplayRows
from faultline.market.path import PATH_ROW
from faultline.units import DAY_NS, HOUR_NS, MINUTE_NS
from faultline.zones.zone import Zone

START = 20_000 * DAY_NS
PRICE = 95_000.0
ROWS = DisplayRows(50.0, 1400, 1000)
SETTINGS = ChainSettings(levels=LevelSettings(prominence_quantile=0.2))
KNOWN = Conditions(volume_day_usd=2e10, funding_z=1.5)


def zone(side, low, high, name="Z"):
    return Zone(
        id=name,
        scope="BTC",
        side=side,
        state="hit",
        born_ns=START,
        since_start=False,
        at_ns=START,
        low_usd=low,
        high_usd=high,
        peak_usd=(low + high) / 2,
        notional_usd=5e7,
        lo_usd=2e7,
        hi_usd=1e8,
        distance_ratio=0.0,
        age_s=1.0,
        peak_notional_usd=5e7,
        density_ratio=None,
        density_level=None,
        loaded=None,
        trend=None,
        share_ratio=0.1,
        bands=None,
        venues=None,
        flows=None,
        ended_ns=None,
        end_reason=None,
        touches=1,
    )


def market(minutes=600, seed=1):
    """A random path, a column a minute with three places of longs below, and a hit every hour."""
    rng = np.random.default_rng(seed)
    close = PRICE * np.exp(np.cumsum(0.0006 * rng.standard_normal(minutes)))
    path = np.zeros(minutes, dtype=PATH_ROW)
    path["end_ns"] = START + MINUTE_NS * np.arange(1, minutes + 1)
    path["start_ns"] = path["end_ns"] - MINUTE_NS
    path["low_usd"], path["high_usd"], path["close_usd"] = close * 0.9996, close * 1.0004, close
    columns, hits = [], []
    for k in range(minutes):
        at = float(close[k])
        usd = bumps((0, at * 0.998, 4e7), (0, at * 0.988, 6e7), (0, at * 0.975, 8e7), (1, at * 1.01, 1e7))
        columns.append(Column(int(path["end_ns"][k]), ROWS, usd))
        if k % 60 == 59 and k + 1 < minutes:
            edge = float(close[k + 1])
            hits.append(ZoneHit(int(path["end_ns"][k + 1]), zone("LONG", edge * 0.997, edge, f"Z{k}"), KNOWN))
    flow = np.zeros(300, dtype=FORCED)
    flow["time_ns"] = START + np.sort(rng.integers(0, minutes * MINUTE_NS, 300))
    flow["price_usd"] = close[(flow["time_ns"] - START) // MINUTE_NS]
    flow["notional_usd"] = 1e6
    return path, columns, hits, flow


def walk(path, columns, hits, flow, cuts, *, restarts=False):
    stream = CascadeStream("BTC", CascadeLearner(SETTINGS))
    outcomes, changes, before = [], [], 0
    for cut in [*cuts, len(path)]:
        part = path[before:cut]
        if not len(part):
            continue
        last = int(part["end_ns"][-1])
        stream.add_columns(columns[before:cut])
        before = cut
        stream.add_hits([hit for hit in hits if hit.at_ns <= last])
        hits = [hit for hit in hits if hit.at_ns > last]
        stream.add_liquidations(flow[flow["time_ns"] <= last])
        flow = flow[flow["time_ns"] > last]
        stream.apply_path(part)
        got = stream.collector.take()
        outcomes += got[0]
        changes += got[1]
        if restarts:
            learner = CascadeLearner.from_state(SETTINGS, stream.learner.state())
            stream = CascadeStream.from_state(learner, stream.state())
    return stream, outcomes, changes


@pytest.mark.parametrize("restarts", [False, True])
def test_what_comes_out_does_not_depend_on_cuts_or_restarts(restarts):
    made = market()
    whole, outcomes, changes = walk(*made, [])
    assert len(outcomes) >= 5
    assert whole.unknown > 0
    cuts = np.sort(np.random.default_rng(3).integers(0, 600, 80)).tolist()
    parts, outcomes2, changes2 = walk(*made, cuts, restarts=restarts)
    assert outcomes == outcomes2
    assert changes == changes2
    assert whole.unknown == parts.unknown
    for one, other in ((whole, parts), (whole.learner, parts.learner)):
        left, right = one.state(), other.state()
        assert left.keys() == right.keys()
        for key, value in left.items():
            assert value.tobytes() == right[key].tobytes(), key


def test_levels_are_those_before_the_bar_that_hit():
    path, columns, hits, flow = market(400)
    hit = hits[3]
    k = int(np.searchsorted(path["end_ns"], hit.at_ns))
    # Whatever the column of the hit's own minute says comes too late.
    columns[k] = Column(columns[k].end_ns, ROWS, np.zeros((2, ROWS.n_rows)))
    _, outcomes, _ = walk(path, columns, [hit], flow, [])
    (outcome,) = outcomes
    levels = outcome.situation.levels
    assert levels.n == 2
    before = float(path["close_usd"][k - 1])
    np.testing.assert_allclose(levels.prices_usd(), [before * 0.988, before * 0.975], rtol=1e-3)
    assert outcome.situation.funding_z == 1.5
    moved = math.log(path["close_usd"][k - 1] / path["close_usd"][k - 15])
    assert outcome.situation.momentum == pytest.approx(-moved)
    assert outcome.situation.mass_log_sd == pytest.approx(max(0.4, math.log(5) / 4))


def test_zones_that_stand_have_chains_of_their_own():
    stream, _, _ = walk(*market(), [])
    path, columns, *_ = market()
    close = float(path["close_usd"][-1])
    zones = [
        zone("LONG", close * 0.997, close * 0.999, "A"),
        zone("SHORT", close * 1.005, close * 1.012, "B"),
    ]
    now = int(path["end_ns"][-1])
    chains = stream.forecasts(zones, columns[-1], now, KNOWN)
    assert [chain.zone_id for chain in chains] == ["A", "B"]
    assert len(chains[0].prob) == 2
    assert chains[0].prob[0] > chains[0].prob[1] > 0
    # The only heat of shorts is the zone itself: nothing lies beyond it.
    assert chains[1].prob == ()
    msgspec.json.encode(chains)


def test_nothing_is_said_where_too_little_is_known():
    path, columns, hits, _ = market(200)
    stream, _, _ = walk(path, columns, [], np.zeros(0, dtype=FORCED), [])
    now = int(path["end_ns"][-1])
    blind = Conditions(volume_day_usd=None)
    holes = Column(now, ROWS, np.full((2, ROWS.n_rows), np.nan))
    zones = [hits[0].zone]
    assert stream.forecasts(zones, columns[-1], now, blind) == []
    assert stream.forecasts(zones, holes, now, KNOWN) == []
    assert CascadeStream("BTC", CascadeLearner()).forecasts(zones, columns[-1], now, KNOWN) == []


def test_a_hit_without_a_fresh_column_is_not_followed():
    path, columns, hits, flow = market(400)
    at = int(np.searchsorted(path["end_ns"], hits[3].at_ns))
    old = [column for k, column in enumerate(columns) if k < at - 12]
    stream, outcomes, _ = walk(path, old, [hits[3]], flow, [])
    assert (stream.unknown, outcomes) == (1, [])


@pytest.mark.parametrize("share", [0.002, 0.3])
def test_what_a_chain_releases_is_right_in_order_of_magnitude_before_any_chain_was_seen(share):
    path, columns, _, flow = market(600)
    tally, swept = SweepTally(), 0.0
    tally.add_columns(columns)
    hours = -(-path["end_ns"] // HOUR_NS)
    for hour in np.unique(hours):
        tally.apply_path(path[hours == hour])
        swept += sum(sweep.swept_usd for sweep in tally.close_hour(int(hour) * HOUR_NS))
    flow["notional_usd"] = share * swept / len(flow)
    stream, outcomes, _ = walk(path, columns, [], flow, [])
    assert outcomes == []
    now, close = int(path["end_ns"][-1]), float(path["close_usd"][-1])
    (chain,) = stream.forecasts([zone("LONG", close * 0.997, close * 0.999)], columns[-1], now, KNOWN)
    assert chain.expected_usd[0] == pytest.approx(share * chain.mass_usd[0], rel=1.5)
    assert chain.expected_usd[0] > share * chain.mass_usd[0] / 2.5


def test_hours_of_deleveraging_teach_no_share():
    path, columns, _, flow = market(180)
    stream = CascadeStream("BTC", CascadeLearner(SETTINGS))
    stream.add_columns(columns)
    stream.add_liquidations(flow)
    stream.add_deleveraging(START + 90 * MINUTE_NS)
    stream.apply_path(path)
    assert stream.learner.fraction.censored > 0
