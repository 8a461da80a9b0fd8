from __future__ import annotations

import numpy as np

from faultline.messages import Batch, Kind, empty_rows
from faultline.tape import Tape, TapeWriter
from faultline.units import HOUR_NS, MINUTE_NS

IID = "simx:BTCUSDT"


def test_a_stream_of_few_fields_has_the_same_rows_in_them_and_zero_elsewhere(tmp_path) -> None:
    rows = empty_rows(Kind.TRADE, 500)
    rows["ts_received_ns"] = np.arange(500) * MINUTE_NS
    rows["ts_event_ns"], rows["seq"], rows["taker_side"] = rows["ts_received_ns"] - 5, np.arange(500), 1
    rows["price_usd"], rows["qty_base"], rows["cause"] = 100.0 + np.arange(500) / 4, 0.25, 2
    with TapeWriter(tmp_path / "tape", simulated=True, world="w") as tape:
        tape.append([Batch(Kind.TRADE, IID, rows[:300])])
        tape.seal()
        tape.append([Batch(Kind.TRADE, IID, rows[300:])])
    few = {Kind.TRADE: ("price_usd", "cause")}
    chunks = Tape(tmp_path / "tape").stream(0, 500 * MINUTE_NS, chunk_ns=HOUR_NS, fields=few)
    read = np.concatenate([batch.rows for _, _, batches in chunks for batch in batches])
    for name in ("ts_received_ns", "seq", "price_usd", "cause"):
        assert np.array_equal(read[name], rows[name])
    for name in ("ts_event_ns", "taker_side", "qty_base"):
        assert not read[name].any()
