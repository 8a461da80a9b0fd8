from __future__ import annotations

import numpy as np
import pytest
from tests.sources.archives.conftest import minute, run, second

from faultline.errors import ImportRejected
from faultline.messages import Flag, Kind
from faultline.units import PriceKind, parse_time_ns

T = parse_time_ns
FORMAT = "faultline-2026"


def event(asset: str, moment: str, side: str, price: float, qty: float = 0.5) -> tuple:
    return (asset, repr(second(moment)), side, price, qty, repr(price * qty))


@pytest.fixture
def early(folder):
    """Two hours of flat BTC bars in the Binance-only recording."""
    folder.minutes("BTC", "2026-02-04T10:00", 120)
    return folder


@pytest.fixture
def mixed(folder):
    """Two hours of flat BTC bars after Bybit and OKX joined."""
    folder.minutes("BTC", "2026-02-25T10:00", 120)
    return folder


def liquidations(folder, *events, instrument_id="binance:BTCUSDT", **selected):
    folder.write("force_orders", list(events))
    result = run(FORMAT, folder.path, **selected)
    return result, result.rows(Kind.LIQUIDATION, instrument_id)


def test_a_price_is_a_bankruptcy_price_and_a_side_is_the_position(early):
    _, rows = liquidations(
        early,
        event("BTC", "2026-02-04T10:00:30.250001", "long", 79_700.0, 0.25),
        event("BTC", "2026-02-04T10:00:31.5", "short", 80_300.0, 2.0),
    )
    assert rows["price_kind"].tolist() == [PriceKind.BANKRUPTCY] * 2
    assert rows["side"].tolist() == [1, -1]
    assert rows["price_usd"].tolist() == [79_700.0, 80_300.0]
    assert rows["qty_base"].tolist() == [0.25, 2.0]
    assert rows["notional_usd"].tolist() == [79_700.0 * 0.25, 160_600.0]


def test_a_time_keeps_its_microseconds(early):
    _, rows = liquidations(early, event("BTC", "2026-02-04T10:00:30.250001", "long", 79_700.0))
    assert rows["ts_event_ns"].tolist() == [T("2026-02-04T10:00:30.250001")]


def test_binance_alone_is_a_sample_on_the_recorders_clock(early):
    _, rows = liquidations(early, event("BTC", "2026-02-04T10:00:30.25", "long", 79_700.0))
    assert rows["flags"].tolist() == [Flag.SAMPLED]
    assert rows["ts_received_ns"].tolist() == rows["ts_event_ns"].tolist()


def test_mixed_venues_have_their_own_id_and_an_assumed_receive_time(mixed):
    _, rows = liquidations(
        mixed, event("BTC", "2026-02-25T10:00:30.25", "long", 79_700.0), instrument_id="mixed:BTC"
    )
    assert rows["flags"].tolist() == [Flag.RECEIVED_ASSUMED]


def test_the_id_changes_at_midnight_of_the_mixed_recording(folder):
    folder.minutes("BTC", "2026-02-22T23:58", 4)
    folder.write(
        "force_orders",
        [
            event("BTC", "2026-02-22T23:59:59.999999", "long", 79_700.0),
            event("BTC", "2026-02-23T00:00:00", "long", 79_700.0),
        ],
    )
    result = run(FORMAT, folder.path)
    assert len(result.rows(Kind.LIQUIDATION, "binance:BTCUSDT")) == 1
    assert len(result.rows(Kind.LIQUIDATION, "mixed:BTC")) == 1


@pytest.mark.parametrize(
    ("price", "is_kept"), [(82_424.0, True), (82_437.0, False), (77_637.0, True), (77_635.0, False)]
)
def test_an_event_three_percent_from_its_minute_is_another_instrument(early, price, is_kept):
    result, rows = liquidations(early, event("BTC", "2026-02-04T10:00:30", "long", price))
    assert len(rows) == is_kept
    assert result.tally.rejected["foreign_instrument"] == (not is_kept)


