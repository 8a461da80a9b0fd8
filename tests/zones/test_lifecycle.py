from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.zones.made import START_NS, path

from faultline.zones.lifecycle import follow_path
from faultline.zones.parameters import ZoneParameters
from faultline.zones.track import Track

P = ZoneParameters()
MOVE = 0.01


def zone(side=0, low=99.0, high=100.0, **more):
    return Track(
        id="z",
        side=side,
        born_ns=START_NS,
        low_usd=low,
        high_usd=high,
        peak_usd=(low + high) / 2,
        notional_usd=1e6,
        side_usd=1e7,
        confirmed=True,
        **more,
    )


def walk(track, *bars, move=MOVE):
    told = []
    follow_path(
        [track],
        path(*bars),
        move,
        P,
        lambda kind, _, at_ns, price: told.append((kind, at_ns - START_NS, price)),
    )
    return told


def flat(price):
    return (price, price, price)


def mirrored(bars):
    """The same path for a short zone that mirrors [99, 100] around 100."""
    return [(200 - high, 200 - low, 200 - close) for low, high, close in bars]


SIDES = pytest.mark.parametrize("side", [0, 1], ids=["long", "short"])


def life(side, bars, **more):
    track = zone(side, *((99.0, 100.0), (100.0, 101.0))[side], **more)
    told = walk(track, *(bars if side == 0 else mirrored(bars)))
    return track, [(kind, at_ns // 10**9, price if side == 0 else 200 - price) for kind, at_ns, price in told]


@SIDES
def test_a_zone_is_approached_hit_and_swept_at_the_end_of_the_bars_that_did_it(side) -> None:
    bars = [flat(103), (100.5, 103, 100.6), flat(100.4), (99.9, 100.4, 99.95), flat(99.5), (98.9, 99.5, 99.2)]
    track, told = life(side, bars, armed=True)
    assert told == [("approached", 2, 100.5), ("hit", 4, 99.9), ("swept", 6, pytest.approx(98.9))]
    assert (track.state, track.touches, track.before_usd) == ("swept", 1, 1e6)
    assert track.state_ns == START_NS + 6 * 10**9


@SIDES
def test_one_bar_can_hit_and_sweep(side) -> None:
    _, told = life(side, [(97.0, 103, 98.0)], armed=True)
    assert told == [("hit", 1, 97.0), ("swept", 1, 97.0)]


@SIDES
def test_a_zone_can_be_approached_again_only_from_twice_the_distance(side) -> None:
    bars = [flat(100.8), flat(101.5), flat(100.8), flat(102.1), flat(100.8)]
    _, told = life(side, bars, armed=True)
    assert [(kind, second) for kind, second, _ in told] == [("approached", 1), ("approached", 5)]


@SIDES
def test_a_zone_that_is_born_near_price_is_not_approached_at_once(side) -> None:
    track, told = life(side, [flat(100.5), flat(100.4)])
    assert told == []
    assert (track.state, track.armed) == ("standing", False)


@SIDES
def test_a_candidate_is_neither_approached_nor_made_ready_for_it(side) -> None:
    bars = [flat(103), flat(100.5), flat(103)]
    track = zone(side, *((99.0, 100.0), (100.0, 101.0))[side])
    track.confirmed = False
    assert walk(track, *(bars if side == 0 else mirrored(bars))) == []
    assert (track.state, track.armed) == ("standing", False)


@SIDES
def test_a_zone_from_which_price_retreats_stands_again_and_can_be_hit_again(side) -> None:
    bars = [flat(99.5), flat(100.5), flat(101.1), flat(99.6)]
    track, told = life(side, bars[:3])
    assert (track.state, track.touches) == ("standing", 1)
    track, told = life(side, bars)
    assert [(kind, second) for kind, second, _ in told] == [("hit", 1), ("hit", 4)]
    assert track.touches == 2


def test_while_the_typical_move_is_unknown_zones_are_hit_and_swept_but_not_approached() -> None:
    track = zone(armed=True)
    assert [kind for kind, *_ in walk(track, flat(100.01), flat(99.9), flat(98.0), move=math.nan)] == [
        "hit",
        "swept",
    ]


def test_a_bar_without_prices_does_nothing() -> None:
    track = zone(armed=True)
    assert walk(track, flat(np.nan), flat(np.nan)) == []
    assert track == zone(armed=True)


def test_a_zone_on_the_other_side_of_price_is_not_met_by_it() -> None:
    assert walk(zone(1, 105.0, 106.0, armed=True), flat(100.0), flat(90.0)) == []


walks = st.integers(0, 10_000).map(
    lambda seed: 100.6 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 2e-3, 200)))
)


@given(walks, st.sets(st.integers(1, 199)))
def test_bars_in_one_call_or_in_pieces_do_the_same(closes, cuts) -> None:
    before = np.concatenate([[100.6], closes[:-1]])
    bars = path(*zip(np.minimum(before, closes), np.maximum(before, closes), closes, strict=True))
    lives = []
    for edges in ([0, 200], [0, *sorted(cuts), 200], list(range(201))):
        tracks = [zone(0, 99.0, 100.0), zone(0, 97.0, 98.0), zone(1, 101.0, 102.0), zone(1, 103.5, 104.0)]
        told: list = []
        for begin, end in itertools.pairwise(edges):
            follow_path(
                tracks,
                bars[begin:end],
                MOVE,
                P,
                lambda kind, track, *rest, into=told: into.append((kind, track.side, track.low_usd, *rest)),
            )
        lives.append((tracks, told))
    assert lives[0] == lives[1] == lives[2]


@given(walks)
def test_every_hit_is_a_bar_that_reached_the_edge_and_every_sweep_one_that_passed_it(closes) -> None:
    before = np.concatenate([[100.6], closes[:-1]])
    bars = path(*zip(np.minimum(before, closes), np.maximum(before, closes), closes, strict=True))
    track = zone()
    told = walk(track, *zip(bars["low_usd"], bars["high_usd"], bars["close_usd"], strict=True))
    reached, passed = np.flatnonzero(bars["low_usd"] <= 100.0), np.flatnonzero(bars["low_usd"] <= 99.0)
    hits = [at_ns // 10**9 - 1 for kind, at_ns, _ in told if kind == "hit"]
    sweeps = [at_ns // 10**9 - 1 for kind, at_ns, _ in told if kind == "swept"]
    assert hits[:1] == reached[:1].tolist()
    assert set(hits) <= set(reached.tolist())
    assert sweeps == passed[:1].tolist()
