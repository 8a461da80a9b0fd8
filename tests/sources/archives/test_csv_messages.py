from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sources.archives.conftest import Folder, run

from faultline.errors import ImportRejected, WorldMismatch
from faultline.messages import KINDS, Flag, Kind
from faultline.sources.archives.csv_columns import columns_of
from faultline.units import parse_time_ns

T = parse_time_ns
NOW = T("2026-03-01T12:00")

#: A valid value of every field, by name; a field with another meaning in one kind stands under kind.field.
VALUES = {
    "ts_event_ns": NOW, "ts_received_ns": NOW + 1, "flags": 0, "seq": 7, "base": "BTC", "quote": "USDT",
    "contract_kind": 0, "formula_family": 0, "contract_size": 1, "tick_usd": 0.1, "lot_base": 0.001,
    "min_notional_usd": 5, "taker_fee_ratio": 0.0005, "tier": 0, "tier_floor_usd": 0, "tier_cap_usd": "inf",
    "maintenance_ratio": 0.004, "max_leverage": 125, "deduction_usd": 0, "insurance_fund_usd": 1e9,
    "missing_kind": "bar", "from_ns": NOW, "to_ns": NOW + 5, "reason": "recorder_down", "channel": "trades",
    "status": "live", "lag_ns": 5, "detail": "fine", "mark_price_usd": 80_000, "index_price_usd": 80_001,
    "rate_ratio": -0.0001, "interval_ns": 8 * 3600 * 10**9, "next_ns": NOW, "ratio_kind": "accounts",
    "long_share_ratio": 0.6, "oi_base": 1e5, "oi_usd": 8e9, "side": 1, "price_usd": 80_000, "qty_base": 0.5,
    "taker_side": -1, "cause": 1, "open_usd": 80_000, "high_usd": 80_010, "low_usd": 79_990, "close_usd": 80_005,
    "buy_qty_base": 3, "sell_qty_base": 0, "price_kind": 1, "notional_usd": 40_000, "wallet": "0xab",
    "start_qty_base": -2, "closed_pnl_usd": -5, "is_taker": 1, "is_liquidation": 0, "entry_price_usd": 79_000,
    "leverage": 20, "is_cross": 0, "liquidation_price_usd": 75_000, "unrealized_pnl_usd": -3, "account_value_usd": 9,
}  # fmt: skip


def write(
    folder: Folder, kind: Kind, rows: list[dict], *, name: str | None = None, instrument="binance:BTCUSDT"
):
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [",".join([instrument, *(str(row.get(key, "")) for key in columns)]) for row in rows]
    return folder.write(name or kind.value, lines, header=",".join(["instrument", *columns]))


def full_row(kind: Kind) -> dict:
    return {column.name: VALUES[column.name] for column in columns_of(kind)}


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_is_read_with_all_its_columns(folder, kind):
    write(folder, kind, [full_row(kind)])
    rows = run("csv", folder.path).rows(kind, "binance:BTCUSDT")
    for name in KINDS[kind].dtype.names:
        value = rows[name][0]
        expected = float(VALUES[name]) if rows.dtype[name].kind == "f" else VALUES[name]
        assert (value.decode() if isinstance(value, bytes) else value) == expected, name


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_is_read_with_its_required_columns_alone(folder, kind):
    row = {column.name: VALUES[column.name] for column in columns_of(kind) if column.is_required}
    if kind is Kind.OPEN_INTEREST:
        row["oi_base"] = 1.5
    if kind is Kind.LIQUIDATION:
        row["price_usd"] = 80_000
    write(folder, kind, [row])
    rows = run("csv", folder.path).rows(kind, "binance:BTCUSDT")
    assert len(rows) == 1
    for column in columns_of(kind):
        if column.name not in row and column.dtype.kind == "f":
            assert np.isnan(rows[column.name][0]), column.name


@pytest.mark.parametrize("kind", list(Kind))
def test_a_required_column_that_is_missing_is_named(folder, kind):
    for column in columns_of(kind):
        if column.is_required:
            row = {name: value for name, value in full_row(kind).items() if name != column.name}
            write(folder, kind, [row])
            with pytest.raises(ImportRejected, match=f"column {column.name} is missing"):
                run("csv", folder.path)


def test_without_a_receive_time_the_event_time_is_assumed_and_flagged(folder):
    write(folder, Kind.TRADE, [{"ts_event_ns": NOW, "price_usd": 1.5, "qty_base": 2, "taker_side": 0}])
    rows = run("csv", folder.path).rows(Kind.TRADE, "binance:BTCUSDT")
    assert rows["ts_received_ns"].tolist() == [NOW]
    assert rows["flags"].tolist() == [Flag.RECEIVED_ASSUMED]
    assert rows["seq"].tolist() == [-1]


