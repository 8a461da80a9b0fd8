from __future__ import annotations

import csv
import gzip
import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.errors import ImportRejected
from faultline.sources.archives.bounded_bytes import Limits, first_line, line_blocks
from faultline.sources.archives.column_files import ColumnFile, ColumnType

TYPES = {"n": ColumnType.INT, "x": ColumnType.FLOAT, "word": ColumnType.TEXT, "is_ok": ColumnType.BOOL}
HEADER = b"n,x,word,is_ok\n"


@pytest.fixture
def file(tmp_path):
    """Writes bytes and opens them as columns."""

    def make(content: bytes, **limits) -> ColumnFile:
        path = tmp_path / "made.csv"
        path.write_bytes(content)
        return ColumnFile(path, Limits(**limits))

    return make


def rejected(file: ColumnFile, types=TYPES, optional=frozenset()) -> ImportRejected:
    with pytest.raises(ImportRejected) as failure:
        list(file.blocks(types, optional))
    assert str(file.path) in failure.value.where
    assert failure.value.hint
    return failure.value


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("tail", [b"", b"\n", b"\n\n\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_columns_are_read_whatever_the_packing(file, line_end, tail, mark, pack):
    lines = [b"n,x,word,is_ok", b'1,2.5,"a,b",True', b"-9,1e3,,False"]
    block = file(pack(mark + line_end.join(lines) + tail)).read(TYPES)
    assert block.integers["n"].tolist() == [1, -9]
    assert block.numbers["x"].tolist() == [2.5, 1000.0]
    assert [block.texts["word"].values[code] for code in block.texts["word"].codes] == ["a,b", ""]
    assert block.bools["is_ok"].tolist() == [True, False]


def test_columns_that_are_not_asked_for_are_not_read(file):
    block = file(b"n,junk\n1,\xc3\xa9x\n").read({"n": ColumnType.INT})
    assert block.integers["n"].tolist() == [1]
    assert not block.texts


def test_an_optional_number_may_be_empty_or_absent(file):
    block = file(b"n,x\n1,\n2,3\n").read({"n": ColumnType.INT, "x": ColumnType.FLOAT}, frozenset({"x"}))
    assert math.isnan(block.numbers["x"][0])
    absent = file(b"n\n1\n").read({"n": ColumnType.INT, "x": ColumnType.FLOAT}, frozenset({"x"}))
    assert "x" not in absent.numbers


@pytest.mark.parametrize(
    ("line", "field"),
    [(b"1.5,1,a,True", "n"), (b"99999999999999999999,1,a,True", "n"), (b"1,one,a,True", "x"), (b",1,a,True", "n"),
     (b"1,,a,True", "x"), (b"1,1,a,maybe", "is_ok"), (b"1,1,a,", "is_ok")],
)  # fmt: skip
def test_a_value_of_the_wrong_type_is_named_by_line_and_field(file, line, field):
    error = rejected(file(HEADER + b"1,2,a,True\n" * 3 + line + b"\n" + b"1,2,a,True\n"))
    assert error.where.endswith(f"line 5, field {field}")


@pytest.mark.parametrize(
    "line", [b"1,2,a", b"1,2,a,True,9", b"", b"1,2,\xff,True", b'1,2,"a,True', b"\x00,\x00"]
)
def test_a_line_of_the_wrong_shape_is_named(file, line):
    error = rejected(file(HEADER + b"1,2,a,True\n" * 3 + line + b"\n" + b"1,2,a,True\n"))
    assert "line 5" in error.where or "line 2 or later" in error.where


def test_a_quoted_line_end_does_not_shift_line_numbers(file):
    assert "spans lines" in str(rejected(file(HEADER + b'1,2,"a\nb",True\n')))


def test_a_bare_carriage_return_does_not_make_two_rows_of_one_line(file):
    rejected(file(HEADER + b"1,2,a,True\r1,2,b,True\n"))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"n,x,word\n1,2,a\n", "column is_ok is missing"),
        (b"n,x,word,is_ok,n\n", "stands twice"),
        (b"\xff\xfe\x00n\n", "not UTF-8"),
        (b"n,x,word,is_ok" + b",y" * 10 + b"\n", "more than"),
    ],
)
def test_a_bad_header_is_refused(file, content, what):
    made = file(content, max_columns=10)
    assert what in str(rejected(made))
    with pytest.raises(ImportRejected):
        made.header() and list(made.blocks(TYPES))


def test_a_file_without_rows_has_empty_columns(file):
    block = file(HEADER).read(TYPES)
    assert block.n_rows == 0
    assert block.integers["n"].shape == (0,)
    assert block.texts["word"].equals("a").shape == (0,)


def test_every_byte_that_is_missing_from_a_gzip_is_noticed(file):
    packed = gzip.compress(HEADER + b"1,2,a,True\n" * 50)
    for size in range(2, len(packed)):
        rejected(file(packed[:size]))


def test_every_flipped_bit_of_a_gzip_is_noticed_or_harmless(file):
    """The header of a gzip file holds a time and a name that no checksum covers."""
    content = HEADER + b"1,2,a,True\n" * 50
    packed = gzip.compress(content)
    good = file(packed).read(TYPES)
    for index in range(10, len(packed)):
        damaged = bytearray(packed)
        damaged[index] ^= 1 << (index % 8)
        made = file(bytes(damaged))
        with pytest.raises(ImportRejected):
            made.read(TYPES)
    assert good.n_rows == 50


