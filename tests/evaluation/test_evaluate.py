from __future__ import annotations

import html
import html.parser
import json
import math

import msgspec
import numpy as np
import pytest

from faultline.errors import NotFound, RequestError
from faultline.evaluation.evaluate import LOCATION_RATIOS, evaluate, location_of
from faultline.evaluation.html import render_report, write_report
from faultline.evaluation.models import MEANINGS
from faultline.evaluation.report import POOLED, EvaluationSettings
from faultline.heatmap.ledger import Ledger, LedgerParameters
from faultline.learning.mixes import smooth_prior
from faultline.messages import Batch, Flag, Kind, empty_rows
from faultline.tape import Tape, TapeWriter
from faultline.units import DAY_NS, HOUR_NS, MINUTE_NS, PriceKind

START = 1_750_000_000_000_000_000 // DAY_NS * DAY_NS
IID = "venuex:TOYUSDT"
RATIO = 0.004


def bars_and_events(hours, seed=1):
    """A market whose liquidations really come out of a ledger: minute bars and events at trigger prices."""
    rng = np.random.default_rng(seed)
    n = hours * 60
    volatility = 6e-4 * np.exp(0.5 * np.sin(np.arange(n) / 200))
    close = 1_000 * np.exp(np.cumsum(rng.normal(0, 1, n) * volatility))
    before = np.concatenate([[1_000.0], close[:-1]])
    bars = empty_rows(Kind.BAR, n)
    bars["ts_event_ns"] = START + np.arange(n) * MINUTE_NS
    bars["ts_received_ns"] = bars["ts_event_ns"] + MINUTE_NS
    bars["open_usd"], bars["close_usd"] = before, close
    bars["low_usd"] = np.minimum(before, close) * 0.9999
    bars["high_usd"] = np.maximum(before, close) * 1.0001
    bars["buy_qty_base"] = bars["sell_qty_base"] = np.log(bars["high_usd"] / bars["low_usd"]) * 1e5 / close
    parameters = LedgerParameters(maintenance_ratio=RATIO)
    ledger, mix, found = Ledger([parameters]), smooth_prior(parameters.leverages), []
    for bar in bars:
        ledger.decay_to(int(bar["ts_event_ns"]))
        swept = ledger.sweep(float(bar["low_usd"]), float(bar["high_usd"]))
        amount = swept.exposure[0] @ mix
        for i in np.flatnonzero(amount):
            for _ in range(rng.poisson(0.25 * amount[i])):
                price = math.exp((swept.bucket[i] + rng.random()) * 5e-4)
                side = 1 if swept.side[i] == 0 else -1
                print_usd = price * (1 - side * RATIO)
                found.append((int(bar["ts_event_ns"]) + int(rng.integers(0, MINUTE_NS)), side, print_usd))
        units = float(np.log(bar["high_usd"] / bar["low_usd"]) * 1e3)
        ledger.decay_to(int(bar["ts_received_ns"]))
        ledger.deposit([bar["close_usd"]], units, units)
    found.sort()
    rows = empty_rows(Kind.LIQUIDATION, len(found))
    for i, (time_ns, side, price) in enumerate(found):
        rows[i]["ts_event_ns"] = rows[i]["ts_received_ns"] = time_ns
        rows[i]["side"], rows[i]["price_usd"], rows[i]["price_kind"] = side, price, PriceKind.BANKRUPTCY
        rows[i]["notional_usd"] = rng.lognormal(8, 1.5)
    return bars, rows


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    path = tmp_path_factory.mktemp("evaluate") / "tape"
    bars, events = bars_and_events(72)
    gap = empty_rows(Kind.GAP, 1)
    gap["ts_event_ns"] = gap["ts_received_ns"] = gap["from_ns"] = START + 40 * HOUR_NS
    gap["to_ns"], gap["missing_kind"], gap["reason"] = START + 41 * HOUR_NS, b"liquidation", b"recorder_down"
    total = empty_rows(Kind.LIQUIDATION, 1)
    total["ts_event_ns"], total["ts_received_ns"] = START, START + HOUR_NS
    total["side"], total["flags"], total["notional_usd"] = 1, int(Flag.TOTAL), 1e9
    with TapeWriter(path, simulated=True, world="toy") as writer:
        writer.append(
            [Batch(Kind.BAR, IID, bars), Batch(Kind.LIQUIDATION, IID, events), Batch(Kind.GAP, IID, gap)]
        )
        writer.append([Batch(Kind.LIQUIDATION, "mixed-total:TOY", total)])
    return Tape(path)


@pytest.fixture(scope="module")
def report(tape):
    return evaluate(tape, "TOY")


def by_name(report):
    return {model.name: model for model in report.models}


def test_a_map_that_is_the_truth_beats_freshness_and_the_placebos(report):
    models = by_name(report)
    assert models["map"].t > models["B4"].t > models["B0"].t == 0.0
    assert models["map"].ig > models["placebo_shifted"].ig
    assert abs(models["placebo_mirrored"].ig) < 0.05
    gains = {(d.a, d.b, d.metric): d for d in report.differences}
    assert gains["map", "B4", "t"].ci[0] > 0
    assert 0.85 < models["map"].n_ratio < 1.15
    assert models["map"].concentration["5"] > 2 * models["B0"].concentration["5"]


def test_the_report_accounts_for_every_event(report, tape):
    raw = tape.n_rows(Kind.LIQUIDATION, IID)
    assert report.n_events_raw == raw
    assert report.n_scored + sum(report.excluded.values()) == raw
    assert report.excluded["gap"] > 0
    assert report.excluded["burn_in"] > 0
    assert report.burn_in_s == 12 * 3600
    assert report.event_ids == [IID]
    assert report.simulated
    assert sum(day.observed for day in report.days) == report.n_scored


