from __future__ import annotations

import base64
import gzip
import re
import subprocess
import sys

import pytest
from litestar.exceptions import WebSocketDisconnect

from faultline.api.app import build_app
from faultline.api.keys import hash_key, is_known_key, new_key
from faultline.api.settings import ApiSettings, is_loopback
from faultline.errors import ConfigError
from faultline.store.maps import MapStore

KEY = "a-key-that-is-long-enough-to-be-random"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8787", 200),
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("[::1]:8787", 200),
        ("faultline.example", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example:8787", 403),
        ("", 403),
        ("::1:::", 403),
    ],
)
def test_only_hosts_on_the_list_are_answered(open_client, host, status):
    client = open_client(allowed_hosts=("faultline.example",))
    response = client.get("/api/v1/status", headers={"host": host})
    assert response.status_code == status
    if status == 403:
        assert response.json()["code"] == "host_not_allowed"
        assert 'faultline_http_refused_total{reason="host_not_allowed"} 1.0' in client.get("/metrics").text


def test_health_is_answered_whatever_the_name(client):
    assert client.get("/livez", headers={"host": "10.1.2.3:80"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"origin": "http://127.0.0.1:8787"}, True),
        ({"origin": "https://127.0.0.1:8787"}, True),
        ({"origin": "http://trusted.example"}, True),
        ({"origin": "http://127.0.0.1:9999"}, False),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-origin"}, True),
    ],
)
def test_another_site_can_neither_write_nor_open_a_stream(open_client, store, headers, allowed):
    client = open_client(allowed_origins=("http://trusted.example",))
    store.control = lambda order: None
    response = client.post("/api/v1/replay", json={"speed": 1}, headers=headers)
    assert response.status_code == (200 if allowed else 403)
    if allowed:
        with client.websocket_connect("/api/v1/stream", headers=headers) as socket:
            assert socket.receive_json()["type"] == "hello"
    else:
        assert response.json()["code"] == "origin_not_allowed"
        with (
            pytest.raises(WebSocketDisconnect),
            client.websocket_connect("/api/v1/stream", headers=headers) as socket,
        ):
            socket.receive_json()
    assert client.get("/api/v1/status", headers=headers).status_code == 200


def test_a_write_must_be_json(client, store):
    store.control = pytest.fail
    response = client.post("/api/v1/replay", content=b'{"speed": 1}', headers={"content-type": "text/plain"})
    assert response.status_code in {400, 415}


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_an_address_reachable_from_elsewhere_needs_a_key(host):
    with pytest.raises(ConfigError, match="needs an API key") as caught:
        build_app(MapStore(), None, ApiSettings(host=host))
    assert caught.value.where == "api.host"
    command = re.search(r"python -c '([^']+)'", caught.value.hint).group(1)
    made = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert len(made.stdout.strip()) == len(new_key())
    assert "FAULTLINE_API_KEY" in caught.value.hint
    build_app(MapStore(), None, ApiSettings(host=host, key_hashes=(hash_key(KEY),)))


