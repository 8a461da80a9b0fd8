"""Datasets of tardis.dev with values made up here: exact rows, units and sides of every exchange, and every trap."""

from __future__ import annotations

import gzip
import math
import time
from pathlib import Path

import numpy as np
import pytest
from tests.sources.archives.conftest import run
from typer.testing import CliRunner

from faultline.cli.app import APP
from faultline.errors import ImportRejected
from faultline.messages import Flag, Kind
from faultline.sources.archives.venue_contracts import contract_of
from faultline.tape import Tape
from faultline.units import PriceKind, parse_time_ns

FORMAT = "tardis"
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "archives" / FORMAT
DAY = parse_time_ns("2024-03-05")
MS = 1_000_000
US = 1_000


def columns(rows, *names: str) -> list[tuple]:
    return [tuple(row) for row in rows[list(names)].tolist()]


def fixture(name: str) -> str:
    return (FIXTURES / f"{name}.csv").read_text()


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    return path


def rejected(path: Path) -> ImportRejected:
    with pytest.raises(ImportRejected) as caught:
        run(FORMAT, path)
    return caught.value


def test_trades_keep_both_clocks():
    result = run(FORMAT, FIXTURES / "binance-futures_trades_2024-03-05_BTCUSDT.csv")
    rows = result.rows(Kind.TRADE, "binance:BTCUSDT")
    names = ("ts_event_ns", "ts_received_ns", "price_usd", "qty_base", "taker_side", "flags")
    assert columns(rows, *names) == [
        (DAY + 15 * MS, DAY + 18_200 * US, 68_000.1, 0.25, -1, 0),
        (DAY + 410 * MS, DAY + 412 * MS, 68_001.0, 1.5, 1, 0),
    ]
    assert result.tally.rejected == {"trade_without_price": 1}


def test_amounts_of_inverse_contracts_are_dollars():
    rows = run(FORMAT, FIXTURES / "deribit_trades_2024-03-05_BTC-PERPETUAL.csv").rows(
        Kind.TRADE, "deribit:BTC-PERPETUAL"
    )
    assert columns(rows, "price_usd", "qty_base") == [(68_000.0, 0.05)]


def test_liquidations_of_okx_are_contracts_and_a_replayed_one_is_dropped():
    result = run(FORMAT, FIXTURES / "okex-swap_liquidations_2024-03-05_PERPETUALS.csv")
    names = (
        "ts_event_ns",
        "ts_received_ns",
        "side",
        "price_kind",
        "price_usd",
        "qty_base",
        "notional_usd",
        "flags",
    )
    second = 1_000 * MS
    assert columns(result.rows(Kind.LIQUIDATION, "okx:BTC-USDT-SWAP"), *names) == [
        (DAY + 60 * second, DAY + 60_500 * MS, 1, PriceKind.BANKRUPTCY, 67_000.0, 2.0, 134_000.0, 32)
    ]
    assert columns(result.rows(Kind.LIQUIDATION, "okx:BTC-USD-SWAP"), *names) == [
        (DAY + 70 * second, DAY + 70_500 * MS, -1, PriceKind.BANKRUPTCY, 68_000.0, 0.025, 1_700.0, 32)
    ]
    assert result.tally.rejected == {"duplicate": 1, "unknown_contract": 1}


def test_sell_closed_a_long_on_bybit_too_and_its_feed_is_complete_since_2025():
    result = run(FORMAT, FIXTURES / "bybit_liquidations_2025-03-01_BTCUSDT.csv")
    names = ("side", "price_kind", "qty_base", "notional_usd", "flags")
    assert columns(result.rows(Kind.LIQUIDATION, "bybit:BTCUSDT"), *names) == [
        (1, PriceKind.BANKRUPTCY, 0.4, 84_000.5 * 0.4, 0)
    ]
    assert columns(result.rows(Kind.LIQUIDATION, "bybit:BTCUSD"), *names) == [
        (-1, PriceKind.BANKRUPTCY, 0.05, 4_300.0, 0)
    ]


def test_the_book_begins_with_a_snapshot_and_zero_removes_a_level():
    rows = run(FORMAT, FIXTURES / "binance-futures_incremental_book_L2_2024-03-05_BTCUSDT.csv").rows(
        Kind.BOOK_LEVEL, "binance:BTCUSDT"
    )
    assert columns(rows, "ts_event_ns", "ts_received_ns", "side", "price_usd", "qty_base", "flags") == [
        (DAY + 100 * MS, DAY + 103 * MS, 1, 68_000.0, 1.25, Flag.SNAPSHOT),
        (DAY + 100 * MS, DAY + 103 * MS, -1, 68_000.1, 0.5, Flag.SNAPSHOT),
        (DAY + 200 * MS, DAY + 203 * MS, -1, 68_000.1, 0.0, 0),
    ]


