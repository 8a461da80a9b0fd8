"""Frames of Binance with values made up here, exact rows and every trap; and the recorded frames themselves."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest
from tests.sources.archives.conftest import run

from faultline.errors import ImportRejected
from faultline.messages import Flag, Kind, TradeCause
from faultline.sources.archives import import_files
from faultline.tape import Tape
from faultline.units import PriceKind, parse_time_ns

FORMAT = "binance-raw"
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "archives" / FORMAT
NAME = "usdm_btcusdt_20240305"
DAY = parse_time_ns("2024-03-05")
MS = 1_000_000
ID = "binance:BTCUSDT"
ASSUMED = int(Flag.RECEIVED_ASSUMED)


def columns(rows, *names: str) -> list[tuple]:
    return [tuple(row) for row in rows[list(names)].tolist()]


def fixture() -> str:
    return (FIXTURES / f"{NAME}.txt").read_text()


def write(folder: Path, text: str, name: str = NAME) -> Path:
    path = folder / f"{name}.gz"
    path.write_bytes(gzip.compress(text.encode()))
    return path


def rejected(path: Path) -> ImportRejected:
    with pytest.raises(ImportRejected) as caught:
        run(FORMAT, path)
    return caught.value


@pytest.fixture(scope="module")
def golden():
    return run(FORMAT, FIXTURES / f"{NAME}.txt")


def test_every_line_is_accounted_for(golden):
    assert golden.tally.rows_read == 17
    assert golden.tally.rejected == {
        "already_in_trades": 1,
        "best_price_without_depth": 1,
        "duplicate": 1,
        "not_an_event": 2,
        "older_than_snapshot": 1,
        "trade_without_price": 1,
    }
    assert golden.tally.repaired == {"held_until_snapshot": 1, "recorder_clock_behind": 14}
    assert not golden.tally.unchecked


def test_trades_of_the_insurance_fund_are_marked(golden):
    rows = golden.rows(Kind.TRADE, ID)
    names = ("seq", "ts_event_ns", "price_usd", "qty_base", "taker_side", "cause")
    assert columns(rows, *names) == [
        (5001, DAY + 602 * MS, 68_000.2, 0.01, 1, TradeCause.ORDINARY),
        (5002, DAY + 702 * MS, 67_000.0, 3.0, -1, TradeCause.INSURANCE_FUND),
        (5006, DAY + 902 * MS, 68_000.0, 0.2, -1, TradeCause.ORDINARY),
    ]


def test_a_slow_clock_is_set_forward_as_a_whole(golden):
    """The frame that seems to arrive 20 ms before it was sent moves the clock for all of them."""
    rows = golden.rows(Kind.TRADE, ID)
    assert (rows["ts_received_ns"] - DAY).tolist() == [610 * MS, 710 * MS, 910 * MS]
    assert set(rows["flags"]) == {ASSUMED}


def test_steps_of_ids_are_gaps(golden):
    assert golden.gaps("sequence") == [
        (ID, "book_level", DAY + 310 * MS, DAY + 410 * MS),
        (ID, "trade", DAY + 810 * MS, DAY + 910 * MS),
    ]


def test_changes_wait_for_the_snapshot_they_belong_on(golden):
    rows = golden.rows(Kind.BOOK_LEVEL, ID)
    rows = rows[np.lexsort((rows["seq"], rows["ts_received_ns"]))]
    snapshot = int(Flag.SNAPSHOT) | ASSUMED
    assert columns(rows, "ts_received_ns", "seq", "side", "price_usd", "qty_base", "flags") == [
        (DAY + 210 * MS, 100, 1, 68_000.0, 1.0, snapshot),
        (DAY + 210 * MS, 100, 1, 67_999.0, 2.0, snapshot),
        (DAY + 210 * MS, 100, -1, 68_000.1, 0.7, snapshot),
        (DAY + 210 * MS, 100, -1, 68_000.2, 3.0, snapshot),
        (DAY + 210 * MS, 103, 1, 68_000.0, 1.5, ASSUMED),
        (DAY + 210 * MS, 103, -1, 68_000.1, 0.0, ASSUMED),
        (DAY + 310 * MS, 110, -1, 68_000.2, 2.5, ASSUMED),
        (DAY + 410 * MS, 125, 1, 67_999.0, 0.0, ASSUMED),
    ]


def test_marks_and_predicted_funding(golden):
    assert columns(golden.rows(Kind.MARK, ID), "ts_event_ns", "mark_price_usd", "index_price_usd") == [
        (DAY + 1_100 * MS, 68_001.5, 68_010.0)
    ]
    assert columns(golden.rows(Kind.FUNDING, ID), "rate_ratio", "interval_ns", "next_ns") == [
        (0.0001, 0, DAY + 8 * 3_600_000 * MS)
    ]


def test_a_liquidation_comes_once_and_btcdom_is_not_btc(golden):
    names = ("ts_event_ns", "side", "price_kind", "price_usd", "qty_base", "notional_usd", "flags")
    assert columns(golden.rows(Kind.LIQUIDATION, ID), *names) == [
        (DAY + 1_200 * MS, 1, PriceKind.BANKRUPTCY, 67_730.0, 0.014, 67_730.0 * 0.014, 32 | ASSUMED)
    ]
    other = golden.rows(Kind.LIQUIDATION, "binance:BTCDOMUSDT")
    assert columns(other, "side", "price_usd") == [(-1, 2_500.0)]
    only = run(FORMAT, FIXTURES / f"{NAME}.txt", assets=["BTC"])
    assert {batch.instrument_id for batch in only.batches} == {ID}
    assert only.tally.rejected["outside_selection"] == 1


def test_coin_margined_frames_without_receive_times():
    result = run(FORMAT, FIXTURES / "coinm_btcusd_perp_20240305.txt")
    rows = result.rows(Kind.TRADE, "binance-coinm:BTCUSD_PERP")
    assert columns(rows, "ts_event_ns", "ts_received_ns", "qty_base", "flags") == [
        (DAY + 902 * MS, DAY + 1_003 * MS, 3_400 / 68_000, ASSUMED)
    ]
    dated = "binance-coinm:BTCUSD_240329"
    assert columns(result.rows(Kind.MARK, dated), "mark_price_usd") == [(68_100.0,)]
    assert len(result.rows(Kind.FUNDING, dated)) == 0
    assert result.tally.rejected == {"stream_not_imported": 1}


def test_changes_without_any_snapshot_are_counted(tmp_path):
    lines = [line for line in fixture().splitlines() if "lastUpdateId" not in line]
    result = run(FORMAT, write(tmp_path, "\n".join([*lines, ""])))
    assert result.tally.unchecked == {"change_without_snapshot": 4}
    assert len(result.rows(Kind.BOOK_LEVEL, ID)) == 5


def test_frames_that_come_again_are_dropped(tmp_path):
    lines = fixture().splitlines()
    again = [line for line in lines if '"e":"depthUpdate"' in line or '"e":"trade"' in line]
    late = [f"1709596801{500 + k}000000 {line.partition(' ')[2]}" for k, line in enumerate(again)]
    result = run(FORMAT, write(tmp_path, "\n".join([*lines, *late, ""])))
    assert result.tally.rejected["repeated_change"] == 4
    assert result.tally.rejected["repeated_trade"] == 4


@pytest.mark.parametrize(
    ("old", "changed", "where"),
    [
        ('"p":"68000.20"', '"p":"-68000.20"', "field p"),
        ('"p":"68000.20"', '"p":"abc"', "field p"),
        ('"p":"68000.20"', '"p":""', "field p"),
        ('"p":"68000.20"', '"p":68000.20', "field data"),
        ('"q":"0.010"', '"q":"1e99"', "field q"),
        ('"t":5001', '"t":-5001', "field t"),
        ('"t":5001', '"t":null', "field t"),
        ('"m":false', '"m":null', "field m"),
        ('"T":1709596800602', '"T":1709596800', "field T"),
        ('"E":1709596800603', '"E":1709596800603000', "E must be"),
        ('"E":1709596800603', '"E":4070908799000', "E must not be"),
        ('"S":"SELL"', '"S":"LONG"', "field S"),
        ('["68000.00","1.500"]', '["68000.00"]', "field b"),
        ('["68000.00","1.500"]', '["68000.00","x"]', "field b"),
        ('["68000.00","1.500"]', '["0","1.500"]', "field b"),
        ('"r":"0.00010000"', '"r":"0.9"', "field r"),
        ("1709596800590000000 {", "170959680059 {", "receive time in nanoseconds"),
        ("1709596800590000000 {", "1709596700590000000 {", "E must not be"),
        ("1709596801490000000 {", "4200000000000000000 {", "receive time"),
        ('"X":"MARKET","m":false}}', '"X":"MARKET","m":false', "not a JSON object"),
    ],
)
def test_an_impossible_value_names_its_line(old, changed, where, tmp_path):
    text = fixture()
    assert old in text
    line = text[: text.index(old)].count("\n") + 1
    failure = rejected(write(tmp_path, text.replace(old, changed, 1)))
    assert f"line {line}" in failure.where
    assert where in f"{failure.user_message} {failure.where}"
    assert failure.hint


def test_time_far_backwards_is_refused(tmp_path):
    lines = fixture().splitlines()
    later = lines[6].replace("17095968", "17095969", 1).replace('"E":17095968', '"E":17095969')
    assert "backwards" in rejected(write(tmp_path, "\n".join([later, lines[9], ""]))).user_message


def test_bytes_that_are_no_text_name_their_line(tmp_path):
    path = tmp_path / f"{NAME}.txt"
    lines = (FIXTURES / f"{NAME}.txt").read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], lines[1][:-3] + b"\xff}}", *lines[2:]]))
    assert "line 2" in rejected(path).where


@pytest.mark.parametrize("cut", [0.2, 0.7, 0.99])
def test_a_cut_or_flipped_file_is_refused(cut, tmp_path):
    path = write(tmp_path, fixture())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * cut)])
    assert "cut short" in rejected(path).user_message
    flipped = bytearray(whole)
    flipped[int(len(whole) * cut)] ^= 0x08
    path.write_bytes(bytes(flipped))
    assert str(path) in rejected(path).where


def test_a_recording_goes_onto_a_tape_in_an_order_that_builds_the_book(tmp_path):
    report = import_files(FORMAT, [write(tmp_path, fixture())], tmp_path / "tape")
    assert report.rows_kept == 10
    rows = Tape(tmp_path / "tape").read(Kind.BOOK_LEVEL, ID)
    bids, asks = build_book(rows)
    assert bids == {68_000.0: 1.5}
    assert asks == {68_000.2: 2.5}


def build_book(rows) -> tuple[dict[float, float], dict[float, float]]:
    """Bids and asks after all rows, the slow way; a snapshot replaces what was there."""
    sides: dict[int, dict[float, float]] = {1: {}, -1: {}}
    snapshot_seq = -1
    for row in rows:
        if row["flags"] & Flag.SNAPSHOT and row["seq"] != snapshot_seq:
            sides = {1: {}, -1: {}}
            snapshot_seq = row["seq"]
        level = sides[int(row["side"])]
        if row["qty_base"] == 0:
            level.pop(float(row["price_usd"]), None)
        else:
            level[float(row["price_usd"])] = float(row["qty_base"])
    return sides[1], sides[-1]


# ---------------------------------------------------------------- recorded frames


@pytest.mark.parametrize(
    ("symbol", "frames", "changes", "trades", "best"),
    [("btcusdt", 93_954, 6_551, 21_313, 66_089), ("ethusdt", 74_655, 6_586, 14_076, 53_992)],
)
def test_the_recorded_frames(symbol, frames, changes, trades, best, recorded):
    result = run(FORMAT, recorded / "binance_raw_frames" / f"usdm_{symbol}_20240808.gz")
    assert result.tally.rows_read == frames == changes + trades + best + 1
    dropped = result.tally.rejected.pop("older_than_snapshot")
    assert dropped < 10
    assert result.tally.rejected == {"best_price_without_depth": best}
    assert not result.tally.gaps  # the chain of changes and the ids of trades are unbroken
    rows = result.rows(Kind.TRADE, f"binance:{symbol.upper()}")
    assert len(rows) == trades
    assert (np.diff(rows["seq"]) == 1).all()
    assert (rows["ts_received_ns"] >= rows["ts_event_ns"]).all()
    assert np.median(rows["ts_received_ns"] - rows["ts_event_ns"]) < 50 * MS


def test_the_recorded_book_ends_where_the_best_prices_say(recorded):
    """The book rebuilt from the tape's order agrees with the best prices that the venue sent last."""
    path = recorded / "binance_raw_frames" / "usdm_btcusdt_20240808.gz"
    batches = run(FORMAT, path).batches
    rows = np.concatenate([batch.rows for batch in batches if batch.kind is Kind.BOOK_LEVEL])
    rows = rows[np.lexsort((rows["seq"], rows["ts_received_ns"]))]
    bids, asks = build_book(rows)
    best_bid, best_ask = max(bids), min(asks)
    assert best_bid < best_ask
    last: dict[str, float] = {}
    with gzip.open(path, "rt") as lines:
        for line in lines:
            if '"e":"bookTicker"' in line:
                frame = json.loads(line.partition(" ")[2])["data"]
                if frame["u"] <= rows["seq"][-1]:
                    last = frame
    assert math.isclose(best_bid, float(last["b"]), rel_tol=1e-4)
    assert math.isclose(best_ask, float(last["a"]), rel_tol=1e-4)
