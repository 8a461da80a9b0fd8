from __future__ import annotations

import gzip

import pytest


@pytest.fixture
def build(tmp_path):
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>built</title>")
    (folder / "assets" / "app-C0ffee12.js").write_text("export const a = 1")
    (folder / "assets" / "app-C0ffee12.js.gz").write_bytes(gzip.compress(b"export const a = 1", mtime=0))
    (folder / "assets" / "app-C0ffee12.js.br").write_bytes(b"brotli bytes")
    (folder / "manifest.json").write_text("{}")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    return folder


@pytest.fixture
def site(open_client, build):
    return open_client(static_folder=build)


def test_without_a_build_the_page_says_how_to_make_one(open_client, tmp_path):
    response = open_client(static_folder=tmp_path / "none").get("/")
    assert response.status_code == 200
    assert "make web" in response.text
    assert response.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/", "/map", "/map?scope=BTC&tf=5m", "/whales/0xabc", "/index.html"])
def test_every_page_of_the_dashboard_is_its_start_page_and_asked_for_again(site, path):
    response = site.get(path, headers={"accept": "text/html"})
    assert response.status_code == 200
    assert "built" in response.text
    assert response.headers["cache-control"] == "no-cache"


def test_a_hashed_file_is_immutable_and_a_plain_one_is_not(site):
    response = site.get("/assets/app-C0ffee12.js", headers={"accept-encoding": "identity"})
    assert response.text == "export const a = 1"
    assert response.headers["content-type"].startswith("text/javascript")
    assert "immutable" in response.headers["cache-control"]
    assert site.get("/manifest.json").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("accepted", "encoding"), [("gzip, deflate", "gzip"), ("gzip, br", "br"), ("deflate", None)]
)
def test_a_precompressed_sibling_is_sent_where_it_is_taken(site, accepted, encoding):
    with site.stream("GET", "/assets/app-C0ffee12.js", headers={"accept-encoding": accepted}) as response:
        content = b"".join(response.iter_raw())
    assert response.headers.get("content-encoding") == encoding
    assert response.headers["vary"] == "Accept-Encoding"
    assert (content == b"brotli bytes") == (encoding == "br")


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/assets/../../secret.txt",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/....//secret.txt",
        "/link.txt",
        "/etc/passwd.txt",
        "/assets/missing.js",
        "/%00.txt",
        "/assets",
        "/C:%5csecret.txt",
        "//secret.txt",
    ],
)
def test_nothing_outside_of_the_build_is_ever_sent(site, path):
    response = site.get(path, headers={"accept": "application/json"})
    assert response.status_code == 404
    assert "secret" not in response.text.replace("secret.txt", "")


def test_an_unknown_api_path_is_a_problem_and_never_the_start_page(site):
    response = site.get("/api/v1/unknown", headers={"accept": "text/html"})
    assert response.status_code == 404
    assert response.headers["content-type"].startswith("application/problem+json")
