"""The recorded BTC 1-minute map as it is served: bytes and encoding time of a snapshot of 2,000 columns and 1,000 rows.

Needs the recorded archive (FAULTLINE_DATA); says so and stops where it is absent. Figures go to
``results/recorded_map.json``.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from faultline.pipeline.parameters import PipelineParameters
from faultline.pipeline.publish import publish_columns
from faultline.pipeline.replay import TapeReplay
from faultline.sources.archives import import_files
from faultline.store.lhm1 import compress, encode_snapshot
from faultline.store.maps import MapStore
from faultline.tape import Tape
from faultline.units import MINUTE_NS, parse_time_ns

HERE = Path(__file__).parent
RECORDED = Path(os.environ.get("FAULTLINE_DATA", HERE.parents[2] / "shared" / "data"))
AT = "2026-02-05T21:30"


def fill_store(folder: Path) -> MapStore:
    for name, part in (("faultline-2026", "liquidations_2026"), ("binance-oi-5m", "binance_oi_5m")):
        import_files(name, [RECORDED / part], folder, assets=["BTC"])
    runner = TapeReplay(Tape(folder), "BTC", PipelineParameters())
    at_ns = parse_time_ns(AT)
    span = runner.span(at_ns - 2000 * MINUTE_NS, at_ns + 1)
    shard = runner.shard(span.warm_ns)
    shard.draws_smooth = True
    store = MapStore()
    runner.run(shard, span, lambda outputs: publish_columns(store, outputs), freeze=False)
    return store


def main() -> None:
    if not RECORDED.is_dir():
        sys.exit(f"no recorded archive at {RECORDED}: set FAULTLINE_DATA")
    with tempfile.TemporaryDirectory() as base:
        store = fill_store(Path(base) / "tape")
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
        result[side] = figures
    result["gates"] = {"bytes": 250_000, "zstd_ms": 6.0, "gzip_ms": 30.0}
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "recorded_map.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    worst = max(
        figures[name]
        for figures in (result["long"], result["short"])
        for name in ("zstd_bytes", "gzip_bytes")
    )
    sys.exit(worst > 250_000)


if __name__ == "__main__":
    main()
