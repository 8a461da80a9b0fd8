"""Columns, paths and liquidations of one asset in, zones of every scope and notices of what happened out.

Zones are looked for where a 1-minute column closes, on exactly the column that people see; paths are followed bar by
bar in between, so that a hit is told when its bar ends. Before ``follow_from_ns`` only what needs a long memory is
kept: what is traded in an hour, how dense zones are, how large liquidations are.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.pipeline.accounting import ACCOUNT_NS, Accountant
from faultline.pipeline.cascading import CascadeWatch
from faultline.pipeline.turnover import HourlyTurnover
from faultline.signals.announcing import Announcer
from faultline.signals.events import EventType
from faultline.signals.feeds import FeedTrouble, FeedWatch
from faultline.signals.liquidations import LargeLiquidations
from faultline.signals.notices import Notice, feed_notice, silence_notice, zone_notice
from faultline.signals.silence import SilenceWatch
from faultline.states import part_of
from faultline.units import DAY_NS, HOUR_NS, Side
from faultline.zones.density import TRAILING_NS
from faultline.zones.detection import detect_zones
from faultline.zones.divergence import VenueDivergence
from faultline.zones.tracker import ZoneTracker
from faultline.zones.zone import Zone

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from faultline.cascades.chain import ChainSettings
    from faultline.cascades.reproduction import RowReproduction
    from faultline.heatmap.display import DisplayRows
    from faultline.heatmap.ledger import LedgerParameters
    from faultline.pipeline.step import LocatedEvents
    from faultline.zones.divergence import SideDivergence
    from faultline.zones.parameters import ZoneParameters
    from faultline.zones.zone import ZoneChange

__all__ = ("MarketWatch",)

#: Liquidations are remembered this long, to tell what a swept zone gave.
_MEMORY_NS: Final = 24 * HOUR_NS
#: Zones that ended are shown this long.
_SHOWN_NS: Final = HOUR_NS
_SIDES: Final = ("LONG", "SHORT")


class _Head(msgspec.Struct):
    """What of a watch is not an array."""

    asset: str
    follow_from_ns: int
    trackers: list[str]
    turnover: list[str]
    silences: list[str]
    feeds: dict[str, dict[str, FeedTrouble]]
    hit_ns: dict[str, int]
    ended: dict[str, list[Zone]]
    prices: dict[str, float]
    apart: list[int]
    told: list[str]
    divergence: tuple[VenueDivergence | None, VenueDivergence | None]


class MarketWatch:
    """What is watched on the map of one asset.

    Args:
        asset: e.g. ``BTC``.
        parameters: settings of zones.
        follow_from_ns: zones are followed and notices given from here on.
        chains: settings of chains.
    """

    def __init__(
        self,
        asset: str,
        parameters: ZoneParameters,
        follow_from_ns: int,
        chains: ChainSettings | None = None,
    ) -> None:
        self.asset = asset
        self.parameters = parameters
        self.follow_from_ns = follow_from_ns
        self.trackers: dict[str, ZoneTracker] = {}
        self._turnover: dict[str, HourlyTurnover] = {}
        self._large = LargeLiquidations()
        self._silences: dict[str, SilenceWatch] = {}
        self._feeds = FeedWatch()
        self._recent = np.zeros(
            0, dtype=[("at_ns", "<i8"), ("side", "<i8"), ("usd", "<f8"), ("price", "<f8")]
        )
        self._hit_ns: dict[str, int] = {}
        self._ended: dict[str, list[Zone]] = {}
        self._prices: dict[str, float] = {}
        self._apart: set[int] = set()
        self._announcer = Announcer()
        #: Chains on the asset's own map.
        self.cascades = CascadeWatch(asset, follow_from_ns, chains)
        #: What stood where, for accounts; and the last comparison of venues, one per side.
        self.accountant = Accountant()
        self.divergence: list[SideDivergence] = []
        #: The same as others see it, long side first; None where it is not known.
        self.shown_divergence: tuple[VenueDivergence | None, VenueDivergence | None] = (None, None)
        self._changes: list[ZoneChange] = []
        self._states: list[Zone] = []
        self._notices: list[Notice] = []

    def take(self) -> tuple[list[ZoneChange], list[Zone], list[Notice]]:
        """Changes, states for the history, and notices since the last call, notices in order of time."""
        taken = self._changes, self._states, sorted(self._notices, key=lambda notice: notice.at_ns)
        self._changes, self._states, self._notices = [], [], []
        return taken

    def tell(self, notice: Notice) -> None:
        """Give a notice of what another stage found, if it lies in the time that is watched."""
        if notice.at_ns >= self.follow_from_ns:
            self._notices.append(notice)

    def zones(self, scope: str, now_ns: int) -> list[Zone]:
        """Zones that stand on a scope's map, and those that ended within the hour."""
        tracker = self.trackers.get(scope)
        if tracker is None:
            return []
        ended = self._ended.get(scope, [])
        ended[:] = [zone for zone in ended if now_ns - (zone.ended_ns or 0) <= _SHOWN_NS]
        return [*tracker.zones(now_ns, self._prices.get(scope, math.nan)), *ended]

    def apply_liquidations(self, events: LocatedEvents) -> None:
        """Take in located liquidations and tell of large ones."""
        self.cascades.apply_liquidations(events)
        thresholds = self._large.apply(events.received_ns, events.notional_usd)
        large = (events.notional_usd > thresholds) & (events.received_ns >= self.follow_from_ns)
        for k in np.flatnonzero(large).tolist():
            iid = str(events.instrument[k])
            fields = {
                "instrument": iid,
                "side": Side(int(events.side[k])).name,
                "price_usd": float(events.price_usd[k]),
                "trigger_usd": float(events.trigger_usd[k]),
                "notional_usd": float(events.notional_usd[k]),
                "threshold_usd": float(thresholds[k]),
            }
            subject = f"{iid}|{events.event_ns[k]}|{events.price_usd[k]!r}|{events.notional_usd[k]!r}"
            venue = iid.partition(":")[0]
            at_ns = int(events.received_ns[k])
            self._notices.append(
                Notice(EventType.LIQUIDATION_LARGE, self.asset, subject, at_ns, fields, venue)
            )
        if len(events.received_ns):
            fresh = np.zeros(len(events.received_ns), dtype=self._recent.dtype)
            fresh["at_ns"], fresh["usd"] = events.received_ns, events.notional_usd
            fresh["side"], fresh["price"] = events.side == Side.SHORT, events.trigger_usd
            kept = self._recent[self._recent["at_ns"] > fresh["at_ns"][-1] - _MEMORY_NS]
            self._recent = np.concatenate([kept, fresh])

    def apply_statuses(self, rows: Mapping[str, NDArray[np.void]], upto_ns: int) -> None:
        """Take in how the feeds of each venue fare, up to a moment, and tell of those that fail and work again."""
        for change in self._feeds.apply(rows, upto_ns):
            self.tell(feed_notice(self.asset, change))

    def apply_path(self, instrument_id: str, path: NDArray[np.void], minutes_ns: NDArray[np.int64]) -> None:
        """Take in one instrument's closed bars, and look at each minute whether it still sends prices."""
        self._turnover.setdefault(instrument_id, HourlyTurnover()).apply(path)
        if not len(minutes_ns) and not len(path):
            return
        if int((minutes_ns if len(minutes_ns) else path["end_ns"])[-1]) < self.follow_from_ns - DAY_NS:
            return
        watch = self._silences.setdefault(instrument_id, SilenceWatch())
        cuts = np.searchsorted(path["end_ns"], minutes_ns, side="right")
        parts = np.split(path["end_ns"], cuts)
        for part, minute_ns in zip(parts, minutes_ns.tolist(), strict=False):
            self._tell_silence(instrument_id, watch, part, minute_ns)
        if len(parts[-1]):
            # Bars after the last minute: only their ends count, the clock is looked at on whole minutes.
            self._tell_silence(instrument_id, watch, parts[-1], int(parts[-1][-1]))

    def apply_columns(
        self,
        scope: str,
        rows: DisplayRows,
        close_ns: NDArray[np.int64],
        usd: NDArray[np.float32],
        path: NDArray[np.void],
    ) -> None:
        """Follow a scope's zones along its path and the 1-minute columns that closed on it.

        Args:
            scope: asset or instrument.
            rows: display rows of the columns.
            close_ns: ends of the columns, shape (n,).
            usd: heat, shape (n, 2, P).
            path: bars since the last call (``market.path.PATH_ROW``).
        """
        tracker = self._tracker(scope)
        hits: list[ZoneChange] = []
        begin = 0
        for k, cut in enumerate(np.searchsorted(path["end_ns"], close_ns, side="right").tolist()):
            hits += self._walk(tracker, path[begin:cut])
            begin = cut
            at_ns, price = int(close_ns[k]), self._prices.get(scope, math.nan)
            self._note(tracker.apply_minute(at_ns, rows, usd[k], price))
            if scope == self.asset:
                self.cascades.add_column(at_ns, rows, usd[k])
        hits += self._walk(tracker, path[begin:])
        if scope == self.asset:
            self._notices += self.cascades.apply_path(path, hits, tracker.density.hourly_turnover_usd)

    def reproduction(
        self, edges_usd: NDArray[np.float64], usd: NDArray[np.float64], price_usd: float
    ) -> RowReproduction | None:
        """R of every row of the asset's map (``CascadeWatch.reproduction``)."""
        tracker = self.trackers.get(self.asset)
        turnover_usd = None if tracker is None else tracker.density.hourly_turnover_usd
        return self.cascades.reproduction(edges_usd, usd, price_usd, turnover_usd)

    def account_due(self, time_ns: int) -> bool:
        """Whether accounts are taken at that moment."""
        return time_ns % ACCOUNT_NS == 0 and time_ns >= self.follow_from_ns

    def apply_accounts(
        self,
        scope: str,
        ids: Sequence[str],
        time_ns: int,
        interest_change_ratio: float | None,
        *,
        says_chains: bool = True,
    ) -> None:
        """Give a scope's zones the accounts that were just closed, and note their states.

        Args:
            scope: asset or instrument.
            ids: instruments that its estimate is made of.
            time_ns: end of the accounts.
            interest_change_ratio: change of open interest over the last hour; None where unknown.
            says_chains: whether the chains of the asset's zones are said anew.
        """
        tracker = self._tracker(scope)
        accounts = self.accountant.accounts(tracker, ids)
        self._note(tracker.apply_account(time_ns, accounts, interest_change_ratio))
        zones = tracker.zones(time_ns, self._prices.get(scope, math.nan))
        self._states += zones
        if scope == self.asset and says_chains:
            self.cascades.forecast(zones, time_ns, tracker.density.hourly_turnover_usd)

    def apply_divergence(self, time_ns: int, sides: Sequence[SideDivergence]) -> None:
        """Note how far the venues' maps lie apart; told is when a side begins to be wider than chance."""
        self.divergence = list(sides)
        shown = {side.side: side.shown(time_ns) for side in sides}
        self.shown_divergence = (shown.get(0), shown.get(1))
        for side in sides:
            widest = side.widest()
            if widest is None:
                self._apart.discard(side.side)
            elif side.side not in self._apart:
                self._apart.add(side.side)
                name = _SIDES[side.side]
                fields = {
                    "side": name,
                    "distance_bps": widest[2],
                    "floor_bps": widest[3],
                    "venues": [widest[0], widest[1]],
                    "outlier": side.outlier,
                }
                self._notices.append(Notice(EventType.DIVERGENCE, self.asset, name, time_ns, fields))

    def close_hour(
        self, end_ns: int, scopes: Mapping[str, Iterable[str]], oi_usd: Mapping[str, float]
    ) -> None:
        """Close an hour's turnover: traded notional, or open interest times the hour's range where it is unknown.

        Args:
            end_ns: end of the hour.
            scopes: instruments of each scope.
            oi_usd: open interest of a side by instrument.
        """
        self.cascades.apply_interest(end_ns, oi_usd)
        hour = {iid: part.close(oi_usd.get(iid, math.nan)) for iid, part in self._turnover.items()}
        for scope, ids in scopes.items():
            known = [hour[iid] for iid in ids if iid in hour and math.isfinite(hour[iid])]
            self._tracker(scope).density.feed_hour(end_ns, sum(known) if known else math.nan)

    def samples_at(self, time_ns: int) -> bool:
        """Whether densities of that hour are wanted: within the density's memory, before zones are followed."""
        return self.follow_from_ns - TRAILING_NS <= time_ns < self.follow_from_ns

    def sample_density(
        self, scope: str, time_ns: int, rows: DisplayRows, usd: NDArray[Any], price_usd: float
    ) -> None:
        """Remember how dense zones are on a map that is not followed yet."""
        found = detect_zones(usd, rows, price_usd, self.parameters)
        strong = found["notional_usd"][found["is_strong"]]
        self._tracker(scope).density.sample(time_ns, strong.tolist())

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays; what ``take`` would give is not part of it."""
        head = _Head(
            asset=self.asset,
            follow_from_ns=self.follow_from_ns,
            trackers=list(self.trackers),
            turnover=list(self._turnover),
            silences=list(self._silences),
            feeds=self._feeds.troubles,
            hit_ns=self._hit_ns,
            ended=self._ended,
            prices=self._prices,
            apart=sorted(self._apart),
            told=self._announcer.told(),
            divergence=self.shown_divergence,
        )
        out = {
            "head": np.frombuffer(msgspec.json.encode(head), dtype=np.uint8),
            "recent": self._recent.copy(),
        }
        parts: dict[str, Any] = {f"tracker.{name}": part for name, part in self.trackers.items()}
        parts |= {f"turnover.{name}": part for name, part in self._turnover.items()}
        parts |= {f"silence.{name}": part for name, part in self._silences.items()} | {"large": self._large}
        parts |= {"accountant": self.accountant, "cascades": self.cascades}
        for name, part in parts.items():
            out.update({f"{name}|{key}": value for key, value in part.state().items()})
        return out

    @classmethod
    def from_state(
        cls,
        parameters: ZoneParameters,
        ledgers: Mapping[str, LedgerParameters],
        state: Mapping[str, NDArray[Any]],
        chains: ChainSettings | None = None,
    ) -> MarketWatch:
        """A watch that goes on where ``state()`` was taken; ``ledgers`` are the ledgers' parameters by instrument."""
        head = msgspec.json.decode(state["head"].tobytes(), type=_Head)
        watch = cls(head.asset, parameters, head.follow_from_ns, chains)
        watch.trackers = {
            scope: ZoneTracker.from_state(parameters, part_of(state, f"tracker.{scope}|"))
            for scope in head.trackers
        }
        watch._turnover = {
            iid: HourlyTurnover.from_state(part_of(state, f"turnover.{iid}|")) for iid in head.turnover
        }
        watch._silences = {
            iid: SilenceWatch.from_state(part_of(state, f"silence.{iid}|")) for iid in head.silences
        }
        watch._feeds = FeedWatch(head.feeds)
        watch._large = LargeLiquidations.from_state(part_of(state, "large|"))
        watch._recent = state["recent"].copy()
        watch._hit_ns, watch._ended, watch._prices = head.hit_ns, head.ended, head.prices
        watch._apart = set(head.apart)
        watch._announcer = Announcer(head.told)
        watch.shown_divergence = head.divergence
        watch.accountant = Accountant.from_state(part_of(state, "accountant|"), ledgers)
        watch.cascades = CascadeWatch.from_state(part_of(state, "cascades|"), chains)
        return watch

    def _tracker(self, scope: str) -> ZoneTracker:
        if scope not in self.trackers:
            self.trackers[scope] = ZoneTracker(scope, self.asset, self.parameters, self.follow_from_ns)
        return self.trackers[scope]

    def _walk(self, tracker: ZoneTracker, path: NDArray[np.void]) -> list[ZoneChange]:
        """Follow a tracker's zones along bars; gives the hits among what happened."""
        if not len(path):
            return []
        changes = tracker.apply_path(path)
        self._note(changes)
        closes = path["close_usd"][np.isfinite(path["close_usd"])]
        if len(closes):
            self._prices[tracker.scope] = float(closes[-1])
        return [change for change in changes if change.kind == "hit"]

    def _note(self, changes: list[ZoneChange]) -> None:
        for change in changes:
            zone = change.zone
            self._changes.append(change)
            self._states.append(zone)
            more = dict(change.extra)
            if change.kind == "hit":
                self._hit_ns[zone.id] = change.at_ns
            elif change.kind == "swept":
                more = {"before_usd": more["before_usd"], "liquidated_usd": self._liquidated_usd(change)}
            elif change.kind == "expired":
                more = {"touches": zone.touches, "peak_notional_usd": zone.peak_notional_usd, **more}
            elif change.kind == "building":
                del more["interest_change_ratio"]
            if change.kind in {"swept", "expired"}:
                self._hit_ns.pop(zone.id, None)
                self._ended.setdefault(zone.scope, []).append(zone)
            # A venue's own zones are on its map; told is what happens on the asset's.
            if zone.scope == self.asset and self._announcer.tells(change):
                self._notices.append(zone_notice(self.asset, change, more))

    def _liquidated_usd(self, change: ZoneChange) -> float:
        """Liquidations seen inside a zone since price reached it."""
        seen, zone = self._recent, change.zone
        inside = (
            (seen["at_ns"] >= self._hit_ns.get(zone.id, change.at_ns))
            & (seen["at_ns"] <= change.at_ns)
            & (seen["side"] == _SIDES.index(zone.side))
            & (seen["price"] >= zone.low_usd)
            & (seen["price"] <= zone.high_usd)
        )
        return float(seen["usd"][inside].sum())

    def _tell_silence(
        self, instrument_id: str, watch: SilenceWatch, ends_ns: NDArray[np.int64], now_ns: int
    ) -> None:
        for change in watch.apply(ends_ns, now_ns):
            self.tell(silence_notice(self.asset, instrument_id, change))
