"""Parameters, a shard and the messages of a step in, the moved shard and what came of it out.

This file is the table of contents of the engine. Live, replay and backtest call ``step`` and nothing else. Its
unit is one cell of a fixed 50-ms grid of receive times; because bars, columns and forecasts close on grids of
their own, many cells may be given at once, and the result is the same for every way of cutting a tape into
steps (tested). Nothing in here reads the wall clock.

The shard is moved, not copied: the one passed in is the one that comes out.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from faultline.heatmap.columns import ColumnEvents
from faultline.heatmap.grid import BUCKET_LOG, bucket_of
from faultline.instruments import instruments_from_rows
from faultline.market.location import trigger_prices_usd
from faultline.market.path import PATH_ROW
from faultline.messages import Flag, Kind, empty_rows
from faultline.pipeline.accounting import ACCOUNT_NS
from faultline.pipeline.kinds import DENSE_KINDS
from faultline.pipeline.map_trial import TRIAL_NS
from faultline.pipeline.watch_grid import close_accounts, close_hour
from faultline.signals.notices import calibration_notice, learner_notice
from faultline.units import HOUR_NS, MILLISECOND_NS, MINUTE_NS, Side

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from faultline.heatmap.columns import Columns
    from faultline.heatmap.display import DisplayRows
    from faultline.heatmap.forecast import Forecast
    from faultline.learning.posterior import LearnedWindows
    from faultline.messages import Batch
    from faultline.pipeline.instrument_state import InstrumentState
    from faultline.pipeline.shard import Shard
    from faultline.pipeline.watch import MarketWatch
    from faultline.signals.notices import Notice
    from faultline.zones.zone import Zone, ZoneChange

__all__ = ("CELL_NS", "LocatedEvents", "StepOutputs", "step")

#: One cell of the step grid.
CELL_NS: Final = 50 * MILLISECOND_NS


@dataclasses.dataclass(frozen=True, slots=True)
class LocatedEvents:
    """Liquidations of one step with the price that forced them, sorted by receive time; shapes (n,)."""

    instrument: NDArray[np.str_]
    received_ns: NDArray[np.int64]
    event_ns: NDArray[np.int64]
    side: NDArray[np.int8]
    price_usd: NDArray[np.float64]
    trigger_usd: NDArray[np.float64]
    notional_usd: NDArray[np.float64]
    price_kind: NDArray[np.uint8]
    flags: NDArray[np.uint32]

    def between(self, after_ns: int, upto_ns: int) -> LocatedEvents:
        """Those received in (after_ns, upto_ns]."""
        low, high = np.searchsorted(self.received_ns, (after_ns, upto_ns), side="right")
        return LocatedEvents(*(getattr(self, field.name)[low:high] for field in dataclasses.fields(self)))


@dataclasses.dataclass(frozen=True, slots=True)
class StepOutputs:
    """What a step gave: columns by scope, liquidations, forecasts frozen in it, and what happened to zones.

    ``zone_states`` are states for the history: at every change and every quarter of an hour. The zone lists and the
    notices are empty where the shard does not watch its market.
    """

    columns: list[tuple[str, Columns]]
    events: LocatedEvents
    forecasts: list[Forecast]
    zone_changes: list[ZoneChange]
    zone_states: list[Zone]
    notices: list[Notice]


def step(
    shard: Shard, batches: Sequence[Batch], to_ns: int, *, freeze: bool = False, forming: bool = False
) -> StepOutputs:
    """Move a shard to ``to_ns``.

    Args:
        shard: state of one asset.
        batches: every message of the asset's instruments received in (reached, to_ns), sorted, and what became of
            the feeds of venues.
        to_ns: end of the step, exclusive.
        freeze: whether forecasts are frozen on their grid.
        forming: whether the forming columns are drawn too (somebody looks).

    Returns:
        Columns, events and forecasts. ``shard`` has moved.
    """
    upto_ns = to_ns - 1
    shard.take_books(batches, to_ns)
    # Those may be given ahead of a step, and so are not counted in it.
    by_instrument = _route(shard, [batch for batch in batches if batch.kind not in DENSE_KINDS], to_ns)
    statuses = [iid for iid, kinds in by_instrument.items() if Kind.SOURCE_STATUS in kinds]
    feeds = {iid.partition(":")[0]: by_instrument.pop(iid)[Kind.SOURCE_STATUS] for iid in statuses}
    paths = {
        iid: shard.member(iid).apply(by_instrument.get(iid, {}), upto_ns)
        for iid in _all_ids(shard, by_instrument)
    }
    events = _locate(shard, by_instrument)
    watch = shard.watch
    if watch is not None:
        watch.apply_statuses(feeds, upto_ns)
        watch.apply_liquidations(events)
        watch.cascades.apply_funding(by_instrument)
    columns: list[tuple[str, Columns]] = []
    forecasts: list[Forecast] = []
    drawn: list[_Drawn] = []
    for end_ns in _segment_ends(shard, upto_ns, freeze=freeze):
        is_last = end_ns == upto_ns
        drawn += _advance(shard, (end_ns, upto_ns), paths, events, forming=forming and is_last)
        if shard.learner is not None and end_ns % TRIAL_NS == 0:
            shard.learner.judge(shard.priced(shard.asset), end_ns)
        if watch is not None and watch.account_due(end_ns):
            close_accounts(shard, watch, end_ns, says_chains=end_ns + ACCOUNT_NS > upto_ns)
        if drawn and (is_last or end_ns % HOUR_NS == 0):
            columns += _extend(shard, drawn, paths, events)
            drawn = []
        if end_ns % HOUR_NS == 0:
            _every_hour(shard, end_ns)
        if freeze and end_ns % shard.parameters.freeze_ns == 0 and shard.reference_id:
            forecasts.append(_freeze(shard, end_ns))
    if watch is not None:
        watch.cascades.books.forget(shard.reached_ns)
    changes, states, notices = watch.take() if watch is not None else ([], [], [])
    return StepOutputs(columns, events, forecasts, changes, states, notices)


@njit(cache=True, nogil=True)
def _mark_cells_kernel(times_ns: Any, base: int, cells: NDArray[np.bool_]) -> None:
    """Mark the cells of the step grid that hold a message; the first is number ``base``, others are left out.

    Whether two trades share a cell is a coin toss, so a branch would cost more than a division without one.
    """
    base_ns = base * CELL_NS
    for k in range(times_ns.shape[0]):
        cell = np.uint64(times_ns[k] - base_ns) // np.uint64(CELL_NS)
        if cell < cells.shape[0]:
            cells[cell] = True


def _route(shard: Shard, batches: Sequence[Batch], to_ns: int) -> dict[str, dict[Kind, NDArray[np.void]]]:
    """Rows by instrument and kind; contracts are taken in, cells and messages counted."""
    routed: dict[str, dict[Kind, NDArray[np.void]]] = {}
    base = shard.reached_ns // CELL_NS
    cells = np.zeros(max(1, (to_ns - 1) // CELL_NS - base + 1), dtype=np.bool_)
    for batch in batches:
        if batch.kind is Kind.INSTRUMENT:
            shard.contracts[batch.instrument_id] = instruments_from_rows(batch.instrument_id, batch.rows)[-1][
                1
            ]
        kinds = routed.setdefault(batch.instrument_id, {})
        earlier = kinds.get(batch.kind)
        kinds[batch.kind] = batch.rows if earlier is None else np.concatenate([earlier, batch.rows])
        _mark_cells_kernel(batch.rows["ts_received_ns"], base, cells)
        shard.messages += len(batch)
    shard.steps += int(np.count_nonzero(cells))
    return routed


def _all_ids(shard: Shard, routed: dict[str, dict[Kind, NDArray[np.void]]]) -> list[str]:
    return sorted(set(shard.members) | set(routed))


def _locate(shard: Shard, routed: dict[str, dict[Kind, NDArray[np.void]]]) -> LocatedEvents:
    """Single liquidations of the step with their trigger prices; totals are not events."""
    parts: list[tuple[str, NDArray[np.void], NDArray[np.float64]]] = []
    for iid in sorted(routed):
        rows = routed[iid].get(Kind.LIQUIDATION, empty_rows(Kind.LIQUIDATION))
        rows = rows[
            ((rows["flags"] & Flag.TOTAL) == 0) & (rows["price_usd"] > 0) & (rows["notional_usd"] > 0)
        ]
        if len(rows):
            parts.append((iid, rows, trigger_prices_usd(rows, shard.maintenance_ratio(iid))))
    rows = np.concatenate([part[1] for part in parts]) if parts else empty_rows(Kind.LIQUIDATION)
    names = np.repeat([part[0] for part in parts], [len(part[1]) for part in parts])
    trigger = np.concatenate([part[2] for part in parts]) if parts else np.zeros(0)
    order = np.argsort(rows["ts_received_ns"], kind="stable")
    rows = rows[order]
    return LocatedEvents(
        instrument=names[order] if parts else np.zeros(0, dtype="<U1"),
        received_ns=rows["ts_received_ns"].copy(),
        event_ns=rows["ts_event_ns"].copy(),
        side=rows["side"].copy(),
        price_usd=rows["price_usd"].copy(),
        trigger_usd=trigger[order],
        notional_usd=rows["notional_usd"].copy(),
        price_kind=rows["price_kind"].copy(),
        flags=rows["flags"].copy(),
    )


def _segment_ends(shard: Shard, upto_ns: int, *, freeze: bool) -> Iterator[int]:
    """Moments at which the step pauses: hours (rows, reference, checkpoint), trials, accounts, forecasts, its end.

    The shard moves to each before it is asked for the next. A feed speaks no earlier than the whole hour after its
    first event, so nothing is missed where trials begin with the next pause.
    """
    fixed_ns = min(HOUR_NS, shard.parameters.freeze_ns) if freeze else HOUR_NS
    if shard.watch is not None and upto_ns >= shard.watch.follow_from_ns:
        fixed_ns = math.gcd(fixed_ns, ACCOUNT_NS)
    while True:
        learns = shard.learner is not None and shard.learner.feeds
        grid_ns = math.gcd(fixed_ns, TRIAL_NS) if learns else fixed_ns
        end_ns = min((shard.reached_ns // grid_ns + 1) * grid_ns, upto_ns)
        yield end_ns
        if end_ns == upto_ns:
            return


@dataclasses.dataclass(frozen=True, slots=True)
class _Drawn:
    """What was drawn of (after_ns, end_ns]: heat by instrument at ``close_ns``, shape (n, 2, P), and now, (2, P)."""

    after_ns: int
    end_ns: int
    rows: DisplayRows
    close_ns: NDArray[np.int64]
    heat: dict[str, NDArray[np.float32]]
    now: dict[str, NDArray[np.float32]]


def _advance(
    shard: Shard,
    ends_ns: tuple[int, int],
    paths: dict[str, NDArray[np.void]],
    events: LocatedEvents,
    *,
    forming: bool,
) -> list[_Drawn]:
    """Move every instrument to the first of ``ends_ns``, and what is watched; the second is the end of the step.

    Gives what was drawn, nothing before a first price.
    """
    end_ns, upto_ns = ends_ns
    after_ns, shard.reached_ns = shard.reached_ns, end_ns
    reference = shard.members.get(shard.reference_id) or _first_reference(shard, end_ns)
    if reference is None:
        return []
    rows = shard.rows.rows or shard.rows.follow(end_ns, _first_price(reference))
    series = shard.series_of(shard.asset).values()
    union = np.unique(np.concatenate([part.close_times(after_ns, end_ns) for part in series]))
    drawn = _Drawn(after_ns, end_ns, rows, union, {}, {})
    recent = {iid: _ended(path, after_ns, end_ns) for iid, path in paths.items()}
    if shard.learned_ns < end_ns:
        shard.learned_ns = min(-(-end_ns // HOUR_NS) * HOUR_NS, upto_ns)
        coming = {iid: _ended(path, after_ns, shard.learned_ns) for iid, path in paths.items()}
        heard = events.between(after_ns, shard.learned_ns)
        _learn(shard, reference.instrument_id, coming, heard, shard.learned_ns)
    if shard.learner is not None:
        shard.learner.serve(shard.with_path(), end_ns)
        shard.learner.watch(recent[reference.instrument_id], events.between(after_ns, end_ns))
    for item in shard.with_path():
        usd = item.advance(np.append(union, end_ns) if forming else union, end_ns, rows)
        drawn.heat[item.instrument_id] = usd[: len(union)]
        if shard.watch is not None:
            shard.watch.accountant.apply(item.instrument_id, item.applied)
        if forming:
            drawn.now[item.instrument_id] = usd[-1]
    if shard.watch is not None:
        _watch(shard, shard.watch, drawn, recent)
    return [drawn]


def _watch(shard: Shard, watch: MarketWatch, drawn: _Drawn, paths: dict[str, NDArray[np.void]]) -> None:
    """Let the watch look at what was drawn and at the recent path of every instrument."""
    minutes = shard.series_of(shard.asset)["1m"].close_times(drawn.after_ns, drawn.end_ns)
    at = np.searchsorted(drawn.close_ns, minutes)
    for item in shard.with_path():
        watch.apply_path(
            item.instrument_id, paths[item.instrument_id], _minutes(drawn.after_ns, drawn.end_ns)
        )
    for scope, ids in shard.own_scopes().items():
        usd = _total([drawn.heat[iid][at] for iid in ids])
        watch.apply_columns(scope, drawn.rows, minutes, usd, paths[_source_of(shard, scope)])


def _source_of(shard: Shard, scope: str) -> str:
    """The instrument whose path is that of a scope."""
    return shard.reference_id if scope == shard.asset else scope


def _total(parts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Sum of the heat of instruments, in their order."""
    return sum(parts[1:], start=parts[0])