def test_tickers_give_rows_only_where_a_value_is_there_and_new():
    result = run(FORMAT, FIXTURES / "bybit_derivative_ticker_2024-03-05_BTCUSD.csv")
    iid = "bybit:BTCUSD"
    second = 1_000 * MS
    assert columns(result.rows(Kind.MARK, iid), "ts_event_ns", "mark_price_usd", "index_price_usd") == [
        (DAY, 68_005.0, 68_010.0),
        (DAY + 2 * second, 68_006.0, 68_010.0),
        (DAY + 3 * second, 68_006.0, 68_012.0),
    ]
    assert columns(result.rows(Kind.OPEN_INTEREST, iid), "ts_event_ns", "oi_usd", "oi_base") == [
        (DAY, 680_000_000.0, 680_000_000.0 / 68_005),
        (DAY + 4 * second, 680_068_060.0, 680_068_060.0 / 68_006),
    ]
    assert columns(result.rows(Kind.FUNDING, iid), "ts_event_ns", "rate_ratio", "next_ns") == [
        (DAY, 0.0001, DAY + 8 * 3_600 * second),
        (DAY + 4 * second, 0.00012, DAY + 8 * 3_600 * second),
    ]
    assert result.tally.rejected == {"nothing_changed": 1}


def test_a_ticker_remembers_across_blocks_and_files(tmp_path):
    head, *lines = fixture("bybit_derivative_ticker_2024-03-05_BTCUSD").splitlines()
    whole = run(FORMAT, FIXTURES / "bybit_derivative_ticker_2024-03-05_BTCUSD.csv")
    first = write(tmp_path, "a_derivative_ticker_2024-03-05_1", "\n".join([head, *lines[:2], ""]))
    second = write(tmp_path, "a_derivative_ticker_2024-03-05_2", "\n".join([head, *lines[2:], ""]))
    split = run(FORMAT, first, second)
    for kind in (Kind.MARK, Kind.OPEN_INTEREST, Kind.FUNDING):
        assert (split.rows(kind, "bybit:BTCUSD") == whole.rows(kind, "bybit:BTCUSD")).all()


@pytest.mark.parametrize(
    ("venue", "symbol", "base", "amount", "qty_base", "notional_usd"),
    [
        ("binance", "BTCUSDT", "BTC", 2.0, 2.0, 100_000.0),
        ("binance", "BTCDOMUSDT", "BTCDOM", 2.0, 2.0, 100_000.0),
        ("binance", "ETHUSDT_240329", "ETH", 2.0, 2.0, 100_000.0),
        ("binance-coinm", "BTCUSD_PERP", "BTC", 500, 1.0, 50_000.0),
        ("binance-coinm", "SOLUSD_240329", "SOL", 500, 0.1, 5_000.0),
        ("bybit", "ETHPERP", "ETH", 2.0, 2.0, 100_000.0),
        ("bybit", "BTCUSDM25", "BTC", 50_000, 1.0, 50_000.0),
        ("okx", "ETH-USDT-SWAP", "ETH", 10, 1.0, 50_000.0),
        ("okx", "DOGE-USDT-SWAP", "DOGE", 2, 2_000.0, 100_000_000.0),
        ("okx", "BTC-USD-240329", "BTC", 500, 1.0, 50_000.0),
        ("deribit", "ETH-29MAR24", "ETH", 50_000, 1.0, 50_000.0),
        ("deribit", "SOL_USDC-PERPETUAL", "SOL", 2.0, 2.0, 100_000.0),
        ("htx", "BTC-USDT", "BTC", 1_000, 1.0, 50_000.0),
        ("kraken", "PI_XBTUSD", "BTC", 50_000, 1.0, 50_000.0),
        ("kraken", "PF_XBTUSD", "BTC", 2.0, 2.0, 100_000.0),
        ("bitfinex", "BTCF0:USTF0", "BTC", 2.0, 2.0, 100_000.0),
        ("hyperliquid", "kPEPE", "kPEPE", 2.0, 2.0, 100_000.0),
        ("dydx", "BTC-USD", "BTC", 2.0, 2.0, 100_000.0),
        ("gate", "BTC_USDT", "BTC", 10_000, 1.0, 50_000.0),
        ("bitget", "BTCUSDT", "BTC", 2.0, 2.0, 100_000.0),
    ],
)
def test_units_by_venue(venue, symbol, base, amount, qty_base, notional_usd):
    """What an amount is worth at 50,000."""
    contract = contract_of(venue, symbol)
    assert contract is not None
    assert contract.instrument.asset == base
    amounts, prices = np.array([float(amount)]), np.array([50_000.0])
    assert contract.qty_base(amounts, prices) == pytest.approx(qty_base)
    assert contract.notional_usd(amounts, prices) == pytest.approx(notional_usd)


