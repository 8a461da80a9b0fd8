"""Every venue at once, from its socket to the tape and to the step's input: how much, how late, at what cost.

``python benchmarks/speed/bench_ingest.py [--venues all] [--seconds 10] [--rates 5000,50000] [--pool 20000]``; figures
go to ``results/ingest.json``. A short form that proves nothing but that it runs: ``--seconds 1 --rates 500 --pool 500
--out FILE``.

One local server per venue runs in another process (``venue_traffic.py``); every frame tells one fact, which is the
dear case: venues that put several trades in a frame cost less per trade. Frames carry the present as the venue's time.
Here runs what ``record`` and ``serve --venues`` run: connections, mappers, handover, recorder, tape (synced), and a
``LiveFeed`` that is advanced as often as the engine does.

1. Saturation: more is offered than can be read, TCP holds the servers back, and what is read per second is the rate.
2. Without ``--rates``: 10, 25, 50 and 100 % of that, and the goal, each for ``--seconds``.

A latency is the moment the feed hands a trade to the step (the tape acknowledges it) minus the venue's time, which is
cut to whole milliseconds: it is too long by half of one on average. Lost is what a server wrote and no connection got,
what was rejected, what was handed over and is not on the tape or did not reach the step; what is lost fails the script.
"""

from __future__ import annotations

import argparse
import collections
import gc
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import structlog

from faultline.cli.recording import Handover
from faultline.messages import Flag, Kind
from faultline.pipeline.engine import GLANCE_S
from faultline.pipeline.kinds import LIVE_KINDS
from faultline.pipeline.live import LiveFeed
from faultline.sources.recorder import Recorder
from faultline.sources.registry import SLUGS, venues_of
from faultline.tape import Tape, TapeWriter

HERE = Path(__file__).parent
SHARES = (0.10, 0.25, 0.50, 1.00)
GOAL_MESSAGES_S, GOAL_P99_MS = 50_000, 100.0
#: Offered where the rate of saturation is looked for.
FLOOD_MESSAGES_S = 400_000
WARM_MESSAGES_S, WARM_S = 2_000, 2.0
#: Time for what was read to reach the tape and the step, and for health to be told.
SETTLE_S = 1.5
CONNECT_S = 60.0


class Traffic:
    """The process of the servers."""

    def __init__(self, venues: str, n_pool: int, seed: int = 1) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "venue_traffic.py"), venues, str(n_pool), str(seed)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.told = self._answer()

    def begin(self, command: str) -> None:
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        assert line, "the process of the venues ended"
        return json.loads(line)

    def answer(self) -> dict:
        return self._answer()

    def end(self) -> None:
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


class Ages:
    """How old trades are where they arrive, in ms; those from before ``from_ns`` do not count."""

    def __init__(self) -> None:
        self.from_ns = 0
        self._ns: list[np.ndarray] = []

    def note(self, batches) -> None:
        now_ns = time.time_ns()
        for batch in batches:
            if batch.kind is Kind.TRADE:
                rows = batch.rows
                told_ns = rows["ts_event_ns"][(rows["flags"] & Flag.SNAPSHOT) == 0]
                self._ns.append(now_ns - told_ns[told_ns >= self.from_ns])

    def take(self, from_ns: int) -> dict[str, float]:
        parts, self._ns, self.from_ns = self._ns, [], from_ns
        ms = np.concatenate([np.zeros(0, np.int64), *parts]) / 1e6
        if not len(ms):
            return {}
        return {
            "n": len(ms),
            "p50": float(np.median(ms)),
            "p99": float(np.quantile(ms, 0.99)),
            "max": float(ms.max()),
        }


class TimedTape:
    """A tape writer that notes how old trades are when they are acknowledged."""

    def __init__(self, writer: TapeWriter) -> None:
        self._writer, self.path, self.ages = writer, writer.path, Ages()
        self.n_appends = 0

    def append(self, batches) -> None:
        self._writer.append(batches)
        self.n_appends += 1
        self.ages.note(batches)


