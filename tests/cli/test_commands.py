from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from faultline.simulator import Simulation, load_world
from faultline.tape import TapeWriter
from faultline.units import HOUR_NS, parse_time_ns

START = parse_time_ns("2026-01-05")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")

    def command(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"FAULTLINE_HOME": str(home)}
        done = subprocess.run(
            [sys.executable, "-m", "faultline", *map(str, words)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=170,
        )
        assert done.returncode == code, done.stderr
        return done

    return command


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "tape"
    batches = Simulation(load_world("three-assets"), 7, START, keeps_truth=False).advance(START + 2 * HOUR_NS)
    with TapeWriter(folder, simulated=True, world="three-assets") as writer:
        writer.append([batch for batch in batches if batch.symbol.startswith("BTC")])
    return folder


def body(done: subprocess.CompletedProcess[str], schema: str) -> dict:
    found = json.loads(done.stdout)
    assert found["schema"] == f"faultline.{schema}"
    assert found["version"] == 1
    assert found["simulated"] is True
    return found


def test_two_replays_write_the_same_bytes_and_say_what_they_cost(run, tape, tmp_path) -> None:
    found = [
        body(run("replay", tape, "--out", tmp_path / name, "--from", "2026-01-05T01:00", "--json"), "replay")
        for name in ("a", "b")
    ]
    assert found[0]["outputs"] == found[1]["outputs"]
    assert set(found[0]["outputs"]) == {"columns", "events", "forecasts", "zones"}
    assert found[0]["forecasts"]["n"] == 12
    assert found[0]["forecasts"] == found[1]["forecasts"]
    assert {"steps", "messages", "cpu_s", "wall_s", "peak_rss_mb"} <= set(found[0])
    manifests = [(tmp_path / name / "manifest.json").read_bytes() for name in ("a", "b")]
    assert manifests[0] == manifests[1]


def test_a_map_sums_to_its_open_interest(run, tape) -> None:
    found = body(run("map", "--tape", tape, "--scope", "BTC", "--at", "2026-01-05T01:30", "--json"), "map")
    assert sum(found["long_usd"]) == pytest.approx(found["oi_long_usd"], rel=1e-3)
    assert sum(found["short_usd"]) == pytest.approx(found["oi_short_usd"], rel=1e-3)
    lengths = {
        len(found[key]) for key in ("prices", "long_usd", "short_usd", "lo_usd", "hi_usd", "learned_share")
    }
    assert len(lengths) == 1
    assert found["at_ns"] == parse_time_ns("2026-01-05T01:30")
    assert found["warnings"]


def test_the_tape_commands_say_what_a_tape_holds(run, tape) -> None:
    listed = body(run("tape", "ls", tape, "--json"), "tape")
    assert {"trade", "mark", "liquidation", "open_interest", "instrument"} <= set(listed["kinds"])
    assert "SIMULATED" in run("tape", "ls", tape).stdout
    assert body(run("tape", "verify", tape, "--json"), "verify")["problems"] == []
    lines = run("tape", "cat", tape, "--kind", "funding").stdout.splitlines()
    assert all(json.loads(line)["simulated"] is True for line in lines)
    assert len(lines) == listed["kinds"]["funding"]["rows"]


def test_simulate_writes_a_labelled_tape(run, tmp_path) -> None:
    found = body(run("simulate", "calm", "--days", "0.02", "--out", tmp_path / "t", "--json"), "simulate")
    assert sum(found["rows"].values()) > 0


@pytest.mark.parametrize(
    ("words", "code", "word"),
    [
        (("map", "--tape", "{tape}", "--scope", "DOGE"), 1, "not_found"),
        (("map", "--tape", "{tape}/nowhere", "--scope", "BTC"), 1, "tape_not_found"),
        (("replay", "{tape}", "--out", "{out}", "--asset", "ETH"), 1, "not_found"),
        (("replay", "{tape}", "--out", "{out}", "--from", "2030-01-01"), 1, "not_found"),
        (("simulate", "calmer", "--out", "{out}"), 1, "config"),
        (("tape", "import", "no-such-format", "{out}", "--out", "{out}"), 1, "request"),
    ],
)
def test_errors_are_one_json_object_on_stderr_that_says_what_to_do(
    run, tape, tmp_path, words, code, word
) -> None:
    filled = [text.format(tape=tape, out=tmp_path / "out") for text in words]
    done = run(*filled, "--json", code=code)
    error = json.loads(done.stderr)["error"]
    assert error["code"] == word
    assert error["message"]
    assert error["hint"]
    assert done.stdout == ""


@pytest.mark.parametrize(
    "words",
    [
        ("map", "--scope", "BTC"),
        ("map", "--tape", "{tape}", "--scope", "BTC", "--at", "yesterday"),
        ("replay", "{tape}"),
        ("serve",),
        ("tape", "cat", "{tape}", "--kind", "nonsense"),
        ("evaluate", "{tape}", "--refresh", "5 parsecs"),
    ],
)
def test_wrong_words_are_a_usage_error(run, tape, words) -> None:
    assert run(*[text.format(tape=tape) for text in words], code=2).stderr


def test_a_bind_to_the_world_without_a_key_is_refused(run) -> None:
    done = run("serve", "--simulated", "--host", "0.0.0.0", "--json", code=2)
    assert done.stderr


def test_a_bind_to_the_world_without_a_key_names_the_way_out(run) -> None:
    done = run("serve", "--simulated", "--host", "0.0.0.0", code=1)
    assert "key" in done.stderr
