"""Texts of the repository stand on their own: no private documents, machine paths or package hosts."""

from __future__ import annotations

import re

import pytest
from tests.contracts.tree import ROOT, files

TEXTS = files(
    "src",
    "tests",
    "tools",
    "benchmarks",
    "examples",
    "docs",
    "changes",
    "deploy",
    "web/src",
    "web/tests",
    "web/build",
    "web/dev",
    ".ci",
    suffixes=(".py", ".md", ".toml", ".ts", ".tsx", ".css", ".json", ".mjs", ".sh", ""),
)
TEXTS += [path for path in sorted(ROOT.iterdir()) if path.is_file() and path.name != "LICENSE"]
TEXTS += [path for path in sorted((ROOT / "web").glob("*")) if path.is_file()]

RULES = {
    "a document that is not in the repository": re.compile(
        r"\b(?:METHODS|REAL_DATA|VENUES|PERFORMANCE|DESIGN|STYLE|UI|CONTRACTS)(?:\.md|`? \d+(?:\.\d+)*\b)"
    ),
    "a path of one machine": re.compile(r"(?<![\w./*>})-])/(?:work|root|tmp|Users)/"),
    "the host of a package index": re.compile(r"\b(?:pypi|pythonhosted|npmjs)\.(?:org|com)\b"),
    "unfinished work": re.compile(r"\b(?:TO[D]O|FIX[M]E|X[X]X)\b|\braise NotImplemented[E]rror\b"),
}


@pytest.mark.parametrize("what", RULES)
def test_no_text_mentions(what):
    found = []
    for path in TEXTS:
        text = path.read_bytes()
        if b"\0" in text:
            continue
        for number, line in enumerate(text.decode("utf-8", errors="replace").splitlines(), 1):
            if RULES[what].search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a document that is not in the repository", "as METH|ODS 1.2 says"),
        ("a document that is not in the repository", "see DES|IGN.md"),
        ("a path of one machine", 'open("/wo|rk/x")'),
        ("the host of a package index", "https://py|pi.org/simple"),
        ("unfinished work", "# TO|DO later"),
    ],
)
def test_the_rules_see_what_they_forbid(what, line):
    assert RULES[what].search(line.replace("|", ""))
