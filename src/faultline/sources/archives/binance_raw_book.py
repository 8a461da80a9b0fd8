"""Frames of book changes and depth snapshots in; book levels, in an order from which the book can be rebuilt, out.

A snapshot is fetched while changes already arrive, so it is older than some frames before it. Changes that it contains
are dropped; those that it does not are held back until it is there, so that applying rows in the order of the tape
gives the venue's book.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from faultline.messages import Flag, Kind
from faultline.sources.archives.binance_raw_streams import DEPTH_EVENT, contract_of_symbol
from faultline.sources.archives.json_lines import read_levels
from faultline.sources.archives.message_rows import make_batches, make_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.messages import Batch
    from faultline.sources.archives.binance_raw_frames import Events, Frames
    from faultline.sources.archives.binance_raw_streams import StreamState
    from faultline.sources.archives.json_lines import Levels
    from faultline.sources.archives.venue_contracts import VenueContract

__all__ = ("BookState", "book_batches")

_WHOLE: Final = pa.int64()
_SIDE: Final = pa.list_(pa.list_(pa.string()))
_CHANGE: Final = {
    "s": pa.string(),
    "T": _WHOLE,
    "U": _WHOLE,
    "u": _WHOLE,
    "pu": _WHOLE,
    "b": _SIDE,
    "a": _SIDE,
}
_SNAPSHOT: Final = {"lastUpdateId": _WHOLE, "T": _WHOLE, "bids": _SIDE, "asks": _SIDE}


@dataclasses.dataclass(slots=True)
class BookState:
    """Where each instrument's chain of changes stands."""

    #: Id of the last change and when it was received.
    latest: dict[str, tuple[int, int]] = dataclasses.field(default_factory=dict)
    has_snapshot: set[str] = dataclasses.field(default_factory=set)


def book_batches(frames: Frames, books: BookState, state: StreamState) -> list[Batch]:
    """Levels of all changes and snapshots of a block."""
    batches: list[Batch] = []
    snapshots: dict[str, list[tuple[int, int, int]]] = {}
    snapshot_rows = np.flatnonzero(frames.is_snapshot)
    if len(snapshot_rows):
        batches += _snapshots(frames.parse(snapshot_rows, _SNAPSHOT), snapshots, state)
    rows = frames.rows_of(DEPTH_EVENT)
    if len(rows):
        changes = frames.parse(rows, _CHANGE)
        sides = _sides(changes, ("b", "a"))
        for contract, mask in state.by_contract(changes):
            found = snapshots.get(contract.instrument.id, [])
            batches += _changes(changes, sides, contract, mask, found, books, state)
    for iid in snapshots:
        books.has_snapshot.add(iid)
    return batches


def _snapshots(
    events: Events, found: dict[str, list[tuple[int, int, int]]], state: StreamState
) -> list[Batch]:
    """Levels of depth answers. They carry no symbol: it is the one in the file's name."""
    last_ids = events.whole("lastUpdateId")
    received_ns = events.frames.received_ns[events.rows]
    every = np.ones(len(events.rows), dtype=np.bool_)
    contract = contract_of_symbol(events.frames.symbol)
    if contract is None:
        state.tally.reject("not_quoted_in_usd", every)
        return []
    if not state.selection.wants(contract.instrument.asset):
        state.tally.reject("outside_selection", every)
        return []
    found[contract.instrument.id] = list(
        zip(events.rows.tolist(), last_ids.tolist(), received_ns.tolist(), strict=True)
    )
    kept = state.chosen(received_ns, every)
    time_ns = events.table["T"].fill_null(0).to_numpy() * 1_000_000
    time_ns = np.where(time_ns > 0, events.times_ns("T"), received_ns) if time_ns.all() else received_ns
    times = (time_ns, received_ns)
    sides = _sides(events, ("bids", "asks"))
    return _levels(events, sides, contract, times, last_ids, kept, Flag.SNAPSHOT, state)


