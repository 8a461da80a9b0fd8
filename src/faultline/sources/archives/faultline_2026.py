"""Liquidations of BTC, ETH and SOL of January and February 2026 with one-minute bars in; messages and gaps out.

The archive was recorded from Binance, from 2026-02-23 on also from Bybit and OKX without saying which event came from
where, by a recorder with faults of its own. What is corrected, what is dropped and what is only flagged, and why, is
written in ``docs/reference/importers.md``.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.errors import ImportRejected
from faultline.messages import Batch, Flag, Kind
from faultline.sources.archives.binance_contracts import contract_batch, contract_id
from faultline.sources.archives.column_files import ColumnType
from faultline.sources.archives.importer import Importer, stem_of
from faultline.sources.archives.message_rows import gap_batches, make_batches, make_rows
from faultline.sources.archives.minute_bars import read_minute_bars
from faultline.sources.archives.recorder_gaps import (
    MIXED_FROM_NS,
    liquidation_gaps,
    liquidation_id,
    recorder_down_gaps,
)
from faultline.sources.archives.report import GapSpan
from faultline.units import BASIS_POINT, HOUR_NS, MINUTE_NS, PriceKind, Side

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from faultline.sources.archives.column_files import ColumnFile
    from faultline.sources.archives.minute_bars import MinuteBars
    from faultline.sources.archives.report import Selection, Tally

__all__ = ("FAULTLINE_2026",)

#: An event further than this from the close of its minute is of another instrument.
_FOREIGN_LOG_DISTANCE: Final = 0.03
#: The same where its minute has no bar and the nearest one must do: hours of drift fit, another instrument does not.
_FOREIGN_LOG_DISTANCE_NEAREST: Final = 0.3
#: An event further than this below the close of its minute is a long, as far above a short.
_SIDE_DISTANCE: Final = 20 * BASIS_POINT
#: The price recorder and the event recorder do not stop together: what an OHLC hole of ten minutes casts doubt on.
_PADDED_HOLE_NS: Final = 10 * MINUTE_NS
_PADDING_BEFORE_NS: Final = 20 * MINUTE_NS
_PADDING_AFTER_NS: Final = 5 * MINUTE_NS
#: No liquidation of any symbol for longer than this is a fault, not a quiet market.
_SILENCE_NS: Final = 45 * MINUTE_NS
#: ``calibrator_events`` was stamped by a clock five hours behind UTC.
_CALIBRATOR_LAG_NS: Final = 5 * HOUR_NS

_FLOAT, _TEXT = ColumnType.FLOAT, ColumnType.TEXT
_EVENT_COLUMNS: Final = {
    "symbol": _TEXT, "ts": _FLOAT, "side": _TEXT, "price": _FLOAT, "qty": _FLOAT, "notional": _FLOAT,
}  # fmt: skip
_CALIBRATOR_COLUMNS: Final = {
    "symbol": _TEXT, "ts": _FLOAT, "event_price": _FLOAT, "src_price_at_event": _FLOAT, "src_source": _TEXT,
}  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class _Events:
    """Liquidations of one asset that were kept, shape (n,) each."""

    time_ns: NDArray[np.int64]
    side: NDArray[np.int8]
    is_repaired: NDArray[np.bool_]
    is_unchecked: NDArray[np.bool_]
    price_usd: NDArray[np.float64]
    qty_base: NDArray[np.float64]
    notional_usd: NDArray[np.float64]


def _read(files: Sequence[ColumnFile], selection: Selection, tally: Tally) -> Iterator[list[Batch]]:
    """Bars first, because events are checked against them; then events, marks and all gaps."""
    by_stem = {stem_of(file.path): file for file in files}
    bars = read_minute_bars(
        by_stem.get("minute_ohlc"), by_stem.get("minute_inputs"), by_stem.get("minute_aggression"), tally
    )
    event_file = by_stem.get("force_orders")
    if event_file is not None and not bars:
        raise ImportRejected(
            "liquidations cannot be told from those of other instruments without bars",
            where=event_file.name,
            hint="Give minute_ohlc of the same archive too, or its whole directory.",
        )
    events = _read_events(event_file, bars, tally) if event_file is not None else {}
    for asset, minute in bars.items():
        rows = minute.rows()
        chosen = selection.mask(rows["ts_received_ns"]) & selection.wants(asset)
        tally.reject_rows("outside_selection", int(minute.n_lines[~chosen].sum()))
        tally.repair_rows("bars_merged", int(minute.n_merged[chosen].sum()))
        tally.repair("zero_volume_dropped", minute.had_no_volume & chosen)
        if chosen.any():
            first_ns = int(rows["ts_received_ns"][chosen][0])
            yield [*contract_batch(asset, first_ns), Batch(Kind.BAR, contract_id(asset), rows[chosen])]
    for asset, found in events.items():
        yield _liquidations(asset, found, selection, tally)
    if "calibrator_events" in by_stem:
        yield from _marks(by_stem["calibrator_events"], selection, tally)
    yield gap_batches(_gaps(bars, events, selection), selection)


def _read_events(file: ColumnFile, bars: dict[str, MinuteBars], tally: Tally) -> dict[str, _Events]:
    """Kept events by asset, in the order of their times, whatever is selected."""
    block = file.read(_EVENT_COLUMNS)
    tally.rows_read += block.n_rows
    time_ns = block.seconds_as_ns("ts")
    price, qty, notional = (block.positive(name) for name in ("price", "qty", "notional"))
    is_long = block.one_of("side", ("long", "short")).equals("long")
    column = block.texts["symbol"]
    if block.n_rows:
        block.check("ts", np.diff(time_ns, prepend=time_ns[0]) < 0, "must not decrease from line to line")
    unknown = np.array([*(value not in bars for value in column.values), False])[column.codes]
    tally.reject("no_reference_price", unknown)
    wrong = ~unknown & (np.abs(notional / (price * qty) - 1) > 1e-3)
    tally.reject("notional_is_not_price_times_qty", wrong)
    events = {}
    for asset in sorted(set(column.values) & set(bars)):
        rows = np.flatnonzero(column.equals(asset) & ~wrong)
        if not len(rows):
            continue
        key = np.stack((time_ns[rows].astype(np.float64), price[rows], qty[rows]))
        is_first = np.zeros(len(rows), dtype=np.bool_)
        is_first[np.unique(key, axis=1, return_index=True)[1]] = True
        tally.reject("duplicate", ~is_first)
        rows = rows[is_first]
        close, nearest = bars[asset].close_at(time_ns[rows] // MINUTE_NS + 1)
        is_foreign = np.where(
            np.isfinite(close),
            np.abs(np.log(price[rows] / close)) > _FOREIGN_LOG_DISTANCE,
            np.abs(np.log(price[rows] / nearest)) > _FOREIGN_LOG_DISTANCE_NEAREST,
        )
        tally.reject("foreign_instrument", is_foreign)
        rows, close = rows[~is_foreign], close[~is_foreign]
        events[asset] = _Events(
            time_ns[rows],
            *_repair_sides(time_ns[rows], is_long[rows], price[rows], close),
            price[rows],
            qty[rows],
            notional[rows],
        )
    return events


def _repair_sides(
    time_ns: NDArray[np.int64],
    is_long: NDArray[np.bool_],
    price_usd: NDArray[np.float64],
    close_usd: NDArray[np.float64],
) -> tuple[NDArray[np.int8], NDArray[np.bool_], NDArray[np.bool_]]:
    """Side of each position, whether it differs from the recorded one, and whether it could not be checked.

    From the mixed recording on, part of the events carry the opposite side. A bankruptcy price lies below the market
    for a long and above it for a short, so an event clearly on one side of the close of its minute tells its own.
    """
    is_mixed = time_ns >= MIXED_FROM_NS
    has_bar = np.isfinite(close_usd)
    below = is_mixed & has_bar & (price_usd < close_usd * (1 - _SIDE_DISTANCE))
    above = is_mixed & has_bar & (price_usd > close_usd * (1 + _SIDE_DISTANCE))
    is_repaired = (below & ~is_long) | (above & is_long)
    side = np.where(is_long ^ is_repaired, Side.LONG, Side.SHORT).astype(np.int8)
    return side, is_repaired, is_mixed & ~has_bar


def _liquidations(asset: str, events: _Events, selection: Selection, tally: Tally) -> list[Batch]:
    """Batches of one asset: Binance alone first, then the mixed venues.

    The first recording stamped events with its own clock (fractions of milliseconds), the second with the venue's
    (whole milliseconds): there the receive time is assumed.
    """
    selected = selection.mask(events.time_ns) & selection.wants(asset)
    tally.reject("outside_selection", ~selected)
    tally.repair("side", selected & events.is_repaired)
    tally.leave_unchecked("side_without_bar", selected & events.is_unchecked)
    batches: list[Batch] = []
    for is_mixed in (False, True):
        chosen = selected & ((events.time_ns >= MIXED_FROM_NS) == is_mixed)
        flags = np.full(
            int(chosen.sum()), Flag.RECEIVED_ASSUMED if is_mixed else Flag.SAMPLED, dtype=np.uint32
        )
        flags[events.is_repaired[chosen]] |= int(Flag.SIDE_REPAIRED)
        fields = {
            "side": events.side[chosen],
            "price_kind": np.full(len(flags), PriceKind.BANKRUPTCY, dtype=np.uint8),
            "price_usd": events.price_usd[chosen],
            "qty_base": events.qty_base[chosen],
            "notional_usd": events.notional_usd[chosen],
        }
        time_ns = events.time_ns[chosen]
        rows = make_rows(Kind.LIQUIDATION, time_ns, time_ns, fields, flags)
        instrument_id = liquidation_id(asset, is_mixed=is_mixed)
        batches += make_batches(Kind.LIQUIDATION, instrument_id, rows, selection)
    return batches


def _marks(file: ColumnFile, selection: Selection, tally: Tally) -> Iterator[list[Batch]]:
    """Mark prices that were noted beside liquidations, moved from the clock five hours behind to UTC."""
    block = file.read(_CALIBRATOR_COLUMNS)
    tally.rows_read += block.n_rows
    time_ns = block.seconds_as_ns("ts") + _CALIBRATOR_LAG_NS
    event_price, mark = block.positive("event_price"), block.non_negative("src_price_at_event")
    is_mark = block.texts["src_source"].equals("markPrice")
    tally.reject("not_a_mark_price", ~is_mark)
    is_missing = is_mark & (mark == 0)
    tally.reject("no_mark_price", is_missing)
    sound = is_mark & ~is_missing
    distance = np.abs(np.log(np.where(sound, mark, event_price) / event_price))
    is_foreign = sound & (distance > _FOREIGN_LOG_DISTANCE)
    tally.reject("foreign_instrument", is_foreign)
    sound &= ~is_foreign
    column = block.texts["symbol"]
    wanted = np.array([*(selection.wants(value) for value in column.values), False])[column.codes]
    wanted &= selection.mask(time_ns)
    tally.reject("outside_selection", sound & ~wanted)
    tally.repair("clock_five_hours_behind", sound & wanted)
    for asset in sorted(column.values):
        chosen = column.equals(asset) & sound & wanted
        stamps = time_ns[chosen]
        rows = make_rows(Kind.MARK, stamps, stamps, {"mark_price_usd": mark[chosen]}, Flag.RECEIVED_ASSUMED)
        yield make_batches(Kind.MARK, liquidation_id(asset, is_mixed=True), rows, selection)


def _gaps(bars: dict[str, MinuteBars], events: dict[str, _Events], selection: Selection) -> list[GapSpan]:
    """Every stretch that is known to be incomplete, for the selected assets."""
    gaps: list[GapSpan] = []
    times = np.sort(np.concatenate([found.time_ns for found in events.values()])) if events else np.array([])
    after_silence = np.flatnonzero(np.diff(times) > _SILENCE_NS)
    silences = [(int(times[i]), int(times[i + 1])) for i in after_silence]
    for asset, minute in bars.items():
        if not selection.wants(asset):
            continue
        first_ns, last_ns = int(minute.end_key[0] - 1) * MINUTE_NS, int(minute.end_key[-1]) * MINUTE_NS
        found = events.get(asset)
        first_event_ns = int(found.time_ns[0]) if found is not None and len(found.time_ns) else None
        gaps += _bar_gaps(asset, minute, found)
        if first_event_ns is None:
            continue
        if first_event_ns - first_ns > _SILENCE_NS:
            gaps += liquidation_gaps(asset, first_ns, first_event_ns, "recorder_down")
        gaps += recorder_down_gaps(asset, first_event_ns, max(last_ns, int(times[-1])))
        for start_ns, end_ns in silences:
            if end_ns > first_event_ns:
                gaps += liquidation_gaps(asset, max(start_ns, first_event_ns), end_ns, "silence")
        for start_ns, end_ns in minute.holes():
            if end_ns - start_ns >= _PADDED_HOLE_NS:
                padded = (start_ns - _PADDING_BEFORE_NS, end_ns + _PADDING_AFTER_NS)
                gaps += liquidation_gaps(asset, *padded, "padding")
    return gaps


def _bar_gaps(asset: str, minute: MinuteBars, events: _Events | None) -> list[GapSpan]:
    """Holes between bars, stretches without an open, and time with events before or after all bars."""
    spans = [(start, end, "no_bars") for start, end in minute.holes()]
    spans += [(start, end, "no_open") for start, end in minute.stretches_without_open()]
    first_ns, last_ns = int(minute.end_key[0] - 1) * MINUTE_NS, int(minute.end_key[-1]) * MINUTE_NS
    if events is not None and len(events.time_ns):
        before = int(events.time_ns[0]) // MINUTE_NS * MINUTE_NS
        after = (int(events.time_ns[-1]) // MINUTE_NS + 1) * MINUTE_NS
        spans += [(before, first_ns, "no_bars")] if before < first_ns else []
        spans += [(last_ns, after, "no_bars")] if last_ns < after else []
    scope, kind = contract_id(asset), Kind.BAR.value
    return [GapSpan(scope, kind, start, end, reason) for start, end, reason in spans]


#: Liquidations with one-minute bars, taker flow and marks, recorded in January and February 2026.
FAULTLINE_2026: Final = Importer(
    name="faultline-2026",
    summary="liquidations of BTC, ETH and SOL with one-minute bars, January and February 2026",
    name_pattern="force_orders|minute_ohlc|minute_inputs|minute_aggression|calibrator_events",
    expected_files="force_orders, minute_ohlc, minute_inputs, minute_aggression and calibrator_events",
    read=_read,
)