def test_btcdom_recorded_as_btc_is_rejected(early):
    result, rows = liquidations(
        early,
        event("BTC", "2026-02-04T10:00:30", "long", 4_712.0),
        event("BTC", "2026-02-04T10:00:31", "long", 0.0183),
        event("BTC", "2026-02-04T10:00:32", "long", 79_690.0),
    )
    assert rows["price_usd"].tolist() == [79_690.0]
    assert result.tally.rejected["foreign_instrument"] == 2


def test_without_a_bar_of_its_minute_an_event_is_held_to_the_nearest_one(folder):
    folder.minutes("BTC", "2026-02-04T10:00", 10)
    result, rows = liquidations(
        folder,
        event("BTC", "2026-02-04T10:30:00", "long", 76_000.0),
        event("BTC", "2026-02-04T10:30:01", "long", 4_712.0),
    )
    assert rows["price_usd"].tolist() == [76_000.0]
    assert result.tally.rejected["foreign_instrument"] == 1


def test_events_of_an_asset_without_any_bar_are_counted_not_guessed(early):
    result, _ = liquidations(early, event("ETH", "2026-02-04T10:00:30", "long", 2_000.0))
    assert result.tally.rejected["no_reference_price"] == 1
    assert result.rows(Kind.LIQUIDATION, "binance:ETHUSDT").size == 0


def test_exact_duplicates_are_dropped_and_near_ones_are_not(early):
    first = event("BTC", "2026-02-04T10:00:30", "long", 79_700.0, 0.5)
    result, rows = liquidations(
        early,
        first,
        first,
        event("BTC", "2026-02-04T10:00:30", "long", 79_700.0, 0.6),
        event("BTC", "2026-02-04T10:00:30.000001", "long", 79_700.0, 0.5),
    )
    assert len(rows) == 3
    assert result.tally.rejected["duplicate"] == 1


@pytest.mark.parametrize(
    ("recorded", "price", "side", "is_repaired"),
    [
        ("short", 79_839.0, 1, True),  # 20.1 bp below the close: a long, whatever was recorded
        ("short", 79_841.0, -1, False),  # 19.9 bp below: too near to tell
        ("long", 80_161.0, -1, True),  # 20.1 bp above: a short
        ("long", 80_159.0, 1, False),
        ("long", 79_600.0, 1, False),  # right as it is
        ("short", 80_400.0, -1, False),
    ],
)
def test_mixed_sides_are_read_from_the_price(mixed, recorded, price, side, is_repaired):
    result, rows = liquidations(
        mixed, event("BTC", "2026-02-25T10:00:30", recorded, price), instrument_id="mixed:BTC"
    )
    assert rows["side"].tolist() == [side]
    assert bool(rows["flags"][0] & Flag.SIDE_REPAIRED) is is_repaired
    assert result.tally.repaired["side"] == is_repaired


def test_sides_before_the_mixed_recording_are_left_alone(early):
    result, rows = liquidations(early, event("BTC", "2026-02-04T10:00:30", "short", 79_600.0))
    assert rows["side"].tolist() == [-1]
    assert result.tally.repaired["side"] == 0


def test_a_mixed_event_without_a_bar_keeps_its_side_and_is_counted_as_unchecked(mixed):
    result, rows = liquidations(
        mixed, event("BTC", "2026-02-25T12:30:30", "short", 79_000.0), instrument_id="mixed:BTC"
    )
    assert rows["side"].tolist() == [-1]
    assert result.tally.unchecked == {"side_without_bar": 1}


def test_a_notional_that_is_not_price_times_quantity_is_rejected(early):
    line = ("BTC", second("2026-02-04T10:00:30"), "long", 79_700.0, 0.5, 79_700.0)
    result, rows = liquidations(early, line)
    assert rows.size == 0
    assert result.tally.rejected["notional_is_not_price_times_qty"] == 1


def test_a_minute_key_is_the_end_of_its_bar(folder):
    end = minute("2026-02-04T10:01")
    folder.write("minute_ohlc", [("BTC", end, end * 60 + 0.05, 80_000, 80_010, 79_990, 80_005)])
    rows = run(FORMAT, folder.path).rows(Kind.BAR, "binance:BTCUSDT")
    assert rows["ts_event_ns"].tolist() == [T("2026-02-04T10:00")]
    assert rows["ts_received_ns"].tolist() == [T("2026-02-04T10:01")]
    assert [float(rows[n][0]) for n in ("open_usd", "high_usd", "low_usd", "close_usd")] == [
        80_000,
        80_010,
        79_990,
        80_005,
    ]