def test_a_malformed_hash_is_refused_and_the_hint_makes_a_good_one():
    with pytest.raises(ConfigError, match="malformed") as caught:
        build_app(MapStore(), None, ApiSettings(key_hashes=("sha256:only-half",)))
    command = re.search(r"python -c '([^']+)'", caught.value.hint).group(1)
    made = subprocess.run(
        [sys.executable, "-c", command], input=f"{KEY}\n", capture_output=True, text=True, check=True
    )
    assert is_known_key(KEY, [made.stdout.strip()])


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
    ],
)
def test_loopback_is_recognised(host, expected):
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"x-api-key": KEY}, 200),
        ({"authorization": f"Bearer {KEY}"}, 200),
        ({"authorization": "Basic " + base64.b64encode(f"me:{KEY}".encode()).decode()}, 200),
        ({"authorization": "Basic !!!"}, 401),
        ({"authorization": f"Digest {KEY}"}, 401),
        ({"x-api-key": KEY[:-1]}, 401),
        ({"x-api-key": KEY + "x"}, 401),
        ({"x-api-key": ""}, 401),
        ({"x-api-key": "\xff" * 400}, 401),
    ],
)
def test_with_a_key_configured_every_route_but_health_needs_it(open_client, headers, status):
    client = open_client(key_hashes=(hash_key(new_key()), hash_key(KEY)))
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    for path in ("/api/v1/status", "/metrics", "/", "/api/v1/openapi.json"):
        response = client.get(path, headers=encoded)
        assert response.status_code == status
        if status == 401:
            assert response.json()["code"] == "key_required"
            assert response.headers["www-authenticate"].startswith("Basic")
            assert KEY not in response.text
    assert client.get("/livez").status_code == 200
    if status == 200:
        with client.websocket_connect("/api/v1/stream", headers=headers) as socket:
            assert socket.receive_json()["type"] == "hello"
    elif "\xff" not in str(headers):
        with (
            pytest.raises(WebSocketDisconnect),
            client.websocket_connect("/api/v1/stream", headers=headers) as socket,
        ):
            socket.receive_json()


def test_keys_are_kept_as_salted_hashes():
    key = new_key()
    one, other = hash_key(key), hash_key(key)
    assert one != other
    assert key not in one
    assert is_known_key(key, [one])
    assert not is_known_key(key + "a", [one])
    assert len({new_key() for _ in range(50)}) == 50


@pytest.mark.parametrize("key", ["", "password", "x" * 300])
def test_a_key_that_people_could_choose_is_refused(key):
    with pytest.raises(ConfigError, match="characters"):
        hash_key(key)


@pytest.mark.parametrize("stored", ["plain", "md5:00:00", "sha256:00"])
def test_a_malformed_hash_is_refused(stored):
    with pytest.raises(ConfigError, match="malformed"):
        build_app(MapStore(), None, ApiSettings(key_hashes=(stored,)))


def test_a_body_that_is_too_large_is_refused(client, store):
    store.control = pytest.fail
    big = b'{"speed": 1' + b" " * 20_000 + b"}"
    response = client.post("/api/v1/replay", content=big, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")


def test_a_body_that_hides_its_length_is_cut_off(client, store):
    store.control = pytest.fail
    chunks = (b" " * 4_096 for _ in range(100))
    response = client.post("/api/v1/replay", content=chunks, headers={"content-type": "application/json"})
    assert response.status_code == 413


def test_a_compressed_body_is_not_unpacked(client, store):
    store.control = pytest.fail
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    response = client.post("/api/v1/replay", content=gzip.compress(b'{"speed": 1}'), headers=headers)
    assert response.status_code == 400


@pytest.mark.parametrize("length", ["-1", "1e9", "banana", "9" * 30])
def test_a_declared_length_that_makes_no_sense_is_refused(client, length):
    assert client.get("/api/v1/status", headers={"content-length": length}).status_code == 413


def test_a_long_address_is_refused(client):
    assert client.get("/api/v1/status?" + "a" * 3_000).status_code == 414
    assert client.get("/" + "a" * 600).status_code == 414


def test_a_parameter_given_twice_is_refused_where_only_one_can_be_meant(client):
    refused = client.get("/api/v1/cell/BTC/5m?t_ms=0&price=1&price=2")
    assert refused.status_code == 400
    assert refused.json()["code"] == "repeated_parameter"
    assert "'price'" in refused.json()["detail"]
    listed = client.get("/api/v1/events?type=SOURCE_DOWN&type=SOURCE_RECOVERED")
    assert listed.status_code != 400


@pytest.mark.parametrize("path", ["/", "/api/v1/status", "/api/v1/none", "/livez"])
def test_every_answer_carries_the_security_headers(client, path):
    headers = client.get(path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "connect-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(client, method):
    response = client.request(method, "/api/v1/status")
    assert response.status_code == 405
    assert response.headers["content-type"].startswith("application/problem+json")
