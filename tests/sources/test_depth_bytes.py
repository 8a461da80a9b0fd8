"""The byte reader of depth frames beside the JSON decoder: what it reads is the same, what it does not it leaves."""

from __future__ import annotations

import gzip
import os
import random

import numpy as np
import pytest
from tests.sources.depth_mutations import LAYOUTS, mutated, random_frame, readers, slow

from faultline.sources.depth_bytes import FRAME_BYTES_MAX, DepthReader

IS_LONG = os.environ.get("FAULTLINE_FUZZ") == "1"
N_FRAMES = 1_000_000 if IS_LONG else 20_000
FRAME = (
    b'{"e":"depthUpdate","E":1762000000215,"T":1762000000209,"s":"ETHUSDT","U":9,"u":12,"pu":8,'
    b'"b":[["3500.10","0.250"],["3499","0"]],"a":[["3500.20","12.5"]]}'
)


def reader():
    return DepthReader(*LAYOUTS[:2])


def test_a_frame_is_read_from_its_bytes():
    texts, numbers, bids, asks = reader().read(FRAME)
    assert texts == ["ETHUSDT"]
    assert numbers == [1762000000215, 1762000000209, 9, 12, 8]
    assert bids.tolist() == [[3500.1, 0.25], [3499.0, 0.0]]
    assert asks.tolist() == [[3500.2, 12.5]]


def test_what_was_read_stays_when_the_next_frame_is_read():
    one = reader()
    first = one.read(FRAME)
    kept = first[2].copy()
    one.read(FRAME.replace(b"3500", b"4700"))
    assert np.array_equal(first[2], kept)


def test_a_short_frame_after_a_long_one_does_not_see_its_end():
    one = reader()
    assert one.read(FRAME) is not None
    for n in range(len(FRAME)):
        assert one.read(FRAME[:n]) is None, n


@pytest.mark.parametrize(
    ("what", "other"),
    [
        (b'"3500.10"', b'"3.50010e3"'), (b'"3500.10"', b'" 3500.10"'), (b'"3500.10"', b'"-3500.10"'),
        (b'"3500.10"', b'"+3500.10"'), (b'"3500.10"', b'"03500.10"'), (b'"3500.10"', b'"3500."'),
        (b'"3500.10"', b'".5"'), (b'"3500.10"', b'""'), (b'"3500.10"', b'"nan"'), (b'"3500.10"', b'"\\u0033500.10"'),
        (b'"3500.10"', b"3500.10"), (b'"3500.10"', b'"9007199254740993"'), (b'"3500.10"', b'"0.12345678901234567"'),
        (b'"3500.10"', b'"0.00000000000000000000001"'), (b'"3500.10","0.250"', b'"3500.10","0.250","0"'),
        (b'"3500.10","0.250"', b'"3500.10"'), (b'"U":9', b'"U": 9'), (b'"U":9', b'"U":09'), (b'"U":9', b'"U":-9'),
        (b'"U":9', b'"U":9.0'), (b'"U":9', b'"U":9e1'), (b'"U":9', b'"U":"9"'), (b'"U":9', b'"U":9999999999999999999'),
        (b'"U":9,"u":12', b'"u":12,"U":9'), (b'"pu":8', b'"pu":8,"st":1'), (b"ETHUSDT", b"ETH\\nUSDT"),
        (b"ETHUSDT", b"ETH\xc3\xa9"), (b"ETHUSDT", b"ETH\x01"), (b"]]}", b"]]} "), (b"]]}", b"]]}}"), (b"]]}", b"]]"),
        (b"]],", b",]],"), (b'"],["', b'"],,["'), (b"]],", b"]] ,"),
    ],
)  # fmt: skip
def test_anything_unexpected_is_left_to_the_json_decoder(what, other):
    assert FRAME.count(what) >= 1
    assert reader().read(FRAME.replace(what, other, 1)) is None


def test_a_frame_that_is_too_long_is_left_to_the_json_decoder():
    level = b'["3500.10","0.250"]'
    n = FRAME_BYTES_MAX // (len(level) + 1)
    body = FRAME[: FRAME.index(b'"b":')] + b'"b":[' + b",".join([level] * n) + b'],"a":[]}'
    assert len(body) > FRAME_BYTES_MAX
    assert reader().read(body) is None
    inside = FRAME[: FRAME.index(b'"b":')] + b'"b":[' + b",".join([level] * (n - 20)) + b'],"a":[]}'
    assert len(reader().read(inside)[2]) == n - 20


def test_the_most_levels_that_fit_into_a_frame_have_room():
    one = DepthReader('{"b":%,"a":%}')
    n = (FRAME_BYTES_MAX - len(b'{"b":[],"a":[]}')) // len(b'["1","2"],')
    found = one.read(b'{"b":[' + b",".join([b'["1","2"]'] * n) + b'],"a":[]}')
    assert found[2].shape == (n, 2)


def test_numbers_are_the_nearest_floats():
    rng = random.Random(5)
    one = DepthReader('{"b":%,"a":%}')
    for _ in range(2_000):
        places = rng.randrange(16)
        whole = str(rng.randrange(10 ** rng.randrange(1, 17 - places)))
        text = f"{whole}.{rng.randrange(10**places):0{places}d}" if places else whole
        found = one.read(f'{{"b":[["{text}","1"]],"a":[]}}'.encode())
        mantissa = int(text.replace(".", ""))
        assert (found is not None) == (mantissa <= 2**53 and len(text.replace(".", "")) <= 18), text
        if found is not None:
            assert found[2][0, 0] == float(text), text


@pytest.mark.fuzz
@pytest.mark.timeout(3_600)
def test_mutated_frames_are_read_as_the_json_decoder_reads_them():
    rng = random.Random(20_261_121)
    quick = {False: readers()[0], True: readers()[1]}
    n_read = n_changed = 0
    for _ in range(N_FRAMES // 8):
        frame, is_bybit = random_frame(rng, 4)
        for body in [frame, *(mutated(frame, rng) for _ in range(7))]:
            found = quick[is_bybit].read(body)
            if found is None:
                continue
            n_read += 1
            n_changed += body != frame
            expected = slow(body, is_bybit)
            assert expected is not None, body
            assert found[:2] == expected[:2], body
            for ours, theirs in ((found[2], expected[2]), (found[3], expected[3])):
                assert ours.tobytes() == np.array(theirs, dtype=np.float64).reshape(-1, 2).tobytes(), body
    print(f"{N_FRAMES} frames, {n_read} read from their bytes, {n_changed} of them mutated")
    assert n_changed > N_FRAMES // 20


@pytest.mark.recorded
def test_every_recorded_change_is_read_from_its_bytes(recorded):
    path = recorded / "binance_raw_frames" / "usdm_btcusdt_20240808.gz"
    if not path.is_file():
        pytest.skip(f"no recorded frames at {path}")
    one, n = readers()[0], 0
    with gzip.open(path, "rb") as stream:
        for line in stream:
            frame = line.partition(b" ")[2].rstrip(b"\n")
            if b'"depthUpdate"' in frame:
                found = one.read(frame)
                expected = slow(frame, is_bybit=False)
                assert found[:2] == expected[:2]
                assert found[2].tolist() == [list(level) for level in expected[2]]
                assert found[3].tolist() == [list(level) for level in expected[3]]
                n += 1
    assert n > 1_000
