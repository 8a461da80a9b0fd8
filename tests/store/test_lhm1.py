from __future__ import annotations

import dataclasses
import importlib.util
import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.errors import StoreError
from faultline.store.lhm1 import (
    ENCODINGS,
    FRAME_HEADER_BYTES,
    HEADER_BYTES,
    Snapshot,
    compress,
    decode_frame,
    decode_snapshot,
    decompress,
    encode_frame,
    encode_snapshot,
    plane_byte,
)


@pytest.fixture(scope="module")
def fixtures(root):
    folder = root / "tests" / "fixtures" / "lhm1"
    spec = importlib.util.spec_from_file_location("write_fixtures", folder / "write_fixtures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def snapshot_of(codes, **changes):
    base = Snapshot(
        "synthetic", "short", 1_768_176_000_000, 300_000, 9, 95_000.0, 50.0, 947.0, 2_994_667.0, 1, codes
    )
    return dataclasses.replace(base, **changes)


def same(one, other):
    fields = [f.name for f in dataclasses.fields(Snapshot) if f.name not in {"codes", "vmin_usd", "vmax_usd"}]
    assert [getattr(one, name) for name in fields] == [getattr(other, name) for name in fields]
    assert np.float32(one.vmin_usd) == np.float32(other.vmin_usd)
    assert np.float32(one.vmax_usd) == np.float32(other.vmax_usd)
    assert np.array_equal(one.codes, other.codes)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_map_survives_encoding_compression_and_back(seed, encoding):
    codes = np.random.default_rng(seed).integers(0, 256, (37, 53), np.uint8)
    content = compress(encode_snapshot(snapshot_of(codes)), encoding)
    same(decode_snapshot(decompress(content, encoding)), snapshot_of(codes))


def test_header_is_64_bytes_with_the_documented_offsets():
    codes = np.array([[1, 2, 3], [3, 2, 1]], np.uint8)
    content = encode_snapshot(snapshot_of(codes))
    assert len(content) == HEADER_BYTES + 6
    assert content[:8] == b"LHM1" + bytes([1, 1 | 2 << 4, 1, 0])
    assert struct.unpack_from("<II", content, 8) == (2, 3)
    assert struct.unpack_from("<qII", content, 16) == (1_768_176_000_000, 300_000, 9)
    assert struct.unpack_from("<dd", content, 32) == (95_000.0, 50.0)
    assert struct.unpack_from("<ff", content, 48) == (np.float32(947.0), np.float32(2_994_667.0))
    assert struct.unpack_from("<II", content, 56) == (1, zlib.crc32(content[64:]))
    assert content[64:] == bytes([1, 2, 3, 2, 0, 254])


def test_fixture_files_hold_exactly_what_the_encoder_writes(fixtures):
    for name, content in fixtures.contents().items():
        assert (fixtures.FOLDER / name).read_bytes() == content, (
            f"{name} differs: run write_fixtures.py and look"
        )


@pytest.mark.parametrize("name", ["tiny", "empty", "busy", "quantised"])
def test_fixture_files_decode_to_what_they_were_made_from(fixtures, name):
    same(decode_snapshot((fixtures.FOLDER / f"{name}.bin").read_bytes()), fixtures.snapshots()[name])


def test_frames_of_the_fixture_applied_in_order_give_the_expected_columns(fixtures):
    columns = [row.copy() for row in fixtures.snapshots()["tiny"].codes]
    expected = json.loads((fixtures.FOLDER / "expected.json").read_text())["tiny_after_frames"]
    content = (fixtures.FOLDER / "frames.bin").read_bytes()
    seq = fixtures.snapshots()["tiny"].seq
    at = 0
    while at < len(content):
        (length,) = struct.unpack_from("<I", content, at)
        frame = decode_frame(content[at + 4 : at + 4 + length])
        at += 4 + length
        assert (frame.plane, frame.side, frame.sub, frame.seq) == ("synthetic", "long", 3, seq + 1)
        seq = frame.seq
        if frame.col == 5:
            assert frame.rows.tolist() == expected["far_rows"]["rows"]
            assert frame.codes.tolist() == expected["far_rows"]["codes"]
            continue
        if frame.col == len(columns):
            columns.append(columns[-1].copy())
        columns[frame.col][frame.rows] = frame.codes
    assert np.array(columns).tolist() == expected["columns"]


@given(st.lists(st.integers(0, 20_000), unique=True, max_size=60), st.integers(0, 2**32 - 1))
def test_a_frame_survives_for_any_rows(rows, seq):
    rows = np.array(sorted(rows), np.int64)
    codes = (rows % 256).astype(np.uint8)
    frame = decode_frame(encode_frame(plane_byte("real", "short"), 65_535, seq, 1_999, rows, codes))
    assert (frame.plane, frame.side, frame.sub, frame.seq, frame.col) == ("real", "short", 65_535, seq, 1_999)
    assert np.array_equal(frame.rows, rows)
    assert np.array_equal(frame.codes, codes)


def test_any_flipped_bit_of_the_body_is_noticed():
    codes = np.random.default_rng(5).integers(0, 256, (4, 6), np.uint8)
    content = encode_snapshot(snapshot_of(codes))
    for position in range(HEADER_BYTES, len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        with pytest.raises(StoreError, match="CRC32"):
            decode_snapshot(bytes(damaged))


def test_every_cut_of_a_map_is_refused():
    content = encode_snapshot(snapshot_of(np.ones((3, 4), np.uint8)))
    for length in range(len(content)):
        with pytest.raises(StoreError, match="LHM1"):
            decode_snapshot(content[:length])


@pytest.mark.parametrize(
    ("offset", "value"), [(4, 9), (5, 0x0F), (5, 0xF1), (7, 1), (8, 255), (11, 255), (15, 255)], ids=str
)
def test_a_header_that_does_not_fit_is_refused(offset, value):
    content = bytearray(encode_snapshot(snapshot_of(np.ones((3, 4), np.uint8))))
    content[offset] = value
    with pytest.raises(StoreError):
        decode_snapshot(bytes(content))


def test_every_cut_of_a_frame_is_refused():
    rows = np.array([0, 200, 9_000], np.int64)
    content = encode_frame(1, 1, 1, 1, rows, np.array([1, 2, 3], np.uint8))
    for length in range(len(content)):
        with pytest.raises(StoreError):
            decode_frame(content[:length])
    with pytest.raises(StoreError):
        decode_frame(content + b"\x00")


@given(st.binary(max_size=60))
def test_random_bytes_never_decode_to_a_frame_out_of_bounds(tail):
    head = encode_frame(1, 1, 1, 1, np.arange(3), np.ones(3, np.uint8))[:FRAME_HEADER_BYTES]
    try:
        frame = decode_frame(head + tail)
    except StoreError:
        return
    assert np.all(np.diff(frame.rows) > 0)
    assert frame.rows[0] >= 0


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_decompression_bomb_is_refused(encoding):
    bomb = compress(bytes(3_000_000), encoding)
    assert len(bomb) < 10_000
    with pytest.raises(StoreError, match="more than 1000 bytes"):
        decompress(bomb, encoding, bytes_max=1_000)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_damaged_stream_is_refused(encoding):
    with pytest.raises(StoreError):
        decompress(b"\x1f\x8b not a stream at all", encoding)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_stream_that_was_cut_short_is_refused(encoding):
    content = compress(encode_snapshot(snapshot_of(np.arange(240, dtype=np.uint8).reshape(12, 20))), encoding)
    for length in (0, len(content) // 2, len(content) - 1):
        with pytest.raises(StoreError):
            decode_snapshot(decompress(content[:length], encoding))
