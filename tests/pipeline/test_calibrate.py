"""Feeds are calibrated minute by minute, the same however the tape is cut, and what is found is told once."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from tests.learning.calibrator.margin_scores import scored

from faultline.learning.bank import Hypothesis
from faultline.learning.calibrator.report import EngineChange, SideTurn
from faultline.learning.calibrator.sides import SideVerdict
from faultline.learning.history import Fact
from faultline.learning.margins import MarginAxis
from faultline.learning.posterior import LearnedWindows, join_windows
from faultline.learning.reporting import Likelihood
from faultline.market.path import PATH_ROW
from faultline.messages import Batch, Kind, empty_rows
from faultline.pipeline.calibrate import MarketCalibrator
from faultline.pipeline.parameters import PipelineParameters
from faultline.pipeline.shard import Shard
from faultline.pipeline.step import LocatedEvents, step
from faultline.signals.events import EventType
from faultline.units import HOUR_NS, MINUTE_NS, SECOND_NS, PriceKind, parse_time_ns
from faultline.zones.parameters import ZoneParameters

START = parse_time_ns("2026-01-05")
REFERENCE, FEED, MIXED = "binance:BTCUSDT", "gate:BTCUSDT", "mixed:BTC"
N_EVENTS = 400
EVERY_NS = 12 * SECOND_NS
END = START + N_EVENTS * EVERY_NS + HOUR_NS
NO_WINDOWS = join_windows([], 1, 2, MarginAxis((Hypothesis(),), np.zeros(1, dtype=np.int64)))


def path() -> np.ndarray:
    """Seconds of a price that wanders by less than a basis point each."""
    rng = np.random.default_rng(5)
    n = (END - START) // SECOND_NS
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 2e-5, n)))
    rows = np.zeros(n, PATH_ROW)
    rows["start_ns"] = START + np.arange(n) * SECOND_NS
    rows["end_ns"] = rows["start_ns"] + SECOND_NS
    rows["close_usd"] = close
    before = np.append(100.0, close[:-1])
    rows["low_usd"], rows["high_usd"] = np.minimum(before, close), np.maximum(before, close)
    return rows


PATH = path()


def prints(offsets_bps: np.ndarray, *, feed: str = FEED, turned: int = N_EVENTS) -> LocatedEvents:
    """Fills at an offset on the bad side of the mark; sides are the wrong way round from ``turned`` on."""
    rng = np.random.default_rng(8)
    times = START + MINUTE_NS // 2 + np.arange(N_EVENTS) * EVERY_NS
    sides = np.where(rng.random(N_EVENTS) < 0.5, 1, -1).astype(np.int8)
    marks = PATH["close_usd"][np.searchsorted(PATH["end_ns"], times)]
    price = marks * np.exp((sides * offsets_bps + rng.normal(0.0, 1.0, N_EVENTS)) * 1e-4)
    return LocatedEvents(
        instrument=np.full(N_EVENTS, feed),
        received_ns=times + SECOND_NS // 10,
        event_ns=times,
        side=np.where(np.arange(N_EVENTS) < turned, sides, -sides).astype(np.int8),
        price_usd=price,
        trigger_usd=price,
        notional_usd=np.full(N_EVENTS, 1e4),
        price_kind=np.full(N_EVENTS, int(PriceKind.BANKRUPTCY), dtype=np.uint8),
        flags=np.zeros(N_EVENTS, dtype=np.uint32),
    )


def run(events: LocatedEvents, edges: list[int], market: MarketCalibrator | None = None):
    """Findings and the calibrators, after steps from edge to edge."""
    market = market or MarketCalibrator({}, {"mixed"})
    found = []
    for after_ns, upto_ns in itertools.pairwise(edges):
        low, high = np.searchsorted(PATH["end_ns"], (after_ns, upto_ns), side="right")
        part = events.between(after_ns, upto_ns)
        found += market.apply({REFERENCE: PATH[low:high]}, REFERENCE, part, upto_ns)
    return market, found


def hours(*more: int) -> list[int]:
    """Whole hours of the tape and some moments besides."""
    return sorted({*range(START, END, HOUR_NS), END, *more})


STEADY = np.full(N_EVENTS, -40.0)
STEPPED = np.where(np.arange(N_EVENTS) < 250, -40.0, -65.0)


def test_an_asset_without_liquidations_has_no_calibrators_and_no_reports() -> None:
    market, found = run(prints(STEADY).between(0, 1), hours())
    assert not found
    assert not market.feeds
    assert market.report(FEED) is None


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_cut_and_any_checkpoint_find_the_same_at_the_same_moments(seed: int) -> None:
    events = prints(STEPPED, turned=330)
    whole, expected = run(events, hours())
    cuts = np.random.default_rng(seed).integers(START, END, 50).tolist()
    middle = hours(*cuts)[25]
    first = [edge for edge in hours(*cuts) if edge <= middle]
    market, found = run(events, first)
    again = MarketCalibrator.from_state({}, {"mixed"}, market.state())
    again, tail = run(events, [edge for edge in hours(*cuts) if edge >= middle], again)
    assert found + tail == expected
    assert again.report(FEED) == whole.report(FEED)
    assert again.state().keys() == whole.state().keys()
    assert all(np.array_equal(part, whole.state()[key]) for key, part in again.state().items())


def test_a_change_of_engine_is_found_at_a_whole_minute_soon_after_it() -> None:
    events = prints(STEPPED)
    _, found = run(events, hours())
    changes = [each for each in found if isinstance(each.what, EngineChange)]
    assert len(changes) == 1
    assert changes[0].at_ns % MINUTE_NS == 0
    assert 0 < changes[0].at_ns - int(events.event_ns[250]) < 30 * MINUTE_NS
    assert changes[0].what.after_bps < changes[0].what.before_bps


def test_a_feed_of_several_venues_is_not_tested_for_changes_and_reads_the_reference() -> None:
    events = prints(STEPPED, feed=MIXED)
    market, found = run(events, hours())
    assert not [each for each in found if isinstance(each.what, EngineChange)]
    assert market.feeds[MIXED].path_id == REFERENCE
    assert market.report(MIXED)["published"] is None


def test_sides_that_are_as_assumed_are_no_news_and_sides_that_turn_are() -> None:
    _, found = run(prints(STEADY, turned=200), hours())
    turns = [each for each in found if isinstance(each.what, SideTurn)]
    assert [(each.before, each.what.verdict, each.is_told) for each in turns[:2]] == [
        (SideVerdict.UNKNOWN, SideVerdict.RIGHT, False),
        (SideVerdict.RIGHT, SideVerdict.INVERTED, True),
    ]


def test_a_report_tells_what_was_printed_with_ranges_and_what_the_venue_publishes() -> None:
    market, _ = run(prints(STEADY), hours())
    report = market.report(FEED)
    rows = {row["name"]: row for row in report["rows"]}
    offset = rows["print offset, bankruptcy"]
    assert offset["low"] < -40.0 < offset["high"]
    assert offset["value"] == pytest.approx(-40.0, abs=0.5)
    assert offset["unit"] == "bp"
    assert 0.9 < offset["data_share"] <= 1.0
    assert rows["stamp to receipt"]["value"] == pytest.approx(0.1, abs=0.03)
    assert rows["reporting fraction"] == {
        "name": "reporting fraction",
        "value": None,
        "low": 0.0,
        "high": 1.0,
        "unit": "ratio",
        "n_events": 0.0,
        "data_share": 0.0,
    }
    assert rows["margin correction"]["data_share"] == 0.0
    assert report["sides"] == "right"
    # The venue's rule of that time, not of today.
    said = {"value": "one, which is not said, every 1 s", "evidence": "documentation"}
    assert report["published"]["reporting"] == said
    assert report["published"]["insurance_fund"]["value"] == "fund"


def test_the_reporting_fraction_is_learned_where_one_event_per_window_is_known_to_be_printed() -> None:
    n = 400

    def windows(likelihood: Likelihood) -> LearnedWindows:
        return dataclasses.replace(
            NO_WINDOWS,
            start_ns=START + HOUR_NS + np.arange(n) * MINUTE_NS,
            expected=np.full(n, 4.0),
            observed=np.full(n, 1.0),
            likelihood=np.full(n, likelihood, dtype=np.int8),
        )

    shares = {}
    for likelihood in Likelihood:
        market, _ = run(prints(STEADY), hours())
        market.apply_windows(FEED, windows(likelihood))
        market.apply_windows("okx:never heard", windows(likelihood))
        shares[likelihood] = {row["name"]: row for row in market.report(FEED)["rows"]}["reporting fraction"]
    assert shares[Likelihood.EXACT]["value"] == pytest.approx(0.25, rel=0.05)
    assert {kind for kind, share in shares.items() if share["value"] is None} == set(Likelihood) - {
        Likelihood.EXACT
    }


def margin_windows(start_ns: int, *parts: tuple[int, float]) -> list[LearnedWindows]:
    """Learned windows of one minute each: of each part so many, scored by a venue whose margin is off by so much."""
    rng, out = np.random.default_rng(11), []
    for n, true_bps in parts:
        starts = start_ns + np.arange(n) * MINUTE_NS
        out.append(
            dataclasses.replace(
                NO_WINDOWS,
                start_ns=starts,
                likelihood=np.full(n, Likelihood.ALL, dtype=np.int8),
                margins=scored(rng, n, true_bps),
            )
        )
        start_ns = int(starts[-1]) + MINUTE_NS
    return out


def test_a_margin_is_learned_from_the_windows_of_the_feeds_learner() -> None:
    market, _ = run(prints(STEADY), hours())
    (windows,) = margin_windows(START + HOUR_NS, (1200, 10.0))
    assert market.apply_windows(FEED, windows) == []
    row = {row["name"]: row for row in market.report(FEED)["rows"]}["margin correction"]
    assert row["low"] < 10.0 < row["high"]
    assert row["low"] > 0.0
    assert row["data_share"] > 0.5
    assert row["n_events"] > 2000
    assert market.apply_windows("okx:never heard", windows) == []


def test_windows_before_the_calibrator_began_teach_it_no_margin() -> None:
    market, _ = run(prints(STEADY), hours())
    (windows,) = margin_windows(START - 1200 * MINUTE_NS, (1200, 10.0))
    market.apply_windows(FEED, windows)
    row = {row["name"]: row for row in market.report(FEED)["rows"]}["margin correction"]
    assert (row["n_events"], row["data_share"]) == (0.0, 0.0)


def test_a_margin_is_learned_the_same_from_a_checkpoint() -> None:
    whole, _ = run(prints(STEADY), hours())
    kept = MarketCalibrator.from_state({}, frozenset({"mixed"}), whole.state())
    first, second = margin_windows(START + HOUR_NS, (300, 10.0), (300, 0.0))
    whole.apply_windows(FEED, first)
    kept.apply_windows(FEED, first)
    kept = MarketCalibrator.from_state({}, frozenset({"mixed"}), kept.state())
    whole.apply_windows(FEED, second)
    kept.apply_windows(FEED, second)
    one, other = whole.state(), kept.state()
    assert {key: one[key].tobytes() for key in one} == {key: other[key].tobytes() for key in other}


def test_a_changed_margin_is_told_where_the_market_is_watched(monkeypatch) -> None:
    shard = Shard("BTC", {}, PipelineParameters(), START - 1)
    shard.watch_from(ZoneParameters(), START)
    step(shard, wrong_sides(), START + 300 * SECOND_NS)
    windows = margin_windows(START + HOUR_NS, (1200, 0.0), (150, -25.0))
    parts = iter([[(REFERENCE, part) for part in windows]])
    monkeypatch.setattr(shard.learner, "take", lambda: next(parts, []))
    outputs = step(shard, [], START + 360 * SECOND_NS)
    (told,) = [n.data for n in outputs.notices if n.kind is EventType.ENGINE_CHANGED]
    assert (told["what"], told["part"], told["instrument"]) == ("margin", "tier 1", REFERENCE)
    assert (told["before_bps"], told["after_bps"]) == (0.0, -10.0)


def wrong_sides() -> list[Batch]:
    """Marks of five minutes, and prints in the second of them that lie on the wrong side of the mark."""
    marks = empty_rows(Kind.MARK, 300)
    marks["ts_event_ns"] = marks["ts_received_ns"] = START + np.arange(300) * SECOND_NS
    marks["mark_price_usd"] = 100.0
    rows = empty_rows(Kind.LIQUIDATION, 6)
    rows["ts_event_ns"] = START + np.array([10, 65, 70, 75, 80, 85]) * SECOND_NS
    rows["ts_received_ns"] = rows["ts_event_ns"] + SECOND_NS // 10
    rows["side"], rows["price_kind"], rows["price_usd"] = 1, PriceKind.BANKRUPTCY, 100.4
    rows["qty_base"], rows["notional_usd"] = 1.0, 100.4
    return [Batch(Kind.MARK, REFERENCE, marks), Batch(Kind.LIQUIDATION, REFERENCE, rows)]


@pytest.mark.parametrize(
    ("from_s", "calibrates", "told_ns"),
    [
        (0, True, [START + 2 * MINUTE_NS]),
        (120, True, [START + 2 * MINUTE_NS]),
        (121, True, []),
        (None, True, []),
        (0, False, []),
    ],
)
def test_what_is_found_is_told_where_the_market_is_watched(from_s, calibrates, told_ns) -> None:
    parameters = PipelineParameters(learns=False, calibrates=calibrates)
    shard = Shard("BTC", {}, parameters, START - 1)
    if from_s is not None:
        shard.watch_from(ZoneParameters(), START + from_s * SECOND_NS)
    outputs = step(shard, wrong_sides(), START + 300 * SECOND_NS)
    told = [notice for notice in outputs.notices if notice.kind is EventType.SIDE_CONVENTION_ALARM]
    assert [notice.at_ns for notice in told] == told_ns
    assert all(notice.data["verdict"] == "inverted" for notice in told)
    assert (shard.calibrator is not None) is calibrates


@pytest.mark.parametrize("from_s", [0, 61, None])
def test_what_happens_to_a_learner_is_told_where_the_market_is_watched(from_s, monkeypatch) -> None:
    shard = Shard("BTC", {}, PipelineParameters(), START - 1)
    fact = Fact("fallback", START + MINUTE_NS, -6.0, 5.0)
    part = dataclasses.replace(NO_WINDOWS, facts=(fact,))
    parts = iter([[(REFERENCE, part)]])
    monkeypatch.setattr(shard.learner, "take", lambda: next(parts, []))
    if from_s is not None:
        shard.watch_from(ZoneParameters(), START + from_s * SECOND_NS)
    outputs = step(shard, wrong_sides(), START + 300 * SECOND_NS)
    told = [n.data["change"] for n in outputs.notices if n.kind is EventType.LEARNER_FELL_BACK]
    assert told == (["fallback"] if from_s == 0 else [])
