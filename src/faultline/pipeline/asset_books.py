"""Order book rows of an asset's instruments in, what a cascade would eat at whole tens of seconds out.

Books are kept as rows come, and looked at on a grid of their own: what is known of a moment does not depend on how the
rows were cut into calls, and rows may be given ahead of everything else, in short pieces, so that hours of them are
never held at once.

A book counts while it is whole: it began with a snapshot, no gap of it was told since, its sides do not cross, and its
last row is at most two minutes old. Every instrument's depth is taken by log distance from its own best price, as if a
cascade moved all of them alike, and added up. A book that ends nearer than others counts as far as it is seen, so the
sum is a lower bound; it ends where the books that reach farther hold less than half of it.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec
import numpy as np

from faultline.cascades.impact import Book as EatenBook
from faultline.market.book import Book, Condition
from faultline.market.book_curve import EDGES, NEAR_EDGES, BookCurve, book_curve
from faultline.messages import Flag, Kind, empty_rows
from faultline.pipeline.kinds import BOOK_KINDS
from faultline.states import part_of
from faultline.units import DAY_NS, MINUTE_NS, SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from faultline.instruments import Instrument
    from faultline.messages import Batch

__all__ = ("BOOK_GRID_NS", "BOOK_WARM_NS", "AssetBooks")

#: Books are looked at on this grid.
BOOK_GRID_NS: Final = 10 * SECOND_NS
#: Books are kept from so long before they are asked for: this is how far the usual depth reaches back.
BOOK_WARM_NS: Final = DAY_NS
#: A book without a row for longer is not what stands there now.
_STALE_NS: Final = 2 * MINUTE_NS
#: The depth that is usual is the median of those at quarters of an hour, once six hours of them are known.
_USUAL_EVERY_NS: Final = 15 * MINUTE_NS
_USUAL_LEAST: Final = 24
#: What was seen is remembered so long after everything else has reached it: a bar begins before it is walked.
_SEEN_NS: Final = 15 * MINUTE_NS
#: Rows that decide what becomes of a book, before the levels of the same instant.
_RARE: Final = (Kind.INSTRUMENT, Kind.GAP)
_GAPS_OF_BOOKS: Final = (Kind.BOOK_LEVEL.value.encode(), b"all")


@dataclasses.dataclass(slots=True)
class _Feed:
    """The book of one instrument; it is whole where ``snapshot_ns`` is not 0."""

    tick_usd: float
    book: Book | None = None
    snapshot_ns: int = 0
    last_ns: int = 0
    #: Times and USD near the best prices, at quarters of an hour.
    near: NDArray[np.float64] = dataclasses.field(default_factory=lambda: np.zeros((0, 2)))
    #: What is usual of these rows of ``near``; it is asked for often and changes at quarters of an hour.
    usual_of: tuple[int, int] = (0, 0)
    usual: float = math.nan

    def apply(self, rows: Mapping[Kind, NDArray[np.void]]) -> None:
        """Take in rows in the order of time; at one instant gaps and facts of the contract come before levels."""
        levels, begin = rows[Kind.BOOK_LEVEL], 0
        rare = [(int(row["ts_received_ns"]), kind, row) for kind in _RARE for row in rows[kind]]
        for time_ns, kind, row in sorted(rare, key=lambda each: each[0]):
            cut = int(np.searchsorted(levels["ts_received_ns"], time_ns))
            self._apply_levels(levels[begin:cut])
            begin = cut
            if kind is Kind.INSTRUMENT:
                self._apply_tick(float(row["tick_usd"]))
            elif bytes(row["missing_kind"]) in _GAPS_OF_BOOKS and self.snapshot_ns < int(row["to_ns"]):
                self.snapshot_ns = 0
        self._apply_levels(levels[begin:])

    def _apply_tick(self, tick_usd: float) -> None:
        if tick_usd != self.tick_usd:
            self.tick_usd, self.book, self.snapshot_ns = tick_usd, None, 0

    def _apply_levels(self, levels: NDArray[np.void]) -> None:
        if not len(levels) or not 0 < self.tick_usd < math.inf:
            return
        snapshots = np.flatnonzero(levels["flags"] & Flag.SNAPSHOT)
        begin = 0 if self.snapshot_ns else len(levels)
        if len(snapshots):
            begin = min(begin, int(snapshots[0]))
            self.snapshot_ns = int(levels["ts_received_ns"][snapshots[-1]])
        if begin == len(levels):
            return
        if self.book is None:
            self.book = Book(self.tick_usd)
        self.book.apply_rows(levels[begin:])
        self.last_ns = int(levels["ts_received_ns"][-1])

    def curve(self, time_ns: int) -> BookCurve | None:
        """What stands there; None where the book does not count."""
        is_fresh = self.snapshot_ns and time_ns - self.last_ns <= _STALE_NS
        if not is_fresh or self.book is None or self.book.condition is not Condition.OPEN:
            return None
        return book_curve(self.book)

    def usual_usd(self, time_ns: int) -> float:
        """What usually stands near the best prices; NaN while too little is known."""
        first, end = np.searchsorted(self.near[:, 0], (time_ns - BOOK_WARM_NS, time_ns)).tolist()
        if self.usual_of != (first, end):
            past = self.near[first:end, 1]
            self.usual = float(np.median(past)) if len(past) >= _USUAL_LEAST else math.nan
            self.usual_of = (first, end)
        return self.usual

    def note_near(self, time_ns: int, near_usd: float) -> None:
        """Keep what stands near the best prices at a quarter of an hour, and forget those that are too old."""
        recent = self.near[self.near[:, 0] >= time_ns - BOOK_WARM_NS]
        self.near = np.vstack([recent, [float(time_ns), near_usd]])
        self.usual_of, self.usual = (0, 0), math.nan


class _Seen(msgspec.Struct, frozen=True):
    """Books at a moment: instruments behind them, the oldest one's last row, the number of edges that each side has."""

    time_ns: int
    ids: tuple[str, ...]
    oldest_ns: int
    n_edges: tuple[int, int]
    depth_ratio: float | None