def test_gzip_members_are_joined_and_zero_padding_is_allowed(file):
    packed = gzip.compress(HEADER) + gzip.compress(b"1,2,a,True\n") + b"\0" * 512
    assert file(packed).read(TYPES).n_rows == 1


def test_something_after_a_gzip_is_refused(file):
    assert "damaged" in str(rejected(file(gzip.compress(HEADER) + b"and more")))


def test_a_gzip_bomb_is_refused_without_unpacking_it(file):
    bomb = gzip.compress(HEADER + b"1,2,a,True\n" * 6_000_000)
    assert "bomb" in rejected(file(bomb)).hint


def test_real_text_may_pack_well(file):
    content = HEADER + b"1,2,a,True\n" * 400_000
    made = file(gzip.compress(content), max_expansion=2_000)
    assert sum(block.n_rows for block in made.blocks(TYPES)) == 400_000


@pytest.mark.parametrize(
    ("limits", "what"),
    [({"max_bytes": 1_000}, "1,000 bytes"), ({"max_rows": 99}, "99 rows"), ({"max_line_bytes": 8}, "a line")],
)
def test_bounds_are_errors_not_cuts(file, limits, what):
    assert what in str(rejected(file(HEADER + b"1,2,a,True\n" * 100, **limits)))


def test_a_file_without_line_ends_is_refused_early(tmp_path):
    path = tmp_path / "made.csv"
    path.write_bytes(b"x" * (9 << 20))
    for read in (
        lambda: first_line(path, Limits()),
        lambda: list(line_blocks(path, Limits(), lambda _n: None)),
    ):
        with pytest.raises(ImportRejected, match="longer than"):
            read()


@pytest.mark.parametrize("make", [lambda p: p / "absent.csv", lambda p: p])
def test_what_is_not_a_file_is_refused(tmp_path, make):
    with pytest.raises(ImportRejected, match="no such file"):
        ColumnFile(make(tmp_path)).read(TYPES)


def test_blocks_of_a_long_file_join_to_the_same_columns_and_line_numbers(file):
    n = 700_000
    words = ["alpha", "beta", "gamma"]
    text = "".join(f"{i},{i / 7!r},{words[(i // 250_000) % 3]},True\n" for i in range(n))
    made = file(HEADER + text.encode())
    blocks = list(made.blocks(TYPES))
    assert len(blocks) > 2
    assert [block.first_line for block in blocks] == np.cumsum([2, *(b.n_rows for b in blocks[:-1])]).tolist()
    whole = made.read(TYPES)
    assert whole.integers["n"].tolist() == list(range(n))
    np.testing.assert_array_equal(whole.numbers["x"], np.arange(n) / 7)
    counts = [int(whole.texts["word"].equals(word).sum()) for word in words]
    assert counts == [250_000, 250_000, 200_000]


def test_a_fault_far_into_a_long_file_has_the_right_line(file):
    lines = [b"1,2,a,True\n"] * 900_000
    lines[800_000] = b"1,2,a,Perhaps\n"
    assert rejected(file(HEADER + b"".join(lines))).where.endswith("line 800002, field is_ok")


def test_an_empty_line_where_blocks_meet_is_still_a_fault(file):
    line = b"1,2,abcdefghi,True\n"
    fill = (4 << 20) // len(line) + 10
    for extra in range(3):
        content = HEADER + line * (fill + extra) + b"\n" + line * 5
        assert rejected(file(content)).where.endswith(f"line {fill + extra + 2}")


def test_the_digest_is_of_the_content_not_of_its_packing(file):
    content = HEADER + b"1,2,a,True\n"
    digests = set()
    for packed in (content, gzip.compress(content), gzip.compress(content, mtime=5, compresslevel=1)):
        made = file(packed)
        made.read(TYPES)
        digests.add(made.sha256)
    other = file(content + b"1,2,a,True\n")
    other.read(TYPES)
    assert len(digests) == 1
    assert other.sha256 not in digests


def test_bytes_that_were_read_are_told(tmp_path):
    path = tmp_path / "made.csv.gz"
    path.write_bytes(gzip.compress(HEADER + b"1,2,a,True\n" * 10))
    told: list[int] = []
    ColumnFile(path, on_bytes=told.append).read(TYPES)
    assert sum(told) == path.stat().st_size


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=12)


@given(
    rows=st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1),
            st.floats(allow_nan=False, allow_infinity=False),
            CELLS,
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_what_pythons_writer_writes_is_read_back_exactly(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("made") / "made.csv"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(TYPES)
    writer.writerows((n, repr(x), word, is_ok) for n, x, word, is_ok in rows)
    path.write_text(text.getvalue(), encoding="utf-8")
    block = ColumnFile(path).read(TYPES)
    assert block.integers["n"].tolist() == [row[0] for row in rows]
    assert block.numbers["x"].tolist() == [row[1] for row in rows]
    assert [block.texts["word"].values[code] for code in block.texts["word"].codes] == [
        row[2] for row in rows
    ]
    assert block.bools["is_ok"].tolist() == [row[3] for row in rows]


@pytest.mark.fuzz
@given(content=st.binary(max_size=400))
def test_any_bytes_are_columns_or_a_clear_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("made") / "made.csv"
    for lead in (b"", HEADER, b"\x1f\x8b"):
        path.write_bytes(lead + content)
        try:
            list(ColumnFile(path).blocks(TYPES, frozenset({"x"})))
        except ImportRejected as exc:
            failure = exc
        else:
            continue
        assert str(path) in failure.where
