from __future__ import annotations

import pytest

from faultline.errors import ImportRejected
from faultline.evaluation.levels import read_levels
from faultline.heatmap.grid import bucket_of


def write(tmp_path, text):
    file = tmp_path / "levels.csv"
    file.write_text(text)
    return file


def test_levels_are_grouped_by_issue_time_and_side(tmp_path):
    maps = read_levels(write(tmp_path, (
        "issued_ns,price_usd,side,notional_usd\n"
        "1700000000000000001,100,long,5\n"
        "1700000000000000001,100.001,LONG,7\n"
        "1700000000000000001,110,short,3\n"
        "2023-11-15T00:00:00Z,90,short,1\n"
    )))  # fmt: skip
    assert [m.issued_ns for m in maps] == [1_700_000_000_000_000_001, 1_700_006_400_000_000_000]
    first = maps[0]
    assert first.density[0, bucket_of(100.0) - first.first_bucket] == 12
    assert first.density[1, bucket_of(110.0) - first.first_bucket] == 3
    assert first.density.sum() == 15
    assert maps[1].density.tolist() == [[0.0], [1.0]]


def test_the_time_may_stand_under_issued(tmp_path):
    maps = read_levels(write(tmp_path, "price_usd,issued,side,notional_usd\n5,2026-01-01,long,1\n"))
    assert maps[0].issued_ns == 1_767_225_600_000_000_000


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a,b\n1,2\n", "lacks the columns"),
        ("issued_ns,price_usd,side,notional_usd\n", "no rows"),
        ("issued_ns,price_usd,side,notional_usd\n1,x,long,1\n", "csv:2"),
        ("issued_ns,price_usd,side,notional_usd\n1,5,buy,1\n", "impossible level"),
        ("issued_ns,price_usd,side,notional_usd\n1,-5,long,1\n", "impossible level"),
        ("issued_ns,price_usd,side,notional_usd\n1,5,long,inf\n", "impossible level"),
        ("issued_ns,price_usd,side,notional_usd\nyesterday,5,long,1\n", "unreadable"),
        ("issued_ns,price_usd,side,notional_usd\n1,5\n", "impossible level"),
        ("issued_ns,price_usd,side,notional_usd\n1,1,long,1\n1,1000,long,1\n", "too far apart"),
    ],
)
def test_files_that_cannot_be_used_say_why(tmp_path, text, match):
    with pytest.raises(ImportRejected, match=match):
        read_levels(write(tmp_path, text))


def test_a_file_that_is_not_text_or_not_there_is_refused(tmp_path):
    file = tmp_path / "levels.csv"
    file.write_bytes(b"\xff\xfe\x00")
    for path in (file, tmp_path / "none.csv"):
        with pytest.raises(ImportRejected, match="cannot be read"):
            read_levels(path)
