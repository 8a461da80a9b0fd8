"""The same world and seed give the same rows however the simulation is advanced, and the rows make sense."""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.simulator.conftest import START_NS, small

from faultline.instruments import FormulaFamily, instruments_from_rows
from faultline.messages import Flag, Kind, merge_batches
from faultline.simulator import Simulation, contract_rows, load_world
from faultline.units import HOUR_NS, MILLISECOND_NS, MINUTE_NS, SECOND_NS, PriceKind


def digest(batches):
    """Hash of every row by kind and instrument."""
    return [
        (batch.kind, batch.instrument_id, hashlib.sha256(batch.rows.tobytes()).hexdigest())
        for batch in merge_batches(batches)
    ]


def rows_of(batches, kind, instrument_id):
    parts = [batch.rows for batch in batches if batch.kind is kind and batch.instrument_id == instrument_id]
    return np.concatenate(parts) if parts else None


@pytest.fixture(scope="module")
def ten_minutes():
    return Simulation(small(), 7, START_NS).advance(START_NS + 10 * MINUTE_NS)


@settings(max_examples=6)
@given(cuts=st.lists(st.integers(0, 600_000), max_size=40))
def test_rows_do_not_depend_on_how_the_simulation_is_advanced(ten_minutes, cuts):
    simulation = Simulation(small(), 7, START_NS)
    batches = []
    for cut in [*sorted(cuts), 600_000]:
        batches += simulation.advance(START_NS + cut * MILLISECOND_NS)
    assert digest(batches) == digest(ten_minutes)


def test_truth_does_not_depend_on_how_the_simulation_is_advanced():
    world = small(truth_map_every_s=60, truth_positions_every_s=120)
    whole, parts = (Simulation(world, 7, START_NS) for _ in range(2))
    whole.advance(START_NS + 10 * MINUTE_NS)
    for cut in (1, 59_999, 60_001, 61_000, 200_000, 599_000, 600_000):
        parts.advance(START_NS + cut * MILLISECOND_NS)
    a, b = whole.truth(), parts.truth()
    assert a.keys() == b.keys() == {"liquidations", "opens", "standing", "positions", "path"}
    for name in a:
        for column in a[name]:
            assert a[name][column].tolist() == b[name][column].tolist(), (name, column)


def test_seeds_are_reproducible_and_differ():
    def run(seed):
        return digest(Simulation(small(), seed, START_NS).advance(START_NS + MINUTE_NS))

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_time_does_not_run_backwards(live):
    simulation, _ = live
    with pytest.raises(ValueError, match="cannot go back"):
        simulation.advance(simulation.now_ns - 1)


def test_advancing_to_the_same_time_gives_nothing():
    simulation = Simulation(small(), 1, START_NS)
    assert simulation.advance(START_NS) == []
    simulation.advance(START_NS + SECOND_NS)
    assert simulation.advance(START_NS + SECOND_NS) == []


def test_every_kind_arrives_sorted_numbered_and_in_time(live):
    simulation, batches = live
    kinds = {Kind.INSTRUMENT, Kind.TRADE, Kind.MARK, Kind.OPEN_INTEREST, Kind.FUNDING, Kind.LIQUIDATION}
    assert {(batch.kind, batch.instrument_id) for batch in batches} == {
        (kind, iid) for kind in kinds for iid in simulation.instrument_ids
    }
    for batch in batches:
        received = batch.rows["ts_received_ns"]
        assert (np.diff(received) >= 0).all()
        assert received.min() >= START_NS
        assert received.max() < simulation.now_ns
        assert (batch.rows["ts_event_ns"] <= received).all()
        assert batch.rows["seq"].tolist() == list(range(len(batch.rows)))


def test_a_start_inside_a_minute_emits_nothing_from_before_it():
    start_ns = START_NS + 17 * SECOND_NS
    for batch in Simulation(small(), 1, start_ns).advance(start_ns + 2 * MINUTE_NS):
        assert batch.rows["ts_event_ns"].min() >= start_ns


def test_no_value_is_missing_or_negative(live):
    _, batches = live
    for batch in batches:
        for name in batch.rows.dtype.names:
            if batch.rows.dtype[name].kind != "f" or name in ("min_notional_usd", "insurance_fund_usd"):
                continue
            values = batch.rows[name]
            assert not np.isnan(values).any(), (batch.kind, name)
            assert name == "rate_ratio" or (values >= 0).all()


