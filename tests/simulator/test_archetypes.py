"""Each kind of venue follows its own rules, and the engine reads its contract from the tape alone."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.simulator.conftest import START_NS

from faultline.instruments import ContractKind, FormulaFamily, instruments_from_rows
from faultline.messages import Flag, Kind
from faultline.simulator import Simulation, load_world
from faultline.simulator.archetypes import ARCHETYPES, venue_rules
from faultline.simulator.entries import draw_life_ns_kernel
from faultline.simulator.margin import (
    INVERSE,
    MARK_VALUED,
    bankruptcy_ratio_kernel,
    equity_ratio_kernel,
    liquidation_ratio_kernel,
)
from faultline.units import HOUR_NS, MILLISECOND_NS, SECOND_NS, PriceKind

N_HOURS = 12


def exact(world):
    """The world with margins that are exactly initial, so that the formula alone decides."""
    traders = tuple(
        msgspec.structs.replace(
            kind, margin_noise=0.0, cross_prob=0.0, topup_prob=0.0, partial_close_prob=0.0
        )
        for kind in world.traders
    )
    return msgspec.structs.replace(world, traders=traders, warmup_days=0.5)


@pytest.fixture(scope="module")
def six():
    simulation = Simulation(exact(load_world("six-venues")), 3, START_NS)
    return simulation, simulation.advance(START_NS + N_HOURS * HOUR_NS)


def rows_of(batches, kind, slug):
    parts = [batch.rows for batch in batches if batch.kind is kind and batch.venue == slug]
    return np.concatenate(parts) if parts else None


def test_the_world_has_at_least_six_kinds_of_venue():
    kinds = {(venue_rules(venue), venue.contract) for venue in load_world("six-venues").venues}
    assert len(kinds) >= 6
    assert {venue.archetype for venue in load_world("six-venues").venues} == set(ARCHETYPES)


def test_the_engines_formulas_give_the_levels_of_every_kind_of_venue(six):
    simulation, batches = six
    table = simulation.positions()["BTC"]
    for iid in simulation.instrument_ids:
        rows = next(b.rows for b in batches if b.kind is Kind.INSTRUMENT and b.instrument_id == iid)
        instrument = instruments_from_rows(iid, rows)[-1][1]
        mine = np.flatnonzero((table["instrument"] == iid) & (table["opened_ns"] >= START_NS))[::5]
        assert len(mine) > 20
        level = instrument.liquidation_price_usd(
            table["entry_price_usd"][mine],
            table["leverage"][mine].astype(float),
            table["side"][mine],
            notional_usd=table["notional_usd"][mine],
        )
        ends = (level > table["entry_price_usd"][mine] * 2e-3) & (
            level < table["entry_price_usd"][mine] * 500
        )
        assert ends.sum() > 20
        assert table["level_price_usd"][mine][ends] == pytest.approx(level[ends], rel=1e-9)


def test_families_and_contracts_are_those_of_the_archetypes(six):
    simulation, batches = six
    found = {}
    for iid in simulation.instrument_ids:
        rows = next(b.rows for b in batches if b.kind is Kind.INSTRUMENT and b.instrument_id == iid)
        instrument = instruments_from_rows(iid, rows)[-1][1]
        found[instrument.venue] = (instrument.formula_family, instrument.contract_kind)
    assert found["simadjusted"] == (FormulaFamily.LEVERAGE_ADJUSTED, ContractKind.LINEAR)
    assert found["simcoin"] == (FormulaFamily.MARK_VALUED, ContractKind.INVERSE)
    assert found["simall"] == (FormulaFamily.ENTRY_VALUED, ContractKind.LINEAR)


def test_a_silent_venue_liquidates_and_says_nothing(six):
    simulation, batches = six
    table = simulation.truth()["liquidations"]
    mine = np.char.startswith(table["instrument"].astype(str), "simsilent:")
    assert mine.sum() > 10
    assert not table["is_reported"][mine].any()
    assert rows_of(batches, Kind.LIQUIDATION, "simsilent") is None


def test_an_immediate_venue_publishes_every_liquidation_at_the_mark_at_once(six):
    simulation, batches = six
    rows = rows_of(batches, Kind.LIQUIDATION, "simonchain")
    table = simulation.truth()["liquidations"]
    mine = np.flatnonzero(np.char.startswith(table["instrument"].astype(str), "simonchain:"))[: len(rows)]
    assert rows["ts_event_ns"].tolist() == table["ts_event_ns"][mine].tolist()
    assert set((rows["ts_received_ns"] - rows["ts_event_ns"]).tolist()) == {300 * MILLISECOND_NS + 1}
    assert (rows["price_kind"] == PriceKind.MARK).all()
    assert np.abs(rows["price_usd"] - table["mark_price_usd"][mine]).max() <= 0.1


def test_the_largest_of_each_second_is_published(six):
    simulation, batches = six
    rows = rows_of(batches, Kind.LIQUIDATION, "simlargest")
    table = simulation.truth()["liquidations"]
    mine = np.char.startswith(table["instrument"].astype(str), "simlargest:")
    second, qty = table["ts_event_ns"][mine] // SECOND_NS, table["qty_base"][mine]
    largest = {s: qty[second == s].max() for s in set(second.tolist())}
    seconds = (rows["ts_event_ns"] // SECOND_NS).tolist()
    assert len(set(seconds)) == len(seconds)
    assert rows["qty_base"].tolist() == pytest.approx([largest[s] for s in seconds])
    assert (rows["flags"] == Flag.SAMPLED).all()


def test_dropped_turned_and_doubled_events_have_their_rates():
    world = load_world("three-assets")
    venue = msgspec.structs.replace(
        world.venues[1], report_ratio=0.4, wrong_side_prob=0.1, duplicate_prob=0.2, report_delay_ms=700
    )
    calm = msgspec.structs.replace(
        world, venues=(venue,), assets=world.assets[:1], warmup_days=0.5, step_s=2.0, trades=False
    )
    simulation = Simulation(
        msgspec.structs.replace(calm, marks_every_s=60, open_interest_every_s=60), 1, START_NS
    )
    batches = simulation.advance(START_NS + 24 * HOUR_NS)
    rows = rows_of(batches, Kind.LIQUIDATION, "simy")
    table = simulation.truth()["liquidations"]
    assert len(rows) > 500
    assert table["is_reported"].mean() == pytest.approx(0.4, abs=0.03)
    copies = np.flatnonzero((np.diff(rows["ts_event_ns"]) == 0) & (np.diff(rows["qty_base"]) == 0))
    assert len(copies) / (len(rows) - len(copies)) == pytest.approx(0.2, abs=0.03)
    when = dict(zip(table["ts_event_ns"].tolist(), table["side"].tolist(), strict=True))
    turned = [when[t] != side for t, side in zip(rows["ts_event_ns"], rows["side"], strict=True)]
    assert np.mean(turned) == pytest.approx(0.1, abs=0.03)
    assert (rows["ts_received_ns"] - rows["ts_event_ns"]).min() > 700 * MILLISECOND_NS


def test_open_interest_of_a_venue_comes_at_its_own_spacing(six):
    _, batches = six
    for slug, every_s in (("simlargest", 300), ("simall", 60)):
        rows = rows_of(batches, Kind.OPEN_INTEREST, slug)
        assert set(np.diff(rows["ts_event_ns"]).tolist()) == {every_s * SECOND_NS}


def test_an_inverse_contract_is_worth_the_same_at_any_price(six):
    simulation, batches = six
    interest = rows_of(batches, Kind.OPEN_INTEREST, "simcoin")
    assert np.abs(interest["oi_usd"] - np.round(interest["oi_usd"])).max() < 1e-3
    table = simulation.positions()["BTC"]
    mine = table["instrument"] == "simcoin:BTCUSD"
    assert np.abs(table["notional_usd"][mine] - np.round(table["notional_usd"][mine])).max() < 1e-3


@given(
    side=st.sampled_from([1, -1]),
    leverage=st.integers(2, 125),
    maintenance=st.floats(0.003, 0.0075),
    fee=st.floats(0.0, 0.0004),
    rule=st.sampled_from([MARK_VALUED, 0]),
    contract=st.sampled_from([INVERSE, 0]),
)
def test_equity_equals_what_must_be_maintained_with_fees_and_inverse_contracts(
    side, leverage, maintenance, fee, rule, contract
):
    price = liquidation_ratio_kernel(side, 1.0 / leverage, maintenance, 0.0, rule, contract, fee)
    worth = 1.0 / price if contract == INVERSE else price
    due = maintenance * (worth if rule == MARK_VALUED else 1.0) + fee * worth
    assert equity_ratio_kernel(side, 1.0 / leverage, price, contract) == pytest.approx(due, abs=1e-9)
    bankrupt = bankruptcy_ratio_kernel(side, 1.0 / leverage, contract)
    assert equity_ratio_kernel(side, 1.0 / leverage, bankrupt, contract) == pytest.approx(0.0, abs=1e-9)
    assert side * price > side * bankrupt


def test_leverage_switches_when_the_world_says_so_and_a_class_may_ignore_the_regime():
    world = msgspec.structs.replace(
        load_world("regime-switch"), leverage_switch_hours=6.0, truth_map_every_s=3600, warmup_days=0.2
    )
    simulation = Simulation(world, 1, START_NS)
    simulation.advance(START_NS + N_HOURS * HOUR_NS)
    opens = simulation.truth()["opens"]
    is_late = opens["from_ns"] >= START_NS + 6 * HOUR_NS
    before, after = (
        np.average(np.log(opens["leverage"][rows]), weights=opens["n_opens"][rows])
        for rows in (~is_late, is_late)
    )
    assert after - before == pytest.approx(np.log(2.5), abs=0.1)


def test_a_class_that_does_not_respond_keeps_its_leverage_in_every_regime():
    world = load_world("regime-leverage")
    medians = {}
    for regime in ("trend-up", "trend-down"):
        first = msgspec.structs.replace(
            next(kind for kind in world.regimes if kind.name == regime), next={}, mean_hours=1e5
        )
        simulation = Simulation(
            msgspec.structs.replace(world, regimes=(first,), warmup_days=0.25), 1, START_NS
        )
        table = simulation.positions()["BTC"]
        medians[regime] = {
            name: np.log(table["leverage"][table["trader"] == name]).mean() for name in ("retail", "pro")
        }
    up, down = medians["trend-up"], medians["trend-down"]
    assert up["retail"] - down["retail"] > 0.8
    assert abs(up["pro"] - down["pro"]) < 0.5


@pytest.mark.parametrize(("name", "ratio"), [("well-specified", 1.0), ("misspecified", 1.8)])
def test_lives_are_exponential_where_nothing_is_wrong_and_not_where_it_is(name, ratio):
    """The standard deviation of a life over its mean is one for an exponential, more for a falling hazard."""
    simulation = Simulation(msgspec.structs.replace(load_world(name), warmup_days=0.0), 1, START_NS)
    parameters, rng = simulation._markets[0]._parameters, np.array([5], dtype=np.uint64)
    hours = np.array([draw_life_ns_kernel(parameters, rng, 0, 10) for _ in range(20_000)]) / HOUR_NS
    assert hours.std() / hours.mean() == pytest.approx(ratio, rel=0.06)
    noise = {kind.margin_noise for kind in simulation.world.traders}
    assert noise == ({0.0} if name == "well-specified" else {0.1})


def test_in_the_null_world_of_leverage_nobody_ever_chooses_another():
    world = msgspec.structs.replace(load_world("null-leverage"), warmup_days=0.1)
    simulation = Simulation(world, 1, START_NS)
    simulation.advance(START_NS + 24 * HOUR_NS)
    truth = simulation.truth()
    assert set(truth["opens"]["leverage"].tolist()) == {25}
    assert len(set(truth["path"]["regime"].tolist())) > 1


def test_careful_traders_leave_before_their_level():
    """Of two classes alike in leverage and life, the one with stops is liquidated far less often."""
    world = msgspec.structs.replace(load_world("stop-losses"), warmup_days=0.5, step_s=4.0)
    simulation = Simulation(world, 1, START_NS)
    simulation.advance(START_NS + 24 * HOUR_NS)
    trader = simulation.truth()["liquidations"]["trader"]
    careful, careless = (trader == "careful").sum() / 0.6, (trader == "careless").sum() / 0.4
    assert 0 < careful < 0.4 * careless