class Ingest:
    """The venues' reader, as the program runs it, and what it is asked about."""

    def __init__(self, told: dict, folder: Path) -> None:
        now_ns = time.time_ns()
        self.path = folder / "tape"
        self._writer = TapeWriter(self.path, simulated=False)
        self.tape = TimedTape(self._writer)
        self.feed = LiveFeed(lambda: Tape(self.path), LIVE_KINDS, now_ns, now_ns)
        self.recorder = Recorder(
            venues_of(",".join(told)),
            (),
            self.tape,
            sockets={slug: one["sockets"] for slug, one in told.items()},
            rest={slug: one["rest"] for slug, one in told.items()},
            on_batches=self._take,
        )
        self._handover = Handover(self.feed, lambda: self.recorder.n_rows_acknowledged)
        self.n_rows = self.n_batches = self.n_flushes = self.waiting_most = 0
        self.rows_by_kind: collections.Counter[str] = collections.Counter()
        self.step_ages, self.n_stepped, self.n_advances = Ages(), 0, 0
        self._stopping = threading.Event()
        self._steps = threading.Thread(target=self._step, name="step")
        # As ``Recording`` does.
        gc.collect()
        gc.freeze()
        self.recorder.start()
        self._steps.start()

    def _take(self, batches, watermark_ns: int) -> None:
        self._handover.take(batches, watermark_ns)
        self.n_flushes += 1
        self.n_batches += len(batches)
        for batch in batches:
            self.rows_by_kind[batch.kind] += len(batch)
            self.n_rows += len(batch)
        self.waiting_most = max(self.waiting_most, self.n_rows - self.recorder.n_rows_acknowledged)

    def _step(self) -> None:
        """What the engine does with its feed, without the engine."""
        while not self._stopping.wait(GLANCE_S):
            self._advance()
        self._advance()

    def _advance(self) -> None:
        batches = self.feed.advance(self.feed.present_ns())
        self.step_ages.note(batches)
        self.n_stepped += sum(map(len, batches))
        self.n_advances += 1

    def sockets(self) -> list:
        """All connections, for people."""
        return [one for venue in self.recorder.health.snapshot().venues for one in venue.sockets]

    def wait_live(self) -> None:
        end_s = time.monotonic() + CONNECT_S
        while not (found := self.sockets()) or any(one.state != "live" for one in found):
            assert time.monotonic() < end_s, [one for one in found if one.state != "live"]
            time.sleep(0.1)

    def counts(self) -> dict[str, float]:
        """Everything that only grows."""
        health = self.recorder.health.snapshot()
        times = os.times()
        # Of every thread: time on a core, and time in which it could have run but others had the cores.
        threads = {
            one.name: Path(f"/proc/self/task/{one.native_id}/schedstat").read_text().split()
            for one in threading.enumerate()
            if one.name in {"recorder", "tape-queue", "tape-sealer", "step"}
        }
        return {
            "frames": sum(one.n_frames for venue in health.venues for one in venue.sockets),
            "bytes": sum(one.n_bytes for venue in health.venues for one in venue.sockets),
            "rows": self.n_rows,
            "batches": self.n_batches,
            "flushes": self.n_flushes,
            "advances": self.n_advances,
            "appends": self.tape.n_appends,
            "acknowledged": self.recorder.n_rows_acknowledged,
            "stepped": self.n_stepped,
            "pauses": health.writer.n_pauses,
            "paused_s": health.writer.paused_s,
            "spilled": self.feed.n_spilled,
            "rejects": sum(
                reject.n for venue in health.venues for one in venue.channels for reject in one.rejects
            ),
            "duplicates": sum(venue.n_duplicates for venue in health.venues),
            "reconnects": sum(venue.n_reconnects for venue in health.venues),
            "gaps": sum(one.n_gaps for venue in health.venues for one in venue.channels),
            "failures": self.recorder.n_listener_failures + self.recorder.n_look_failures,
            "cpu_user_s": times.user,
            "cpu_system_s": times.system,
            **{f"cpu {name}": int(found[0]) / 1e9 for name, found in threads.items()},
            **{f"denied {name}": int(found[1]) / 1e9 for name, found in threads.items()},
        }

    def rejects(self) -> list[str]:
        """What was rejected, with a sample."""
        return [
            f"{venue.venue} {one.channel}: {reject.reason} x {reject.n}: {reject.detail}"
            for venue in self.recorder.health.snapshot().venues
            for one in venue.channels
            for reject in one.rejects
        ]

    def end(self) -> dict[str, int]:
        """Stop everything; rows handed over, acknowledged, given to the step and on the tape, which must agree."""
        self.recorder.stop()
        self._stopping.set()
        self._steps.join()
        self._writer.close()
        tape = Tape(self.path)
        n_tape = sum(len(tape.read(kind, iid)) for kind, iid in tape.pairs())
        return {
            "rows": self.n_rows,
            "acknowledged": self.recorder.n_rows_acknowledged,
            "on_tape": n_tape,
            "for_step": sum(self.rows_by_kind[kind] for kind in LIVE_KINDS),
            "stepped": self.n_stepped,
        }


