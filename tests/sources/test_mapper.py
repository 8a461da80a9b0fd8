"""What every mapper does alike: streams that are known, and contracts as base units."""

from __future__ import annotations

import math

import pytest

from faultline.instruments import ContractKind, FormulaFamily, Instrument, Tier
from faultline.sources import mapper as module
from faultline.sources.mapper import VenueMapper
from faultline.sources.rows import FrameReject, Reason, Rows


class Plain(VenueMapper):
    """Frames are ``{"topic":"NAME","n":..}``; those that reach ``_map_frame`` are counted."""

    venue = "plain"
    stream_start = b'{"topic":"'
    stream_bytes = 16

    def reset(self):
        self.n_unknown, self.seen = 0, []

    def _map_frame(self, frame, out):
        self.n_unknown += 1
        out.channel = "channel"
        self.take(frame, bytes, Plain._apply, out)

    def _apply(self, frame, out):
        if b"bad" in frame:
            raise FrameReject(Reason.UNKNOWN_WORD, "bad")
        self.seen.append((out.channel, frame))
        if b"nothing" not in frame:
            out.mark("A", 1, 1.0)

    def _map_answer(self, channel, symbol, body, out):
        raise FrameReject(Reason.UNKNOWN_CHANNEL, channel)


def contract(symbol, kind, size):
    tier = Tier(0.0, math.inf, 0.005, 100.0)
    return Instrument(
        f"plain:{symbol}", "BTC", "USDT", kind, FormulaFamily.MARK_VALUED, size, 0.1, 0.001, math.nan, (tier,)
    )


def frame(name, n=1):
    return f'{{"topic":"{name}","n":{n}}}'.encode()


def test_later_frames_of_a_stream_go_straight_to_its_method():
    mapper, out = Plain({}), Rows("plain")
    frames = [frame("a"), frame("b"), frame("a", 2), frame("b", 2), frame("aa"), frame("a", 3)]
    for one in frames:
        mapper.map(one, 1, out)
    assert mapper.seen == [("channel", one) for one in frames]
    assert mapper.n_unknown == 3


def test_what_is_wrong_in_a_known_stream_is_counted_with_its_channel():
    mapper, out = Plain({}), Rows("plain")
    mapper.map(frame("a"), 1, out)
    mapper.map(frame("a", '"bad"'), 1, out)
    assert mapper.n_unknown == 1
    (((channel, reason), one),) = out.rejects.items()
    assert (channel, reason, one.n, one.sample) == (
        "channel",
        Reason.UNKNOWN_WORD,
        1,
        '{"topic":"a","n":"bad"}',
    )


def test_frames_that_do_not_begin_with_their_stream_are_not_known():
    mapper, out = Plain({}), Rows("plain")
    for _ in range(2):
        for one in (b'{"n":1,"topic":"a"}', b"{}", b"", frame("long name"), frame("long nam")):
            mapper.map(one, 1, out)
    assert mapper.n_unknown == 10
    assert not mapper._known


def test_a_stream_is_known_once_it_gave_rows():
    mapper, out = Plain({}), Rows("plain")
    for n in ('"nothing"', '"nothing"', 1, '"nothing"', 2):
        mapper.map(frame("a", n), 1, out)
    assert mapper.n_unknown == 3


def test_streams_without_end_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(module, "_STREAMS_MAX", 10)
    mapper, out = Plain({}), Rows("plain")
    for number in range(100):
        mapper.map(frame(f"s{number}"), 1, out)
        assert len(mapper._known) <= 10
    assert mapper.n_unknown == 100


def test_base_quantities_are_the_first_of_the_amounts():
    symbols = {"L": contract("L", ContractKind.LINEAR, 0.01), "I": contract("I", ContractKind.INVERSE, 100.0)}
    mapper = Plain(symbols)
    for symbol in symbols:
        for qty, price in ((3.0, 50_000.0), (0.7, 123.4), (2.0, 0.0)):
            assert mapper.base_qty(symbol, qty, price) == mapper.amounts(symbol, qty, price)[0]
    with pytest.raises(FrameReject, match="asked for"):
        mapper.base_qty("X", 1.0, 1.0)