def test_models_come_in_one_order_with_intervals_around_their_score(report):
    assert [m.name for m in report.models] == [name for name in MEANINGS if name != "levels"]
    for model in report.models:
        assert model.ci[0] <= model.ig <= model.ci[1]
        assert model.ci_t[0] <= model.t <= model.ci_t[1]
    assert by_name(report)["B0"].ci == (0.0, 0.0)


def test_a_report_is_repeatable_and_plain(report, tape):
    again = evaluate(tape, "TOY")
    assert msgspec.json.encode(again) == msgspec.json.encode(report)
    body = json.loads(msgspec.json.encode(report))
    assert body["models"][0]["name"] == "map"
    assert EvaluationSettings(seed=1).sha256() != body["params_sha256"] == EvaluationSettings().sha256()


def test_frozen_forecasts_are_scored_instead_of_the_kernel(tape):
    flat = np.ones((2, 4000))
    first = int(np.log(1_000) / 5e-4) - 2000
    maps = [(START + k * HOUR_NS, first, flat, np.ones_like(flat)) for k in range(1, 72)]
    told = []
    found = evaluate(tape, "TOY", forecasts=maps, levels=maps, progress=lambda *args: told.append(args))
    models = by_name(found)
    assert found.map_source == "frozen forecasts"
    assert len(found.forecast_chain_sha256) == 64
    assert models["levels"].ig == pytest.approx(models["map"].ig)
    assert models["map"].ig < models["B3h"].ig
    assert told


@pytest.mark.parametrize("refresh", [1, 15])
def test_other_refresh_intervals_score_the_same_events(tape, report, refresh):
    found = evaluate(tape, "TOY", refresh_ns=refresh * MINUTE_NS)
    assert found.refresh_s == refresh * 60
    assert found.n_scored == pytest.approx(report.n_scored, rel=0.02)
    assert by_name(found)["map"].t > by_name(found)["B4"].t


def test_an_asset_without_events_or_too_short_a_span_is_named(tape):
    with pytest.raises(NotFound, match="no liquidations of NONE"):
        evaluate(tape, "NONE")
    with pytest.raises(NotFound, match="burn-in"):
        evaluate(tape, "TOY", from_ns=START + HOUR_NS, to_ns=START + 6 * HOUR_NS)


def test_the_location_rule_is_a_frozen_table_then_the_tape():
    assert location_of("BTC", 0.01)[0] == 0.004
    assert location_of("ETH", 0.01)[0] == location_of("SOL", 0.01)[0] == 0.005
    assert location_of("DOGE", 0.0125)[0] == 0.0125
    assert location_of("DOGE", math.nan)[0] == 0.005


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in {"meta", "line", "rect", "path"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_labelled_and_needs_nothing_else(report, tape, tmp_path):
    other = evaluate(tape, "TOY", refresh_ns=15 * MINUTE_NS)
    text = render_report([report, other])
    page = Page()
    page.feed(text.replace("<!doctype html>", "").replace("/>", ">"))
    assert page.open == []
    tags = {tag for tag, _ in page.seen}
    assert not tags & {"script", "link", "img", "iframe", "object"}
    assert not any(name in attrs for _, attrs in page.seen for name in ("src", "href", "onclick"))
    assert "SIMULATED" in text
    assert "Skill by refresh interval" in text
    for model in report.models:
        assert model.meaning in html.unescape(text)
    write_report(report, tmp_path / "out.html")
    assert (tmp_path / "out.html").read_text(encoding="utf-8") == render_report([report])


def test_the_pool_is_reported_without_each_of_its_members(report, tape):
    models = {model.name: model for model in report.models}
    assert [item.without for item in report.ablations] == list(POOLED)
    for item in report.ablations:
        assert item.t_lost == pytest.approx(models["pool"].t - item.t, abs=1e-9)
        assert item.ci[0] <= item.t_lost <= item.ci[1]
    members = tuple(name for name in POOLED if name != "B4")
    without = evaluate(tape, "TOY", settings=EvaluationSettings(pool=members))
    left = next(model for model in without.models if model.name == "pool")
    assert left.t == pytest.approx(
        next(item.t for item in report.ablations if item.without == "B4"), abs=1e-12
    )
    assert [item.without for item in without.ablations] == list(members)
    assert without.params_sha256 != report.params_sha256
    with pytest.raises(RequestError, match="B9"):
        evaluate(tape, "TOY", settings=EvaluationSettings(pool=("B4", "B9")))


def test_fresh_zones_are_ranked_apart(report):
    models = {model.name: model for model in report.models}
    assert 0 < report.n_fresh < report.n_scored
    assert all(math.isfinite(model.fresh_rank) for model in report.models)
    assert models["learned+inflow"].fresh_ratio > 1


def test_places_are_as_foretold_where_prints_are_moved_by_the_right_margin(report, tape, monkeypatch):
    monkeypatch.setitem(LOCATION_RATIOS, "TOY", RATIO)
    right = {row.model: row for row in evaluate(tape, "TOY", refresh_ns=MINUTE_NS).places}
    wrong = {row.model: row for row in report.places}
    assert {"map", "pool15m", "learned", "B4", "B0"} == set(right) == set(wrong)
    for row in (*right.values(), *wrong.values()):
        assert sum(row.shares) == pytest.approx(1.0)
        ends = zip(row.low, row.shares, row.high, strict=True)
        assert all(low <= share <= high for low, share, high in ends)
    assert right["map"].distance < 0.2
    # The default moves them ten basis points too far: they seem to lie nearer than foretold.
    assert wrong["map"].distance > 0.3
    assert "<h2>Places</h2>" in render_report([report])
