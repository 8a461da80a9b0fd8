"""Dumps of Binance's public archive, with values made up here: exact rows, and every trap of the format."""

from __future__ import annotations

import hashlib
import math
import time
import zipfile
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
from faultline.units import PriceKind, parse_time_ns

FORMAT = "binance-vision"
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "archives" / FORMAT
T = parse_time_ns
DAY = T("2024-03-05")
MS = 1_000_000
ASSUMED = int(Flag.RECEIVED_ASSUMED)


def zipped(folder: Path, name: str, text: str, *, member: str | None = None, checksum: bool = False) -> Path:
    """A dump as it is published: one file in a zip archive, its checksum beside it."""
    path = folder / f"{name}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member or f"{name}.csv", text)
    if checksum:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        path.with_name(path.name + ".CHECKSUM").write_text(f"{digest}  {path.name}\n")
    return path


def fixture(name: str) -> str:
    return (FIXTURES / f"{name}.csv").read_text()


def columns(rows, *names: str) -> list[tuple]:
    return [tuple(row) for row in rows[list(names)].tolist()]


def rejected(path: Path, *more: Path, **selected) -> ImportRejected:
    with pytest.raises(ImportRejected) as caught:
        run(FORMAT, path, *more, **selected)
    return caught.value


TRADES = [
    (700, DAY + 15 * MS, 68000.1, 0.25, -1, 0, ASSUMED),
    (701, DAY + 15 * MS, 68000.2, 0.004, 1, 0, ASSUMED),
    (702, DAY + 410 * MS, 68001.0, 1.5, 1, 0, ASSUMED),
    (705, DAY + 61_000 * MS, 67999.9, 0.031, -1, 0, ASSUMED),
]
TRADE_FIELDS = ("seq", "ts_event_ns", "price_usd", "qty_base", "taker_side", "cause", "flags")


@pytest.mark.parametrize("form", ["csv", "zip", "zip without names"])
def test_aggregated_trades(form, tmp_path):
    name = "BTCUSDT-aggTrades-2024-03-05"
    text = fixture(name)
    if form == "csv":
        path = FIXTURES / f"{name}.csv"
    else:
        path = zipped(tmp_path, name, text if form == "zip" else text.partition("\n")[2], checksum=True)
    result = run(FORMAT, path)
    rows = result.rows(Kind.TRADE, "binance:BTCUSDT")
    assert columns(rows, *TRADE_FIELDS) == TRADES
    assert (rows["ts_received_ns"] == rows["ts_event_ns"]).all()
    assert result.tally.rows_read == 4
    assert not result.tally.rejected
    assert result.gaps("sequence") == [("binance:BTCUSDT", "trade", DAY + 410 * MS, DAY + 61_000 * MS)]
    assert result.rows(Kind.INSTRUMENT, "binance:BTCUSDT")["maintenance_ratio"][0] == 0.004


def test_coin_margined_trades_count_contracts_of_a_hundred_dollars():
    rows = run(FORMAT, FIXTURES / "BTCUSD_PERP-aggTrades-2024-03-05.csv").rows(
        Kind.TRADE, "binance-coinm:BTCUSD_PERP"
    )
    assert columns(rows, "price_usd", "qty_base", "taker_side") == [
        (68_000.0, 34 * 100 / 68_000, 1),
        (68_010.0, 5 * 100 / 68_010, -1),
    ]


def test_bars_know_what_takers_bought_and_holes_stay_holes():
    result = run(FORMAT, FIXTURES / "BTCUSDT-1m-2024-03-05.csv")
    rows = result.rows(Kind.BAR, "binance:BTCUSDT")
    names = ("open_usd", "high_usd", "low_usd", "close_usd", "buy_qty_base", "sell_qty_base")
    assert columns(rows, *names) == [
        (68_000.0, 68_040.0, 67_990.0, 68_020.0, 25.0, 15.0),
        (68_020.0, 68_020.0, 67_950.0, 67_960.0, 10.5, 20.0),
        (67_970.0, 67_980.0, 67_970.0, 67_980.0, 0.0, 0.0),
    ]
    assert rows["ts_event_ns"].tolist() == [DAY, DAY + 60_000 * MS, DAY + 180_000 * MS]
    assert (rows["ts_received_ns"] - rows["ts_event_ns"] == 60_000 * MS).all()
    assert not rows["flags"].any()
    assert result.gaps("no_bars") == [("binance:BTCUSDT", "bar", DAY + 120_000 * MS, DAY + 180_000 * MS)]


