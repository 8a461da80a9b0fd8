from __future__ import annotations

import numpy as np

from faultline.messages import Batch, Kind, empty_rows
from faultline.tape import Tape, TapeWriter
from faultline.units import HOUR_NS, MINUTE_NS

IID = "simx:BTCUSDT"


def _trades(n: int) -> np.ndarray:
    rows = empty_rows(Kind.TRADE, n)
    rows["ts_received_ns"] = np.arange(n) * MINUTE_NS
    rows["ts_event_ns"], rows["seq"], rows["taker_side"] = rows["ts_received_ns"] - 5, np.arange(n), 1
    rows["price_usd"], rows["qty_base"], rows["cause"] = 100.0 + np.arange(n) / 4, 0.25, 2
    return rows


def _write(folder, *parts: np.ndarray) -> Tape:
    """Seals every part but the last."""
    with TapeWriter(folder, simulated=True, world="w") as tape:
        for rows in parts[:-1]:
            tape.append([Batch(Kind.TRADE, IID, rows)])
            tape.seal()
        tape.append([Batch(Kind.TRADE, IID, parts[-1])])
    return Tape(folder)


def _streamed(tape: Tape, *fields: str) -> np.ndarray:
    chunks = tape.stream(0, 500 * MINUTE_NS, chunk_ns=HOUR_NS, fields={Kind.TRADE: fields})
    return np.concatenate([batch.rows for _, _, batches in chunks for batch in batches])


def test_a_stream_of_few_fields_has_the_same_rows_with_only_those_and_the_receive_time(tmp_path) -> None:
    rows = _trades(500)
    read = _streamed(_write(tmp_path / "tape", rows[:300], rows[300:]), "price_usd", "cause")
    assert read.dtype.names == ("ts_received_ns", "price_usd", "cause")
    for name in read.dtype.names:
        assert np.array_equal(read[name], rows[name])


def test_rows_of_few_fields_keep_the_order_of_a_sequence_that_is_not_among_them(tmp_path) -> None:
    rows = _trades(500)
    rows["ts_received_ns"] = rows["ts_received_ns"] // HOUR_NS * HOUR_NS
    read = _streamed(_write(tmp_path / "tape", rows[::3], rows[2::3], rows[1::3]), "price_usd")
    assert read.dtype.names == ("ts_received_ns", "price_usd")
    assert np.array_equal(read["price_usd"], rows["price_usd"])
