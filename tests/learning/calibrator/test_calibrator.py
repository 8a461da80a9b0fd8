from __future__ import annotations

import numpy as np
import pytest
from tests.learning.calibrator.margin_scores import scored
from tests.learning.calibrator.markets import START_NS, market

from faultline.errors import RequestError, StoreError
from faultline.learning.calibrator.calibrator import Calibrator, CalibratorSettings
from faultline.learning.calibrator.hierarchy import CalibratorPrior
from faultline.learning.calibrator.offset import OffsetPrior
from faultline.learning.calibrator.prints import PRINT_ROW, PrintLocator, known_prints
from faultline.learning.calibrator.report import EngineChange, SideTurn
from faultline.learning.calibrator.reporting import unknown_windows
from faultline.learning.calibrator.sides import SideVerdict
from faultline.messages import Flag
from faultline.units import MINUTE_NS, SECOND_NS, PriceKind

FOREVER = 2**62


def run(rows, path, **options):
    found = Calibrator("venue:BTCUSDT", **options)
    return found, found.apply(rows, path, FOREVER)


def test_offset_delay_and_sides_of_a_venue_are_recovered_from_its_prints_and_the_path():
    calibrator, found = run(*market(1, n_events=1500))
    report = calibrator.report()
    (offset,) = report.offsets
    assert offset.price_kind is PriceKind.BANKRUPTCY
    assert offset.anti.low <= -40.0 <= offset.anti.high
    assert abs(offset.anti.value + 40.0) < 1.0
    assert offset.anti.unit == "bp"
    assert abs(offset.sym.value) < 1.0
    assert offset.clusters_bps[0][0] == pytest.approx(-40.0, abs=2.0)
    assert report.delay.low - 0.1 <= 1.0 <= report.delay.high + 0.1
    assert abs(calibrator.delay_s - 1.0) <= 0.3
    assert report.delay.data_share > 0.8
    assert report.receipt.value == pytest.approx(0.05, rel=0.05)
    assert report.verdict is SideVerdict.RIGHT
    assert [type(entry) for entry in found] == [SideTurn]
    assert (report.n_learned, report.n_unlocated, report.n_mistimed) == (1500, 0, 0)


@pytest.mark.parametrize("delay_s", [0.0, 0.3, 2.0])
def test_other_delays_are_recovered_too(delay_s):
    calibrator, _ = run(*market(20, n_events=1200, delay_s=delay_s))
    found = calibrator.report().delay
    assert found.low - 0.1 <= delay_s <= found.high + 0.1
    assert abs(found.value - delay_s) <= 0.3


def test_a_change_of_the_print_offset_is_found_and_the_new_one_learned():
    calibrator, found = run(*market(2, n_events=1200, change_at=800, change_bps=-10.0))
    changes = [entry for entry in found if isinstance(entry, EngineChange)]
    assert len(changes) == 1
    rows, _ = market(2, n_events=1200, change_at=800, change_bps=-10.0)
    late = int((rows["ts_event_ns"] <= changes[0].time_ns).sum()) - 800
    print(late, changes[0])
    assert 0 < late < 60
    assert changes[0].what == "print offset"
    assert abs(changes[0].after_bps + 50.0) <= 8.0
    assert calibrator.report().changes == tuple(changes)
    assert abs(calibrator.offset_bps(PriceKind.BANKRUPTCY)[1] + 50.0) < 1.0


def test_twenty_thousand_prints_without_a_change_raise_no_alarm():
    _, found = run(*market(3, n_events=20_000, spacing_s=6))
    assert [entry.verdict for entry in found if isinstance(entry, SideTurn)] == [SideVerdict.RIGHT]
    assert [entry for entry in found if isinstance(entry, EngineChange)] == []


def test_a_feed_whose_sides_turn_raises_an_alarm():
    _, found = run(*market(4, n_events=600, inverted_from=400))
    turns = [entry.verdict for entry in found if isinstance(entry, SideTurn)]
    assert turns[:2] == [SideVerdict.RIGHT, SideVerdict.INVERTED]


def test_sides_that_the_importer_has_turned_are_votes_against_the_feed():
    rows, path = market(5, n_events=300)
    rows["flags"] = Flag.SIDE_REPAIRED
    calibrator, _ = run(rows, path)
    assert calibrator.report().verdict is SideVerdict.INVERTED
    assert abs(calibrator.offset_bps(PriceKind.BANKRUPTCY)[1] + 40.0) < 1.5