def test_coin_margined_bars_take_the_coins_not_the_contracts():
    rows = run(FORMAT, FIXTURES / "ETHUSD_PERP-1m-2024-03-05.csv").rows(Kind.BAR, "binance-coinm:ETHUSD_PERP")
    assert columns(rows, "buy_qty_base", "sell_qty_base") == [(10.0, 10.0)]


def test_a_spot_dump_in_microseconds_is_not_taken_for_the_contract():
    result = run(FORMAT, FIXTURES / "ETHUSDT-1m-2025-02-01.csv")
    rows = result.rows(Kind.BAR, "binance-spot:ETHUSDT")
    assert rows["ts_event_ns"].tolist() == [T("2025-02-01"), T("2025-02-01T00:01")]
    assert columns(rows, "buy_qty_base", "sell_qty_base") == [(5.5, 7.0), (2.0, 0.0)]
    assert not result.tally.unchecked
    assert not [batch for batch in result.batches if batch.kind is Kind.INSTRUMENT]


def test_spot_trades_without_names_have_one_column_more(tmp_path):
    path = zipped(tmp_path, "BTCUSDT-aggTrades-2024-03-05", "8,100.5,2.0,1,1,1709596800001,True,True\n")
    rows = run(FORMAT, path).rows(Kind.TRADE, "binance-spot:BTCUSDT")
    assert columns(rows, "seq", "price_usd", "taker_side") == [(8, 100.5, -1)]


def test_bars_without_names_or_folders_are_taken_for_the_contracts_and_counted(tmp_path):
    text = fixture("BTCUSDT-1m-2024-03-05").partition("\n")[2]
    loose = run(FORMAT, zipped(tmp_path, "BTCUSDT-1m-2024-03-05", text))
    assert len(loose.rows(Kind.BAR, "binance:BTCUSDT")) == 3
    assert loose.tally.unchecked == {"market_assumed": 3}
    for folders, iid in (("spot/daily", "binance-spot:BTCUSDT"), ("futures/um/daily", "binance:BTCUSDT")):
        folder = tmp_path / "data" / folders / "klines"
        folder.mkdir(parents=True)
        sorted_by_folder = run(FORMAT, zipped(folder, "BTCUSDT-1m-2024-03-05", text))
        assert len(sorted_by_folder.rows(Kind.BAR, iid)) == 3
        assert not sorted_by_folder.tally.unchecked


def test_metrics_become_open_interest_and_shares():
    result = run(FORMAT, FIXTURES / "BTCUSDT-metrics-2024-03-05.csv")
    oi = result.rows(Kind.OPEN_INTEREST, "binance:BTCUSDT")
    minute = 60_000 * MS
    assert columns(oi, "ts_received_ns", "oi_base", "oi_usd", "flags") == [
        (DAY + 5 * minute, 81_000.5, 5_508_034_000.0, ASSUMED),
        (DAY + 10 * minute, 81_010.0, 5_508_680_000.0, ASSUMED),
        (DAY + 30 * minute, 80_990.0, 5_507_320_000.0, ASSUMED),
    ]
    ratios = result.rows(Kind.RATIO, "binance:BTCUSDT")
    assert columns(ratios, "ts_event_ns", "ratio_kind", "long_share_ratio") == [
        (DAY + 5 * minute, b"accounts", 0.75),
        (DAY + 5 * minute, b"top_accounts", 0.6),
        (DAY + 5 * minute, b"top_positions", 0.5),
        (DAY + 5 * minute, b"taker_volume", 0.2),
        (DAY + 10 * minute, b"top_positions", 0.5),
        (DAY + 10 * minute, b"taker_volume", 0.6 / 1.6),
        *((DAY + 15 * minute, kind, 0.5) for kind in (b"accounts", b"top_accounts", b"top_positions")),
        (DAY + 15 * minute, b"taker_volume", 0.5),
    ]
    assert result.tally.repaired == {"zero_means_missing": 1}
    assert result.gaps("missing_rows") == [
        ("binance:BTCUSDT", kind, DAY + 15 * minute, DAY + 30 * minute) for kind in ("open_interest", "ratio")
    ]


def test_coin_margined_open_interest_is_contracts_and_coins():
    rows = run(FORMAT, FIXTURES / "BTCUSD_PERP-metrics-2024-03-05.csv").rows(
        Kind.OPEN_INTEREST, "binance-coinm:BTCUSD_PERP"
    )
    assert columns(rows, "oi_base", "oi_usd") == [(1_000.0, 68_000_000.0)]