def test_instruments_are_readable_by_the_engine(live):
    simulation, batches = live
    families = {"simx": FormulaFamily.MARK_VALUED, "simy": FormulaFamily.ENTRY_VALUED}
    for iid in simulation.instrument_ids:
        known = instruments_from_rows(iid, rows_of(batches, Kind.INSTRUMENT, iid))
        instrument = known[-1][1]
        assert instrument.asset == "BTC"
        assert instrument.formula_family is families[iid.partition(":")[0]]
        assert len(instrument.tiers) == len(
            next(venue for venue in simulation.world.venues if iid.startswith(venue.slug)).tiers
        )


@pytest.mark.parametrize("name", ["three-assets", "six-venues"])
def test_contracts_are_known_without_a_simulation(name, monkeypatch):
    world = load_world(name)
    monkeypatch.setattr("faultline.simulator.simulation.AssetMarket", None)
    told = contract_rows(world, START_NS)
    assert {batch.kind for batch in told} == {Kind.INSTRUMENT}
    assert len(told) == len(world.assets) * len(world.venues)


def test_contracts_told_beforehand_are_those_that_arrive(live):
    simulation, batches = live
    first = {batch.instrument_id: batch.rows for batch in batches if batch.kind is Kind.INSTRUMENT}
    for batch in contract_rows(simulation.world, START_NS):
        assert batch.rows.tobytes() == first[batch.instrument_id].tobytes()


def test_prices_lie_on_the_tick_and_quantities_on_the_lot(live):
    simulation, batches = live
    asset = simulation.world.assets[0]
    for kind in (Kind.TRADE, Kind.LIQUIDATION):
        for iid in simulation.instrument_ids:
            rows = rows_of(batches, kind, iid)
            ticks, lots = rows["price_usd"] / asset.tick_usd, rows["qty_base"] / asset.lot_base
            assert np.abs(ticks - np.round(ticks)).max() < 1e-6
            assert np.abs(lots - np.round(lots)).max() < 1e-6
            assert lots.min() >= 1 - 1e-9


def test_the_sampled_venue_publishes_at_most_one_liquidation_a_second(live):
    simulation, batches = live
    rows = rows_of(batches, Kind.LIQUIDATION, "simx:BTCUSDT")
    seconds = rows["ts_event_ns"] // SECOND_NS
    assert len(set(seconds.tolist())) == len(seconds)
    assert (rows["flags"] == Flag.SAMPLED).all()
    table = simulation.truth()["liquidations"]
    mine = table["instrument"] == "simx:BTCUSDT"
    assert len(rows) <= table["is_reported"][mine].sum() < mine.sum()


def test_the_other_venue_publishes_every_liquidation_at_its_bankruptcy_price(live):
    simulation, batches = live
    rows = rows_of(batches, Kind.LIQUIDATION, "simy:BTCUSDT")
    table = simulation.truth()["liquidations"]
    latency_ns = 500 * MILLISECOND_NS + 60 * MILLISECOND_NS
    mine = (table["instrument"] == "simy:BTCUSDT") & (table["ts_event_ns"] < simulation.now_ns - latency_ns)
    assert rows["ts_event_ns"].tolist()[: mine.sum()] == table["ts_event_ns"][mine].tolist()
    assert (rows["price_kind"] == PriceKind.BANKRUPTCY).all()
    assert np.abs(rows["price_usd"][: mine.sum()] - table["bankruptcy_price_usd"][mine]).max() < 0.1
    assert table["is_reported"][mine].all()


def test_notional_is_conserved_between_truth_and_messages(live):
    simulation, batches = live
    table = simulation.truth()["liquidations"]
    rows = rows_of(batches, Kind.LIQUIDATION, "simy:BTCUSDT")
    mine = np.flatnonzero(table["instrument"] == "simy:BTCUSDT")[: len(rows)]
    assert rows["qty_base"].sum() == pytest.approx(table["qty_base"][mine].sum())
    assert rows["notional_usd"].sum() == pytest.approx((rows["qty_base"] * rows["price_usd"]).sum())


def test_open_interest_changes_only_by_what_is_traded(live):
    """Between two rows open interest cannot move by more than was traded."""
    _, batches = live
    interest = rows_of(batches, Kind.OPEN_INTEREST, "simx:BTCUSDT")
    trades = rows_of(batches, Kind.TRADE, "simx:BTCUSDT")
    edges = np.searchsorted(trades["ts_event_ns"], interest["ts_event_ns"])
    running = np.concatenate([[0.0], np.cumsum(trades["qty_base"])])
    traded = np.diff(running[edges])
    assert (np.abs(np.diff(interest["oi_base"])) <= traded + 1e-6).all()


