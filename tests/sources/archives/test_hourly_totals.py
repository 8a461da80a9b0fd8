from __future__ import annotations

import numpy as np
import pytest
from tests.sources.archives.conftest import run

from faultline.errors import ImportRejected
from faultline.messages import Flag, Kind
from faultline.units import HOUR_NS, parse_time_ns

T = parse_time_ns
ID = "mixed-total:BTC"
FORMAT = "hourly-totals"


def hour(
    text: str, *, long=1_000.0, short=500.0, total=None, funding=0.01, oi=8e9, cvd=0, high=80_100.0
) -> tuple:
    stamp = T(text) // 1_000_000
    all_usd = long + short if total is None else total
    return (stamp, text, 80_000.0, high, 79_900.0, 80_050.0, long, short, all_usd, funding, oi, cvd)


def test_a_total_has_two_sides_no_price_and_is_known_when_its_hour_ends(folder):
    folder.write("regime_1h", [hour("2026-01-10T06:00", long=1_000.0, short=0.0)], gz=True)
    rows = run(FORMAT, folder.path).rows(Kind.LIQUIDATION, ID)
    assert rows["side"].tolist() == [1, -1]
    assert rows["notional_usd"].tolist() == [1_000.0, 0.0]
    assert np.isnan(rows["price_usd"]).all()
    assert np.isnan(rows["qty_base"]).all()
    assert set(rows["flags"]) == {Flag.TOTAL}
    assert set(rows["ts_event_ns"]) == {T("2026-01-10T06:00")}
    assert set(rows["ts_received_ns"]) == {T("2026-01-10T07:00")}


def test_bars_open_interest_and_funding_stand_at_the_end_of_the_hour(folder):
    folder.write("regime_1h", [hour("2026-01-10T06:00", funding=0.004, oi=8.5e9)])
    result = run(FORMAT, folder.path)
    bar, oi, funding = (result.rows(kind, ID) for kind in (Kind.BAR, Kind.OPEN_INTEREST, Kind.FUNDING))
    assert [rows["ts_received_ns"].tolist() for rows in (bar, oi, funding)] == [[T("2026-01-10T07:00")]] * 3
    assert bar["ts_event_ns"].tolist() == [T("2026-01-10T06:00")]
    assert np.isnan(bar["buy_qty_base"]).all()
    assert oi["oi_usd"].tolist() == [8.5e9]
    assert np.isnan(oi["oi_base"]).all()
    np.testing.assert_allclose(funding["rate_ratio"], [4e-5])
    assert funding["interval_ns"].tolist() == [8 * HOUR_NS]


def test_cvd_that_is_always_zero_is_missing_and_counted(folder):
    folder.write("regime_1h", [hour("2026-01-10T06:00"), hour("2026-01-10T07:00")])
    result = run(FORMAT, folder.path)
    assert result.tally.repaired["zero_cvd_dropped"] == 2
    assert {batch.kind for batch in result.batches} == {
        Kind.BAR,
        Kind.LIQUIDATION,
        Kind.OPEN_INTEREST,
        Kind.FUNDING,
    }


def test_cvd_that_is_not_zero_is_named_as_not_imported(folder):
    folder.write("regime_1h", [hour("2026-01-10T06:00", cvd=12)])
    assert run(FORMAT, folder.path).tally.unchecked == {"cvd_not_imported": 1}


def test_a_zero_of_open_interest_is_dropped(folder):
    folder.write("regime_1h", [hour("2026-01-10T06:00", oi=0)])
    result = run(FORMAT, folder.path)
    assert result.rows(Kind.OPEN_INTEREST, ID).size == 0
    assert result.tally.repaired["zero_open_interest_dropped"] == 1


def test_a_missing_hour_is_a_gap_of_everything(folder):
    folder.write("regime_1h", [hour("2026-01-10T06:00"), hour("2026-01-10T08:00")])
    result = run(FORMAT, folder.path)
    span = (T("2026-01-10T07:00"), T("2026-01-10T08:00"))
    kinds = ("funding", "liquidation", "open_interest")
    assert result.gaps("missing_rows") == [(ID, kind, *span) for kind in kinds]
    assert result.gaps("no_bars") == [(ID, "bar", *span)]


def test_contradictory_rows_are_rejected_and_counted(folder):
    folder.write(
        "regime_1h",
        [
            hour("2026-01-10T06:00", total=9_999.0),
            hour("2026-01-10T07:00", high=79_000.0),
            hour("2026-01-10T08:00"),
        ],
    )
    result = run(FORMAT, folder.path)
    assert result.tally.rejected == {"total_is_not_long_plus_short": 1, "inconsistent_bar": 1}
    assert len(result.rows(Kind.BAR, ID)) == 1


def test_only_btc_and_only_the_selected_hours(folder):
    folder.write("regime_1h", [hour(f"2026-01-10T{h:02d}:00") for h in range(6, 12)])
    assert run(FORMAT, folder.path, assets=["ETH"]).tally.rejected == {"outside_selection": 6}
    result = run(
        FORMAT, folder.path, assets=["BTC"], from_ns=T("2026-01-10T08:00"), to_ns=T("2026-01-10T09:00")
    )
    assert result.rows(Kind.BAR, ID)["ts_received_ns"].tolist() == [T("2026-01-10T08:00")]
    assert result.tally.rejected == {"outside_selection": 5}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"long": float("nan"), "total": 1.0}, "liquidation_long_usd"),
        ({"short": -1.0}, "liquidation_short_usd"),
        ({"funding": 101}, "funding_close"),
        ({"oi": -1}, "oi_close"),
        ({"high": float("inf")}, "price_high"),
    ],
)
def test_an_impossible_value_names_file_line_and_field(folder, change, field):
    folder.write("regime_1h", [hour("2026-01-10T06:00"), hour("2026-01-10T07:00", **change)])
    with pytest.raises(ImportRejected) as failure:
        run(FORMAT, folder.path)
    assert failure.value.where.endswith(f"regime_1h.csv: line 3, field {field}")


def test_a_stamp_that_is_not_the_start_of_an_hour_is_refused(folder):
    folder.write("regime_1h", [hour("2026-01-10T06:30")])
    with pytest.raises(ImportRejected, match="start of an hour"):
        run(FORMAT, folder.path)
