"""Published liquidations and path bars in, which part of the path each of them says something about out.

A venue that publishes one event per window hides the others, so what the path swept in that window is partly missing,
not empty. With ``latest`` the last event of a window is known: what was swept after it held no event, what was swept
before it says nothing. With ``largest`` what was swept in the window held no larger event. Both are exact where the
path is known inside the window. Where a bar is longer than the window only the number of windows with a report is
known: events are then taken to be spread evenly over the bar, and that is said.
"""

from __future__ import annotations

import dataclasses
from enum import IntEnum
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from faultline.errors import RequestError
from faultline.heatmap.grid import bucket_position
from faultline.units import SECOND_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ("EVENT", "Likelihood", "Plan", "Reporting", "plan_bars")

#: A published liquidation at the price that triggered it; ``count`` says how many it stands for.
EVENT: Final = np.dtype(
    [("time_ns", "<i8"), ("side", "i1"), ("trigger_usd", "<f8"), ("count", "<f8"), ("notional_usd", "<f8")]
)


class Likelihood(IntEnum):
    """What the events of a window were taken to say."""

    #: Every event is published: all that was swept counts.
    ALL = 0
    #: One per window, the path inside the window is known.
    EXACT = 1
    #: One per window, events taken as spread evenly over bars that are longer than the window.
    SPREAD = 2
    #: Nothing is published or the feed was down: nothing is learned.
    SILENT = 3


class Reporting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a venue publishes.

    Attributes:
        scheme: ``all`` events one by one; ``batched`` all of a window at its end; the ``latest`` or the ``largest`` of
            a window alone; ``none``.
        window_ns: length of the window, aligned to the UTC second; the venue's documentation states it.

    Raises:
        ValueError: the window is not positive.
    """

    scheme: Literal["all", "batched", "latest", "largest", "none"] = "all"
    window_ns: int = SECOND_NS

    def __post_init__(self) -> None:
        if self.window_ns <= 0:
            raise ValueError(f"no reporting window of {self.window_ns} ns")


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """Where events lie and what they leave unknown.

    Attributes:
        events: EVENT rows that are used, sorted by bar, shape (n,).
        bar: int64 (n,), bar of each.
        place: float64 (n,), trigger in buckets, inside the bar's range.
        after: float64 (bars, 4), as ``expose_bars_kernel`` takes it.
        slot: int64 (bars,), reporting window of each bar.
        likelihood: int8 (bars,), ``Likelihood`` of each bar.
        slots_per_bar: float64 (bars,), reporting windows in each bar, 1 where it lies inside one.
        excluded: events not used, by reason.
    """

    events: NDArray[np.void]
    bar: NDArray[np.int64]
    place: NDArray[np.float64]
    after: NDArray[np.float64]
    slot: NDArray[np.int64]
    likelihood: NDArray[np.int8]
    slots_per_bar: NDArray[np.float64]
    excluded: dict[str, int]

    def weigh_largest(self, larger_prob: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weight of what each bar swept under ``largest``.

        An event larger than the published one cannot have happened, so the exposure counts with the probability
        ``larger_prob`` (n,) that an event is larger than the published one of its window; silent windows count in full.

        Returns:
            float64 (bars,).
        """
        weight = np.ones(len(self.slot))
        spread = self.likelihood == Likelihood.SPREAD
        published = np.bincount(self.bar, minlength=len(weight)).astype(np.float64)
        larger = np.bincount(self.bar, larger_prob, len(weight))
        slots = np.maximum(self.slots_per_bar, published)
        weight[spread] = ((slots - published + larger) / slots)[spread]
        exact = self.likelihood == Likelihood.EXACT
        by_slot = dict(zip(self.slot[self.bar].tolist(), larger_prob.tolist(), strict=True))
        weight[exact] = [by_slot.get(slot, 1.0) for slot in self.slot[exact].tolist()]
        return weight

    def cut(self, span: slice, first: int, last: int) -> Plan:
        """The plan of bars ``first`` to ``last``, whose events are ``span``."""
        return dataclasses.replace(
            self,
            events=self.events[span],
            bar=self.bar[span] - first,
            place=self.place[span],
            after=self.after[first:last],
            slot=self.slot[first:last],
            likelihood=self.likelihood[first:last],
            slots_per_bar=self.slots_per_bar[first:last],
        )

    def hidden(self, expected: NDArray[np.float64]) -> NDArray[np.float64]:
        """Expected events in the reporting window of each event, shape (n,), from those of each bar (bars,)."""
        _, owner = np.unique(self.slot, return_inverse=True)
        total = np.bincount(owner, expected)[owner] / self.slots_per_bar
        return np.asarray(total[self.bar], dtype=np.float64)