class AssetBooks:
    """Order books of one asset's instruments.

    Args:
        from_ns: rows before that are passed over.
        asked_from_ns: nobody asks for an earlier moment: until then only the depth that is usual is learned, which
            takes one look in ninety.
    """

    def __init__(self, from_ns: int, asked_from_ns: int = 0) -> None:
        #: Rows received before this are in it.
        self.at_ns = from_ns
        self._asked_from_ns = asked_from_ns // BOOK_GRID_NS * BOOK_GRID_NS
        self._feeds: dict[str, _Feed] = {}
        self._seen: dict[int, tuple[_Seen, NDArray[np.float64]]] = {}

    def apply(self, batches: Iterable[Batch], to_ns: int, contracts: Mapping[str, Instrument]) -> None:
        """Take in every row received before ``to_ns``, of other kinds too; those taken before are passed over.

        Args:
            batches: sorted rows of ``BOOK_KINDS``.
            to_ns: everything received before is in them, or was given before.
            contracts: known contracts; an instrument without one has no tick, and so no book.
        """
        from_ns = self.at_ns
        if to_ns <= from_ns:
            return
        self.at_ns = to_ns
        rows: dict[str, dict[Kind, NDArray[np.void]]] = {}
        for batch in batches:
            if batch.kind in BOOK_KINDS:
                of_one = rows.setdefault(batch.instrument_id, {kind: empty_rows(kind) for kind in BOOK_KINDS})
                earlier = of_one[batch.kind]
                of_one[batch.kind] = np.concatenate([earlier, batch.rows]) if len(earlier) else batch.rows
        for iid, of_one in rows.items():
            if iid not in self._feeds and (len(of_one[Kind.BOOK_LEVEL]) or len(of_one[Kind.INSTRUMENT])):
                self._feeds[iid] = _Feed(contracts[iid].tick_usd if iid in contracts else math.nan)
        cuts = self._looks(rows, from_ns, to_ns)
        of_feeds = {iid: of_one for iid, of_one in rows.items() if iid in self._feeds}
        places = {
            (iid, kind): np.searchsorted(part["ts_received_ns"], [from_ns, *cuts, to_ns])
            for iid, of_one in of_feeds.items()
            for kind, part in of_one.items()
        }
        for k in range(len(cuts) + 1):
            for iid, of_one in of_feeds.items():
                ends = {kind: places[iid, kind][k : k + 2] for kind in BOOK_KINDS}
                self._feeds[iid].apply({kind: of_one[kind][low:high] for kind, (low, high) in ends.items()})
            if k < len(cuts):
                self._look(cuts[k])

    def _looks(
        self, rows: Mapping[str, Mapping[Kind, NDArray[np.void]]], from_ns: int, to_ns: int
    ) -> list[int]:
        """Moments of the grid in (from, to] at which a book may be fresh and somebody wants to know."""
        last = [feed.last_ns for feed in self._feeds.values()]
        levels = [each[Kind.BOOK_LEVEL] for each in rows.values()]
        last += [int(part["ts_received_ns"][-1]) for part in levels if len(part)]
        end_ns = min(to_ns, max(last, default=0) + _STALE_NS)
        first = from_ns // BOOK_GRID_NS + 1
        grid = [k * BOOK_GRID_NS for k in range(first, end_ns // BOOK_GRID_NS + 1)]
        return [at_ns for at_ns in grid if at_ns >= self._asked_from_ns or at_ns % _USUAL_EVERY_NS == 0]

    def _look(self, time_ns: int) -> None:
        """Note what stands there at a moment of the grid."""
        found = {iid: self._feeds[iid].curve(time_ns) for iid in sorted(self._feeds)}
        curves = {iid: curve for iid, curve in found.items() if curve is not None}
        if not curves:
            return
        near = {
            iid: float(curve.usd[:, NEAR_EDGES - 1].sum())
            for iid, curve in curves.items()
            if (curve.reach >= EDGES[NEAR_EDGES - 1]).all()
        }
        usual = {iid: self._feeds[iid].usual_usd(time_ns) for iid in near}
        known = [iid for iid in near if usual[iid] > 0]
        ratio = sum(near[iid] for iid in known) / sum(usual[iid] for iid in known) if known else None
        if time_ns % _USUAL_EVERY_NS == 0:
            for iid, near_usd in near.items():
                self._feeds[iid].note_near(time_ns, near_usd)
        if time_ns < self._asked_from_ns:
            return
        usd, n_edges = _added(list(curves.values()))
        oldest_ns = min(self._feeds[iid].last_ns for iid in curves)
        self._seen[time_ns] = _Seen(time_ns, tuple(curves), oldest_ns, n_edges, ratio), usd

    def at(self, time_ns: int) -> tuple[tuple[EatenBook | None, EatenBook | None], float | None]:
        """The books that longs and shorts would be forced into, and depth now over usual depth.

        Those of the last whole ten seconds; None what is not known.
        """
        found = self._seen.get(time_ns // BOOK_GRID_NS * BOOK_GRID_NS)
        if found is None:
            return (None, None), None
        seen, usd = found
        age_s = (time_ns - seen.oldest_ns) / SECOND_NS
        bids, asks = (_eaten(usd[side, : seen.n_edges[side]], seen.ids, age_s) for side in range(2))
        return (bids, asks), seen.depth_ratio

    def forget(self, time_ns: int) -> None:
        """Forget what nobody asks for any more once everything else has reached a moment."""
        for seen_ns in [each for each in self._seen if each < time_ns - _SEEN_NS]:
            del self._seen[seen_ns]

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays."""
        head = _Head(
            at_ns=self.at_ns,
            asked_from_ns=self._asked_from_ns,
            feeds={iid: (each.tick_usd, each.snapshot_ns, each.last_ns) for iid, each in self._feeds.items()},
            seen=[seen for seen, _ in self._seen.values()],
        )
        # Not JSON: a tick may be NaN.
        out: dict[str, NDArray[Any]] = {"head": np.frombuffer(msgspec.msgpack.encode(head), dtype=np.uint8)}
        if self._seen:
            out["seen"] = np.stack([usd for _, usd in self._seen.values()])
        for iid, feed in self._feeds.items():
            out[f"{iid}|near"] = feed.near.copy()
            if feed.book is not None:
                out |= {f"{iid}|book.{key}": value for key, value in feed.book.state().items()}
        return out

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Books that go on where ``state()`` was taken."""
        head = msgspec.msgpack.decode(state["head"].tobytes(), type=_Head)
        books = cls(head.at_ns, head.asked_from_ns)
        for iid, (tick_usd, snapshot_ns, last_ns) in head.feeds.items():
            held = part_of(state, f"{iid}|book.")
            book = Book.from_state(held) if held else None
            books._feeds[iid] = _Feed(tick_usd, book, snapshot_ns, last_ns, state[f"{iid}|near"].copy())
        books._seen = {seen.time_ns: (seen, state["seen"][k].copy()) for k, seen in enumerate(head.seen)}
        return books


class _Head(msgspec.Struct):
    """What of books is not an array."""

    at_ns: int
    asked_from_ns: int
    feeds: dict[str, tuple[float, int, int]]
    seen: list[_Seen]


def _added(curves: Sequence[BookCurve]) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """USD up to each edge over all books, f8 (2, E), and to how many edges each side is known."""
    usd = np.stack([curve.usd for curve in curves])
    # The worst level of a book belongs to the edge beyond it.
    reaches = np.stack([curve.reach for curve in curves])[:, :, None] > np.append(-1.0, EDGES[:-1])
    total = usd.sum(axis=0)
    is_known = reaches.any(axis=0) & (2.0 * np.where(reaches, usd, 0.0).sum(axis=0) >= total)
    bids, asks = np.where(is_known.all(axis=1), len(EDGES), np.argmin(is_known, axis=1)).tolist()
    return total, (bids, asks)


def _eaten(usd: NDArray[np.float64], ids: tuple[str, ...], age_s: float) -> EatenBook | None:
    """A side as chains want it: what stands between two edges is put at the farther one."""
    between = np.diff(usd, prepend=0.0)
    stands = between > 0
    if not stands.any():
        return None
    return EatenBook(tuple(EDGES[: len(usd)][stands].tolist()), tuple(between[stands].tolist()), ids, age_s)
