from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pytest

from faultline.errors import NotFound, StoreError
from faultline.store.columns import (
    COLUMNS_MAX,
    CandleChange,
    ColumnChange,
    MapColumns,
    MapKey,
    Resync,
    StatusChange,
)
from faultline.store.lhm1 import decode_frame, decode_snapshot, decompress
from faultline.store.maps import MapStore
from faultline.store.planes import BACKLOG_FRAMES
from faultline.testing.market import fake_market, fill_store
from faultline.units import DAY_NS, MINUTE_NS

KEY = MapKey("BTC", "5m", "synthetic", "long")


@pytest.fixture(scope="module")
def market():
    return fake_market(seed=11, n_columns=520, n_rows=240)


@pytest.fixture
def store():
    return MapStore(first_seq=100)


def write(store, market, start, stop, n_closed, plane="synthetic", side="long"):
    store.write_columns(market.columns("BTC", plane, side, start, stop, n_closed))


def minute_columns(first_minute, n, value=1e5, n_rows=8, n_closed=None, first_row=2_000, **changes):
    t_ns = (first_minute + np.arange(n, dtype=np.int64)) * MINUTE_NS + DAY_NS * 20_000
    columns = MapColumns(
        "BTC", "1m", "synthetic", "long", 50.0, first_row, t_ns,
        np.full((n, n_rows), value, np.float32), n if n_closed is None else n_closed,
    )  # fmt: skip
    return dataclasses.replace(columns, **changes)


class Follower:
    """A client that keeps one map from a snapshot and the frames after it."""

    def __init__(self, store, key=KEY):
        self.key = key
        self.columns = []
        self.seq = None
        self.resyncs = 0
        self.store = store
        self.fetch()
        store.subscribe(self.on_change)

    def fetch(self):
        snapshot = self.store.snapshot(*self.key)
        self.columns = [column.copy() for column in snapshot.codes]
        self.seq = snapshot.seq

    def on_change(self, change):
        if isinstance(change, Resync) and change.key == self.key:
            self.resyncs += 1
            self.seq = None
        if isinstance(change, ColumnChange) and change.key == self.key and self.seq is not None:
            assert change.seq == self.seq + 1
            self.seq = change.seq
            self.apply(change.frame)

    def apply(self, content):
        frame = decode_frame(content)
        if frame.col == len(self.columns):
            self.columns.append(self.columns[-1].copy())
        self.columns[frame.col][frame.rows] = frame.codes

    def agrees(self):
        return np.array_equal(np.array(self.columns), self.store.snapshot(*self.key).codes)


def test_closed_columns_never_change_a_byte_over_200_live_updates(store, market):
    fill_store(store, market, n_columns=300)
    before = {
        (p, s): store.snapshot("BTC", "5m", p, s).codes
        for p in ("synthetic", "real")
        for s in ("long", "short")
    }
    rng = np.random.default_rng(0)
    for update in range(200):
        stop = 300 + update // 2
        for (plane, side), codes in before.items():
            columns = market.columns("BTC", plane, side, stop - 2, stop + 1, stop)
            forming = columns.usd.copy()
            forming[2] *= rng.uniform(0.5, 1.5)
            store.write_columns(dataclasses.replace(columns, usd=forming))
            assert np.array_equal(store.snapshot("BTC", "5m", plane, side).codes[:299], codes[:299])


def test_rewriting_a_closed_column_changes_nothing_and_is_counted(store, market):
    write(store, market, 0, 50, 50)
    before = store.snapshot(*KEY)
    columns = market.columns("BTC", "synthetic", "long", 40, 50, 50)
    store.write_columns(dataclasses.replace(columns, usd=columns.usd * 3))
    after = store.snapshot(*KEY)
    assert np.array_equal(after.codes, before.codes)
    assert after.seq == before.seq
    assert store.counters()["closed_ignored"] == 10


