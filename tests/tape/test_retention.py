from __future__ import annotations

import numpy as np
import pytest

from faultline.errors import TapeCorrupt
from faultline.instruments import ContractKind, FormulaFamily, Instrument, instrument_rows, margin_tiers
from faultline.messages import Batch, Kind, empty_rows
from faultline.tape import Tape, TapeWriter, verify
from faultline.tape.retention import RETENTION_NAME, read_retention
from faultline.units import DAY_NS, HOUR_NS, parse_time_ns

START = parse_time_ns("2026-01-05")
CONTRACT = Instrument(
    id="bybit:BTCUSDT",
    base="BTC",
    quote="USDT",
    contract_kind=ContractKind.LINEAR,
    formula_family=FormulaFamily.MARK_VALUED,
    contract_size=1.0,
    tick_usd=0.1,
    lot_base=0.001,
    min_notional_usd=5.0,
    tiers=margin_tiers([1e6], [0.005], [100.0], marginal=True),
)


def trades(day: int) -> Batch:
    rows = empty_rows(Kind.TRADE, 24)
    rows["ts_received_ns"] = rows["ts_event_ns"] = START + day * DAY_NS + np.arange(24) * HOUR_NS
    rows["price_usd"], rows["qty_base"] = 100.0 + day, 1.0
    return Batch(Kind.TRADE, "bybit:BTCUSDT", rows)


@pytest.fixture
def writer(tmp_path):
    with TapeWriter(tmp_path / "tape", simulated=False, group_fsync_s=0.0) as made:
        made.append([Batch(Kind.INSTRUMENT, CONTRACT.id, instrument_rows(CONTRACT, START))])
        for day in range(4):
            made.append([trades(day)])
            made.seal()
        yield made


def days_of(writer: TapeWriter) -> list[int]:
    rows = Tape(writer.path).read(Kind.TRADE, "bybit:BTCUSDT")
    return sorted({int(time - START) // DAY_NS for time in rows["ts_received_ns"]})


def test_days_before_the_bound_go_and_the_day_of_the_bound_stays_whole(writer) -> None:
    assert writer.let_go(START + 2 * DAY_NS + 5 * HOUR_NS) == 2
    assert days_of(writer) == [2, 3]
    assert len(Tape(writer.path).read(Kind.TRADE, "bybit:BTCUSDT")) == 48


def test_contracts_outlive_the_rows_of_their_day(writer) -> None:
    writer.let_go(START + 3 * DAY_NS)
    assert [item.id for item in Tape(writer.path).instruments()] == [CONTRACT.id]


def test_verification_tells_rows_that_were_let_go_from_rows_that_were_lost(writer) -> None:
    writer.let_go(START + 2 * DAY_NS)
    assert verify(writer.path).ok
    [lost] = writer.path.glob("kind=trade/**/date=2026-01-07/*.parquet")
    lost.unlink()
    assert not verify(writer.path).ok


def test_what_was_let_go_never_counts_as_kept_again(writer) -> None:
    writer.let_go(START + 3 * DAY_NS)
    assert writer.let_go(START + 1 * DAY_NS) == 0
    assert read_retention(writer.path).kept_from == "2026-01-08"
    assert verify(writer.path).ok


def test_a_tape_that_keeps_everything_has_no_note(writer) -> None:
    assert writer.let_go(START - DAY_NS) == 0
    assert not (writer.path / RETENTION_NAME).exists()


def test_a_damaged_note_is_named(writer) -> None:
    (writer.path / RETENTION_NAME).write_bytes(b'{"kept_from": 7}')
    with pytest.raises(TapeCorrupt, match="let go"):
        writer.let_go(START + DAY_NS)
    assert any("let go" in problem.message for problem in verify(writer.path).problems)
