"""Damage of every sort to sealed files and receipts: found, named, and never read as rows."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.tape.rows import BTC, assert_holds, random_rows, read_all, same, trades, write_tape

from faultline.errors import TapeCorrupt
from faultline.messages import Batch, Kind
from faultline.tape import Tape, TapeWriter, compact, verify
from faultline.tape.columns import columns_of
from faultline.tape.parts import METADATA_KEY, PartReader, group_slices, place_parts, write_part

FLIPS = 4_000 if os.environ.get("FAULTLINE_FUZZ") == "1" else 250


@pytest.fixture
def sealed(tmp_path):
    """A tape with one sealed file of trades and one of marks; the trades; the trades' file."""
    batch = trades(400, 1)
    path = write_tape(tmp_path / "tape", [batch, Batch(Kind.MARK, BTC, random_rows(Kind.MARK, 20, 1))])
    (file,) = path.glob("kind=trade/*/*/*/*.parquet")
    return path, batch, file


def place(folder, rows):
    """Put a well-formed file with other rows into a partition."""
    columns = columns_of(Kind.TRADE, rows)
    draft = write_part(folder, (Kind.TRADE, BTC), (False, ""), (1, 1), columns, group_slices(rows))
    place_parts(folder, [draft])


def assert_reported(path, file):
    """The file is named by a read and by verification, and the other file is still read."""
    with pytest.raises(TapeCorrupt) as caught:
        Tape(path).read(Kind.TRADE, BTC)
    assert caught.value.where == str(file)
    assert caught.value.hint
    report = verify(path)
    assert not report.ok
    assert {problem.file for problem in report.problems} == {str(file.relative_to(path))}
    assert len(Tape(path).read(Kind.MARK, BTC)) == 20


def test_a_whole_tape_has_no_problems(sealed):
    path, *_ = sealed
    report = verify(path)
    assert (report.ok, report.problems, report.notes) == (True, (), ())
    assert (report.rows, report.sealed_files, report.open_segments) == (420, 2, 0)
    assert report.n_bytes > 0


@pytest.mark.fuzz
def test_any_flipped_bit_of_a_sealed_file_is_refused(sealed, tmp_path):
    path, _, file = sealed
    content = file.read_bytes()
    generator = np.random.default_rng(3)
    positions = [0, len(content) - 1, len(content) - 5, *generator.integers(0, len(content), FLIPS).tolist()]
    for number, position in enumerate(positions):
        flipped = bytearray(content)
        flipped[position] ^= 1 << int(generator.integers(8))
        # A new name for the folder each time: a reader keeps files that it checked open.
        moved = path.rename(tmp_path / f"tape{number}")
        path = moved
        next(moved.glob("kind=trade/*/*/*/*.parquet")).write_bytes(flipped)
        with pytest.raises(TapeCorrupt):
            Tape(moved).read(Kind.TRADE, BTC)


def test_a_flipped_bit_is_reported_with_the_file_s_name(sealed):
    path, _, file = sealed
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 8
    file.write_bytes(content)
    assert_reported(path, file)


