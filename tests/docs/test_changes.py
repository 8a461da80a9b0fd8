"""Change notes are named by their kind and short enough to be read."""

from __future__ import annotations

import re

import pytest
from tests.contracts.tree import ROOT

FRAGMENTS = sorted(path for path in (ROOT / "changes").iterdir() if path.name != "README.md")


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.name)
def test_a_change_note_is_well_named_and_short(path):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*\.(added|changed|fixed)\.md", path.name)
    text = path.read_text(encoding="utf-8").strip()
    assert text.endswith(".")
    assert "\n\n" not in text
    assert len(re.findall(r"[.!?](?=\s+[A-Z])", text)) <= 2, "one or two sentences, three at most"
    assert len(text) <= 600
