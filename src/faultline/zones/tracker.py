"""Columns, the path and accounts of one scope in, zones with an identity and what happens to them out.

A zone is harder to begin than to keep: a peak must stand for minutes before its zone is created, a zone that stands
already needs a weaker peak, and one that is missing is kept for a while. Zones live in USD prices, so moved or rescaled
display rows change nothing. What is found depends on the sequence of minutes and bars, not on how it is cut into calls.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.errors import RequestError, StoreError
from faultline.units import HOUR_NS, MINUTE_NS
from faultline.zones.density import DensityScale
from faultline.zones.detection import KNOWN, cumulative_usd, detect_zones, held_usd
from faultline.zones.lifecycle import follow_path
from faultline.zones.matching import match
from faultline.zones.track import Flow, Track, Trend, zone_id, zone_of
from faultline.zones.trend import follow_trend
from faultline.zones.zone import ZoneChange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from faultline.heatmap.display import DisplayRows
    from faultline.zones.account import ZoneAccount
    from faultline.zones.parameters import ZoneParameters
    from faultline.zones.zone import Zone

__all__ = ("ZoneTracker",)

_STATE_VERSION: Final = 1
#: Minutes of closes before a typical move is known.
_MOVE_MINUTES: Final = 15.0


class _Head(msgspec.Struct):
    """Scalars of a tracker; None is an unknown number."""

    version: int
    scope: str
    asset: str
    start_ns: int
    reached_ns: int
    minute_ns: int
    price_usd: float | None
    close_usd: float | None
    close_ns: int
    moves: tuple[float, float]
    started: bool
    sampled_ns: int
    tracks: list[Track]


@dataclasses.dataclass(frozen=True, slots=True)
class _Minute:
    """One column, prepared: ``cumulative`` has shape (2, P + 1); ``fresh`` collects ids of zones created in it."""

    time_ns: int
    rows: DisplayRows
    cumulative: NDArray[np.float64]
    totals: NDArray[np.float64]
    elapsed_ns: int
    fresh: set[str] = dataclasses.field(default_factory=set)


class ZoneTracker:
    """Zones of one scope; one writer, no locks.

    Args:
        scope: asset or instrument, part of every zone's id.
        asset: asset of the scope.
        parameters: settings.
        start_ns: tracking begins here: earlier minutes and bars are not looked at.
    """

    def __init__(self, scope: str, asset: str, parameters: ZoneParameters, start_ns: int) -> None:
        self.scope, self.asset, self.parameters, self.start_ns = scope, asset, parameters, start_ns
        self.density = DensityScale()
        self._tracks: list[Track] = []
        self._changes: list[ZoneChange] = []
        self._reached_ns = start_ns
        self._minute_ns = 0
        self._price_usd = math.nan
        self._close_usd, self._close_ns = math.nan, 0
        #: Faded sums of squared log returns of minutes and of the minutes they span.
        self._moves = (0.0, 0.0)
        self._started = False
        self._sampled_ns = 0

    @property
    def move_ratio(self) -> float:
        """Typical move of price over ``approach_move_ns``; NaN before a quarter of an hour of closes."""
        squares, minutes = self._moves
        if minutes < _MOVE_MINUTES:
            return math.nan
        return math.sqrt(squares / minutes * self.parameters.approach_move_ns / MINUTE_NS)

    def intervals(self) -> NDArray[np.void]:
        """Where the zones stand (``detection.KNOWN``), in the order of ``zones()``: what accounts are made of."""
        return np.array([(t.side, t.low_usd, t.high_usd) for t in self._shown()], dtype=KNOWN)

    def ids(self) -> list[str]:
        """Ids of the zones that stand, in the order of ``zones()``."""
        return [track.id for track in self._shown()]

    def zones(self, now_ns: int, price_usd: float) -> list[Zone]:
        """Zones that stand, sorted by side (longs first) and lower edge.

        Args:
            now_ns: present.
            price_usd: price now; NaN where unknown.
        """
        return [self._zone(track, now_ns, price_usd) for track in self._shown()]

    def apply_minute(
        self, time_ns: int, rows: DisplayRows, usd: NDArray[Any], price_usd: float
    ) -> list[ZoneChange]:
        """Look at the column that closed at ``time_ns``.

        A column without a price, or with a missing row, is passed over: nothing is known, so nothing fades.

        Args:
            time_ns: end of the column.
            rows: its display rows.
            usd: heat per side and row, shape (2, P), longs first.
            price_usd: price at its end.

        Returns:
            Changes, in the order of side and price.

        Raises:
            RequestError: time goes back, or the column does not fit its rows.
        """
        time_ns, price_usd = int(time_ns), float(price_usd)
        if time_ns < self.start_ns:
            return []
        self._follow_time(time_ns)
        if not (price_usd > 0 and math.isfinite(price_usd)):
            return []
        self._follow_close(time_ns, price_usd)
        self._price_usd = price_usd
        finds = detect_zones(usd, rows, price_usd, self.parameters, self._known())
        totals = usd.sum(axis=1, dtype=np.float64)
        if not np.isfinite(totals).all():
            return []
        elapsed = min(time_ns - self._minute_ns, HOUR_NS) if self._minute_ns else MINUTE_NS
        self._minute_ns = time_ns
        minute = _Minute(time_ns, rows, cumulative_usd(usd), totals, elapsed)
        for side in range(2):
            self._follow_side(side, minute, finds[finds["side"] == side])
        self._started = True
        self._tracks = [t for t in self._tracks if t.state not in {"swept", "expired"}]
        self._tracks.sort(key=lambda track: (track.side, track.low_usd, track.id))
        if time_ns // HOUR_NS > self._sampled_ns // HOUR_NS:
            self._sampled_ns = time_ns
            self.density.sample(time_ns, [track.notional_usd for track in self._shown()])
        return self._taken()

    def apply_path(self, path: NDArray[np.void]) -> list[ZoneChange]:
        """Walk the zones along bars of the path; changes are dated to the end of the bar that made them.

        Args:
            path: bars since the last call (``market.path.PATH_ROW``), of any length. Apply the bars that end by a
                minute before that minute's column.

        Raises:
            RequestError: bars are not in the order of their ends, or end before what was applied already.
        """
        path = path[path["end_ns"] > self.start_ns]
        if not len(path):
            return []
        if np.any(np.diff(path["end_ns"]) < 0):
            message = "path bars are not in the order of their ends"
            raise RequestError(message, where="path", hint="sort them by end_ns")
        self._follow_time(int(path["end_ns"][0]))
        self._reached_ns = int(path["end_ns"][-1])
        follow_path(self._tracks, path, self.move_ratio, self.parameters, self._reached)
        closes = path["close_usd"][np.isfinite(path["close_usd"])]
        if len(closes):
            self._price_usd = float(closes[-1])
        # A candidate that price reached was no news yet and is none any more.
        self._tracks = [
            t
            for t in self._tracks
            if t.state not in {"swept", "expired"} and (t.confirmed or t.state != "hit")
        ]
        return self._taken()

    def apply_account(
        self, time_ns: int, accounts: Mapping[str, ZoneAccount], interest_change_ratio: float | None = None
    ) -> list[ZoneChange]:
        """Take in the accounts of zones: flows, venues, leverage bands, range over mixes, and trend.

        Args:
            time_ns: end of the account.
            accounts: by id of a zone; ids of zones that are gone are passed over.
            interest_change_ratio: change of open interest over the last hour; None where unknown.
        """
        for track in self._shown():
            account = accounts.get(track.id)
            if account is None:
                continue
            track.flows = [f for f in track.flows if f.from_ns >= account.to_ns - HOUR_NS]
            track.flows.append(
                Flow(
                    account.from_ns,
                    account.to_ns,
                    account.opened_usd,
                    account.closed_usd,
                    account.swept_usd,
                    account.reestimated_usd,
                )
            )
            track.venue_shares, track.band_shares = account.venue_shares(), account.band_shares()
            track.range_shares = account.range_shares()
            track.trend = track.trend or Trend()
            news = follow_trend(track.trend, account, interest_change_ratio, self.parameters)
            if news:
                hour = [f for f in track.flows if f.from_ns >= time_ns - HOUR_NS]
                self._tell(
                    news,
                    track,
                    time_ns,
                    opened_usd=sum(flow.opened_usd for flow in hour),
                    closed_usd=sum(flow.closed_usd for flow in hour),
                    interest_change_ratio=interest_change_ratio,
                )
        return self._taken()

    # One minute.

    def _follow_time(self, time_ns: int) -> None:
        if time_ns < self._reached_ns:
            message = f"zones stand at {self._reached_ns} ns and cannot go back to {time_ns} ns"
            raise RequestError(
                message, where="time_ns", hint="apply bars and minutes in the order of their ends"
            )
        self._reached_ns = time_ns

    def _follow_close(self, time_ns: int, price_usd: float) -> None:
        """Take one close into the typical move; a gap counts with the minutes it spans."""
        if self._close_ns and time_ns > self._close_ns:
            minutes = (time_ns - self._close_ns) / MINUTE_NS
            fade = 0.5 ** ((time_ns - self._close_ns) / self.parameters.volatility_half_life_ns)
            change = math.log(price_usd / self._close_usd)
            self._moves = (self._moves[0] * fade + change * change, self._moves[1] * fade + minutes)
        self._close_usd, self._close_ns = price_usd, time_ns

    def _known(self) -> NDArray[np.void]:
        return np.array([(t.side, t.low_usd, t.high_usd) for t in self._tracks], dtype=KNOWN)

    def _follow_side(self, side: int, minute: _Minute, finds: NDArray[np.void]) -> None:
        """Zones of one side go on in what was found, fade, or begin."""
        tracks = [track for track in self._tracks if track.side == side]
        cumulative = minute.cumulative[side]
        pairs = match(tracks, finds, cumulative, minute.rows, self.parameters)
        for index, track in enumerate(tracks):
            track.side_usd = float(minute.totals[side])
            if index in pairs:
                self._see(track, finds[pairs[index]], minute)
            else:
                self._miss(track, minute)
            self._confirm(track, minute)
        self._give_way(tracks, minute)
        taken = set(pairs.values())
        fresh = [find for k, find in enumerate(finds) if k not in taken and find["is_strong"]]
        for k, find in enumerate(fresh):
            self._begin(side, k, find, minute)
        left = [t for t in self._tracks if t.side == side and t.state not in {"swept", "expired"}]
        held = held_usd(cumulative, minute.rows, [t.low_usd for t in left], [t.high_usd for t in left])
        for track, usd in zip(left, held.tolist(), strict=True):
            self._weigh(track, usd, minute)

    def _see(self, track: Track, find: np.void, minute: _Minute) -> None:
        """A zone was found again; while price is inside, its edges stay as they were when price came."""
        track.seen_ns, track.unseen_ns = minute.time_ns, 0
        if track.state == "hit":
            return
        keep = 0.5 ** (minute.elapsed_ns / max(self.parameters.edge_half_life_ns, 1))
        track.low_usd = keep * track.low_usd + (1.0 - keep) * float(find["low_usd"])
        track.high_usd = keep * track.high_usd + (1.0 - keep) * float(find["high_usd"])
        track.peak_usd = min(max(float(find["peak_usd"]), track.low_usd), track.high_usd)

    def _miss(self, track: Track, minute: _Minute) -> None:
        if not track.unseen_ns:
            track.unseen_ns = minute.time_ns
        grace = self.parameters.fade_ns if track.confirmed else self.parameters.candidate_gap_ns
        if minute.time_ns - track.unseen_ns >= grace:
            self._expire(track, minute, None)

    def _confirm(self, track: Track, minute: _Minute) -> None:
        """A candidate that has stood long enough is a zone; where price is near already, the next bar approaches it."""
        stood = minute.time_ns - track.born_ns >= self.parameters.confirm_ns
        if not track.confirmed and stood and not track.unseen_ns:
            track.confirmed = track.armed = True
            minute.fresh.add(track.id)

    def _expire(self, track: Track, minute: _Minute, into: Track | None) -> None:
        track.state, track.state_ns = "expired", minute.time_ns
        if track.confirmed and track.id not in minute.fresh:
            self._tell("expired", track, minute.time_ns, merged_into=into.id if into else None)

    def _give_way(self, tracks: list[Track], minute: _Minute) -> None:
        """Intervals of a side do not overlap: the one that is seen yields to one that is not, except over its peak.

        A zone that was just seen may not grow over the place of one that is only missing for a moment; one whose place
        the other's peak has taken is gone. Two that are both seen meet halfway.
        """
        standing = sorted(
            (t for t in tracks if t.state != "expired" and t.confirmed), key=lambda t: (t.low_usd, t.id)
        )
        apart: list[Track] = []
        for track in standing:
            while apart and track.state != "expired" and apart[-1].high_usd > track.low_usd:
                self._part(apart[-1], track, minute)
                if apart[-1].state != "expired":
                    break
                apart.pop()
            if track.state != "expired":
                apart.append(track)

    def _part(self, lower: Track, upper: Track, minute: _Minute) -> None:
        """Give each of two overlapping zones its place."""
        pair = (lower, upper)
        for gone, other in (pair, pair[::-1]):
            if gone.unseen_ns and not other.unseen_ns and gone.low_usd <= other.peak_usd <= gone.high_usd:
                self._expire(gone, minute, other)
                return
        if lower.peak_usd >= upper.peak_usd:
            gone, other = pair if lower.notional_usd < upper.notional_usd else pair[::-1]
            self._expire(gone, minute, other)
            return
        if lower.unseen_ns and not upper.unseen_ns:
            border = lower.high_usd
        elif upper.unseen_ns and not lower.unseen_ns:
            border = upper.low_usd
        else:
            border = (lower.high_usd + upper.low_usd) / 2.0
        border = min(max(border, lower.peak_usd), upper.peak_usd)
        lower.high_usd = upper.low_usd = border

    def _begin(self, side: int, k: int, find: np.void, minute: _Minute) -> None:
        """A candidate; those that stand when tracking begins are zones at once, and no news."""
        time_ns = minute.time_ns
        track = Track(
            id=zone_id(self.scope, side, time_ns, k),
            side=side,
            born_ns=time_ns,
            low_usd=float(find["low_usd"]),
            high_usd=float(find["high_usd"]),
            peak_usd=float(find["peak_usd"]),
            notional_usd=float(find["notional_usd"]),
            side_usd=float(minute.totals[side]),
            since_start=not self._started,
            confirmed=not self._started,
            seen_ns=time_ns,
            state_ns=time_ns,
        )
        track.baseline_usd = track.notional_usd
        if side == 0:
            track.high_usd = min(track.high_usd, self._price_usd)
        else:
            track.low_usd = max(track.low_usd, self._price_usd)
        if track.low_usd < track.high_usd:
            self._tracks.append(track)

    def _weigh(self, track: Track, held_usd: float, minute: _Minute) -> None:
        """Note a zone's size, and tell that it was created or reinforced."""
        track.notional_usd = held_usd
        track.peak_notional_usd = max(track.peak_notional_usd, held_usd)
        if track.id in minute.fresh:
            track.baseline_usd = held_usd
            self._tell("created", track, minute.time_ns)
        elif track.confirmed and held_usd >= (1.0 + self.parameters.reinforced_ratio) * track.baseline_usd:
            before, track.baseline_usd = track.baseline_usd, held_usd
            self._tell("reinforced", track, minute.time_ns, before_usd=before)

    # What came of it.

    def _shown(self) -> list[Track]:
        return [track for track in self._tracks if track.confirmed]

    def _zone(self, track: Track, now_ns: int, price_usd: float) -> Zone:
        return zone_of(track, self.scope, now_ns, price_usd, self.density, HOUR_NS)

    def _tell(self, kind: str, track: Track, at_ns: int, **extra: Any) -> None:
        zone = self._zone(track, at_ns, extra.get("price_usd", self._price_usd))
        self._changes.append(ZoneChange(kind=kind, zone=zone, extra=extra, at_ns=at_ns))

    def _reached(self, kind: str, track: Track, at_ns: int, price_usd: float) -> None:
        """What the path did to a zone; candidates are nobody's news."""
        if not track.confirmed:
            return
        more = {"before_usd": track.before_usd} if kind == "swept" else {}
        self._tell(kind, track, at_ns, price_usd=price_usd, **more)

    def _taken(self) -> list[ZoneChange]:
        changes, self._changes = self._changes, []
        return changes

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays."""
        head = _Head(
            version=_STATE_VERSION,
            scope=self.scope,
            asset=self.asset,
            start_ns=self.start_ns,
            reached_ns=self._reached_ns,
            minute_ns=self._minute_ns,
            price_usd=None if math.isnan(self._price_usd) else self._price_usd,
            close_usd=None if math.isnan(self._close_usd) else self._close_usd,
            close_ns=self._close_ns,
            moves=self._moves,
            started=self._started,
            sampled_ns=self._sampled_ns,
            tracks=self._tracks,
        )
        out: dict[str, NDArray[Any]] = {"head": np.frombuffer(msgspec.json.encode(head), dtype=np.uint8)}
        out.update({f"density.{name}": part for name, part in self.density.state().items()})
        return out

    @classmethod
    def from_state(cls, parameters: ZoneParameters, state: Mapping[str, NDArray[Any]]) -> ZoneTracker:
        """A tracker that goes on where ``state()`` was taken, under the same settings.

        Raises:
            StoreError: the state is of another version or damaged.
        """
        try:
            head = msgspec.json.decode(state["head"].tobytes(), type=_Head)
            density = DensityScale.from_state(
                {name.removeprefix("density."): part for name, part in state.items() if name != "head"}
            )
        except (KeyError, msgspec.DecodeError) as exc:
            message = f"not the state of a zone tracker: {exc}"
            raise StoreError(message, where="state", hint="rebuild it from the tape") from exc
        if head.version != _STATE_VERSION:
            message = f"zones of version {head.version}, not {_STATE_VERSION}"
            raise StoreError(message, where="state", hint="rebuild it from the tape")
        tracker = cls(head.scope, head.asset, parameters, head.start_ns)
        tracker.density = density
        tracker._tracks = head.tracks
        tracker._reached_ns, tracker._minute_ns = head.reached_ns, head.minute_ns
        tracker._price_usd = math.nan if head.price_usd is None else head.price_usd
        tracker._close_usd = math.nan if head.close_usd is None else head.close_usd
        tracker._close_ns, tracker._moves = head.close_ns, head.moves
        tracker._started, tracker._sampled_ns = head.started, head.sampled_ns
        return tracker