def test_an_event_is_held_to_the_bar_that_contains_it(folder):
    folder.bars({"BTC": [("2026-02-25T10:01", 80_000.0), ("2026-02-25T10:02", 81_000.0)]})
    result, rows = liquidations(
        folder, event("BTC", "2026-02-25T10:01:00", "short", 80_500.0), instrument_id="mixed:BTC"
    )
    # 62 bp below 81,000, the close of [10:01, 10:02), and 62 bp above that of the bar before.
    assert rows["side"].tolist() == [1]
    assert result.tally.repaired["side"] == 1


def test_bars_with_the_same_key_are_merged_by_their_stamps(folder):
    end = minute("2026-02-05T18:22")
    folder.write(
        "minute_ohlc",
        [
            ("BTC", end, end * 60 + 58.5, 82_000, 82_400, 81_900, 82_300),
            ("BTC", end, end * 60 + 0.04, 81_500, 82_100, 81_000, 82_050),
        ],
    )
    result = run(FORMAT, folder.path)
    rows = result.rows(Kind.BAR, "binance:BTCUSDT")
    values = [float(rows[name][0]) for name in ("open_usd", "high_usd", "low_usd", "close_usd")]
    assert values == [81_500, 82_400, 81_000, 82_300]
    assert len(rows) == 1
    assert result.tally.repaired["bars_merged"] == 1


def inputs_line(
    asset: str, end: str, close: float, buy: float = 3.0, sell: float = 4.0, ok: str = "True"
) -> tuple:
    return (asset, "2026-02-04T05:00:00", minute(end), close, close + 5, close - 5, close, buy, sell, 0.0, ok)


def test_volumes_come_from_minute_inputs_under_the_same_key(folder):
    folder.minutes("BTC", "2026-02-04T10:00", 3)
    folder.write("minute_inputs", [inputs_line("BTC", "2026-02-04T10:02", 80_000.0, 7.5, 2.25)])
    rows = run(FORMAT, folder.path).rows(Kind.BAR, "binance:BTCUSDT")
    np.testing.assert_array_equal(rows["buy_qty_base"], [np.nan, 7.5, np.nan])
    np.testing.assert_array_equal(rows["sell_qty_base"], [np.nan, 2.25, np.nan])
    assert rows["high_usd"].tolist() == [80_000.0] * 3


def test_two_zero_volumes_are_missing_and_one_is_not(folder):
    folder.minutes("BTC", "2026-02-04T10:00", 2)
    folder.write(
        "minute_inputs",
        [
            inputs_line("BTC", "2026-02-04T10:01", 80_000.0, 0, 0),
            inputs_line("BTC", "2026-02-04T10:02", 80_000.0, 0, 2),
        ],
    )
    result = run(FORMAT, folder.path)
    rows = result.rows(Kind.BAR, "binance:BTCUSDT")
    np.testing.assert_array_equal(rows["buy_qty_base"], [np.nan, 0.0])
    assert result.tally.repaired["zero_volume_dropped"] == 1


def test_before_the_first_bar_minute_inputs_gives_bars_without_an_open(folder):
    folder.minutes("SOL", "2026-02-24T10:10", 2, price=85.0)
    folder.write(
        "minute_inputs", [inputs_line("SOL", f"2026-02-24T10:{m:02d}", 84.0) for m in (7, 8, 9, 10, 11)]
    )
    result = run(FORMAT, folder.path)
    rows = result.rows(Kind.BAR, "binance:SOLUSDT")
    assert np.isnan(rows["open_usd"]).tolist() == [True] * 4 + [False] * 2
    assert rows["close_usd"].tolist() == [84.0] * 4 + [85.0] * 2
    assert result.gaps("no_open") == [
        ("binance:SOLUSDT", "bar", T("2026-02-24T10:06"), T("2026-02-24T10:10"))
    ]
    assert result.gaps("no_bars") == []


