"""The learner on recorded liquidations: the rates of the offline evaluation's `learned` model must come out."""

from __future__ import annotations

import numpy as np
import pytest

from faultline.evaluation.evaluate import location_of
from faultline.evaluation.exposures import Track, blur_cells, deposit_share, expose
from faultline.evaluation.models import Bench, base_rates, burned_windows
from faultline.evaluation.report import EvaluationSettings
from faultline.evaluation.tape_path import read_asset
from faultline.evaluation.windows import build_windows, cells_of
from faultline.heatmap.ledger import LEVERAGES, PATH_BAR, LedgerParameters
from faultline.learning.bank import Hypothesis
from faultline.learning.leverage import LeverageLearner
from faultline.learning.mixes import smooth_prior
from faultline.learning.reporting import EVENT
from faultline.learning.scores import poisson_scores, sum_by
from faultline.sources.archives import import_files
from faultline.tape import Tape
from faultline.units import HOUR_NS, MINUTE_NS, PriceKind, parse_time_ns

SPAN = ("2026-01-27", "2026-02-01")


def learner_input(found, windows, ratio):
    """Minute bars with the traded range as units, and events moved to their trigger."""
    bars = np.zeros(len(windows.start_ns), dtype=PATH_BAR)
    bars["start_ns"], bars["end_ns"] = windows.start_ns, windows.start_ns + MINUTE_NS
    bars["low_usd"], bars["high_usd"] = windows.low_usd, windows.high_usd
    bars["close_usd"] = windows.minute_close_usd[:, 0]
    bars["units_long"] = bars["units_short"] = deposit_share(windows)["range"]
    told = found.events
    shift = np.where(told.side == 0, 1 - ratio, 1 + ratio)
    shift = np.where(told.price_kind == PriceKind.BANKRUPTCY, shift, 1.0)
    events = np.zeros(len(told.time_ns), dtype=EVENT)
    events["time_ns"], events["side"], events["count"] = told.time_ns, told.side, 1.0
    events["trigger_usd"], events["notional_usd"] = told.price_usd / shift, told.notional_usd
    return bars, events[np.isfinite(events["trigger_usd"])]


def scores(cells, rates, base, burned):
    """T and IG in nats per event after the burn-in."""
    first = cells.starts[burned]
    owner = np.repeat(np.arange(len(cells.window)), np.diff(cells.starts))
    group, count = (owner * 2 + cells.side)[first:], cells.count[first:]
    cell = poisson_scores(count, rates[first:]) - poisson_scores(count, base[first:])
    sums = [sum_by(group, values[first:], int(group.max()) + 1) for values in (cells.count, rates, base)]
    kept = sums[2] > 0
    window = poisson_scores(sums[0], sums[1])[kept] - poisson_scores(sums[0], sums[2])[kept]
    return float(window.sum() / count.sum()), float(cell.sum() / count.sum())


@pytest.mark.recorded
def test_rates_of_the_offline_model_come_out_online(recorded, tmp_path):
    import_files("faultline-2026", [recorded / "liquidations_2026"], tmp_path / "tape", assets=["BTC"])
    import_files(
        "binance-oi-5m", [recorded / "binance_oi_5m" / "BTC_oi_5m.csv.gz"], tmp_path / "tape", assets=["BTC"]
    )
    chosen, (begin, end) = EvaluationSettings(), (parse_time_ns(day) for day in SPAN)
    found = read_asset(Tape(tmp_path / "tape"), "BTC", int(chosen.warm_h * HOUR_NS), begin, end)
    windows = build_windows(found.path, found.gaps_ns, MINUTE_NS)
    windows.live[windows.start_ns < begin] = False
    ratio, _ = location_of("BTC", found.maintenance_ratio)
    cells = cells_of(windows, found.events, ratio, chosen.cap_usd)
    bench = Bench(windows, cells, burned_windows(windows, cells, chosen.burn_in_single_h), chosen, ratio)
    kernel = LedgerParameters(maintenance_ratio=ratio, margin_buffer_ratio=chosen.kernel_buffer_ratio)
    heat = expose(windows, cells, [Track(kernel, deposit_share(windows)["range"])])[0]
    base, mix = base_rates(cells), smooth_prior(LEVERAGES, chosen.mix_centre, chosen.mix_sd)
    offline = scores(cells, bench.fit_map(heat, mix), base, bench.burned)

    learner = LeverageLearner(bank=[Hypothesis(kernel=kernel)])
    out = learner.learn(*learner_input(found, windows, ratio), windows.live)
    owner = np.repeat(np.arange(len(cells.window)), np.diff(cells.starts))
    columns = np.column_stack([blur_cells(cells, heat), cells.covered_ratio])
    rates = (columns * out.theta[cells.window, 0][owner]).sum(axis=1)
    online = scores(cells, rates, base, bench.burned)
    assert online == pytest.approx(offline, abs=0.01)
    fixed = scores(cells, bench.fit_fixed(heat, mix), base, bench.burned)
    assert online[0] > fixed[0]
    live = windows.live
    assert out.observed[live].sum() == pytest.approx(cells.count.sum(), rel=0.001)
    assert out.log_likelihood[live].sum() > out.prior_log_likelihood[live].sum()
    assert not out.prior_in_force.any()
    assert learner.mix()[np.array(LEVERAGES) >= 60].sum() > 0.3
