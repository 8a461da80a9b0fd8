from __future__ import annotations

import itertools

import numpy as np
import pytest

from faultline.instruments import asset_of, instruments_from_rows
from faultline.learning.constants import LearnerSettings
from faultline.messages import Batch, Kind, empty_rows
from faultline.pipeline.explain import explain_cell, profile_usd
from faultline.pipeline.parameters import PipelineParameters
from faultline.pipeline.shard import Shard
from faultline.pipeline.step import step
from faultline.simulator import Simulation, load_world
from faultline.units import HOUR_NS, MINUTE_NS, SECOND_NS, parse_time_ns

START = parse_time_ns("2026-01-05")
HOURS = 4
#: How the planes are stored.
KIND = {"real": np.float64, "synthetic": np.float32, "smooth": np.float32}


@pytest.fixture(scope="module")
def market() -> list[Batch]:
    """Four simulated hours of one asset on two venues."""
    simulation = Simulation(load_world("three-assets"), 3, START, keeps_truth=False)
    batches = simulation.advance(START + HOURS * HOUR_NS)
    return [batch for batch in batches if batch.symbol.startswith("BTC")]


def cut(batches: list[Batch], from_ns: int, to_ns: int) -> list[Batch]:
    out = []
    for batch in batches:
        times = batch.rows["ts_received_ns"]
        rows = batch.rows[(times >= from_ns) & (times < to_ns)]
        if len(rows):
            out.append(Batch(batch.kind, batch.instrument_id, rows))
    return sorted(out, key=lambda batch: batch.sort_key)


def new_shard(market: list[Batch]) -> Shard:
    contracts = {
        batch.instrument_id: instruments_from_rows(batch.instrument_id, batch.rows)[-1][1]
        for batch in market
        if batch.kind is Kind.INSTRUMENT
    }
    # Few events are enough to be served here, so that what is learned shows in every column.
    parameters = PipelineParameters(learner=LearnerSettings(pooled_below=5.0, starting_events=2.0))
    return Shard("BTC", contracts, parameters, START - 1)


def run(market: list[Batch], edges: list[int], *, shard: Shard | None = None):
    """Forecast hashes, and closed columns keyed by (scope, timeframe, plane, start)."""
    shard = shard or new_shard(market)
    forecasts, columns = [], {}
    for from_ns, to_ns in itertools.pairwise(edges):
        outputs = step(shard, cut(market, from_ns, to_ns), to_ns, freeze=True, forming=True)
        forecasts += [forecast.sha256 for forecast in outputs.forecasts]
        for scope, part in outputs.columns:
            for plane, usd in part.usd.items():
                for k in range(part.n_closed):
                    candle = (part.open_usd[k], part.high_usd[k], part.low_usd[k], part.close_usd[k])
                    key = (scope, part.timeframe, plane, int(part.start_ns[k]))
                    columns[key] = (usd[k].tobytes(), candle, part.long_usd[k], part.short_usd[k])
    return shard, forecasts, columns


def calibration(shard: Shard) -> dict:
    """What is known of every feed, and everything needed to go on."""
    market = shard.calibrator
    state = {key: value.tobytes() for key, value in market.state().items() if key != "head"}
    return {feed_id: market.report(feed_id) for feed_id in market.feeds} | {"state": state}


@pytest.fixture(scope="module")
def whole(market):
    return run(market, [START, START + HOURS * HOUR_NS])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_way_of_cutting_a_tape_gives_the_same_forecasts_and_columns(market, whole, seed) -> None:
    rng = np.random.default_rng(seed)
    inner = np.sort(rng.integers(START, START + HOURS * HOUR_NS, 40))
    # Ends that fall on the grids are the hard ones.
    grid = START + np.array([30 * MINUTE_NS, HOUR_NS, HOUR_NS + 1, 2 * HOUR_NS - 1])
    edges = sorted({START, START + HOURS * HOUR_NS, *map(int, inner), *map(int, grid)})
    shard, forecasts, columns = run(market, edges)
    assert forecasts == whole[1]
    assert columns.keys() == whole[2].keys()
    for key, (heat, candle, long_usd, short_usd) in columns.items():
        expected = whole[2][key]
        assert heat == expected[0], key
        assert candle == pytest.approx(expected[1], nan_ok=True)
        assert (long_usd, short_usd) == pytest.approx(expected[2:], nan_ok=True)
    assert shard.chain.head_sha256 == whole[0].chain.head_sha256
    assert calibration(shard) == calibration(whole[0])