def saturate(traffic: Traffic, seconds: float) -> float:
    """Frames read per second while more are offered, from the first to the proof that the last was read."""
    begun_s = time.monotonic()
    traffic.begin(f"{FLOOD_MESSAGES_S} {seconds}")
    wrote = traffic.answer()
    assert wrote["settled"], "the clients did not read everything"
    return wrote["frames"] / (time.monotonic() - begun_s)


def run(traffic: Traffic, ingest: Ingest, rate: float, seconds: float) -> dict:
    """One rate."""
    time.sleep(SETTLE_S)
    ingest.waiting_most = 0
    from_ns = time.time_ns()
    ingest.step_ages.take(from_ns)
    ingest.tape.ages.take(from_ns)
    before, begun_s = ingest.counts(), time.monotonic()
    traffic.begin(f"{rate} {seconds}")
    time.sleep(seconds)
    busy = ingest.counts()
    wrote = traffic.answer()
    read_s = time.monotonic() - begun_s
    time.sleep(SETTLE_S)
    after = ingest.counts()
    spent = {name: after[name] - before[name] for name in after}
    frames = spent["frames"] - wrote["control_frames"]
    cpu_s = sum(busy[name] - before[name] for name in ("cpu_user_s", "cpu_system_s"))
    # Where it falls behind, what was written in these seconds is read later.
    whole_cpu_s = spent["cpu_user_s"] + spent["cpu_system_s"]
    return {
        "offered_messages_per_s": rate,
        "messages_per_s": wrote["frames"] / wrote["seconds"],
        # Less than were written where it falls behind: buffers take the rest.
        "read_messages_per_s": wrote["frames"] / read_s,
        "behind_messages": wrote["behind"],
        "messages": wrote["frames"],
        "messages_per_frame": 1,
        "frames_read": spent["frames"],
        "control_frames": wrote["control_frames"],
        "bytes": spent["bytes"],
        "rows": spent["rows"],
        "rows_per_s": spent["rows"] / wrote["seconds"],
        "rows_per_message": spent["rows"] / max(wrote["frames"], 1),
        "batches_per_flush": spent["batches"] / max(spent["flushes"], 1),
        "flushes_per_s": (busy["flushes"] - before["flushes"]) / seconds,
        "appends": spent["appends"],
        "socket_to_step_ms": ingest.step_ages.take(0),
        "socket_to_acknowledged_ms": ingest.tape.ages.take(0),
        "cpu_share": cpu_s / seconds,
        "cpu_us_per_message": whole_cpu_s / max(wrote["frames"], 1) * 1e6,
        "cpu_share_by_thread": shares(before, busy, seconds, "cpu "),
        "share_without_a_core_by_thread": shares(before, busy, seconds, "denied "),
        "cpu_share_of_system_calls": (busy["cpu_system_s"] - before["cpu_system_s"]) / seconds,
        "servers_cpu_share": wrote["cpu_s"] / wrote["seconds"],
        "rows_waiting_most": ingest.waiting_most,
        "pauses": spent["pauses"],
        "paused_s": spent["paused_s"],
        "spilled_rows": spent["spilled"],
        "reconnects": spent["reconnects"],
        "gaps": spent["gaps"],
        "duplicates": spent["duplicates"],
        "failures": spent["failures"],
        "rejects": spent["rejects"],
        "lost_messages": max(wrote["frames"] - frames, 0) + spent["rejects"],
        "settled": wrote["settled"],
        "load": os.getloadavg(),
    }


