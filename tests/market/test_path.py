from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.market.path import PATH_ROW, PathBuilder
from faultline.messages import Flag, Kind, TradeCause, empty_rows
from faultline.units import MINUTE_NS, SECOND_NS

NO_BARS, NO_TRADES, NO_MARKS = (empty_rows(kind) for kind in (Kind.BAR, Kind.TRADE, Kind.MARK))


def trades(*rows: tuple[float, float, float]) -> np.ndarray:
    """(second, price, quantity) each."""
    out = empty_rows(Kind.TRADE, len(rows))
    for k, (second, price, qty) in enumerate(rows):
        out[k]["ts_received_ns"] = round(second * SECOND_NS)
        out[k]["price_usd"], out[k]["qty_base"] = price, qty
    return out


def marks(*rows: tuple[float, float]) -> np.ndarray:
    out = empty_rows(Kind.MARK, len(rows))
    for k, (second, price) in enumerate(rows):
        out[k]["ts_received_ns"], out[k]["mark_price_usd"] = round(second * SECOND_NS), price
    return out


def bars(*rows: tuple[int, int, float, float, float, float], flags: int = 0) -> np.ndarray:
    """(start minute, minutes, open, high, low, close) each."""
    out = empty_rows(Kind.BAR, len(rows))
    for k, (start, minutes, first, high, low, last) in enumerate(rows):
        out[k]["ts_event_ns"], out[k]["ts_received_ns"] = start * MINUTE_NS, (start + minutes) * MINUTE_NS
        out[k]["open_usd"], out[k]["high_usd"] = first, high
        out[k]["low_usd"], out[k]["close_usd"], out[k]["flags"] = low, last, flags
    return out


def slow_seconds(
    trade_rows: np.ndarray, mark_rows: np.ndarray, to_s: int
) -> list[tuple[int, float, float, float, float]]:
    """The obvious twin of the kernel: walk every message in a list of dictionaries."""
    messages = [(int(t["ts_received_ns"]), 0, float(t["mark_price_usd"]), 0.0) for t in mark_rows]
    messages += [
        (int(t["ts_received_ns"]), 1, float(t["price_usd"]), float(t["qty_base"])) for t in trade_rows
    ]
    messages.sort(key=lambda m: (m[0], m[1]))
    seconds: dict[int, dict[str, float]] = {}
    last, marked = None, False
    for time_ns, is_trade, price, qty in messages:
        second = time_ns // SECOND_NS
        if second not in seconds:
            start = price if last is None else last
            seconds[second] = {"low": start, "high": start, "close": start, "volume": 0.0}
        bar = seconds[second]
        marked = marked or not is_trade
        if is_trade:
            bar["volume"] += price * qty
        if not is_trade or not marked:
            bar["low"], bar["high"] = min(bar["low"], price), max(bar["high"], price)
            bar["close"] = last = price
    return [
        (second, bar["low"], bar["high"], bar["close"], bar["volume"])
        for second, bar in sorted(seconds.items())
        if second < to_s
    ]


moments = st.floats(0, 30, allow_nan=False).map(lambda x: round(x, 3))
prices = st.floats(50, 150).map(lambda x: round(x, 2))


