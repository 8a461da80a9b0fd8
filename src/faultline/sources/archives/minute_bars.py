"""The three minute files of the ``faultline-2026`` archive in; one-minute bars with volumes, and their holes, out.

``minute_key`` k names the **end** of a bar, [60 (k-1), 60 k) seconds, in ``minute_ohlc`` and ``minute_inputs``, and
its **start** in ``minute_aggression``. Prices come from ``minute_ohlc``; before its first and after its last bar they
come from ``minute_inputs``, which has no open. Holes inside ``minute_ohlc`` stay holes. Volumes come from
``minute_inputs``, else from ``minute_aggression`` (USD over the close).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.messages import Kind
from faultline.sources.archives.column_files import ColumnType
from faultline.sources.archives.message_rows import make_rows
from faultline.units import MINUTE_NS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from faultline.sources.archives.column_files import Block, ColumnFile
    from faultline.sources.archives.report import Tally

__all__ = ("MinuteBars", "read_minute_bars")

_FLOAT, _INT, _TEXT, _BOOL = ColumnType.FLOAT, ColumnType.INT, ColumnType.TEXT, ColumnType.BOOL
_OHLC_COLUMNS: Final = {
    "symbol": _TEXT,
    "minute_key": _INT,
    **dict.fromkeys(("ts", "o", "h", "l", "c"), _FLOAT),
}
_INPUT_COLUMNS: Final = {
    "symbol": _TEXT,
    "minute_key": _INT,
    **dict.fromkeys(("high", "low", "close", "buy_vol", "sell_vol"), _FLOAT),
    "ok": _BOOL,
}
_AGGRESSION_COLUMNS: Final = {
    "symbol": _TEXT,
    "minute_key": _INT,
    **dict.fromkeys(("buy_notional_usd", "sell_notional_usd"), _FLOAT),
    "fallback_used": _BOOL,
}


@dataclasses.dataclass(frozen=True, slots=True)
class MinuteBars:
    """Bars of one asset, shape (n,) each, sorted; bar i ends at minute ``end_key[i]`` since 1970."""

    end_key: NDArray[np.int64]
    open_usd: NDArray[np.float64]
    high_usd: NDArray[np.float64]
    low_usd: NDArray[np.float64]
    close_usd: NDArray[np.float64]
    buy_qty_base: NDArray[np.float64]
    sell_qty_base: NDArray[np.float64]
    #: Lines of the files that each bar was made of, and those of them that repeat its key in ``minute_ohlc``.
    n_lines: NDArray[np.int64]
    n_merged: NDArray[np.int64]
    #: Both volumes stood as zero in ``minute_inputs``.
    had_no_volume: NDArray[np.bool_]

    def rows(self) -> NDArray[np.void]:
        """Messages of kind ``bar``, shape (n,)."""
        end_ns = self.end_key * MINUTE_NS
        fields = {
            name: getattr(self, name)
            for name in ("open_usd", "high_usd", "low_usd", "close_usd", "buy_qty_base", "sell_qty_base")
        }
        return make_rows(Kind.BAR, end_ns - MINUTE_NS, end_ns, fields)

    @property
    def ohlc_key(self) -> NDArray[np.int64]:
        """End minutes of the bars with an open, that is, of those from ``minute_ohlc``."""
        return self.end_key[np.isfinite(self.open_usd)]

    def holes(self) -> list[tuple[int, int]]:
        """``(from_ns, to_ns)`` of every stretch between two bars of ``minute_ohlc`` that has none."""
        keys = self.ohlc_key
        ends = np.flatnonzero(np.diff(keys) > 1)
        return [(int(keys[i]) * MINUTE_NS, int(keys[i + 1] - 1) * MINUTE_NS) for i in ends]

    def stretches_without_open(self) -> list[tuple[int, int]]:
        """``(from_ns, to_ns)`` of the stretches whose bars come from ``minute_inputs``: before and after."""
        other = self.end_key[~np.isfinite(self.open_usd)]
        keys = self.ohlc_key
        parts = (other[other < keys[0]], other[other > keys[-1]]) if len(keys) else (other,)
        return [(int(part[0] - 1) * MINUTE_NS, int(part[-1]) * MINUTE_NS) for part in parts if len(part)]

    def close_at(self, end_key: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Close of the bar that ends at each key (NaN where there is none), and of the bar nearest to it."""
        if not len(self.end_key):
            nothing = np.full(len(end_key), np.nan)
            return nothing, nothing
        right = np.minimum(np.searchsorted(self.end_key, end_key), len(self.end_key) - 1)
        left = np.maximum(right - 1, 0)
        is_left = np.abs(self.end_key[left] - end_key) < np.abs(self.end_key[right] - end_key)
        nearest = np.where(is_left, left, right)
        close = self.close_usd[nearest]
        return np.where(self.end_key[nearest] == end_key, close, np.nan), close


