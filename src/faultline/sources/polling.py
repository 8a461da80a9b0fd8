"""Requests to repeat in, rows of their answers out, each in its own rhythm and all within the venue's budget."""

from __future__ import annotations

import asyncio
import dataclasses
import heapq
import itertools
from typing import TYPE_CHECKING, Final

import structlog

from faultline.errors import SourceError
from faultline.sources.failures import Blocked
from faultline.sources.health import Status
from faultline.sources.rows import Reason, Rows

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from faultline.messages import Batch
    from faultline.sources.mapper import VenueMapper
    from faultline.sources.pacing import Timer
    from faultline.sources.plan import Poll
    from faultline.sources.rest import RestClient

__all__ = ("POLL_SHARE", "Polling")

_LOG = structlog.get_logger(__name__)
#: Share of the budget that polls may use; the rest is for listings and books that broke.
POLL_SHARE: Final = 0.8
_WORKERS: Final = 4
#: First polls are spread over so many seconds at most.
_SPREAD_S: Final = 5.0
#: A poll that fails is asked for less and less often, down to this share.
_SLOWEST: Final = 8.0
#: Answers may come so many times later than planned before a channel is stale.
_LATE: Final = 3.0
_LATE_S: Final = 30.0


@dataclasses.dataclass(slots=True)
class _Turn:
    """One poll and how it fares."""

    poll: Poll
    n_failures: int = 0
    answered_s: float | None = None
    failure: SourceError | None = None


class Polling:
    """Carries out the polls of a venue.

    Args:
        rest: where to ask.
        mapper: maps the answers; of the polls alone.
        stamp: receive times.
        timer: seconds and waits.
        rng: spreads the first requests.
        keep_raw: takes (connection, receive time, body) of every answer; None where none are kept.
    """

    def __init__(
        self,
        rest: RestClient,
        mapper: VenueMapper,
        *,
        stamp: Callable[[], int],
        timer: Timer,
        rng: random.Random,
        keep_raw: Callable[[str, int, bytes], None] | None = None,
    ) -> None:
        self.rows = Rows(mapper.venue)
        self._rest, self._mapper, self._stamp, self._timer, self._rng = rest, mapper, stamp, timer, rng
        self._keep_raw = keep_raw
        self._turns: dict[tuple[str, str], _Turn] = {}
        self._due: list[tuple[float, int, _Turn]] = []
        self._order = itertools.count()
        self._changed = asyncio.Event()
        self._is_free = asyncio.Event()
        self._is_free.set()
        self._faults: set[str] = set()
        self._log = _LOG.bind(venue=mapper.venue)

    def plan(self, polls: Sequence[Poll], mapper: VenueMapper) -> None:
        """Carry out these polls from now on; those that go on keep their rhythm."""
        self._mapper = mapper
        wanted = {(poll.channel, poll.symbol): poll for poll in polls}
        for key in self._turns.keys() - wanted.keys():
            del self._turns[key]
        now_s = self._timer.now_s()
        for key, poll in wanted.items():
            turn = self._turns.get(key)
            if turn is not None:
                turn.poll = poll
                continue
            turn = self._turns[key] = _Turn(poll)
            first_s = self._rng.uniform(0.0, min(poll.every_s, _SPREAD_S))
            heapq.heappush(self._due, (now_s + first_s, next(self._order), turn))
        self._changed.set()

    async def run(self) -> None:
        """Poll until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_WORKERS):
                group.create_task(self._work())

    def hold(self, *, is_held: bool) -> None:
        """Ask no more, or go on."""
        if is_held:
            self._is_free.clear()
        else:
            self._is_free.set()

    def drain(self) -> list[Batch]:
        """Rows since the last call."""
        return self.rows.drain()

    def states(self) -> dict[str, tuple[Status, str]]:
        """State of every channel that is polled, and a sentence."""
        channels: dict[str, list[_Turn]] = {}
        for (channel, _), turn in self._turns.items():
            channels.setdefault(channel, []).append(turn)
        return {channel: self._state(turns) for channel, turns in channels.items()}

    def _state(self, turns: Sequence[_Turn]) -> tuple[Status, str]:
        failed = [turn for turn in turns if turn.failure is not None]
        if failed:
            failure = failed[0].failure
            sentence = "" if failure is None else failure.user_message
            if len(failed) < len(turns):
                return Status.PARTIAL, f"{len(failed)} of {len(turns)} requests fail: {sentence}"
            return (Status.BLOCKED if isinstance(failure, Blocked) else Status.DOWN), sentence
        answered = [turn for turn in turns if turn.answered_s is not None]
        if not answered:
            return Status.QUIET, "not asked yet"
        now_s = self._timer.now_s()
        late = [
            turn
            for turn in answered
            if turn.answered_s is not None
            and now_s - turn.answered_s > max(_LATE * turn.poll.every_s, _LATE_S)
        ]
        if late:
            return (
                Status.STALE,
                f"{len(late)} of {len(turns)} answers are late: the request budget is too small",
            )
        return Status.LIVE, "answers come"

    async def _work(self) -> None:
        """Carry out whatever is due next."""
        while True:
            while not self._due:
                self._changed.clear()
                await self._changed.wait()
            due_s = self._due[0][0]
            if (wait_s := due_s - self._timer.now_s()) > 0.0:
                await self._timer.sleep(min(wait_s, 1.0))
                continue
            turn = heapq.heappop(self._due)[2]
            if self._turns.get((turn.poll.channel, turn.poll.symbol)) is not turn:
                continue
            await self._is_free.wait()
            await self._ask(turn)
            slower = min(2.0**turn.n_failures, _SLOWEST)
            next_s = (
                max(due_s + turn.poll.every_s, self._timer.now_s())
                if slower == 1.0
                else (self._timer.now_s() + turn.poll.every_s * slower)
            )
            heapq.heappush(self._due, (next_s, next(self._order), turn))

    async def _ask(self, turn: _Turn) -> None:
        """Ask once and map the answer."""
        poll = turn.poll
        try:
            body = await self._rest.fetch(poll.request, POLL_SHARE)
        except SourceError as exc:
            if turn.failure is None:
                self._log.warning("poll failed", channel=poll.channel, symbol=poll.symbol, error=str(exc))
            turn.failure, turn.n_failures = exc, turn.n_failures + 1
            return
        turn.failure, turn.n_failures, turn.answered_s = None, 0, self._timer.now_s()
        now_ns = self._stamp()
        if self._keep_raw is not None:
            self._keep_raw(f"rest-{poll.channel}-{poll.symbol}", now_ns, body)
        try:
            self._mapper.map_answer(poll.channel, poll.symbol, body, now_ns, self.rows)
        except Exception as exc:  # noqa: BLE001 - a fault of a mapper is a reject, and ends nothing
            self.rows.reject(Reason.WRONG_SHAPE, f"{type(exc).__name__}: {exc}")
            if poll.channel not in self._faults:
                self._faults.add(poll.channel)
                self._log.exception("mapper failed", channel=poll.channel)
        self.rows.controls.clear()
