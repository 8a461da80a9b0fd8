"""Maps as assumed and as learned stand for five minutes; the one under which events came is trusted more."""

from __future__ import annotations

import types

import numpy as np
import pytest

from faultline.heatmap.grid import BUCKET_LOG, bucket_of
from faultline.learning.pool import FLOOR
from faultline.market.path import PATH_ROW
from faultline.pipeline.map_trial import TRIAL_NS, MapTrial
from faultline.pipeline.step import LocatedEvents
from faultline.units import Side

PRICE = 50_000.0
WIDTH = 100
ASSUMED, LEARNED = np.array([0.5, 0.5]), np.array([0.2, 0.8])


class Instrument:
    """An instrument with an even map under the assumed mix, and under another one all of it on one side."""

    def __init__(self) -> None:
        first = bucket_of(PRICE) - WIDTH // 2
        self.ledger = types.SimpleNamespace(
            first_bucket=first, remaining=np.ones((2, WIDTH), dtype=np.float32)
        )
        self.side = 0

    def heat_usd(self, _now_ns: int, mixes: np.ndarray) -> np.ndarray:
        usd = np.ones((len(mixes), 2, WIDTH)) * 1e4
        for k, mix in enumerate(mixes):
            if not np.array_equal(mix, ASSUMED):
                usd[k, 1 - self.side] = 0.0
        return usd


def path(low: float, high: float) -> np.ndarray:
    row = np.zeros(1, dtype=PATH_ROW)
    row["low_usd"], row["high_usd"] = low, high
    return row


def events(side: int, n: int) -> LocatedEvents:
    number = np.zeros(n)
    return LocatedEvents(
        instrument=np.full(n, "v:BTCUSDT"),
        received_ns=number.astype(np.int64),
        event_ns=number.astype(np.int64),
        side=np.full(n, (Side.LONG, Side.SHORT)[side], dtype=np.int8),
        price_usd=number + PRICE,
        trigger_usd=number + PRICE,
        notional_usd=number + 1.0,
        price_kind=number.astype(np.uint8),
        flags=number.astype(np.uint32),
    )


def play(
    trial: MapTrial, windows: range, *, learned=LEARNED, right=True, teaches=True, pieces=1, resumes=False
) -> MapTrial:
    """Windows in which ten events come on a side that the learned map knows, or takes for the other."""
    item, mixes = Instrument(), np.stack([ASSUMED, learned])
    sides = np.random.default_rng(1).integers(0, 2, 200)
    span = PRICE * 3 * BUCKET_LOG
    for k in windows:
        side = int(sides[k])
        item.side = side if right else 1 - side
        trial.close(k * TRIAL_NS, [(item, mixes)], teaches=teaches)
        for end in np.linspace(0, span, pieces + 1)[1:]:
            if resumes:
                trial = MapTrial.from_state(trial.state())
            trial.apply(path(PRICE - end, PRICE + end), events(side, 10 // pieces))
    return trial


@pytest.mark.parametrize(("right", "trust"), [(True, 1 - FLOOR), (False, FLOOR)])
def test_the_learned_maps_are_trusted_as_far_as_events_came_where_they_said(right, trust) -> None:
    trial = MapTrial()
    assert trial.trust == 0.5
    assert play(trial, range(60), right=right).trust == pytest.approx(trust, abs=1e-3)


def test_trust_comes_back() -> None:
    trial = play(MapTrial(), range(12), right=False)
    assert trial.trust < 0.1
    assert play(trial, range(12, 190)).trust > 0.9


def test_without_something_learned_there_is_no_trial() -> None:
    trial = play(MapTrial(), range(40), learned=ASSUMED)
    assert trial.trust == 0.5
    assert trial.state()["first"].size == 0


def test_the_silence_of_feeds_that_are_down_says_nothing() -> None:
    trial = play(MapTrial(), range(40))
    trust = trial.trust
    assert trust > 0.9
    assert play(trial, range(40, 60), teaches=False, right=False).trust == trust


def test_a_window_without_a_price_says_nothing() -> None:
    trial = play(MapTrial(), range(40))
    trial.close(40 * TRIAL_NS, [(Instrument(), np.stack([ASSUMED, LEARNED]))], teaches=True)
    trust = trial.trust
    trial.apply(path(np.nan, np.nan), events(0, 50))
    trial.close(41 * TRIAL_NS, [], teaches=True)
    assert trial.trust == trust


def test_pieces_of_a_window_and_checkpoints_inside_it_change_no_byte() -> None:
    whole = play(MapTrial(), range(30)).state()
    cut = play(MapTrial(), range(30), pieces=5, resumes=True).state()
    assert {key: value.tobytes() for key, value in whole.items()} == {
        key: value.tobytes() for key, value in cut.items()
    }