def read_minute_bars(
    ohlc: ColumnFile | None, inputs: ColumnFile | None, aggression: ColumnFile | None, tally: Tally
) -> dict[str, MinuteBars]:
    """Bars of every asset in the files.

    Raises:
        ImportRejected: a file is not as described, or a value is impossible.
    """
    prices = _read_ohlc(ohlc, tally) if ohlc else {}
    others = _read_inputs(inputs, tally) if inputs else {}
    flows = _read_aggression(aggression, tally) if aggression else {}
    bars = {}
    for asset in sorted({*prices, *others}):
        bars[asset] = _join(prices.get(asset), others.get(asset), flows.get(asset), tally)
    unused = sum(len(flow["end_key"]) for asset, flow in flows.items() if asset not in bars)
    tally.reject("volume_without_bar", np.ones(unused, dtype=np.bool_))
    return bars


_Columns = dict[str, "NDArray[np.float64]"]


def _keys(block: Block, shift: int) -> NDArray[np.float64]:
    """Minute keys, checked to be times and to increase within each symbol, as floats (exact below 2^53)."""
    block.integers_as_ns("minute_key", MINUTE_NS, "minutes")
    keys = block.integers["minute_key"]
    for rows in _rows_by_symbol(block).values():
        backwards = np.zeros(block.n_rows, dtype=np.bool_)
        backwards[rows[1:]] = np.diff(keys[rows]) < 0
        block.check("minute_key", backwards, "must not decrease within a symbol")
    return (keys + shift).astype(np.float64)


def _rows_by_symbol(block: Block) -> dict[str, NDArray[np.intp]]:
    column = block.texts["symbol"]
    bad = np.array([*(not (v.isascii() and v.isalnum() and len(v) <= 12) for v in column.values), False])
    block.check("symbol", bad[column.codes], "must be an asset such as BTC")
    return {value: np.flatnonzero(column.codes == code) for code, value in enumerate(column.values)}


def _read_ohlc(file: ColumnFile, tally: Tally) -> dict[str, _Columns]:
    block = file.read(_OHLC_COLUMNS)
    tally.rows_read += block.n_rows
    keys, stamp_s = _keys(block, 0), block.finite("ts")
    o, h, l, c = (block.positive(name) for name in "ohlc")  # noqa: E741 - open, high, low, close
    sound = (h >= np.maximum(o, c)) & (l <= np.minimum(o, c))
    tally.reject("inconsistent_bar", ~sound)
    found = {}
    for asset, every in _rows_by_symbol(block).items():
        rows = every[sound[every]]
        if not len(rows):
            continue
        # A key that stands more than once is one bar that was written in pieces: merge them by their stamps.
        rows = rows[np.lexsort((stamp_s[rows], keys[rows]))]
        first = np.flatnonzero(np.diff(keys[rows], prepend=-1.0) > 0)
        last = np.append(first[1:], len(rows)) - 1
        found[asset] = {
            "end_key": keys[rows][first],
            "open_usd": o[rows][first],
            "high_usd": np.maximum.reduceat(h[rows], first),
            "low_usd": np.minimum.reduceat(l[rows], first),
            "close_usd": c[rows][last],
            "n_merged": (last - first).astype(np.float64),
        }
    return found


def _read_inputs(file: ColumnFile, tally: Tally) -> dict[str, _Columns]:
    block = file.read(_INPUT_COLUMNS)
    tally.rows_read += block.n_rows
    keys = _keys(block, 0)
    high, low, close = (block.positive(name) for name in ("high", "low", "close"))
    buy, sell = block.non_negative("buy_vol"), block.non_negative("sell_vol")
    is_ok = block.bools["ok"]
    sound = is_ok & (high >= close) & (low <= close)
    tally.reject("marked_not_ok", ~is_ok)
    tally.reject("inconsistent_bar", is_ok & ~sound)
    # Both volumes zero while the price is quoted: the source had no trades to count.
    no_volume = (buy == 0) & (sell == 0)
    buy, sell = np.where(no_volume, np.nan, buy), np.where(no_volume, np.nan, sell)
    columns = {"end_key": keys, "high_usd": high, "low_usd": low, "close_usd": close}
    columns |= {"buy_qty_base": buy, "sell_qty_base": sell, "no_volume": no_volume.astype(np.float64)}
    return _last_of_each(block, columns, sound, tally)