@given(
    st.lists(st.tuples(moments, prices, st.floats(0.01, 9)), max_size=40),
    st.lists(st.tuples(moments, prices), max_size=40),
    st.integers(0, 31),
)
def test_seconds_equal_the_obvious_walk_for_every_cut(trade_list, mark_list, cut) -> None:
    trade_rows, mark_rows = trades(*sorted(trade_list)), marks(*sorted(mark_list))
    builder = PathBuilder()
    parts = []
    for low, high in ((0, cut), (cut, 31)):
        pick = [
            rows[(rows["ts_received_ns"] >= low * SECOND_NS) & (rows["ts_received_ns"] < high * SECOND_NS)]
            for rows in (trade_rows, mark_rows)
        ]
        parts.append(builder.apply(bars=NO_BARS, trades=pick[0], marks=pick[1], upto_ns=high * SECOND_NS))
    path = np.concatenate(parts)
    expected = slow_seconds(trade_rows, mark_rows, 31)
    assert list(path["start_ns"] // SECOND_NS) == [row[0] for row in expected]
    for column, name in enumerate(("low_usd", "high_usd", "close_usd"), start=1):
        assert list(path[name]) == [row[column] for row in expected]
    if len(trade_rows):
        seen = int(trade_rows["ts_received_ns"][0]) // SECOND_NS
        late = path["start_ns"] // SECOND_NS >= max(seen, cut)
        assert list(path["volume_usd"][late]) == pytest.approx(
            [r[4] for r in expected if r[0] >= max(seen, cut)]
        )


def test_marks_sweep_and_last_trade_wicks_do_not() -> None:
    builder = PathBuilder()
    path = builder.apply(
        bars=NO_BARS,
        trades=trades((0.2, 80.0, 1.0), (1.4, 70.0, 2.0)),
        marks=marks((0.1, 100.0), (1.5, 99.0)),
        upto_ns=5 * SECOND_NS,
    )
    assert path["low_usd"].min() == 99.0
    assert path["volume_usd"].tolist() == [80.0, 140.0]


@pytest.mark.parametrize("cause", [TradeCause.INSURANCE_FUND, TradeCause.ADL])
def test_bookkeeping_prints_and_zero_prices_move_nothing(cause) -> None:
    rows = trades((0.1, 100.0, 1.0), (0.2, 10.0, 5.0), (0.3, 0.0, 5.0))
    rows["cause"][1] = cause
    path = PathBuilder().apply(bars=NO_BARS, trades=rows, marks=NO_MARKS, upto_ns=2 * SECOND_NS)
    assert path["low_usd"].tolist() == [100.0]
    assert path["volume_usd"].tolist() == [100.0]


def test_a_market_without_trades_has_unknown_volume_not_zero() -> None:
    path = PathBuilder().apply(
        bars=NO_BARS, trades=NO_TRADES, marks=marks((0.5, 100.0)), upto_ns=2 * SECOND_NS
    )
    assert np.isnan(path["volume_usd"]).all()


def test_the_open_second_stays_closed_until_it_ends() -> None:
    builder = PathBuilder()
    first = builder.apply(
        bars=NO_BARS, trades=trades((0.5, 100.0, 1.0)), marks=NO_MARKS, upto_ns=SECOND_NS - 1
    )
    second = builder.apply(bars=NO_BARS, trades=NO_TRADES, marks=NO_MARKS, upto_ns=SECOND_NS)
    assert len(first) == 0
    assert len(second) == 1


def test_endpoints_fill_only_what_better_bars_left_open() -> None:
    minute = bars((0, 1, 100, 102, 99, 101), (1, 1, 101, 103, 100, 102))
    earlier = bars((-10, 5, 101, 101, 100, 100), (-5, 5, 100, 101, 100, 101), flags=Flag.ENDPOINTS_ONLY)
    coarse = bars((0, 5, 100, 100, 90, 90), flags=Flag.ENDPOINTS_ONLY)
    builder = PathBuilder()
    builder.apply(bars=earlier, trades=NO_TRADES, marks=NO_MARKS, upto_ns=0)
    path = builder.apply(
        bars=np.concatenate([minute, coarse]), trades=NO_TRADES, marks=NO_MARKS, upto_ns=6 * MINUTE_NS
    )
    assert path["quality"].tolist() == [0, 0, 1]
    assert path["start_ns"][2] == 2 * MINUTE_NS
    assert path["low_usd"][2] < 90.0
    assert path["high_usd"][2] > 102.0


def test_endpoints_beside_a_complete_window_add_nothing() -> None:
    minute = bars(*[(k, 1, 100, 102, 99, 101) for k in range(5)])
    coarse = bars((0, 5, 100, 100, 50, 50), flags=Flag.ENDPOINTS_ONLY)
    path = PathBuilder().apply(
        bars=np.concatenate([minute, coarse]), trades=NO_TRADES, marks=NO_MARKS, upto_ns=6 * MINUTE_NS
    )
    assert len(path) == 5
    assert path["low_usd"].min() == 99.0


def test_between_bars_the_path_waits_for_the_next_one_however_messages_are_cut() -> None:
    minutes = bars(*((k, 1, 100.0 + k, 102.0 + k, 99.0 + k, 101.0 + k) for k in range(4)))
    said = marks(*((10.0 * k + 0.04, 100.0 + k) for k in range(6, 24)))
    rng = np.random.default_rng(1)
    whole = PathBuilder().apply(bars=minutes, trades=NO_TRADES, marks=said, upto_ns=4 * MINUTE_NS)
    assert whole["end_ns"].tolist() == [MINUTE_NS * k for k in (1, 2, 3, 4)]
    for _ in range(20):
        builder, parts, before = PathBuilder(), [], 0
        for upto in [MINUTE_NS, *np.sort(rng.integers(MINUTE_NS, 4 * MINUTE_NS, 8)).tolist(), 4 * MINUTE_NS]:
            new = [
                rows[(rows["ts_received_ns"] > before) & (rows["ts_received_ns"] <= upto)]
                for rows in (minutes, said)
            ]
            parts.append(builder.apply(bars=new[0], trades=NO_TRADES, marks=new[1], upto_ns=upto))
            builder, before = PathBuilder.from_state(builder.state()), upto
        assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_where_bars_stop_marks_are_the_path_again() -> None:
    builder = PathBuilder()
    minute = bars((0, 1, 100.0, 102.0, 99.0, 101.0))
    builder.apply(bars=minute, trades=NO_TRADES, marks=NO_MARKS, upto_ns=MINUTE_NS)
    late = marks((130.0, 103.0), (131.0, 104.0))
    path = builder.apply(bars=NO_BARS, trades=NO_TRADES, marks=late, upto_ns=140 * SECOND_NS)
    assert path["close_usd"].tolist() == [103.0, 104.0]


def test_a_builder_goes_on_from_its_state() -> None:
    rows = trades((0.2, 100.0, 1.0), (0.9, 101.0, 1.0), (2.5, 99.0, 1.0))
    whole = PathBuilder().apply(bars=NO_BARS, trades=rows, marks=NO_MARKS, upto_ns=4 * SECOND_NS)
    builder = PathBuilder()
    head = builder.apply(bars=NO_BARS, trades=rows[:1], marks=NO_MARKS, upto_ns=SECOND_NS // 2)
    again = PathBuilder.from_state(builder.state())
    tail = again.apply(bars=NO_BARS, trades=rows[1:], marks=NO_MARKS, upto_ns=4 * SECOND_NS)
    assert np.concatenate([head, tail]).tobytes() == whole.tobytes()
    assert whole.dtype == PATH_ROW