def test_a_client_that_applies_every_frame_holds_the_same_map_as_the_server(store, market):
    write(store, market, 0, 100, 99)
    follower = Follower(store)
    for stop in range(101, 180):
        write(store, market, stop - 2, stop, stop - 1)
        assert follower.agrees()
    assert follower.resyncs == 0
    assert len(follower.columns) == 179


def test_live_frames_are_small(store, market):
    write(store, market, 0, 300, 299)
    sizes = []
    store.subscribe(
        lambda change: sizes.append(len(change.frame)) if isinstance(change, ColumnChange) else None
    )
    for stop in range(301, 400):
        write(store, market, stop - 1, stop, stop - 1)
    assert np.median(sizes) < 400
    assert np.median(sizes) * 30 < len(store.encoded(*KEY, "gzip").content)


def test_a_map_built_live_equals_the_map_written_at_once(market):
    at_once, live = MapStore(first_seq=0), MapStore(first_seq=0)
    write(at_once, market, 0, 200, 200)
    write(live, market, 0, 40, 39)
    for stop in range(41, 201):
        half = market.columns("BTC", "synthetic", "long", stop - 1, stop, stop - 1)
        live.write_columns(dataclasses.replace(half, usd=half.usd * 0.5))
        write(live, market, stop - 2, stop, stop - 1)
    write(live, market, 199, 200, 200)
    one, other = at_once.snapshot(*KEY), live.snapshot(*KEY)
    shift = round(np.log(other.vmin_usd / one.vmin_usd) / np.log(10 ** (3.5 / 254)))
    both = (one.codes > 1) & (other.codes > 1) & (other.codes < 255) & (one.codes < 255)
    assert both.mean() > 0.2
    off = np.abs(one.codes[both].astype(int) - other.codes[both] - shift)
    # The only difference allowed: a cell that was clipped at the bottom of an earlier range keeps its dead band.
    assert off.max() <= 1
    assert np.mean(off > 0) < 0.01


def test_after_seq_gives_exactly_the_missed_frames(store, market):
    write(store, market, 0, 100, 99)
    follower = Follower(store)
    columns, seen = [column.copy() for column in follower.columns], follower.seq
    for stop in range(101, 121):
        write(store, market, stop - 2, stop, stop - 1)
    follower.columns = columns
    missed = store.resume(KEY, seen)
    assert [seq for seq, _ in missed.frames] == list(range(seen + 1, missed.seq + 1))
    for _, frame in missed.frames:
        follower.apply(frame)
    assert follower.agrees()
    assert store.resume(KEY, missed.seq).frames == []


@pytest.mark.parametrize("seq", [0, 99, 10**9])
def test_a_position_outside_the_backlog_asks_for_a_snapshot(store, market, seq):
    write(store, market, 0, 100, 99)
    write(store, market, 100, 101, 100)
    assert store.resume(KEY, seq).frames is None


def test_the_backlog_is_bounded(store):
    store.write_columns(minute_columns(0, 1, n_closed=0))
    rng = np.random.default_rng(1)
    for _ in range(BACKLOG_FRAMES + 50):
        store.write_columns(minute_columns(0, 1, value=rng.uniform(1e3, 1e5), n_closed=0))
    key = MapKey("BTC", "1m", "synthetic", "long")
    seq = store.seq(*key)
    assert store.resume(key, seq - 300).frames is not None
    assert store.resume(key, seq - BACKLOG_FRAMES - 5).frames is None


def test_two_runs_do_not_start_from_the_same_number():
    starts = set()
    for _ in range(4):
        store = MapStore()
        store.write_columns(minute_columns(0, 1))
        starts.add(store.seq("BTC", "1m", "synthetic", "long"))
    assert len(starts) == 4


