from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import numpy as np
import pytest

from faultline.errors import NotFound, RequestError
from faultline.instruments import instruments_from_rows
from faultline.messages import Batch, Kind, empty_rows
from faultline.pipeline.cursor import TapeCursor
from faultline.pipeline.engine import GLANCE_S, TURN_S, Engine, Market
from faultline.pipeline.kinds import STEP_KINDS
from faultline.pipeline.parameters import PipelineParameters
from faultline.pipeline.replay import TapeReplay
from faultline.signals.events import LATENCY_GOAL_MS, Priority
from faultline.simulator import Simulation, load_world
from faultline.store.events import EventStore
from faultline.store.maps import MapStore
from faultline.tape import Tape, TapeWriter
from faultline.units import HOUR_NS, MILLISECOND_NS, MINUTE_NS, SECOND_NS, Side, parse_time_ns

START = parse_time_ns("2026-01-05")
HOURS = 3


@pytest.fixture(scope="module")
def tape(tmp_path_factory) -> Tape:
    folder = tmp_path_factory.mktemp("engine") / "tape"
    batches = Simulation(load_world("three-assets"), 5, START, keeps_truth=False).advance(
        START + HOURS * HOUR_NS
    )
    with TapeWriter(folder, simulated=True, world="three-assets") as writer:
        writer.append([batch for batch in batches if batch.symbol.startswith("BTC")])
    return Tape(folder)


def market(tape: Tape, *, to_ns: int = START + HOURS * HOUR_NS) -> Market:
    ids = tape.ids(Kind.MARK)
    return Market(
        mode="replay",
        simulated=True,
        world="three-assets",
        assets=["BTC"],
        contracts=tape.instruments(),
        warm_ns=START,
        from_ns=START + HOUR_NS,
        to_ns=to_ns,
        open_feed=lambda moment: TapeCursor(tape, STEP_KINDS, ids, moment),
        can_seek=True,
    )


def eventually(holds: Callable[[], bool], timeout_s: float = 240.0) -> None:
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def playing(tape):
    store = MapStore()
    engine = Engine(market(tape), store, PipelineParameters(), version="test", speed=600.0)
    engine.start()
    eventually(lambda: store.status.state != "loading")
    yield store, engine
    engine.stop()


def test_a_replay_loads_then_moves_and_ends_where_the_tape_ends(playing) -> None:
    store, _ = playing
    first = store.status
    assert (first.state, first.mode, first.simulated) == ("ready", "replay", True)
    assert first.as_of_ns >= START + HOUR_NS
    eventually(lambda: store.status.as_of_ns > first.as_of_ns)
    eventually(lambda: store.status.as_of_ns == START + HOURS * HOUR_NS)


def test_a_pause_holds_and_a_jump_back_rebuilds_the_map(playing) -> None:
    store, engine = playing
    engine.control({"pause": True})
    eventually(lambda: store.status.replay.paused)
    there = START + HOUR_NS + 7 * MINUTE_NS
    engine.control({"at_ns": there})
    eventually(lambda: store.status.as_of_ns == there and store.status.state == "ready")
    profile = engine.profile("BTC")
    assert profile["long_usd"].sum() > 0
    assert engine.explain("BTC", "1m", there - MINUTE_NS, profile["price_usd"] * 0.98)["assumed_share"] == 1.0


@pytest.mark.parametrize("command", [{"at_ns": 5}, {"speed": 0}, {"speed": 1e9}])
def test_a_command_out_of_range_is_refused_with_a_hint(playing, command) -> None:
    with pytest.raises(RequestError) as caught:
        playing[1].control(command)
    assert caught.value.hint


def test_an_unknown_scope_is_named(playing) -> None:
    with pytest.raises(NotFound, match="NOPE"):
        playing[1].profile("NOPE")


def test_every_instrument_of_an_asset_has_a_map_of_its_own(playing) -> None:
    store, _ = playing
    eventually(lambda: "simx:BTCUSDT" in store.scopes())
    assert {"BTC", "simx:BTCUSDT", "simy:BTCUSDT"} <= set(store.scopes())


def test_a_feed_that_fails_shows_as_an_error_and_not_as_silence(tape) -> None:
    class Broken:
        def advance(self, to_ns: int):
            raise NotFound("the feed broke", where="here", hint="mend it")

    store = MapStore()
    broken = market(tape)
    broken = Market(
        **{name: getattr(broken, name) for name in broken.__slots__} | {"open_feed": lambda _: Broken()}
    )
    engine = Engine(broken, store, PipelineParameters(), version="test")
    engine.start()
    eventually(lambda: store.status.state == "error")
    assert store.status.error.message == "the feed broke"
    engine.stop()


