"""What the calibrator finds in recorded liquidations; run with ``-s`` for the figures that the concept page quotes."""

from __future__ import annotations

import csv
import gzip

import numpy as np
import pytest

from faultline.learning.calibrator.calibrator import Calibrator, CalibratorSettings
from faultline.learning.calibrator.prints import known_prints
from faultline.learning.calibrator.report import EngineChange, SideTurn
from faultline.learning.calibrator.sides import SideVerdict
from faultline.market.path import PathBuilder
from faultline.messages import Kind, empty_rows
from faultline.sources.archives import import_files
from faultline.tape import Tape
from faultline.units import HOUR_NS, PriceKind, format_time_ns, parse_time_ns

#: From here on the feed mixes Binance with Bybit and OKX.
MIXED_NS = parse_time_ns("2026-02-23")


@pytest.fixture(scope="module")
def marked(recorded):
    """Liquidations with the mid at that moment, by asset: rows and mids."""
    found = {}
    with gzip.open(recorded / "liquidations_2026" / "calibrator_events.csv.gz", "rt") as lines:
        table = [row for row in csv.DictReader(lines) if row["src_price_at_event"]]
    for asset in ("BTC", "ETH", "SOL"):
        own = sorted((row for row in table if row["symbol"] == asset), key=lambda row: float(row["ts"]))
        rows = empty_rows(Kind.LIQUIDATION, len(own))
        # Stamps of this file are five hours behind.
        rows["ts_event_ns"] = [round(float(row["ts"]) * 1e3) * 1_000_000 + 5 * HOUR_NS for row in own]
        rows["ts_received_ns"] = rows["ts_event_ns"]
        rows["side"] = [1 if row["side"] == "long" else -1 for row in own]
        rows["price_kind"] = PriceKind.BANKRUPTCY
        rows["price_usd"] = [float(row["event_price"]) for row in own]
        rows["notional_usd"] = rows["price_usd"] * [float(row["qty"]) for row in own]
        found[asset] = rows, np.array([float(row["src_price_at_event"]) for row in own])
    return found


@pytest.fixture(scope="module")
def tape(recorded, tmp_path_factory):
    out = tmp_path_factory.mktemp("tapes") / "recorded"
    import_files("faultline-2026", [recorded / "liquidations_2026"], out, assets=["BTC", "ETH", "SOL"])
    return Tape(out)


def learned(rows, mids, *, is_one_venue):
    calibrator = Calibrator("recorded:X", settings=CalibratorSettings(is_one_venue=is_one_venue))
    findings = calibrator.apply_prints(known_prints(rows, mids, np.full(len(rows), np.nan)))
    return calibrator.report(), findings


def told(name, report):
    (offset,) = report.offsets
    anti, clusters = offset.anti, [(round(c, 1), round(share, 2)) for c, share in offset.clusters_bps]
    print(
        f"\n{name}: n {report.n_learned}, anti {anti.value:.1f} [{anti.low:.1f}, {anti.high:.1f}] bp, quartiles "
        f"{np.round(offset.quartiles_bps, 1)}, clusters {clusters}, sides {report.verdict}, "
        f"agreement {report.agreement.value:.2f}"
    )
    return offset


def test_binance_prints_bitcoin_39_bp_from_the_mid_whatever_the_size(marked):
    rows, mids = marked["BTC"]
    alone = rows["ts_event_ns"] < MIXED_NS
    report, findings = learned(rows[alone], mids[alone], is_one_venue=True)
    offset = told("BTC, Binance only", report)
    # Measured with the median of the same events: 38.9-39.1, quartiles 37-40.
    assert -39.5 < offset.anti.value < -38.1
    assert offset.quartiles_bps == pytest.approx((-40.0, -38.9, -37.0), abs=0.6)
    assert [centre for centre, _ in offset.clusters_bps] == [pytest.approx(-39.1, abs=0.7)]
    assert report.verdict is SideVerdict.RIGHT
    assert not [entry for entry in findings if isinstance(entry, EngineChange)]
    for low, high in ((0, 1e3), (1e3, 1e4), (1e4, 1e5), (1e5, 3e5)):
        part = alone & (rows["notional_usd"] >= low) & (rows["notional_usd"] < high)
        sized, _ = learned(rows[part], mids[part], is_one_venue=True)
        told(f"  {low:.0f}-{high:.0f} USD", sized)
        assert sized.offsets[0].quartiles_bps[1] == pytest.approx(-38.9, abs=1.0)


@pytest.mark.parametrize(
    ("asset", "expected"), [("BTC", (40.0, 51.0)), ("ETH", (40.0, 51.0)), ("SOL", (49.0,))]
)
def test_in_the_mixed_feed_it_finds_the_venues_and_that_sides_disagree(marked, asset, expected):
    rows, mids = marked[asset]
    mixed = rows["ts_event_ns"] >= MIXED_NS
    rows, mids = rows[mixed], mids[mixed]
    report, _ = learned(rows, mids, is_one_venue=False)
    told(f"{asset}, mixed, sides as recorded", report)
    # Bybit's sides were recorded inverted: about half of the prints lie on the wrong side of the mid.
    assert report.verdict is SideVerdict.MIXED
    repaired = rows.copy()
    repaired["side"] = np.where(rows["price_usd"] < mids, 1, -1)
    report, _ = learned(repaired, mids, is_one_venue=False)
    offset = told(f"{asset}, mixed, sides by price", report)
    centres = sorted(-centre for centre, _ in offset.clusters_bps)
    assert centres == [pytest.approx(centre, abs=1.5) for centre in expected]


@pytest.mark.parametrize(
    ("instrument", "bars_of", "expected_bps"),
    [
        ("binance:BTCUSDT", "binance:BTCUSDT", 39.0),
        ("mixed:BTC", "binance:BTCUSDT", 45.0),
        ("mixed:ETH", "binance:ETHUSDT", 45.0),
        ("mixed:SOL", "binance:SOLUSDT", 49.0),
    ],
)
def test_minute_bars_give_a_range_that_holds_the_offset(tape, instrument, bars_of, expected_bps):
    path = PathBuilder().apply(
        bars=tape.read("bar", bars_of),
        trades=empty_rows(Kind.TRADE),
        marks=empty_rows(Kind.MARK),
        upto_ns=2**62,
    )
    is_mixed = instrument.startswith("mixed:")
    calibrator = Calibrator(instrument, settings=CalibratorSettings(is_one_venue=not is_mixed))
    findings = calibrator.apply(tape.read("liquidation", instrument), path, 2**62)
    report = calibrator.report()
    offset = told(f"{instrument}, minute bars", report)
    turns = [(format_time_ns(f.time_ns), str(f.verdict)) for f in findings if isinstance(f, SideTurn)]
    print(turns, "unlocated", report.n_unlocated)
    assert offset.anti.low < -expected_bps < offset.anti.high
    assert report.verdict is (SideVerdict.MIXED if is_mixed else SideVerdict.RIGHT)
    assert not [entry for entry in findings if isinstance(entry, EngineChange)]
    assert report.delay.data_share == 0.0