def plan_bars(bars: NDArray[np.void], events: NDArray[np.void], reporting: Reporting) -> Plan:
    """Place events on bars and say what each bar's exposure is worth.

    Args:
        bars: PATH_BAR rows in order; a bar without a price (NaN) holds no event.
        events: EVENT rows in the order of their time.
        reporting: what the venue publishes.

    Raises:
        RequestError: events are out of order, or have an impossible side, price or count.
    """
    _check(events)
    known = bars["low_usd"] > 0
    bar, reasons = _bars_of(bars, events, reporting), {}
    outside = bar < 0
    unpriced = ~outside & ~known[np.maximum(bar, 0)]
    reasons["outside_path"], reasons["no_price"] = int(outside.sum()), int(unpriced.sum())
    slot, fine = (bars["end_ns"] - 1) // reporting.window_ns, np.ones(len(bars), dtype=np.bool_)
    single = reporting.scheme in {"latest", "largest"}
    if single:
        fine = bars["start_ns"] // reporting.window_ns == slot
    used = ~outside & ~unpriced
    surplus = np.zeros(len(events), dtype=np.bool_)
    if single:
        # One per window: where receive times put two into one window, the last (or largest) one is its report.
        surplus = used & fine[np.maximum(bar, 0)] & ~_reports(events, slot, bar, used, reporting)
    reasons["surplus_in_window"] = int(surplus.sum())
    used &= ~surplus
    chosen, place_of = events[used], bar[used]
    order = np.argsort(place_of, kind="stable")
    chosen, place_of = chosen[order], place_of[order]
    ends = _ends(bars)
    place = np.clip(bucket_position(chosen["trigger_usd"]), ends[0][place_of], ends[1][place_of])
    likelihood = np.full(len(bars), Likelihood.ALL, dtype=np.int8)
    if single:
        likelihood = np.where(fine, np.int8(Likelihood.EXACT), np.int8(Likelihood.SPREAD))
    if reporting.scheme == "none":
        likelihood[:] = Likelihood.SILENT
    length = (bars["end_ns"] - bars["start_ns"]) / reporting.window_ns
    plan = Plan(
        events=chosen,
        bar=place_of,
        place=place,
        after=np.tile([1.0, 1.0, -1.0, np.nan], (len(bars), 1)),
        slot=slot,
        likelihood=likelihood,
        slots_per_bar=np.maximum(length, 1.0),
        excluded=reasons,
    )
    if reporting.scheme == "latest":
        _mark_latest(plan, bars, ends)
    return plan


def _check(events: NDArray[np.void]) -> None:
    """Refuse events that cannot be.

    Raises:
        RequestError: see ``plan_bars``.
    """
    amounts = np.stack([events["trigger_usd"], events["count"]])
    fits = np.isfinite(amounts).all() and (amounts > 0).all() and np.isin(events["side"], (0, 1)).all()
    if not fits or np.any(np.diff(events["time_ns"]) < 0):
        message = "events are out of order, or one has no side, price or count"
        raise RequestError(
            message, where="events", hint="sort by time; side 0 long, 1 short; positive amounts"
        )


def _ends(bars: NDArray[np.void]) -> NDArray[np.float64]:
    """Low and high of each bar in buckets, NaN without a price, shape (2, bars)."""
    edges = np.stack([bars["low_usd"], bars["high_usd"]])
    return bucket_position(np.where(edges > 0, edges, np.nan))