@pytest.mark.parametrize("keep_ratio", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_reported(sealed, keep_ratio):
    path, _, file = sealed
    content = file.read_bytes()
    file.write_bytes(content[: int(keep_ratio * len(content))])
    assert_reported(path, file)


def test_a_file_of_other_bytes_is_reported(sealed):
    path, _, file = sealed
    file.write_bytes(os.urandom(5_000))
    assert_reported(path, file)


def test_plain_parquet_under_a_part_s_name_is_reported(sealed):
    path, _, file = sealed
    pq.write_table(pa.table({"price": [1.0, 2.0]}), file)
    assert_reported(path, file)


def test_a_missing_file_is_reported(sealed):
    path, _, file = sealed
    file.unlink()
    (problem,) = verify(path).problems
    assert problem.message == f"the file with 400 rows of trade of {BTC} on {file.parent.name[5:]} is missing"


def test_a_file_in_the_wrong_folder_is_reported(sealed):
    path, _, file = sealed
    target = path / "kind=trade/venue=binance/symbol=ETHUSDT" / file.parent.name
    target.mkdir(parents=True)
    file.rename(target / file.name)
    messages = [problem.message for problem in verify(path).problems]
    assert any("wrong folder" in message for message in messages)
    assert any("is missing" in message for message in messages)
    with pytest.raises(TapeCorrupt, match="wrong folder"):
        Tape(path).read(Kind.TRADE, "binance:ETHUSDT")


def test_a_file_of_another_world_is_reported(sealed, tmp_path):
    path, batch, file = sealed
    other = write_tape(tmp_path / "other", [batch], simulated=True, world="calm")
    (foreign,) = other.glob("kind=trade/*/*/*/*.parquet")
    file.unlink()
    shutil.copy(foreign, file.parent)
    with pytest.raises(TapeCorrupt, match="another world"):
        Tape(path).read(Kind.TRADE, BTC)
    assert [problem.message for problem in verify(path).problems] == [
        "the file belongs to another world than its tape"
    ]


def test_rows_out_of_order_or_of_another_day_are_reported(tmp_path):
    batch = trades(50, 1)
    path = write_tape(tmp_path / "tape", [batch])
    (file,) = path.glob("kind=trade/*/*/*/*.parquet")
    file.unlink()
    rows = batch.rows[::-1].copy()
    place(file.parent, rows)
    assert "rows of row group 0 are not in order" in [problem.message for problem in verify(path).problems]
    next(file.parent.glob("*.parquet")).unlink()
    rows = batch.rows.copy()
    rows["ts_received_ns"] += 86_400 * 10**9
    place(file.parent, rows)
    assert "row group 0 holds rows of another day than its folder" in [
        p.message for p in verify(path).problems
    ]


def test_fewer_rows_than_were_sealed_are_reported(tmp_path):
    batch = trades(50, 1)
    path = write_tape(tmp_path / "tape", [batch])
    (file,) = path.glob("kind=trade/*/*/*/*.parquet")
    file.unlink()
    rows = batch.rows[:40]
    place(file.parent, rows)
    assert [problem.message for problem in verify(path).problems] == [
        "the file holds 40 rows, the receipts say 50"
    ]


def test_leftovers_and_strangers_are_noted_and_not_read(sealed):
    path, batch, file = sealed
    (file.parent / "notes.txt").write_text("hello")
    (path / "kind=dragons").mkdir()
    report = verify(path)
    assert report.ok
    assert {note.file for note in report.notes} == {
        str((file.parent / "notes.txt").relative_to(path)),
        "kind=dragons",
    }
    assert same(read_all(path)[Kind.TRADE, BTC], batch.rows)


@pytest.mark.parametrize("content", [b"", b"{", b'{"segment":1}', b'{"segment":1,"lines":[[1,2,3,4]]}'])
def test_a_damaged_receipt_is_reported(sealed, content):
    path, *_ = sealed
    (receipt,) = (path / "sealed").iterdir()
    receipt.write_bytes(content)
    assert any(problem.file == "sealed/00000001.json" for problem in verify(path).problems)


def test_verification_beside_a_writer_finds_nothing_wrong(tmp_path):
    path = tmp_path / "tape"
    n_rows = 0
    with TapeWriter(path, simulated=False, segment_bytes=5_000) as writer:
        for seed in range(25):
            writer.append([trades(40, seed)])
            report = verify(path)
            assert report.problems == ()
            # A segment that is sealed between listing and reading is not counted, and that is said.
            missed = [note for note in report.notes if "verify again" in note.hint]
            assert report.rows >= n_rows or missed
            n_rows = max(n_rows, report.rows)
    assert verify(path).rows == 1_000


def test_the_header_is_readable_json(sealed):
    path, _, file = sealed
    header = pq.read_metadata(file).metadata[METADATA_KEY]
    assert b'"instrument":"binance:BTCUSDT"' in header
    part = next(iter(Tape(path)._listing.parts[Kind.TRADE, BTC]))
    assert PartReader(part, (False, "")).header.n_rows == 400


def test_compaction_merges_a_day_into_one_file_and_keeps_every_row(tmp_path):
    path = tmp_path / "tape"
    batches = [trades(100, seed) for seed in range(4)]
    batches[1].rows["price_usd"] /= 1_000
    batches[2].rows["qty_base"] = np.pi
    for batch in batches:
        write_tape(path, [batch])
    sha256 = Tape(path).sha256()
    report = compact(path)
    assert (report.partitions_merged, report.files_before, report.files_after) == (1, 4, 1)
    assert report.bytes_after < report.bytes_before
    assert_holds(path, batches)
    assert Tape(path).sha256() == sha256
    assert verify(path).ok
    assert compact(path).partitions_merged == 0


def test_compaction_falls_back_to_floats_where_one_scale_is_not_exact(tmp_path):
    path = tmp_path / "tape"
    batches = [trades(10, seed) for seed in range(2)]
    batches[0].rows["price_usd"] = 2.0**52 + np.arange(10)
    batches[1].rows["price_usd"] = 0.00000001 * np.arange(1, 11)
    for batch in batches:
        write_tape(path, [batch])
    compact(path)
    assert_holds(path, batches)
    assert verify(path).ok


def test_compaction_refuses_a_damaged_file_and_leaves_the_rest(tmp_path):
    path = tmp_path / "tape"
    for seed in range(2):
        write_tape(path, [trades(50, seed)])
    file = min(path.glob("kind=trade/*/*/*/*.parquet"))
    content = bytearray(file.read_bytes())
    content[20] ^= 1
    file.write_bytes(content)
    with pytest.raises(TapeCorrupt):
        compact(path)
    assert len(list(path.glob("kind=trade/*/*/*/*.parquet"))) == 2
    assert not list(path.glob("kind=trade/*/*/*/.*"))
