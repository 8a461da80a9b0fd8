"""Frames of open segments: round trip, truncation, flipped bits, hostile lengths."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tape.rows import BTC, any_kind, hostile_rows, random_rows

from faultline.errors import TapeCorrupt, TapeError
from faultline.messages import Kind
from faultline.tape.frames import (
    FRAME_BYTES_MAX,
    FRAME_MAGIC,
    FRAME_ROWS_MAX,
    HEAD,
    Frame,
    batch_frame,
    frame_at,
    rows_of_body,
    schema_frame,
    slice_rows,
)
from faultline.tape.segments import SegmentReader, segment_head

RECORDED = segment_head(simulated=False, world="")


def segment(path, frames, head=RECORDED):
    path.write_bytes(head + b"".join(frames))
    return path


def arrow_message(kind, rows, **options):
    """The rows as Arrow itself writes a record batch."""
    head = schema_frame(kind)
    schema = pa.ipc.read_schema(pa.py_buffer(head[frame_at(memoryview(head), 0).body_offset :]))
    arrays = [
        pa.Array.from_buffers(field.type, len(rows), [None, pa.py_buffer(rows[field.name].tobytes())])
        for field in schema
    ]
    batch = pa.record_batch(arrays, schema=schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_batch(batch)
    stream = pa.BufferReader(sink.getvalue())
    pa.ipc.read_message(stream)
    whole = sink.getvalue().to_pybytes()
    # The end of a stream is a mark of eight bytes.
    return whole[stream.tell() : -8]


def frames_of(n_frames, n_rows=20):
    rows = [random_rows(Kind.TRADE, n_rows, seed) for seed in range(n_frames)]
    return rows, [schema_frame(Kind.TRADE), *(batch_frame(Kind.TRADE, BTC, piece) for piece in rows)]


@given(st.data())
def test_rows_of_every_kind_come_back_bit_by_bit(data):
    kind = data.draw(any_kind())
    rows = data.draw(hostile_rows(kind))
    content = memoryview(batch_frame(kind, BTC, rows))
    frame = frame_at(content, 0)
    assert (frame.kind, frame.instrument_id, frame.n_rows, frame.end) == (kind, BTC, len(rows), len(content))
    assert (frame.first_ns, frame.last_ns) == (rows["ts_received_ns"].min(), rows["ts_received_ns"].max())
    body = content[frame.body_offset : frame.end]
    assert rows_of_body(frame, body, where="test").tobytes() == rows.tobytes()


def test_a_segment_is_readable_by_plain_arrow(tmp_path):
    rows = random_rows(Kind.LIQUIDATION, 30, 1)
    head, body = schema_frame(Kind.LIQUIDATION), batch_frame(Kind.LIQUIDATION, BTC, rows)
    schema = pa.ipc.read_schema(pa.py_buffer(head[frame_at(memoryview(head), 0).body_offset :]))
    batch = pa.ipc.read_record_batch(pa.py_buffer(body[frame_at(memoryview(body), 0).body_offset :]), schema)
    assert (
        batch.column("notional_usd").to_numpy().tobytes()
        == np.ascontiguousarray(rows["notional_usd"]).tobytes()
    )


@given(st.data())
def test_a_message_is_byte_by_byte_the_one_that_arrow_writes(data):
    kind = data.draw(any_kind())
    rows = data.draw(hostile_rows(kind))
    content = batch_frame(kind, BTC, rows)
    assert content[frame_at(memoryview(content), 0).body_offset :] == arrow_message(kind, rows)


def test_a_message_of_another_version_of_arrow_is_read():
    rows = random_rows(Kind.WALLET_FILL, 13, 1)
    ours = arrow_message(Kind.WALLET_FILL, rows)
    theirs = arrow_message(Kind.WALLET_FILL, rows, metadata_version=pa.ipc.MetadataVersion.V4)
    assert theirs != ours
    frame = Frame(Kind.WALLET_FILL, BTC, len(rows), 0, 0, 0, len(theirs))
    assert rows_of_body(frame, memoryview(theirs), where="test").tobytes() == rows.tobytes()


def test_every_flipped_bit_of_a_frame_is_seen():
    _, frames = frames_of(1, n_rows=2)
    content = frames[1]
    for index in range(len(content)):
        flipped = bytearray(content)
        flipped[index] ^= 1 << (index % 8)
        assert frame_at(memoryview(flipped), 0) is None, index


def test_every_truncation_of_a_segment_keeps_the_valid_prefix(tmp_path):
    rows, frames = frames_of(3, n_rows=3)
    ends = np.cumsum([len(RECORDED), *map(len, frames)])
    whole = RECORDED + b"".join(frames)
    for length in range(0, len(whole), 7):
        path = tmp_path / "cut.seg"
        path.write_bytes(whole[:length])
        reader = SegmentReader(path, RECORDED)
        kept = max(0, int(np.searchsorted(ends, length, side="right")) - 2)
        assert len(reader.frames) == kept
        for frame, expected in zip(reader.frames, rows, strict=False):
            assert reader.rows(frame).tobytes() == expected.tobytes()
        assert all(loss.is_tail for loss in reader.losses)
        assert sum(loss.n_bytes for loss in reader.losses) == length - max([0, *ends[ends <= length]])


def test_damage_in_the_middle_loses_only_its_frame_and_is_counted(tmp_path):
    rows, frames = frames_of(3)
    start = len(RECORDED) + len(frames[0]) + len(frames[1])
    path = segment(tmp_path / "a.seg", frames)
    content = bytearray(path.read_bytes())
    content[start + len(frames[2]) // 2] ^= 4
    path.write_bytes(content)
    reader = SegmentReader(path, RECORDED)
    assert [reader.rows(frame).tobytes() for frame in reader.frames] == [rows[0].tobytes(), rows[2].tobytes()]
    (loss,) = reader.losses
    assert (loss.offset, loss.n_bytes, loss.is_tail) == (start, len(frames[2]), False)
    assert str(path) in str(loss)


def test_a_damaged_file_head_does_not_cost_the_rows(tmp_path):
    rows, frames = frames_of(2)
    path = segment(tmp_path / "a.seg", frames)
    content = bytearray(path.read_bytes())
    content[2] ^= 16
    path.write_bytes(content)
    reader = SegmentReader(path, RECORDED)
    assert [reader.rows(frame).tobytes() for frame in reader.frames] == [piece.tobytes() for piece in rows]
    assert [loss.is_tail for loss in reader.losses] == [False]


def test_a_segment_of_another_world_is_refused(tmp_path):
    _, frames = frames_of(1)
    path = segment(tmp_path / "a.seg", frames, segment_head(simulated=True, world="calm"))
    with pytest.raises(TapeCorrupt, match="another world") as caught:
        SegmentReader(path, RECORDED)
    assert caught.value.where == str(path)


def test_appended_frames_are_found_without_reading_again(tmp_path):
    rows, frames = frames_of(3)
    path = segment(tmp_path / "a.seg", frames[:2])
    reader = SegmentReader(path, RECORDED)
    with path.open("ab") as file:
        file.write(frames[2][:50])
    reader.refresh()
    assert (len(reader.frames), [loss.is_tail for loss in reader.losses]) == (1, [True])
    with path.open("ab") as file:
        file.write(frames[2][50:] + frames[3])
    reader.refresh()
    assert reader.losses == []
    assert [reader.rows(frame).tobytes() for frame in reader.frames] == [piece.tobytes() for piece in rows]


@pytest.mark.parametrize("n_bytes", [FRAME_BYTES_MAX + 1, 2**32 - 1])
def test_an_absurd_length_is_damage_and_not_an_allocation(n_bytes):
    head = HEAD.pack(FRAME_MAGIC, 0, 1, 0, 5, n_bytes, 10, 0, 0)
    assert frame_at(memoryview(head + b"trade" + bytes(1_000)), 0) is None


def test_a_compressed_batch_with_a_valid_checksum_is_refused():
    rows = random_rows(Kind.TRADE, 1_000, 1)
    arrays = {name: np.ascontiguousarray(rows[name]) for name in rows.dtype.names}
    schema = pa.schema(
        [pa.field(name, pa.from_numpy_dtype(column.dtype), False) for name, column in arrays.items()]
    )
    batch = pa.record_batch([pa.array(column) for column in arrays.values()], schema=schema)
    body = batch.serialize().to_pybytes()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_batch(batch)
    reader = pa.ipc.MessageReader.open_stream(pa.BufferReader(sink.getvalue()))
    reader.read_next_message()
    packed = reader.read_next_message().serialize().to_pybytes()
    good, bad = (signed_frame(content, len(rows)) for content in (body, packed))
    frame = frame_at(memoryview(good), 0)
    assert rows_of_body(frame, memoryview(good)[frame.body_offset :], where="x").tobytes() == rows.tobytes()
    frame = frame_at(memoryview(bad), 0)
    with pytest.raises(TapeCorrupt, match="uncompressed"):
        rows_of_body(frame, memoryview(bad)[frame.body_offset :], where="x")


@pytest.mark.parametrize("n_rows", [0, 999, 1_001])
def test_a_row_count_that_is_not_the_batch_s_is_refused(n_rows):
    content = batch_frame(Kind.TRADE, BTC, random_rows(Kind.TRADE, 1_000, 1))
    body = content[frame_at(memoryview(content), 0).body_offset :]
    forged = signed_frame(body, n_rows)
    frame = frame_at(memoryview(forged), 0)
    with pytest.raises(TapeCorrupt, match="rows"):
        rows_of_body(frame, memoryview(forged)[frame.body_offset :], where="x")


@pytest.mark.fuzz
@given(st.binary(max_size=300))
def test_any_body_with_a_valid_checksum_is_decoded_or_refused(body):
    forged = signed_frame(body, 3)
    frame = frame_at(memoryview(forged), 0)
    with pytest.raises(TapeCorrupt):
        rows_of_body(frame, memoryview(forged)[frame.body_offset :], where="x")


def test_long_batches_are_cut_into_frames():
    rows = random_rows(Kind.MARK, FRAME_ROWS_MAX + 5, 1)
    assert [len(piece) for piece in slice_rows(rows)] == [FRAME_ROWS_MAX, 5]


@pytest.mark.parametrize("instrument_id", ["binance:" + "X" * 5_000, "binance:\udce4"])
def test_an_id_that_cannot_be_written_is_named(instrument_id):
    with pytest.raises(TapeError, match="instrument id"):
        batch_frame(Kind.MARK, instrument_id, random_rows(Kind.MARK, 1, 1))


def signed_frame(body: bytes, n_rows: int) -> bytes:
    """A frame with a right checksum around any body: what somebody could build on purpose."""
    name = f"trade|{BTC}".encode()
    head = HEAD.pack(FRAME_MAGIC, 0, 1, 0, len(name), len(body), n_rows, 0, 0)
    crc = zlib.crc32(head[8:] + name + body)
    return head[:4] + struct.pack("<I", crc) + head[8:] + name + body
