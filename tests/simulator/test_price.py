"""Impact, regimes and the mark behave as the concepts page says."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.simulator.conftest import START_NS, small

from faultline.simulator import Simulation, load_world
from faultline.simulator.price import impact_kernel
from faultline.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS


@given(flow=st.floats(-1e12, 1e12), scale=st.floats(0, 1))
def test_impact_is_odd_and_has_the_sign_of_the_flow(flow, scale):
    impact = impact_kernel(flow, scale, 5e9, 0.5)
    assert impact == -impact_kernel(-flow, scale, 5e9, 0.5)
    assert impact * flow >= 0


@pytest.mark.parametrize("exponent", [0.4, 0.5, 0.6])
def test_impact_grows_with_its_exponent_and_is_linear_for_small_flows(exponent):
    def impact(flow):
        return impact_kernel(flow, 0.03, 5e9, exponent)

    assert np.log(impact(4e9) / impact(1e9)) / np.log(4) == pytest.approx(exponent, abs=0.01)
    assert impact(200.0) / impact(100.0) == pytest.approx(2.0, rel=1e-3)
    assert impact(0.0) == 0.0


@given(a=st.floats(1e3, 1e9), b=st.floats(1e3, 1e9))
def test_impact_is_concave(a, b):
    together = impact_kernel(a + b, 0.03, 5e9, 0.5)
    assert together <= impact_kernel(a, 0.03, 5e9, 0.5) + impact_kernel(b, 0.03, 5e9, 0.5) + 1e-15


def quiet(**changes):
    """A market in which nobody trades: the price is the fundamental."""
    world = small(warmup_days=0.0, jumps_per_day=0.0, **changes)
    asset = msgspec.structs.replace(world.assets[0], opens_per_hour=0.0, background_trades_per_minute=0.0)
    return msgspec.structs.replace(world, assets=(asset,))


def test_impact_of_one_order_decays_with_its_time_constant():
    simulation = Simulation(quiet(impact_decay_s=300.0), 1, START_NS)
    market = simulation._markets[0].state.market
    market["forced_usd"] = -5e8
    simulation.advance(START_NS + SECOND_NS)
    assert market["forced_impact"][0] < -1e-4
    before = market["forced_usd"][0]
    simulation.advance(START_NS + 301 * SECOND_NS)
    assert market["forced_usd"][0] / before == pytest.approx(np.exp(-1), rel=1e-9)


def test_nothing_happens_where_nobody_trades():
    batches = Simulation(quiet(), 1, START_NS).advance(START_NS + 2 * MINUTE_NS)
    assert {batch.kind.value for batch in batches} == {"instrument", "mark", "open_interest", "funding"}
    interest = next(batch for batch in batches if batch.kind.value == "open_interest")
    assert (interest.rows["oi_base"] == 0).all()


def test_a_market_nobody_trades_has_the_volatility_of_its_asset():
    world = quiet(fast_vol_sigma=0.0, slow_vol_sigma=0.0, season_amplitude=0.0, step_s=2.0, marks_every_s=60)
    regime = msgspec.structs.replace(world.regimes[0], vol_ratio=1.0, reversion_per_hour=0.0, next={})
    world = msgspec.structs.replace(world, regimes=(regime,), open_interest_every_s=60)
    simulation = Simulation(world, 1, START_NS)
    simulation.advance(START_NS + 4 * DAY_NS)
    path = simulation.truth()["path"]
    price = path["last_price_usd"][path["instrument"] == "simx:BTCUSDT"]
    found = np.diff(np.log(price[::5])).std() * np.sqrt(288)
    assert found == pytest.approx(world.assets[0].vol_per_day_ratio, rel=0.06)


def test_the_mark_lags_the_index_by_its_time_constant():
    world = quiet(step_s=0.5)
    venue = msgspec.structs.replace(world.venues[0], mark_lag_s=8.0, basis_bps=0.0)
    simulation = Simulation(msgspec.structs.replace(world, venues=(venue,)), 1, START_NS)
    rows = next(b.rows for b in simulation.advance(START_NS + HOUR_NS) if b.kind.value == "mark")
    mark, index = np.log(rows["mark_price_usd"]), np.log(rows["index_price_usd"])
    apart = [np.std(mark[60:] - index[60 - lag : -lag or None]) for lag in range(20)]
    assert 4 <= int(np.argmin(apart)) <= 8


def test_every_asset_is_in_the_same_regime():
    world = msgspec.structs.replace(
        load_world("three-assets"),
        warmup_days=0.1,
        trades=False,
        step_s=5.0,
        marks_every_s=60,
        open_interest_every_s=60,
    )
    simulation = Simulation(world, 3, START_NS)
    simulation.advance(START_NS + DAY_NS)
    path = simulation.truth()["path"]
    regimes = [
        path["regime"][path["instrument"] == f"simx:{base}USDT"].tolist() for base in ("BTC", "ETH", "SOL")
    ]
    assert regimes[0] == regimes[1] == regimes[2]
    assert len(set(regimes[0])) > 1
    prices = [
        np.diff(np.log(path["last_price_usd"][path["instrument"] == f"simx:{base}USDT"]))
        for base in ("BTC", "ETH")
    ]
    assert 0.4 < np.corrcoef(prices)[0, 1] < 0.95


def test_entries_cluster_at_round_prices():
    """Opens an hour near a multiple of the round step, over those of a world that does not care."""
    counts = {}
    for gain in (0.0, 4.0):
        world = small(
            round_gain=gain, clustering_bps=50.0, warmup_days=0.0, contagion=False, flow_impact=False
        )
        simulation = Simulation(world, 1, START_NS)
        simulation.advance(START_NS + HOUR_NS)
        counts[gain] = simulation.truth()["opens"]["n_opens"].sum()
    assert counts[4.0] > 2.5 * counts[0.0]
