"""Days of Hyperliquid with values made up here, exact rows and every trap; and the recorded days themselves."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from tests.sources.archives.conftest import run
from typer.testing import CliRunner

from faultline.cli.app import APP
from faultline.errors import ImportRejected
from faultline.messages import Flag, Kind
from faultline.sources.archives import import_files
from faultline.tape import Tape
from faultline.units import HOUR_NS, parse_time_ns

FORMAT = "hyperliquid-l2"
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "archives" / FORMAT
DAY = parse_time_ns("2026-05-04")
MS = 1_000_000
ID = "hyperliquid:BTC"
ASSUMED = int(Flag.RECEIVED_ASSUMED)


def columns(rows, *names: str) -> list[tuple]:
    return [tuple(row) for row in rows[list(names)].tolist()]


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.jsonl.gz"
    path.write_bytes(gzip.compress(text.encode()))
    return path


def fixture(name: str) -> str:
    return (FIXTURES / f"{name}.jsonl").read_text()


def rejected(path: Path) -> ImportRejected:
    with pytest.raises(ImportRejected) as caught:
        run(FORMAT, path)
    return caught.value


def test_every_new_frame_is_a_snapshot_of_the_book():
    result = run(FORMAT, FIXTURES / "l2_BTC_20260504.jsonl")
    rows = result.rows(Kind.BOOK_LEVEL, ID)
    first, second, last = (DAY + ms * MS for ms in (-500, 1_600, 102_000))
    assert columns(rows, "ts_received_ns", "side", "price_usd", "qty_base") == [
        (first, 1, 70_000.0, 0.5),
        (first, 1, 69_999.0, 1.25),
        (first, -1, 70_001.0, 0.75),
        (first, -1, 70_003.0, 2.0),
        (second, 1, 70_002.0, 0.1),
        (second, -1, 70_003.0, 1.5),
        (second, -1, 70_004.0, 0.3),
        (last, 1, 70_010.0, 0.2),
        (last, -1, 70_011.0, 1.0),
    ]
    assert set(rows["flags"]) == {Flag.SNAPSHOT | Flag.RECEIVED_ASSUMED}
    assert result.tally.rows_read == 5
    assert result.tally.rejected == {"repeated_frame": 1, "crossed_or_unsorted_book": 1}


def test_equal_trades_are_all_kept():
    rows = run(FORMAT, FIXTURES / "trades_BTC_20260504.jsonl").rows(Kind.TRADE, ID)
    assert columns(rows, "ts_event_ns", "price_usd", "qty_base", "taker_side", "cause", "flags", "seq") == [
        (DAY + 100 * MS, 70_000.0, 0.01, -1, 0, ASSUMED, -1),
        (DAY + 100 * MS, 70_000.0, 0.01, -1, 0, ASSUMED, -1),
        (DAY + 3_000 * MS, 70_001.0, 0.25, 1, 0, ASSUMED, -1),
    ]


def test_the_state_of_a_contract():
    result = run(FORMAT, FIXTURES / "ctx_BTC_20260504.jsonl")
    times = [DAY + ms * MS for ms in (3_500, 64_000, 300_000)]
    assert columns(result.rows(Kind.MARK, ID), "ts_event_ns", "mark_price_usd", "index_price_usd") == [
        (times[0], 70_002.0, 70_020.0),
        (times[1], 70_004.0, 70_021.0),
        (times[2], 70_000.0, 70_019.0),
    ]
    assert columns(result.rows(Kind.FUNDING, ID), "rate_ratio", "interval_ns", "next_ns") == [
        (rate, HOUR_NS, DAY + HOUR_NS) for rate in (1.25e-5, -2e-6, 0.0)
    ]
    assert columns(result.rows(Kind.OPEN_INTEREST, ID), "ts_event_ns", "oi_base", "oi_usd") == [
        (times[0], 30_000.5, 30_000.5 * 70_002.0),
        (times[2], 30_010.0, 30_010.0 * 70_000.0),
    ]
    assert result.tally.repaired == {"zero_means_missing": 1}
    assert result.gaps("missing_rows") == [
        (ID, kind, times[1], times[2]) for kind in ("funding", "mark", "open_interest")
    ]


def test_a_long_stretch_without_a_new_book_is_a_gap(tmp_path):
    lines = fixture("l2_BTC_20260504").splitlines()
    path = write(tmp_path, "l2_BTC_20260504", "\n".join([lines[0], lines[2], lines[4], ""]))
    assert run(FORMAT, path).gaps("missing_rows") == [
        (ID, "book_level", DAY + 1_600 * MS, DAY + 102_000 * MS)
    ]


def test_contracts_are_told_once_and_coins_are_matched_exactly(tmp_path):
    for coin in ("BTC", "kBONK", "BTCDOM"):
        write(tmp_path, f"trades_{coin}_20260504", fixture("trades_BTC_20260504"))
    write(tmp_path, "ctx_BTC_20260504", fixture("ctx_BTC_20260504"))
    result = run(FORMAT, tmp_path, assets=["BTC"])
    assert {batch.instrument_id for batch in result.batches} == {ID}
    assert result.tally.rejected == {"outside_selection": 6}
    contract = result.rows(Kind.INSTRUMENT, ID)
    assert columns(contract, "base", "contract_size", "maintenance_ratio", "max_leverage") == [
        (b"BTC", 1.0, 0.0125, 40.0)
    ]


def test_a_selection_of_time_counts_what_it_leaves_out():
    path = FIXTURES / "trades_BTC_20260504.jsonl"
    result = run(FORMAT, path, from_ns=DAY + 1_000 * MS)
    assert len(result.rows(Kind.TRADE, ID)) == 1
    assert result.tally.rejected == {"outside_selection": 2}


@pytest.mark.parametrize(
    ("name", "old", "changed", "field"),
    [
        ("trades_BTC_20260504", '"sz":0.25', '"sz":-0.25', "sz"),
        ("trades_BTC_20260504", '"sz":0.25', '"sz":0', "sz"),
        ("trades_BTC_20260504", '"sz":0.25', '"sz":1e40', "sz"),
        ("trades_BTC_20260504", '"sz":0.25', '"sz":"0.25"', "sz"),
        ("trades_BTC_20260504", '"sz":0.25', '"sz":null', "sz"),
        ("trades_BTC_20260504", '"side":"B"', '"side":"buy"', "side"),
        ("trades_BTC_20260504", '"ts":1777852803000', '"ts":1777852803', "ts"),
        ("trades_BTC_20260504", '"ts":1777852803000', '"ts":1777852800000', "ts"),
        ("trades_BTC_20260504", '"ts":1777852803000', '"ts":99999999999999999999', "ts"),
        ("trades_BTC_20260504", '"ts":1777852803000,', "", "ts"),
        ("ctx_BTC_20260504", '"mark":70004.0', '"mark":0', "mark"),
        ("ctx_BTC_20260504", '"oi":0', '"oi":-1', "oi"),
        ("ctx_BTC_20260504", "-2.0e-06", "0.5", "funding"),
        ("l2_BTC_20260504", "[69999.0,1.25]", "[69999.0]", "bids"),
        ("l2_BTC_20260504", "[69999.0,1.25]", '[69999.0,"1"]', "bids"),
        ("l2_BTC_20260504", "[69999.0,1.25]", "[69999.0,-1]", "bids"),
        ("l2_BTC_20260504", "[69999.0,1.25]", "[0,1.25]", "bids"),
        ("l2_BTC_20260504", "[69999.0,1.25]", "[69999.0,null]", "bids"),
        ("l2_BTC_20260504", "[69999.0,1.25]", "null", "bids"),
        ("l2_BTC_20260504", "[[70003.0,1.5],[70004.0,0.3]]", "null", "asks"),
        ("l2_BTC_20260504", "[[70003.0,1.5],[70004.0,0.3]]", "{}", "asks"),
    ],
)
def test_an_impossible_value_names_its_line_and_field(name, old, changed, field, tmp_path):
    text = fixture(name)
    assert old in text
    line = text[: text.index(old)].count("\n") + 1
    failure = rejected(write(tmp_path, name, text.replace(old, changed, 1)))
    assert f"line {line}, field {field}" in failure.where
    assert failure.hint


@pytest.mark.parametrize(
    "spoilt", ["", "[1, 2]", "{", '{"ts":1}{"ts":2}', "nan", "[" * 5_000, '{"ts":' + "[" * 5_000]
)
def test_a_line_that_is_no_object_is_named(spoilt, tmp_path):
    lines = fixture("trades_BTC_20260504").splitlines()
    path = write(tmp_path, "trades_BTC_20260504", "\n".join([lines[0], spoilt, lines[2], ""]))
    assert "line 2" in rejected(path).where


def test_unknown_members_are_not_looked_at(tmp_path):
    deep = '{"x":' * 200 + "1" + "}" * 200
    text = fixture("trades_BTC_20260504").replace('"sz":0.25', f'"users":["a","b"],"more":{deep},"sz":0.25')
    rows = run(FORMAT, write(tmp_path, "trades_BTC_20260504", text)).rows(Kind.TRADE, ID)
    assert rows["qty_base"].tolist() == [0.01, 0.01, 0.25]


def test_rows_of_other_days_are_dropped(tmp_path):
    text = fixture("trades_BTC_20260504").replace("1777852803000", "4070908800000")
    result = run(FORMAT, write(tmp_path, "trades_BTC_20260504", text))
    assert result.tally.rejected == {"outside_the_files_days": 1}
    assert "impossible date" in rejected(write(tmp_path, "trades_BTC_20261304", text)).user_message


@pytest.mark.parametrize("cut", [0.3, 0.8, 0.98])
def test_a_cut_or_flipped_file_is_refused(cut, tmp_path):
    path = write(tmp_path, "l2_BTC_20260504", fixture("l2_BTC_20260504"))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * cut)])
    assert "cut short" in rejected(path).user_message
    flipped = bytearray(whole)
    flipped[int(len(whole) * cut)] ^= 0x08
    path.write_bytes(bytes(flipped))
    assert str(path) in rejected(path).where


def test_from_archive_to_map(tmp_path):
    lines = [
        f'{{"ts":{1777852800000 + k * 5_000},"px":{70_000 + 40 * np.sin(k / 30):.1f},"sz":0.5,"side":"{"AB"[k % 2]}"}}'
        for k in range(720)
    ]
    write(tmp_path, "trades_BTC_20260504", "\n".join([*lines, ""]))
    write(tmp_path, "ctx_BTC_20260504", fixture("ctx_BTC_20260504"))
    write(tmp_path, "l2_BTC_20260504", fixture("l2_BTC_20260504"))
    tape, out = tmp_path / "tape", tmp_path / "out"
    imported = CliRunner().invoke(
        APP, ["tape", "import", FORMAT, str(tmp_path), "--out", str(tape), "--json"]
    )
    assert imported.exit_code == 0, imported.output
    assert len(Tape(tape).read(Kind.BOOK_LEVEL, ID)) == 9
    replayed = CliRunner().invoke(APP, ["replay", str(tape), "--out", str(out), "--asset", "BTC", "--json"])
    assert replayed.exit_code == 0, replayed.output
    assert (out / "columns.parquet").stat().st_size > 0


# ---------------------------------------------------------------- recorded days


def test_the_recorded_books(recorded):
    """63 % of the frames of BTC repeat the one before, 1.3 % of those of WIF."""
    folder = recorded / "hyperliquid_l2_trades"
    for coin, day, frames, repeated, holes in (
        ("BTC", "20260621", 43_187, 27_229, 0),
        ("WIF", "20260613", 43_196, 545, 1),
    ):
        result = run(FORMAT, folder / f"l2_{coin}_{day}.jsonl.gz")
        assert result.tally.rows_read == frames
        assert result.tally.rejected == {"repeated_frame": repeated}
        rows = result.rows(Kind.BOOK_LEVEL, f"hyperliquid:{coin}")
        assert len(rows) == 40 * (frames - repeated)
        assert np.count_nonzero(rows["side"] == 1) == len(rows) // 2
        assert len(result.gaps("missing_rows")) == holes


def test_the_recorded_trades_and_states_agree(recorded):
    folder = recorded / "hyperliquid_l2_trades"
    for coin, n_trades in (("ETH", 101_623), ("BTC", 235_964)):
        iid = f"hyperliquid:{coin}"
        trades = run(FORMAT, folder / f"trades_{coin}_20260621.jsonl.gz").rows(Kind.TRADE, iid)
        states = run(FORMAT, folder / f"ctx_{coin}_20260621.jsonl.gz")
        assert len(trades) == n_trades
        marks = states.rows(Kind.MARK, iid)
        assert len(marks) == 1_429
        at = np.searchsorted(trades["ts_event_ns"], marks["ts_event_ns"], side="right") - 1
        distance = np.abs(np.log(trades["price_usd"][np.maximum(at, 0)] / marks["mark_price_usd"]))
        assert np.median(distance) < 2e-4
        assert np.abs(states.rows(Kind.FUNDING, iid)["rate_ratio"]).max() < 1e-3


def test_takers_buy_at_the_ask_and_sell_at_the_bid(recorded):
    folder = recorded / "hyperliquid_l2_trades"
    iid = "hyperliquid:BTC"
    book = run(FORMAT, folder / "l2_BTC_20260621.jsonl.gz").rows(Kind.BOOK_LEVEL, iid)
    trades = run(FORMAT, folder / "trades_BTC_20260621.jsonl.gz").rows(Kind.TRADE, iid)
    best = {}
    for side in (1, -1):
        rows = book[book["side"] == side]
        first = np.flatnonzero(np.diff(rows["ts_received_ns"], prepend=0) > 0)
        best[side] = rows[first]
    at = np.searchsorted(best[1]["ts_received_ns"], trades["ts_event_ns"], side="right") - 1
    fresh = (at >= 0) & (trades["ts_event_ns"] - best[1]["ts_received_ns"][at] < 1_000 * MS)
    middle = (best[1]["price_usd"] + best[-1]["price_usd"])[at] / 2
    signs = np.sign(trades["price_usd"] - middle)[fresh] * trades["taker_side"][fresh]
    assert np.mean(signs > 0) > 0.8


def test_a_recorded_day_goes_onto_a_tape(recorded, tmp_path):
    folder = recorded / "hyperliquid_l2_trades"
    paths = [folder / f"{stream}_WIF_20260613.jsonl.gz" for stream in ("l2", "trades", "ctx")]
    report = import_files(FORMAT, paths, tmp_path / "tape")
    assert report.rows_read == 43_196 + 3_494 + 1_426
    assert report.kinds["book_level"].rows == 40 * (43_196 - 545)
    tape = Tape(tmp_path / "tape")
    assert tape.sha256() == report.sha256
    assert [item.asset for item in tape.instruments()] == ["WIF"]
