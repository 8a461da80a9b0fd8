"""Reading spans, columns, streams, instruments and gaps; while a writer works; in bounded memory."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tape.rows import BTC, START_NS, expected_of, on_disk, random_rows, same, trades, write_tape

from faultline.errors import TapeError
from faultline.instruments import ContractKind, FormulaFamily, Instrument, Tier, instrument_rows
from faultline.messages import KINDS, Batch, Kind, empty_rows, merge_batches
from faultline.tape import Tape, TapeWriter, compact, describe
from faultline.tape.parts import ROWS_PER_GROUP

HOUR_NS = 3_600 * 10**9


def stored(kind, times, seqs=None):
    rows = random_rows(kind, len(times), 1)
    rows["ts_received_ns"] = times
    rows["seq"] = -1 if seqs is None else seqs
    return rows


@st.composite
def overlapping_batches(draw):
    """Batches with many equal times and sequences, in any order, whose price tells when they were appended."""
    batches, price = [], 0.0
    for _ in range(draw(st.integers(1, 5))):
        n = draw(st.integers(1, 8))
        rows = empty_rows(Kind.TRADE, n)
        rows["ts_received_ns"] = np.sort(draw(st.lists(st.integers(0, 6), min_size=n, max_size=n)))
        rows["seq"] = draw(st.lists(st.integers(-1, 2), min_size=n, max_size=n))
        rows["price_usd"] = price + np.arange(n)
        price += n
        batches.append(Batch(Kind.TRADE, BTC, rows))
    return batches


@pytest.mark.timeout(900)
@on_disk
@given(
    overlapping_batches(),
    st.lists(st.booleans(), min_size=5, max_size=5),
    st.integers(-1, 8),
    st.integers(-1, 8),
)
def test_rows_come_in_total_order_from_any_layout(tmp_path_factory, batches, seals, from_ns, to_ns):
    path = tmp_path_factory.mktemp("tape") / "tape"
    expected = expected_of(batches)[Kind.TRADE, BTC]
    times = expected["ts_received_ns"]
    inside = expected[(times >= from_ns) & (times < to_ns)]
    with TapeWriter(path, simulated=False) as writer:
        for batch, seal in zip(batches, seals, strict=False):
            writer.append([batch])
            if seal:
                writer.seal()
        tape = Tape(path)
        assert same(tape.read(Kind.TRADE, BTC), expected)
        assert same(tape.read(Kind.TRADE, BTC, from_ns, to_ns), inside)
        sha256 = tape.sha256()
    assert same(Tape(path).read(Kind.TRADE, BTC, from_ns, to_ns), inside)
    compact(path)
    assert same(Tape(path).read(Kind.TRADE, BTC), expected)
    assert {tape.sha256(), Tape(path).sha256()} == {sha256}
    prices = Tape(path).read(Kind.TRADE, BTC, from_ns, to_ns, columns=["price_usd"])["price_usd"]
    assert prices.tolist() == inside["price_usd"].tolist()


@pytest.mark.timeout(900)
@on_disk
@given(overlapping_batches(), st.integers(0, 6), st.integers(1, 9), st.integers(1, 3))
def test_stream_gives_every_row_once_in_its_chunk(tmp_path_factory, batches, from_ns, length_ns, chunk_ns):
    path = write_tape(tmp_path_factory.mktemp("tape") / "tape", batches)
    to_ns = from_ns + length_ns
    expected = Tape(path).read(Kind.TRADE, BTC, from_ns, to_ns)
    chunks = list(Tape(path).stream(from_ns, to_ns, chunk_ns=chunk_ns))
    assert [start for start, _, _ in chunks] == list(range(from_ns, to_ns, chunk_ns))
    assert [end for _, end, _ in chunks][-1] == to_ns
    for start, end, found in chunks:
        for batch in found:
            assert ((batch.rows["ts_received_ns"] >= start) & (batch.rows["ts_received_ns"] < end)).all()
    rows = [batch.rows for _, _, found in chunks for batch in found]
    assert same(np.concatenate([expected[:0], *rows]), expected)


def test_stream_batches_come_in_the_order_of_kinds_venues_and_symbols(tmp_path):
    batches = [
        Batch(kind, iid, random_rows(kind, 5, 1)) for kind in Kind for iid in ("okx:B", "binance:Z", "okx:A")
    ]
    path = write_tape(tmp_path / "tape", batches)
    first_ns, last_ns = Tape(path).span_ns()
    ((_, _, found),) = Tape(path).stream(first_ns, last_ns + 1, chunk_ns=last_ns + 1 - first_ns)
    assert [(batch.kind, batch.instrument_id) for batch in found] == [
        (batch.kind, batch.instrument_id) for batch in merge_batches(batches)
    ]


def test_stream_can_be_limited_to_kinds_and_ids(tmp_path):
    path = write_tape(
        tmp_path / "tape",
        [trades(9, 1), trades(9, 2, "okx:X"), Batch(Kind.MARK, BTC, random_rows(Kind.MARK, 9, 1))],
    )
    span = (START_NS, START_NS + HOUR_NS)
    assert {b.instrument_id for _, _, bs in Tape(path).stream(*span, kinds=[Kind.TRADE]) for b in bs} == {
        BTC,
        "okx:X",
    }
    assert {b.kind for _, _, bs in Tape(path).stream(*span, ids=[BTC]) for b in bs} == {Kind.TRADE, Kind.MARK}


def test_a_bar_is_read_by_the_time_it_ended(tmp_path):
    rows = random_rows(Kind.BAR, 1, 1)
    rows["ts_event_ns"], rows["ts_received_ns"] = START_NS, START_NS + HOUR_NS
    path = write_tape(tmp_path / "tape", [Batch(Kind.BAR, BTC, rows)])
    assert len(Tape(path).read(Kind.BAR, BTC, START_NS, START_NS + HOUR_NS)) == 0
    assert len(Tape(path).read(Kind.BAR, BTC, START_NS + HOUR_NS, START_NS + HOUR_NS + 1)) == 1


@pytest.mark.parametrize("n", [1, ROWS_PER_GROUP, 3 * ROWS_PER_GROUP + 17])
def test_read_equals_slicing_the_whole(tmp_path, n):
    batch = trades(n, 1)
    tape = Tape(write_tape(tmp_path / "tape", [batch]))
    times = batch.rows["ts_received_ns"]
    generator = np.random.default_rng(n)
    for _ in range(20):
        from_ns, to_ns = np.sort(generator.integers(times[0] - 10, times[-1] + 10, 2))
        expected = batch.rows[(times >= from_ns) & (times < to_ns)]
        assert same(tape.read(Kind.TRADE, BTC, int(from_ns), int(to_ns)), expected)
        columns = tape.read_columns(Kind.TRADE, BTC, ["price_usd", "seq"], int(from_ns), int(to_ns))
        assert columns["seq"].tolist() == expected["seq"].tolist()
        assert columns["price_usd"].tobytes() == expected["price_usd"].tobytes()


@pytest.mark.parametrize(
    "columns",
    [["price_usd"], ["seq", "ts_received_ns"], ["ts_received_ns"], ["flags"], ["cause", "qty_base"]],
)
def test_columns_give_those_fields_in_that_order(tmp_path, columns):
    batch = trades(200, 1)
    tape = Tape(write_tape(tmp_path / "tape", [batch]))
    found = tape.read(Kind.TRADE, BTC, columns=columns)
    assert found.dtype.names == tuple(columns)
    for name in columns:
        assert found[name].tobytes() == batch.rows[name].tobytes()


def test_an_unknown_field_is_named_and_an_unknown_id_is_empty(tmp_path):
    tape = Tape(write_tape(tmp_path / "tape", [trades(2, 1)]))
    with pytest.raises(TapeError, match="no field 'prise'") as caught:
        tape.read(Kind.TRADE, BTC, columns=["prise"])
    assert "price_usd" in caught.value.hint
    assert tape.read(Kind.TRADE, "okx:NOPE").dtype == KINDS[Kind.TRADE].dtype
    assert tape.read_columns(Kind.BAR, BTC, ["seq"])["seq"].tolist() == []


def test_span_is_of_the_rows_asked_for(tmp_path):
    early, late = stored(Kind.TRADE, [5, 10]), stored(Kind.MARK, [7, 90 * 86_400 * 10**9])
    tape = Tape(write_tape(tmp_path / "tape", [Batch(Kind.TRADE, BTC, early), Batch(Kind.MARK, BTC, late)]))
    assert tape.span_ns() == (5, 90 * 86_400 * 10**9)
    assert tape.span_ns(Kind.TRADE) == (5, 10)
    assert tape.span_ns(Kind.MARK, BTC) == (7, 90 * 86_400 * 10**9)
    with pytest.raises(TapeError, match="no rows of trade okx:X"):
        tape.span_ns(Kind.TRADE, "okx:X")


def test_instruments_are_the_last_known(tmp_path):
    def contract(tick_usd):
        return Instrument(
            id=BTC,
            base="BTC",
            quote="USDT",
            contract_kind=ContractKind.LINEAR,
            formula_family=FormulaFamily.MARK_VALUED,
            contract_size=1.0,
            tick_usd=tick_usd,
            lot_base=0.001,
            min_notional_usd=100.0,
            tiers=(Tier(0.0, 50_000.0, 0.004, 125.0, 0.0), Tier(50_000.0, np.inf, 0.005, 100.0, 50.0)),
            taker_fee_ratio=0.0005,
        )

    batches = [
        Batch(Kind.INSTRUMENT, BTC, instrument_rows(contract(tick), as_of))
        for tick, as_of in ((0.1, 1), (0.01, 2))
    ]
    assert Tape(write_tape(tmp_path / "tape", batches)).instruments() == [contract(0.01)]


def test_gaps_come_with_their_scope(tmp_path):
    rows = random_rows(Kind.GAP, 3, 1)
    tape = Tape(write_tape(tmp_path / "tape", [Batch(Kind.GAP, BTC, rows), trades(2, 1)]))
    ((instrument_id, found),) = tape.gaps()
    assert instrument_id == BTC
    assert same(found, rows)


def test_hash_tells_rows_and_world_and_nothing_else(tmp_path):
    batches = [trades(50, seed) for seed in range(3)]
    hashes = {
        "apart": Tape(write_tape(tmp_path / "apart", batches)).sha256(),
        "small": Tape(write_tape(tmp_path / "small", batches, segment_bytes=3_000)).sha256(),
        "joined": Tape(write_tape(tmp_path / "joined", merge_batches(batches))).sha256(),
    }
    assert len(set(hashes.values())) == 1
    other_world = Tape(write_tape(tmp_path / "world", batches, simulated=True, world="calm")).sha256()
    fewer = Tape(write_tape(tmp_path / "fewer", batches[:2])).sha256()
    changed = trades(50, 2)
    changed.rows["price_usd"][7] += 0.1
    different = Tape(write_tape(tmp_path / "other", [*batches[:2], changed])).sha256()
    assert len({hashes["apart"], other_world, fewer, different}) == 4


def test_a_reader_sees_a_growing_tape_consistently(tmp_path):
    path = tmp_path / "tape"
    n_batches, problems, done = 150, [], threading.Event()
    with TapeWriter(path, simulated=False, segment_bytes=15_000) as writer:
        acknowledged = [0]

        def record():
            for number in range(n_batches):
                rows = stored(Kind.TRADE, START_NS + np.arange(40) + 40 * number, np.arange(40) + 40 * number)
                writer.append([Batch(Kind.TRADE, BTC, rows)])
                acknowledged[0] = 40 * (number + 1)
            done.set()

        def watch():
            tape = Tape(path)
            while not done.is_set():
                known = acknowledged[0]
                seqs = tape.read(Kind.TRADE, BTC)["seq"]
                if len(seqs) < known or (seqs != np.arange(len(seqs))).any():
                    problems.append((known, len(seqs)))
                    return

        threads = [threading.Thread(target=record), *(threading.Thread(target=watch) for _ in range(2))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert problems == []
    assert len(Tape(path).read(Kind.TRADE, BTC)) == 40 * n_batches


def test_a_reader_survives_compaction_under_its_feet(tmp_path):
    path = tmp_path / "tape"
    batches = [trades(50, seed) for seed in range(3)]
    for batch in batches:
        write_tape(path, [batch])
    tape = Tape(path)
    before = tape.read(Kind.TRADE, BTC)
    stream = tape.stream(START_NS, START_NS + HOUR_NS, chunk_ns=HOUR_NS // 10)
    first = next(stream)[2]
    compact(path)
    rest = [batch.rows for _, _, found in stream for batch in found]
    assert same(np.concatenate([*(batch.rows for batch in first), *rest]), before)
    assert same(tape.read(Kind.TRADE, BTC), before)
    assert same(Tape(path).read(Kind.TRADE, BTC), before)


def test_description_counts_sealed_and_open_rows(tmp_path):
    path = write_tape(tmp_path / "tape", [trades(30, 1)])
    with TapeWriter(path, simulated=False) as writer:
        writer.append([trades(5, 2, "okx:X")])
        found = describe(path)
    assert (found.rows, found.open_rows, found.sealed_files, found.open_segments) == (35, 5, 1, 1)
    trade = found.kinds["trade"]
    assert (trade.rows, trade.symbols) == (35, (BTC, "okx:X"))
    assert (trade.first_ns, trade.last_ns) == Tape(path).span_ns(Kind.TRADE)
    assert found.sealed_bytes > 0
    assert found.losses == ()


@pytest.mark.parametrize("chunk_ns", [7 * HOUR_NS, 24 * HOUR_NS, 50 * HOUR_NS, 100 * HOUR_NS])
def test_chunks_may_cross_days_and_span_several(tmp_path, chunk_ns):
    batches = [trades(300, seed, span_ns=80 * HOUR_NS) for seed in range(3)]
    path = tmp_path / "tape"
    for batch in batches:
        write_tape(path, [batch])
    tape = Tape(path)
    from_ns, to_ns = START_NS + 5 * HOUR_NS, START_NS + 75 * HOUR_NS
    rows = [batch.rows for _, _, found in tape.stream(from_ns, to_ns, chunk_ns=chunk_ns) for batch in found]
    assert same(np.concatenate(rows), tape.read(Kind.TRADE, BTC, from_ns, to_ns))


def test_a_stream_goes_on_when_its_segments_are_sealed_and_merged(tmp_path):
    path = tmp_path / "tape"
    batches = [trades(100, seed, span_ns=HOUR_NS) for seed in range(4)]
    write_tape(path, batches[:1])
    with TapeWriter(path, simulated=False) as writer:
        writer.append(batches[1:])
        expected = Tape(path).read(Kind.TRADE, BTC)
        stream = Tape(path).stream(START_NS, START_NS + HOUR_NS, chunk_ns=HOUR_NS // 8)
        found = next(stream)[2] + next(stream)[2]
        writer.seal()
        found += next(stream)[2]
    compact(path)
    for _, _, batch in stream:
        found += batch
    assert same(np.concatenate([batch.rows for batch in found]), expected)