def _read_aggression(file: ColumnFile, tally: Tally) -> dict[str, _Columns]:
    block = file.read(_AGGRESSION_COLUMNS)
    tally.rows_read += block.n_rows
    keys = _keys(block, 1)
    buy, sell = block.non_negative("buy_notional_usd"), block.non_negative("sell_notional_usd")
    is_fallback = block.bools["fallback_used"]
    tally.reject("fallback_volume", is_fallback)
    columns = {"end_key": keys, "buy_usd": buy, "sell_usd": sell}
    return _last_of_each(block, columns, ~is_fallback, tally)


def _last_of_each(
    block: Block, columns: Mapping[str, NDArray[np.float64]], kept: NDArray[np.bool_], tally: Tally
) -> dict[str, _Columns]:
    """Columns by symbol; of rows with the same key the last one stays."""
    found = {}
    for asset, every in _rows_by_symbol(block).items():
        rows = every[kept[every]]
        if not len(rows):
            continue
        keys = columns["end_key"][rows]
        is_last = np.append(np.diff(keys) > 0, values=True)
        tally.reject("repeated_minute", ~is_last)
        found[asset] = {name: values[rows[is_last]] for name, values in columns.items()}
    return found


def _join(
    prices: _Columns | None, others: _Columns | None, flows: _Columns | None, tally: Tally
) -> MinuteBars:
    """One asset's bars: prices of ``minute_ohlc``, at both ends of ``minute_inputs``; volumes where known."""
    columns = prices or {}
    if others is not None and prices is not None:
        outside = (others["end_key"] < prices["end_key"][0]) | (others["end_key"] > prices["end_key"][-1])
        extra = {name: values[outside] for name, values in others.items()}
        count = int(outside.sum())
        columns = {
            name: np.concatenate(
                (values, extra.get(name, np.full(count, -1.0 if name == "n_merged" else np.nan)))
            )
            for name, values in prices.items()
        }
        order = np.argsort(columns["end_key"], kind="stable")
        columns = {name: values[order] for name, values in columns.items()}
    elif others is not None:
        n_bars = len(others["end_key"])
        columns = {**others, "open_usd": np.full(n_bars, np.nan), "n_merged": np.full(n_bars, -1.0)}
    keys, n_merged = columns["end_key"], columns["n_merged"].astype(np.int64)
    n_lines = n_merged + 1
    had_no_volume = np.zeros(len(keys), dtype=np.bool_)
    buy = np.full(len(keys), np.nan)
    sell = np.full(len(keys), np.nan)
    if others is not None:
        at, has_bar = _positions(keys, others["end_key"])
        tally.reject("volume_without_bar", ~has_bar)
        buy[at[has_bar]] = others["buy_qty_base"][has_bar]
        sell[at[has_bar]] = others["sell_qty_base"][has_bar]
        n_lines[at[has_bar]] += 1
        had_no_volume[at[has_bar]] = others["no_volume"][has_bar] > 0
    if flows is not None:
        at, has_bar = _positions(keys, flows["end_key"])
        is_needed = has_bar & np.isnan(buy[at])
        tally.reject("volume_without_bar", ~has_bar)
        tally.reject("volume_already_known", has_bar & ~is_needed)
        rows = at[is_needed]
        buy[rows] = flows["buy_usd"][is_needed] / columns["close_usd"][rows]
        sell[rows] = flows["sell_usd"][is_needed] / columns["close_usd"][rows]
        n_lines[rows] += 1
    return MinuteBars(
        end_key=keys.astype(np.int64),
        open_usd=columns["open_usd"],
        high_usd=columns["high_usd"],
        low_usd=columns["low_usd"],
        close_usd=columns["close_usd"],
        buy_qty_base=buy,
        sell_qty_base=sell,
        n_lines=n_lines,
        n_merged=np.maximum(n_merged, 0),
        had_no_volume=had_no_volume,
    )


def _positions(
    keys: NDArray[np.float64], wanted: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Index into ``keys`` of each wanted key, and whether it is there."""
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return at, keys[at] == wanted