@pytest.mark.parametrize(
    ("venue", "symbol"),
    [
        ("binance", "ETHBTC"),
        ("okx", "XRP-USDT-SWAP"),
        ("deribit", "BTC-29MAR24-50000-C"),
        ("gate", "ETH_USDT"),
        ("bitmex", "XBTUSD"),
    ],
)
def test_contracts_whose_unit_is_not_known_are_none(venue, symbol):
    assert contract_of(venue, symbol) is None


def test_liquidations_of_bitget_are_quote_currency_and_of_bitfinex_entries(tmp_path):
    head = fixture("bybit_liquidations_2025-03-01_BTCUSDT").partition("\n")[0]
    lines = [
        "bitget-futures,BTCUSDT,1740787200100000,1740787210100000,,sell,80000,4000",
        "bitfinex-derivatives,BTCF0:USTF0,1740787200100000,1740787200200000,17,buy,81000,0.5",
        "cryptofacilities,PI_XBTUSD,1740787200100000,1740787200200000,u-1,sell,80000,4000",
        "cryptofacilities,PI_XBTUSD,1740787200100000,1740787200300000,u-2,sell,80000,4000",
        "cryptofacilities,PI_XBTUSD,1740787200100000,1740787200300000,u-1,sell,80000,4000",
        "bitmex,XBTUSD,1740787200100000,1740787200300000,5,sell,80000,4000",
    ]
    result = run(FORMAT, write(tmp_path, "x_liquidations_2025-03-01_ALL", "\n".join([head, *lines, ""])))
    names = ("side", "price_kind", "qty_base", "notional_usd", "flags")
    assert columns(result.rows(Kind.LIQUIDATION, "bitget:BTCUSDT"), *names) == [
        (1, PriceKind.UNKNOWN, 0.05, 4_000.0, 32)
    ]
    assert columns(result.rows(Kind.LIQUIDATION, "bitfinex:BTCF0:USTF0"), *names) == [
        (-1, PriceKind.ENTRY, 0.5, 40_500.0, 0)
    ]
    assert (
        columns(result.rows(Kind.LIQUIDATION, "kraken:PI_XBTUSD"), *names)
        == [(1, PriceKind.FILL, 0.05, 4_000.0, 0)] * 2
    )
    assert result.tally.rejected == {"duplicate": 1, "foreign_exchange": 1}


def test_rows_from_the_future_and_of_other_days_are_dropped(tmp_path):
    name = "binance-futures_trades_2024-03-05_BTCUSDT"
    head, first, second, _third = fixture(name).splitlines()
    ahead = first.replace("1709596800015000", "4000000000000000")
    other = second.replace("1709596800412000", "1709700000000000")
    early = first.replace("1709596800015000", "1709596800020000")
    result = run(FORMAT, write(tmp_path, name, f"{head}\n{ahead}\n{other}\n{early}\n{second}\n"))
    assert result.tally.rejected == {"happened_after_it_arrived": 1, "outside_the_files_days": 1}
    assert result.tally.repaired == {"received_before_it_happened": 1}
    rows = result.rows(Kind.TRADE, "binance:BTCUSDT")
    assert columns(rows, "ts_event_ns", "ts_received_ns", "flags") == [
        (DAY + 20 * MS, DAY + 20 * MS, Flag.RECEIVED_ASSUMED),
        (DAY + 410 * MS, DAY + 412 * MS, 0),
    ]
    assert (
        "impossible date"
        in rejected(write(tmp_path, "x_trades_2024-13-05_A", head + "\n" + first + "\n")).user_message
    )