def _learn(
    shard: Shard, reference_id: str, paths: dict[str, NDArray[np.void]], events: LocatedEvents, end_ns: int
) -> None:
    """Learn leverage mixes and what the venues do to their prints, until ``end_ns``; tell what was found."""
    notices: list[Notice] = []
    learned: list[tuple[str, LearnedWindows]] = []
    if shard.learner is not None:
        shard.learner.apply(shard.with_path(), reference_id, events, end_ns)
        learned = shard.learner.take()
    if shard.calibrator is not None:
        found = shard.calibrator.apply(paths, reference_id, events, end_ns)
        for feed_id, windows in learned:
            found += shard.calibrator.apply_windows(feed_id, windows)
        notices += [
            calibration_notice(shard.asset, each.feed_id, each.at_ns, each.what, before=each.before)
            for each in found
            if each.is_told
        ]
    if shard.watch is not None:
        notices += [
            learner_notice(shard.asset, "leverage", feed_id, fact)
            for feed_id, part in learned
            for fact in part.facts
        ]
        for notice in notices:
            shard.watch.tell(notice)


def _ended(path: NDArray[np.void], after_ns: int, end_ns: int) -> NDArray[np.void]:
    """Bars that ended in (after_ns, end_ns]."""
    low, high = np.searchsorted(path["end_ns"], (after_ns, end_ns), side="right")
    return path[low:high]


