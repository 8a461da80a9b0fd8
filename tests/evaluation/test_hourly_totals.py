from __future__ import annotations

import numpy as np
import pytest

from faultline.errors import NotFound
from faultline.evaluation.hourly_totals import EVENT_USD, score_hourly_totals
from faultline.messages import Batch, Flag, Kind, empty_rows
from faultline.tape import Tape, TapeWriter
from faultline.units import HOUR_NS, MINUTE_NS

START = 1_750_000_000_000_000_000 // HOUR_NS * HOUR_NS
HOURS = 120
PATH, TOTALS = "venuex:TOYUSDT", "mixed-total:TOY"


def written(folder, *, tied):
    """A path of five-minute endpoints, and totals that follow (or do not follow) the ground it newly covers."""
    rng = np.random.default_rng(5)
    n = HOURS * 12
    log = np.log(1_000.0) + np.cumsum(rng.normal(0, 1, n) * 2e-3 * np.exp(np.sin(np.arange(n) / 90)))
    bars = empty_rows(Kind.BAR, n)
    bars["ts_event_ns"] = START + np.arange(n) * 5 * MINUTE_NS
    bars["ts_received_ns"] = bars["ts_event_ns"] + 5 * MINUTE_NS
    bars["flags"] = int(Flag.ENDPOINTS_ONLY)
    bars["close_usd"] = np.exp(log)
    bars["open_usd"] = np.exp(np.concatenate([[log[0]], log[:-1]]))
    for name in ("low_usd", "high_usd", "buy_qty_base", "sell_qty_base"):
        bars[name] = np.nan
    rows = empty_rows(Kind.LIQUIDATION, 2 * HOURS)
    by_hour = log.reshape(HOURS, 12)
    before = np.concatenate([[log[0]], by_hour[:-1, -1]])
    ground = np.stack([before - by_hour.min(axis=1), by_hour.max(axis=1) - before], axis=1).clip(1e-5)
    ground = ground if tied else rng.permutation(ground.ravel()).reshape(ground.shape)
    rows["ts_event_ns"] = START + np.repeat(np.arange(HOURS), 2) * HOUR_NS
    rows["ts_received_ns"] = rows["ts_event_ns"] + HOUR_NS
    rows["side"] = np.tile([1, -1], HOURS)
    rows["flags"] = int(Flag.TOTAL)
    rows["price_usd"], rows["notional_usd"] = np.nan, ground.ravel() * 1e3 * EVENT_USD
    with TapeWriter(folder, simulated=True, world="toy") as tape:
        tape.append([Batch(Kind.BAR, PATH, bars), Batch(Kind.LIQUIDATION, TOTALS, rows)])
    return Tape(folder)


def scores_of(tape, first_hour=24):
    found = score_hourly_totals(
        tape, TOTALS, PATH, ratio=0.004, from_ns=START + first_hour * HOUR_NS, to_ns=START + HOURS * HOUR_NS
    )
    return {score.model: score for score in found}


def test_totals_that_follow_new_ground_are_foretold_and_others_are_not(tmp_path):
    tied, loose = (
        scores_of(written(tmp_path / "a", tied=True)),
        scores_of(written(tmp_path / "b", tied=False)),
    )
    assert tied["B4"].n == 2 * (HOURS - 24)
    assert tied["B0"].gain == 0.0
    for name in ("B4", "B3h", "learned from B3h"):
        assert tied[name].spearman > 0.5, name
        assert tied[name].gain > loose[name].gain, name
        assert abs(loose[name].spearman) < 0.3, name
    assert tied["B4"].r2_log > loose["B4"].r2_log


def test_a_span_without_hours_before_or_after_is_refused(tmp_path):
    tape = written(tmp_path / "a", tied=True)
    for hour in (0, HOURS):
        with pytest.raises(NotFound, match="total"):
            scores_of(tape, hour)