def _pieces(rows, path, cuts_ns):
    """The same input in calls that end at given moments, as a pipeline would get it."""
    first = 0
    for upto in [*cuts_ns, FOREVER]:
        received = (rows["ts_received_ns"] > first) & (rows["ts_received_ns"] <= upto)
        closed = (path["end_ns"] > first) & (path["end_ns"] <= upto)
        yield rows[received], path[closed], upto
        first = upto


def test_any_cut_gives_the_same_bytes_and_findings():
    rows, path = market(6, n_events=700, change_at=400, change_bps=-25.0)
    # A hole in the path, in which events have no mark.
    path = path[(path["end_ns"] < path["end_ns"][3000]) | (path["end_ns"] > path["end_ns"][3900])]
    whole, found = run(rows, path)
    assert whole.report().n_unlocated > 0
    last = int(path["end_ns"][-1])
    rng = np.random.default_rng(7)
    cuts = sorted(int(t) for t in rng.integers(START_NS, last, 40))
    calibrator, pieces = Calibrator("venue:BTCUSDT"), []
    for part, bars, upto in _pieces(rows, path, cuts):
        calibrator = Calibrator.from_state("venue:BTCUSDT", calibrator.state())
        pieces += calibrator.apply(part, bars, upto)
    assert pieces == found
    assert calibrator.report() == whole.report()
    assert {k: v.tobytes() for k, v in calibrator.state().items()} == {
        k: v.tobytes() for k, v in whole.state().items()
    }


def test_a_prior_of_the_class_stands_until_events_come():
    prior = CalibratorPrior(
        offsets={PriceKind.BANKRUPTCY: OffsetPrior(anti_bps=-45.0, anti_sd_bps=6.0)}, delay_s=0.8
    )
    calibrator = Calibrator("venue:BTCUSDT", prior=prior)
    assert calibrator.offset_bps(PriceKind.BANKRUPTCY) == (0.0, -45.0)
    assert calibrator.delay_s == pytest.approx(0.8)
    calibrator.apply(*market(8, n_events=60), FOREVER)
    assert abs(calibrator.offset_bps(PriceKind.BANKRUPTCY)[1] + 40.0) < 2.0


def test_minute_bars_teach_the_offset_with_a_wider_range_and_no_delay():
    rows, path = market(9, n_events=1500)
    usable = len(path) // 60 * 60
    minutes = path[59:usable:60].copy()
    minutes["start_ns"] = path["start_ns"][0:usable:60]
    minutes["low_usd"] = path["low_usd"][:usable].reshape(-1, 60).min(axis=1)
    minutes["high_usd"] = path["high_usd"][:usable].reshape(-1, 60).max(axis=1)
    fine, coarse = run(rows, path)[0].report(), run(rows, minutes)[0].report()
    wide, narrow = coarse.offsets[0].anti, fine.offsets[0].anti
    assert wide.low <= -40.0 <= wide.high
    assert wide.high - wide.low > 2.0 * (narrow.high - narrow.low)
    assert coarse.delay.data_share == 0.0


def test_a_change_of_a_margin_is_remembered_with_the_time_it_was_found():
    rng = np.random.default_rng(11)
    calibrator = Calibrator("venue:BTCUSDT", tier_caps_usd=(3e5,))
    assert calibrator.apply_margins(scored(rng, 1200, 0.0), np.arange(1200) * MINUTE_NS) == []
    times = np.arange(1200, 1350) * MINUTE_NS
    (change,) = calibrator.apply_margins(scored(rng, 150, -25.0), times)
    assert (change.what, change.subject) == ("margin", 0)
    assert (change.before_bps, change.after_bps) == (0.0, -10.0)
    assert 1200 * MINUTE_NS < change.time_ns < 1350 * MINUTE_NS
    report = calibrator.report()
    assert report.changes == (change,)
    assert [(tier.floor_usd, tier.cap_usd) for tier in report.margins] == [(0.0, 3e5), (3e5, np.inf)]
    kept = Calibrator.from_state("venue:BTCUSDT", calibrator.state(), tier_caps_usd=(3e5,))
    assert kept.report().changes == (change,)
    assert kept.report().margins == report.margins