def _changes(
    events: Events,
    sides: tuple[Levels, Levels],
    contract: VenueContract,
    mask: NDArray[np.bool_],
    snapshots: list[tuple[int, int, int]],
    books: BookState,
    state: StreamState,
) -> list[Batch]:
    iid = contract.instrument.id
    last_ids, before_ids = events.whole("u"), events.whole("pu")
    time_ns, received_ns = events.times_ns("T"), events.frames.received_ns[events.rows].copy()
    before_id, before_ns = books.latest.get(iid, (-1, 0))
    seen = np.concatenate(([before_id], np.where(mask, last_ids, before_id)[:-1]))
    latest = np.maximum.accumulate(seen)
    is_next = last_ids > latest
    state.tally.reject("repeated_change", mask & ~is_next)
    kept = mask & is_next
    chain = np.flatnonzero(kept)
    if not len(chain):
        return []
    previous = np.concatenate(([before_id], last_ids[chain][:-1]))
    moments = np.concatenate(([before_ns], received_ns[chain][:-1]))
    for at in np.flatnonzero((previous >= 0) & (before_ids[chain] != previous)):
        state.add_gap(Kind.BOOK_LEVEL, iid, int(moments[at]), int(received_ns[chain[at]]))
    books.latest[iid] = (int(last_ids[chain[-1]]), int(received_ns[chain[-1]]))

    has_snapshot = iid in books.has_snapshot
    held = np.zeros(len(kept), dtype=np.bool_)
    for row, snapshot_id, snapshot_ns in snapshots:
        is_earlier = events.rows < row
        is_contained = kept & (last_ids < snapshot_id) & (~is_earlier | (not has_snapshot))
        state.tally.reject("older_than_snapshot", is_contained)
        kept &= ~is_contained
        waits = kept & is_earlier & (last_ids >= snapshot_id)
        received_ns[waits] = snapshot_ns
        held |= waits
        has_snapshot = True
    kept = state.chosen(received_ns, kept)
    state.tally.repair("held_until_snapshot", kept & held)
    if not has_snapshot:
        state.tally.leave_unchecked("change_without_snapshot", kept)
    times = (time_ns, received_ns)
    return _levels(events, sides, contract, times, last_ids, kept, Flag.NONE, state)


def _sides(events: Events, members: tuple[str, str]) -> tuple[Levels, Levels]:
    bids, asks = (read_levels(events.frames.name, events.numbers, events.table, member) for member in members)
    return bids, asks


def _levels(
    events: Events,
    both: tuple[Levels, Levels],
    contract: VenueContract,
    times: tuple[NDArray[np.int64], NDArray[np.int64]],
    ids: NDArray[np.int64],
    kept: NDArray[np.bool_],
    flag: Flag,
    state: StreamState,
) -> list[Batch]:
    """Bids, then asks, of every kept frame."""
    sides = [side.only(kept) for side in both]
    lines = np.concatenate([side.lines for side in sides])
    order = np.argsort(lines, kind="stable")
    lines = lines[order]
    price = np.concatenate([side.price_usd for side in sides])[order]
    amount = np.concatenate([side.amount for side in sides])[order]
    signs = (np.full(len(side.lines), sign, np.int8) for side, sign in zip(sides, (1, -1), strict=True))
    fields: dict[str, NDArray[Any]] = {
        "seq": ids[lines],
        "side": np.concatenate(list(signs))[order],
        "price_usd": price,
        "qty_base": contract.qty_base(amount, price),
    }
    assumed = events.frames.is_assumed[events.rows][lines]
    flags = np.where(assumed, np.uint32(Flag.RECEIVED_ASSUMED), np.uint32(0)) | np.uint32(flag)
    rows = make_rows(Kind.BOOK_LEVEL, times[0][lines], times[1][lines], fields, flags)
    batches = make_batches(Kind.BOOK_LEVEL, contract.instrument.id, rows, state.selection)
    return state.announcer.before(contract.instrument, batches)