def test_minute_inputs_does_not_fill_holes_between_bars(folder):
    folder.bars({"BTC": [("2026-02-04T10:01", 80_000.0), ("2026-02-04T10:04", 80_000.0)]})
    folder.write("minute_inputs", [inputs_line("BTC", "2026-02-04T10:02", 80_000.0)])
    result = run(FORMAT, folder.path)
    assert len(result.rows(Kind.BAR, "binance:BTCUSDT")) == 2
    assert result.tally.rejected["volume_without_bar"] == 1


def aggression_line(start: str, buy: float, sell: float, *, fallback: str = "False") -> tuple:
    return ("BTC", "2026-02-04T05:00:00", minute(start), 80_000.0, 10, buy, sell, buy + sell, fallback)


def test_minute_aggression_keys_are_starts_and_its_usd_becomes_coins_at_the_close(folder):
    folder.minutes("BTC", "2026-02-04T10:00", 3)
    folder.write("minute_aggression", [aggression_line("2026-02-04T10:01", 160_000.0, 40_000.0)])
    rows = run(FORMAT, folder.path).rows(Kind.BAR, "binance:BTCUSDT")
    np.testing.assert_array_equal(rows["buy_qty_base"], [np.nan, 2.0, np.nan])
    np.testing.assert_array_equal(rows["sell_qty_base"], [np.nan, 0.5, np.nan])


def test_of_repeated_aggression_minutes_the_last_stays_and_fallbacks_never(folder):
    folder.minutes("BTC", "2026-02-04T10:00", 2)
    folder.write(
        "minute_aggression",
        [
            aggression_line("2026-02-04T10:00", 80_000.0, 80_000.0),
            aggression_line("2026-02-04T10:00", 160_000.0, 80_000.0),
            aggression_line("2026-02-04T10:01", 160_000.0, 80_000.0, fallback="True"),
        ],
    )
    result = run(FORMAT, folder.path)
    np.testing.assert_array_equal(result.rows(Kind.BAR, "binance:BTCUSDT")["buy_qty_base"], [2.0, np.nan])
    assert result.tally.rejected["repeated_minute"] == 1
    assert result.tally.rejected["fallback_volume"] == 1


def test_minute_inputs_wins_over_minute_aggression(folder):
    folder.minutes("BTC", "2026-02-04T10:00", 1)
    folder.write("minute_inputs", [inputs_line("BTC", "2026-02-04T10:01", 80_000.0, 7.0, 6.0)])
    folder.write("minute_aggression", [aggression_line("2026-02-04T10:00", 80_000.0, 80_000.0)])
    result = run(FORMAT, folder.path)
    assert result.rows(Kind.BAR, "binance:BTCUSDT")["buy_qty_base"].tolist() == [7.0]
    assert result.tally.rejected["volume_already_known"] == 1


def test_calibrator_times_are_five_hours_behind_and_only_marks_are_kept(early):
    line = ("BTC", "2026-02-25T05:00:30", second("2026-02-25T05:00:30"), "long", 79_700.0, 0.5)
    early.write("calibrator_events", [(*line, 80_010.5, "markPrice"), (*line, 80_020.5, "mid")])
    result = run(FORMAT, early.path)
    rows = result.rows(Kind.MARK, "mixed:BTC")
    assert rows["ts_event_ns"].tolist() == [T("2026-02-25T10:00:30")]
    assert rows["mark_price_usd"].tolist() == [80_010.5]
    assert result.tally.rejected["not_a_mark_price"] == 1
    assert result.tally.repaired["clock_five_hours_behind"] == 1


def test_a_hole_of_ten_minutes_casts_doubt_on_liquidations_around_it(folder):
    bars = [(f"2026-02-04T10:{m:02d}", 80_000.0) for m in (1, 2, 13, 14, 24)]
    folder.bars({"BTC": bars})
    result, _ = liquidations(folder, event("BTC", "2026-02-04T10:00:30", "long", 79_700.0))
    assert result.gaps("no_bars") == [
        ("binance:BTCUSDT", "bar", T("2026-02-04T10:02"), T("2026-02-04T10:12")),
        ("binance:BTCUSDT", "bar", T("2026-02-04T10:14"), T("2026-02-04T10:23")),
    ]
    assert result.gaps("padding") == [
        ("binance:BTCUSDT", "liquidation", T("2026-02-04T09:42"), T("2026-02-04T10:17"))
    ]