def test_times_may_be_iso_8601_and_are_utc_unless_they_say_otherwise(folder):
    texts = [
        "2026-03-01T12:00:00.250",
        "2026-03-01T12:00:01Z",
        "2026-03-01T14:00:02+02:00",
        str(NOW + 3 * 10**9),
    ]
    write(folder, Kind.MARK, [{"ts_event_ns": text, "mark_price_usd": 80_000} for text in texts])
    rows = run("csv", folder.path).rows(Kind.MARK, "binance:BTCUSDT")
    assert rows["ts_event_ns"].tolist() == [NOW + 250_000_000, NOW + 10**9, NOW + 2 * 10**9, NOW + 3 * 10**9]


def test_the_kind_is_the_beginning_of_the_file_name(folder):
    write(folder, Kind.OPEN_INTEREST, [full_row(Kind.OPEN_INTEREST)], name="open_interest-okx.2026-03")
    assert len(run("csv", folder.path).rows(Kind.OPEN_INTEREST, "binance:BTCUSDT")) == 1


def test_instruments_of_one_file_have_their_own_order_of_time(folder):
    lines = [f"binance:BTCUSDT,{NOW + k},8" for k in range(3)] + [
        f"okx:BTC-USDT-SWAP,{NOW + k},9" for k in range(3)
    ]
    folder.write("mark", lines, header="instrument,ts_event_ns,mark_price_usd")
    result = run("csv", folder.path)
    assert len(result.rows(Kind.MARK, "okx:BTC-USDT-SWAP")) == 3
    folder.write("mark", [lines[1], lines[0]], header="instrument,ts_event_ns,mark_price_usd")
    with pytest.raises(ImportRejected, match="must not decrease within binance:BTCUSDT"):
        run("csv", folder.path)


def test_order_is_held_across_blocks(folder):
    lines = [f"binance:BTCUSDT,{NOW + k},8" for k in range(120_000)]
    folder.write("mark", [*lines, lines[0]], header="instrument,ts_event_ns,mark_price_usd")
    with pytest.raises(ImportRejected) as failure:
        run("csv", folder.path)
    assert "line 120002, field ts_event_ns" in failure.value.where


def test_rows_of_a_simulated_tape_are_not_recorded_data(folder):
    folder.write(
        "mark",
        [f"binance:BTCUSDT,false,{NOW},8", f"binance:BTCUSDT,true,{NOW},8"],
        header="instrument,simulated,ts_event_ns,mark_price_usd",
    )
    with pytest.raises(WorldMismatch, match="simulated"):
        run("csv", folder.path)


@pytest.mark.parametrize(
    ("kind", "field", "value", "where"),
    [
        (Kind.TRADE, "price_usd", 0, "price_usd"),
        (Kind.TRADE, "price_usd", "", "price_usd"),
        (Kind.TRADE, "price_usd", "nan", "price_usd"),
        (Kind.TRADE, "qty_base", -1, "qty_base"),
        (Kind.TRADE, "qty_base", "inf", "qty_base"),
        (Kind.TRADE, "taker_side", 2, "taker_side"),
        (Kind.TRADE, "cause", 4, "cause"),
        (Kind.TRADE, "ts_event_ns", "yesterday", "ts_event_ns"),
        (Kind.TRADE, "ts_event_ns", 1_772_366_400, "ts_event_ns"),
        (Kind.TRADE, "ts_event_ns", 10**30, "ts_event_ns"),
        (Kind.TRADE, "ts_event_ns", "9999-12-31T23:59:59", "ts_event_ns"),
        (Kind.TRADE, "ts_event_ns", "0001-01-01T00:00:00+14:00", "ts_event_ns"),
        (Kind.LIQUIDATION, "side", 0, "side"),
        (Kind.LIQUIDATION, "price_usd", "", "price_usd"),
        (Kind.LIQUIDATION, "price_kind", 9, "price_kind"),
        (Kind.LIQUIDATION, "flags", 1 << 20, "flags"),
        (Kind.LIQUIDATION, "notional_usd", "", "notional_usd"),
        (Kind.BAR, "high_usd", 80_001, "high_usd"),
        (Kind.BAR, "low_usd", 80_001, "low_usd"),
        (Kind.BAR, "ts_received_ns", NOW, "ts_received_ns"),
        (Kind.GAP, "to_ns", NOW, "to_ns"),
        (Kind.GAP, "missing_kind", "weather", "missing_kind"),
        (Kind.GAP, "reason", "r" * 33, "reason"),
        (Kind.GAP, "reason", "", "reason"),
        (Kind.RATIO, "long_share_ratio", 1.01, "long_share_ratio"),
        (Kind.INSTRUMENT, "maintenance_ratio", 0, "maintenance_ratio"),
        (Kind.INSTRUMENT, "tier", 65_536, "tier"),
        (Kind.FUNDING, "rate_ratio", "inf", "rate_ratio"),
        (Kind.WALLET_FILL, "wallet", "0x" + "a" * 65, "wallet"),
        (Kind.WALLET_FILL, "is_taker", 1.5, "is_taker"),
    ],
)  # fmt: skip
def test_an_impossible_value_names_file_line_and_field(folder, kind, field, value, where):
    write(folder, kind, [full_row(kind), {**full_row(kind), field: value}])
    with pytest.raises(ImportRejected) as failure:
        run("csv", folder.path)
    assert failure.value.where.endswith(f"{kind}.csv: line 3, field {where}")
    assert failure.value.hint


