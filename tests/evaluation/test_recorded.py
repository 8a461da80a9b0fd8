"""The protocol on recorded liquidations: published reference figures of the same definitions must come out."""

from __future__ import annotations

import pytest

from faultline.evaluation.evaluate import evaluate
from faultline.sources.archives import import_files
from faultline.tape import Tape
from faultline.units import parse_time_ns

#: T and IG of an independent prototype of the same protocol, five-minute forecasts.
REFERENCE = {
    "B0r": (0.056, 0.056), "B1": (0.012, 0.011), "B2n": (0.024, 0.020), "B2c": (0.302, 0.392), "B3": (0.339, 0.451),
    "B2": (0.540, 0.710), "B3h": (0.581, 0.781), "B4": (0.563, 0.751), "B0d": (0.260, 0.384), "B0f": (0.468, 0.659),
    "learned": (0.623, 0.839),
}  # fmt: skip


@pytest.fixture(scope="module")
def report(recorded, tmp_path_factory):
    out = tmp_path_factory.mktemp("recorded") / "tape"
    import_files("faultline-2026", [recorded / "liquidations_2026"], out, assets=["BTC"])
    import_files("binance-oi-5m", [recorded / "binance_oi_5m" / "BTC_oi_5m.csv.gz"], out, assets=["BTC"])
    span = parse_time_ns("2026-01-27"), parse_time_ns("2026-02-08")
    return evaluate(Tape(out), "BTC", from_ns=span[0], to_ns=span[1])


@pytest.mark.recorded
def test_the_mask_leaves_the_same_events(report):
    assert report.n_scored == pytest.approx(16_779, rel=0.02)
    assert report.swept_bp.long == pytest.approx(51_400, rel=0.02)
    assert report.n_scored + sum(report.excluded.values()) == report.n_events_raw


@pytest.mark.recorded
@pytest.mark.parametrize("name", REFERENCE)
def test_baselines_come_out_as_published(report, name):
    model = next(model for model in report.models if model.name == name)
    assert (model.t, model.ig) == pytest.approx(REFERENCE[name], abs=0.03)


@pytest.mark.recorded
def test_gates_of_the_protocol_hold(report):
    models = {model.name: model for model in report.models}
    gains = {(d.a, d.b, d.metric): d for d in report.differences}
    assert abs(models["placebo_mirrored"].ig) < 0.05
    assert gains["learned", "B4", "ig"].ci[0] > 0
    assert gains["learned", "B3h", "ig"].ci[0] > 0
    assert gains["pool15m", "B4", "t"].ci[0] > 0
    assert gains["learned+inflow", "learned", "t"].ci[0] > 0
    assert models["pool15m"].ig > max(models[name].ig for name in ("B2", "B3h", "B4")) - 0.02
    assert 0.9 <= models["pool15m"].n_ratio <= 1.1
    assert models["pool15m"].concentration["5"] >= 0.30
    assert models["pool15m"].concentration_usd["10"] >= 0.58
