from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from faultline.cli.checks.installation import (
    check_cpu,
    check_dashboard,
    check_dependencies,
    check_kernels,
    check_python,
)
from faultline.cli.checks.outcome import State, fail, ok, warn, worst


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """Makes a package of the given name and content the one that a new process imports."""

    def plant(name, text):
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return plant


@pytest.mark.parametrize(
    ("version", "is_64_bit", "state"),
    [
        ((3, 11, 0), True, State.OK),
        ((3, 13, 9), True, State.OK),
        ((3, 10, 14), True, State.FAIL),
        ((3, 12, 1), False, State.FAIL),
        ((3, 14, 0), True, State.WARN),
    ],
)
def test_an_old_or_narrow_python_fails_and_an_untested_one_is_mentioned(version, is_64_bit, state):
    found = check_python(version, is_64_bit=is_64_bit)
    assert found.state is state
    assert ".".join(map(str, version)) in found.found
    assert bool(found.fix) == (state is not State.OK)


def test_the_packages_that_are_here_load():
    found = check_dependencies({"msgspec": ("0.22.0",), "rich": ("15.0.0",)}, ["msgspec>=0.1"])
    assert found.state is not State.FAIL
    assert check_dependencies().state is not State.FAIL, "the environment that tests run in is complete"


def test_a_package_that_is_not_installed_is_named():
    found = check_dependencies({"msgspec": ("0.22.0",), "no-such-package": ("1.0",)}, [])
    assert found.state is State.FAIL
    assert "no-such-package is not installed" in found.found
    assert "make setup" in found.fix


def test_a_package_that_raises_while_it_is_imported_is_named_with_its_reason(planted):
    planted("picows", "print('hello')\nraise ImportError('libssl.so.9 is not there')")
    found = check_dependencies({"msgspec": ("0.22.0",), "picows": ("2.3.1",), "rich": ("15.0.0",)}, [])
    assert found.state is State.FAIL
    assert found.found == "picows cannot be imported (ImportError: libssl.so.9 is not there)"


def test_a_package_that_kills_the_process_is_named(planted):
    """As an instruction does that the processor lacks."""
    planted("picows", "import os, signal\nos.kill(os.getpid(), signal.SIGILL)")
    found = check_dependencies({"msgspec": ("0.22.0",), "picows": ("2.3.1",), "rich": ("15.0.0",)}, [])
    assert found.state is State.FAIL
    assert "importing picows ends the process (exit code -4)" in found.found


def test_a_package_older_than_the_project_asks_for_fails():
    found = check_dependencies({"msgspec": ("999.1.0",)}, ["msgspec>=999.0; python_version > '3'"])
    assert found.state is State.FAIL
    assert "is older than 999.0" in found.found


def test_a_package_of_another_minor_version_than_the_tests_use_is_mentioned():
    found = check_dependencies({"msgspec": ("0.1.0", "0.2.0")}, ["msgspec>=0.1"])
    assert found.state is State.WARN
    assert "msgspec" in found.found
    assert "(tested: 0.1.0, 0.2.0)" in found.found
    assert found.fix


def test_a_processor_without_what_compiled_code_needs_fails(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nflags\t\t: fpu cx16 ssse3 sse4_1\n")
    found = check_cpu("x86_64", cpuinfo)
    assert found.state is State.FAIL
    assert "without popcnt, sse4_2" in found.found
    assert found.fix


@pytest.mark.parametrize(
    ("machine", "flags", "state"),
    [
        ("x86_64", "cx16 popcnt ssse3 sse4_1 sse4_2 avx2 fma", State.OK),
        ("AMD64", "cx16 popcnt ssse3 sse4_1 sse4_2", State.WARN),
        ("aarch64", "asimd", State.OK),
    ],
)
def test_a_slower_or_other_processor_will_do(tmp_path, machine, flags, state):
    (tmp_path / "cpuinfo").write_text(f"flags : {flags}\n")
    assert check_cpu(machine, tmp_path / "cpuinfo").state is state


def test_a_processor_that_cannot_be_looked_at_is_no_failure(tmp_path):
    assert check_cpu("x86_64", tmp_path / "nothing").state is State.WARN


def test_kernels_compile_and_are_kept(tmp_path):
    found = check_kernels({"NUMBA_CACHE_DIR": str(tmp_path)})
    assert found.state is State.OK
    assert str(tmp_path) in found.found
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "environment", [{}, {"XDG_CACHE_HOME": "/proc/nowhere"}, {"NUMBA_CACHE_DIR": "/proc/nowhere"}]
)
def test_a_cache_that_cannot_be_written_is_mentioned_with_the_way_out(environment):
    found = check_kernels(environment)
    assert found.state is State.WARN
    assert "cannot be kept" in found.found
    assert "XDG_CACHE_HOME" in found.fix


def test_a_compiler_that_does_not_work_fails(tmp_path):
    script = (
        "from faultline.cli.checks.installation import check_kernels; found = check_kernels({}); "
        "print(found.state, found.found)"
    )
    (tmp_path / "numba.py").write_text("raise OSError('libLLVM.so cannot be loaded')")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "fail numba cannot compile: OSError: libLLVM.so cannot be loaded", (
        done.stderr
    )


@pytest.fixture
def dashboard(tmp_path):
    (tmp_path / ".vite").mkdir()
    (tmp_path / ".vite" / "manifest.json").write_text(json.dumps({"a": {"file": "a.js", "css": ["a.css"]}}))
    for name in ("index.html", "a.js", "a.css"):
        (tmp_path / name).touch()
    return tmp_path


def test_a_complete_dashboard_is_fine(dashboard):
    assert check_dashboard(dashboard).state is State.OK


def test_without_a_dashboard_the_api_still_works(tmp_path):
    found = check_dashboard(tmp_path)
    assert found.state is State.WARN
    assert "make web" in found.fix


@pytest.mark.parametrize("lost", ["a.js", "a.css"])
def test_a_dashboard_that_lacks_a_file_fails_and_names_it(dashboard, lost):
    (dashboard / lost).unlink()
    found = check_dashboard(dashboard)
    assert found.state is State.FAIL
    assert lost in found.found


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": {}}'])
def test_a_dashboard_with_a_broken_manifest_fails(dashboard, text):
    (dashboard / ".vite" / "manifest.json").write_text(text)
    assert check_dashboard(dashboard).state is State.FAIL


def test_the_worst_state_counts():
    assert worst([]) is State.OK
    assert worst([ok("a", "b"), warn("a", "b", "c")]) is State.WARN
    assert worst([fail("a", "b", "c"), ok("a", "b"), warn("a", "b", "c")]) is State.FAIL