class TellsGaps:
    """The tape's messages, and once its end is reached that every feed was down for a quarter of an hour."""

    def __init__(self, tape: Tape, ids: list[str], moment_ns: int) -> None:
        self._cursor, self._ids = TapeCursor(tape, STEP_KINDS, ids, moment_ns), ids
        self.gap_ns = (START + 90 * MINUTE_NS, START + 105 * MINUTE_NS)
        self._told_ns = START + 110 * MINUTE_NS

    def advance(self, to_ns: int) -> list[Batch]:
        batches = self._cursor.advance(to_ns)
        if to_ns > self._told_ns:
            rows = empty_rows(Kind.GAP, 1)
            rows["missing_kind"], rows["ts_received_ns"] = b"liquidation", self._told_ns
            rows["from_ns"], rows["to_ns"] = self.gap_ns
            batches += [Batch(Kind.GAP, iid, rows) for iid in self._ids]
            self._told_ns = 2 * to_ns
        return batches


def test_liquidations_are_unknown_where_the_feeds_were_down(tape) -> None:
    store, ids = MapStore(), tape.ids(Kind.MARK)
    feeds = []
    played = dataclasses.replace(
        market(tape), open_feed=lambda moment: feeds.append(TellsGaps(tape, ids, moment)) or feeds[-1]
    )
    end_ns = START + HOURS * HOUR_NS
    engine = Engine(played, store, PipelineParameters(), version="test", start_ns=end_ns)
    engine.start()
    eventually(lambda: store.status.state == "ready")
    engine.stop()
    candles = store.candles("BTC", "1m")
    starts = candles.t0_ns + np.arange(len(candles.values)) * MINUTE_NS
    from_ns, to_ns = feeds[-1].gap_ns
    unheard = (starts >= from_ns) & (starts < to_ns)
    closed = starts + MINUTE_NS <= end_ns - MINUTE_NS
    assert (unheard & closed).sum() == 15
    np.testing.assert_array_equal(np.isnan(candles.values[closed, 5:]).all(axis=1), unheard[closed])
    assert not np.isnan(candles.values[closed, 3]).any()
    channels = [channel["channel"] for venue in engine.sources()["venues"] for channel in venue["channels"]]
    assert "liquidation" in channels
    assert "gap" not in channels


@pytest.fixture(scope="module")
def two_assets(tmp_path_factory) -> Tape:
    folder = tmp_path_factory.mktemp("engine") / "two"
    batches = Simulation(load_world("three-assets"), 5, START, keeps_truth=False).advance(
        START + HOURS * HOUR_NS
    )
    lost = empty_rows(Kind.SOURCE_STATUS, 2)
    lost["ts_event_ns"] = lost["ts_received_ns"] = START + np.array([100, 130]) * MINUTE_NS
    lost["channel"], lost["status"], lost["detail"] = (
        b"marks",
        [b"blocked", b"live"],
        [b"HTTP 451", b"rows come"],
    )
    with TapeWriter(folder, simulated=True, world="three-assets") as writer:
        writer.append([batch for batch in batches if batch.symbol.startswith(("BTC", "ETH"))])
        writer.append([Batch(Kind.SOURCE_STATUS, "simx:all", lost)])
    return Tape(folder)


def test_events_of_a_rebuilt_past_stand_in_the_log_in_the_order_of_time(two_assets, tmp_path) -> None:
    events = EventStore(tmp_path / "facts.db")
    both = dataclasses.replace(market(two_assets), assets=["BTC", "ETH"], from_ns=START + 3 * HOUR_NS - 1)
    engine = Engine(both, MapStore(), PipelineParameters(), version="test", events=events)
    engine.control({"pause": True})
    engine._load(both.from_ns)
    events.flush()
    told = [kept.event() for kept in events.after(0, 1_000)]
    assert {event.mode for event in told} == {"rebuilt"}
    assert {event.latency_ms for event in told} == {None}
    assert [event.detected_at_ns for event in told] == sorted(event.detected_at_ns for event in told)
    # Both were told of in one chunk, and not one after the other.
    assets = [event.asset for event in told]
    assert {"BTC", "ETH"} == set(assets)
    assert assets != sorted(assets)
    # What the recorder said of a feed is on the tape, and told for every asset; it is nothing the feed gave.
    feeds = [
        (event.type, event.asset, event.detected_at_ns - START, event.data["detail"])
        for event in told
        if event.venue == "simx" and event.data.get("channels")
    ]
    down, up = (100 * MINUTE_NS + 30 * SECOND_NS, "HTTP 451"), (130 * MINUTE_NS, "rows come")
    assert feeds == [
        (kind, asset, *what)
        for kind, what in (("SOURCE_DOWN", down), ("SOURCE_RECOVERED", up))
        for asset in ("BTC", "ETH")
    ]
    kinds = {one["channel"] for venue in engine.sources()["venues"] for one in venue["channels"]}
    assert "mark" in kinds
    assert "source_status" not in kinds
    events.close()


