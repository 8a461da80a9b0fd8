"""Messages for one client in, at most a bounded number waiting; a client that falls behind loses its place."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from faultline.bus.interface import subject_word

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ("EventWish", "Outbox", "as_message")

#: First byte of a column frame; JSON never begins with it.
_FRAME_TYPE: Final = 1


class EventWish:
    """Which events a client wants and how far it has got.

    ``cursor`` is the number up to which everything wanted is in the outbox; once ``is_live``, what follows is put
    there as it happens.
    """

    def __init__(self, cursor: int, types: Collection[str] | None, assets: Collection[str] | None) -> None:
        self.cursor = cursor
        self.types = None if types is None else frozenset(types)
        self.assets = None if assets is None else frozenset(assets)
        self.is_live = False
        self._words = None if assets is None else frozenset(map(subject_word, assets))

    def takes(self, kind: str, asset_word: str) -> bool:
        """Whether an event of that type and asset (as a word of a subject) is wanted."""
        return (self.types is None or kind in self.types) and (
            self._words is None or asset_word in self._words
        )


class Outbox:
    """Queue of one client. Everything runs in the event loop.

    Args:
        limit: messages that may wait.
        monotonic: seconds that never run backwards.
    """

    def __init__(self, limit: int, monotonic: Callable[[], float]) -> None:
        self.limit = limit
        self.wish: EventWish | None = None
        #: Set where events were missed that have to be read from the log.
        self.is_behind = asyncio.Event()
        #: Set once by ``drop``.
        self.is_slow = False
        self.n_sent = 0
        self.n_bytes = 0
        #: When the message that is being sent was begun; None between two.
        self.sending_since_s: float | None = None
        self._monotonic = monotonic
        self._waiting: deque[dict[str, Any]] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, message: dict[str, Any]) -> None:
        """Add a message (see ``as_message``); the client is dropped where too many wait already."""
        if len(self._waiting) >= self.limit:
            self.drop()
            return
        self._waiting.append(message)
        self._news.set()

    async def room(self) -> None:
        """Wait until at least half of the queue is free: for answers that may be long."""
        while len(self._waiting) > self.limit // 2:
            self._room.clear()
            await self._room.wait()

    def drop(self) -> None:
        """Give the client up: it does not read fast enough."""
        self.is_slow = True
        self._waiting.clear()
        if self._sender is not None:
            self._sender.cancel()

    async def send_all(self, send: Callable[[Any], Any]) -> None:
        """Send what is put, one after the other, until cancelled."""
        self._sender = asyncio.current_task()
        waiting = self._waiting
        while not self.is_slow:
            while waiting:
                message = waiting.popleft()
                self.sending_since_s = self._monotonic()
                await send(message)
                self.sending_since_s = None
                self.n_sent += 1
                self.n_bytes += len(message.get("bytes") or message["text"])
            self._room.set()
            self._news.clear()
            await self._news.wait()


def as_message(payload: bytes) -> dict[str, Any]:
    """Bytes as what the server sends: a column frame as binary, everything else as text."""
    if payload[0] == _FRAME_TYPE:
        return {"type": "websocket.send", "bytes": payload}
    return {"type": "websocket.send", "text": payload.decode()}
