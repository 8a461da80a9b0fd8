from __future__ import annotations

import numpy as np
import pytest

from faultline.market.location import trigger_prices_usd
from faultline.messages import Kind, empty_rows
from faultline.units import PriceKind, Side


def printed(side: Side, kind: PriceKind, price: float) -> np.ndarray:
    row = empty_rows(Kind.LIQUIDATION, 1)
    row["side"], row["price_kind"], row["price_usd"] = side, kind, price
    return row


def test_a_bankruptcy_print_of_a_long_was_triggered_above_it() -> None:
    assert trigger_prices_usd(printed(Side.LONG, PriceKind.BANKRUPTCY, 99_600.0), 0.004)[0] == pytest.approx(
        100_000
    )


def test_a_bankruptcy_print_of_a_short_was_triggered_below_it() -> None:
    assert trigger_prices_usd(printed(Side.SHORT, PriceKind.BANKRUPTCY, 100_400.0), 0.004)[
        0
    ] == pytest.approx(100_000)


@pytest.mark.parametrize("kind", [kind for kind in PriceKind if kind is not PriceKind.BANKRUPTCY])
def test_other_prints_stand_where_they_are(kind) -> None:
    assert trigger_prices_usd(printed(Side.LONG, kind, 5.0), 0.01)[0] == 5.0


def test_a_total_has_no_price() -> None:
    assert np.isnan(trigger_prices_usd(printed(Side.LONG, PriceKind.BANKRUPTCY, np.nan), 0.004)[0])
