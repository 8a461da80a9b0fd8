"""Venues in, rows on a tape and in the hands of whoever listens out.

One asyncio loop in one thread reads every venue. Every ``flush_s`` it takes what was mapped and hands it over, each
row once, with a watermark: every row whose ``ts_received_ns`` is before it has been handed over. A second thread
appends the same batches to the tape. When that one falls behind by ``rows_waiting_max`` rows, the sockets are not read
until it has caught up: TCP makes the venues wait, and nothing is dropped here.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import random
import threading
from typing import TYPE_CHECKING, Final, Self

import structlog

from faultline.clock import SystemClock
from faultline.errors import FaultlineError
from faultline.messages import Batch, Kind, empty_rows
from faultline.sources.dialling import trusted_certificates
from faultline.sources.health import Health, WriterHealth
from faultline.sources.pacing import LoopTimer, Patience
from faultline.sources.supervision import Surroundings, VenueSupervisor
from faultline.sources.tape_queue import TapeQueue
from faultline.sources.tape_tail import read_tail

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from faultline.clock import Clock
    from faultline.sources.health import StatusChange
    from faultline.sources.pacing import Timer
    from faultline.sources.raw_frames import RawFrames
    from faultline.sources.venue import Venue
    from faultline.tape.writer import TapeWriter

__all__ = ("ALL_CHANNELS", "Recorder")

_LOG = structlog.get_logger(__name__)
#: Symbol of rows that are about a whole venue (kind ``source_status``): ``bybit:all``.
ALL_CHANNELS: Final = "all"
#: Reading goes on when at most this share of the bound waits.
_RESUME_SHARE: Final = 0.5
#: The tape may take so long for what waits when the recorder stops.
_CLOSE_S: Final = 50.0
_END_CHECK_S: Final = 0.005
#: Names looked up at the same time: a slow name server must not make venues wait for one another.
_NAMES_AT_ONCE: Final = 16
_DEFAULT_PATIENCE: Final = Patience()


class Recorder:
    """Reads venues until it is stopped; a context manager that starts and stops.

    It starts however the venues fare: one that is down, blocked or broken is tried again for ever, and never touches
    another. ``health`` tells how each fares.

    Args:
        venues: what to read.
        assets: bases of the contracts to read, e.g. ``{"BTC", "ETH"}``; empty for all that the venues list.
        tape: where rows go, or None; the recorder does not close it.
        clock: receive times. They never go back, even where the clock does.
        kinds: kinds of rows to read; None for all.
        sockets: WebSocket addresses by venue and name, in place of the venues' own.
        rest: REST addresses, likewise.
        wallets: accounts by venue to ask for besides those seen trading, where a venue answers for accounts.
        wallets_folder: where accounts are kept between runs, a file per venue; None keeps none.
        raw: keeps every frame as it came in; the recorder closes it.
        on_batches: called on the recorder's thread after every flush, with the batches as they were read (in no
            order, several may be of one kind and instrument, there may be none) and the watermark in ns. It must be
            quick: while it runs nothing is read. What it raises is logged and counted in ``n_listener_failures``, and
            ends nothing.
        patience: timeouts and back-off.
        timer: seconds and waits; only tests replace it.
        rng: chance of the back-off and of the first polls.
        ssl_context: certificates to trust; None for the machine's.
        flush_s: seconds between two flushes.
        rows_waiting_max: rows that may wait for the tape.
    """

    def __init__(  # noqa: PLR0913 - every edge of the recorder can be replaced, by name
        self,
        venues: Sequence[Venue],
        assets: Collection[str],
        tape: TapeWriter | None,
        *,
        clock: Clock | None = None,
        kinds: Collection[Kind] | None = None,
        sockets: Mapping[str, Mapping[str, str]] | None = None,
        rest: Mapping[str, Mapping[str, str]] | None = None,
        wallets: Mapping[str, Sequence[str]] | None = None,
        wallets_folder: Path | None = None,
        raw: RawFrames | None = None,
        on_batches: Callable[[Sequence[Batch], int], None] | None = None,
        patience: Patience = _DEFAULT_PATIENCE,
        timer: Timer | None = None,
        rng: random.Random | None = None,
        ssl_context: ssl.SSLContext | None = None,
        flush_s: float = 0.02,
        rows_waiting_max: int = 1_000_000,
    ) -> None:
        self.health = Health()
        #: Times ``on_batches`` raised.
        self.n_listener_failures = 0
        #: Times the health of a venue could not be told.
        self.n_look_failures = 0
        self._clock = clock or SystemClock()
        self._tape, self._rows_waiting_max = tape, rows_waiting_max
        self._raw, self._on_batches, self._flush_s = raw, on_batches, flush_s
        self._last_ns = 0
        self._n_pauses, self._paused_s, self._paused_at_s = 0, 0.0, -1.0
        self._queue: TapeQueue | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_asked: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._is_failure_told = False
        self._timer = timer or LoopTimer()
        # One for all: reading the machine's certificates takes longer than anything else here.
        trusted = ssl_context or trusted_certificates()
        self._look_s, self._health_due_s = patience.look_s, 0.0
        self._supervisors = [
            VenueSupervisor(
                venue,
                frozenset(assets),
                Surroundings(
                    stamp=self._stamp,
                    timer=self._timer,
                    patience=patience,
                    rng=rng or random.Random(),  # noqa: S311 - spreads load, guards nothing
                    ssl_context=trusted,
                    keep_raw=None if raw is None else self._keep_raw,
                    meter=self.health.meter(venue, self._stamp()),
                ),
                kinds=None if kinds is None else frozenset(kinds),
                sockets=(sockets or {}).get(venue.slug),
                rest=(rest or {}).get(venue.slug),
                wallets=(wallets or {}).get(venue.slug, ()),
                wallets_file=None if wallets_folder is None else wallets_folder / f"{venue.slug}.json",
            )
            for venue in venues
        ]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def failure(self) -> BaseException | None:
        """Why the recorder ended by itself, e.g. a tape that takes no more rows; None while it runs well."""
        return self._failure

    @property
    def n_rows_acknowledged(self) -> int:
        """Rows the tape has acknowledged."""
        return 0 if self._queue is None else self._queue.n_rows_acknowledged

    def start(self) -> None:
        """Start reading; returns at once.

        Raises:
            RuntimeError: it was started before.
        """
        if self._thread is not None:
            msg = "a recorder runs once: make another"
            raise RuntimeError(msg)
        started = threading.Event()
        self._thread = threading.Thread(target=self._run_loop, args=(started,), name="recorder", daemon=True)
        self._thread.start()
        started.wait()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the recorder has ended; returns whether it has. It ends when stopped, or by a ``failure``."""
        if self._thread is None:
            return False
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def stop(self, timeout_s: float = 60.0) -> None:
        """Close the connections, hand over everything read, and return when the tape has acknowledged it.

        Stopping twice does nothing.

        Raises:
            TapeError: the tape took not all.
            TimeoutError: it did not end within ``timeout_s``.
        """
        if self._thread is None:
            return
        loop, asked = self._loop, self._stop_asked
        if loop is not None and asked is not None and not loop.is_closed():
            try:
                loop.call_soon_threadsafe(asked.set)
            except RuntimeError:
                _LOG.debug("the recorder's loop was closed already")
        if not self.wait(timeout_s):
            msg = f"the recorder did not end within {timeout_s:g} s"
            raise TimeoutError(msg)
        if self._failure is not None and not self._is_failure_told:
            self._is_failure_told = True
            raise self._failure

    async def run(self, stop_asked: asyncio.Event) -> None:
        """Read until ``stop_asked`` is set or the tape refuses; what ``start`` runs in a thread of its own.

        Raises:
            TapeError: the tape took not all.
        """
        for one in self._supervisors:
            # Compiles what reads frames before anything is connected: later it would keep every venue waiting.
            one.venue.mapper({})
        if self._tape is not None:
            slugs = [one.venue.slug for one in self._supervisors]
            tails = await asyncio.to_thread(read_tail, self._tape.path, slugs)
            for one in self._supervisors:
                one.resume(tails[one.venue.slug])
            self._queue = TapeQueue(self._tape, self._rows_waiting_max)
        venues = [asyncio.create_task(one.run(), name=one.venue.slug) for one in self._supervisors]
        try:
            while not stop_asked.is_set():
                self._flush()
                if self._queue is not None and self._queue.failure is not None:
                    break
                await self._pause_until(stop_asked)
        finally:
            for task in venues:
                task.cancel()
            await asyncio.gather(*venues, return_exceptions=True)
            self._health_due_s = 0.0
            self._flush()
            if self._raw is not None:
                self._raw.close()
            if self._queue is not None:
                await self._end(self._queue)

    async def _end(self, queue: TapeQueue) -> None:
        """Wait for the tape without a thread of the loop's: those may be taken by name look-ups that hang.

        Raises:
            TapeError: the tape took not all.
        """
        queue.end()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                while not queue.has_ended:  # noqa: ASYNC110 - a thread ends it
                    await asyncio.sleep(_END_CHECK_S)
        try:
            queue.close(0.0)
        finally:
            self._tell_health()

    async def _pause_until(self, stop_asked: asyncio.Event) -> None:
        """Wait for the next flush, or for the end."""
        try:
            async with asyncio.timeout(self._flush_s):
                await stop_asked.wait()
        except TimeoutError:
            return

    def _run_loop(self, started: threading.Event) -> None:
        """Body of the thread."""
        # Not uvloop: it reads a socket until it is empty before it looks at the next, which costs p99 in a flood.
        loop = asyncio.new_event_loop()
        # Name look-ups cannot be cancelled: with an executor of our own the end need not wait for them.
        executor = concurrent.futures.ThreadPoolExecutor(_NAMES_AT_ONCE, "recorder-names")
        loop.set_default_executor(executor)
        self._loop, self._stop_asked = loop, asyncio.Event()
        started.set()
        try:
            loop.run_until_complete(self.run(self._stop_asked))
        except Exception as exc:  # noqa: BLE001 - kept as the failure that ``stop`` raises
            self._failure = exc
            _LOG.error("recorder ended", error=str(exc), exc_info=not isinstance(exc, FaultlineError))
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            executor.shutdown(wait=False, cancel_futures=True)
            loop.close()

    def _stamp(self) -> int:
        """A receive time: now, or the last one where the clock went back."""
        now_ns = self._clock.now_ns()
        if now_ns > self._last_ns:  # noqa: PLR1730 - max() takes longer than all the rest, for every frame
            self._last_ns = now_ns
        return self._last_ns

    def _keep_raw(self, venue: str, connection: str, received_ns: int, frame: bytes) -> None:
        if self._raw is None:
            return
        try:
            self._raw.write(venue, connection, received_ns, frame)
        except OSError as exc:
            _LOG.error("raw frames are no longer kept", error=str(exc))
            self._raw = None

    def _flush(self) -> None:
        """Hand over everything mapped so far. Nothing runs between the last drain and the watermark."""
        # A look at the venues may write rows itself (gaps), so it comes before the drain.
        is_due = self._timer.now_s() >= self._health_due_s
        batches: list[Batch] = self._tell_health() if is_due else []
        for supervisor in self._supervisors:
            batches += supervisor.drain()
        watermark_ns = self._stamp()
        if self._queue is not None:
            self._queue.put(batches)
            self._hold_or_go_on(self._queue)
        if self._on_batches is not None:
            try:
                self._on_batches(batches, watermark_ns)
            except Exception:  # noqa: BLE001 - a listener's fault must not cost rows
                self.n_listener_failures += 1
                # Fifty times a second would bury everything else: the 1st, 2nd, 4th, 8th, ... are told.
                if not self.n_listener_failures & (self.n_listener_failures - 1):
                    _LOG.exception("listener failed", n_failures=self.n_listener_failures)

    def _hold_or_go_on(self, queue: TapeQueue) -> None:
        """Stop reading where too much waits for the tape; go on when it has caught up."""
        is_paused = self._paused_at_s >= 0.0
        if not is_paused and queue.is_full():
            self._n_pauses, self._paused_at_s = self._n_pauses + 1, self._timer.now_s()
            _LOG.warning("reading is paused: the tape falls behind", rows_waiting=queue.rows_waiting)
        elif is_paused and not queue.is_full(_RESUME_SHARE):
            self._paused_s += self._timer.now_s() - self._paused_at_s
            self._paused_at_s = -1.0
            _LOG.info("reading goes on", rows_waiting=queue.rows_waiting)
        else:
            return
        for supervisor in self._supervisors:
            supervisor.hold(is_held=not is_paused)

    def _tell_health(self) -> list[Batch]:
        """Look at every venue and tell readers; returns changes of state as rows."""
        now_s, now_ns = self._timer.now_s(), self._stamp()
        self._health_due_s = now_s + self._look_s
        changes: list[StatusChange] = []
        for supervisor in self._supervisors:
            try:
                supervisor.look(now_ns)
            except Exception:  # noqa: BLE001 - a fault in looking at one venue must not end them all
                self.n_look_failures += 1
                if not self.n_look_failures & (self.n_look_failures - 1):
                    _LOG.exception(
                        "looking failed", venue=supervisor.venue.slug, n_failures=self.n_look_failures
                    )
            changes += supervisor.meter.take_changes()
        is_paused, queue = self._paused_at_s >= 0.0, self._queue
        writer = WriterHealth(
            rows_waiting=0 if queue is None else queue.rows_waiting,
            rows_waiting_max=self._rows_waiting_max,
            n_rows_acknowledged=0 if queue is None else queue.n_rows_acknowledged,
            is_paused=is_paused,
            n_pauses=self._n_pauses,
            paused_s=self._paused_s + (now_s - self._paused_at_s if is_paused else 0.0),
            failure="" if queue is None or queue.failure is None else str(queue.failure),
        )
        self.health.writer(writer, now_ns)
        return [_status_rows(change, now_ns) for change in changes]


def _status_rows(change: StatusChange, now_ns: int) -> Batch:
    """One change of state as a row of kind ``source_status`` of ``venue:all``."""
    rows = empty_rows(Kind.SOURCE_STATUS, 1)
    rows["ts_event_ns"], rows["ts_received_ns"] = change.at_ns, now_ns
    rows["channel"], rows["status"] = change.channel.encode(), change.status.value.encode()
    rows["lag_ns"] = change.lag_ns
    # A field of bytes is cut at its width: not in the middle of a letter.
    width = rows.dtype["detail"].itemsize
    rows["detail"] = change.detail.encode()[:width].decode(errors="ignore").encode()
    return Batch(Kind.SOURCE_STATUS, f"{change.venue}:{ALL_CHANNELS}", rows)
