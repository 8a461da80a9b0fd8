"""The simulated market has the stylised facts of the real one, inside the published ranges."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from scipy import stats
from tests.simulator.conftest import START_NS

from faultline.simulator import Simulation, load_world
from faultline.simulator.entries import draw_life_ns_kernel
from faultline.units import DAY_NS, HOUR_NS

N_DAYS = 10


@pytest.fixture(scope="module")
def truth(long_run):
    return long_run[0].truth()


@pytest.fixture(scope="module")
def returns(truth):
    path = truth["path"]
    price = path["last_price_usd"][path["instrument"] == "simx:BTCUSDT"]
    return np.diff(np.log(price))


def hill(values, share):
    """Hill's estimate of a tail exponent from the largest ``share`` of the values."""
    ordered = np.sort(np.abs(values))[::-1]
    n = int(len(ordered) * share)
    return 1.0 / np.mean(np.log(ordered[:n] / ordered[n]))


def correlation(values, lag):
    return np.corrcoef(values[:-lag], values[lag:])[0, 1]


def test_returns_have_the_tail_exponent_of_markets(returns):
    assert 2.5 < hill(returns, 0.01) < 4.5


def test_volatility_clusters_and_returns_do_not(returns):
    sizes = np.abs(returns)
    assert correlation(sizes, 1) > 0.1
    assert correlation(sizes, 60) > 0.03
    assert abs(correlation(returns, 1)) < 0.05


def test_a_day_moves_a_few_percent(returns):
    assert 0.012 < returns.std() * np.sqrt(1440) < 0.045


def test_one_to_five_percent_of_open_interest_is_liquidated_a_day(truth):
    table, path = truth["liquidations"], truth["path"]
    interest = sum(
        (path["oi_base"] * path["mark_price_usd"])[path["instrument"] == iid].mean()
        for iid in ("simx:BTCUSDT", "simy:BTCUSDT")
    )
    assert 0.01 < table["notional_usd"].sum() / N_DAYS / interest < 0.05


def test_a_hundred_to_four_hundred_liquidations_an_hour_on_both_sides(truth):
    table = truth["liquidations"]
    assert 100 < len(table["side"]) / (N_DAYS * 24) < 400
    assert 0.25 < (table["side"] > 0).mean() < 0.75


def test_open_interest_stands_mostly_at_low_leverage(long_run):
    table = long_run[0].positions()["BTC"]
    low = table["notional_usd"][table["leverage"] <= 7].sum() / table["notional_usd"].sum()
    assert 0.6 < low < 0.95


def test_liquidated_leverage_is_far_above_that_of_opens(truth):
    opens = truth["opens"]
    opened = np.average(np.log(opens["leverage"]), weights=opens["n_opens"])
    assert np.log(truth["liquidations"]["leverage"]).mean() > opened + 0.5


@pytest.mark.parametrize("leverage", [3, 10, 100])
def test_lives_are_not_exponential_and_shorten_with_leverage(long_run, leverage):
    """An exponential life has a coefficient of variation of one; here the hazard of closing falls with age."""
    simulation, _ = long_run
    trader = simulation.world.traders[0]
    rng = np.array([leverage], dtype=np.uint64)
    parameters = simulation._markets[0]._parameters
    hours = np.array([draw_life_ns_kernel(parameters, rng, 0, leverage) for _ in range(20_000)]) / HOUR_NS
    assert hours.std() / hours.mean() > 1.2
    expected = trader.life_hours_at_10x * (10 / leverage) ** trader.life_exponent
    assert np.quantile(hours, 1 - np.exp(-1)) == pytest.approx(expected, rel=0.05)


def test_the_true_map_tells_what_the_next_hours_liquidate(long_run):
    """Mass of the true map between the price and the next four hours' extremes ranks what is liquidated there."""
    truth = long_run[0].truth()
    standing, table, path = truth["standing"], truth["liquidations"], truth["path"]
    mass, liquidated = [], []
    for t_ns in sorted(set(standing["t_ns"].tolist()))[:-1]:
        ahead = (path["t_ns"] > t_ns) & (path["t_ns"] <= t_ns + 4 * HOUR_NS)
        low, high = path["mark_price_usd"][ahead].min(), path["mark_price_usd"][ahead].max()
        now = standing["t_ns"] == t_ns
        for side, reached in ((1, standing["price_high_usd"] > low), (-1, standing["price_low_usd"] < high)):
            mass.append(standing["notional_usd"][now & reached & (standing["side"] == side)].sum())
            soon = (table["ts_event_ns"] > t_ns) & (table["ts_event_ns"] <= t_ns + 4 * HOUR_NS)
            liquidated.append(table["notional_usd"][soon & (table["side"] == side)].sum())
    assert stats.spearmanr(mass, liquidated).statistic > 0.8


@pytest.mark.parametrize("seed", [1, 2])
def test_the_crash_empties_the_book_within_forty_minutes(seed):
    world = load_world("crash")
    simulation = Simulation(msgspec.structs.replace(world, assets=world.assets[:1]), seed, START_NS)
    simulation.advance(START_NS + DAY_NS // 4)
    truth = simulation.truth()
    table, path = truth["liquidations"], truth["path"]
    hour = (table["ts_event_ns"] - START_NS) / HOUR_NS
    crash = (hour >= 4.0) & (hour < 4.67)
    usd = table["notional_usd"]
    assert usd[crash].sum() / usd.sum() > 0.6
    assert 0.65 < usd[crash & (table["side"] > 0)].sum() / usd[crash].sum() < 0.97
    mine = path["instrument"] == "simx:BTCUSDT"
    when, interest = (path["t_ns"][mine] - START_NS) / HOUR_NS, path["oi_base"][mine]
    left = interest[when > 4.7][0] / interest[when < 4.0][-1]
    assert 0.4 < left < 0.75
    assert (table["contagion"][crash] == 1).mean() > 0.05


def test_the_null_world_has_one_leverage_and_no_contagion():
    simulation = Simulation(load_world("null-contagion"), 2, START_NS)
    simulation.advance(START_NS + DAY_NS)
    truth = simulation.truth()
    assert set(truth["opens"]["leverage"].tolist()) == {50}
    assert len(truth["liquidations"]["side"]) > 100
    assert not (truth["liquidations"]["contagion"] == 1).any()


def test_the_calm_world_liquidates_less_than_the_lively_one():
    rates = {}
    for name in ("calm", "three-assets"):
        world = load_world(name)
        world = msgspec.structs.replace(world, assets=world.assets[:1], trades=False, step_s=1.0)
        simulation = Simulation(world, 2, START_NS)
        simulation.advance(START_NS + DAY_NS)
        rates[name] = simulation.truth()["liquidations"]["notional_usd"].sum()
    assert rates["calm"] < 0.5 * rates["three-assets"]
