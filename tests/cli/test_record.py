"""Venues recorded and served from the command line, against local servers that speak their protocol."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from faultline.config import Settings, read_addresses
from faultline.errors import ConfigError
from faultline.messages import Kind
from faultline.sources.kept_wallets import read_wallets
from faultline.sources.registry import venue_of
from faultline.tape import Tape, verify
from faultline.testing.server import VenueServer
from faultline.testing.serving import serving
from faultline.testing.traffic import Traffic
from faultline.testing.venues import script_of


@contextlib.contextmanager
def talking(slug: str) -> Iterator[VenueServer]:
    """A venue that talks until the block ends."""
    script = script_of(slug)
    server, stop = VenueServer(script), threading.Event()
    contracts = [item for item in script.contracts if item.base == "DOT"]
    traffic = Traffic(contracts, seed=3, start_ns=time.time_ns())
    with serving(server) as caller:

        def talk() -> None:
            caller.run(server.publish(*traffic.snapshots(time.time_ns())))
            while not stop.wait(0.01):
                caller.run(server.publish(traffic.make(time.time_ns())))

        thread = threading.Thread(target=talk)
        thread.start()
        try:
            yield server
        finally:
            stop.set()
            thread.join()


def table_of(server: VenueServer) -> str:
    """The server's addresses as ``venues.toml`` has them."""
    parts = {"sockets": server.sockets, "rest": server.rest}
    lines = []
    for part, addresses in parts.items():
        lines += [f"[{server.script.slug}.{part}]", *(f'{name} = "{url}"' for name, url in addresses.items())]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def servers():
    with talking("bybit") as bybit, talking("okx") as okx:
        yield bybit, okx


@pytest.fixture
def home(tmp_path, servers) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "venues.toml").write_text("\n".join(table_of(server) for server in servers))
    return folder


