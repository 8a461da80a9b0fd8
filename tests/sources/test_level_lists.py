"""Lists of price levels read from their bytes beside msgspec: the same numbers, and what is unusual is left to it."""

from __future__ import annotations

import random

import msgspec
import numpy as np
import pytest
from tests.sources.depth_mutations import PIECES

from faultline.sources.level_lists import NO_LEVELS, PAIRS, LevelLists, base_units
from faultline.sources.registry import SLUGS, venue_of


class Named(msgspec.Struct):
    px: float
    sz: float


class Both(msgspec.Struct):
    bids: msgspec.Raw
    asks: msgspec.Raw


#: Form, type of a list, and one level of it.
FORMS = {
    "pairs": (*PAIRS, b'["100.5","2"]'),
    "numbers": (*PAIRS, b"[100.5,2]"),
    "with orders": ("[%,%,%]", list[tuple[float, float, float]], b"[100.5,2,17]"),
    "with texts": ('[%,%,"?","?"]', list[tuple[float, float, str, str]], b'["100.5","2","0","x y"]'),
    "with a word first": ('["?",%,%]', list[tuple[str, float, float]], b'["new",100.5,2.0]'),
    "named": ('{"px":%,"sz":%,"n":%}', list[Named], b'{"px":"100.5","sz":"2","n":3}'),
}


def raw(*levels):
    return msgspec.Raw(b"[" + b",".join(levels) + b"]")


def is_read_from_bytes(lists, bids, asks, monkeypatch):
    """Whether msgspec had nothing to do."""
    asked = []
    with monkeypatch.context() as patch:
        patch.setattr(lists, "_decode", lambda side: asked.append(side) or [])
        lists.read(bids, asks)
    return not asked


@pytest.mark.parametrize("name", FORMS)
def test_levels_of_every_form_are_read_from_their_bytes(name, monkeypatch):
    form, rows, level = FORMS[name]
    lists = LevelLists(form, rows)
    spaced = raw(level, b" " + level.replace(b",", b", ").replace(b":", b": "))
    bids, asks = lists.read(raw(level, level), raw(level))
    assert bids.tolist() == [[100.5, 2.0]] * 2
    assert asks.tolist() == [[100.5, 2.0]]
    assert is_read_from_bytes(lists, raw(level, level), raw(level), monkeypatch)
    assert is_read_from_bytes(lists, spaced, NO_LEVELS, monkeypatch)
    assert is_read_from_bytes(lists, NO_LEVELS, NO_LEVELS, monkeypatch)


@pytest.mark.parametrize("name", FORMS)
def test_what_is_written_otherwise_is_read_too(name, monkeypatch):
    form, rows, level = FORMS[name]
    lists = LevelLists(form, rows)
    for other in (level.replace(b"100.5", b"1.005e2"), level.replace(b",", b" , ")):
        bids, asks = lists.read(raw(level), raw(other, level))
        assert bids.tolist() == [[100.5, 2.0]]
        assert asks.tolist() == [[100.5, 2.0]] * 2
        assert not is_read_from_bytes(lists, raw(level), raw(other, level), monkeypatch)


def test_contracts_become_base_units():
    lists = LevelLists(*PAIRS)
    told = raw(b'["100.5","2"]', b'["0","2"]', b'["99.9","0"]')
    numbers = np.array([[100.5, 2.0], [0.0, 2.0], [99.9, 0.0]])
    for unit, is_inverse in ((1.0, False), (0.001, False), (100.0, True)):
        bids, asks = lists.read(told, NO_LEVELS, unit, is_inverse=is_inverse)
        expected = base_units(numbers, unit, is_inverse=is_inverse)
        assert bids.tobytes() == expected.tobytes()
        assert len(asks) == 0
    assert expected[1, 1] == -1.0  # an impossible price is for Rows.levels to reject


def test_what_was_read_stays_when_the_next_lists_are_read():
    lists = LevelLists(*PAIRS)
    bids, _ = lists.read(raw(b'["100.5","2"]'), NO_LEVELS)
    lists.read(raw(b'["7","8"]'), NO_LEVELS)
    assert bids.tolist() == [[100.5, 2.0]]


def test_room_is_made_for_longer_lists(monkeypatch):
    lists = LevelLists(*PAIRS)
    for n in (1, 1_000, 3, 15_000, 2):
        levels = [b'["%d.5","2"]' % number for number in range(n)]
        bids, asks = lists.read(raw(*levels), raw(*levels[:1]))
        assert bids[:, 0].tolist() == [number + 0.5 for number in range(n)]
        assert asks.tolist() == [[0.5, 2.0]]
        assert is_read_from_bytes(lists, raw(*levels), raw(*levels[:1]), monkeypatch)


def test_lists_that_have_no_room_are_read_by_msgspec():
    lists = LevelLists(*PAIRS)
    level = b'["100.5","2"]'
    bids, asks = lists.read(raw(*[level] * 30_000), raw(level))
    assert bids.shape == (30_000, 2)
    assert asks.tolist() == [[100.5, 2.0]]


@pytest.mark.parametrize(
    "bad",
    [
        b'[["1"]]',
        b'[["1","2","3"]]',
        b"[1,2]",
        b"{}",
        b"null",
        b'"x"',
        b'[["1","x"]]',
        b"[[null,1]]",
        b"[[1,true]]",
    ],
)
def test_what_is_no_list_of_levels_is_rejected(bad):
    lists = LevelLists(*PAIRS)
    for bids, asks in ((bad, b"[]"), (b"[]", bad), (b'[["1","2"]]', bad)):
        with pytest.raises(msgspec.ValidationError):
            lists.read(msgspec.Raw(bids), msgspec.Raw(asks))


def test_spoilt_lists_are_read_as_msgspec_reads_them():
    """Whatever a mutation makes of a frame that still is JSON: equal arrays, or both refuse."""
    rng = random.Random(20_261_121)
    of_frame = msgspec.json.Decoder(Both, strict=False)
    n_same = n_refused = 0
    for _ in range(6_000):
        form, _, level = FORMS[rng.choice(list(FORMS))]
        lists = READERS[form]
        text = b'{"bids":[' + b",".join([level] * rng.randrange(3)) + b'],"asks":[' + level + b"]}"
        for _ in range(rng.randrange(3)):
            at = rng.randrange(9, len(text))
            text = text[:at] + rng.choice(PIECES) + text[at + rng.randrange(3) :]
        try:
            frame = of_frame.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        try:
            expected = [lists._read_slowly(side) for side in (frame.bids, frame.asks)]
        except (msgspec.DecodeError, UnicodeDecodeError):
            with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
                lists.read(frame.bids, frame.asks)
            n_refused += 1
            continue
        found = lists.read(frame.bids, frame.asks)
        assert [side.tobytes() for side in found] == [side.tobytes() for side in expected], text
        n_same += 1
    assert n_same > 1_000
    assert n_refused > 200


READERS = {form: LevelLists(form, rows) for form, rows, _ in FORMS.values()}


@pytest.mark.parametrize("slug", SLUGS)
def test_the_form_of_a_venue_fits_its_type(slug):
    """What is written in the form is a level to msgspec too, with the same price and quantity."""
    form, rows = venue_of(slug).mapper({}).level_form
    numbers = iter(("101.5", "2.5", "3"))
    level = "".join(next(numbers) if char == "%" else char for char in form).encode()
    bids, asks = LevelLists(form, rows).read(raw(level), NO_LEVELS)
    assert LevelLists(form, rows)._read_slowly(raw(level)).tolist() == bids.tolist() == [[101.5, 2.5]]
    assert len(asks) == 0