def test_settled_funding():
    rows = run(FORMAT, FIXTURES / "BTCUSDT-fundingRate-2024-03.csv").rows(Kind.FUNDING, "binance:BTCUSDT")
    hours = 3_600_000 * MS
    assert columns(rows, "ts_event_ns", "rate_ratio", "interval_ns", "next_ns") == [
        (DAY + 4 * MS, 0.00031, 8 * hours, DAY + 8 * hours),
        (DAY + 8 * hours, -0.000045, 8 * hours, DAY + 16 * hours),
    ]


def test_a_sell_liquidation_closed_a_long_and_stands_twice():
    result = run(FORMAT, FIXTURES / "BTCUSD_PERP-liquidationSnapshot-2024-03-05.csv")
    rows = result.rows(Kind.LIQUIDATION, "binance-coinm:BTCUSD_PERP")
    names = ("ts_event_ns", "side", "price_kind", "price_usd", "qty_base", "notional_usd")
    assert columns(rows, *names) == [
        (T("2024-03-05T01:00:00.123"), 1, int(PriceKind.BANKRUPTCY), 68_000.0, 0.1, 6_800.0),
        (T("2024-03-05T01:00:01.500"), -1, int(PriceKind.BANKRUPTCY), 68_500.0, 1_000 / 68_500, 1_000.0),
    ]
    assert set(rows["flags"]) == {Flag.SAMPLED | Flag.RECEIVED_ASSUMED}
    assert result.tally.rejected == {"duplicate": 2, "not_filled": 1}
    contract = result.rows(Kind.INSTRUMENT, "binance-coinm:BTCUSD_PERP")
    assert columns(contract, "base", "contract_kind", "contract_size") == [(b"BTC", 1, 100.0)]


def test_two_liquidations_of_one_moment_that_differ_are_both_kept(tmp_path):
    head = fixture("BTCUSD_PERP-liquidationSnapshot-2024-03-05").partition("\n")[0]
    lines = [f"1709600400123,SELL,LIMIT,IOC,68,{price},68250.4,FILLED,3,68" for price in (68_000.0, 68_001.0)]
    path = zipped(
        tmp_path, "BTCUSD_PERP-liquidationSnapshot-2024-03-05", "\n".join([head, *lines, *lines, ""])
    )
    result = run(FORMAT, path)
    assert len(result.rows(Kind.LIQUIDATION, "binance-coinm:BTCUSD_PERP")) == 2
    assert result.tally.rejected == {"duplicate": 2}


def test_depth_without_a_price_has_no_message(tmp_path):
    result = run(FORMAT, FIXTURES / "BTCUSDT-bookDepth-2024-03-05.csv")
    assert result.tally.rejected == {"depth_without_price": 3}
    assert not result.batches
    with pytest.raises(ImportRejected, match="no row is left"):
        import_files(FORMAT, [FIXTURES / "BTCUSDT-bookDepth-2024-03-05.csv"], tmp_path / "tape")


def trade_line(trade_id: int, stamp_ms: int, price: float = 68_000.0) -> str:
    return f"{trade_id},{price},0.5,1,1,{stamp_ms},true"


def trades_file(folder: Path, name: str, *lines: str) -> Path:
    head = fixture("BTCUSDT-aggTrades-2024-03-05").partition("\n")[0]
    return zipped(folder, name, "\n".join([head, *lines, ""]))


def test_ids_go_on_from_file_to_file_and_a_repeated_trade_is_dropped(tmp_path):
    start = 1709596800000
    first = trades_file(
        tmp_path,
        "BTCUSDT-aggTrades-2024-03-05",
        trade_line(1, start),
        trade_line(2, start + 5),
        trade_line(2, start + 5),
    )
    second = trades_file(
        tmp_path,
        "BTCUSDT-aggTrades-2024-03-06",
        trade_line(2, start + 86_400_000),
        trade_line(9, start + 86_400_007),
    )
    result = run(FORMAT, first, second)
    assert result.rows(Kind.TRADE, "binance:BTCUSDT")["seq"].tolist() == [1, 2, 9]
    assert result.tally.rejected == {"repeated_trade": 2}
    day = 86_400_000 * MS
    assert result.gaps("sequence") == [("binance:BTCUSDT", "trade", DAY + 5 * MS, DAY + day + 7 * MS)]


