"""Liquidations and path bars of one asset in, what is known of the venues that print them out.

Every feed of liquidations has a calibrator of its own from its first event on; a feed without a price of its own is
read against the path of the asset's reference. Calibrators move at whole minutes of the tape, so what they find has one
moment however the tape is cut into steps. While a feed is silent its bars are kept, not learned.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.learning.calibrator.calibrator import Calibrator, CalibratorSettings
from faultline.learning.calibrator.published import VENUES, reporting_of
from faultline.learning.calibrator.report import EngineChange, SideTurn
from faultline.learning.calibrator.reporting import unknown_windows
from faultline.learning.calibrator.sides import SideVerdict
from faultline.learning.reporting import Likelihood
from faultline.market.path import PATH_ROW
from faultline.messages import Kind, empty_rows
from faultline.states import part_of
from faultline.units import HOUR_NS, MINUTE_NS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from faultline.instruments import Instrument
    from faultline.learning.calibrator.estimate import Estimate
    from faultline.learning.calibrator.published import Fact as PublishedFact
    from faultline.learning.calibrator.report import CalibrationReport
    from faultline.learning.history import Fact
    from faultline.learning.posterior import LearnedWindows
    from faultline.learning.reporting import Reporting
    from faultline.pipeline.step import LocatedEvents

__all__ = ("FeedCalibrator", "Finding", "MarketCalibrator")

#: An event may wait this long for the path to pass it.
_WAIT_NS: Final = 11 * MINUTE_NS
#: Path that an event may ask for: its stamp may lie ten minutes before its receipt.
_PATH_NS: Final = 20 * MINUTE_NS


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """What a calibrator found.

    Attributes:
        feed_id: where the liquidations come from.
        at_ns: whole minute at which it was found.
        what: the change.
        before: what was known of the feed's sides until then.
    """

    feed_id: str
    at_ns: int
    what: EngineChange | SideTurn | Fact
    before: SideVerdict

    @property
    def is_told(self) -> bool:
        """Whether people are to know: that sides turn out to be as assumed is no news."""
        is_calm = isinstance(self.what, SideTurn) and self.what.verdict is SideVerdict.RIGHT
        return not (is_calm and self.before is SideVerdict.UNKNOWN)


class _FeedHead(msgspec.Struct):
    """What of a feed's calibrator is not an array."""

    feed_id: str
    from_ns: int
    tier_caps_usd: tuple[float, ...]
    is_one_venue: bool
    path_id: str
    done_ns: int
    busy_until_ns: int
    verdict: SideVerdict
    resumed_ns: int