@pytest.mark.parametrize(
    ("name", "old", "changed", "field"),
    [
        ("binance-futures_trades_2024-03-05_BTCUSDT", "68001,", "-68001,", "price"),
        ("binance-futures_trades_2024-03-05_BTCUSDT", "68001,", "inf,", "price"),
        ("binance-futures_trades_2024-03-05_BTCUSDT", "buy", "long", "side"),
        ("binance-futures_trades_2024-03-05_BTCUSDT", "1709596800412000", "1709596800412", "local_timestamp"),
        ("binance-futures_trades_2024-03-05_BTCUSDT", "1709596800410000", "", "timestamp"),
        ("binance-futures_incremental_book_L2_2024-03-05_BTCUSDT", "bid", "buy", "side"),
        ("binance-futures_incremental_book_L2_2024-03-05_BTCUSDT", "true", "maybe", "is_snapshot"),
        ("binance-futures_incremental_book_L2_2024-03-05_BTCUSDT", "1.25", "-1.25", "amount"),
        ("bybit_derivative_ticker_2024-03-05_BTCUSD", ",680000000", ",-1", "open_interest"),
        ("bybit_derivative_ticker_2024-03-05_BTCUSD", "0.0001,", "0.5,", "funding_rate"),
        ("bybit_derivative_ticker_2024-03-05_BTCUSD", "68005", "1e30", "mark_price"),
        ("bybit_derivative_ticker_2024-03-05_BTCUSD", "1709625600000000", "1709625600", "funding_timestamp"),
    ],
)
def test_an_impossible_value_names_its_line_and_field(name, old, changed, field, tmp_path):
    text = fixture(name)
    assert old in text
    line = text[: text.index(old)].count("\n") + 1
    failure = rejected(write(tmp_path, name, text.replace(old, changed, 1)))
    assert f"line {line}" in failure.where
    assert f"field {field}" in failure.where
    assert failure.hint


def test_a_wrong_header_names_the_missing_column(tmp_path):
    name = "binance-futures_trades_2024-03-05_BTCUSDT"
    text = fixture(name).replace("local_timestamp", "localtimestamp", 1)
    assert "local_timestamp" in rejected(write(tmp_path, name, text)).user_message


def test_time_far_backwards_is_refused(tmp_path):
    name = "binance-futures_trades_2024-03-05_BTCUSDT"
    head, first, second, _third = fixture(name).splitlines()
    later = second.replace("17095968", "17095969")
    assert "backwards" in rejected(write(tmp_path, name, f"{head}\n{later}\n{first}\n")).user_message


@pytest.mark.parametrize("cut", [0.3, 0.8, 0.98])
def test_a_cut_or_flipped_file_is_refused(cut, tmp_path):
    name = "bybit_derivative_ticker_2024-03-05_BTCUSD"
    path = write(tmp_path, name, fixture(name))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * cut)])
    assert "cut short" in rejected(path).user_message
    flipped = bytearray(whole)
    flipped[int(len(whole) * cut)] ^= 0x08
    path.write_bytes(bytes(flipped))
    assert str(path) in rejected(path).where


def test_many_trades_are_read_in_columns(tmp_path):
    n = 100_000
    name = "binance-futures_trades_2024-03-05_BTCUSDT"
    start = DAY // US
    sides = ("sell", "buy")
    lines = [
        f"binance-futures,BTCUSDT,{start + 800 * k},{start + 800 * k + 2_500},{k},{sides[k % 2]},{68_000 + k % 89},0.01"
        for k in range(n)
    ]
    path = write(tmp_path, name, "\n".join([fixture(name).partition("\n")[0], *lines, ""]))
    start_s = time.process_time()
    rows = run(FORMAT, path).rows(Kind.TRADE, "binance:BTCUSDT")
    used_s = time.process_time() - start_s
    print(f"{n / used_s:,.0f} rows/s")
    assert len(rows) == n
    assert (rows["price_usd"] == 68_000 + np.arange(n) % 89).all()
    assert used_s < 2


def test_from_archive_to_map(tmp_path):
    name = "bybit_derivative_ticker_2024-03-05_BTCUSD"
    start = DAY // US
    lines = [
        f"bybit,BTCUSD,{start + k * 5_000_000},{start + k * 5_000_000 + 40_000},,,,{6.8e8 + k},68000,68000,"
        f"{68_000 + 80 * math.sin(k / 40):.1f}"
        for k in range(720)
    ]
    write(tmp_path, name, "\n".join([fixture(name).partition("\n")[0], *lines, ""]))
    tape, out = tmp_path / "tape", tmp_path / "out"
    imported = CliRunner().invoke(
        APP, ["tape", "import", FORMAT, str(tmp_path), "--out", str(tape), "--json"]
    )
    assert imported.exit_code == 0, imported.output
    assert [item.id for item in Tape(tape).instruments()] == ["bybit:BTCUSD"]
    replayed = CliRunner().invoke(APP, ["replay", str(tape), "--out", str(out), "--asset", "BTC", "--json"])
    assert replayed.exit_code == 0, replayed.output
    assert (out / "columns.parquet").stat().st_size > 0
