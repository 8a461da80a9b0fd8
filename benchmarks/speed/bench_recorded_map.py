"""The recorded BTC 1-minute map as it is served: a snapshot of 2,000 columns and 1,000 rows, and a day of live frames.

Bytes and encoding time of a snapshot, time to fetch it over loopback and to decode it in Python; and the size of every
column frame while the 1,440 minutes before are played in turns of 15 s, forming columns drawn at every turn, as the
engine publishes them at 60 times the market's speed.

Needs the recorded archive (FAULTLINE_DATA); says so and stops where it is absent. A folder of a tape that was imported
before can be given as an argument. Figures go to ``results/recorded_map.json``.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
from serving import Serving

from faultline.api.app import build_app
from faultline.api.settings import ApiSettings
from faultline.pipeline.cursor import TapeCursor
from faultline.pipeline.kinds import STEP_KINDS
from faultline.pipeline.parameters import PipelineParameters
from faultline.pipeline.publish import publish_columns
from faultline.pipeline.replay import TapeReplay
from faultline.pipeline.step import step
from faultline.sources.archives import import_files
from faultline.store.columns import ColumnChange, Resync
from faultline.store.lhm1 import compress, decode_snapshot, encode_snapshot
from faultline.store.maps import MapStore
from faultline.tape import Tape
from faultline.units import MINUTE_NS, SECOND_NS, parse_time_ns

HERE = Path(__file__).parent
RECORDED = Path(os.environ.get("FAULTLINE_DATA", HERE.parents[2] / "shared" / "data"))
AT = "2026-02-05T21:30"
PLAYED_MINUTES, TURN_NS = 1_440, 15 * SECOND_NS
GATES = {"bytes": 250_000, "zstd_ms": 6.0, "gzip_ms": 30.0, "frame_bytes_p50": 300}


def import_tape(folder: Path) -> None:
    for name, part in (("faultline-2026", "liquidations_2026"), ("binance-oi-5m", "binance_oi_5m")):
        import_files(name, [RECORDED / part], folder, assets=["BTC"])


def play(tape: Tape) -> tuple[MapStore, dict[str, dict[str, float]]]:
    """The store at ``AT``, and the sizes of the frames on the way there by side of the synthetic plane."""
    runner = TapeReplay(tape, "BTC", PipelineParameters())
    at_ns = parse_time_ns(AT)
    from_ns = at_ns - PLAYED_MINUTES * MINUTE_NS
    span = runner.span(at_ns - 2000 * MINUTE_NS, from_ns)
    shard = runner.shard(span.warm_ns)
    shard.draws_smooth = True
    store = MapStore()
    runner.run(shard, span, lambda outputs: publish_columns(store, outputs), freeze=False)
    sizes: dict[str, list[int]] = {"long": [], "short": []}
    resyncs = dict.fromkeys(sizes, 0)

    def listen(change) -> None:
        if isinstance(change, ColumnChange | Resync) and change.key[:3] == ("BTC", "1m", "synthetic"):
            if isinstance(change, Resync):
                resyncs[change.key.side] += 1
            else:
                sizes[change.key.side].append(len(change.frame))

    store.subscribe(listen)
    feed = TapeCursor(tape, STEP_KINDS, runner.ids, from_ns)
    for now_ns in range(from_ns + TURN_NS, at_ns + 1, TURN_NS):
        batches = sorted(feed.advance(now_ns), key=lambda batch: batch.sort_key)
        publish_columns(store, step(shard, batches, now_ns, forming=True))
    frames = {side: frame_figures(np.array(found), resyncs[side]) for side, found in sizes.items()}
    return store, frames


def frame_figures(sizes: np.ndarray, n_resyncs: int) -> dict[str, float]:
    return {
        "frames": len(sizes),
        "frame_bytes_p50": float(np.median(sizes)),
        "frame_bytes_p95": float(np.quantile(sizes, 0.95)),
        "frame_bytes_max": int(sizes.max()),
        "frame_bytes_per_minute": float(sizes.sum() / PLAYED_MINUTES),
        "resyncs": n_resyncs,
    }


def fetched(store: MapStore, side: str) -> dict[str, float]:
    """Fetching the snapshot over loopback with gzip, made already, and decoding it in Python."""
    serving = Serving(build_app(store, None, ApiSettings()))
    path = f"/api/v1/heat/BTC/1m/synthetic.bin?side={side}"
    fetch_ms, decode_ms = [], []
    try:
        with httpx.Client(base_url=serving.address.geturl(), headers={"accept-encoding": "gzip"}) as http:
            http.get(path)
            for _ in range(31):
                start = time.perf_counter()
                with http.stream("GET", path) as response:
                    raw = b"".join(response.iter_raw())
                fetch_ms.append((time.perf_counter() - start) * 1e3)
                start = time.perf_counter()
                decode_snapshot(gzip.decompress(raw))
                decode_ms.append((time.perf_counter() - start) * 1e3)
    finally:
        serving.stop()
    return {"fetch_gzip_ms": float(np.median(fetch_ms)), "decode_gzip_ms": float(np.median(decode_ms))}


def main() -> int:
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    if given is None and not RECORDED.is_dir():
        sys.exit(f"no recorded archive at {RECORDED}: set FAULTLINE_DATA")
    with tempfile.TemporaryDirectory() as base:
        folder = given or Path(base) / "tape"
        if given is None:
            import_tape(folder)
        store, frames = play(Tape(folder))
    result = {}
    for side in ("long", "short"):
        snapshot = store.snapshot("BTC", "1m", "synthetic", side)
        figures: dict[str, float] = {"columns": snapshot.codes.shape[0], "rows": snapshot.codes.shape[1]}
        for name in ("zstd", "gzip"):
            times = []
            for _ in range(15):
                start = time.process_time()
                packed = compress(encode_snapshot(snapshot), name)
                times.append(time.process_time() - start)
            figures[f"{name}_bytes"], figures[f"{name}_ms"] = len(packed), float(np.median(times) * 1e3)
        result[side] = figures | fetched(store, side) | frames[side]
    broken = [
        f"{side}: {name}"
        for side, figures in result.items()
        for name, value in figures.items()
        if value
        > GATES.get(
            name.removeprefix("zstd_").removeprefix("gzip_") if name.endswith("bytes") else name, value
        )
    ]
    result["gates"] = GATES
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "recorded_map.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    print("FAILS: " + ", ".join(broken) if broken else "all gates hold")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