def _minutes(after_ns: int, end_ns: int) -> NDArray[np.int64]:
    """Whole minutes in (after_ns, end_ns]."""
    first = (after_ns // MINUTE_NS + 1) * MINUTE_NS
    return np.arange(first, end_ns + 1, MINUTE_NS, dtype=np.int64)


def _extend(
    shard: Shard, drawn: list[_Drawn], paths: dict[str, NDArray[np.void]], events: LocatedEvents
) -> list[tuple[str, Columns]]:
    """Columns of every scope and timeframe from what was drawn on the same rows, one after another."""
    after_ns, last, rows = drawn[0].after_ns, drawn[-1], drawn[0].rows
    union = np.concatenate([part.close_ns for part in drawn])
    heat = {iid: np.concatenate([part.heat[iid] for part in drawn]) for iid in last.heat}
    recent = events.between(after_ns, last.end_ns)
    out: list[tuple[str, Columns]] = []
    drawn_from: dict[tuple[str, ...], list[Columns]] = {}
    for scope, ids in shard.scopes().items():
        priced = [iid for iid in ids if iid in heat]
        if not priced:
            continue
        if tuple(ids) in drawn_from:
            # An asset of one instrument and that instrument are the same map.
            out += [(scope, columns) for columns in drawn_from[tuple(ids)]]
            continue
        mine_out = drawn_from.setdefault(tuple(ids), [])
        mine = np.isin(recent.instrument, ids) if len(recent.instrument) else np.zeros(0, dtype=np.bool_)
        located = ColumnEvents(
            received_ns=recent.received_ns[mine],
            side=(recent.side[mine] == Side.SHORT).astype(np.int64),
            row=np.floor(recent.trigger_usd[mine] / rows.row_usd).astype(np.int64) - rows.first_row,
            usd=recent.notional_usd[mine],
        )
        path = _ended(paths.get(_source_of(shard, scope), np.zeros(0, PATH_ROW)), after_ns, last.end_ns)
        if not (len(union) or last.now or len(path) or mine.any()):
            continue  # Nothing closed, nobody looks and nothing came.
        total = _total([heat[iid] for iid in priced])
        for series in shard.series_of(scope).values():
            close_ns = series.close_times(after_ns, last.end_ns)
            columns = series.extend(
                rows=rows,
                close_ns=close_ns,
                synthetic=total[np.searchsorted(union, close_ns)],
                forming=_total([last.now[iid] for iid in priced]) if last.now else None,
                path=path,
                events=located,
                now_ns=last.end_ns,
                smooth_bps=shard.parameters.smooth_bps if shard.draws_smooth else None,
            )
            if columns is not None:
                mine_out.append(columns)
        out += [(scope, columns) for columns in mine_out]
    return out


def _first_price(reference: InstrumentState) -> float:
    return (
        reference.price_usd if np.isfinite(reference.price_usd) else float(reference.pending["close_usd"][0])
    )


def _first_reference(shard: Shard, end_ns: int) -> InstrumentState | None:
    """The instrument that brought the asset's first price, until the hour's choice by open interest."""
    ready = [item for item in shard.with_path() if len(item.pending) and item.pending["end_ns"][0] <= end_ns]
    if not ready:
        return None
    first = min(ready, key=lambda item: (int(item.pending["end_ns"][0]), item.instrument_id))
    shard.reference_id = first.instrument_id
    return first


def _every_hour(shard: Shard, time_ns: int) -> None:
    """Choose reference and rows anew and remember the ledgers."""
    reference = shard.choose_reference()
    if reference is None:
        return
    shard.rows.follow(time_ns, reference.price_usd)
    for item in shard.with_path():
        item.follow_interest(time_ns, HOUR_NS)
    if shard.calibrator is not None and shard.learner is not None:
        shard.calibrator.close_hour(time_ns, shard.published_usd(time_ns), shard.learner.up_ids(time_ns))
    if shard.watch is not None:
        close_hour(shard, shard.watch, time_ns)
    if shard.keeps_history:
        for item in shard.with_path():
            item.history.checkpoint(time_ns, item.ledger, item.anchor.worth_usd)


def _freeze(shard: Shard, time_ns: int) -> Forecast:
    """Freeze the asset's map: USD per log bucket of all instruments, with the part of each bucket still ahead."""
    items = [item for item in shard.with_path() if np.isfinite(item.price_usd)]
    first = min(item.ledger.first_bucket for item in items)
    last = max(item.ledger.first_bucket + item.ledger.n_buckets for item in items)
    heat = np.zeros((2, last - first))
    ahead = np.zeros((2, last - first))
    for item in items:
        usd = item.heat_usd(time_ns)[0]
        part = slice(
            item.ledger.first_bucket - first, item.ledger.first_bucket - first + item.ledger.n_buckets
        )
        heat[:, part] += usd
        ahead[:, part] += usd * item.ledger.remaining
    # Where several instruments stand in a bucket, the part ahead is their mass-weighted mean.
    remaining = np.divide(ahead, heat, out=np.ones_like(ahead), where=heat > 0)
    return shard.chain.freeze(
        asset=shard.asset,
        issued_ns=time_ns,
        horizon_ns=shard.parameters.freeze_ns,
        price_usd=shard.price_usd,
        first_bucket=first,
        heat_usd=heat,
        remaining=remaining,
        params_sha256=shard.params_sha256,
    )


assert bucket_of(1.0) == 0  # noqa: S101 - forecasts and ledgers count buckets from a price of 1
assert BUCKET_LOG <= 5e-4  # noqa: S101 - a bucket is at most 5 bp
