from __future__ import annotations

import numpy as np
import pytest
from tests.sources.archives.conftest import run

from faultline.errors import ImportRejected
from faultline.messages import Flag, Kind
from faultline.units import HOUR_NS, MINUTE_NS, parse_time_ns

T = parse_time_ns
FORMAT = "binance-oi-5m"
START_MS = T("2026-01-10T00:05") // 1_000_000
ID = "binance:BTCUSDT"


def windows(*values: tuple[int, float, float]) -> list[tuple]:
    """(window number, coins, price) as lines of a file."""
    return [(START_MS + 300_000 * k, oi, repr(oi * price)) for k, oi, price in values]


def test_open_interest_is_stamped_at_the_end_of_its_window(folder):
    folder.write("BTC_oi_5m", windows((0, 90_000.5, 80_000.0), (1, 90_010.0, 80_100.0)), gz=True)
    rows = run(FORMAT, folder.path).rows(Kind.OPEN_INTEREST, ID)
    assert rows["ts_received_ns"].tolist() == [T("2026-01-10T00:05"), T("2026-01-10T00:10")]
    assert rows["oi_base"].tolist() == [90_000.5, 90_010.0]
    assert rows["oi_usd"].tolist() == [90_000.5 * 80_000.0, 90_010.0 * 80_100.0]
    assert set(rows["flags"]) == {Flag.RECEIVED_ASSUMED}


def test_two_prices_make_a_bar_that_knows_only_its_endpoints(folder):
    folder.write(
        "BTC_oi_5m", windows((0, 90_000.0, 80_000.0), (1, 80_000.0, 79_500.0), (2, 80_000.0, 80_400.0))
    )
    rows = run(FORMAT, folder.path).rows(Kind.BAR, ID)
    assert rows["ts_event_ns"].tolist() == [T("2026-01-10T00:05"), T("2026-01-10T00:10")]
    assert (rows["ts_received_ns"] - rows["ts_event_ns"]).tolist() == [5 * MINUTE_NS] * 2
    np.testing.assert_allclose(rows["open_usd"], [80_000, 79_500])
    np.testing.assert_allclose(rows["close_usd"], [79_500, 80_400])
    np.testing.assert_allclose(rows["high_usd"], [80_000, 80_400])
    np.testing.assert_allclose(rows["low_usd"], [79_500, 79_500])
    assert np.isnan(rows["buy_qty_base"]).all()
    assert set(rows["flags"]) == {Flag.ENDPOINTS_ONLY}


@pytest.mark.parametrize(
    ("off_ms", "is_kept"), [(2_000, True), (-1_000, True), (2_001, False), (-60_000, False)]
)
def test_a_stamp_two_seconds_off_is_rounded_and_one_further_off_is_rejected(folder, off_ms, is_kept):
    lines = windows((0, 9e4, 8e4), (1, 9e4, 8e4), (2, 9e4, 8e4))
    lines[1] = (lines[1][0] + off_ms, *lines[1][1:])
    folder.write("BTC_oi_5m", lines)
    result = run(FORMAT, folder.path)
    rows = result.rows(Kind.OPEN_INTEREST, ID)
    assert len(rows) == 2 + is_kept
    assert (rows["ts_received_ns"] % (5 * MINUTE_NS) == 0).all()
    assert result.tally.repaired["stamp_rounded"] == is_kept
    assert result.tally.rejected["off_grid"] == (not is_kept)


def test_a_zero_is_a_failed_poll_and_never_an_empty_market(folder):
    folder.write("BTC_oi_5m", windows((0, 9e4, 8e4), (1, 0.0, 8e4), (2, 9e4, 8e4), (3, 9e4, 8e4)))
    result = run(FORMAT, folder.path)
    assert (result.rows(Kind.OPEN_INTEREST, ID)["oi_base"] > 0).all()
    assert result.tally.rejected["zero_open_interest"] == 1
    span = (T("2026-01-10T00:05"), T("2026-01-10T00:15"))
    assert result.gaps("missing_rows") == [(ID, "open_interest", *span)]
    assert result.gaps("no_bars") == [(ID, "bar", *span)]


def test_no_bar_spans_a_hole(folder):
    folder.write("BTC_oi_5m", windows((0, 9e4, 8e4), (1, 9e4, 8.1e4), (5, 9e4, 8.2e4), (6, 9e4, 8.3e4)))
    rows = run(FORMAT, folder.path).rows(Kind.BAR, ID)
    np.testing.assert_allclose(rows["open_usd"], [8e4, 8.2e4])


