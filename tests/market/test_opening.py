from __future__ import annotations

import numpy as np
import pytest

from faultline.market.opening import OpeningProxy
from faultline.market.path import PATH_ROW
from faultline.units import HOUR_NS, MINUTE_NS


def path(n: int, *, minutes: int = 1, volume=np.nan, spread: float = 0.001, start: int = 0) -> np.ndarray:
    out = np.zeros(n, dtype=PATH_ROW)
    out["start_ns"] = (start + np.arange(n) * minutes) * MINUTE_NS
    out["end_ns"] = out["start_ns"] + minutes * MINUTE_NS
    out["low_usd"], out["high_usd"], out["close_usd"] = 100.0, 100.0 * np.exp(spread), 100.0
    out["volume_usd"] = volume
    return out


def test_an_average_hour_opens_one_unit_whatever_the_proxy() -> None:
    for bars in (path(600, volume=5e6), path(600), path(120, minutes=5)):
        units = OpeningProxy().units(bars)
        hours = (bars["end_ns"] - bars["start_ns"]).sum() / HOUR_NS
        assert units.sum() == pytest.approx(hours)


def test_switching_between_proxies_changes_no_level() -> None:
    proxy = OpeningProxy()
    with_volume = proxy.units(path(6000, volume=1e6))
    without = proxy.units(path(6000, start=6000))
    assert without[-1] == pytest.approx(with_volume[-1], rel=1e-9)


def test_twice_the_volume_opens_about_twice_as_much() -> None:
    proxy = OpeningProxy()
    proxy.units(path(6000, volume=1e6))
    assert proxy.units(path(1, volume=2e6, start=6000))[0] == pytest.approx(2 / 60, rel=0.01)


def test_a_bar_that_traded_nothing_opens_nothing() -> None:
    assert OpeningProxy().units(path(3, volume=0.0)).tolist() == [0.0, 0.0, 0.0]


def test_a_missing_range_opens_nothing() -> None:
    bars = path(2)
    bars["high_usd"] = np.nan
    assert OpeningProxy().units(bars).tolist() == [0.0, 0.0]


def test_units_do_not_depend_on_the_cut() -> None:
    rng = np.random.default_rng(1)
    bars = path(500, volume=rng.lognormal(10, 1, 500))
    bars["volume_usd"][rng.random(500) < 0.3] = np.nan
    whole = OpeningProxy().units(bars)
    proxy = OpeningProxy()
    head = proxy.units(bars[:137])
    tail = OpeningProxy.from_state(proxy.state()).units(bars[137:])
    assert np.concatenate([head, tail]).tobytes() == whole.tobytes()