def test_open_interest_needs_one_of_its_two_amounts(folder):
    write(folder, Kind.OPEN_INTEREST, [{**full_row(Kind.OPEN_INTEREST), "oi_base": "", "oi_usd": ""}])
    with pytest.raises(ImportRejected, match="oi_usd must be given"):
        run("csv", folder.path)


def test_a_total_needs_no_price_but_a_length(folder):
    row = {
        **full_row(Kind.LIQUIDATION),
        "flags": 16,
        "price_usd": "",
        "qty_base": "",
        "ts_received_ns": NOW + 3_600,
    }
    write(folder, Kind.LIQUIDATION, [row])
    assert len(run("csv", folder.path).rows(Kind.LIQUIDATION, "binance:BTCUSDT")) == 1
    write(folder, Kind.LIQUIDATION, [{**row, "ts_received_ns": NOW}])
    with pytest.raises(ImportRejected, match="later than the event time"):
        run("csv", folder.path)


def test_an_unknown_column_is_refused_with_the_nearest_name(folder):
    folder.write("mark", [f"binance:BTCUSDT,{NOW},8"], header="instrument,ts_event_ns,mark_prise_usd")
    with pytest.raises(ImportRejected) as failure:
        run("csv", folder.path)
    assert "The nearest is mark_price_usd" in failure.value.hint


@pytest.mark.parametrize(
    "instrument", ["BTCUSDT", "binance:", ":BTC", "bin ance:BTC", "binance:BTC USDT", "Binance:X"]
)
def test_an_instrument_is_venue_and_symbol(folder, instrument):
    write(folder, Kind.MARK, [full_row(Kind.MARK)], instrument=instrument)
    with pytest.raises(ImportRejected, match="venue:SYMBOL"):
        run("csv", folder.path)


def test_assets_and_times_are_selected(folder):
    lines = [f"{i},{NOW + k * 10**9},8" for i in ("binance:BTCUSDT", "binance:ETHUSDT") for k in range(4)]
    folder.write("mark", lines, header="instrument,ts_event_ns,mark_price_usd")
    result = run("csv", folder.path, assets=["ETH"], from_ns=NOW + 10**9, to_ns=NOW + 3 * 10**9)
    assert len(result.rows(Kind.MARK, "binance:ETHUSDT")) == 2
    assert result.rows(Kind.MARK, "binance:BTCUSDT").size == 0
    assert result.tally.rejected == {"outside_selection": 6}


@given(
    prices=st.lists(st.floats(1e-9, 1e9, allow_subnormal=False), min_size=1, max_size=20),
    steps=st.lists(st.integers(0, 10**15), min_size=1, max_size=20),
)
def test_numbers_and_times_come_back_bit_for_bit(tmp_path_factory, prices, steps):
    folder = Folder(tmp_path_factory.mktemp("csv"))
    n = min(len(prices), len(steps))
    times = NOW + np.cumsum(np.array(steps[:n], dtype=np.int64))
    lines = [f"binance:BTCUSDT,{t},{p!r}" for t, p in zip(times.tolist(), prices, strict=False)]
    folder.write("mark", lines, header="instrument,ts_event_ns,mark_price_usd")
    rows = run("csv", folder.path).rows(Kind.MARK, "binance:BTCUSDT")
    assert rows["mark_price_usd"].tolist() == prices[:n]
    assert rows["ts_event_ns"].tolist() == times.tolist()