def test_a_trade_is_not_known_before_the_trade_before_it(tmp_path):
    start = 1709596800000
    path = trades_file(
        tmp_path,
        "BTCUSDT-aggTrades-2024-03-05",
        trade_line(1, start + 9),
        trade_line(2, start + 4),
        trade_line(3, start + 12),
    )
    result = run(FORMAT, path)
    rows = result.rows(Kind.TRADE, "binance:BTCUSDT")
    assert ((rows["ts_received_ns"] - DAY) // MS).tolist() == [9, 9, 12]
    assert ((rows["ts_event_ns"] - DAY) // MS).tolist() == [9, 4, 12]
    assert result.tally.repaired == {"time_before_the_trade_before": 1}


def test_rows_of_other_days_are_dropped_and_do_not_poison_what_follows(tmp_path):
    start = 1709596800000
    path = trades_file(
        tmp_path,
        "BTCUSDT-aggTrades-2024-03-05",
        trade_line(1, start),
        trade_line(2, 4_000_000_000_000),
        trade_line(3, start + 3),
    )
    result = run(FORMAT, path)
    assert result.rows(Kind.TRADE, "binance:BTCUSDT")["seq"].tolist() == [1, 3]
    assert result.tally.rejected == {"outside_the_files_days": 1}


def test_symbols_are_matched_exactly(tmp_path):
    start = 1709596800000
    for symbol in ("BTCUSDT", "BTCDOMUSDT", "PUMPBTCUSDT"):
        trades_file(tmp_path, f"{symbol}-aggTrades-2024-03-05", trade_line(1, start))
    trades_file(tmp_path, "ETHBTC-aggTrades-2024-03-05", trade_line(1, start, 0.05))
    result = run(FORMAT, tmp_path, assets=["BTC"])
    assert [b.instrument_id for b in result.batches if b.kind is Kind.TRADE] == ["binance:BTCUSDT"]
    assert result.tally.rejected == {"outside_selection": 2, "not_quoted_in_usd": 1}
    everything = run(FORMAT, tmp_path)
    bases = {row["base"] for b in everything.batches if b.kind is Kind.INSTRUMENT for row in b.rows}
    assert bases == {b"BTC", b"BTCDOM", b"PUMPBTC"}


def test_metrics_of_another_symbol_are_foreign(tmp_path):
    text = fixture("BTCUSDT-metrics-2024-03-05").replace("00:05:00,BTCUSDT", "00:05:00,BTCDOMUSDT")
    result = run(FORMAT, zipped(tmp_path, "BTCUSDT-metrics-2024-03-05", text))
    assert result.tally.rejected == {"foreign_instrument": 1}
    assert len(result.rows(Kind.OPEN_INTEREST, "binance:BTCUSDT")) == 2


def test_bars_of_an_index_are_no_trades(tmp_path):
    text = fixture("BTCUSDT-1m-2024-03-05").replace(",0.0,0,0.0,0.0,0", ",0.0,60,0.0,0.0,0")
    result = run(FORMAT, zipped(tmp_path, "BTCUSDT-1m-2024-03-05", text))
    assert result.tally.rejected == {"not_a_traded_price": 1}


@pytest.mark.parametrize(
    ("old", "changed", "reason"),
    [
        ("68040.0", "68010.0", "inconsistent_bar"),
        ("67950.0", "67990.0", "inconsistent_bar"),
        (",25.0,", ",45.0,", "inconsistent_bar"),
        ("1709596860000,", "1709596800000,", "repeated_bar"),
    ],
)
def test_bars_that_cannot_be(old, changed, reason, tmp_path):
    text = fixture("BTCUSDT-1m-2024-03-05").replace(old, changed)
    text = text.replace("1709596919999", "1709596859999") if reason == "repeated_bar" else text
    result = run(FORMAT, zipped(tmp_path, "BTCUSDT-1m-2024-03-05", text))
    assert result.tally.rejected == {reason: 1}


@pytest.mark.parametrize(
    ("name", "old", "changed", "field"),
    [
        ("BTCUSDT-aggTrades-2024-03-05", "68000.1", "0", "price"),
        ("BTCUSDT-aggTrades-2024-03-05", "68000.1", "-68000.1", "price"),
        ("BTCUSDT-aggTrades-2024-03-05", "1.500", "nan", "quantity"),
        ("BTCUSDT-aggTrades-2024-03-05", "702,", "-702,", "agg_trade_id"),
        ("BTCUSDT-aggTrades-2024-03-05", "702,", "70200000000,", "agg_trade_id"),
        ("BTCUSDT-aggTrades-2024-03-05", "1709596800410", "1709596800410000", "transact_time"),
        ("BTCUSDT-aggTrades-2024-03-05", "1.500", "1.5e40", "quantity"),
        ("BTCUSDT-1m-2024-03-05", "1709596800000", "1709596801000", "open_time"),
        ("BTCUSDT-1m-2024-03-05", "1709596859999", "1709600399999", "close_time"),
        ("BTCUSDT-1m-2024-03-05", "25.0", "-25.0", "taker_buy_volume"),
        ("BTCUSDT-metrics-2024-03-05", "2024-03-05 00:05:00", "05/03/2024", "create_time"),
        ("BTCUSDT-metrics-2024-03-05", "81000.5", "-1", "sum_open_interest"),
        ("BTCUSDT-fundingRate-2024-03", ",8,0.00031", ",0,0.00031", "funding_interval_hours"),
        ("BTCUSDT-fundingRate-2024-03", "0.00031", "31.0", "last_funding_rate"),
        ("BTCUSD_PERP-liquidationSnapshot-2024-03-05", "68000.0", "0", "price"),
        ("BTCUSD_PERP-liquidationSnapshot-2024-03-05", "BUY", "BOTH", "side"),
        ("BTCUSDT-bookDepth-2024-03-05", "2400.5", "-2400.5", "depth"),
    ],
)
def test_an_impossible_value_names_its_line_and_field(name, old, changed, field, tmp_path):
    text = fixture(name)
    assert old in text
    line = text[: text.index(old)].count("\n") + 1
    failure = rejected(zipped(tmp_path, name, text.replace(old, changed, 1)))
    assert f"line {line}" in failure.where
    assert field in failure.where
    assert failure.hint


def test_time_far_backwards_is_refused(tmp_path):
    start = 1709596800000
    path = trades_file(
        tmp_path, "BTCUSDT-aggTrades-2024-03-05", trade_line(1, start + 100_000), trade_line(2, start)
    )
    assert "backwards" in rejected(path).user_message


def test_a_wrong_header_names_the_missing_column(tmp_path):
    text = fixture("BTCUSDT-aggTrades-2024-03-05").replace("transact_time", "transact_tima")
    assert "transact_time" in rejected(zipped(tmp_path, "BTCUSDT-aggTrades-2024-03-05", text)).user_message
    short = "700,68000.1,0.250,9001,9003,1709596800015\n"
    assert "6 columns" in rejected(zipped(tmp_path, "BTCUSDT-aggTrades-2024-03-05", short)).user_message


def test_a_month_and_one_of_its_days_are_not_both_read(tmp_path):
    start = 1709596800000
    day = trades_file(tmp_path, "BTCUSDT-aggTrades-2024-03-05", trade_line(1, start))
    month = trades_file(tmp_path, "BTCUSDT-aggTrades-2024-03", trade_line(1, start))
    assert "same days" in rejected(day, month).user_message


def test_bars_of_two_lengths_would_count_twice(tmp_path):
    text = fixture("BTCUSDT-1m-2024-03-05")
    one = zipped(tmp_path, "BTCUSDT-1m-2024-03-05", text)
    other = zipped(tmp_path, "BTCUSDT-5m-2024-03-05", text)
    assert "twice" in rejected(one, other).user_message


def test_trades_beside_their_bars_would_count_twice():
    name = "2024-03-05.csv"
    failure = rejected(FIXTURES / f"BTCUSDT-1m-{name}", FIXTURES / f"BTCUSDT-aggTrades-{name}")
    assert "twice" in failure.user_message


def test_an_impossible_day_in_a_name_is_refused(tmp_path):
    path = trades_file(tmp_path, "BTCUSDT-aggTrades-2024-02-30", trade_line(1, 1709596800000))
    assert "2024-02-30" in rejected(path).user_message


def test_a_checksum_that_does_not_fit_is_refused(tmp_path):
    name = "BTCUSDT-aggTrades-2024-03-05"
    path = zipped(tmp_path, name, fixture(name), checksum=True)
    assert run(FORMAT, tmp_path).tally.rows_read == 4
    beside = path.with_name(path.name + ".CHECKSUM")
    beside.write_text(f"{'0' * 64}  {path.name}\n")
    assert "differs from its checksum" in rejected(path).user_message
    beside.write_text(f"{'0' * 64}  other.zip\n")
    assert str(beside) in rejected(path).where


def test_archives_that_are_not_one_plain_file_are_refused(tmp_path):
    name = "BTCUSDT-aggTrades-2024-03-05"
    text = fixture(name)
    path = zipped(tmp_path, name, text, member="../../etc/cron.d/job.csv")
    assert "plain file name" in rejected(path).user_message
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", text)
        archive.writestr("b.csv", text)
    assert "2 files" in rejected(path).user_message
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(2_000):
            archive.writestr(f"{number:06d}.csv", "")
    assert "too many files" in rejected(path).user_message
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr(f"{name}.csv", text)
    assert "compression" in rejected(path).user_message


def test_a_zip_bomb_is_refused_before_it_is_expanded(tmp_path):
    name = "BTCUSDT-aggTrades-2024-03-05"
    bomb = zipped(tmp_path, name, fixture(name) + "\n" * 20_000_000)
    start_s = time.process_time()
    assert "expands more than" in rejected(bomb).user_message
    assert time.process_time() - start_s < 2


@pytest.mark.parametrize("cut", [10, 40, 0.5, 0.9, 0.99])
def test_a_cut_archive_is_refused(cut, tmp_path):
    path = zipped(tmp_path, "BTCUSDT-aggTrades-2024-03-05", fixture("BTCUSDT-aggTrades-2024-03-05"))
    whole = path.read_bytes()
    path.write_bytes(whole[: cut if cut > 1 else math.floor(len(whole) * cut)])
    assert str(path) in rejected(path).where


def test_a_flipped_bit_in_an_archive_is_refused_or_does_not_matter(tmp_path):
    path = zipped(tmp_path, "BTCUSDT-aggTrades-2024-03-05", fixture("BTCUSDT-aggTrades-2024-03-05"))
    whole = path.read_bytes()
    for at in range(0, len(whole), 5):
        spoilt = bytearray(whole)
        spoilt[at] ^= 0x10
        path.write_bytes(bytes(spoilt))
        try:
            rows = run(FORMAT, path).rows(Kind.TRADE, "binance:BTCUSDT")
        except ImportRejected as exc:
            failure = exc
        else:
            assert columns(rows, *TRADE_FIELDS) == TRADES
            continue
        assert str(path) in failure.where


def test_many_blocks_are_read_as_one_stream(tmp_path):
    n = 200_000
    start = 1709596800000
    lines = [
        f"{k + 1},{68_000 + k % 97},0.01,{k},{k},{start + k * 400},{'true' if k % 3 else 'false'}"
        for k in range(n)
    ]
    path = trades_file(tmp_path, "BTCUSDT-aggTrades-2024-03-05", *lines)
    result = run(FORMAT, path)
    rows = result.rows(Kind.TRADE, "binance:BTCUSDT")
    assert len(rows) == n
    assert (rows["seq"] == np.arange(1, n + 1)).all()
    assert (rows["price_usd"] == 68_000 + np.arange(n) % 97).all()
    assert not result.gaps("sequence")
    assert len([batch for batch in result.batches if batch.kind is Kind.TRADE]) > 1


def test_from_archive_to_map(tmp_path):
    """Bars, open interest and liquidations of a golden day go onto a tape and through the engine."""
    minute = 60_000
    start = 1709596800000
    bars = [fixture("BTCUSDT-1m-2024-03-05").partition("\n")[0]]
    for k in range(240):
        price = 68_000 + 150 * math.sin(k / 20)
        cells = [
            start + k * minute,
            price,
            price + 20,
            price - 20,
            price + 5,
            30.0,
            start + (k + 1) * minute - 1,
        ]
        bars.append(",".join(map(str, [*cells, 30 * price, 100, 16.0, 16 * price, 0])))
    zipped(tmp_path, "BTCUSDT-1m-2024-03-05", "\n".join([*bars, ""]), checksum=True)
    zipped(tmp_path, "BTCUSDT-metrics-2024-03-05", fixture("BTCUSDT-metrics-2024-03-05"), checksum=True)
    tape, out = tmp_path / "tape", tmp_path / "out"
    arguments = ["tape", "import", FORMAT, str(tmp_path), "--out", str(tape), "--json"]
    imported = CliRunner().invoke(APP, arguments)
    assert imported.exit_code == 0, imported.output
    assert Tape(tape).span_ns(Kind.BAR)[1] == DAY + 240 * minute * MS
    with pytest.raises(ImportRejected, match="on the tape already"):
        import_files(FORMAT, [tmp_path], tape)
    replayed = CliRunner().invoke(APP, ["replay", str(tape), "--out", str(out), "--asset", "BTC", "--json"])
    assert replayed.exit_code == 0, replayed.output
    assert (out / "columns.parquet").stat().st_size > 0