def test_columns_per_map_are_bounded_and_the_cut_is_announced(store):
    changes = []
    store.subscribe(changes.append)
    for first in range(0, COLUMNS_MAX + 600, 300):
        store.write_columns(minute_columns(first, 300))
    snapshot = store.snapshot("BTC", "1m", "synthetic", "long")
    assert len(snapshot.codes) <= COLUMNS_MAX
    end_ms = snapshot.t0_ms + len(snapshot.codes) * snapshot.dt_ms
    assert end_ms == (DAY_NS * 20_000 + (COLUMNS_MAX + 700) // 300 * 300 * MINUTE_NS) // 1_000_000
    assert any(isinstance(change, Resync) for change in changes)


def test_a_write_longer_than_the_limit_keeps_the_newest_columns(store):
    store.write_columns(minute_columns(0, COLUMNS_MAX + 500))
    snapshot = store.snapshot("BTC", "1m", "synthetic", "long")
    assert 0 < len(snapshot.codes) <= COLUMNS_MAX
    assert snapshot.codes[-1].all()


def test_a_gap_in_time_is_filled_with_nothing(store):
    store.write_columns(minute_columns(0, 3))
    store.write_columns(minute_columns(6, 2))
    assert (
        store.snapshot("BTC", "1m", "synthetic", "long").codes[:, 0].astype(bool).tolist()
        == [True] * 3 + [False] * 3 + [True] * 2
    )


def test_a_jump_of_years_does_not_allocate_years(store):
    store.write_columns(minute_columns(0, 3))
    store.write_columns(minute_columns(5_000_000, 3))
    snapshot = store.snapshot("BTC", "1m", "synthetic", "long")
    assert len(snapshot.codes) <= COLUMNS_MAX
    assert snapshot.codes[-3:].all()


def test_planes_and_candles_share_one_index(store, market):
    store.write_candles(market.candles("BTC", 20, 120, 119))
    write(store, market, 20, 120, 119)
    write(store, market, 5, 120, 119, plane="real")
    candles = store.candles("BTC", "5m")
    for plane in ("synthetic", "real"):
        snapshot = store.snapshot("BTC", "5m", plane, "long")
        assert snapshot.t0_ms * 1_000_000 == candles.t0_ns
        assert len(snapshot.codes) == len(candles.values)
    assert candles.t0_ns == market.t_ns[5]
    assert np.isnan(candles.values[:15]).all()
    assert np.array_equal(candles.values[15:, 3], market.ohlc_usd[20:120, 3])


def test_candles_keep_their_index_when_the_map_is_cut(store):
    n = COLUMNS_MAX + 50
    store.write_columns(minute_columns(0, n))
    key = ("BTC", "1m", "synthetic", "long")
    candles = store.snapshot(*key)
    from faultline.store.columns import Candles

    t_ns = candles.t0_ms * 1_000_000 + np.arange(3, dtype=np.int64) * MINUTE_NS
    one = np.ones(3)
    store.write_candles(Candles("BTC", "1m", t_ns, one, one, one, one, one, one, one, 3))
    assert store.candles("BTC", "1m").t0_ns == candles.t0_ms * 1_000_000


def test_missing_candles_stay_missing_and_closed_ones_stay_as_they_are(store, market):
    candles = market.candles("BTC", 0, 10, 9)
    close = candles.close.copy()
    close[4] = np.nan
    changes = []
    store.subscribe(lambda change: changes.append(change) if isinstance(change, CandleChange) else None)
    store.write_candles(dataclasses.replace(candles, close=close))
    assert [change.closed for change in changes] == [True] * 9 + [False]
    changes.clear()
    store.write_candles(candles)
    assert changes == []
    assert np.isnan(store.candles("BTC", "5m").values[4, 3])
    store.write_candles(dataclasses.replace(candles, n_closed=10))
    assert [(change.index, change.closed) for change in changes] == [(9, True)]


def unheard(market, *spans):
    """Spans in columns of the market."""
    width = market.t_ns[1] - market.t_ns[0]
    return np.array(
        [(market.t_ns[0] + a * width, market.t_ns[0] + b * width) for a, b in spans], dtype=np.int64
    )


def test_liquidations_of_candles_in_which_nobody_listened_are_unknown_and_listeners_are_told(store, market):
    told = []
    store.subscribe(told.append)
    store.write_candles(market.candles("BTC", 0, 10, 9))
    before = store.candles("BTC", "5m").values.copy()
    assert not np.isnan(before[:, 5:]).any()
    told.clear()
    store.leave_unheard("BTC", unheard(market, (-3, 1), (3, 5.5)))
    after = store.candles("BTC", "5m")
    missing = [0, 3, 4]
    assert np.flatnonzero(np.isnan(after.values[:, 5:]).all(axis=1)).tolist() == missing
    np.testing.assert_array_equal(after.values[:, :5], before[:, :5])
    assert [change.index for change in told] == missing
    assert all(np.isnan(change.values[5:]).all() and change.closed for change in told)
    told.clear()
    store.leave_unheard("BTC", unheard(market, (-3, 1), (3, 5.5)))
    assert not told


def test_what_is_written_later_is_unknown_there_too_until_the_scope_is_cleared(store, market):
    store.leave_unheard("BTC", unheard(market, (2, 4)))
    store.write_candles(market.candles("BTC", 0, 10, 9))
    store.write_candles(market.candles("binance:BTCUSDT", 0, 10, 9))
    missing = np.isnan(store.candles("BTC", "5m").values[:, 5:])
    assert np.flatnonzero(missing.all(axis=1)).tolist() == [2, 3]
    assert not np.isnan(store.candles("binance:BTCUSDT", "5m").values[:, 5:]).any()
    store.clear("BTC")
    store.write_candles(market.candles("BTC", 0, 10, 9))
    assert not np.isnan(store.candles("BTC", "5m").values[:, 5:]).any()


def test_a_new_price_window_keeps_the_cells_it_shares(store, market):
    write(store, market, 0, 60, 59)
    before = store.snapshot(*KEY)
    columns = market.columns("BTC", "synthetic", "long", 0, 61, 60)
    moved = dataclasses.replace(columns, first_row=columns.first_row + 40, usd=columns.usd[:, 40:])
    store.write_columns(moved)
    after = store.snapshot(*KEY)
    assert after.price0_usd == before.price0_usd + 40 * before.row_usd
    assert np.array_equal(after.codes[:59], before.codes[:59, 40:])
    assert after.seq > before.seq


def test_rows_that_come_into_the_window_are_filled_where_the_writer_knows_them(store, market):
    columns = market.columns("BTC", "synthetic", "long", 0, 60, 60)
    narrow = dataclasses.replace(columns, first_row=columns.first_row + 100, usd=columns.usd[:, 100:])
    store.write_columns(narrow)
    kept = store.snapshot(*KEY).codes
    store.write_columns(columns)
    wide = store.snapshot(*KEY)
    assert np.array_equal(wide.codes[:, 100:], kept)
    assert np.array_equal(wide.codes[:, :100] > 0, columns.usd[:, :100] >= wide.vmin_usd / 2)


def test_another_row_height_starts_the_map_again(store, market):
    write(store, market, 0, 60, 60)
    columns = market.columns("BTC", "synthetic", "long", 50, 60, 60)
    store.write_columns(dataclasses.replace(columns, row_usd=100.0, usd=columns.usd[:, ::2], first_row=950))
    snapshot = store.snapshot(*KEY)
    assert snapshot.row_usd == 100.0
    assert not snapshot.codes[:50].any()
    assert snapshot.codes[50:].any()


def test_clear_empties_a_scope_and_tells_everybody(store, market):
    fill_store(store, market, n_columns=50)
    fill_store(store, market, scope="ETH", n_columns=50)
    changes = []
    store.subscribe(changes.append)
    before = store.seq(*KEY)
    store.clear("BTC")
    assert {change.key.scope for change in changes} == {"BTC"}
    assert {type(change) for change in changes} == {Resync}
    assert len(changes) == 6
    assert store.snapshot(*KEY).codes.shape[0] == 0
    assert store.seq(*KEY) == before + 1
    assert len(store.candles("BTC", "5m").values) == 0
    assert len(store.snapshot("ETH", "5m", "synthetic", "long").codes) == 50
    write(store, market, 3, 20, 20)
    assert store.snapshot(*KEY).t0_ms * 1_000_000 == market.t_ns[3]


def test_a_map_is_encoded_once_per_change_and_encoding(store, market):
    write(store, market, 0, 100, 99)
    results = []
    threads = [threading.Thread(target=lambda: results.append(store.encoded(*KEY, "zstd"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.n_encodings == 1
    assert len({id(result.content) for result in results}) == 1
    store.encoded(*KEY, "gzip")
    assert store.n_encodings == 2
    write(store, market, 99, 101, 100)
    encoded = store.encoded(*KEY, "zstd")
    assert store.n_encodings == 3
    assert decode_snapshot(decompress(encoded.content, "zstd")).seq == store.seq(*KEY)


def test_both_sides_together_are_the_sum(store, market):
    fill_store(store, market, n_columns=120)
    both = store.snapshot("BTC", "5m", "synthetic", "both")
    parts = [store.snapshot("BTC", "5m", "synthetic", side) for side in ("long", "short")]
    total = parts[0].usd().astype(float) + parts[1].usd()
    shown = both.usd()
    assert np.array_equal(shown == 0, total == 0)
    filled = total > 0
    assert np.abs(shown[filled] / total[filled] - 1).max() < 0.017
    alone = (parts[0].codes > 0) & (parts[1].codes == 0)
    assert np.array_equal(both.codes[alone], parts[0].codes[alone])
    assert both.seq == parts[0].seq + parts[1].seq


def test_what_a_snapshot_shows_is_within_five_percent_above_the_lower_end_of_the_legend(store, market):
    fill_store(store, market)
    legend = store.legend("BTC", "5m")
    for index, side in enumerate(("long", "short")):
        snapshot = store.snapshot("BTC", "5m", "synthetic", side)
        true = market.heat[index]
        coloured = true >= legend.lo_usd
        assert snapshot.vmin_usd <= legend.lo_usd
        assert coloured.mean() > 0.2
        assert np.abs(snapshot.usd()[coloured] / true[coloured] - 1).max() <= 0.05


def test_unknown_names_are_answered_with_the_nearest(store, market):
    fill_store(store, market, n_columns=20)
    store.write_candles(market.candles("binance:BTCUSDT", 0, 5, 5))
    for args, hint in [
        (("btc", "5m", "synthetic", "long"), "did you mean BTC?"),
        (("binance:BTCUSD", "5m", "synthetic", "long"), "did you mean binance:BTCUSDT?"),
        (("BTC", "15m", "synthetic", "long"), "did you mean 5m?"),
        (("BTC", "5m", "syntetic", "long"), "did you mean synthetic?"),
        (("BTC", "5m", "synthetic", "lon"), "did you mean long?"),
        (("BTC", "5m", "walls", "long"), "known: real, smooth, synthetic"),
        (("NOTHING AT ALL", "5m", "synthetic", "long"), "known: BTC, binance:BTCUSDT"),
    ]:
        with pytest.raises(NotFound) as caught:
            store.snapshot(*args)
        assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"timeframe": "7m"}, "not a timeframe"),
        ({"plane": "heat"}, "plane or the side"),
        ({"side": "both"}, "plane or the side"),
        ({"row_usd": 0.0}, "USD high"),
        ({"row_usd": float("nan")}, "USD high"),
        ({"usd": np.ones((4, 0), np.float32)}, "shape"),
        ({"usd": np.ones((3, 8), np.float32)}, "shape"),
        ({"usd": np.ones(4, np.float32)}, "shape"),
        ({"t_ns": np.array([0, 60, 120, 180])}, "grid"),
        ({"t_ns": np.arange(4)[::-1] * MINUTE_NS}, "grid"),
        ({"t_ns": np.arange(4.0) * MINUTE_NS}, "grid"),
        ({"n_closed": 5}, "closed"),
        ({"n_closed": -1}, "closed"),
    ],
)
def test_columns_that_make_no_sense_are_refused(store, changes, match):
    with pytest.raises(StoreError, match=match):
        store.write_columns(minute_columns(0, 4, **changes))
    assert store.scopes() == []


def test_bad_cells_are_counted_not_swallowed(store):
    usd = np.array([[1e4, -5.0, np.inf, np.nan]], np.float32)
    store.write_columns(minute_columns(0, 1, usd=usd))
    assert store.counters()["bad_cells"] == 2


def test_a_status_is_checked_and_passed_on(store):
    seen = []
    store.subscribe(lambda change: seen.append(change) if isinstance(change, StatusChange) else None)
    store.write_status({"mode": "replay", "state": "ready", "simulated": False, "as_of_ns": 5})
    assert store.status.mode == "replay"
    assert seen[0].status is store.status
    with pytest.raises(StoreError, match="mode"):
        store.write_status({"mode": "dreaming"})
    with pytest.raises(StoreError, match="unknown"):
        store.write_status({"unknown": 1})
    assert store.status.mode == "replay"


def test_a_listener_can_leave(store, market):
    seen = []
    leave = store.subscribe(seen.append)
    write(store, market, 0, 2, 1)
    n = len(seen)
    leave()
    write(store, market, 1, 3, 2)
    assert len(seen) == n > 0


def test_assets_come_from_the_wiring_and_from_what_is_stored(store, market):
    store.write_candles(market.candles("BTC", 0, 5, 5))
    store.write_candles(market.candles("binance:BTCUSDT", 0, 5, 5))
    assert store.assets() == {"BTC": ("BTC",)}
    store.write_assets({"BTC": ["BTC", "binance:BTCUSDT"]})
    assert store.assets() == {"BTC": ("BTC", "binance:BTCUSDT")}
    assert store.last_price_usd("BTC") == market.ohlc_usd[4, 3]
    assert np.isnan(store.last_price_usd("ETH"))


def test_readers_and_the_writer_do_not_disturb_each_other(store, market):
    write(store, market, 0, 100, 99)
    write(store, market, 0, 100, 99, side="short")
    stop, failures = threading.Event(), []

    def read():
        while not stop.is_set():
            snapshot = store.snapshot("BTC", "5m", "synthetic", "both")
            encoded = store.encoded(*KEY, "identity")
            if decode_snapshot(encoded.content).seq != encoded.seq or len(snapshot.codes) < 100:
                failures.append(encoded.seq)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for end in range(101, 260):
        write(store, market, end - 2, end, end - 1)
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []


def test_a_cell_can_be_asked_for(store, market):
    fill_store(store, market, n_columns=100)
    snapshot = store.snapshot(*KEY)
    column, row = 40, int(np.argmax(snapshot.codes[40]))
    price = snapshot.price0_usd + (row + 0.5) * snapshot.row_usd
    shown = store.cell_usd("BTC", "5m", "synthetic", "long", int(market.t_ns[column]) + 1, price)
    assert shown == pytest.approx(snapshot.usd()[column, row], rel=1e-5)
    assert store.cell_usd("BTC", "5m", "synthetic", "long", int(market.t_ns[0]) - 1, price) is None
    assert store.cell_usd("BTC", "5m", "synthetic", "long", int(market.t_ns[column]), 1.0) is None
    assert store.cell_usd("BTC", "5m", "walls", "long", int(market.t_ns[column]), price) is None
    assert store.cell_usd("ETH", "5m", "synthetic", "long", 0, price) is None