def shares(before: dict, after: dict, seconds: float, prefix: str) -> dict[str, float]:
    return {
        name.removeprefix(prefix): (after[name] - before[name]) / seconds
        for name in after
        if name.startswith(prefix)
    }


def line_of(figures: dict) -> str:
    step, kept = figures["socket_to_step_ms"], figures["socket_to_acknowledged_ms"]
    denied = figures["share_without_a_core_by_thread"]["recorder"]
    if not step:
        return f"{figures['offered_messages_per_s']:9.0f} offered: no trade arrived"
    return (
        f"{figures['offered_messages_per_s']:9.0f} offered {figures['read_messages_per_s']:9.0f} read messages/s"
        f" {figures['rows_per_s']:9.0f} rows/s; to step {step['p50']:6.1f} {step['p99']:7.1f} ms;"
        f" acknowledged {kept['p50']:6.1f} {kept['p99']:7.1f} ms; CPU {figures['cpu_share']:.2f}"
        f" ({figures['cpu_us_per_message']:.1f} us a message); waiting {figures['rows_waiting_most']:7d} rows,"
        f" lost {figures['lost_messages']}, gaps told {figures['gaps']}; without a core {denied:.2f},"
        f" load {figures['load'][0]:.1f}"
    )


def measure(args, ingest: Ingest, traffic: Traffic) -> dict:
    ingest.wait_live()
    traffic.begin("wait")
    traffic.answer()
    # The first frames fill caches.
    traffic.begin(f"{WARM_MESSAGES_S} {WARM_S}")
    traffic.answer()
    result: dict = {}
    if args.rates:
        rates = [float(text) for text in args.rates.split(",")]
    else:
        found = saturate(traffic, args.seconds)
        print(f"saturated at {found:.0f} messages/s", flush=True)
        result["saturation_messages_per_s"] = found
        rates = sorted({*(share * found for share in SHARES), float(GOAL_MESSAGES_S)})
    result["runs"] = []
    for rate in rates:
        result["runs"].append(run(traffic, ingest, rate, args.seconds))
        print(line_of(result["runs"][-1]), flush=True)
    return result


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--venues", default="all")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument(
        "--rates", default="", help="messages a second, all venues together; found without it"
    )
    parser.add_argument("--pool", type=int, default=20_000, help="facts encoded per venue; then they repeat")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "ingest.json")
    args = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    venues = ",".join(SLUGS) if args.venues == "all" else args.venues
    traffic = Traffic(venues, args.pool)
    with tempfile.TemporaryDirectory() as folder:
        ingest = Ingest(traffic.told["venues"], Path(folder))
        try:
            result = measure(args, ingest, traffic)
        finally:
            rejects = ingest.rejects()
            end = ingest.end()
            traffic.end()
    result["end"] = end
    result["rejects"] = rejects
    result["venues"] = {"n": len(venues.split(",")), "frame_bytes": traffic.told["frame_bytes"]}
    goal = [one for one in result["runs"] if one["messages_per_s"] >= 0.98 * GOAL_MESSAGES_S]
    result["goal"] = {
        "messages_per_s": GOAL_MESSAGES_S,
        "p99_ms": GOAL_P99_MS,
        "held": any(one["socket_to_step_ms"]["p99"] < GOAL_P99_MS for one in goal),
    }
    result["machine"] = {"cores": os.cpu_count(), "load": os.getloadavg()}
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(*rejects, sep="\n")
    lost = [one for one in result["runs"] if one["lost_messages"] or one["reconnects"]]
    broken = bool(lost) or end["rows"] != end["on_tape"] or end["for_step"] != end["stepped"]
    print(f"FAILS: {end}" if broken else f"nothing lost: {end}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