def test_every_feed_is_calibrated_from_its_own_path(whole) -> None:
    market = whole[0].calibrator
    assert {feed.path_id for feed in market.feeds.values()} == set(market.feeds)
    for feed_id in market.feeds:
        rows = {row["name"]: row for row in market.report(feed_id)["rows"]}
        assert rows["delay"]["n_events"] > 0
        assert rows["stamp to receipt"]["low"] >= 0.0
        margins = [row for name, row in rows.items() if name.startswith("margin correction")]
        assert sum(row["n_events"] for row in margins) > 0


def test_a_shard_goes_on_from_its_checkpoint(market, whole) -> None:
    middle = START + 2 * HOUR_NS + 17 * SECOND_NS
    shard, head, _ = run(market, [START, middle])
    again = Shard.from_state(shard.state(), shard.contracts.values(), shard.parameters)
    again, tail, _ = run(market, [middle, START + HOURS * HOUR_NS], shard=again)
    assert head + tail == whole[1]
    assert calibration(again) == calibration(whole[0])


def test_what_is_learned_is_served(whole) -> None:
    shard = whole[0]
    learned = [item for item in shard.with_path() if item.served.is_learned]
    assert learned
    (map_trust,) = {feed.map_trust for feed in shard.learner.feeds.values()}
    assert map_trust != 0.5
    for item in learned:
        assert 0.0 < item.served.learned_share <= 1.0
        mean = item.served.now @ np.log(item.parameters.leverages)
        assert mean[1] < mean[0] < mean[2]
        np.testing.assert_allclose(item.served.now.sum(axis=1), 1.0)


def test_an_event_changes_the_next_column_within_a_minute(market, whole) -> None:
    item = next(item for item in whole[0].with_path() if item.served.is_learned)
    feed = whole[0].learner.feeds[item.instrument_id]
    times, mixes = item.served.state()["from_ns"], item.served.state()["mixes"]
    event_ns = min(
        int(batch.rows["ts_received_ns"][batch.rows["ts_received_ns"] > times[0]][0])
        for batch in market
        if batch.kind is Kind.LIQUIDATION and batch.instrument_id == feed.feed_id
    )
    after = np.searchsorted(times, event_ns)
    assert times[after] - event_ns <= MINUTE_NS
    assert not np.array_equal(mixes[after], mixes[after - 1])


def test_each_side_of_the_map_sums_to_the_open_interest(whole) -> None:
    shard = whole[0]
    profile = profile_usd(shard, "BTC")
    assert profile["oi_long_usd"] == profile["oi_short_usd"]
    assert profile["long_usd"].sum() == pytest.approx(profile["oi_long_usd"], rel=1e-4)
    assert profile["short_usd"].sum() == pytest.approx(profile["oi_short_usd"], rel=1e-4)
    assert np.all(profile["lo_usd"] <= profile["hi_usd"])


def test_long_liquidations_stand_below_the_price_and_short_ones_above(whole) -> None:
    shard = whole[0]
    profile = profile_usd(shard, "simx:BTCUSDT")
    price, row = shard.members["simx:BTCUSDT"].price_usd, profile["row_usd"]
    assert profile["long_usd"][profile["prices_usd"] > price + row].sum() == 0.0
    assert profile["short_usd"][profile["prices_usd"] < price - 2 * row].sum() == 0.0


def test_the_asset_is_the_sum_of_its_instruments(whole) -> None:
    columns = whole[2]
    for scope, timeframe, plane, start in [key for key in columns if key[0] == "BTC" and key[1] == "5m"]:
        total = np.frombuffer(columns[scope, timeframe, plane, start][0], dtype=KIND[plane])
        parts = [
            np.frombuffer(columns[iid, timeframe, plane, start][0], dtype=KIND[plane])
            for iid in ("simx:BTCUSDT", "simy:BTCUSDT")
            if (iid, timeframe, plane, start) in columns
        ]
        assert np.allclose(total, sum(parts), rtol=1e-6)


def test_a_long_timeframe_closes_with_the_column_of_its_last_minute(whole) -> None:
    columns = whole[2]
    for key in [key for key in columns if key[:3] == ("BTC", "1h", "synthetic")]:
        last_minute = (*key[:1], "1m", "synthetic", key[3] + 59 * MINUTE_NS)
        assert columns[key][0] == columns[last_minute][0]


