"""Every venue on frames that are wrong: nothing raises, nothing impossible becomes a row, all is counted."""

from __future__ import annotations

import dataclasses
import json
import random

import numpy as np
import pytest
from tests.sources.venues.play import Play, current_lines, everything, spoilt_bodies

from faultline.messages import Kind
from faultline.sources.registry import SLUGS
from faultline.sources.rows import Reason
from faultline.units import DAY_NS

HOSTILE = (
    b"", b"\x00", b"{", b"[", b"]]", b"null", b"true", b"0", b'""', b"[]", b"{}", b"nope", b"\xff\xfe\x00",
    b'{"topic":1,"channel":2,"e":3,"stream":4,"event":5,"method":6,"op":7,"type":8,"action":9,"table":10}',
    b'{"topic":"no.such","channel":"no.such","e":"noSuch","stream":"no@such","event":"noSuch","method":"noSuch"}',
    b'{"data":[[[[[[[[]]]]]]]]}', b"[" * 2_000, b'{"a":' * 2_000, b"9" * 5_000,
)  # fmt: skip

pytestmark = pytest.mark.parametrize("slug", SLUGS)


def _map(mapper, name, body, received_ns, out):
    if name:
        channel, _, symbol = name.partition(" ")
        mapper.map_answer(channel, symbol, body, received_ns, out)
    else:
        mapper.map(body, received_ns, out)


def test_hostile_frames_are_counted_and_never_raise(slug):
    play = everything(slug)
    mapper = play.venue.mapper(play.contracts)
    for body in HOSTILE:
        before = sum(one.n for one in play.out.rejects.values())
        play.drain()
        mapper.map(body, play.now_ns, play.out)
        assert play.drain() == {}
        if body not in {b"{}", b"[]"}:
            assert sum(one.n for one in play.out.rejects.values()) == before + 1, body[:80]
        for poll in play.polls:
            mapper.map_answer(poll.channel, poll.symbol, body, play.now_ns, play.out)
        assert play.drain() == {}
    mapper.map_answer("no such channel", "BTC", b"{}", play.now_ns, play.out)
    assert ("no such channel", Reason.UNKNOWN_CHANNEL) in play.out.rejects
    mapper.map(b" " * (17 * 2**20), play.now_ns, play.out)
    assert ("?", Reason.TOO_LARGE) in play.out.rejects


