"""Five-minute open interest and funding of Binance USD-M in; open interest, funding and a coarse price path out.

``<ASSET>_oi_5m`` holds ``t`` (ms, end of the window), ``oi`` (coins) and ``oi_usd``; their quotient is a price. A bar
of two consecutive prices knows its open and close and no more, so it is flagged ``ENDPOINTS_ONLY``; where one-minute
bars exist, readers use those. ``<ASSET>_funding`` holds ``ts`` (ms) and ``rate``, which is a rate **per hour**: the
common rate of 0.01 % for eight hours stands there as 0.0000125, also for contracts that settle every four hours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.messages import Flag, Kind
from faultline.sources.archives.binance_contracts import contract_batch, contract_id
from faultline.sources.archives.column_files import ColumnType
from faultline.sources.archives.importer import Importer, asset_of_name, stem_of
from faultline.sources.archives.message_rows import gap_batches, make_batches, make_rows
from faultline.sources.archives.report import GapSpan
from faultline.units import HOUR_NS, MILLISECOND_NS, MINUTE_NS, SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from faultline.messages import Batch
    from faultline.sources.archives.column_files import Block, ColumnFile
    from faultline.sources.archives.report import Selection, Tally

__all__ = ("BINANCE_OI_5M",)

_WINDOW_NS: Final = 5 * MINUTE_NS
#: A stamp this far from the five-minute grid still belongs to it.
_STAMP_TOLERANCE_NS: Final = 2 * SECOND_NS
#: Log price change within five minutes that is taken for a fault of the source.
_IMPLAUSIBLE_LOG_STEP: Final = 0.5

_OI_COLUMNS: Final = {"t": ColumnType.INT, "oi": ColumnType.FLOAT, "oi_usd": ColumnType.FLOAT}
_FUNDING_COLUMNS: Final = {"ts": ColumnType.INT, "rate": ColumnType.FLOAT}


def _read(files: Sequence[ColumnFile], selection: Selection, tally: Tally) -> Iterator[list[Batch]]:
    """Open interest and bars, or funding, file by file."""
    for file in files:
        asset = asset_of_name(file.path)
        is_funding = stem_of(file.path).endswith("_funding")
        block = file.read(_FUNDING_COLUMNS if is_funding else _OI_COLUMNS)
        tally.rows_read += block.n_rows
        if not selection.wants(asset):
            tally.reject("outside_selection", np.ones(block.n_rows, dtype=np.bool_))
        elif block.n_rows:
            make = _funding_batches if is_funding else _oi_batches
            yield make(asset, block, selection, tally)


def _grid_times_ns(
    block: Block, tally: Tally
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Window ends on the five-minute grid, the mask of rows near enough to it, and that of rows not quite on it."""
    stamp_ns = block.integers_as_ns("t", MILLISECOND_NS, "milliseconds")
    block.check("t", np.diff(stamp_ns, prepend=stamp_ns[0] - 1) <= 0, "must increase from line to line")
    time_ns = (stamp_ns + _WINDOW_NS // 2) // _WINDOW_NS * _WINDOW_NS
    on_grid = np.abs(stamp_ns - time_ns) <= _STAMP_TOLERANCE_NS
    on_grid &= np.diff(time_ns, prepend=time_ns[0] - 1) > 0
    tally.reject("off_grid", ~on_grid)
    return time_ns, on_grid, stamp_ns != time_ns


def _oi_batches(asset: str, block: Block, selection: Selection, tally: Tally) -> list[Batch]:
    time_ns, kept, is_rounded = _grid_times_ns(block, tally)
    oi, oi_usd = block.non_negative("oi"), block.non_negative("oi_usd")
    # A failed poll shows as zero; nobody closes every contract of a listed coin.
    is_zero = (oi == 0) | (oi_usd == 0)
    tally.reject("zero_open_interest", kept & is_zero)
    kept &= ~is_zero
    price = np.divide(oi_usd, oi, out=np.full(len(oi), np.nan), where=~is_zero)
    is_spike = _is_spike(price, kept)
    tally.reject("implausible_price", is_spike)
    kept &= ~is_spike
    chosen = selection.mask(time_ns)
    tally.reject("outside_selection", kept & ~chosen)
    tally.repair("stamp_rounded", kept & chosen & is_rounded)

    time_ns, oi, oi_usd, price = time_ns[kept], oi[kept], oi_usd[kept], price[kept]
    instrument_id = contract_id(asset)
    fields = {"oi_base": oi, "oi_usd": oi_usd}
    rows = make_rows(Kind.OPEN_INTEREST, time_ns, time_ns, fields, Flag.RECEIVED_ASSUMED)
    batches = make_batches(Kind.OPEN_INTEREST, instrument_id, rows, selection)
    batches += make_batches(Kind.BAR, instrument_id, _endpoint_bars(time_ns, price), selection)
    if batches:
        batches = contract_batch(asset, int(batches[0].rows["ts_received_ns"][0])) + batches
    ends = np.flatnonzero(np.diff(time_ns) > _WINDOW_NS)
    holes = [(int(time_ns[i]), int(time_ns[i + 1])) for i in ends]
    gaps = [
        GapSpan(instrument_id, kind.value, first, last, reason)
        for first, last in holes
        for kind, reason in ((Kind.OPEN_INTEREST, "missing_rows"), (Kind.BAR, "no_bars"))
    ]
    return batches + gap_batches(gaps, selection)


def _is_spike(price: NDArray[np.float64], kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mask, shape (n,), of kept rows far from both their kept neighbours while these agree: one broken value."""
    flagged = np.zeros(len(price), dtype=np.bool_)
    rows = np.flatnonzero(kept)
    logs = np.log(price[rows])
    before, at, after = logs[:-2], logs[1:-1], logs[2:]
    far = np.minimum(np.abs(at - before), np.abs(at - after)) > _IMPLAUSIBLE_LOG_STEP
    flagged[rows[1:-1]] = far & (np.abs(after - before) < _IMPLAUSIBLE_LOG_STEP)
    return flagged


def _endpoint_bars(time_ns: NDArray[np.int64], price_usd: NDArray[np.float64]) -> NDArray[np.void]:
    """Bars between consecutive windows, shape (m,); none across a hole."""
    follows = np.flatnonzero(np.diff(time_ns) == _WINDOW_NS)
    first, last = price_usd[follows], price_usd[follows + 1]
    fields = {
        "open_usd": first,
        "high_usd": np.maximum(first, last),
        "low_usd": np.minimum(first, last),
        "close_usd": last,
    }
    return make_rows(Kind.BAR, time_ns[follows], time_ns[follows + 1], fields, Flag.ENDPOINTS_ONLY)


def _funding_batches(asset: str, block: Block, selection: Selection, tally: Tally) -> list[Batch]:
    time_ns = block.integers_as_ns("ts", MILLISECOND_NS, "milliseconds")
    block.check("ts", np.diff(time_ns, prepend=time_ns[0] - 1) <= 0, "must increase from line to line")
    hourly = block.finite("rate")
    block.check("rate", np.abs(hourly) > 0.1, "must be a ratio per hour, at most 10 %")
    chosen = selection.mask(time_ns)
    tally.reject("outside_selection", ~chosen)
    hours = np.rint(np.diff(time_ns) / HOUR_NS).astype(np.int64)
    hours = hours[hours > 0]
    interval_h = int(np.bincount(hours).argmax()) if len(hours) and hours.max() <= 24 * 365 else 0
    instrument_id = contract_id(asset)
    if not interval_h:
        # One row does not tell its own interval, and without it the rate of the interval is not known.
        tally.reject("unknown_funding_interval", chosen)
        return []
    interval_ns = interval_h * HOUR_NS
    tally.repair("funding_per_hour_to_interval", chosen)
    fields = {
        "rate_ratio": hourly * interval_h,
        "interval_ns": np.full(len(time_ns), interval_ns),
        "next_ns": (time_ns + HOUR_NS // 2) // HOUR_NS * HOUR_NS + interval_ns,
    }
    rows = make_rows(Kind.FUNDING, time_ns, time_ns, fields, Flag.RECEIVED_ASSUMED)
    holes = np.flatnonzero(np.diff(time_ns) > interval_ns * 3 // 2)
    gaps = [
        GapSpan(instrument_id, Kind.FUNDING.value, int(time_ns[i]), int(time_ns[i + 1]), "missing_rows")
        for i in holes
    ]
    return make_batches(Kind.FUNDING, instrument_id, rows, selection) + gap_batches(gaps, selection)


#: Open interest every five minutes and settled funding, one pair of files per coin.
BINANCE_OI_5M: Final = Importer(
    name="binance-oi-5m",
    summary="Binance USD-M open interest every five minutes, the price in it, and settled funding",
    name_pattern=r"[A-Z0-9]{1,12}_(oi_5m|funding)",
    expected_files="<ASSET>_oi_5m and <ASSET>_funding",
    read=_read,
)
