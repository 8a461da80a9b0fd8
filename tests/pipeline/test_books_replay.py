"""A tape with order books and funding in, chains that are walked through them out; without them nothing changes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from faultline.api.routes.zones import _chain
from faultline.messages import Batch, Flag, Kind, empty_rows
from faultline.pipeline.cursor import TapeCursor
from faultline.pipeline.engine import Engine, Market
from faultline.pipeline.kinds import BOOK_KINDS, BOOK_PIECE_NS, ENGINE_KINDS
from faultline.pipeline.parameters import PipelineParameters
from faultline.pipeline.replay import TapeReplay, book_cursor
from faultline.pipeline.shard import Shard
from faultline.simulator import Simulation, load_world
from faultline.store.events import EventStore
from faultline.store.maps import MapStore
from faultline.store.zones import ZoneStore
from faultline.tape import Tape, TapeWriter
from faultline.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, parse_time_ns
from faultline.zones.parameters import ZoneParameters

START = parse_time_ns("2026-01-05")
HOURS = 7
END = START + HOURS * HOUR_NS
IDS = ["simx:BTCUSDT", "simy:BTCUSDT"]
EVERY_NS = 20 * SECOND_NS


@pytest.fixture(scope="module")
def market() -> list[Batch]:
    """Some hours of an asset on two venues, without its own books."""
    batches = Simulation(load_world("thin-book"), 3, START, keeps_truth=False).advance(END)
    return [batch for batch in batches if batch.kind is not Kind.BOOK_LEVEL]


def books(price_usd: float, usd: float, iid: str) -> Batch:
    """Snapshots to 5 % from a price, ``usd`` at each of 50 levels; in the last hour half of it."""
    times = np.arange(START, END, EVERY_NS)
    away = np.repeat(np.arange(1, 51) * 1e-3, 2)
    side = np.tile([1, -1], 50)
    rows = empty_rows(Kind.BOOK_LEVEL, len(times) * len(away))
    rows["ts_event_ns"] = rows["ts_received_ns"] = np.repeat(times, len(away))
    rows["seq"], rows["flags"] = np.repeat(np.arange(len(times)), len(away)), Flag.SNAPSHOT
    rows["side"] = np.tile(side, len(times))
    rows["price_usd"] = np.tile(price_usd * np.exp(-side * away), len(times))
    thinner = np.where(rows["ts_received_ns"] >= END - HOUR_NS, 0.5, 1.0)
    rows["qty_base"] = thinner * usd / rows["price_usd"]
    return Batch(Kind.BOOK_LEVEL, iid, rows)


def funding(iid: str) -> Batch:
    """Four weeks of rates, of which the last stands out, and one of long after the tape's last price."""
    rows = empty_rows(Kind.FUNDING, 85)
    rows["ts_received_ns"] = START - 83 * 8 * HOUR_NS + 8 * HOUR_NS * np.arange(85)
    rows["ts_received_ns"][-1] = END + DAY_NS
    rows["rate_ratio"] = 1e-4 + 1e-5 * np.sin(np.arange(85))
    rows["rate_ratio"][-2], rows["interval_ns"] = 2e-4, 8 * HOUR_NS
    return Batch(Kind.FUNDING, iid, rows)


@pytest.fixture(scope="module")
def tapes(market, tmp_path_factory) -> tuple[Tape, Tape]:
    """The same market without and with books and funding."""
    folder = tmp_path_factory.mktemp("books")
    more = [books(96_000.0, 1e12, iid) for iid in IDS] + [funding(iid) for iid in IDS]
    for name, batches in (("bare", market), ("rich", [*market, *more])):
        with TapeWriter(folder / name, simulated=True, world="thin-book") as writer:
            writer.append(batches)
    return Tape(folder / "bare"), Tape(folder / "rich")


def replayed(tape: Tape, *, restart_ns: int | None = None) -> tuple[Shard, list]:
    replay = TapeReplay(tape, "BTC", PipelineParameters())
    # Rates are older than prices: whoever wants them begins to read before.
    span = replay.span(None, None, warm_ns=START - 28 * DAY_NS)
    shard, found = replay.shard(span.warm_ns), []
    shard.watch_from(ZoneParameters(), span.from_ns + 1)

    def receive(outputs) -> None:
        found.append((outputs.zone_states, outputs.notices))

    edges = [span.from_ns, *([] if restart_ns is None else [restart_ns]), span.to_ns]
    for begin, end in itertools.pairwise(edges):
        if begin == restart_ns:
            shard = Shard.from_state(shard.state(), shard.contracts.values(), shard.parameters)
        warm_ns = span.warm_ns if begin == span.from_ns else begin
        replay.run(shard, replay.span(begin, end, warm_ns=warm_ns), receive, freeze=False)
    return shard, found


@pytest.fixture(scope="module")
def rich(tapes):
    return replayed(tapes[1])


def test_a_tape_is_replayed_from_its_first_price_to_its_last_whatever_books_and_funding_it_has(tapes) -> None:
    spans = [TapeReplay(tape, "BTC", PipelineParameters()).span(None, None) for tape in tapes]
    assert spans[0] == spans[1]