def test_truncated_frames_give_nothing(slug):
    play = everything(slug)
    frames = {(name, body): received for name, body, received in play.seen if len(body) > 8}
    mapper = play.venue.mapper(play.contracts)
    play.drain()
    for (name, body), received_ns in frames.items():
        for cut in (len(body) // 3, len(body) // 2, len(body) - 1):
            _map(mapper, name, body[:cut], received_ns, play.out)
    assert play.drain() == {}
    assert play.out.rejects


def _is_json(body):
    try:
        return isinstance(json.loads(body), dict | list)
    except ValueError:
        return False


def test_wrong_types_and_impossible_values_never_become_rows(slug):
    """Whatever is spoilt in a frame: no exception, and every row that still comes is possible."""
    play = everything(slug)
    shapes = {}
    for name, body, received_ns in play.seen:
        if _is_json(body):
            shapes.setdefault(
                (name.partition(" ")[0], body[:40], len(body) // 200), (name, body, received_ns)
            )
    play.drain()
    mapper = play.venue.mapper(play.contracts)
    for name, body, received_ns in shapes.values():
        _map(mapper, name, body, received_ns, play.out)
        for spoilt in spoilt_bodies(body):
            _map(mapper, name, spoilt, received_ns, play.out)
        play.out.controls.clear()
    for (kind, _), rows in play.drain().items():
        for field in ("price_usd", "mark_price_usd", "entry_price_usd"):
            if field in rows.dtype.names:
                # A position that is gone has no entry.
                stands = rows["side"] != 0 if kind is Kind.WALLET_POSITION else slice(None)
                kept = rows[field][stands]
                assert np.isfinite(kept).all()
                assert (kept > 0).all()
        if "qty_base" in rows.dtype.names:
            assert np.isfinite(rows["qty_base"]).all()
            assert (rows["qty_base"] >= 0).all()
    assert {reason for _, reason in play.out.rejects} & {Reason.WRONG_SHAPE, Reason.IMPOSSIBLE_VALUE}


def test_flipped_bytes_never_raise(slug):
    play = everything(slug)
    chance = random.Random(7)
    mapper = play.venue.mapper(play.contracts)
    for name, body, received_ns in play.seen:
        for _ in range(3):
            flipped = bytearray(body)
            for _ in range(chance.randrange(1, 4)):
                if flipped:
                    flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
            _map(mapper, name, bytes(flipped), received_ns, play.out)
    play.drain()


def test_impossible_facts_are_rejected_with_channel_and_reason(slug):
    play = Play(slug).connect()
    play.drain()  # some venues tell the state of now at once
    lines = {line.channel for line in current_lines(play.venue, Kind.TRADE)}
    item = play.script.contracts[0]
    good = play.at(item).trade(1)
    cases = (
        (Reason.IMPOSSIBLE_VALUE, {"price_usd": -good.price_usd}),
        (Reason.IMPOSSIBLE_VALUE, {"qty_base": 0.0}),
        (Reason.IMPOSSIBLE_TIME, {"ts_ns": good.ts_ns - 4_000 * DAY_NS}),
        (Reason.IMPOSSIBLE_TIME, {"ts_ns": good.ts_ns + 3 * DAY_NS}),
    )
    for number, (reason, change) in enumerate(cases):
        bad = dataclasses.replace(good, seq=good.seq + number, **change)
        for topic, frame in play.script.frames(bad, play.now_ns):
            for connection in play.connections:
                if topic in connection.client.topics:
                    connection.mapper.map(frame, play.now_ns, play.out)
        assert play.drain() == {}
        found = {(channel, why) for channel, why in play.out.rejects}
        assert any(channel in lines and why is reason for channel, why in found), (reason, change, found)
        play.out.rejects.clear()
    play.publish(dataclasses.replace(good, seq=good.seq + 9))
    assert len(play.drain(Kind.TRADE)[item.symbol]) == 1, "a good trade after bad ones is taken"


def test_contracts_that_were_not_asked_for_give_no_rows(slug):
    """They are rejected as unknown, or passed over where the venue sends all contracts to everyone."""
    play = everything(slug)
    play.drain()
    play.out.rejects.clear()
    stranger = play.venue.mapper({})
    topics = {}
    for name, body, received_ns in play.seen:
        before = sum(one.n for one in play.out.rejects.values())
        _map(stranger, name, body, received_ns, play.out)
        topics[body] = sum(one.n for one in play.out.rejects.values()) - before
    play.out.controls.clear()
    assert play.drain() == {}
    assert Reason.UNKNOWN_SYMBOL in {reason for _, reason in play.out.rejects}
    assert {reason for _, reason in play.out.rejects} <= {Reason.UNKNOWN_SYMBOL}


def test_the_same_frames_give_the_same_bytes(slug):
    play = everything(slug)

    def rows_of(every):
        mapper, out, parts = play.venue.mapper(play.contracts), type(play.out)(slug), {}
        for number, (name, body, received_ns) in enumerate(play.seen):
            _map(mapper, name, body, received_ns, out)
            if number % every == 0:
                for batch in out.drain():
                    parts.setdefault((batch.kind, batch.instrument_id), []).append(batch.rows.tobytes())
        for batch in out.drain():
            parts.setdefault((batch.kind, batch.instrument_id), []).append(batch.rows.tobytes())
        return {key: b"".join(one) for key, one in parts.items()}

    assert rows_of(1) == rows_of(7) == rows_of(10_000)


def test_a_new_connection_starts_from_nothing(slug):
    """After ``reset`` the mapper gives what a new mapper gives."""
    play = everything(slug)
    used, out = play.venue.mapper(play.contracts), type(play.out)(slug)
    for name, body, received_ns in play.seen:
        _map(used, name, body, received_ns, out)
    out.drain()
    used.reset()
    fresh, other = play.venue.mapper(play.contracts), type(play.out)(slug)
    for name, body, received_ns in play.seen:
        _map(used, name, body, received_ns, out)
        _map(fresh, name, body, received_ns, other)
    again, new = (
        {(batch.kind, batch.instrument_id): batch.rows.tobytes() for batch in rows.drain()}
        for rows in (out, other)
    )
    assert again == new
