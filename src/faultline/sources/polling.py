"""Requests to repeat in, rows of their answers out, each in its own rhythm and all within the venue's budget.

An answer that is due and does not come is missing: where the next one comes later than the period and some grace, the
stretch between the two is told.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import heapq
import itertools
from typing import TYPE_CHECKING, Final

import structlog

from faultline.errors import PayloadRejected, SourceError
from faultline.sources.failures import Blocked
from faultline.sources.health import Status
from faultline.sources.rows import Reason, Rows
from faultline.sources.slots import Lost
from faultline.units import SECOND_NS

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
#: An answer that comes later than its period by another one, and by so many seconds at most, was not missed.
_GRACE_S: Final = 30.0


@dataclasses.dataclass(slots=True)
class _Turn:
    """One poll and how it fares."""

    poll: Poll
    n_failures: int = 0
    answered_ns: int | None = None
    failure: SourceError | None = None

    def missing(self, now_ns: int) -> Lost:
        """What is missing where the next answer comes now; without a last one, since an earlier run left off."""
        poll = self.poll
        least_ns = int((poll.every_s + min(poll.every_s, _GRACE_S)) * SECOND_NS)
        reason = "recorder_down" if self.answered_ns is None else "unanswered"
        return Lost(poll.channel, (poll.symbol,), self.answered_ns or 0, now_ns, reason, least_ns)


class Polling:
    """Carries out the polls of a venue.

    Args:
        rest: where to ask.
        mapper: maps the answers; of the polls alone.
        stamp: receive times.
        timer: seconds and waits.
        rng: spreads the first requests.
        lose: told what was missing, when it is back.
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
        lose: Callable[[Lost], None],
        keep_raw: Callable[[str, int, bytes], None] | None = None,
    ) -> None:
        self.rows = Rows(mapper.venue)
        self._rest, self._mapper, self._stamp, self._timer, self._rng = rest, mapper, stamp, timer, rng
        self._lose, self._keep_raw = lose, keep_raw
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
            self._lose(self._turns.pop(key).missing(self._stamp()))
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

    def finish(self, now_ns: int) -> list[tuple[str, str]]:
        """Tell of what is still missing: nobody will see its end. Returns what was polled, as (channel, symbol)."""
        for turn in self._turns.values():
            self._lose(turn.missing(now_ns))
        return list(self._turns)

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
        ages = [(turn, turn.answered_ns) for turn in turns if turn.answered_ns is not None]
        if not ages:
            return Status.QUIET, "not asked yet"
        now_ns = self._stamp()
        n_late = sum(
            now_ns - answered_ns > max(_LATE * turn.poll.every_s, _LATE_S) * SECOND_NS
            for turn, answered_ns in ages
        )
        if n_late:
            return Status.STALE, f"{n_late} of {len(turns)} answers are late: the request budget is too small"
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
            self._fail(turn, exc)
            return
        now_ns = self._stamp()
        if self._keep_raw is not None:
            self._keep_raw(f"rest-{poll.channel}-{poll.symbol}", now_ns, body)
        rows = self.rows
        n_rows, n_rejects = rows.n_rows, rows.n_rejects
        try:
            self._mapper.map_answer(poll.channel, poll.symbol, body, now_ns, rows)
        except Exception as exc:  # noqa: BLE001 - a fault of a mapper is a reject, and ends nothing
            rows.reject(Reason.WRONG_SHAPE, f"{type(exc).__name__}: {exc}")
            if poll.channel not in self._faults:
                self._faults.add(poll.channel)
                self._log.exception("mapper failed", channel=poll.channel)
        rows.controls.clear()
        if rows.n_rows == n_rows and rows.n_rejects > n_rejects:
            digest = hashlib.sha256(body).hexdigest()[:16]
            message = "the answer says nothing that can be taken"
            self._fail(turn, PayloadRejected(message, venue=rows.venue, channel=poll.channel, digest=digest))
            return
        self._lose(turn.missing(now_ns))
        turn.failure, turn.n_failures, turn.answered_ns = None, 0, now_ns

    def _fail(self, turn: _Turn, failure: SourceError) -> None:
        poll = turn.poll
        if turn.failure is None:
            self._log.warning("poll failed", channel=poll.channel, symbol=poll.symbol, error=str(failure))
        turn.failure, turn.n_failures = failure, turn.n_failures + 1
