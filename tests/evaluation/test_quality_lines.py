"""The registry of quality lines: well formed, and judged on the worst figure."""

from __future__ import annotations

import importlib.util
import json
import math

import pytest

KEYS = {"id", "bench", "kind", "what", "direction", "line", "tolerance"}


@pytest.fixture
def lines(root):
    path = root / "benchmarks" / "quality" / "quality_lines.py"
    spec = importlib.util.spec_from_file_location("quality_lines", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_line_says_what_it_is_about(lines):
    found = lines.read_lines("recorded") + lines.read_lines("simulated")
    assert len(found) > 10
    for line in found:
        assert set(line) == KEYS, line["id"]
        assert line["direction"] in {"above", "below"}
        assert line["tolerance"] >= 0
        assert line["id"].startswith(line["bench"])


REGISTRY = """
[[line]]
id = "toy-gain"
bench = "toy"
kind = "gate"
what = "gain"
direction = "above"
line = 0.5
tolerance = 0.1

[[line]]
id = "toy-loss"
bench = "toy"
kind = "goal"
what = "loss"
direction = "below"
line = 1.0
tolerance = 0.0
"""


@pytest.mark.parametrize(
    ("gains", "losses", "gate", "goal"),
    [
        ({"a": 0.7, "b": 0.41}, {"a": 0.9}, True, True),
        ({"a": 0.7, "b": 0.39}, {"a": 0.9, "b": 1.1}, False, False),
        ({"a": math.nan, "b": 0.9}, {"a": 1.1}, False, False),
        ({}, {"a": 1.0}, False, True),
    ],
)
def test_the_worst_figure_decides(lines, tmp_path, monkeypatch, capsys, gains, losses, gate, goal):
    monkeypatch.setattr(lines, "FOLDER", tmp_path)
    (tmp_path / "lines.toml").write_text(REGISTRY, encoding="utf-8")
    rows = lines.judge("toy", {"toy-gain": gains, "toy-loss": losses})
    assert [row["holds"] for row in rows] == [gate, goal]
    assert lines.report("toy", rows, {"n": 1}) is gate
    assert ("MISSED" in capsys.readouterr().out) is not gate
    assert len(json.loads((tmp_path / "results" / "toy.json").read_text())["lines"]) == 2


def test_figures_need_a_line_and_ids_are_unique(lines, tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "FOLDER", tmp_path)
    (tmp_path / "lines.toml").write_text(REGISTRY, encoding="utf-8")
    with pytest.raises(SystemExit, match="toy-other"):
        lines.judge("toy", {"toy-other": {"a": 1.0}})
    (tmp_path / "lines.toml").write_text(REGISTRY * 2, encoding="utf-8")
    with pytest.raises(SystemExit, match="twice"):
        lines.read_lines("toy")