def test_no_liquidation_lies_on_the_wrong_side_of_its_entry(long_run):
    table = long_run[0].truth()["liquidations"]
    assert len(table["side"]) > 10_000
    side = table["side"].astype(float)
    assert (side * (table["entry_price_usd"] - table["level_price_usd"]) > 0).all()
    assert (side * (table["level_price_usd"] - table["bankruptcy_price_usd"]) > 0).all()
    assert (side * (table["level_price_usd"] - table["mark_price_usd"]) >= -1e-6).all()
    assert (table["ts_event_ns"] > table["opened_ns"]).all()


def test_bars_contain_the_prices_and_liquidations_of_their_minute(long_run):
    simulation, batches = long_run
    bars = rows_of(batches, Kind.BAR, "simx:BTCUSDT")
    assert {batch.kind for batch in batches} == {
        Kind.INSTRUMENT,
        Kind.BAR,
        Kind.OPEN_INTEREST,
        Kind.LIQUIDATION,
    }
    assert (np.diff(bars["ts_event_ns"]) == MINUTE_NS).all()
    assert (bars["ts_received_ns"] - bars["ts_event_ns"] == MINUTE_NS).all()
    assert (bars["open_usd"][1:] == bars["close_usd"][:-1]).all()
    assert (bars["low_usd"] <= np.minimum(bars["open_usd"], bars["close_usd"])).all()
    assert (bars["high_usd"] >= np.maximum(bars["open_usd"], bars["close_usd"])).all()
    table = simulation.truth()["liquidations"]
    mine = table["instrument"] == "simx:BTCUSDT"
    bar = (table["ts_event_ns"][mine] - START_NS) // MINUTE_NS
    inside = bar < len(bars)
    level, bar = table["level_price_usd"][mine][inside], bar[inside]
    within = (level >= bars["low_usd"][bar] * (1 - 2e-3)) & (level <= bars["high_usd"][bar] * (1 + 2e-3))
    assert within.mean() > 0.99


def test_the_first_price_is_the_worlds(long_run):
    bars = rows_of(long_run[1], Kind.BAR, "simx:BTCUSDT")
    assert bars["open_usd"][0] == pytest.approx(96_000, rel=0.002)


def test_forced_orders_leave_no_trace_without_contagion():
    markets = {}
    for contagion in (True, False):
        world = small(contagion=contagion, flow_impact=False)
        simulation = Simulation(world, 5, START_NS)
        simulation.advance(START_NS + HOUR_NS)
        markets[contagion] = simulation
    states = {key: simulation._markets[0].state.market[0] for key, simulation in markets.items()}
    assert states[True]["fundamental"] == states[False]["fundamental"]
    assert states[False]["forced_impact"] == 0.0
    assert states[False]["index_log"] == states[False]["fundamental"]
    path = markets[False].truth()["path"]
    assert path["mark_price_usd"].tolist() == path["unforced_mark_usd"].tolist()
    path = markets[True].truth()["path"]
    assert path["mark_price_usd"].tolist() != path["unforced_mark_usd"].tolist()


def test_the_same_numbers_drive_the_run_with_and_without_contagion():
    """Voluntary opens of both runs are nearly the same, though prices differ."""
    opens = []
    for contagion in (True, False):
        simulation = Simulation(small(contagion=contagion), 5, START_NS)
        simulation.advance(START_NS + HOUR_NS)
        opens.append(simulation.truth()["opens"]["n_opens"].sum())
    assert opens[0] == pytest.approx(opens[1], rel=0.02)


def test_a_scheduled_crash_happens_on_time():
    world = load_world("crash")
    world = msgspec.structs.replace(world, assets=world.assets[:1], warmup_days=0.5)
    simulation = Simulation(world, 2, START_NS)
    simulation.advance(START_NS + 5 * HOUR_NS)
    path = simulation.truth()["path"]
    mine = path["instrument"] == "simx:BTCUSDT"
    minute = (path["t_ns"][mine] - START_NS) / MINUTE_NS
    regime = path["regime"][mine]
    assert set(regime[minute < 240].tolist()) == {"trend-up"}
    assert set(regime[(minute > 241) & (minute < 269)].tolist()) == {"crash"}
    price = path["last_price_usd"][mine]
    assert price[minute == 268][0] < 0.95 * price[minute == 239][0]


def test_a_market_without_truth_says_so():
    simulation = Simulation(small(warmup_days=0.0), 1, START_NS, keeps_truth=False)
    simulation.advance(START_NS + MINUTE_NS)
    with pytest.raises(ValueError, match="keeps no truth"):
        simulation.truth()
    assert set(simulation.positions()) == {"BTC"}
