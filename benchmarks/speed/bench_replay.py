"""A seeded tape of trades replayed from the archive through the engine, and one busy pair over 18 months.

Run ``python benchmarks/speed/bench_replay.py``; figures go to ``results/replay.json``. CPU time of one process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from trades import generate_trades

from faultline.instruments import ContractKind, FormulaFamily, Instrument, Tier, instrument_rows
from faultline.messages import Batch, Kind, empty_rows
from faultline.pipeline.parameters import PipelineParameters
from faultline.pipeline.replay import TapeReplay
from faultline.tape import Tape, TapeWriter
from faultline.units import DAY_NS, MINUTE_NS, TIMEFRAMES_NS

IID = "benchx:BTCUSDT"
N_TRADES = 10_000_000
EIGHTEEN_MONTHS_TRADES = 1.1e9


def write_tape(folder: Path, n: int) -> None:
    trades = generate_trades(n, seed=1)
    contract = Instrument(
        id=IID,
        base="BTC",
        quote="USDT",
        contract_kind=ContractKind.LINEAR,
        formula_family=FormulaFamily.MARK_VALUED,
        contract_size=1.0,
        tick_usd=0.1,
        lot_base=1e-5,
        min_notional_usd=5.0,
        tiers=(Tier(0.0, float("inf"), 0.004, 125.0, 0.0),),
        taker_fee_ratio=0.0,
    )
    first = int(trades["ts_received_ns"][0])
    interest = empty_rows(
        Kind.OPEN_INTEREST, int((trades["ts_received_ns"][-1] - first) // (5 * MINUTE_NS)) + 1
    )
    interest["ts_event_ns"] = interest["ts_received_ns"] = first + np.arange(len(interest)) * 5 * MINUTE_NS
    interest["oi_base"] = 80_000.0
    with TapeWriter(folder, simulated=True, world="benchmark") as tape:
        tape.append([Batch(Kind.INSTRUMENT, IID, instrument_rows(contract, first))])
        tape.append([Batch(Kind.OPEN_INTEREST, IID, interest)])
        for start in range(0, n, 1_000_000):
            tape.append([Batch(Kind.TRADE, IID, trades[start : start + 1_000_000])])


def replay(folder: Path) -> dict[str, float]:
    runner = TapeReplay(Tape(folder), "BTC", PipelineParameters())
    span = runner.span(None, None)
    shard = runner.shard(span.warm_ns)
    columns = dict.fromkeys(TIMEFRAMES_NS, 0)

    def receive(outputs) -> None:
        for _, part in outputs.columns:
            columns[part.timeframe] += part.n_closed

    cost = runner.run(shard, span, receive, freeze=False)
    return {**cost, "columns_1m": columns["1m"], "span_days": (span.to_ns - span.from_ns) / DAY_NS}


def replay_apart(folder: Path, small: Path) -> dict[str, float]:
    """One replay in a process of its own, so that its memory is its own; a small one first loads the kernels."""
    code = f"import json, sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import bench_replay as b; "
    code += f"b.replay(b.Path({str(small)!r})); print(json.dumps(b.replay(b.Path({str(folder)!r}))))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def main() -> None:
    with tempfile.TemporaryDirectory() as base:
        small, folder = Path(base) / "small", Path(base) / "tape"
        write_tape(small, 200_000)
        replay(small)  # compiles the kernels
        write_tape(folder, N_TRADES)
        runs = [replay_apart(folder, small) for _ in range(5)]
    cpu_s = float(np.median([run["cpu_s"] for run in runs]))
    rate = N_TRADES / cpu_s
    result = {
        "trades": N_TRADES,
        "span_days": runs[0]["span_days"],
        "cpu_s": cpu_s,
        "cpu_s_best": min(run["cpu_s"] for run in runs),
        "trades_per_cpu_s": rate,
        "ns_per_trade": 1e9 / rate,
        "columns_1m": runs[0]["columns_1m"],
        "peak_rss_mb": max(run["peak_rss_mb"] for run in runs),
        "eighteen_months_cpu_s": EIGHTEEN_MONTHS_TRADES / rate,
        "gates": {
            "cpu_s": 3.0,
            "peak_rss_mb": 600.0,
            "trades_per_cpu_s": 15e6,
            "eighteen_months_cpu_s": 90.0,
        },
    }
    (Path(__file__).parent / "results").mkdir(exist_ok=True)
    (Path(__file__).parent / "results" / "replay.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
