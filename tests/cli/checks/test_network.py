from __future__ import annotations

import http.server
import json
import socket
import threading

import pytest

from faultline.cli.checks.network import check_access, check_port
from faultline.cli.checks.outcome import State
from faultline.config import Settings

KEY = "k" * 43


@pytest.fixture
def settings(tmp_path):
    def make(**values):
        return Settings(home=tmp_path, **values)

    return make


def test_loopback_needs_no_key(settings):
    found = check_access(settings(), "127.0.0.1")
    assert (found.state, found.found) == (State.OK, "this machine only, without a key")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "map.example.org"])
def test_an_address_that_others_can_reach_fails_without_a_key(settings, host):
    found = check_access(settings(), host)
    assert found.state is State.FAIL
    assert "FAULTLINE_API_KEY" in found.fix
    assert "127.0.0.1" in found.fix
    assert check_access(settings(api_key=KEY), host).state is State.OK


def test_a_key_that_can_be_guessed_fails_and_is_not_shown(settings):
    found = check_access(settings(api_key="hunter2"), "127.0.0.1")
    assert found.state is State.FAIL
    assert "hunter2" not in found.found + found.fix


@pytest.mark.parametrize("name", ["https://map.example.org", "map.example.org:8787"])
def test_an_allowed_host_that_no_request_can_have_is_mentioned(settings, name):
    found = check_access(settings(allowed_hosts=("ok.example.org", name)), "127.0.0.1")
    assert found.state is State.WARN
    assert name in found.found
    assert "ok.example.org" not in found.found


def test_a_free_port_is_free_afterwards_too():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for _ in range(2):
        assert check_port("127.0.0.1", port).state is State.OK


def answering(body):
    """A web server that answers every request with the same bytes; gives its port."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return http.server.HTTPServer(("127.0.0.1", 0), Answer)


@pytest.fixture
def occupied():
    servers = []

    def start(body):
        server = answering(body)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, thread))
        return server.server_port

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    "body", [b"hello", b"[]", b'{"ok": true}', b'{"ok": false, "simulated": true, "as_of_ns": 1}']
)
def test_a_port_that_another_program_has_fails(occupied, body):
    port = occupied(body)
    found = check_port("127.0.0.1", port)
    assert found.state is State.FAIL
    assert "another program" in found.found
    assert f":{port}" in found.fix


@pytest.mark.parametrize(("simulated", "words"), [(True, "simulated"), (False, "recorded or live")])
def test_a_port_that_faultline_has_is_fine(occupied, simulated, words):
    port = occupied(json.dumps({"ok": True, "reason": "", "simulated": simulated, "as_of_ns": 1}).encode())
    found = check_port("127.0.0.1", port)
    assert found.state is State.OK
    assert words in found.found


def test_the_real_api_is_recognised():
    """What ``/livez`` answers, asked as the check asks."""
    from litestar.testing import TestClient

    from faultline.api.app import build_app
    from faultline.api.settings import ApiSettings
    from faultline.store.maps import MapStore

    with TestClient(build_app(MapStore(), None, ApiSettings()), base_url="http://127.0.0.1") as client:
        body = client.get("/livez").json()
    assert body["ok"] is True
    assert {"simulated", "as_of_ns"} <= set(body)


def test_a_program_that_does_not_speak_http_is_another_program(monkeypatch):
    monkeypatch.setattr("faultline.cli.checks.network._ANSWER_LIMIT_S", 0.05)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        assert check_port("127.0.0.1", listener.getsockname()[1]).state is State.FAIL


def test_an_address_of_another_machine_fails():
    found = check_port("192.0.2.1", 8787)
    assert found.state is State.FAIL
    assert "192.0.2.1:8787" in found.found
    assert "--host" in found.fix