def test_real_columns_hold_every_liquidation_in_view(market, whole) -> None:
    notional = sum(
        batch.rows["notional_usd"].sum()
        for batch in cut(market, START, START + 3 * HOUR_NS)
        if batch.kind is Kind.LIQUIDATION
    )
    drawn = sum(
        value[2] + value[3]
        for key, value in whole[2].items()
        if key[0] == "BTC" and key[1] == "1h" and key[2] == "real" and key[3] < START + 3 * HOUR_NS
    )
    assert drawn == pytest.approx(notional)
    assert notional > 0


def test_a_cell_is_explained_by_the_ledger_of_its_moment(market) -> None:
    shard = new_shard(market)
    shard.keeps_history = True
    _, _, columns = run(market, [START, START + HOURS * HOUR_NS], shard=shard)
    start = START + 2 * HOUR_NS + 5 * MINUTE_NS
    rows = shard.rows.rows
    usd = np.frombuffer(columns["BTC", "5m", "synthetic", start][0], dtype=np.float32).reshape(2, -1)
    row = int(usd[0].argmax())
    price = (rows.first_row + row + 0.5) * rows.row_usd
    cell = explain_cell(shard, "BTC", "5m", start + 1, price)
    assert cell["long_usd"] == pytest.approx(usd[0, row], rel=1e-4)
    assert cell["short_usd"] == pytest.approx(usd[1, row], rel=1e-4, abs=1.0)
    assert sum(band["long_usd"] for band in cell["bands"]) == pytest.approx(cell["long_usd"])
    assert 0.0 < cell["long_lo_usd"] < cell["long_usd"] * (1 + 1e-9)
    assert cell["long_usd"] <= cell["long_hi_usd"] * (1 + 1e-9)
    assert cell["long_lo_usd"] < cell["long_hi_usd"]
    assert {venue["venue"] for venue in cell["venues"]} == {"simx", "simy"}
    assert 0.0 < cell["learned_share"] < 1.0
    assert cell["assumed_share"] == 1.0 - cell["learned_share"]
    assert cell["oi_source"] == "open_interest"


def test_the_band_of_a_cell_is_that_of_the_profile(whole) -> None:
    shard = whole[0]
    profile = profile_usd(shard, "BTC", shard.rows.rows)
    for usd, side in ((profile["long_usd"], "long"), (profile["short_usd"], "short")):
        row = int(usd.argmax())
        cell = explain_cell(shard, "BTC", "1m", shard.reached_ns, profile["prices_usd"][row] + 0.1)
        assert cell[f"{side}_usd"] == pytest.approx(usd[row], rel=1e-4)
        both = [cell[f"long_{end}_usd"] + cell[f"short_{end}_usd"] for end in ("lo", "hi")]
        assert both == pytest.approx([profile["lo_usd"][row], profile["hi_usd"][row]], rel=1e-4)


def test_an_event_shows_as_real_at_once(market) -> None:
    shard = new_shard(market)
    run(market, [START, START + HOUR_NS], shard=shard)
    row = empty_rows(Kind.LIQUIDATION, 1)
    now = START + HOUR_NS + SECOND_NS // 2
    row["ts_event_ns"] = row["ts_received_ns"] = now
    row["side"], row["price_kind"], row["price_usd"] = 1, 2, shard.price_usd
    row["qty_base"], row["notional_usd"] = 1.0, 12_345_678.0
    batch = Batch(Kind.LIQUIDATION, "simx:BTCUSDT", row)
    outputs = step(shard, [batch], now + 1, forming=True)
    forming = [c for scope, c in outputs.columns if scope == "BTC" and c.timeframe == "1m"][-1]
    assert forming.usd["real"][-1, 0].sum() == 12_345_678.0
    assert forming.long_usd[-1] == 12_345_678.0


def test_an_archive_of_several_venues_has_events_but_no_ledger(market) -> None:
    shard = new_shard(market)
    run(market, [START, START + HOUR_NS], shard=shard)
    mark = empty_rows(Kind.MARK, 1)
    mark["ts_event_ns"] = mark["ts_received_ns"] = START + HOUR_NS
    mark["mark_price_usd"] = 1.0
    step(shard, [Batch(Kind.MARK, "mixed:BTC", mark)], START + HOUR_NS + 5 * SECOND_NS)
    assert asset_of("mixed:BTC", shard.contracts) == "BTC"
    assert "mixed:BTC" not in shard.scopes()
