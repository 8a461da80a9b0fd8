from __future__ import annotations

import json
import os
import subprocess
import sys

import msgspec
import pytest

from faultline.cascades.chain import ChainSettings
from faultline.cascades.levels import LevelSettings
from faultline.learning.constants import LearnerSettings
from faultline.pipeline.parameters import PipelineParameters
from faultline.simulator import Simulation, load_world
from faultline.tape import TapeWriter
from faultline.units import HOUR_NS, parse_time_ns

START = parse_time_ns("2026-01-05")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")

    def command(*words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "faultline", *map(str, words)],
            env=os.environ | {"FAULTLINE_HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=170,
        )
        assert done.returncode == code, done.stderr
        return done

    return command


def write_tape(folder, world: str, prefix: str) -> None:
    batches = Simulation(load_world(world), 7, START, keeps_truth=False).advance(START + 2 * HOUR_NS)
    with TapeWriter(folder, simulated=True, world=world) as writer:
        writer.append([batch for batch in batches if batch.symbol.startswith(prefix)])


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    folder = tmp_path_factory.mktemp("params") / "tape"
    write_tape(folder, "three-assets", "BTC")
    return folder


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    path = tmp_path_factory.mktemp("settings") / "settings.json"
    path.write_bytes(
        msgspec.json.encode(
            PipelineParameters(
                learner=LearnerSettings(pooled_below=5.0, starting_events=2.0),
                chains=ChainSettings(draws=50, levels=LevelSettings(prominence_quantile=0.5)),
            )
        )
    )
    return path


@pytest.fixture(scope="module")
def learned(run, tape, settings, tmp_path_factory):
    out = tmp_path_factory.mktemp("learned") / "params.json"
    done = run("learn", tape, "--out", out, "--params", settings, "--json")
    return out, json.loads(done.stdout)


@pytest.fixture
def copy(learned, tmp_path):
    path = tmp_path / "params.json"
    path.write_bytes(learned[0].read_bytes())
    return path


def test_learn_writes_a_file_and_says_what_it_taught(learned) -> None:
    _, body = learned
    assert (body["schema"], body["simulated"], body["world"]) == ("faultline.learn", True, "three-assets")
    assert {feed["feed"] for feed in body["feeds"]} == {"simx:BTCUSDT", "simy:BTCUSDT"}
    compared = {(row["learner"], row["of"]) for row in body["comparisons"]}
    assert {("leverage", "simx:BTCUSDT"), ("print offset", "simy:BTCUSDT")} <= compared
    assert all(row["events"] > 0 for row in body["comparisons"] if row["learner"] != "cascades")
    assert {"steps", "messages", "cpu_s", "wall_s", "tape", "sha256", "snapshots", "changes"} <= set(body)


def test_show_prints_what_is_known_and_what_it_is_worth(run, learned) -> None:
    text = run("params", "show", learned[0]).stdout
    for words in ("calibrators kept: simx:BTCUSDT, simy:BTCUSDT", "learners of chains kept: BTC"):
        assert words in text
    for words in ("SIMULATED world three-assets", "95 % band", "hypotheses:", "reporting fraction", ">60x"):
        assert words in text
    assert "Learned beside its static prior" in text
    for words in (
        "learner.pooled_below = 5.0",
        "chains.levels.prominence_quantile = 0.5",
        "chains.draws = 50",
    ):
        assert words in " ".join(text.split())
    assert "zones." not in text
    body = json.loads(run("params", "show", learned[0], "--json").stdout)
    assert body["settings"]["chains"]["draws"] == 50
    assert body["schema"] == "faultline.params"
    assert body["sha256"] == learned[1]["sha256"]


def test_frozen_parameters_are_used_and_said(run, tape, copy, tmp_path) -> None:
    frozen = json.loads(run("params", "freeze", copy, "--at", "2026-01-05T01:00", "--json").stdout)
    assert (frozen["frozen"], frozen["in_force"]) == (True, 1)
    done = run("replay", tape, "--out", tmp_path / "out", "--params", copy, "--json")
    assert "frozen: nothing is learned from simx:BTCUSDT, simy:BTCUSDT" in done.stderr.replace("\n", " ")
    body = json.loads(done.stdout)
    note = json.loads((tmp_path / "out" / "manifest.json").read_text())["learned"]
    assert note == body["learned"]
    assert (note["version"], note["frozen"], note["looks_ahead"]) == (1, True, True)
    assert note["chains"] == ["BTC"]
    kept = {(state["learner"], state["of"]) for state in frozen["states"]}
    assert kept == {("calibrator", "simx:BTCUSDT"), ("calibrator", "simy:BTCUSDT"), ("chains", "BTC")}
    assert any("no forecast" in warning for warning in body["warnings"])
    later = run(
        "replay", tape, "--out", tmp_path / "b", "--from", "2026-01-05T01:30", "--params", copy, "--json"
    )
    assert json.loads(later.stdout)["learned"]["looks_ahead"] is False


def test_a_file_of_the_format_before_is_refused_with_what_to_do(run, tape, copy, tmp_path) -> None:
    copy.write_text(json.dumps(json.loads(copy.read_text()) | {"version": 1}))
    for words in (("params", "show", copy), ("replay", tape, "--out", tmp_path / "out", "--params", copy)):
        error = json.loads(run(*words, "--json", code=1).stderr)["error"]
        assert "format 1" in error["message"]
        assert error["where"] == str(copy)
        assert "faultline learn" in error["hint"]


def test_rolling_back_keeps_what_there_was(run, copy) -> None:
    before = json.loads(copy.read_text())
    back = json.loads(run("params", "rollback", copy, "--to", "1", "--json").stdout)
    assert back["in_force"] == 1
    assert [change["action"] for change in back["changes"]] == ["learned", "rolled back"]
    again = run("params", "rollback", copy, "--to", "2026-01-05T03:00").stdout
    assert "version 2 of 2026-01-05T01:59:59" in again
    assert json.loads(copy.read_text())["snapshots"] == before["snapshots"]
    assert "not frozen" in run("params", "thaw", copy).stdout


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("params", "show", "{file}x"), "config", "No such file"),
        (("params", "rollback", "{file}", "--to", "9"), "not_found", "no version 9"),
        (("params", "freeze", "{file}", "--at", "2020-01-01"), "not_found", "no snapshot"),
        (("learn", "{tape}", "--out", "{file}"), "request", "never overwritten"),
        (("learn", "{tape}", "--out", "{file}2", "--asset", "DOGE"), "not_found", "no prices of DOGE"),
        (("replay", "{tape}", "--out", "{out}", "--params", "{broken}"), "config", "damaged"),
        (("replay", "{other}", "--out", "{out}", "--params", "{file}"), "config", "simulated world calm"),
    ],
)
def test_files_that_cannot_be_used_are_named(run, tape, copy, tmp_path, words, code, text) -> None:
    names = {"tape": tape, "file": copy, "out": tmp_path / "out"}
    names |= {"broken": tmp_path / "broken.json", "other": tmp_path / "other"}
    names["broken"].write_text(copy.read_text().replace('"dispersion": ', '"dispersion": 1', 1))
    if "{other}" in words:
        write_tape(names["other"], "calm", "BTC")
    done = run(*(word.format(**names) for word in words), "--json", code=1)
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert error["code"] == code
    assert text in error["message"]
    assert error["hint"]


def test_a_moment_that_is_none_is_a_usage_error(run, copy) -> None:
    assert run("params", "rollback", copy, "--to", "yesterday", code=2).stderr
