from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import httpx
import pytest

PROGRAM = """
import threading
from faultline.api.app import build_app
from faultline.api.server import serve
from faultline.api.settings import ApiSettings
from faultline.store.maps import MapStore

stop = threading.Event()
thread = threading.Thread(target=stop.wait)
app = build_app(MapStore(), None, ApiSettings(), on_startup=[thread.start], on_shutdown=[stop.set])
serve(app, "127.0.0.1", 0, on_listening=lambda address: print("at", address, flush=True))
thread.join(5)
print("ended", thread.is_alive(), flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_server_and_pipeline_and_the_process_with_code_0(root, number):
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        address = re.fullmatch(r"at (http://127\.0\.0\.1:\d+)\n", process.stdout.readline())[1]
        assert httpx.get(f"{address}/livez").json()["ok"] is True
        assert httpx.get(f"{address}/readyz").status_code == 503
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert out == "ended False\n"
    assert process.returncode == 0, err
    assert "Traceback" not in err
