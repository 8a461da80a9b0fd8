from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.heatmap.bands import BAND_LABELS, band_of
from faultline.heatmap.columns import smooth_rows
from faultline.heatmap.display import DisplayRows, RowChooser
from faultline.heatmap.forecast import GENESIS, ForecastChain
from faultline.units import HOUR_NS


def test_smoothing_conserves_usd() -> None:
    rng = np.random.default_rng(1)
    usd = rng.lognormal(10, 2, (3, 2, 400))
    smooth = smooth_rows(usd, 6.0, DisplayRows(50.0, 1400, 400))
    assert smooth.sum(axis=-1) == pytest.approx(usd.sum(axis=-1))
    assert smooth.max() < usd.max()


@given(st.floats(1e-6, 1e6))
def test_display_rows_lie_between_3_and_8_basis_points_when_set(price) -> None:
    rows = RowChooser().follow(0, price)
    assert 3.1 <= rows.row_usd / price * 1e4 <= 8.0
    assert 0 <= rows.row_of(price) < rows.n_rows


def test_rows_keep_their_height_until_price_leaves_a_factor_of_two() -> None:
    chooser = RowChooser()
    first = chooser.follow(0, 100_000.0)
    assert first.row_usd == 50.0
    assert chooser.follow(HOUR_NS, 55_000.0).row_usd == 50.0
    assert chooser.follow(2 * HOUR_NS, 49_000.0).row_usd == 20.0


def test_the_window_follows_price_only_when_it_drifted_far() -> None:
    chooser = RowChooser()
    first = chooser.follow(0, 100_000.0)
    assert chooser.follow(HOUR_NS, 105_000.0) is first
    moved = chooser.follow(2 * HOUR_NS, 111_000.0)
    assert moved.first_row > first.first_row
    assert moved.row_usd == first.row_usd


def test_a_chooser_goes_on_from_its_state() -> None:
    chooser = RowChooser()
    for hour in range(5):
        chooser.follow(hour * HOUR_NS, 100_000.0 + hour)
    again = RowChooser.from_state(chooser.state())
    assert again.follow(6 * HOUR_NS, 120_000.0) == chooser.follow(6 * HOUR_NS, 120_000.0)


def test_bands_are_the_four_pooled_ones() -> None:
    assert [BAND_LABELS[k] for k in band_of([2, 10, 24, 25, 59, 60, 150])] == [
        "<10x",
        "10-25x",
        "10-25x",
        "25-60x",
        "25-60x",
        ">60x",
        ">60x",
    ]


def freeze(chain: ForecastChain, heat: np.ndarray, *, issued_ns: int = 1):
    return chain.freeze(
        asset="BTC",
        issued_ns=issued_ns,
        horizon_ns=300,
        price_usd=1e5,
        first_bucket=100,
        heat_usd=heat,
        remaining=np.ones_like(heat),
        params_sha256="p",
    )


def test_a_forecast_cuts_empty_ends_and_keeps_its_place() -> None:
    heat = np.zeros((2, 10))
    heat[0, 3], heat[1, 6] = 5.0, 7.0
    forecast = freeze(ForecastChain(), heat)
    assert forecast.first_bucket == 103
    assert forecast.heat_usd.tolist() == [[5, 0, 0, 0], [0, 0, 0, 7]]
    assert forecast.previous_sha256 == GENESIS


@pytest.mark.parametrize("change", ["heat", "time", "previous"])
def test_the_hash_of_a_forecast_covers_everything(change) -> None:
    heat = np.ones((2, 4))
    chain = ForecastChain()
    base = freeze(chain, heat)
    other = ForecastChain(base.sha256) if change == "previous" else ForecastChain()
    changed = heat * (1.0 + 1e-6) if change == "heat" else heat
    assert freeze(other, changed, issued_ns=2 if change == "time" else 1).sha256 != base.sha256


def test_an_empty_map_freezes_too() -> None:
    forecast = freeze(ForecastChain(), np.zeros((2, 4)))
    assert forecast.heat_usd.shape == (2, 0)
    assert len(forecast.sha256) == 64
