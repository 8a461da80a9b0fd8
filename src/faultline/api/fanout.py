"""One queue of the bus in, every message in the outboxes of the clients that asked for it out.

Publishers pay for one queue, however many clients there are. What the clients need is done in the event loop: one
pass over the followers of a subject per message. Where the queue itself overflows, every client is told to fetch its
maps again and reads events from their log: a hole is never silent.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import msgspec

from faultline.api.hub import EVENT_PREFIX, PATTERNS, STATUS_SUBJECT, map_subject
from faultline.api.outbox import Outbox, as_message
from faultline.bus.interface import Bus, Message, OverflowPolicy, Subscription
from faultline.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultline.store.columns import MapKey
    from faultline.store.events import EventStore
    from faultline.store.maps import MapStore, Resumed

__all__ = ("Fanout", "resync_message")

#: Messages that may wait for the fan-out itself.
_QUEUE_MAX: Final = 65_536
#: Messages handed out before clients get their turn.
_BURST: Final = 64
#: Longest wait after a burst for clients that are reading but have a lot waiting, and its steps.
_PATIENCE_S: Final = 0.25
_NAP_S: Final = 0.005
#: Share of clients that must be crowded before everybody waits for them.
_CROWD_RATIO: Final = 0.1
#: Events that are remembered for clients that come back soon: nobody reads the log for them.
_RECENT_MAX: Final = 2_000
#: Time between two looks for clients that are stuck.
_WATCH_S: Final = 0.25

_FRAME_TYPE: Final = 1
_SEQ: Final = struct.Struct("<I")
_SEQ_OFFSET: Final = 4
_EVENT_SEQ_START: Final = len(b'{"type":"event","seq":')


class Fanout:
    """Who follows what, and the task that hands out what comes.

    Args:
        bus: where the hub publishes.
        store: asked for the present ``seq`` of a map after a hole.
        events: log of events, or None where there is none.
        send_timeout_s: longest a single message to a client may take before it counts as slow.
        heartbeat_s: seconds between two pings.
        count_sent: called with messages and bytes that went to clients.
    """

    def __init__(
        self,
        bus: Bus,
        store: MapStore,
        events: EventStore | None,
        *,
        send_timeout_s: float,
        heartbeat_s: float,
        count_sent: Callable[[int, int], None],
    ) -> None:
        self._bus, self._store, self._events = bus, store, events
        self._send_timeout_s, self._heartbeat_s = send_timeout_s, heartbeat_s
        self._count_sent = count_sent
        self._queue: Subscription | None = None
        self._dropped = 0
        self._clients: set[Outbox] = set()
        # By subject: its followers, each with the seq that it has seen already, or None where that is settled.
        self._followers: dict[str, dict[Outbox, int | None]] = {}
        self._keys: dict[str, MapKey] = {}
        self._event_seq = 0
        # Number, type, asset word and message of the last events, without holes.
        self._recent: deque[tuple[int, str, str, dict[str, Any]]] = deque(maxlen=_RECENT_MAX)
        #: Holes: messages that were lost because the event loop did not keep up.
        self.n_holes = 0

    @property
    def n_clients(self) -> int:
        """Clients that are connected."""
        return len(self._clients)

    # ---- clients

    def join(self, limit: int) -> Outbox:
        """A new client's outbox; it gets status and pings at once."""
        outbox = Outbox(limit, time.monotonic)
        self._clients.add(outbox)
        self.follow(outbox, STATUS_SUBJECT)
        return outbox

    def leave(self, outbox: Outbox) -> None:
        """Nothing more for this client."""
        self._clients.discard(outbox)
        for subject in [subject for subject, known in self._followers.items() if outbox in known]:
            del self._followers[subject][outbox]
            if not self._followers[subject]:
                del self._followers[subject]
                self._keys.pop(subject, None)
        self._count_sent(outbox.n_sent, outbox.n_bytes)
        outbox.n_sent = outbox.n_bytes = 0

    def follow(self, outbox: Outbox, subject: str) -> None:
        """Give a client what is published under a subject."""
        self._followers.setdefault(subject, {})[outbox] = None

    def follow_map(self, outbox: Outbox, key: MapKey, after_seq: int | None) -> Resumed:
        """Give a client the frames of a map from now on; returns what it missed, to be put before anything else.

        Raises:
            NotFound: there is no such map.
        """
        subject = map_subject(key)
        missed = self._store.resume(key, after_seq)
        self._keys[subject] = key
        self._followers.setdefault(subject, {})[outbox] = missed.seq
        return missed

    def catch_up(self, outbox: Outbox) -> bool:
        """Give a client what it lacks from the events remembered here, and from then on what happens.

        Returns:
            False where that does not reach back far enough, or the client has no room: it has to read the log.
        """
        wish = outbox.wish
        if wish is None:
            return True
        if wish.cursor < self._event_seq:
            if not self._recent or self._recent[0][0] > wish.cursor + 1:
                return False
            first = max(len(self._recent) - (self._event_seq - wish.cursor), 0)
            missed = [item[3] for item in list(self._recent)[first:] if wish.takes(item[1], item[2])]
            if len(missed) > outbox.limit // 2:
                return False
            for packed in missed:
                outbox.put(packed)
            wish.cursor = self._event_seq
        wish.is_live = True
        return True

    # ---- the task

    def start(self) -> None:
        """Begin to queue what is published; before anything is."""
        self._queue = self._bus.subscribe(PATTERNS, limit=_QUEUE_MAX, policy=OverflowPolicy.DROP_OLDEST)
        self._event_seq = self._events.last_seq if self._events is not None else 0

    async def run(self) -> None:
        """Hand out, beat and watch until cancelled."""
        await asyncio.gather(self._hand_out(), self._beat(), self._watch())

    def stop(self) -> None:
        """Queue nothing more."""
        if self._queue is not None:
            self._queue.close()

    async def _hand_out(self) -> None:
        queue = self._queue
        while queue is not None and (message := await queue.receive()) is not None:
            n = 0
            next_one: Message | None = message
            while next_one is not None:
                self._pass_on(next_one)
                n += 1
                next_one = queue.poll() if n < _BURST else None
            if queue.dropped != self._dropped:
                self._dropped = queue.dropped
                self._mend()
            await asyncio.sleep(0)
            if n == _BURST:
                await self._let_read()

    def _pass_on(self, message: Message) -> None:
        subject, payload = message.subject, message.payload
        if subject.startswith(EVENT_PREFIX):
            self._pass_event(subject, payload)
            return
        followers = self._followers.get(subject)
        if not followers:
            return
        packed = as_message(payload)
        if subject not in self._keys:
            for outbox in followers:
                outbox.put(packed)
            return
        seq = _map_seq(payload)
        for outbox, seen in followers.items():
            if seen is not None:
                if seq <= seen:
                    continue
                followers[outbox] = None
            outbox.put(packed)

    def _pass_event(self, subject: str, payload: bytes) -> None:
        _, kind, asset_word = subject.split(".")
        seq = int(payload[_EVENT_SEQ_START : payload.index(b",", _EVENT_SEQ_START)])
        if seq <= self._event_seq:
            return
        if seq != self._event_seq + 1:
            self._fall_behind()
        packed = as_message(payload)
        self._recent.append((seq, kind, asset_word, packed))
        for outbox in self._clients:
            wish = outbox.wish
            if wish is not None and wish.is_live and seq > wish.cursor and wish.takes(kind, asset_word):
                outbox.put(packed)
        self._event_seq = seq

    def _fall_behind(self) -> None:
        """Events are missing on the way here: have every client read on from the log."""
        self._recent.clear()
        for outbox in self._clients:
            if outbox.wish is not None and outbox.wish.is_live:
                outbox.wish.is_live = False
                outbox.wish.cursor = max(outbox.wish.cursor, self._event_seq)
                outbox.is_behind.set()

    def _mend(self) -> None:
        """Frames are missing on the way here: have every client fetch its maps again."""
        self.n_holes += 1
        for subject, key in self._keys.items():
            followers = self._followers.get(subject, {})
            try:
                missed = self._store.resume(key, None)
            except NotFound:
                # The map is gone: there is nothing to be fetched again.
                continue
            packed = as_message(resync_message(missed))
            for outbox in followers:
                followers[outbox] = missed.seq
                outbox.put(packed)

    async def _let_read(self) -> None:
        """After a burst, wait for clients that are reading: a flood is no reason to call them slow."""
        sent = {outbox: outbox.n_sent for outbox in self._crowded()}
        end_s = time.monotonic() + _PATIENCE_S
        while len(sent) > _CROWD_RATIO * len(self._clients) and time.monotonic() < end_s:
            await asyncio.sleep(_NAP_S)
            sent = {
                outbox: outbox.n_sent for outbox in self._crowded() if outbox.n_sent != sent.get(outbox, -1)
            }

    def _crowded(self) -> list[Outbox]:
        return [outbox for outbox in self._clients if len(outbox) > outbox.limit // 2]

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s)
            ping = {"type": "ping", "t_ms": self._store.status.as_of_ns // 1_000_000}
            packed = as_message(msgspec.json.encode(ping))
            for outbox in self._clients:
                outbox.put(packed)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_WATCH_S)
            late_s = time.monotonic() - self._send_timeout_s
            n_sent = n_bytes = 0
            for outbox in self._clients:
                if outbox.sending_since_s is not None and outbox.sending_since_s < late_s:
                    outbox.drop()
                n_sent, n_bytes = n_sent + outbox.n_sent, n_bytes + outbox.n_bytes
                outbox.n_sent = outbox.n_bytes = 0
            self._count_sent(n_sent, n_bytes)


def resync_message(missed: Resumed) -> bytes:
    """What tells a client to fetch a snapshot."""
    return msgspec.json.encode({"type": "resync", "sub": missed.sub, "seq": missed.seq})


def _map_seq(payload: bytes) -> int:
    """Number of a column frame or a ``resync``."""
    if payload[0] == _FRAME_TYPE:
        return int(_SEQ.unpack_from(payload, _SEQ_OFFSET)[0])
    return int(msgspec.json.decode(payload)["seq"])
