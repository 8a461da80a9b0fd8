"""A made-up 2,000 x 1,000 map quantised, encoded and compressed; one live column; the same as JSON.

Run ``python benchmarks/speed/bench_heat.py``; figures go to ``results/heat.json``. CPU time of one process,
medians. A figure beyond its gate makes the script fail.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from pathlib import Path

import msgspec
import numpy as np

from faultline.store.lhm1 import (
    Snapshot,
    compress,
    decode_snapshot,
    decompress,
    encode_frame,
    encode_snapshot,
)
from faultline.store.maps import MapStore
from faultline.store.quantise import CodeRange, quantise
from faultline.testing.market import FakeMarket, fake_market

N_COLUMNS, N_ROWS = 2_000, 1_000
REPEATS = 9
#: name of a figure -> largest value allowed.
GATES = {
    "zstd_bytes": 250_000,
    "gzip_bytes": 250_000,
    "quantise_delta_zstd_ms": 6.0,
    "gzip_ms": 30.0,
    "live_column_us": 100.0,
}


def cpu_ms(run, repeats: int = REPEATS) -> float:
    """Median CPU milliseconds of ``run()``."""
    run()
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        taken.append((time.process_time() - start) * 1e3)
    return float(np.median(taken))


def snapshot_of(usd: np.ndarray, code_range: CodeRange, market: FakeMarket) -> Snapshot:
    codes = quantise(usd, code_range)[0]
    return Snapshot(
        "synthetic", "long", int(market.t_ns[0]) // 1_000_000, 300_000, 1, market.first_row * market.row_usd,
        market.row_usd, code_range.vmin_usd, code_range.vmax_usd, len(codes) - 1, codes,
    )  # fmt: skip


def grids(market: FakeMarket) -> dict[str, np.ndarray]:
    """One side as it is served; both sides in one plane (nearly every cell filled); the same with noise."""
    full = market.heat[0] + market.heat[1]
    rng = np.random.default_rng(1)
    noise = np.exp(rng.normal(0, 0.03, full.shape)) * (rng.random(full.shape) < 0.15) + 1.0
    noise[noise > 1.5] -= 1.0
    return {"one side": market.heat[0], "both sides in one": full, "noisy": (full * noise).astype(np.float32)}


def measure(usd: np.ndarray, code_range: CodeRange, market: FakeMarket) -> dict[str, float]:
    raw = encode_snapshot(snapshot_of(usd, code_range, market))
    packed = compress(raw, "gzip")
    matrix = msgspec.json.encode(usd.astype(float).round(2).tolist())
    return {
        "filled_share": float(np.mean(usd > 0)),
        "raw_bytes": len(raw),
        "zstd_bytes": len(compress(raw, "zstd")),
        "gzip_bytes": len(packed),
        "json_gzip_bytes": len(gzip.compress(matrix, 6)),
        "quantise_ms": cpu_ms(lambda: quantise(usd, code_range)),
        "quantise_delta_zstd_ms": cpu_ms(
            lambda: compress(encode_snapshot(snapshot_of(usd, code_range, market)), "zstd")
        ),
        "gzip_ms": cpu_ms(lambda: compress(raw, "gzip")),
        "decode_gzip_ms": cpu_ms(lambda: decode_snapshot(decompress(packed, "gzip"))),
        "json_parse_ms": cpu_ms(lambda: json.loads(matrix), 3),
    }


def measure_live(market: FakeMarket, code_range: CodeRange) -> dict[str, float]:
    """One closed column and one new one: quantise, compare, encode; and the same through the store."""
    codes = quantise(market.heat[0], code_range)[0]
    sizes = []

    def step(t: int) -> None:
        fresh = quantise(market.heat[0, t : t + 1], code_range, codes[t - 1])[0][0]
        rows = np.flatnonzero(fresh != codes[t - 1])
        sizes.append(len(encode_frame(1, 1, 1, t, rows, fresh[rows])))

    def many() -> None:
        for t in range(1_000, 1_500):
            step(t)

    store = MapStore(first_seq=0)
    store.write_columns(market.columns("BTC", "synthetic", "long", 0, 1_000, 999))

    def through_store() -> None:
        for t in range(1_000, 1_500):
            store.write_columns(market.columns("BTC", "synthetic", "long", t - 1, t + 1, t))

    live_us = cpu_ms(many) * 1e3 / 500
    start = time.process_time()
    through_store()
    return {
        "live_column_us": live_us,
        "live_column_bytes_p50": float(np.median(sizes)),
        "live_column_bytes_p99": float(np.quantile(sizes, 0.99)),
        "store_write_us": (time.process_time() - start) * 1e6 / 500,
    }


def main() -> int:
    market = fake_market(seed=3, n_columns=N_COLUMNS, n_rows=N_ROWS)
    code_range = CodeRange.above(float(market.heat.max()) * 1.25)
    result: dict[str, dict[str, float]] = {
        name: measure(usd, code_range, market) for name, usd in grids(market).items()
    }
    result["live"] = measure_live(market, code_range)
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    (folder / "heat.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    broken = []
    for name, figures in result.items():
        for figure, value in figures.items():
            limit = GATES.get(figure)
            fails = limit is not None and value > limit and name != "noisy"
            broken += [f"{name}: {figure}"] if fails else []
            print(
                f"{name:18} {figure:24} {value:14.3f}"
                + (f"  gate {limit:g}" if limit else "")
                + ("  FAILS" if fails else "")
            )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
