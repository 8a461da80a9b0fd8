"""What venues sent and how their connections fared in, one picture of their health out.

A ``Health`` is written by the recorder's thread and read by any other; ``snapshot`` is a whole, frozen picture.

Words: ``live`` rows come; ``quiet`` subscribed, and silence is normal there; ``partial`` some symbols or connections
are missing; ``stale`` connected, but silent for too long; ``blocked`` the venue or the network refuses us; ``down`` no
connection; ``absent`` the venue does not give this.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import threading
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.units import MILLISECOND_NS, MINUTE_NS, SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from faultline.sources.rows import Reason, Rejects
    from faultline.sources.venue import Venue

__all__ = (
    "ChannelHealth",
    "Health",
    "HealthSnapshot",
    "RejectHealth",
    "SocketHealth",
    "Status",
    "StatusChange",
    "VenueCounts",
    "VenueHealth",
    "VenueMeter",
    "WriterHealth",
)

#: A channel that was never connected is told as down after so long.
_START_NS: Final = 30 * SECOND_NS
#: Seconds, and minutes, of which rates are kept.
_RING: Final = 60
#: Lags kept per channel for its percentiles.
_LAGS: Final = 512
#: Clock offsets are the smallest of the last so many minutes.
_OFFSET_MINUTES: Final = 60
_REFUSALS: Final = 10


class Status(enum.StrEnum):
    """State of a channel or a venue, in one word."""

    LIVE = "live"
    QUIET = "quiet"
    PARTIAL = "partial"
    STALE = "stale"
    BLOCKED = "blocked"
    DOWN = "down"
    ABSENT = "absent"


class RejectHealth(msgspec.Struct, frozen=True):
    """What could not be taken for one reason: how often, and the first of them."""

    reason: str
    n: int
    digest: str
    detail: str
    sample: str


class ChannelHealth(msgspec.Struct, frozen=True):
    """One channel of a venue; times are ns, None where nothing came yet.

    ``rows_per_s`` is the mean of the last minute; ``per_second`` and ``per_minute`` are rows of the last 60 of each,
    oldest first, the last still growing. Lags are receive time minus event time, by two clocks (see
    ``VenueHealth.clock_offset_ms``).
    """

    channel: str
    kinds: tuple[str, ...]
    transport: str
    status: str
    sentence: str
    since_ns: int
    n_rows: int
    rows_per_s: float
    per_second: tuple[int, ...]
    per_minute: tuple[int, ...]
    last_row_ns: int | None
    lag_p50_ms: float | None
    lag_p95_ms: float | None
    n_gaps: int
    rejects: tuple[RejectHealth, ...]


class SocketHealth(msgspec.Struct, frozen=True):
    """One connection: what it is doing, for how long, and what it carried."""

    name: str
    state: str
    since_ns: int
    n_frames: int
    n_bytes: int
    last_frame_ns: int | None


class VenueHealth(msgspec.Struct, frozen=True):
    """One venue.

    ``clock_offset_ms`` is the smallest receive-minus-event time of the last hour: the difference of the two clocks plus
    the shortest way; far below zero our clock is behind. ``refusals`` are the latest, in the venue's words.
    """

    venue: str
    name: str
    status: str
    sentence: str
    since_ns: int
    channels: tuple[ChannelHealth, ...]
    sockets: tuple[SocketHealth, ...]
    n_contracts: int
    n_connects: int
    n_reconnects: int
    n_renewals: int
    n_refusals: int
    refusals: tuple[str, ...]
    n_duplicates: int
    n_frames: int
    n_bytes: int
    n_requests: int
    n_request_failures: int
    rows_waiting: int
    clock_offset_ms: float | None


class WriterHealth(msgspec.Struct, frozen=True):
    """The way to the tape: rows that wait, their bound, and how often reading was paused for it."""

    rows_waiting: int
    rows_waiting_max: int
    n_rows_acknowledged: int
    is_paused: bool
    n_pauses: int
    paused_s: float
    failure: str


class HealthSnapshot(msgspec.Struct, frozen=True):
    """All venues at one moment."""

    as_of_ns: int
    venues: tuple[VenueHealth, ...]
    writer: WriterHealth


@dataclasses.dataclass(frozen=True, slots=True)
class StatusChange:
    """A channel changed state: what becomes a row of kind ``source_status``."""

    at_ns: int
    venue: str
    channel: str
    status: Status
    lag_ns: int
    detail: str


class _Ring:
    """Counts of the last ``_RING`` steps of time."""

    def __init__(self, step_ns: int) -> None:
        self._step_ns, self._counts, self._last = step_ns, [0] * _RING, 0

    def add(self, at_ns: int, n: int) -> None:
        self._move(at_ns)
        self._counts[self._last % _RING] += n

    def counts(self, at_ns: int) -> tuple[int, ...]:
        """Counts of the steps that end with the one of ``at_ns``, oldest first."""
        self._move(at_ns)
        first = self._last + 1
        return tuple(self._counts[(first + step) % _RING] for step in range(_RING))

    def _move(self, at_ns: int) -> None:
        now = at_ns // self._step_ns
        for step in range(max(self._last + 1, now - _RING + 1), now + 1):
            self._counts[step % _RING] = 0
        self._last = max(self._last, now)


class _Channel:
    """What is counted of one channel."""

    def __init__(self, channel: str, transport: str, at_ns: int) -> None:
        self.channel, self.transport = channel, transport
        self.kinds: list[str] = []
        self.status, self.sentence, self.since_ns = Status.DOWN, "not connected yet", at_ns
        #: The word of the latest row about it.
        self.told: Status | None = None
        self.n_rows = self.n_gaps = 0
        self.last_row_ns: int | None = None
        self.seconds, self.minutes = _Ring(SECOND_NS), _Ring(MINUTE_NS)
        self.lags: collections.deque[int] = collections.deque(maxlen=_LAGS)

    def freeze(self, at_ns: int, rejects: Iterable[RejectHealth]) -> ChannelHealth:
        per_second = self.seconds.counts(at_ns)
        lags = sorted(self.lags)
        return ChannelHealth(
            channel=self.channel,
            kinds=tuple(self.kinds),
            transport=self.transport,
            status=self.status.value,
            sentence=self.sentence,
            since_ns=self.since_ns,
            n_rows=self.n_rows,
            rows_per_s=sum(per_second) / _RING,
            per_second=per_second,
            per_minute=self.minutes.counts(at_ns),
            last_row_ns=self.last_row_ns,
            lag_p50_ms=_quantile_ms(lags, 0.5),
            lag_p95_ms=_quantile_ms(lags, 0.95),
            n_gaps=self.n_gaps,
            rejects=tuple(sorted(rejects, key=lambda one: (-one.n, one.reason))),
        )


@dataclasses.dataclass(slots=True)
class VenueCounts:
    """Plain counters of a venue, written by its connections."""

    n_connects: int = 0
    n_reconnects: int = 0
    n_renewals: int = 0
    n_refusals: int = 0
    n_duplicates: int = 0
    n_frames: int = 0
    n_bytes: int = 0
    n_requests: int = 0
    n_request_failures: int = 0
    rows_waiting: int = 0
    n_contracts: int = 0


class VenueMeter:
    """Everything counted of one venue; made by ``Health.meter``.

    Attributes:
        counts: counters, free to be raised.
    """

    def __init__(self, venue: Venue, at_ns: int) -> None:
        self.venue, self.counts = venue, VenueCounts()
        self._lock = threading.Lock()
        self._channels: dict[str, _Channel] = {}
        for line in venue.coverage:
            channel = self._channels.setdefault(
                line.channel, _Channel(line.channel, line.transport.value, at_ns)
            )
            if line.kind.value not in channel.kinds:
                channel.kinds.append(line.kind.value)
        self._rejects: dict[str, dict[str, RejectHealth]] = {}
        self._past: dict[tuple[str, Reason], int] = {}
        self._refusals: collections.deque[str] = collections.deque(maxlen=_REFUSALS)
        self._sockets: tuple[SocketHealth, ...] = ()
        self._offsets: collections.deque[tuple[int, int]] = collections.deque(maxlen=_OFFSET_MINUTES)
        self._changes: list[StatusChange] = []
        self._since_ns, self._status = at_ns, Status.DOWN

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels of the coverage table."""
        return tuple(self._channels)

    def status_of(self, channel: str) -> Status:
        """The state of a channel as last told."""
        return self._channels[channel].status

    def rows(self, channel: str, n: int, received_ns: int, lags_ns: Sequence[int]) -> None:
        """Count rows of a channel that were handed over, with the lags of some of them."""
        found = self._channels.get(channel)
        if found is None:
            return
        with self._lock:
            found.n_rows += n
            found.last_row_ns = received_ns
            found.seconds.add(received_ns, n)
            found.minutes.add(received_ns, n)
            found.lags.extend(lags_ns)
            if lags_ns and found.transport == "socket":
                self._offset(received_ns // MINUTE_NS, min(lags_ns))

    def status(self, channel: str, status: Status, sentence: str, at_ns: int) -> None:
        """Tell the state of a channel; a change of the word is kept until ``take_changes``."""
        found = self._channels[channel]
        with self._lock:
            found.sentence = sentence
            if status is not found.status:
                found.status, found.since_ns = status, at_ns
            # Before the first connection a channel is down for a while, which tells nothing.
            is_starting = found.told is None and status is Status.DOWN and at_ns - found.since_ns < _START_NS
            # Rows tell five words: a quiet channel is a live one on which nothing happened.
            word = _told(status)
            if status is Status.ABSENT or is_starting or word is found.told:
                return
            found.told = word
            lag_ns = found.lags[-1] if found.lags else -1
            self._changes.append(StatusChange(at_ns, self.venue.slug, channel, word, lag_ns, sentence))

    def gap(self, channel: str) -> None:
        """Count a gap of a channel."""
        if channel in self._channels:
            self._channels[channel].n_gaps += 1

    def refusal(self, words: str) -> None:
        """Keep a refusal of the venue."""
        with self._lock:
            self.counts.n_refusals += 1
            self._refusals.append(words[:300])

    def rejects(
        self, rejects: Mapping[tuple[str, Reason], Rejects], known: dict[tuple[str, Reason], int]
    ) -> None:
        """Add what a ``Rows`` rejected since the last call with the same ``known``, which is brought up to date."""
        for key, found in rejects.items():
            fresh = found.n - known.get(key, 0)
            if fresh <= 0:
                continue
            known[key] = found.n
            with self._lock:
                by_reason = self._rejects.setdefault(key[0], {})
                before = by_reason.get(key[1].value)
                by_reason[key[1].value] = RejectHealth(
                    reason=key[1].value,
                    n=fresh + (before.n if before else 0),
                    digest=before.digest if before else found.digest,
                    detail=before.detail if before else found.detail,
                    sample=before.sample if before else found.sample,
                )

    def sockets(self, sockets: Sequence[SocketHealth]) -> None:
        """Tell the connections as they are now."""
        self._sockets = tuple(sockets)

    def take_changes(self) -> list[StatusChange]:
        """Changes of state since the last call."""
        with self._lock:
            changes, self._changes = self._changes, []
        return changes

    @property
    def clock_offset_ns(self) -> int | None:
        """Smallest receive-minus-event time of the last hour; None before the first row."""
        last = self._offsets[-1][0] if self._offsets else 0
        return min((lag for minute, lag in self._offsets if minute > last - _OFFSET_MINUTES), default=None)

    def freeze(self, at_ns: int) -> VenueHealth:
        """The venue as it is now."""
        with self._lock:
            return self._freeze(at_ns)

    def _freeze(self, at_ns: int) -> VenueHealth:
        channels = [
            channel.freeze(at_ns, self._rejects.get(name, {}).values())
            for name, channel in self._channels.items()
        ]
        status, sentence = _whole([(one.channel, Status(one.status), one.sentence) for one in channels])
        channels += [
            ChannelHealth(
                name, (), "socket", Status.QUIET.value, "not a channel that was asked for", at_ns, 0, 0.0,
                (0,) * _RING, (0,) * _RING, None, None, None, 0, tuple(found.values()),
            )
            for name, found in self._rejects.items() if name not in self._channels
        ]  # fmt: skip
        if status is not self._status:
            self._status, self._since_ns = status, at_ns
        channels += [
            ChannelHealth(
                "-", (kind.value,), "-", Status.ABSENT.value, why, 0, 0, 0.0, (0,) * _RING, (0,) * _RING,
                None, None, None, 0, (),
            )
            for kind, why in self.venue.absent.items()
        ]  # fmt: skip
        offset_ns = self.clock_offset_ns
        return VenueHealth(
            venue=self.venue.slug,
            name=self.venue.name,
            status=status.value,
            sentence=sentence,
            since_ns=self._since_ns,
            channels=tuple(channels),
            sockets=self._sockets,
            refusals=tuple(self._refusals),
            clock_offset_ms=None if offset_ns is None else offset_ns / MILLISECOND_NS,
            **dataclasses.asdict(self.counts),
        )

    def _offset(self, minute: int, lag_ns: int) -> None:
        if not self._offsets or self._offsets[-1][0] != minute:
            self._offsets.append((minute, lag_ns))
        elif lag_ns < self._offsets[-1][1]:
            self._offsets[-1] = (minute, lag_ns)


class Health:
    """Health of all venues and of the way to the tape."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._meters: dict[str, VenueMeter] = {}
        self._writer = WriterHealth(0, 0, 0, is_paused=False, n_pauses=0, paused_s=0.0, failure="")
        self._last_ns = 0

    def meter(self, venue: Venue, at_ns: int) -> VenueMeter:
        """The meter of a venue; made when it is first asked for."""
        with self._lock:
            return self._meters.setdefault(venue.slug, VenueMeter(venue, at_ns))

    def writer(self, writer: WriterHealth, at_ns: int) -> None:
        """Tell how the way to the tape is, and what time it is."""
        self._writer, self._last_ns = writer, at_ns

    def snapshot(self, now_ns: int | None = None) -> HealthSnapshot:
        """Everything at one moment; by default the last that the recorder told. Any thread may call it."""
        with self._lock:
            meters = list(self._meters.values())
        # One lock a venue: the recorder never waits for a whole picture.
        at_ns = self._last_ns if now_ns is None else now_ns
        return HealthSnapshot(at_ns, tuple(meter.freeze(at_ns) for meter in meters), self._writer)


def _told(status: Status) -> Status:
    return Status.LIVE if status is Status.QUIET else status


def _whole(channels: Sequence[tuple[str, Status, str]]) -> tuple[Status, str]:
    """State of a venue from that of its channels; those that nobody asked for do not count."""
    channels = [one for one in channels if one[1] is not Status.ABSENT]
    if not channels:
        return Status.ABSENT, "nothing that was asked for"
    works = [one for one in channels if one[1] in {Status.LIVE, Status.QUIET}]
    fails = [one for one in channels if one[1] not in {Status.LIVE, Status.QUIET}]
    if not fails:
        return Status.LIVE, "every channel is live"
    channel, status, sentence = min(fails, key=lambda one: _WORST.index(one[1]))
    if not works and all(one[1] is status for one in fails):
        return status, sentence
    word = Status.PARTIAL if works or any(one[1] is Status.PARTIAL for one in fails) else status
    return word, f"{channel}: {sentence}"


def _quantile_ms(lags_ns: Sequence[int], share: float) -> float | None:
    """A quantile of sorted lags."""
    if not lags_ns:
        return None
    return lags_ns[min(int(share * len(lags_ns)), len(lags_ns) - 1)] / MILLISECOND_NS


_WORST: Final = (Status.BLOCKED, Status.DOWN, Status.STALE, Status.PARTIAL)
