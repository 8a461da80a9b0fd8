"""Zones, large liquidations and silent sources are told the same however a tape is cut, and from a checkpoint on."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import msgspec
import numpy as np
import pytest

from faultline.cascades.chain import ChainSettings
from faultline.instruments import instruments_from_rows
from faultline.messages import Batch, Kind, empty_rows
from faultline.pipeline.explain import profile_usd
from faultline.pipeline.parameters import PipelineParameters
from faultline.pipeline.publish import Publisher
from faultline.pipeline.shard import Shard
from faultline.pipeline.step import step
from faultline.pipeline.turnover import HourlyTurnover
from faultline.signals.events import CATALOGUE, EventType
from faultline.simulator import Simulation, load_world
from faultline.store.maps import MapStore
from faultline.store.zones import ZoneStore
from faultline.units import HOUR_NS, MINUTE_NS, SECOND_NS, parse_time_ns
from faultline.zones.parameters import ZoneParameters

START = parse_time_ns("2026-01-05")
END = START + 6 * HOUR_NS
FOLLOW = START + HOUR_NS + 1


@pytest.fixture(scope="module")
def market() -> list[Batch]:
    """Six simulated hours of one asset on two venues."""
    simulation = Simulation(load_world("three-assets"), 5, START, keeps_truth=False)
    return [batch for batch in simulation.advance(END) if batch.symbol.startswith("BTC")]


def cut(batches: list[Batch], from_ns: int, to_ns: int) -> list[Batch]:
    """Rows received in [from_ns, to_ns)."""
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
    shard = Shard("BTC", contracts, PipelineParameters(), START - 1)
    shard.watch_from(ZoneParameters(), FOLLOW)
    shard.draw_from({"1m": FOLLOW})
    return shard


def run(market: list[Batch], edges: list[int], shard: Shard | None = None):
    """Changes, states and notices, and the shard."""
    shard = shard or new_shard(market)
    changes, states, notices = [], [], []
    for from_ns, to_ns in itertools.pairwise(edges):
        outputs = step(shard, cut(market, from_ns, to_ns), to_ns)
        changes += outputs.zone_changes
        states += outputs.zone_states
        notices += outputs.notices
    return shard, changes, states, notices


@pytest.fixture(scope="module")
def whole(market):
    return run(market, [START, END])


def as_json(values: list) -> list[bytes]:
    return sorted(msgspec.json.encode(value) for value in values)


def test_zones_are_found_and_followed(whole) -> None:
    shard, changes, states, notices = whole
    assert shard.watch.zones("BTC", END)
    assert {"created"} <= {change.kind for change in changes}
    assert {zone.scope for zone in states} == {"BTC", "simx:BTCUSDT", "simy:BTCUSDT"}
    assert all(notice.at_ns >= FOLLOW for notice in notices)


def test_the_profile_says_how_much_each_row_feeds_its_own_move(whole) -> None:
    shard = whole[0]
    profile = profile_usd(shard, "BTC", shard.rows.rows)
    found, usd = profile["reproduction"], profile["long_usd"] + profile["short_usd"]
    assert len(found["value"]) == len(profile["prices_usd"])
    assert (found["value"][usd > 1e7] > 0).all()
    assert (found["low"] <= found["value"]).all()
    assert (found["value"] <= found["high"]).all()
    assert found["established"] == (found["n_flows"] >= 30)
    # One venue's heat is only a part of what would be released on the way.
    assert profile_usd(shard, "simx:BTCUSDT")["reproduction"] is None


def test_nothing_is_said_of_reproduction_where_no_market_is_watched(market) -> None:
    watched = new_shard(market)
    shard = Shard("BTC", watched.contracts, watched.parameters, START - 1)
    step(shard, cut(market, START, START + HOUR_NS), START + HOUR_NS)
    assert profile_usd(shard, "BTC")["reproduction"] is None


@pytest.mark.parametrize("seed", [1, 2])
def test_every_way_of_cutting_a_tape_tells_the_same(market, whole, seed) -> None:
    rng = np.random.default_rng(seed)
    inner = rng.integers(START, END, 60)
    grid = START + np.array([30 * MINUTE_NS, HOUR_NS, HOUR_NS + 1, 2 * HOUR_NS - 1])
    edges = sorted({START, END, *map(int, inner), *map(int, grid)})
    _, changes, states, notices = run(market, edges)
    assert as_json(changes) == as_json(whole[1])
    assert as_json(states) == as_json(whole[2])
    assert as_json(notices) == as_json(whole[3])


def test_a_watch_goes_on_from_its_checkpoint(market, whole) -> None:
    middle = START + 3 * HOUR_NS + 17 * SECOND_NS
    shard, *head = run(market, [START, middle])
    again = Shard.from_state(shard.state(), shard.contracts.values(), shard.parameters)
    again.draw_from({"1m": FOLLOW})
    _, *tail = run(market, [middle, END], again)
    for before, after, expected in zip(head, tail, whole[1:], strict=True):
        assert as_json(before + after) == as_json(expected)


def test_the_venues_maps_are_compared_every_hour_and_a_checkpoint_keeps_the_last_comparison(whole) -> None:
    shard = whole[0]
    for side in shard.watch.shown_divergence:
        assert side.at_ns == END - HOUR_NS
        assert side.pair == ("simx", "simy")
        assert side.distance_bps >= 0.0
        assert 0.0 <= side.overlap_ratio <= 1.0
    again = Shard.from_state(shard.state(), shard.contracts.values(), shard.parameters)
    assert again.watch.shown_divergence == shard.watch.shown_divergence


def test_every_notice_makes_an_event_of_the_catalogue(whole) -> None:
    for notice in whole[3]:
        event = notice.event(simulated=True, mode="simulated", latency_ms=1.0)
        assert event.data.keys() == CATALOGUE[event.type].fields.keys()
        assert event.asset == "BTC"


def test_only_the_asset_tells_of_zones(whole) -> None:
    told = {notice.data["scope"] for notice in whole[3] if "scope" in notice.data}
    assert told == {"BTC"}


def test_a_zone_is_created_standing_and_its_story_is_told_in_order(whole) -> None:
    _, changes, _, notices = whole
    created = [change for change in changes if change.kind == "created"]
    assert created
    assert {change.zone.state for change in created} == {"standing"}
    born = {change.zone.id: change.at_ns for change in created}
    later = [change for change in changes if change.zone.id in born and change.kind != "created"]
    assert {"approached", "hit"} <= {change.kind for change in later}
    assert all(change.at_ns >= born[change.zone.id] for change in later)
    told: set[str] = set()
    for notice in notices:
        if notice.kind in {EventType.ZONE_EXPIRED, EventType.ZONE_THINNING}:
            assert notice.subject in told
        told.add(notice.subject)


def test_fewer_zones_are_told_of_than_there_are_and_each_that_is_hit(whole) -> None:
    _, changes, _, notices = whole
    mine = [change for change in changes if change.zone.scope == "BTC"]
    happened = Counter(change.kind for change in mine)
    told = Counter(str(notice.kind).removeprefix("ZONE_").lower() for notice in notices)
    assert told["hit"] == happened["hit"] > 0
    assert told["swept"] == happened["swept"]
    assert all(told[kind] <= n for kind, n in happened.items())
    assert told["created"] < happened["created"]


def test_a_silent_instrument_is_told_of(market) -> None:
    shard = new_shard(market)
    quiet = START + 2 * HOUR_NS
    silent = [
        batch
        if batch.instrument_id != "simy:BTCUSDT"
        else Batch(batch.kind, batch.instrument_id, batch.rows[batch.rows["ts_received_ns"] < quiet])
        for batch in market
    ]
    _, _, _, notices = run(
        [batch for batch in silent if len(batch.rows)], [START, START + 3 * HOUR_NS], shard
    )
    down = [notice for notice in notices if notice.kind is EventType.SOURCE_DOWN]
    assert [notice.subject for notice in down] == ["simy:BTCUSDT"]
    assert quiet < down[0].at_ns < quiet + 10 * MINUTE_NS


def with_statuses(market: list[Batch]) -> list[Batch]:
    """The market, and what a recorder says of a feed that is lost for ten minutes."""
    rows = empty_rows(Kind.SOURCE_STATUS, 2)
    rows["ts_received_ns"] = rows["ts_event_ns"] = START + 2 * HOUR_NS + np.array([0, 10]) * MINUTE_NS
    rows["channel"], rows["status"], rows["detail"] = (
        b"trades",
        [b"down", b"live"],
        [b"it was lost", b"rows come"],
    )
    return [*market, Batch(Kind.SOURCE_STATUS, "simx:all", rows)]


def feeds_told(notices: list) -> list[tuple]:
    kinds = {EventType.SOURCE_DOWN, EventType.SOURCE_RECOVERED}
    return [
        (notice.kind, (notice.at_ns - START - 2 * HOUR_NS) // SECOND_NS, notice.data["detail"])
        for notice in notices
        if notice.kind in kinds
    ]


def test_what_the_recorder_says_of_a_feed_is_told_however_the_tape_is_cut(market) -> None:
    told = with_statuses(market)
    expected = [(EventType.SOURCE_DOWN, 30, "it was lost"), (EventType.SOURCE_RECOVERED, 600, "rows come")]
    until = START + 3 * HOUR_NS
    shard, *_, notices = run(told, [START, until], new_shard(market))
    assert feeds_told(notices) == expected
    assert "simx:all" not in shard.members
    edges = [START, *range(START + 2 * HOUR_NS, until, 7 * SECOND_NS * 3), until]
    _, *_, notices = run(told, edges, new_shard(market))
    assert feeds_told(notices) == expected


def test_a_feed_that_fails_is_remembered_by_a_checkpoint(market) -> None:
    told, middle = with_statuses(market), START + 2 * HOUR_NS + 5 * SECOND_NS
    shard, *_, before = run(told, [START, middle], new_shard(market))
    again = Shard.from_state(shard.state(), shard.contracts.values(), shard.parameters)
    _, *_, after = run(told, [middle, START + 3 * HOUR_NS], again)
    assert feeds_told(before) == []
    assert [what[1] for what in feeds_told(after)] == [30, 600]


def test_a_liquidation_far_beyond_the_usual_is_told_of(market) -> None:
    shard = new_shard(market)
    many = empty_rows(Kind.LIQUIDATION, 1200)
    many["ts_received_ns"] = many["ts_event_ns"] = START + np.arange(1200) * SECOND_NS
    many["side"], many["price_usd"], many["notional_usd"], many["qty_base"] = 1, 90_000.0, 1_000.0, 0.01
    huge = empty_rows(Kind.LIQUIDATION, 1)
    huge["ts_received_ns"] = huge["ts_event_ns"] = START + 2 * HOUR_NS
    huge["side"], huge["price_usd"], huge["notional_usd"], huge["qty_base"] = 1, 90_000.0, 5e9, 1.0
    quiet = [batch for batch in market if batch.kind is not Kind.LIQUIDATION]
    _, _, _, notices = run(
        [*quiet, Batch(Kind.LIQUIDATION, "simx:BTCUSDT", np.concatenate([many, huge]))],
        [START, START + 2 * HOUR_NS + MINUTE_NS],
        shard,
    )
    large = [notice for notice in notices if notice.kind is EventType.LIQUIDATION_LARGE]
    assert [notice.data["notional_usd"] for notice in large] == [5e9]
    assert large[0].venue == "simx"


def test_turnover_is_volume_or_interest_times_range() -> None:
    from faultline.market.path import PATH_ROW

    bars = np.zeros(3, dtype=PATH_ROW)
    bars["low_usd"], bars["high_usd"], bars["volume_usd"] = [99.0, 98.0, 97.0], [100.0, 101.0, 100.0], 5.0
    hour = HourlyTurnover()
    hour.apply(bars)
    assert hour.close(1e6) == 15.0
    bars["volume_usd"][1] = math.nan
    hour.apply(bars)
    assert hour.close(1e6) == pytest.approx(1e6 * math.log(101.0 / 97.0))
    assert math.isnan(hour.close(1e6))


def cascades_of(shard: Shard) -> dict[str, bytes]:
    """All that is known of chains: what was said last, what came of them, what was learned."""
    mine = shard.watch.cascades
    learned = {f"learner {name}": part.tobytes() for name, part in mine.stream.learner.state().items()}
    open_chains = [(situation.id, reached) for situation, reached in mine.stream.collector.open_chains()]
    return learned | {
        "record": msgspec.json.encode(mine.record),
        "report": msgspec.json.encode(mine.report()),
        "chains": msgspec.msgpack.encode(mine.chains),
        "open": msgspec.json.encode(open_chains),
        "counts": msgspec.json.encode(mine.stream.collector.counts),
        "tally": mine.stream.collector.tally.state()["sums"].tobytes(),
    }


def test_chains_are_followed_and_said_on_the_assets_map_only(whole) -> None:
    shard, changes, _, notices = whole
    mine = shard.watch.cascades
    hits = [change for change in changes if change.kind == "hit" and change.zone.scope == "BTC"]
    report = mine.report()
    assert report["n_hits"] == len(hits)
    assert sum(depth["n_at_risk"] for depth in report["depths"]) > 0
    assert mine.chains
    assert {zone_id.split("-")[0] for zone_id in mine.chains} == {"BTC"}
    assert len(report["episodes"]) == sum(notice.kind is EventType.CASCADE_STARTED for notice in notices)


@pytest.mark.parametrize("seed", [3, 4])
def test_every_way_of_cutting_a_tape_gives_the_same_chains(market, whole, seed) -> None:
    inner = np.random.default_rng(seed).integers(START, END, 60)
    edges = sorted({START, END, *map(int, inner), START + 4 * HOUR_NS, START + 5 * HOUR_NS - 1})
    assert cascades_of(run(market, edges)[0]) == cascades_of(whole[0])


def test_chains_go_on_from_a_checkpoint_inside_one(market, whole) -> None:
    hits = [change for change in whole[1] if change.kind == "hit" and change.zone.scope == "BTC"]
    middle = hits[-1].at_ns + 20 * SECOND_NS
    shard = run(market, [START, middle])[0]
    assert shard.watch.cascades.stream.collector.open_chains()
    again = Shard.from_state(shard.state(), shard.contracts.values(), shard.parameters)
    assert cascades_of(again) == cascades_of(shard)
    again.draw_from({"1m": FOLLOW})
    assert cascades_of(run(market, [middle, END], again)[0]) == cascades_of(whole[0])


def test_chains_are_published_with_the_zones_of_the_asset_only(market, tmp_path) -> None:
    shard = run(market, [START, END - 1])[0]
    zones = ZoneStore(tmp_path / "facts.db")
    try:
        publisher = Publisher(MapStore(), None, zones, mode="simulated", simulated=True)
        publisher.publish(shard, step(shard, cut(market, END - 1, END), END))
        now = zones.latest("BTC")
        assert now.chains == shard.watch.cascades.chains
        assert now.chains.keys() & {zone.id for zone in now.zones}
        assert not zones.latest("simx:BTCUSDT").chains
    finally:
        zones.close()


def test_settings_of_chains_are_the_parameters() -> None:
    parameters = PipelineParameters(chains=ChainSettings(draws=50))
    assert parameters.sha256() != PipelineParameters().sha256()
    shard = Shard("BTC", {}, parameters, START - 1)
    shard.watch_from(parameters.zones, FOLLOW)
    again = Shard.from_state(shard.state(), [], parameters)
    for each in (shard, again):
        assert each.watch is not None
        assert each.watch.cascades.stream.learner.settings.draws == 50