def test_a_feed_that_mixes_venues_has_no_margin_to_learn():
    calibrator = Calibrator("mixed:BTC", settings=CalibratorSettings(is_one_venue=False))
    scores = scored(np.random.default_rng(12), 1500, 10.0)
    assert calibrator.apply_margins(scores, np.arange(1500) * MINUTE_NS) == []
    (margin,) = calibrator.report().margins
    assert (margin.correction.n_events, margin.correction.data_share) == (0.0, 0.0)


def test_the_share_comes_with_its_sources():
    calibrator = Calibrator("venue:BTCUSDT")
    windows = unknown_windows(np.arange(1, 101) * MINUTE_NS)
    windows["reported"], windows["expected"] = 3.0, 10.0
    calibrator.apply_windows(windows)
    report = calibrator.report()
    assert report.share.low < 0.3 < report.share.high
    assert [source.source for source in report.sources] == ["implied"]


def test_prints_of_another_instrument_and_impossible_stamps_are_counted_and_teach_nothing():
    rows, path = market(11, n_events=200, outliers=0.0)
    odd = rows.copy()
    odd["price_usd"][::4] *= 1.5
    odd["ts_received_ns"][1::4] += 3600 * SECOND_NS
    odd["price_usd"][2::20] = np.nan
    order = np.argsort(odd["ts_received_ns"], kind="stable")
    calibrator, _ = run(odd[order], path)
    report = calibrator.report()
    assert (report.n_foreign, report.n_mistimed, report.n_unusable) == (50, 50, 10)
    assert report.n_learned == 140
    assert abs(report.offsets[0].anti.value + 40.0) < 1.0


def test_a_locator_finds_the_mark_on_the_line_between_closes():
    rows, path = market(12, n_events=50)
    located = PrintLocator().apply(rows, path, FOREVER)
    logs = np.log(path["close_usd"])
    for row in located:
        for lag_s, column in ((0.0, 0), (1.0, 10), (4.0, -1)):
            moment = row["ts_event_ns"] - round(lag_s * SECOND_NS)
            after = next(k for k, end in enumerate(path["end_ns"]) if end >= moment)
            part = (moment - path["end_ns"][after - 1]) / SECOND_NS
            expected = (1.0 - part) * logs[after - 1] + part * logs[after]
            assert row["log_marks"][column] == pytest.approx(expected, abs=1e-12)
    assert located["is_fine"].all()


def test_an_event_waits_for_the_path_and_is_given_up_where_none_comes():
    rows, path = market(13, n_events=50)
    moment = int(rows["ts_event_ns"][20])
    locator = PrintLocator()
    early = locator.apply(rows, path[path["end_ns"] <= moment - SECOND_NS], moment)
    assert 0 < len(early) <= 20
    late = locator.apply(rows[:0], path[path["end_ns"] > moment - SECOND_NS], FOREVER)
    assert len(early) + len(late) == 50
    nowhere = PrintLocator()
    assert len(nowhere.apply(rows, path[:0], FOREVER)) == 0
    assert nowhere.n_unlocated == 50


def test_marks_recorded_with_their_events_need_no_path():
    rows, _ = market(14, n_events=400, outliers=0.0, delay_s=0.0)
    marks = rows["price_usd"] * np.exp(rows["side"] * 39e-4)
    marks[::10] = np.nan
    prints = known_prints(rows, marks, np.full(400, np.nan))
    assert prints.dtype == PRINT_ROW
    assert len(prints) == 360
    calibrator = Calibrator("venue:BTCUSDT")
    calibrator.apply_prints(prints)
    assert calibrator.offset_bps(PriceKind.BANKRUPTCY)[1] == pytest.approx(-39.0, abs=0.3)
    with pytest.raises(RequestError, match="marks"):
        known_prints(rows, marks[1:], marks)


def test_a_feed_that_mixes_venues_tells_no_change_of_engine():
    rows, path = market(15, n_events=900, change_at=450, change_bps=-25.0)
    _, found = run(rows, path, settings=CalibratorSettings(is_one_venue=False))
    assert [entry for entry in found if isinstance(entry, EngineChange)] == []


def test_a_foreign_state_is_refused():
    state = Calibrator("venue:BTCUSDT").state()
    with pytest.raises(StoreError, match="state of a calibrator"):
        Calibrator.from_state("venue:BTCUSDT", state | {"version": np.array([9])})
    with pytest.raises(StoreError, match="margin bank"):
        Calibrator.from_state("venue:BTCUSDT", Calibrator("venue:BTCUSDT").state(), tier_caps_usd=(3e5,))
