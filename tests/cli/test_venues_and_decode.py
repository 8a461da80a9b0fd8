"""``faultline venues`` and ``faultline decode``: what they print is what the registry and the mappers say."""

from __future__ import annotations

import gzip
import json

import pytest
from tests.sources.venues.play import NOW_NS, Play
from typer.testing import CliRunner

from faultline.cli.app import APP
from faultline.errors import ConfigError, ImportRejected
from faultline.messages import Kind
from faultline.sources.raw_frames import RawFrames
from faultline.sources.registry import SLUGS
from faultline.tape import TapeWriter


def run(*words):
    done = CliRunner().invoke(APP, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def frames():
    """Binance's frames of a play, with receive times: trades, a liquidation, a mark."""
    play = Play("binance").connect()
    item = play.script.contracts[0]
    play.seen.clear()
    for kind in (Kind.TRADE, Kind.LIQUIDATION, Kind.MARK):
        facts = play.at(item)
        for fact in facts.of(kind):
            play.now_ns = max(play.now_ns, fact.ts_ns + 1_000_000)
            for topic, frame in play.script.frames(fact, play.now_ns):
                for connection in play.connections:
                    if topic in connection.client.topics:
                        play._deliver(connection, frame)
    return [(received_ns, frame) for name, frame, received_ns in play.seen if not name]


def test_every_venue_is_listed():
    told = run("venues").stdout
    assert all(slug in told for slug in SLUGS)
    body = json.loads(run("venues", "--json").stdout)
    assert [venue["slug"] for venue in body["venues"]] == list(SLUGS)
    assert body["schema"] == "faultline.venues"


def test_one_venue_is_told_line_by_line_with_its_dates():
    told = run("venues", "binance").stdout
    assert "2026-04-14" in told
    assert "no adl" in told
    body = json.loads(run("venues", "binance", "--json").stdout)
    throttles = [line["throttle"] for line in body["venues"][0]["coverage"] if line["kind"] == "liquidation"]
    assert throttles == ["latest per symbol and window", "largest per symbol and window"]


def test_a_venue_that_does_not_exist_is_an_error_that_names_the_others():
    with pytest.raises(ConfigError, match="no venue 'mtgox'"):
        run("venues", "mtgox")


@pytest.mark.parametrize(
    ("is_stamped", "is_zipped"), [(True, False), (True, True), (False, True), (False, False)]
)
def test_frames_become_messages(frames, tmp_path, is_stamped, is_zipped):
    text = b"".join((b"%d " % ns if is_stamped else b"") + frame + b"\n" for ns, frame in frames)
    path = tmp_path / "frames"
    path.write_bytes(gzip.compress(text) if is_zipped else text)
    found = lines(run("decode", "--venue", "binance", path))
    assert [row["kind"] for row in found] == ["trade"] * 2 + ["liquidation"] * 2 + ["mark", "funding"]
    assert [row["side"] for row in found if row["kind"] == "liquidation"] == [1, -1]
    if is_stamped:
        assert [row["ts_received_ns"] for row in found[:2]] == [ns for ns, _ in frames[:2]]
    only = lines(run("decode", "--venue", "binance", "--channel", "forceOrder", path))
    assert [row["kind"] for row in only] == ["liquidation"] * 2


def test_counts_and_rejects_by_reason(frames, tmp_path):
    path = tmp_path / "frames"
    bad = [(NOW_NS, b'{"e":"kline","E":1}'), (NOW_NS, b"{{"), (NOW_NS, b"{{")]
    path.write_bytes(b"".join(b"%d %b\n" % one for one in [*frames, *bad]))
    body = json.loads(run("decode", "--venue", "binance", "--json", path).stdout)
    assert body["rows"] == {"trade": 2, "liquidation": 2, "mark": 1, "funding": 1}
    assert {(one["channel"], one["reason"]): one["n"] for one in body["rejects"]} == {
        ("kline", "unknown channel"): 1, ("?", "not JSON"): 2,
    }  # fmt: skip
    assert body["frames"] == len(frames) + 3
    assert body["warnings"], "contracts were guessed"
    told = run("decode", "--venue", "binance", path).stderr
    assert "rejected 2 of ?: not JSON" in told


def test_a_recording_with_answers_rebuilds_a_book_with_the_contracts_of_its_tape(tmp_path):
    play = Play("binance", mends=False).connect(kinds=frozenset({Kind.BOOK_LEVEL}))
    item = play.script.contracts[0]
    with TapeWriter(tmp_path / "tape", simulated=False) as tape:
        from faultline.instruments import instrument_rows
        from faultline.messages import Batch

        found = play.contracts[item.symbol]
        tape.append([Batch(Kind.INSTRUMENT, found.id, instrument_rows(found, NOW_NS))])
    play.seen.clear()
    facts = play.at(item).of(Kind.BOOK_LEVEL)
    play.publish(*facts)
    raw = RawFrames(tmp_path / "tape-raw")
    for name, frame, received_ns in play.seen:
        assert not name
        raw.write("binance", "public-0", received_ns, frame)
    poll = play.venue.feed.book_snapshot(item.symbol)
    raw.write("binance", f"rest-{poll.channel}-{poll.symbol}", play.now_ns + 1, play.fetch(poll.request))
    raw.close()
    files = sorted((tmp_path / "tape-raw/binance").iterdir())
    assert len(files) == 2
    body = json.loads(run("decode", "--venue", "binance", "--json", *files).stdout)
    assert body["warnings"] == []
    assert body["rejects"] == []
    assert body["rows"]["book_level"] >= 4


def test_what_cannot_be_read_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "frames.gz"
    path.write_bytes(gzip.compress(b'{"e":"aggTrade","s":"BTCUSDT"}\n' * 50)[:-20])
    with pytest.raises(ImportRejected, match="cannot be read"):
        run("decode", "--venue", "binance", path)
    with pytest.raises(ImportRejected, match="cannot be read"):
        run("decode", "--venue", "binance", tmp_path / "none")
    nameless = tmp_path / "nameless"
    nameless.write_bytes(b'{"a":1}\n')
    with pytest.raises(ConfigError, match="no contract of binance"):
        run("decode", "--venue", "binance", nameless)
