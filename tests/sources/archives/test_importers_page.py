"""The page on importers and the importers say the same."""

from __future__ import annotations

import re

import pytest
from tests.sources.archives.conftest import run

from faultline.messages import Kind
from faultline.sources.archives.csv_columns import columns_of
from faultline.sources.archives.formats import FORMATS
from faultline.sources.archives.recorder_gaps import RECORDER_DOWN
from faultline.units import format_time_ns


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs" / "reference" / "importers.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def source_text(root):
    folder = root / "src" / "faultline" / "sources" / "archives"
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py")))


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_format_has_a_section(page, name):
    assert f"\n## {name}\n" in page


def test_every_reason_is_explained(page, source_text):
    counted = set(
        re.findall(r"tally\.(?:reject|reject_rows|repair|leave_unchecked)\(\s*\"(\w+)\"", source_text)
    )
    assert len(counted) > 20
    assert not {reason for reason in counted if f"`{reason}`" not in page and f": {reason}`" not in page}


def test_every_reason_of_a_gap_is_explained(page):
    for reason in ("recorder_down", "padding", "silence", "no_bars", "no_open", "missing_rows"):
        assert f"`{reason}`" in page


@pytest.mark.parametrize("kind", list(Kind))
def test_the_columns_of_every_kind_are_listed(page, kind):
    required = ", ".join(f"`{column.name}`" for column in columns_of(kind) if column.is_required)
    optional = ", ".join(f"`{column.name}`" for column in columns_of(kind) if not column.is_required)
    assert f"\n| `{kind}` | {required} | {optional} |\n" in page


def test_the_recorders_faults_are_listed(page):
    text = " ".join(page.split())
    for start_ns, end_ns in RECORDER_DOWN:
        start, end = (format_time_ns(time_ns)[5:16].replace("T", " ") for time_ns in (start_ns, end_ns))
        shown_end = end[6:] if end[:5] == start[:5] else end
        assert f"{start} to {shown_end}" in text


def test_the_example_is_imported_as_the_page_says(page, folder):
    block = re.search(r"```csv\n(.*?)```", page, re.DOTALL)
    assert block is not None
    (folder.path / "liquidation.csv").write_text(block[1])
    rows = run("csv", folder.path).rows(Kind.LIQUIDATION, "bybit:BTCUSDT")
    assert rows["side"].tolist() == [1]
    assert rows["notional_usd"].tolist() == [65_210.5 * 0.4]
