from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

#: Small: one venue that publishes everything, most of it opened before the tape begins.
WORLD = """
name = "small"
title = "A small market."
extends = "well-specified"
warmup_days = 1.0
truth_map_every_s = 3600
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")

    def command(*words: object) -> str:
        environment = os.environ | {"FAULTLINE_HOME": str(home)}
        line = [sys.executable, "-m", "faultline", *map(str, words)]
        done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=170)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return command


@pytest.fixture(scope="module")
def scored(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scored")
    (folder / "small.toml").write_text(WORLD)
    run(
        "simulate",
        folder / "small.toml",
        "--days",
        "0.2",
        "--out",
        folder / "tape",
        "--truth",
        folder / "truth",
    )
    manifest = json.loads(run("replay", folder / "tape", "--out", folder / "out", "--json"))
    return folder, manifest


def test_a_replay_writes_the_mixes_that_it_recovered(run, scored) -> None:
    folder, manifest = scored
    assert manifest["mix"]["rows"] > 0
    body = json.loads(run("score-truth", folder / "out", "--truth", folder / "truth", "--json"))
    (venue,) = body["venues"]
    assert venue["mix_source"] == "recovered"
    for name in ("coverage95", "coverage50", "recovered_mass"):
        assert venue[name] is not None
    assert venue["coverage50"] <= venue["coverage95"]
    assert body["standing_maps"] > 0


def test_the_text_says_everything_about_each_venue(run, scored) -> None:
    folder, _ = scored
    text = run("score-truth", folder / "out", "--truth", folder / "truth")
    for words in (
        "SIMULATED world small, worst venue first",
        "TV identified",
        "covered 95 %",
        "simy",
        "divergence",
    ):
        assert words in text
    assert "null checks: none" in text