def test_silence_of_all_symbols_is_a_gap_and_silence_of_one_is_not(folder):
    lines = []
    for asset, price in (("BTC", 80_000.0), ("ETH", 2_000.0)):
        first = minute("2026-02-25T10:00")
        lines += [(asset, first + k, (first + k) * 60, *[price] * 4) for k in range(1, 181)]
    folder.write("minute_ohlc", lines)
    folder.write(
        "force_orders",
        [
            event("BTC", "2026-02-25T10:00:30", "long", 79_700.0),
            event("ETH", "2026-02-25T10:00:40", "long", 1_990.0),
            event("ETH", "2026-02-25T10:40:00", "long", 1_990.0),
            event("BTC", "2026-02-25T11:25:01", "long", 79_700.0),
        ],
    )
    span = (T("2026-02-25T10:40:00"), T("2026-02-25T11:25:01"))
    assert run(FORMAT, folder.path).gaps("silence") == [
        ("mixed:BTC", "liquidation", *span),
        ("mixed:ETH", "liquidation", *span),
    ]
    # The silence is one of all symbols, also where only one of them is imported.
    assert run(FORMAT, folder.path, assets=["BTC"]).gaps("silence") == [("mixed:BTC", "liquidation", *span)]


def test_the_recorders_known_faults_are_gaps_of_every_asset_recorded_then(folder):
    folder.bars(
        {
            "BTC": [("2026-02-24T14:20", 80_000.0), ("2026-02-24T17:00", 80_000.0)],
            "ETH": [("2026-02-24T14:20", 2_000.0), ("2026-02-24T17:00", 2_000.0)],
        }
    )
    folder.write(
        "force_orders",
        [
            event("BTC", "2026-02-24T14:19:30", "long", 79_700.0),
            event("ETH", "2026-02-24T14:19:31", "long", 1_995.0),
            event("ETH", "2026-02-24T16:59:31", "long", 1_995.0),
        ],
    )
    down = [(T("2026-02-24T14:25"), T("2026-02-24T15:20")), (T("2026-02-24T15:42"), T("2026-02-24T16:50"))]
    expected = [(scope, "liquidation", *span) for scope in ("mixed:BTC", "mixed:ETH") for span in down]
    assert run(FORMAT, folder.path).gaps("recorder_down") == expected


def test_a_gap_across_the_change_of_ids_is_split_there(folder):
    folder.bars({"BTC": [("2026-02-07T05:49", 80_000.0), ("2026-02-23T09:10", 80_000.0)]})
    folder.write(
        "force_orders",
        [
            event("BTC", "2026-02-07T05:40:00", "long", 79_700.0),
            event("BTC", "2026-02-23T09:09:30", "long", 79_700.0),
        ],
    )
    change = T("2026-02-23")
    assert run(FORMAT, folder.path).gaps("recorder_down") == [
        ("binance:BTCUSDT", "liquidation", T("2026-02-07T05:41"), change),
        ("mixed:BTC", "liquidation", change, T("2026-02-23T08:57")),
    ]


def test_time_with_bars_before_the_first_event_is_not_quiet_but_unrecorded(early):
    result, _ = liquidations(early, event("BTC", "2026-02-04T11:00:30", "long", 79_700.0))
    assert result.gaps("recorder_down") == [
        ("binance:BTCUSDT", "liquidation", T("2026-02-04T10:00"), T("2026-02-04T11:00:30"))
    ]


def test_events_before_the_first_bar_stay_and_the_missing_bars_are_a_gap(folder):
    folder.minutes("BTC", "2026-02-04T10:30", 10)
    result, rows = liquidations(folder, event("BTC", "2026-02-04T10:00:30", "long", 79_700.0))
    assert len(rows) == 1
    assert result.gaps("no_bars") == [
        ("binance:BTCUSDT", "bar", T("2026-02-04T10:00"), T("2026-02-04T10:30"))
    ]


