"""Rows of every kind for the tape's tests: random ones, hostile ones, and a copy of a tape as a crash leaves it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from faultline.messages import KINDS, Batch, Kind, empty_rows, sort_rows
from faultline.tape import Tape, TapeWriter

IS_LONG = os.environ.get("FAULTLINE_FUZZ") == "1"
#: For properties that write to disk in every example: the profile's count would take an hour.
on_disk = settings(max_examples=400 if IS_LONG else 40)
BTC = "binance:BTCUSDT"
START_NS = 1_770_000_000_000_000_000


def random_rows(kind: Kind, n: int, seed: int, *, start_ns: int = START_NS, span_ns: int = 10**12):
    """``n`` rows sorted by receive time, every field filled, some floats missing, prices in ticks of 0.1."""
    rng = np.random.default_rng(seed)
    rows = empty_rows(kind, n)
    rows["ts_received_ns"] = np.sort(start_ns + rng.integers(0, span_ns, n))
    rows["ts_event_ns"] = rows["ts_received_ns"] - rng.integers(0, 10**8, n)
    rows["seq"] = np.arange(n) + 1_000 * seed
    for field in KINDS[kind].fields:
        if field.dtype == "<f8":
            rows[field.name] = rng.integers(1, 10**6, n) / 10
            rows[field.name][rng.random(n) < 0.1] = np.nan
        elif field.dtype.startswith("S"):
            rows[field.name] = [b"w%d" % value for value in rng.integers(0, 5, n)]
        elif field.dtype == "<i1":
            rows[field.name] = rng.integers(-1, 2, n)
        else:
            rows[field.name] = rng.integers(0, 100, n)
    return rows


def hostile_rows(kind: Kind, max_size: int = 12):
    """Strategy: rows with any bits in any field: NaN, infinities, negative zero, extreme integers, any bytes."""

    def column(dtype: np.dtype):
        if dtype.kind == "f":
            tidy = st.integers(-(10**6), 10**6).map(lambda ticks: ticks / 100)
            return st.one_of(
                st.floats(), tidy, st.sampled_from([np.nan, np.inf, -np.inf, -0.0, 1e300, 5e-324])
            )
        if dtype.kind == "S":
            return st.binary(max_size=dtype.itemsize)
        info = np.iinfo(dtype)
        return st.one_of(st.integers(info.min, info.max), st.sampled_from([info.min, info.max]), st.just(1))

    dtype = KINDS[kind].dtype

    @st.composite
    def build(draw):
        n = draw(st.integers(1, max_size))
        rows = empty_rows(kind, n)
        for name in dtype.names:
            kept = np.array(draw(st.lists(column(dtype[name]), min_size=n, max_size=n)), dtype=object)
            with np.errstate(all="ignore"):
                rows[name] = kept.astype(dtype[name])
        return rows

    return build()


def any_kind():
    """Strategy: a kind."""
    return st.sampled_from(list(Kind))


def tick_floats(max_size: int = 40):
    """Strategy: float64 arrays, many of them decimal."""
    tidy = st.builds(
        lambda ticks, scale: ticks / 10.0**scale, st.integers(-(10**9), 10**9), st.integers(0, 9)
    )
    special = st.sampled_from([np.nan, 0.0, -0.0, np.inf, 2.0**53, 2.0**53 + 2, 0.1 + 0.2])
    return hnp.arrays(
        np.float64, st.integers(0, max_size), elements=st.one_of(tidy, st.floats(width=64), special)
    )


def canonical(rows):
    """Rows with every NaN alike, as the tape keeps them."""
    rows = rows.copy()
    for name in rows.dtype.names:
        if rows.dtype[name].kind == "f":
            rows[name][np.isnan(rows[name])] = np.nan
    return rows


def same(result, expected) -> bool:
    """Bit by bit equality, NaNs alike."""
    return result.dtype == expected.dtype and canonical(result).tobytes() == canonical(expected).tobytes()


def write_tape(path: Path, batches, *, simulated: bool = False, world: str = "", **options) -> Path:
    """A sealed tape, one append per batch."""
    with TapeWriter(path, simulated=simulated, world=world, **options) as writer:
        for batch in batches:
            writer.append([batch])
    return path


def crashed_copy(path: Path, target: Path) -> Path:
    """The disk at this instant, as a killed writer leaves it."""
    return Path(shutil.copytree(path, target))


def read_all(path: Path):
    """Every row of a tape by kind and instrument."""
    tape = Tape(path)
    return {key: tape.read(*key) for key in tape.pairs()}


def expected_of(batches):
    """What a tape of these batches, appended in this order, must hold."""
    groups = {}
    for batch in batches:
        if len(batch):
            groups.setdefault((batch.kind, batch.instrument_id), []).append(batch.rows)
    return {key: sort_rows(np.concatenate(parts)) for key, parts in groups.items()}


def assert_holds(path: Path, batches) -> None:
    """The tape holds exactly these batches' rows."""
    found, expected = read_all(path), expected_of(batches)
    assert set(found) == set(expected)
    for key, rows in expected.items():
        assert same(found[key], rows), key


def trades(n: int, seed: int, instrument_id: str = BTC, **options) -> Batch:
    """A batch of random trades."""
    return Batch(Kind.TRADE, instrument_id, random_rows(Kind.TRADE, n, seed, **options))
