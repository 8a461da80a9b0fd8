from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def doctor(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    home.chmod(0o700)

    def run(*words, **environment):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FAULTLINE_")}
        return subprocess.run(
            [sys.executable, "-m", "faultline", "doctor", *map(str, words)],
            env={**kept, "FAULTLINE_HOME": str(home), **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def checks(done):
    body = json.loads(done.stdout)
    assert (body["schema"], body["version"]) == ("faultline.doctor", 1)
    return body, {check["name"]: check for check in body["checks"]}


@pytest.fixture(scope="module")
def healthy(doctor):
    """What the doctor says about this machine, asked once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return doctor("--json", "--port", port)


def test_a_machine_that_can_run_the_tests_has_nothing_that_fails(healthy):
    done = healthy
    body, found = checks(done)
    assert done.returncode == 0, body
    assert body["state"] in {"ok", "warn"}
    assert {
        "python",
        "dependencies",
        "cpu",
        "kernels",
        "dashboard",
        "environment",
        "settings",
        "home",
        "disk space",
        "fsync",
        "clock",
        "facts, recorded",
        "facts, simulated",
        "alerts",
        "access",
        "port",
        "open files",
    } <= set(found)
    for check in body["checks"]:
        assert set(check) == {"name", "state", "found", "fix"}
        assert check["found"]
        assert bool(check["fix"]) == (check["state"] != "ok"), check
    odd = [name for name, check in found.items() if check["state"] == "warn"]
    assert [line.partition(": ")[0] for line in body["warnings"]] == odd


def test_everything_that_is_wrong_at_once_is_told_at_once_with_what_to_do(doctor, tmp_path):
    """An occupied port, a home that cannot be, no tape, a misspelled variable."""
    (tmp_path / "file").touch()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        port = listener.getsockname()[1]
        home = tmp_path / "file" / "home"
        done = doctor(tmp_path, "--port", port, FAULTLINE_HOME=str(home), FAULTLINE_API_KYE="not to be shown")
    assert done.returncode == 1
    told = " ".join(done.stdout.split())
    assert re.search(r"fail port another program listens on \S+ fix: stop the program", told)
    assert re.search(r"fail settings cannot make the home folder: .* fix: Point it to a folder", told)
    assert re.search(
        rf"fail tape {re.escape(tmp_path.name)} there is no tape here \(.*\) fix: give the folder", told
    )
    assert re.search(
        r"warn environment nobody reads FAULTLINE_API_KYE fix: .* did you mean FAULTLINE_API_KEY\?", told
    )
    assert " home /" not in told, "there is none to look at"
    assert re.search(r"checks: 3 failed, \d+ with a warning", told)
    assert "not to be shown" not in told + done.stderr


def test_a_command_line_that_cannot_start_says_everything_that_is_missing(tmp_path):
    for name in ("msgspec", "picows"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('taken away')")
    command = [sys.executable, "-m", "faultline", "tape", "ls", "nowhere"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.startswith("error: Faultline cannot start: ")
    assert "msgspec cannot be imported (ImportError: taken away)" in done.stderr
    assert "picows cannot be imported (ImportError: taken away)" in done.stderr
    assert "hint: install again" in done.stderr
    done = subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True, timeout=120)
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, error["code"], done.stdout) == (1, "config", "")
    assert "msgspec" in error["message"]
    assert error["hint"]


def test_what_only_one_command_needs_is_missed_by_that_command_alone(tmp_path):
    (tmp_path / "picows.py").write_text("raise ImportError('taken away')")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}

    def run(*words):
        command = [sys.executable, "-m", "faultline", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    assert run("--version").returncode == 0
    done = run("record", "--out", str(tmp_path / "tape"))
    assert done.returncode == 1
    assert "picows cannot be imported (ImportError: taken away)" in done.stderr


def test_an_import_that_fails_inside_the_program_keeps_its_traceback(monkeypatch):
    from faultline.cli import broken
    from faultline.cli.checks.outcome import ok

    monkeypatch.setattr(broken, "check_dependencies", lambda: ok("dependencies", "all load"))
    with pytest.raises(ImportError, match="our own mistake"):
        broken.explain(ImportError("our own mistake"), as_json=False)


def test_the_troubleshooting_page_lists_every_check(healthy, root):
    """Names that differ per file or tape stand there by their first word."""
    page = (root / "docs" / "how-to" / "troubleshooting.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| ([a-z ]+) \|", page, flags=re.MULTILINE)) - {"check"}
    _, found = checks(healthy)
    assert {name.partition(",")[0] for name in found} | {"tape"} == listed