def test_instruments_come_with_their_margin_tiers_and_say_that_their_time_is_assumed(early):
    rows = run(FORMAT, early.path).rows(Kind.INSTRUMENT, "binance:BTCUSDT")
    assert rows["maintenance_ratio"][:2].tolist() == [0.004, 0.005]
    assert rows["max_leverage"][0] == 150
    assert rows["deduction_usd"][:6].tolist() == pytest.approx([0, 300, 1_500, 12_000, 132_000, 482_000])
    assert set(rows["flags"]) == {Flag.RECEIVED_ASSUMED}
    assert set(rows["ts_received_ns"]) == {T("2026-02-04T10:01")}


def test_assets_and_times_are_selected_and_the_rest_is_counted(early):
    events = [event("BTC", f"2026-02-04T10:{m:02d}:30", "long", 79_700.0) for m in (5, 15, 25)]
    result, rows = liquidations(early, *events, from_ns=T("2026-02-04T10:10"), to_ns=T("2026-02-04T10:20"))
    assert len(rows) == 1
    assert len(result.rows(Kind.BAR, "binance:BTCUSDT")) == 10
    assert result.tally.rejected["outside_selection"] == 2 + 110
    nothing = run(FORMAT, early.path, assets=["ETH"])
    assert nothing.batches == []


def test_events_without_a_bar_file_are_refused(folder):
    path = folder.write("force_orders", [event("BTC", "2026-02-04T10:00:30", "long", 79_700.0)])
    with pytest.raises(ImportRejected, match="without bars"):
        run(FORMAT, path)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("BTC,1770199230,sideways,79700,0.5,39850", "side"),
        ("BTC,1770199230,long,0,0.5,39850", "price"),
        ("BTC,1770199230,long,nan,0.5,39850", "price"),
        ("BTC,1770199230,long,79700,-1,39850", "qty"),
        ("BTC,1770199230,long,79700,0.5,inf", "notional"),
        ("BTC,1770199230000,long,79700,0.5,39850", "ts"),
        ("BTC,nan,long,79700,0.5,39850", "ts"),
        ("BTC,1,long,79700,0.5,39850", "ts"),
        ("BTC,soon,long,79700,0.5,39850", "ts"),
    ],
)
def test_an_impossible_value_names_file_line_and_field(early, line, field):
    good = ",".join(map(str, event("BTC", "2026-02-04T10:00:30", "long", 79_700.0)))
    early.write("force_orders", [good, line])
    with pytest.raises(ImportRejected) as failure:
        run(FORMAT, early.path)
    assert failure.value.where.endswith(f"force_orders.csv: line 3, field {field}")
    assert failure.value.hint


def test_time_that_runs_backwards_is_refused(early):
    early.write(
        "force_orders",
        [
            event("BTC", "2026-02-04T10:00:31", "long", 79_700.0),
            event("BTC", "2026-02-04T10:00:30", "long", 79_700.0),
        ],
    )
    with pytest.raises(ImportRejected, match="must not decrease"):
        run(FORMAT, early.path)


def test_only_what_is_imported_counts_as_repaired(mixed):
    """The bar of 10:05 is merged from two lines, and the event in it has the wrong side."""
    end = minute("2026-02-25T10:05")
    with (mixed.path / "minute_ohlc.csv").open() as stream:
        lines = stream.read().splitlines()[1:]
    twice = [line for line in lines for _ in range(1 + line.startswith(f"BTC,{end},"))]
    mixed.write("minute_ohlc", twice)
    mixed.write("minute_inputs", [inputs_line("BTC", "2026-02-25T10:05", 80_000.0, 0, 0)])
    mixed.write("force_orders", [event("BTC", "2026-02-25T10:04:30", "short", 79_600.0)])
    whole = run(FORMAT, mixed.path)
    part = run(FORMAT, mixed.path, to_ns=T("2026-02-25T10:04"))
    assert whole.tally.repaired == {"bars_merged": 1, "zero_volume_dropped": 1, "side": 1}
    assert part.tally.repaired == {}
    assert part.tally.rejected == {"outside_selection": 121 + 1 + 1 - 3}