class FeedCalibrator:
    """Calibrates one feed of liquidations.

    Args:
        feed_id: where the liquidations come from.
        from_ns: whole minute from which it is read.
        tier_caps_usd: upper notional of each margin tier but the last, ascending.
        is_one_venue: False for a feed that mixes venues.
    """

    def __init__(
        self, feed_id: str, from_ns: int, *, tier_caps_usd: tuple[float, ...] = (), is_one_venue: bool = True
    ) -> None:
        self.feed_id, self.from_ns = feed_id, from_ns
        self.calibrator = Calibrator(
            feed_id,
            tier_caps_usd=tier_caps_usd,
            settings=CalibratorSettings(is_one_venue=is_one_venue),
        )
        #: Instrument whose path is the mark; empty until ``from_ns``.
        self.path_id = ""
        #: What was received and closed before was learned elsewhere.
        self.resumed_ns = 0
        self._verdict = SideVerdict.UNKNOWN
        self._tier_caps_usd, self._is_one_venue = tier_caps_usd, is_one_venue
        self._path = np.zeros(0, dtype=PATH_ROW)
        self._rows = empty_rows(Kind.LIQUIDATION)
        self._done_ns = from_ns
        self._busy_until_ns = 0

    def apply(self, path: NDArray[np.void], rows: NDArray[np.void], upto_ns: int) -> list[Finding]:
        """Take in bars and liquidations until ``upto_ns``; learn whole minutes.

        Args:
            path: rows of ``market.path.PATH_ROW`` since the last call, sorted by end.
            rows: rows of kind ``liquidation`` since the last call, sorted by receipt.
            upto_ns: everything received and closed by this moment is in the arguments.
        """
        path = path[path["end_ns"] >= max(self.from_ns + 1, self.resumed_ns)]
        rows = rows[rows["ts_received_ns"] >= max(self.from_ns, self.resumed_ns)]
        self._path = np.concatenate([self._path, path]) if len(path) else self._path
        self._rows = np.concatenate([self._rows, rows]) if len(rows) else self._rows
        found: list[Finding] = []
        last = upto_ns // MINUTE_NS * MINUTE_NS
        while (minute := self._next_minute()) <= last:
            found += self._learn_minute(minute)
        # While nothing waits, minutes go by unread; only their latest bars may still be asked for.
        self._done_ns = max(self._done_ns, last)
        self._path = self._path[self._path["end_ns"] > last - _PATH_NS]
        return found

    def apply_windows(self, windows: LearnedWindows) -> None:
        """Learn the reporting fraction from windows whose likelihood knows that one event per window is printed.

        Elsewhere rates are fitted to what is printed, and their ratio says nothing.
        """
        told = (windows.likelihood == Likelihood.EXACT) & (
            windows.start_ns >= max(self.from_ns, self.resumed_ns)
        )
        if not told.any():
            return
        rows = unknown_windows(windows.start_ns[told] + MINUTE_NS)
        rows["reported"], rows["expected"] = windows.observed[told], windows.expected[told]
        self.calibrator.apply_windows(rows)

    @property
    def reached_ns(self) -> int:
        """The last whole minute that was learned or went by."""
        return self._done_ns

    def is_whole(self, hour_ns: int) -> bool:
        """Whether all of the hour that ended at ``hour_ns`` was heard and not learned elsewhere."""
        return hour_ns - HOUR_NS >= max(self.from_ns, self.resumed_ns)

    def apply_hour(self, hour_ns: int, printed_usd: float, anchor_usd: float) -> None:
        """Learn the reporting fraction from what the feed and, scaled to it, the complete venues printed in an hour."""
        row = unknown_windows(np.array([hour_ns]))
        row["reported_usd"], row["anchor_usd"] = printed_usd, anchor_usd
        self.calibrator.apply_windows(row)

    def apply_margins(self, windows: LearnedWindows) -> list[Finding]:
        """Learn what windows say about the venue's margins; tell where those have changed."""
        first = int(np.searchsorted(windows.start_ns, max(self.from_ns, self.resumed_ns)))
        ends_ns = windows.start_ns[first:] + MINUTE_NS
        changes = self.calibrator.apply_margins(windows.margins.since(first), ends_ns)
        return [Finding(self.feed_id, change.time_ns, change, self._verdict) for change in changes]

    def _next_minute(self) -> int:
        """The next whole minute at which there is something to learn."""
        if self._done_ns < self._busy_until_ns:
            return self._done_ns + MINUTE_NS
        if not len(self._rows):
            return np.iinfo(np.int64).max
        return max(
            -(-int(self._rows["ts_received_ns"][0]) // MINUTE_NS) * MINUTE_NS, self._done_ns + MINUTE_NS
        )

    def _learn_minute(self, minute: int) -> list[Finding]:
        """Learn what was received and closed by a whole minute."""
        n_bars = int(np.searchsorted(self._path["end_ns"], minute, side="right"))
        n_rows = int(np.searchsorted(self._rows["ts_received_ns"], minute, side="right"))
        path, self._path = self._path[:n_bars], self._path[n_bars:]
        rows, self._rows = self._rows[:n_rows], self._rows[n_rows:]
        self._done_ns = minute
        if n_rows:
            self._busy_until_ns = minute + _WAIT_NS
        out: list[Finding] = []
        for what in self.calibrator.apply(rows, path[path["end_ns"] > minute - _PATH_NS], minute):
            out.append(Finding(self.feed_id, minute, what, self._verdict))
            if isinstance(what, SideTurn):
                self._verdict = what.verdict
        return out

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays."""
        head = _FeedHead(
            self.feed_id,
            self.from_ns,
            self._tier_caps_usd,
            self._is_one_venue,
            self.path_id,
            self._done_ns,
            self._busy_until_ns,
            self._verdict,
            self.resumed_ns,
        )
        out = {f"calibrator.{key}": value for key, value in self.calibrator.state().items()}
        out["head"] = np.frombuffer(msgspec.json.encode(head), dtype=np.uint8)
        return out | {"path": self._path.copy(), "rows": self._rows.copy()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> FeedCalibrator:
        """A calibrator that goes on where ``state()`` was taken."""
        head = msgspec.json.decode(state["head"].tobytes(), type=_FeedHead)
        feed = cls(
            head.feed_id, head.from_ns, tier_caps_usd=head.tier_caps_usd, is_one_venue=head.is_one_venue
        )
        feed.calibrator = Calibrator.from_state(
            head.feed_id,
            part_of(state, "calibrator."),
            tier_caps_usd=head.tier_caps_usd,
            settings=feed.calibrator.settings,
        )
        feed.path_id, feed._done_ns, feed._busy_until_ns = head.path_id, head.done_ns, head.busy_until_ns
        feed._verdict, feed.resumed_ns = head.verdict, head.resumed_ns
        feed._path, feed._rows = state["path"].copy(), state["rows"].copy()
        return feed


class _MarketHead(msgspec.Struct):
    """What of a market's calibrators is not an array."""

    feeds: list[str]
    since_ns: int
    first_ends_ns: dict[str, int]
    printed_usd: dict[str, float]


class MarketCalibrator:
    """Calibrates every feed of liquidations of an asset.

    Args:
        contracts: contracts by instrument id; may be filled later.
        mixing: slugs of archives that mix several venues.
        reporting: what venues publish, by slug, where it is not what their documentation says.
    """

    def __init__(
        self,
        contracts: Mapping[str, Instrument],
        mixing: Collection[str],
        reporting: Mapping[str, Reporting] | None = None,
    ) -> None:
        self._contracts, self._mixing, self._reporting = contracts, mixing, reporting or {}
        self.feeds: dict[str, FeedCalibrator] = {}
        #: Calibrators that are served as they are, and all feeds of which nothing is learned.
        self.frozen: dict[str, FeedCalibrator] = {}
        self.fixed_ids: frozenset[str] = frozenset()
        #: End of the first bar of the asset's first path: what was printed before cannot be placed.
        self._since_ns = 0
        #: End of the first bar of each path.
        self._first_ends_ns: dict[str, int] = {}
        #: Liquidations that each feed printed since the last whole hour.
        self._printed_usd: dict[str, float] = {}

    def apply(
        self,
        paths: Mapping[str, NDArray[np.void]],
        reference_id: str,
        events: LocatedEvents,
        upto_ns: int,
    ) -> list[Finding]:
        """Learn until ``upto_ns``.

        Args:
            paths: bars that ended since the last call by instrument, rows of ``market.path.PATH_ROW``.
            reference_id: the instrument whose path stands in for feeds that have none.
            events: liquidations received since the last call.
            upto_ns: last moment learned.

        Returns:
            What was found, feed by feed.
        """
        for path_id, path in paths.items():
            if path_id not in self._first_ends_ns and len(path):
                self._first_ends_ns[path_id] = int(path["end_ns"][0])
        self._since_ns = self._since_ns or self._first_ends_ns.get(reference_id, upto_ns)
        if len(events.received_ns):
            self._hear(events)
        found: list[Finding] = []
        for feed_id, feed in sorted(self.feeds.items()):
            if upto_ns < feed.from_ns:
                continue
            feed.path_id = feed.path_id or self._path_of(feed, reference_id)
            path = paths.get(feed.path_id, np.zeros(0, dtype=PATH_ROW))
            found += feed.apply(path, _rows_of(events, feed_id), upto_ns)
        return found

    def apply_windows(self, feed_id: str, windows: LearnedWindows) -> list[Finding]:
        """Hand a learner's windows to the calibrator of its feed, where there is one; what was found."""
        feed = self.feeds.get(feed_id)
        if feed is None:
            return []
        feed.apply_windows(windows)
        return feed.apply_margins(windows)

    def close_hour(self, hour_ns: int, interest_usd: Mapping[str, float], up_ids: Collection[str]) -> None:
        """Compare what each feed printed in the hour, per open interest, with what the complete venues printed.

        Args:
            hour_ns: end of the hour.
            interest_usd: published open interest by instrument.
            up_ids: feeds that are up; of others silence says nothing.
        """
        printed, self._printed_usd = self._printed_usd, {}
        known = [
            feed_id
            for feed_id, feed in self.feeds.items()
            if feed_id in up_ids and interest_usd.get(feed_id, 0.0) > 0.0 and feed.is_whole(hour_ns)
        ]
        complete = [feed_id for feed_id in known if self._is_complete(feed_id, hour_ns)]
        for feed_id in known:
            others = [other for other in complete if other != feed_id]
            if others:
                there_usd = math.fsum(interest_usd[other] for other in others)
                anchor_usd = math.fsum(printed.get(other, 0.0) for other in others)
                self.feeds[feed_id].apply_hour(
                    hour_ns, printed.get(feed_id, 0.0), anchor_usd * interest_usd[feed_id] / there_usd
                )

    def report(self, feed_id: str) -> dict[str, Any] | None:
        """What is known of a feed's venue, as plain values; None before its first event.

        ``rows`` hold one estimate each (name, value, low, high, unit, n_events, data_share; None where it is not
        known), ``sides`` says what is known of the feed's sides, ``published`` what its venue tells of itself, None
        where the feed is not one known venue's.
        """
        feed = self.feeds.get(feed_id) or self.frozen.get(feed_id)
        if feed is None:
            return None
        report = feed.calibrator.report()
        return {
            "rows": [_row(name, estimate) for name, estimate in _estimates(report)],
            "sides": str(report.verdict),
            "published": _published(feed_id.partition(":")[0], feed.reached_ns),
        }

    def _hear(self, events: LocatedEvents) -> None:
        """Make a calibrator for each feed that is heard for the first time, from the next whole minute on; add up."""
        # One by one: sums of pieces would round by how the tape is cut.
        for feed_id, usd in zip(events.instrument.tolist(), events.notional_usd.tolist(), strict=True):
            self._printed_usd[feed_id] = self._printed_usd.get(feed_id, 0.0) + usd
        known = events.received_ns >= self._since_ns
        ids, first = np.unique(events.instrument[known], return_index=True)
        for feed_id, index in zip(ids.tolist(), first.tolist(), strict=True):
            if feed_id not in self.feeds and feed_id not in self.fixed_ids:
                from_ns = (int(events.received_ns[known][index]) // MINUTE_NS + 1) * MINUTE_NS
                contract = self._contracts.get(feed_id)
                self.feeds[feed_id] = FeedCalibrator(
                    feed_id,
                    from_ns,
                    tier_caps_usd=tuple(tier.cap_usd for tier in contract.tiers[:-1]) if contract else (),
                    is_one_venue=not self._is_mixed(feed_id),
                )

    def _path_of(self, feed: FeedCalibrator, reference_id: str) -> str:
        """The feed's own path where it had one when its calibrator began, else the reference's."""
        began_ns = self._first_ends_ns.get(feed.feed_id)
        is_own = began_ns is not None and began_ns <= feed.from_ns and not self._is_mixed(feed.feed_id)
        return feed.feed_id if is_own else reference_id

    def _is_complete(self, feed_id: str, time_ns: int) -> bool:
        """Whether a feed's venue says that it prints every liquidation."""
        reporting = reporting_of(feed_id, time_ns, self._reporting)
        return reporting is not None and reporting.scheme in {"all", "batched"}

    def _is_mixed(self, feed_id: str) -> bool:
        return feed_id.partition(":")[0] in self._mixing

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays."""
        head = _MarketHead(list(self.feeds), self._since_ns, self._first_ends_ns, self._printed_usd)
        out: dict[str, NDArray[Any]] = {"head": np.frombuffer(msgspec.json.encode(head), dtype=np.uint8)}
        for feed_id, feed in self.feeds.items():
            out.update({f"{feed_id}/{key}": value for key, value in feed.state().items()})
        return out

    @classmethod
    def from_state(
        cls,
        contracts: Mapping[str, Instrument],
        mixing: Collection[str],
        state: Mapping[str, NDArray[Any]],
        reporting: Mapping[str, Reporting] | None = None,
    ) -> MarketCalibrator:
        """Calibrators that go on where ``state()`` was taken."""
        head = msgspec.json.decode(state["head"].tobytes(), type=_MarketHead)
        market = cls(contracts, mixing, reporting)
        market._since_ns, market._first_ends_ns = head.since_ns, head.first_ends_ns
        market._printed_usd = head.printed_usd
        market.feeds = {
            feed_id: FeedCalibrator.from_state(part_of(state, f"{feed_id}/")) for feed_id in head.feeds
        }
        return market


def _rows_of(events: LocatedEvents, feed_id: str) -> NDArray[np.void]:
    """Events of one feed as rows of kind ``liquidation``; what the calibrator does not read is left empty."""
    mine = events.instrument == feed_id
    rows = empty_rows(Kind.LIQUIDATION, int(np.count_nonzero(mine)))
    rows["ts_received_ns"], rows["ts_event_ns"] = events.received_ns[mine], events.event_ns[mine]
    rows["flags"], rows["side"] = events.flags[mine], events.side[mine]
    rows["price_kind"], rows["price_usd"] = events.price_kind[mine], events.price_usd[mine]
    rows["notional_usd"] = events.notional_usd[mine]
    return rows


def _estimates(report: CalibrationReport) -> list[tuple[str, Estimate]]:
    """Every estimate of a report with its name; of the margin tiers those that events have reached, or the first."""
    rows: list[tuple[str, Estimate]] = []
    for offset in report.offsets:
        kind = offset.price_kind.name.lower()
        rows += [(f"print offset, {kind}", offset.anti), (f"basis to the mark, {kind}", offset.sym)]
    rows += [("delay", report.delay), ("stamp to receipt", report.receipt)]
    rows += [("reporting fraction", report.share), ("votes for the sides", report.agreement)]
    reached = [tier for tier in report.margins if tier.correction.n_events > 0] or report.margins[:1]
    rows += [
        (f"margin correction{_size_text(tier.floor_usd, tier.cap_usd)}", tier.correction) for tier in reached
    ]
    return rows


def _row(name: str, estimate: Estimate) -> dict[str, Any]:
    """One estimate as plain values."""
    return {
        "name": name,
        "value": _known(estimate.value),
        "low": _known(estimate.low),
        "high": _known(estimate.high),
        "unit": estimate.unit,
        "n_events": estimate.n_events,
        "data_share": estimate.data_share,
    }


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _size_text(floor_usd: float, cap_usd: float) -> str:
    """Sizes of a tier with a blank before them; nothing where it is the only one."""
    if math.isfinite(cap_usd):
        return f" <={_usd_text(cap_usd)}"
    return f" >{_usd_text(floor_usd)}" if floor_usd > 0 else ""


def _usd_text(usd: float) -> str:
    """An amount as short as it can be, e.g. ``50k``."""
    for limit, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if usd >= limit:
            return f"{usd / limit:g}{unit}"
    return f"{usd:g}"


def _published(venue: str, at_ns: int) -> dict[str, dict[str, str] | None] | None:
    """What a venue tells of itself at a moment; None where nothing is known of it."""
    facts = VENUES.get(venue)
    if facts is None:
        return None

    def said(fact: PublishedFact | None) -> dict[str, str] | None:
        return None if fact is None else {"value": fact.text, "evidence": str(fact.evidence)}

    reporting, selection = None, facts.selection_at(at_ns)
    if selection is not None:
        window = "" if facts.window_s is None else f", every {facts.window_s:g} s"
        reporting = {"value": f"{selection}{window}", "evidence": str(facts.feed_evidence)}
    return {
        "insurance_fund": said(facts.insurance),
        "adl": said(facts.deleveraging),
        "partial_liquidation": said(facts.partial),
        "reporting": reporting,
    }