def test_a_replay_of_one_asset_has_what_the_recorder_said_of_feeds(two_assets) -> None:
    replay = TapeReplay(two_assets, "BTC", PipelineParameters())
    told = [batch for _, batches in replay.chunks(START, START + HOURS * HOUR_NS) for batch in batches]
    feeds = [batch for batch in told if batch.kind is Kind.SOURCE_STATUS]
    assert [(batch.instrument_id, len(batch)) for batch in feeds] == [("simx:all", 2)]
    assert {batch.instrument_id for batch in told} == {*replay.ids, "simx:all"}


def test_between_two_drawings_only_assets_with_messages_move_and_their_events_are_told(
    two_assets, tmp_path
) -> None:
    events, maps = EventStore(tmp_path / "facts.db"), MapStore()
    begin = START + HOUR_NS
    both = dataclasses.replace(market(two_assets), assets=["BTC", "ETH"])
    engine = Engine(both, maps, PipelineParameters(), version="test", events=events)
    engine._load(begin)
    eth = sorted(iid for iid in two_assets.ids(Kind.MARK) if iid.endswith("ETHUSDT"))
    size = 1e12
    rows = empty_rows(Kind.LIQUIDATION, 1)
    rows["ts_event_ns"] = rows["ts_received_ns"] = begin + 4 * MILLISECOND_NS
    rows["side"], rows["price_usd"], rows["notional_usd"] = Side.LONG, 3_000.0, size

    class Feed:
        def advance(self, to_ns: int) -> list[Batch]:
            return [Batch(Kind.LIQUIDATION, eth[0], rows)] if to_ns == begin + 5 * MILLISECOND_NS else []

    engine._feed = Feed()
    for shard in engine._shards.values():
        # The hour has turned: a threshold holds until the next.
        shard.watch._large._turn(begin // HOUR_NS)
        shard.watch._large.threshold_usd = size / 2
    before = {asset: shard.reached_ns for asset, shard in engine._shards.items()}
    engine._move(begin + 5 * MILLISECOND_NS, draws=False)
    assert engine._shards["BTC"].reached_ns == before["BTC"]
    assert engine._shards["ETH"].reached_ns == begin + 5 * MILLISECOND_NS - 1
    events.flush()
    [told] = [kept.event() for kept in events.after(0, 10_000, types=["LIQUIDATION_LARGE"])][-1:]
    assert (told.asset, told.mode, told.data["notional_usd"]) == ("ETH", "replay", size)
    assert 0 <= told.latency_ms < 5_000
    engine._move(begin + 6 * MILLISECOND_NS, draws=True)
    assert {shard.reached_ns for shard in engine._shards.values()} == {begin + 6 * MILLISECOND_NS - 1}
    events.close()


def test_a_feed_is_looked_at_far_more_often_than_the_goal_of_the_most_urgent_events() -> None:
    assert LATENCY_GOAL_MS[Priority.P0] > 2e3 * GLANCE_S
    assert GLANCE_S < TURN_S


def test_a_cursor_gives_each_row_once(tape) -> None:
    ids = tape.ids(Kind.MARK)
    cursor = TapeCursor(tape, (Kind.MARK,), ids, START)
    rng = np.random.default_rng(1)
    ends = np.sort(rng.integers(START, START + HOURS * HOUR_NS, 50))
    taken = [batch for end in [*map(int, ends), START + HOURS * HOUR_NS] for batch in cursor.advance(end)]
    for iid in ids:
        rows = np.concatenate([batch.rows for batch in taken if batch.instrument_id == iid])
        assert rows.tobytes() == tape.read(Kind.MARK, iid, START, START + HOURS * HOUR_NS).tobytes()
    assert instruments_from_rows(ids[0], tape.read(Kind.INSTRUMENT, ids[0]))[-1][1].asset == "BTC"