def test_chains_are_walked_through_the_books_of_all_venues(rich) -> None:
    shard, _ = rich
    chains = shard.watch.cascades.chains.values()
    assert chains
    for chain in chains:
        body = _chain(chain)
        near = [k for k, distance in enumerate(chain.distance) if distance < 0.045]
        # Half of 2 x 1e12 USD rests every tenth of a percent, far more than the law asks for.
        for k in near:
            assert chain.needed_from[k] == "book"
            expected = 1e12 * (chain.distance[k] / 1e-3)
            assert chain.needed_usd[k] == chain.book_usd[k] == pytest.approx(expected, rel=0.15, abs=1.5e12)
        assert body.book.instruments == IDS
        assert 0 <= body.book.age_s <= EVERY_NS / SECOND_NS
        assert body.book.depth_ratio == pytest.approx(0.5)
        crowd = 1 if chain.side == 0 else -1
        assert body.funding_z * crowd > 3
        assert all(step.book_usd is None for step in body.steps if step.price_usd > 96_000 * 1.06)
    assert any(distance < 0.045 for chain in chains for distance in chain.distance)


def test_without_books_and_funding_chains_follow_the_law_and_say_so(tapes) -> None:
    shard, _ = replayed(tapes[0])
    chains = shard.watch.cascades.chains.values()
    assert chains
    for chain in chains:
        assert set(chain.needed_from) <= {"law"}
        assert set(chain.book_usd) <= {None}
        assert (chain.book, chain.book_age_s, chain.depth_ratio, chain.funding_z) == ((), None, None, None)


def test_a_replay_from_a_checkpoint_is_one_from_the_start(tapes, rich) -> None:
    whole, told = rich
    again, told_again = replayed(tapes[1], restart_ns=START + 4 * HOUR_NS + 7 * SECOND_NS)
    left, right = whole.state(), again.state()
    of_chains = [key for key in left if key.startswith("watch.cascades|")]
    assert any("|books/simx" in key for key in of_chains)
    for key in of_chains:
        assert left[key].tobytes() == right[key].tobytes(), key
    for part in (0, 1):
        assert [each for one in told for each in one[part]] == [
            each for one in told_again for each in one[part]
        ]


def test_books_are_read_in_pieces_of_a_minute_each_row_once(tapes) -> None:
    cursor = book_cursor(tapes[1], IDS, START)
    assert isinstance(cursor, TapeCursor)
    assert book_cursor(tapes[0], IDS, START) is None
    taken, most, before = [], 0, START
    for to_ns in (START + 90 * SECOND_NS, START + 3 * HOUR_NS, END):
        for end_ns, batches in cursor.pieces(to_ns):
            assert 0 < end_ns - before <= BOOK_PIECE_NS
            before = end_ns
            most = max(most, sum(map(len, batches)), sum(map(len, cursor._held)))
            taken += batches
        assert before == to_ns
    assert most <= 2 * 100 * BOOK_PIECE_NS // EVERY_NS + 10
    for iid in IDS:
        rows = [batch.rows for batch in taken if (batch.kind, batch.instrument_id) == (Kind.BOOK_LEVEL, iid)]
        assert np.concatenate(rows).tobytes() == tapes[1].read(Kind.BOOK_LEVEL, iid).tobytes()
    assert {batch.kind for batch in taken} <= set(BOOK_KINDS)


def served(tape: Tape, **how: Any) -> Market:
    """The market of the tape, served in some way."""
    facts = {"simulated": True, "world": "thin-book", "assets": ["BTC"], "warm_ns": START}
    return Market(contracts=tape.instruments(), **facts, **how)


def test_a_served_tape_shows_the_books(tapes, tmp_path) -> None:
    tape = tapes[1]
    events, zones = EventStore(tmp_path / "events"), ZoneStore(tmp_path / "zones")
    played = served(
        tape,
        mode="replay",
        from_ns=START + HOUR_NS,
        to_ns=END,
        open_feed=lambda moment: TapeCursor(tape, ENGINE_KINDS, IDS, moment),
        open_books=lambda moment: book_cursor(tape, IDS, moment),
        can_seek=True,
    )
    engine = Engine(played, MapStore(), PipelineParameters(), version="0", events=events, zones=zones)
    at_ns = END - 2 * HOUR_NS + 5 * MINUTE_NS
    engine._load(at_ns)
    cascades = engine._shards["BTC"].watch.cascades
    assert {chain.book for chain in cascades.chains.values()} == {tuple(IDS)}
    assert cascades.books.at_ns == at_ns
    seen = {channel["channel"] for venue in engine.sources()["venues"] for channel in venue["channels"]}
    assert "book_level" in seen
    events.close()
    zones.close()


class OnlyBooks:
    """A feed that gives the order books of a tape and nothing else, as a quiet venue would."""

    def __init__(self, tape: Tape, from_ns: int) -> None:
        self.cursor = TapeCursor(tape, (Kind.BOOK_LEVEL,), IDS, from_ns)

    def advance(self, to_ns: int) -> list[Batch]:
        return self.cursor.advance(to_ns)


def test_books_alone_are_taken_in_without_a_step(tapes, tmp_path) -> None:
    tape = tapes[1]
    events, zones = EventStore(tmp_path / "events"), ZoneStore(tmp_path / "zones")
    living = served(
        tape,
        mode="live",
        from_ns=START,
        to_ns=None,
        open_feed=lambda moment: OnlyBooks(tape, moment),
        can_seek=False,
    )
    engine = Engine(living, MapStore(), PipelineParameters(), version="0", events=events, zones=zones)
    engine._load(START)
    shard, to_ns = engine._shards["BTC"], START + 90 * SECOND_NS
    engine._move(to_ns, draws=False)
    assert (shard.reached_ns, shard.steps, shard.messages) == (START - 1, 0, 0)
    (bids, asks), _ = shard.watch.cascades.books.at(to_ns)
    assert bids.instruments == asks.instruments == tuple(IDS)
    engine._move(to_ns + SECOND_NS, draws=True)
    assert shard.reached_ns == to_ns + SECOND_NS - 1
    events.close()
    zones.close()
