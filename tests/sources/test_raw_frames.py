"""Frames that are kept can be read again, byte for byte, hour by hour."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.sources.raw_frames import RawFrames, read_raw_frames
from faultline.units import HOUR_NS, parse_time_ns

AT_NS = parse_time_ns("2026-11-02T09:59:59Z")


def written(folder, frames, at_ns=AT_NS):
    raw = RawFrames(folder)
    for number, frame in enumerate(frames):
        raw.write("bybit", "linear-0", at_ns + number, frame)
    raw.close()
    return [line for path in sorted(folder.rglob("*.gz")) for line in read_raw_frames(path)]


@given(st.lists(st.binary(max_size=60) | st.text(max_size=40).map(str.encode), max_size=20))
def test_any_bytes_come_back_as_they_were(tmp_path_factory, frames):
    lines = written(tmp_path_factory.mktemp("raw"), frames)
    assert lines == [(AT_NS + number, frame) for number, frame in enumerate(frames)]


@pytest.mark.parametrize(
    "frame",
    [b"", b"{}", b"a\nb", b"a\rb", b"base64:xx", b"\xff\x00", b'{"a":"\\n"}', b"a b  c", "\u2028é".encode()],
)
def test_odd_frames_come_back_as_they_were(tmp_path, frame):
    assert written(tmp_path, [frame]) == [(AT_NS, frame)]


def test_a_text_frame_is_readable_without_a_program(tmp_path):
    written(tmp_path, [b'{"price":"1"}'])
    (path,) = tmp_path.rglob("*.gz")
    assert gzip.decompress(path.read_bytes()) == b'%d {"price":"1"}\n' % AT_NS


def test_there_is_a_file_per_venue_connection_and_hour(tmp_path):
    raw = RawFrames(tmp_path)
    for venue, connection, at_ns in (
        ("bybit", "linear-0", AT_NS),
        ("bybit", "linear-0", AT_NS + HOUR_NS),
        ("bybit", "inverse/0", AT_NS),
        ("okx", "public-0", AT_NS),
    ):
        raw.write(venue, connection, at_ns, b"{}")
    raw.close()
    assert raw.n_frames == 4
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.gz")) == [
        "bybit/inverse_0-20261102T09.gz",
        "bybit/linear-0-20261102T09.gz",
        "bybit/linear-0-20261102T10.gz",
        "okx/public-0-20261102T09.gz",
    ]


def test_a_file_that_is_there_is_continued(tmp_path):
    written(tmp_path, [b"1"])
    assert [frame for _, frame in written(tmp_path, [b"2"])] == [b"1", b"2"]


def test_a_file_that_was_cut_off_ends_with_its_last_whole_line(tmp_path):
    frames = [b"%d" % (number * 7919) for number in range(2000)]
    written(tmp_path, frames)
    (path,) = tmp_path.rglob("*.gz")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    found = [frame for _, frame in read_raw_frames(path)]
    assert 0 < len(found) < 2000
    assert found == frames[: len(found)]


def test_a_line_that_is_not_one_of_ours_is_named(tmp_path):
    path = tmp_path / "x.gz"
    for line in (b"no stamp\n", b"12\n", b"12 base64:!!\n"):
        path.write_bytes(gzip.compress(b"1 ok\n" + line))
        with pytest.raises(ValueError, match=r"x\.gz, line 2"):
            list(read_raw_frames(path))