def start(home: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "faultline", *words],
        env=os.environ | {"FAULTLINE_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_recording_ends_with_everything_on_the_tape_and_says_what_it_got(home, tmp_path) -> None:
    words = ("record", "--venues", "bybit", "--assets", "DOT", "--out", str(tmp_path / "tape"), "--raw")
    with start(home, *words, "--for", "4s", "--rotate", "1s", "--json") as done:
        out, err = done.communicate(timeout=120)
    assert done.returncode == 0, err
    body = json.loads(out)
    assert (body["schema"], body["simulated"]) == ("faultline.record", False)
    tape = Tape(tmp_path / "tape")
    assert body["rows"] == sum(tape.n_rows(*pair) for pair in tape.pairs()) > 50
    [venue] = body["venues"]
    assert (venue["venue"], venue["rejected"]) == ("bybit", 0)
    assert tape.n_open_rows == 0
    assert verify(tmp_path / "tape").ok
    assert {iid for kind, iid in tape.pairs() if kind is not Kind.SOURCE_STATUS} == {"bybit:DOTUSDT"}
    assert list((tmp_path / "tape-raw" / "bybit").glob("linear-*.gz"))


def test_accounts_that_were_seen_trading_are_kept_in_the_home_folder(tmp_path) -> None:
    (tmp_path / "home").mkdir()
    words = ("record", "--venues", "hyperliquid", "--assets", "DOT", "--out", str(tmp_path / "tape"))
    with talking("hyperliquid") as server:
        (tmp_path / "home" / "venues.toml").write_text(table_of(server))
        with start(tmp_path / "home", *words, "--for", "4s") as done:
            _, err = done.communicate(timeout=120)
    assert done.returncode == 0, err
    kept = read_wallets(tmp_path / "home" / "wallets" / "hyperliquid.json", "hyperliquid")
    fills = Tape(tmp_path / "tape").read(Kind.WALLET_FILL, "hyperliquid:DOT")
    assert len(fills) > 0
    assert {one.wallet for one in kept} == {row["wallet"].decode() for row in fills}
    assert all(one.traded_ns is not None for one in kept)


def test_a_signal_ends_a_recording_without_loss(home, tmp_path) -> None:
    words = ("record", "--venues", "bybit", "--assets", "DOT", "--out", str(tmp_path / "tape"))
    with start(home, *words) as running:
        deadline = time.monotonic() + 120
        while not list((tmp_path / "tape").glob("open/*.seg")) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(2)
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    assert re.search(r"[\d,]+ rows in \d+ s", out)
    assert verify(tmp_path / "tape").ok
    assert Tape(tmp_path / "tape").n_open_rows == 0


def address_of(running: subprocess.Popen[str]) -> str:
    for line in running.stderr:
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        if found:
            return found[0]
    raise AssertionError("no address was printed")


def check_a_living_map(running: subprocess.Popen[str]) -> None:
    address = address_of(running)

    def ask(path: str) -> dict:
        with urllib.request.urlopen(address + path, timeout=20) as answer:
            return json.load(answer)

    deadline = time.monotonic() + 200
    wanted = {"DOT", "bybit:DOTUSDT", "okx:DOT-USDT-SWAP"}
    while not any(wanted <= set(asset["scopes"]) for asset in ask("/api/v1/assets")["assets"]):
        assert time.monotonic() < deadline, "no map was drawn"
        time.sleep(0.3)
    status, sources = ask("/api/v1/status"), ask("/api/v1/sources")
    assert (status["mode"], status["simulated"], status["state"]) == ("live", False, "ready")
    assert sources["connected"]
    assert [venue["venue"] for venue in sources["venues"]] == ["bybit", "okx"]
    for venue in sources["venues"]:
        trades = next(one for one in venue["channels"] if "trade" in one["kinds"])
        assert trades["status"] == "live"
        assert trades["n_rows"] > 0
    while ask("/api/v1/status")["as_of_ns"] <= status["as_of_ns"]:
        assert time.monotonic() < deadline, "the map stands still"
        time.sleep(0.1)


def test_serving_venues_draws_a_living_map_and_names_every_feed(home, tmp_path) -> None:
    words = (
        "serve",
        "--venues",
        "bybit,okx",
        "--assets",
        "DOT",
        "--tape",
        str(tmp_path / "tape"),
        "--port",
        "0",
    )
    with start(home, *words) as running:
        try:
            check_a_living_map(running)
        finally:
            running.send_signal(signal.SIGINT)
            running.communicate(timeout=60)
    assert verify(tmp_path / "tape").ok


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[bybitt.sockets]\n", "bybitt"),
        ('[bybit.sockets]\nspot = "wss://x"\n', "spot"),
        ('[bybit.sockets]\nlinear = "file:///etc/passwd"\n', "wss://"),
        ('[bybit.rest]\nmain = "https"\n', "https://"),
        ("[bybit]\nsocket = {}\n", "socket"),
        ("bybit\n", "venues.toml"),
    ],
)
def test_an_address_that_cannot_be_is_named(tmp_path, text, word) -> None:
    (tmp_path / "venues.toml").write_text(text)
    with pytest.raises(ConfigError, match=re.escape(word)):
        read_addresses(Settings(home=tmp_path), {"bybit": venue_of("bybit")})


def test_addresses_of_other_venues_are_left_alone(tmp_path) -> None:
    (tmp_path / "venues.toml").write_text('[bybit.rest]\nmain = "http://127.0.0.1:1"\n')
    assert read_addresses(Settings(home=tmp_path), {}) == {}
    found = read_addresses(Settings(home=tmp_path), {"bybit": venue_of("bybit")})
    assert found["bybit"].rest == {"main": "http://127.0.0.1:1"}
    assert read_addresses(Settings(home=tmp_path / "none"), {}) == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--venues", "bybt"), "bybt"),
        (("--kinds", "trades"), "trades"),
        (("--rotate", "soon"), "soon"),
    ],
)
def test_a_wrong_option_is_named(tmp_path, words, said) -> None:
    with start(tmp_path, "record", "--out", str(tmp_path / "tape"), "--for", "1s", *words) as done:
        _, err = done.communicate(timeout=60)
    assert done.returncode in {1, 2}
    assert said in err
