"""A wheel in an environment of its own does what the checkout does."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sysconfig
import urllib.request
import venv
from pathlib import Path

import pytest

import faultline

SERVE = """
from faultline.api.app import build_app
from faultline.api.server import serve
from faultline.api.settings import ApiSettings
from faultline.store.maps import MapStore
serve(build_app(MapStore(), None, ApiSettings(port=0)), "127.0.0.1", 0, on_listening=lambda at: print(at, flush=True))
"""


@pytest.fixture(scope="module")
def installed(archives, tmp_path_factory):
    """``bin`` of an environment that holds the wheel; its dependencies are those of the running environment."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder, with_pip=shutil.which("uv") is None)
    python = folder / "bin" / "python"
    uv = shutil.which("uv")
    install = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    offline = ["--offline"] if uv else ["--no-index", "--disable-pip-version-check"]
    words = [*install, "--quiet", "--no-deps", *offline, archives["wheel"]]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(f"{sysconfig.get_path('platlib')}\n")
    return folder / "bin"


@pytest.fixture
def environment(tmp_path):
    """No path of the checkout, a home and a cache of its own."""
    return {
        **{
            name: value for name, value in os.environ.items() if not name.startswith(("FAULTLINE_", "PYTHON"))
        },
        "FAULTLINE_HOME": str(tmp_path / "home"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }


def run(environment, folder, *words):
    return subprocess.run(
        [str(word) for word in words],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_it_is_the_wheels_code_that_runs(installed, environment, tmp_path):
    done = run(
        environment, tmp_path, installed / "python", "-c", "import faultline; print(faultline.__file__)"
    )
    assert Path(done.stdout.strip()).is_relative_to(installed.parent)


def test_the_command_knows_its_version(installed, environment, tmp_path):
    done = run(environment, tmp_path, installed / "faultline", "--version")
    assert (done.returncode, done.stdout) == (0, f"faultline {faultline.__version__}\n")


def test_the_doctor_finds_nothing_that_fails(installed, environment, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    done = run(environment, tmp_path, installed / "faultline", "doctor", "--json", "--port", port)
    body = json.loads(done.stdout)
    assert done.returncode == 0, body
    found = {check["name"]: check for check in body["checks"]}
    assert found["dashboard"]["state"] == "ok"
    assert str(installed.parent) in found["dashboard"]["found"]


def test_the_worlds_came_along(installed, environment, tmp_path):
    script = "from faultline.simulator import load_world; print(load_world('three-assets').name)"
    done = run(environment, tmp_path, installed / "python", "-c", script)
    assert (done.returncode, done.stdout) == (0, "three-assets\n"), done.stderr


def test_the_page_is_served_from_the_package(installed, environment, tmp_path, static):
    with subprocess.Popen(
        [installed / "python", "-c", SERVE], env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            address = server.stdout.readline().strip()
            with urllib.request.urlopen(address + "/", timeout=20) as answer:
                page = answer.read()
            assert page == (static / "index.html").read_bytes()
            names = re.findall(r'(?:src|href)="\./([^"]+)"', page.decode())
            assert names
            for name in names:
                asked = urllib.request.Request(f"{address}/{name}", headers={"Accept-Encoding": "br"})
                with urllib.request.urlopen(asked, timeout=20) as answer:
                    assert answer.headers["content-encoding"] == "br"
                    assert answer.read() == (static / f"{name}.br").read_bytes()
        finally:
            server.send_signal(signal.SIGTERM)
    assert server.returncode == 0