def _bars_of(bars: NDArray[np.void], events: NDArray[np.void], reporting: Reporting) -> NDArray[np.int64]:
    """Bar of each event, -1 where there is none; a batch is told at its end, so its events lie before that."""
    batched = reporting.scheme == "batched"
    time_ns = events["time_ns"] - (1 if batched else 0)
    found = np.searchsorted(bars["start_ns"], time_ns, side="right") - 1
    inside = (found >= 0) & (time_ns < bars["end_ns"][np.maximum(found, 0)]) if len(bars) else found >= 0
    bar = np.where(inside, found, -1)
    if not batched or not len(bars):
        return bar
    # Bars shorter than the batch: the latest of its bars whose range holds the trigger.
    taken, back, reach = bar.copy(), bar.copy(), bar >= 0
    open_yet = reach & ~_holds(bars, bar, events)
    while open_yet.any():
        back = np.where(open_yet, back - 1, back)
        open_yet &= (back >= 0) & (
            bars["end_ns"][np.maximum(back, 0)] > events["time_ns"] - reporting.window_ns
        )
        hit = open_yet & _holds(bars, back, events)
        taken = np.where(hit, back, taken)
        open_yet &= ~hit
    return taken


def _holds(bars: NDArray[np.void], bar: NDArray[np.int64], events: NDArray[np.void]) -> NDArray[np.bool_]:
    """Whether the range of a bar holds the trigger of an event."""
    at = np.maximum(bar, 0)
    held: NDArray[np.bool_] = (bars["low_usd"][at] <= events["trigger_usd"]) & (
        events["trigger_usd"] <= bars["high_usd"][at]
    )
    return held


def _reports(
    events: NDArray[np.void],
    slot: NDArray[np.int64],
    bar: NDArray[np.int64],
    used: NDArray[np.bool_],
    reporting: Reporting,
) -> NDArray[np.bool_]:
    """The one event per reporting window that the scheme publishes."""
    index = np.flatnonzero(used)
    key = slot[bar[index]]
    size = events["notional_usd"][index] if reporting.scheme == "largest" else np.zeros(len(index))
    order = np.lexsort((index, np.nan_to_num(size), key))
    last = np.append(key[order][1:] != key[order][:-1], True) if len(order) else np.zeros(0, dtype=np.bool_)
    chosen = np.zeros(len(events), dtype=np.bool_)
    chosen[index[order[last]]] = True
    return chosen


def _mark_latest(plan: Plan, bars: NDArray[np.void], ends: NDArray[np.float64]) -> None:
    """Fill ``plan.after`` for the latest of each window.

    Spread evenly, ``n`` of ``S`` windows with a report mean ``mu = -ln(1 - n/S)`` events per window, of whose exposure
    the share ``(1 - exp(-mu)) / mu`` lies after the last event.
    """
    exact = plan.likelihood == Likelihood.EXACT
    reports = np.bincount(plan.bar, minlength=len(exact)).astype(np.float64)
    share = np.minimum(reports, plan.slots_per_bar - 0.5) / plan.slots_per_bar
    with np.errstate(invalid="ignore", divide="ignore"):
        kept = np.where(share > 0, share / -np.log1p(-share), 1.0)
    plan.after[~exact, 0] = kept[~exact]
    plan.after[~exact, 1] = kept[~exact]
    told = plan.bar[exact[plan.bar]]
    last_bar = dict(zip(plan.slot[told].tolist(), told.tolist(), strict=True))
    for b in np.flatnonzero(exact & np.isin(plan.slot, plan.slot[told])).tolist():
        if b < last_bar[int(plan.slot[b])]:
            plan.after[b, :2] = 0.0
    closes = bucket_position(np.where(bars["close_usd"] > 0, bars["close_usd"], np.nan))
    for index in np.flatnonzero(exact[plan.bar]).tolist():
        b, side = int(plan.bar[index]), int(plan.events["side"][index])
        to_low = closes[b] - ends[0][b] <= ends[1][b] - closes[b]
        # A path that ends nearer its low was at its high before: after a long event no shorts, after a short one all
        # longs were swept.
        plan.after[b, 1 - side] = 1.0 if to_low == (side == 1) else 0.0
        plan.after[b, 2], plan.after[b, 3] = side, plan.place[index]