def test_one_absurd_price_is_rejected_and_a_lasting_change_is_not(folder):
    folder.write(
        "BTC_oi_5m", windows((0, 9e4, 8e4), (1, 9e4, 8e2), (2, 9e4, 8e4), (3, 9e4, 4e4), (4, 9e4, 4e4))
    )
    result = run(FORMAT, folder.path)
    assert result.tally.rejected["implausible_price"] == 1
    assert len(result.rows(Kind.OPEN_INTEREST, ID)) == 4


@pytest.mark.parametrize(("interval_h", "hourly", "rate"), [(8, 1.25e-05, 1e-4), (4, -2.5e-05, -1e-4)])
def test_funding_per_hour_becomes_the_rate_of_its_interval(folder, interval_h, hourly, rate):
    stamps = [START_MS - 300_000 + k * interval_h * 3_600_000 + k for k in range(4)]
    folder.write("WIF_funding", [(stamp, hourly) for stamp in stamps])
    result = run(FORMAT, folder.path)
    rows = result.rows(Kind.FUNDING, "binance:WIFUSDT")
    np.testing.assert_allclose(rows["rate_ratio"], [rate] * 4)
    assert set(rows["interval_ns"]) == {interval_h * HOUR_NS}
    assert rows["next_ns"][0] == T("2026-01-10") + interval_h * HOUR_NS
    assert result.tally.repaired["funding_per_hour_to_interval"] == 4


def test_a_missed_settlement_is_a_gap(folder):
    first = START_MS - 300_000
    folder.write("BTC_funding", [(first + k * 8 * 3_600_000, 1e-5) for k in (0, 1, 2, 4, 5)])
    assert run(FORMAT, folder.path).gaps("missing_rows") == [
        (ID, "funding", T("2026-01-10T16:00"), T("2026-01-11T08:00"))
    ]


def test_one_funding_row_does_not_tell_its_interval(folder):
    folder.write("BTC_funding", [(START_MS, 1e-5)])
    result = run(FORMAT, folder.path)
    assert result.batches == []
    assert result.tally.rejected["unknown_funding_interval"] == 1


def test_coins_whose_contract_facts_are_not_known_come_without_an_instrument(folder):
    folder.write("BTC_oi_5m", windows((0, 9e4, 8e4)))
    folder.write("ARB_oi_5m", windows((0, 9e4, 0.8)))
    result = run(FORMAT, folder.path)
    assert len(result.rows(Kind.INSTRUMENT, ID)) == 12
    assert result.rows(Kind.INSTRUMENT, "binance:ARBUSDT").size == 0
    assert len(result.rows(Kind.OPEN_INTEREST, "binance:ARBUSDT")) == 1


def test_assets_and_times_are_selected(folder):
    lines = windows(*((k, 9e4, 8e4) for k in range(10)))
    folder.write("BTC_oi_5m", lines)
    folder.write("ETH_oi_5m", lines)
    result = run(
        FORMAT, folder.path, assets=["ETH"], from_ns=T("2026-01-10T00:20"), to_ns=T("2026-01-10T00:30")
    )
    rows = result.rows(Kind.OPEN_INTEREST, "binance:ETHUSDT")
    assert rows["ts_received_ns"].tolist() == [T("2026-01-10T00:20"), T("2026-01-10T00:25")]
    assert len(result.rows(Kind.BAR, "binance:ETHUSDT")) == 2
    assert result.rows(Kind.OPEN_INTEREST, ID).size == 0
    assert result.tally.rejected["outside_selection"] == 18


@pytest.mark.parametrize(
    ("name", "lines", "field"),
    [
        ("BTC_oi_5m", ["1768003500000,nan,1"], "oi"),
        ("BTC_oi_5m", ["1768003500000,1,-1"], "oi_usd"),
        ("BTC_oi_5m", ["1768003500000,1,inf"], "oi_usd"),
        ("BTC_oi_5m", ["1768003500,1,1"], "t"),
        ("BTC_oi_5m", ["1768003500000.5,1,1"], "t"),
        ("BTC_funding", ["1768003500000,0.2"], "rate"),
        ("BTC_funding", ["1768003500000,inf"], "rate"),
    ],
)
def test_an_impossible_value_names_file_line_and_field(folder, name, lines, field):
    folder.write(name, lines)
    with pytest.raises(ImportRejected) as failure:
        run(FORMAT, folder.path)
    assert failure.value.where.endswith(f"{name}.csv: line 2, field {field}")


@pytest.mark.parametrize("name", ["BTC_oi_5m", "BTC_funding"])
def test_time_must_increase(folder, name):
    folder.write(
        name,
        windows((1, 9e4, 8e4), (0, 9e4, 8e4))
        if name.endswith("5m")
        else ["1768003500000,0", "1768003500000,0"],
    )
    with pytest.raises(ImportRejected, match="must increase"):
        run(FORMAT, folder.path)
