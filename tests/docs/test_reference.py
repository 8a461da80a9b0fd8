"""Reference pages say what the code says."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from tests.contracts.tree import ROOT

from faultline.messages import KINDS

MESSAGES = (ROOT / "docs" / "reference" / "messages.md").read_text(encoding="utf-8")


def section(kind):
    """Text of one kind's section."""
    return MESSAGES.partition(f"\n## `{kind}`\n")[2].partition("\n## ")[0]


def test_generated_pages_are_what_the_code_writes_today():
    done = subprocess.run(
        [sys.executable, "tools/write_reference.py", "--check"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_of_message_is_documented_with_every_field(kind):
    text = section(kind)
    assert KINDS[kind].row_is in text
    documented = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", text, flags=re.MULTILINE)
    assert documented == [(field.name, field.meaning) for field in KINDS[kind].fields]


def test_every_setting_has_a_sentence():
    text = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .* \| ([^|]*) \|$", text, flags=re.MULTILINE)
    assert rows
    assert [name for name, sentence in rows if not re.search(r"[A-Za-z]{4}.*\.$", sentence)] == []


def test_every_option_of_every_command_has_a_sentence():
    text = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*`) \| (?:[^|]*) \| ([^|]*) \|$", text, flags=re.MULTILINE)
    assert rows
    assert [name for name, sentence in rows if not re.search(r"[A-Za-z]{4}.*\.$", sentence)] == []
