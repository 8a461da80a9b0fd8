"""Sound archives with bytes changed, cut, doubled or swapped: a clear error or a sound account, never a crash."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sources.archives.conftest import Folder, run
from tests.sources.archives.test_csv_messages import full_row
from tests.sources.archives.test_csv_messages import write as write_csv
from tests.sources.archives.test_faultline_2026 import aggression_line, event, inputs_line
from tests.sources.archives.test_hourly_totals import hour
from tests.sources.archives.test_importing import fill

from faultline.errors import FaultlineError
from faultline.messages import Kind
from faultline.sources.archives.formats import FORMATS

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "archives"


def sound(name: str, folder: Folder) -> list:
    """A small archive of a format that imports without an error; its files."""
    match name:
        case "faultline-2026":
            folder.minutes("BTC", "2026-02-25T10:00", 30)
            folder.write(
                "force_orders",
                [event("BTC", f"2026-02-25T10:{m:02d}:30", "long", 79_700.0) for m in range(9)],
            )
            folder.write(
                "minute_inputs", [inputs_line("BTC", f"2026-02-25T10:{m:02d}", 80_000.0) for m in range(1, 9)]
            )
            folder.write(
                "minute_aggression", [aggression_line(f"2026-02-25T10:{m:02d}", 8e4, 8e4) for m in range(9)]
            )
            mark = (
                "BTC",
                "2026-02-25T05:00:30",
                1_771_995_630.5,
                "long",
                79_700.0,
                0.5,
                80_010.5,
                "markPrice",
            )
            folder.write("calibrator_events", [mark])
        case "binance-oi-5m":
            fill(folder, n=9, assets=("BTC",))
            folder.write("BTC_funding", [(1_768_003_200_000 + k * 28_800_000, 1e-5) for k in range(5)])
        case "hourly-totals":
            folder.write("regime_1h", [hour(f"2026-01-10T{h:02d}:00") for h in range(9)])
        case "binance-vision" | "hyperliquid-l2" | "binance-raw" | "tardis":
            for path in sorted((FIXTURES / name).iterdir()):
                # Depth has no messages, and trades beside bars of one symbol are refused.
                if not path.name.startswith(("BTCUSDT-bookDepth", "BTCUSDT-1m")):
                    (folder.path / path.name).write_bytes(path.read_bytes())
        case "csv":
            for kind in Kind:
                write_csv(folder, kind, [full_row(kind)] * 3)
    return sorted(folder.path.iterdir())


@pytest.mark.parametrize("name", list(FORMATS))
def test_the_sound_archives_are_sound(name, folder):
    sound(name, folder)
    result = run(name, folder.path)
    assert result.tally.rows_read > sum(result.tally.rejected.values())
    assert result.batches


CELLS = st.sampled_from(
    [b"", b"nan", b"inf", b"-inf", b"-1", b"0", b"1e308", b"1e-320", b"9223372036854775807", b"-9223372036854775808",
     b"1771995630", b"1771995630000", b"1771995630000000000", b"4102444799999", b"BTC", b"long", b"True", b'"', b"\xff",
     b"2026-02-25T10:00:00", b"0x10", b"1_000", b" 1", b"\xd9\xa1"]
)  # fmt: skip


def changed(content: bytes, draw) -> bytes:
    """One of many ways to spoil a file."""
    lines = content.split(b"\n")
    match draw(st.integers(0, 7)):
        case 0:
            at = draw(st.integers(0, max(len(content) - 1, 0)))
            return content[:at]
        case 1:
            at = draw(st.integers(0, max(len(content) - 1, 0)))
            return content[:at] + draw(st.binary(min_size=1, max_size=4)) + content[at + 1 :]
        case 2:
            at = draw(st.integers(0, len(lines) - 1))
            return b"\n".join([*lines[:at], lines[at], *lines[at:]])
        case 3:
            a, b = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
            lines[a], lines[b] = lines[b], lines[a]
            return b"\n".join(lines)
        case 4:
            return gzip.compress(content)[: draw(st.integers(3, 4_000))]
        case 5:
            return draw(st.binary(max_size=60))
        case _:
            at = draw(st.integers(0, len(lines) - 1))
            cells = lines[at].split(b",")
            cells[draw(st.integers(0, len(cells) - 1))] = draw(CELLS)
            lines[at] = b",".join(cells)
            return b"\n".join(lines)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", list(FORMATS))
@given(drawn=st.data())
def test_a_spoilt_archive_is_a_clear_error_or_an_account_that_adds_up(name, drawn, tmp_path_factory):
    folder = Folder(tmp_path_factory.mktemp("spoilt"))
    files = sound(name, folder)
    for _ in range(drawn.draw(st.integers(1, 3))):
        victim = drawn.draw(st.sampled_from(files))
        victim.write_bytes(changed(victim.read_bytes(), drawn.draw))
    try:
        result = run(name, folder.path)
    except FaultlineError as exc:
        failure = exc
    else:
        account_adds_up(result)
        return
    assert str(folder.path) in failure.where
    assert failure.hint


def account_adds_up(result) -> None:
    rejected = sum(result.tally.rejected.values())
    assert 0 <= rejected <= result.tally.rows_read
    for batch in result.batches:
        received_ns = batch.rows["ts_received_ns"]
        assert (received_ns[1:] >= received_ns[:-1]).all()
        for price in ("price_usd", "close_usd", "high_usd", "low_usd", "mark_price_usd"):
            if price in batch.rows.dtype.names:
                assert not (batch.rows[price] <= 0).any()
