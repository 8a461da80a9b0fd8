"""Arrays of a ledger in, the same arrays after a deposit, a decay or a consumption out.

Coordinates: hypothesis ``j``, side ``s`` (0 long, 1 short), bucket ``b`` of the *liquidation* price, leverage
``l`` contiguous. ``mass`` holds units divided by the per-leverage scale, ``true = mass * scale[j, l]`` with
``scale = exp(-hazard[j, l] * elapsed)``: decay touches one scale per leverage, never the grid. ``elapsed`` is
an integer clock, and the scale a pure function of it, so it does not matter in how many steps time passed.

Openings wait in entry-major rows (``pending``, leverage contiguous) until a minute ends or the path could
reach their nearest level; then one pass spreads each row over the buckets of its stencil.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

from numba import njit

from faultline.heatmap.grid import BUCKET_LOG, EDGE_SLACK

__all__ = (
    "ABSENT",
    "ACCOUNT_DEPOSITED",
    "ACCOUNT_RUNNING",
    "ACCOUNT_SKIPPED",
    "ACCOUNT_SWEPT",
    "ENTRY_SPLIT",
    "I_CLOCK",
    "I_FIRST",
    "I_HI",
    "I_LO",
    "I_PENDING",
    "I_REF",
    "I_REJECTED",
    "NO_ENTRY",
    "N_INTEGERS",
    "N_REALS",
    "N_SLOTS",
    "R_PENDING_TRIGGER",
    "R_TRIGGER",
    "LedgerArrays",
    "LedgerTables",
    "apply_deposit_kernel",
    "apply_sweep_kernel",
    "decay_kernel",
    "deposit_passed_kernel",
    "exposure_kernel",
    "flush_kernel",
    "fold_kernel",
    "position_kernel",
    "scale_kernel",
    "take_slot_kernel",
)

#: Entry bins per bucket: an opening is placed to 2.5 bp of its price.
ENTRY_SPLIT: Final = 2
#: Offset of a level that does not exist (no margin left, or a long that no positive price liquidates).
ABSENT: Final = -(2**30)
#: Entry bin of a slot in which nothing waits.
NO_ENTRY: Final = -(2**62)
#: Entry bins that can wait at the same time.
N_SLOTS: Final = 64

I_FIRST: Final = 0
I_CLOCK: Final = 1
I_REF: Final = 2
I_PENDING: Final = 3
I_REJECTED: Final = 4
#: Lowest and highest bucket that may hold mass, per side: I_LO + s, I_HI + s. Empty: lo > hi.
I_LO: Final = 5
I_HI: Final = 7
N_INTEGERS: Final = 9

#: The path consumes mass when it goes below R_TRIGGER + 0 (long) or above R_TRIGGER + 1 (short).
R_TRIGGER: Final = 0
#: The same for openings that still wait.
R_PENDING_TRIGGER: Final = 2
N_REALS: Final = 4

ACCOUNT_DEPOSITED: Final = 0
ACCOUNT_SWEPT: Final = 1
ACCOUNT_SKIPPED: Final = 2
#: Standing mass as the ledger believes it, in units divided by the scale.
ACCOUNT_RUNNING: Final = 3

_SECOND: Final = 1_000_000_000
_MINUTE: Final = 60 * _SECOND
_DAY: Final = 86_400 * _SECOND


class LedgerArrays(NamedTuple):
    """State of a ledger: what a checkpoint holds."""

    #: f4 (J, 2, B, Lp), units / scale.
    mass: Any
    #: f4 (J, 2, B), share of the bucket that the path has not penetrated; the mass lies there.
    remaining: Any
    #: f8 (J, N_SLOTS, 2, Lp), units / scale of openings per entry bin.
    pending: Any
    #: i8 (N_SLOTS,), entry bin of a slot; (N_SLOTS,) order in which slots were taken.
    pending_bin: Any
    pending_order: Any
    #: f8 (J, 4, 2, Lp), see ACCOUNT_*; deposits are the same for every leverage and stand in column 0.
    accounts: Any
    #: i8 (N_INTEGERS,) and f8 (N_REALS,).
    integers: Any
    reals: Any


class LedgerTables(NamedTuple):
    """What follows from the parameters."""

    #: f8 (J, Lp), closes per nanosecond.
    hazard: Any
    #: f8 (J, 3, 60, Lp), exp(-hazard * k) for k hours, minutes, seconds; and its inverse.
    fade: Any
    growth: Any
    #: i4 (J, ENTRY_SPLIT, 2, Lp, nodes), buckets from the entry's bucket to the level; ABSENT where there is none.
    offsets: Any
    #: f8 (J, nodes), share of a deposit per node, sum 1.
    weights: Any
    #: i8 (2,), offset of the level nearest to the entry: long (highest), short (lowest).
    nearest: Any
    #: f8 (B,), nearness to the price by distance in buckets.
    nearness: Any
    n_leverages: Any


@njit(cache=True, nogil=True)
def position_kernel(price: float) -> float:
    """Log price in buckets, with the slack that puts an edge into its own bucket."""
    return math.log(price) / BUCKET_LOG + EDGE_SLACK


@njit(cache=True, nogil=True)
def scale_kernel(state: Any, tables: Any, clock: int, out: Any, grow: bool) -> None:
    """exp(-hazard * (clock - reference)), or its inverse with ``grow``, into ``out`` (J, Lp).

    Whole seconds are a product of three table rows; only a fraction of a second costs an exp per leverage.
    """
    elapsed = clock - state.integers[I_REF]
    seconds, rest = elapsed // _SECOND, elapsed % _SECOND
    hours, minutes, seconds = seconds // 3600, (seconds // 60) % 60, seconds % 60
    table = tables.growth if grow else tables.fade
    n_leverages = tables.hazard.shape[1]
    for j in range(out.shape[0]):
        for lev in range(n_leverages):
            out[j, lev] = table[j, 0, hours, lev] * table[j, 1, minutes, lev] * table[j, 2, seconds, lev]
        if rest != 0:
            signed = rest if grow else -rest
            for lev in range(n_leverages):
                out[j, lev] *= math.exp(tables.hazard[j, lev] * signed)


@njit(cache=True, nogil=True)
def _note_active_kernel(state: Any, side: int, low: int, high: int) -> None:
    """Widen the active range of a side to buckets ``low..high`` and move its trigger price there."""
    ints = state.integers
    if ints[I_LO + side] > ints[I_HI + side]:
        ints[I_LO + side] = low
        ints[I_HI + side] = high
    else:
        ints[I_LO + side] = min(ints[I_LO + side], low)
        ints[I_HI + side] = max(ints[I_HI + side], high)
    if side == 0:
        state.reals[R_TRIGGER] = max(state.reals[R_TRIGGER], math.exp((high + 1) * BUCKET_LOG))
    else:
        state.reals[R_TRIGGER + 1] = min(state.reals[R_TRIGGER + 1], math.exp(low * BUCKET_LOG))


@njit(cache=True, nogil=True)
def _place_kernel(
    state: Any, scale: Any, j: int, side: int, bucket: int, lev: int, units: float, front: float
) -> None:
    """Add scaled ``units`` to one cell; the frontier becomes the mass-weighted mean of old and ``front``."""
    index = bucket - state.integers[I_FIRST]
    remaining = state.remaining[j, side, index]
    if remaining != front:
        row = state.mass[j, side, index]
        old = 0.0
        for k in range(row.shape[0]):
            old += row[k] * scale[j, k]
        added = units * scale[j, lev]
        state.remaining[j, side, index] = (remaining * old + front * added) / (old + added)
    state.mass[j, side, index, lev] += units


@njit(cache=True, nogil=True)
def _spread_kernel(
    mass: Any,
    remaining: Any,
    units: Any,
    offsets: Any,
    weights: Any,
    base: int,
    running: Any,
    skipped: Any,
    scale: Any,
) -> tuple[int, int]:
    """Spread ``units`` (L,) of one entry bin and side over the nodes of its levels; returns the touched range.

    Plain arrays and no views inside the loops: this is where most of the time of a busy market goes.
    """
    n_buckets = mass.shape[0]
    low, high = n_buckets, -1
    for lev in range(units.shape[0]):
        opened = units[lev]
        if opened == 0.0:
            continue
        units[lev] = 0.0
        kept = 0.0
        for node in range(weights.shape[0]):
            index = base + offsets[lev, node]
            share = opened * weights[node]
            if index < 0 or index >= n_buckets:
                skipped[lev] += share * scale[lev]
                continue
            front = remaining[index]
            if front != 1.0:
                old = 0.0
                for k in range(mass.shape[1]):
                    old += mass[index, k] * scale[k]
                added = share * scale[lev]
                remaining[index] = (front * old + added) / (old + added)
            mass[index, lev] += share
            kept += share
            low, high = min(low, index), max(high, index)
        running[lev] += kept
    return low, high


@njit(cache=True, nogil=True)
def flush_kernel(state: Any, tables: Any, scale: Any) -> None:
    """Spread every waiting opening over its levels; ``scale`` (J, Lp) is scratch."""
    ints = state.integers
    n_pending = ints[I_PENDING]
    if n_pending == 0:
        return
    scale_kernel(state, tables, ints[I_CLOCK], scale, False)
    first = ints[I_FIRST]
    n = tables.n_leverages
    for side in range(2):
        lowest, highest = state.mass.shape[2], -1
        for j in range(state.mass.shape[0]):
            mass, remaining = state.mass[j, side], state.remaining[j, side]
            running = state.accounts[j, ACCOUNT_RUNNING, side]
            skipped = state.accounts[j, ACCOUNT_SKIPPED, side]
            for position in range(n_pending):
                slot = state.pending_order[position]
                entry = state.pending_bin[slot]
                low, high = _spread_kernel(
                    mass,
                    remaining,
                    state.pending[j, slot, side, :n],
                    tables.offsets[j, entry % ENTRY_SPLIT, side],
                    tables.weights[j],
                    entry // ENTRY_SPLIT - first,
                    running,
                    skipped,
                    scale[j],
                )
                lowest, highest = min(lowest, low), max(highest, high)
        if lowest <= highest:
            _note_active_kernel(state, side, first + lowest, first + highest)
    for position in range(n_pending):
        state.pending_bin[state.pending_order[position]] = NO_ENTRY
    ints[I_PENDING] = 0
    state.reals[R_PENDING_TRIGGER] = 0.0
    state.reals[R_PENDING_TRIGGER + 1] = math.inf


@njit(cache=True, nogil=True)
def fold_kernel(state: Any, tables: Any, scale: Any) -> None:
    """Multiply the scale into the mass and start it anew at the present clock."""
    ints = state.integers
    elapsed = ints[I_CLOCK] - ints[I_REF]
    for j in range(state.mass.shape[0]):
        for lev in range(tables.n_leverages):
            scale[j, lev] = math.exp(-tables.hazard[j, lev] * elapsed)
            for side in range(2):
                state.accounts[j, ACCOUNT_RUNNING, side, lev] *= scale[j, lev]
        for slot in range(state.pending.shape[1]):
            for side in range(2):
                for lev in range(tables.n_leverages):
                    state.pending[j, slot, side, lev] *= scale[j, lev]
        for side in range(2):
            for bucket in range(ints[I_LO + side], ints[I_HI + side] + 1):
                row = state.mass[j, side, bucket - ints[I_FIRST]]
                for lev in range(tables.n_leverages):
                    faded = row[lev] * scale[j, lev]
                    row[lev] = faded if faded > 1e-30 else 0.0
    ints[I_REF] = ints[I_CLOCK]


@njit(cache=True, nogil=True)
def decay_kernel(state: Any, tables: Any, clock: int, scale: Any) -> None:
    """Let time pass until ``clock``: openings of a finished minute are spread, a day-old scale is folded in."""
    ints = state.integers
    if ints[I_PENDING] > 0 and clock // _MINUTE != ints[I_CLOCK] // _MINUTE:
        flush_kernel(state, tables, scale)
    ints[I_CLOCK] = clock
    if clock - ints[I_REF] >= _DAY:
        fold_kernel(state, tables, scale)


@njit(cache=True, nogil=True)
def _recentre_kernel(state: Any, tables: Any, bucket: int, scale: Any) -> None:
    """Move the window of buckets so that ``bucket`` is near its middle; mass that falls off is skipped."""
    ints = state.integers
    n_buckets = state.mass.shape[2]
    first = ints[I_FIRST]
    if abs(bucket - (first + n_buckets // 2)) <= n_buckets // 8:
        return
    flush_kernel(state, tables, scale)
    scale_kernel(state, tables, ints[I_CLOCK], scale, False)
    target = bucket - n_buckets // 2
    for side in range(2):
        low, high = ints[I_LO + side], ints[I_HI + side]
        keep_low, keep_high = max(low, target), min(high, target + n_buckets - 1)
        for j in range(state.mass.shape[0]):
            for gone in range(low, high + 1):
                if keep_low <= gone <= keep_high:
                    continue
                for lev in range(tables.n_leverages):
                    units = state.mass[j, side, gone - first, lev]
                    state.accounts[j, ACCOUNT_SKIPPED, side, lev] += units * scale[j, lev]
                    state.accounts[j, ACCOUNT_RUNNING, side, lev] -= units
            if keep_low <= keep_high:
                mass = state.mass[j, side, keep_low - first : keep_high - first + 1].copy()
                front = state.remaining[j, side, keep_low - first : keep_high - first + 1].copy()
                state.mass[j, side] = 0.0
                state.remaining[j, side] = 1.0
                state.mass[j, side, keep_low - target : keep_high - target + 1] = mass
                state.remaining[j, side, keep_low - target : keep_high - target + 1] = front
            else:
                state.mass[j, side] = 0.0
                state.remaining[j, side] = 1.0
        if keep_low <= keep_high:
            ints[I_LO + side], ints[I_HI + side] = keep_low, keep_high
        else:
            ints[I_LO + side], ints[I_HI + side] = 0, -1
            state.reals[R_TRIGGER + side] = 0.0 if side == 0 else math.inf
    ints[I_FIRST] = target


@njit(cache=True, nogil=True)
def take_slot_kernel(state: Any, tables: Any, slot: int, entry: int) -> None:
    """Let openings of an entry bin wait in an empty slot, and move the prices that would reach their nearest levels."""
    ints, reals = state.integers, state.reals
    bucket = entry // ENTRY_SPLIT
    state.pending_bin[slot] = entry
    state.pending_order[ints[I_PENDING]] = slot
    ints[I_PENDING] += 1
    top = math.exp((bucket + tables.nearest[0] + 1) * BUCKET_LOG)
    bottom = math.exp((bucket + tables.nearest[1]) * BUCKET_LOG)
    reals[R_PENDING_TRIGGER] = max(reals[R_PENDING_TRIGGER], top)
    reals[R_PENDING_TRIGGER + 1] = min(reals[R_PENDING_TRIGGER + 1], bottom)


@njit(cache=True, nogil=True)
def apply_deposit_kernel(
    state: Any, tables: Any, price: float, units_long: float, units_short: float, growth: Any, scale: Any
) -> None:
    """Let openings wait at their entry bin; ``growth`` (J, Lp) is the inverse scale at the present clock."""
    entry = math.floor(position_kernel(price) * ENTRY_SPLIT)
    bucket = entry // ENTRY_SPLIT
    _recentre_kernel(state, tables, bucket, scale)
    slot = entry % N_SLOTS
    waiting = state.pending_bin[slot]
    if waiting not in (NO_ENTRY, entry):
        flush_kernel(state, tables, scale)
    if state.pending_bin[slot] != entry:
        take_slot_kernel(state, tables, slot, entry)
    for j in range(state.mass.shape[0]):
        rows = state.pending[j, slot]
        for lev in range(rows.shape[1]):
            rows[0, lev] += units_long * growth[j, lev]
        for lev in range(rows.shape[1]):
            rows[1, lev] += units_short * growth[j, lev]
        state.accounts[j, ACCOUNT_DEPOSITED, 0, 0] += units_long
        state.accounts[j, ACCOUNT_DEPOSITED, 1, 0] += units_short


@njit(cache=True, nogil=True)
def deposit_passed_kernel(
    state: Any,
    tables: Any,
    price: float,
    units: Any,
    limits: Any,
    growth: Any,
    scale: Any,
) -> None:
    """Deposit ``units`` (2,) at once, leaving out levels that ``limits`` = [low, high] has passed since the entry.

    In the bucket that holds the limit only the part beyond it is filled, and the frontier stands at the limit.
    """
    entry = math.floor(position_kernel(price) * ENTRY_SPLIT)
    bucket0, part = entry // ENTRY_SPLIT, entry % ENTRY_SPLIT
    _recentre_kernel(state, tables, bucket0, scale)
    flush_kernel(state, tables, scale)
    scale_kernel(state, tables, state.integers[I_CLOCK], scale, False)
    first, n_buckets = state.integers[I_FIRST], state.mass.shape[2]
    for side in range(2):
        if not units[side] > 0.0:
            continue
        place = position_kernel(limits[side])
        limit = math.floor(place)
        open_part = place - limit if side == 0 else limit + 1.0 - place
        low, high = 2**62, -(2**62)
        for j in range(state.mass.shape[0]):
            state.accounts[j, ACCOUNT_DEPOSITED, side, 0] += units[side]
            for lev in range(tables.n_leverages):
                for node in range(tables.weights.shape[1]):
                    share = units[side] * tables.weights[j, node]
                    bucket = bucket0 + tables.offsets[j, part, side, lev, node]
                    ahead = (limit - bucket) if side == 0 else (bucket - limit)
                    front = 1.0 if ahead > 0 else (open_part if ahead == 0 else 0.0)
                    if bucket < first or bucket >= first + n_buckets or front <= 0.0:
                        state.accounts[j, ACCOUNT_SKIPPED, side, lev] += share
                        continue
                    state.accounts[j, ACCOUNT_SKIPPED, side, lev] += share * (1.0 - front)
                    share *= front * growth[j, lev]
                    _place_kernel(state, scale, j, side, bucket, lev, share, front)
                    state.accounts[j, ACCOUNT_RUNNING, side, lev] += share
                    low, high = min(low, bucket), max(high, bucket)
        if low <= high:
            _note_active_kernel(state, side, low, high)


@njit(cache=True, nogil=True)
def _covered_kernel(state: Any, j: int, side: int, bucket: int, place: float) -> float:
    """Share of the mass of a bucket that a path reaching ``place`` (in buckets) consumes, 0 to 1."""
    inside = place - bucket
    left = inside if side == 0 else 1.0 - inside
    if left <= 0.0:
        return 1.0
    remaining = state.remaining[j, side, bucket - state.integers[I_FIRST]]
    if left >= remaining:
        return 0.0
    share: float = 1.0 - left / remaining
    return share


@njit(cache=True, nogil=True)
def exposure_kernel(state: Any, side: int, begin: int, place: float, scale: Any, out: Any) -> None:
    """Units that a path reaching ``place`` consumes in buckets ``begin..begin+n``, into ``out`` f8 (J, n, L)."""
    ints = state.integers
    first, last = max(begin, ints[I_LO + side]), min(begin + out.shape[1] - 1, ints[I_HI + side])
    for j in range(out.shape[0]):
        for bucket in range(first, last + 1):
            share = _covered_kernel(state, j, side, bucket, place)
            row = state.mass[j, side, bucket - ints[I_FIRST]]
            for lev in range(out.shape[2]):
                out[j, bucket - begin, lev] = row[lev] * scale[j, lev] * share


@njit(cache=True, nogil=True)
def _consume_kernel(state: Any, tables: Any, side: int, price: float, scale: Any) -> None:
    """Consume all mass of a side that the path has passed when it reaches ``price``."""
    ints = state.integers
    place = position_kernel(price)
    edge = math.floor(place)
    first, n_leverages = ints[I_FIRST], tables.n_leverages
    begin, end = (max(edge, ints[I_LO + side]), ints[I_HI + side])
    if side == 1:
        begin, end = ints[I_LO + side], min(edge, ints[I_HI + side])
    for j in range(state.mass.shape[0]):
        mass, remaining = state.mass[j, side], state.remaining[j, side]
        swept, running = state.accounts[j, ACCOUNT_SWEPT, side], state.accounts[j, ACCOUNT_RUNNING, side]
        for bucket in range(begin, end + 1):
            index, inside = bucket - first, place - bucket
            left = inside if side == 0 else 1.0 - inside
            front = remaining[index]
            if left >= front:
                continue
            share = 1.0 if left <= 0.0 else 1.0 - left / front
            for lev in range(n_leverages):
                gone = mass[index, lev] * share
                swept[lev] += gone * scale[j, lev]
                running[lev] -= gone
                mass[index, lev] -= gone
            if share >= 1.0:
                mass[index, :] = 0.0
                remaining[index] = 1.0
            else:
                remaining[index] = left
    state.reals[R_TRIGGER + side] = price
    if side == 0:
        ints[I_HI] = min(ints[I_HI], edge)
    else:
        ints[I_LO + 1] = max(ints[I_LO + 1], edge)
    if ints[I_LO + side] > ints[I_HI + side]:
        state.reals[R_TRIGGER + side] = 0.0 if side == 0 else math.inf


@njit(cache=True, nogil=True)
def apply_sweep_kernel(state: Any, tables: Any, low: float, high: float, scale: Any) -> None:
    """Consume longs down to ``low`` and shorts up to ``high``; waiting openings are spread first where reached."""
    reals = state.reals
    if low < reals[R_PENDING_TRIGGER] or high > reals[R_PENDING_TRIGGER + 1]:
        flush_kernel(state, tables, scale)
    reached_long, reached_short = low < reals[R_TRIGGER], high > reals[R_TRIGGER + 1]
    if reached_long or reached_short:
        scale_kernel(state, tables, state.integers[I_CLOCK], scale, False)
    if reached_long:
        _consume_kernel(state, tables, 0, low, scale)
    if reached_short:
        _consume_kernel(state, tables, 1, high, scale)
