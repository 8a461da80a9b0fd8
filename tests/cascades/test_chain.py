"""The learner in made-up markets with and without contagion, and what a forecast holds."""

from __future__ import annotations

import functools
import math

import msgspec
import numpy as np
import pytest
from tests.cascades.worlds import (
    TAU_S,
    DepthBetas,
    World,
    log_loss,
    outcome,
    reliability_slope,
    simulate,
)

from faultline.cascades.chain import GREY_BELOW, CascadeLearner, ChainForecast, ChainSettings
from faultline.cascades.episodes import ExcessTally
from faultline.cascades.hazard import ChainHazard, HazardSettings
from faultline.cascades.impact import NOMINAL, Book, book_flow_usd
from faultline.cascades.situation import FEATURES, features, passage_probs
from faultline.errors import RequestError, StoreError
from faultline.units import DAY_NS

CONTAGION = (World("sqrt", 4.0), World("linear", 0.6))
QUIET = World("none")
BURN_IN = 600
HITS = 2400


class Run:
    """A learner that went through a world, what it said before each hit, and what came of it."""

    def __init__(self, world, n_hits=HITS, seed=5):
        self.situations, self.reached, self.delays, self.released = simulate(world, n_hits, seed)
        self.learner, betas, self.tally = CascadeLearner(), DepthBetas(), ExcessTally(1000 * DAY_NS)
        self.rows, self.chains = [], []
        for i, situation in enumerate(self.situations):
            raw = self.learner.raw_probs(situation)
            said = self.learner.recalibration.map(raw)
            at_risk = min(self.reached[i] + 1, situation.levels.n)
            alone = passage_probs(situation)[:at_risk]
            if i >= BURN_IN:
                happened = (np.arange(at_risk) < self.reached[i]).astype(float)
                hops = said / np.concatenate([[1.0], said[:-1]])
                self.rows += zip(hops[:at_risk], betas.hazards()[:at_risk], alone, happened, strict=True)
                depth = np.arange(1, situation.levels.n + 1)
                self.chains += zip(said, depth <= self.reached[i], depth, strict=True)
            self.tally.apply(situation.time_ns, alone, int(self.reached[i]))
            self.learner.apply(outcome(situation, self.reached[i], self.delays[i], self.released[i], raw))
            passed = slice(0, int(self.reached[i]) + 1)
            swept_usd = sum(situation.levels.mass_usd[passed])
            self.learner.fraction.apply(situation.time_ns, self.released[i][passed].sum(), swept_usd)
            betas.apply(self.reached[i], at_risk)
        self.rows, self.chains = np.array(self.rows, float), np.array(self.chains, float)


@functools.cache
def run(world):
    return Run(world)


@pytest.mark.parametrize("world", CONTAGION, ids=lambda world: world.impact)
def test_contagion_is_foretold_far_better_than_by_counting_depths(world):
    said, betas, alone, happened = run(world).rows.T
    loss = [log_loss(p, happened).mean() for p in (said, betas, alone)]
    assert loss[0] <= 0.7 * loss[1]
    assert loss[0] <= 0.7 * loss[2]


@pytest.mark.parametrize("world", [*CONTAGION, QUIET], ids=lambda world: world.impact)
def test_what_is_said_comes_true_as_often_as_it_is_said(world):
    said, reached, depth = run(world).chains.T
    slope, _ = reliability_slope(said, reached)
    assert 0.9 <= slope <= 1.1
    for k in (1, 3, 6):
        assert said[depth == k].mean() == pytest.approx(reached[depth == k].mean(), abs=0.03)


@pytest.mark.parametrize("world", CONTAGION, ids=lambda world: world.impact)
def test_contagion_is_an_excess_over_plain_volatility(world):
    tally = run(world).tally
    assert tally.ratio > 1.3
    assert tally.tail_prob < 1e-6
    assert run(world).learner.hazard.model_share > 0.9


def test_a_market_without_contagion_has_no_excess():
    quiet = run(QUIET)
    assert abs(quiet.tally.excess) < 0.015
    assert quiet.tally.tail_prob > 0.02
    excess = [
        probability
        for situation in quiet.situations[-200:]
        for probability in quiet.learner.forecast(situation).excess_prob
    ]
    assert abs(np.mean(excess)) < 0.02
    said, _, alone, happened = quiet.rows.T
    assert log_loss(said, happened).mean() < log_loss(alone, happened).mean() + 0.005


def test_without_experience_a_chain_is_what_volatility_makes_of_it():
    (situation,), *_ = simulate(QUIET, 1, 3)
    forecast = CascadeLearner().forecast(situation)
    np.testing.assert_allclose(forecast.prob[:3], np.cumprod(passage_probs(situation))[:3], rtol=0.2)
    assert all(forecast.is_grey)
    assert forecast.n_observations == (0.0,) * situation.levels.n


def test_what_is_not_known_foretells_no_contagion():
    # Levels as far as those of a calm market: nothing is reached, before anything was learned or after a few hits.
    situations, reached, delays, released = simulate(World("none", gap=0.03), 40, 8)
    learner, excess = CascadeLearner(), []
    for k, situation in enumerate(situations):
        forecast = learner.forecast(situation)
        if forecast.passage_prob[0] < 0.01:
            excess.append(forecast.excess_prob[0])
        learner.apply(outcome(situation, reached[k], delays[k], released[k], forecast.raw_prob))
    assert len(excess) > 20
    assert np.mean(excess[:5]) < 0.01
    assert abs(np.mean(excess)) < 0.005


@pytest.mark.parametrize("world", CONTAGION, ids=lambda world: world.impact)
def test_intervals_hold_the_probability_and_widen_with_depth(world):
    learner = run(world).learner
    wider, widths = [], []
    for situation in run(world).situations[-100:]:
        forecast = learner.forecast(situation)
        lo, p, hi = (np.array(getattr(forecast, name)) for name in ("lo", "prob", "hi"))
        assert ((lo <= p) & (p <= hi)).all()
        assert (np.diff(p) <= 1e-12).all()
        last = int(np.count_nonzero(p > 1e-3)) - 1
        if last > 0:
            wider.append(hi[last] / lo[last] > hi[0] / lo[0])
        widths.append(np.where(p > 1e-3, np.log(hi / lo), np.nan)[:5])
    assert np.mean(wider) > 0.95
    assert (np.diff(np.nanmedian(widths, axis=0)) > 0).all()


def test_a_variance_that_is_not_known_well_widens_the_interval():
    (situation,), *_ = simulate(QUIET, 1, 3)
    learner = run(QUIET).learner
    widths = []
    for log_sd in (0.0, 0.4, 0.8):
        moves = msgspec.structs.replace(situation.moves, log_sd=log_sd)
        forecast = learner.forecast(msgspec.structs.replace(situation, moves=moves))
        widths.append(forecast.hi[0] / forecast.lo[0])
    assert widths[0] < widths[1] < widths[2]


def test_a_depth_is_grey_below_thirty_observations():
    learner = run(QUIET).learner
    forecast = learner.forecast(run(QUIET).situations[-1])
    seen = np.array(forecast.n_observations)
    assert (seen[:-1] >= seen[1:]).all()
    assert 0 < sum(forecast.is_grey) < len(seen)
    np.testing.assert_array_equal(forecast.is_grey, seen < GREY_BELOW)


def test_what_is_expected_and_needed_fits_together():
    learner = run(CONTAGION[0]).learner
    situation = run(CONTAGION[0]).situations[-1]
    forecast = learner.forecast(situation)
    share = learner.fraction.mean
    assert share == pytest.approx(0.325, abs=0.04)
    mass = np.array(situation.levels.mass_usd)
    np.testing.assert_allclose(forecast.expected_usd, share * mass * [1.0, *forecast.prob], rtol=1e-12)
    np.testing.assert_allclose(forecast.released_usd, share * np.cumsum(mass)[:-1], rtol=1e-12)
    moves, volume = situation.moves, situation.volume_day_usd
    back = learner.impact.law.of(np.array(forecast.needed_usd), moves.sigma_day, volume)
    np.testing.assert_allclose(back, situation.levels.distance, rtol=1e-9)
    np.testing.assert_allclose(
        np.array(forecast.excess_prob) + forecast.passage_prob, forecast.prob, rtol=1e-12
    )
    # R over all stretches adds up to the whole move.
    width = np.diff(situation.levels.edges)
    total = learner.impact.law.of(share * mass.sum(), moves.sigma_day, volume)
    assert (np.array(forecast.reproduction) * width).sum() == pytest.approx(float(total), rel=1e-9)
    delays = np.array(forecast.delay_s)
    assert (np.diff(delays, axis=1) > 0).all()
    assert (np.diff(delays, axis=0) > 0).all()
    assert forecast.hop_delay_s[2] < TAU_S


def test_delays_are_those_of_the_hops_that_happened():
    found = run(CONTAGION[0])
    hops = np.concatenate(
        [row[:reached] for row, reached in zip(found.delays[-800:], found.reached[-800:], strict=True)]
    )
    forecast = found.learner.forecast(found.situations[-1])
    assert forecast.hop_delay_s[1] == pytest.approx(float(np.median(hops)), rel=0.35)


def test_a_book_raises_what_is_needed_and_is_a_feature():
    (situation,), *_ = simulate(QUIET, 1, 3)
    deep = tuple(float(d) for d in np.linspace(1e-4, 0.2, 400))
    booked = msgspec.structs.replace(situation, book=Book(deep, (5e7,) * 400))
    plain, thick = (CascadeLearner().forecast(item) for item in (situation, booked))
    assert all(b >= a for a, b in zip(plain.needed_usd, thick.needed_usd, strict=True))
    assert set(plain.needed_from) == {"law"}
    for a, b, word in zip(plain.needed_usd, thick.needed_usd, thick.needed_from, strict=True):
        assert word == ("book" if b > a else "law")
    assert "book" in thick.needed_from
    walked = book_flow_usd(booked.book, booked.levels.distance)
    assert thick.book_usd == tuple(None if np.isnan(usd) else usd for usd in walked)
    assert set(plain.book_usd) == {None}
    short = msgspec.structs.replace(situation, book=Book((1e-4, booked.levels.distance[0]), (1e12, 1e12)))
    far = CascadeLearner().forecast(short)
    assert far.book_usd == (2e12, *(None,) * (len(far.prob) - 1))
    assert all(usd >= 2e12 for usd in far.needed_usd)
    assert far.needed_from[1] == "book"
    mass = np.array(situation.levels.mass_usd)
    column = FEATURES.index("book_impact")
    assert (features(situation, passage_probs(situation), mass)[:, column] == 0).all()
    assert (features(booked, passage_probs(booked), mass)[:, column] != 0).any()


def test_a_book_is_walked_with_what_is_liquidated_of_the_heat():
    (situation,), *_ = simulate(QUIET, 1, 3)
    column, mass = FEATURES.index("book_impact"), np.array(situation.levels.mass_usd)
    shallow = Book((1e-4, 5e-4), (0.02 * mass[0], 0.02 * mass.sum()))
    said = {}
    for share in (1.0, 0.01):
        known = msgspec.structs.replace(situation, book=shallow, share=share)
        said[share] = features(known, passage_probs(known), mass)
    # All of the heat is more than the book shows; a hundredth is not, and walks to its nearest level at first.
    assert (said[1.0][:, column] == 0).all()
    law = NOMINAL.of(0.01 * mass[0], situation.moves.sigma_day, situation.volume_day_usd)
    assert said[0.01][0, column] == pytest.approx(np.log(1e-4 / law))
    others = [k for k in range(len(FEATURES)) if k != column]
    assert (said[1.0][:, others] == said[0.01][:, others]).all()


def test_features_are_what_they_say():
    (situation,), *_ = simulate(QUIET, 1, 3)
    situation = msgspec.structs.replace(situation, momentum=0.004, depth_ratio=0.5, funding_z=-9.0)
    rows = features(situation, np.full(10, 0.3), np.array(situation.levels.mass_usd))
    sigma = situation.moves.sigma_day
    for j in range(10):
        flow = sum(situation.levels.mass_usd[: j + 1])
        distance = situation.levels.distance[j]
        expected = [
            1.0,
            math.log(sigma * math.sqrt(flow / situation.volume_day_usd) / distance),
            0.0,
            math.log(0.5),
            math.log(1 + 0.004 / distance),
            math.log(sigma * math.sqrt((j + 1) * TAU_S / 86_400) / distance),
            -5.0,
            j / 5,
            math.log(0.3 / 0.7),
        ]
        np.testing.assert_allclose(rows[j], expected, rtol=1e-9, atol=1e-12)


def test_symbols_have_intercepts_of_their_own():
    rng = np.random.default_rng(2)
    hazard = ChainHazard(HazardSettings(symbol_sd=1.0))
    row = np.zeros((1, len(FEATURES)))
    row[0, 0] = 1.0
    for k in range(400):
        for symbol, chance in (("A", 0.7), ("B", 0.3)):
            hazard.apply(k, symbol, row, np.array([float(rng.random() < chance)]))
    a, b, other = (hazard.hazards(symbol, row)[0] for symbol in ("A", "B", "C"))
    assert a > 0.6
    assert b < 0.4
    assert b < other < a
    normals = np.random.default_rng(1).standard_normal((400, 10))
    spread = [hazard.hazard_draws(symbol, row, normals).std() for symbol in ("A", "C")]
    assert spread[1] > 1.5 * spread[0]


def test_where_hops_are_rare_the_model_is_no_worse_than_volatility():
    rng = np.random.default_rng(4)
    hazard, loss = ChainHazard(), np.zeros(2)
    for k in range(300):
        row = np.concatenate([[[1.0]], rng.standard_normal((1, 7)), [[-2.5 + rng.standard_normal()]]], axis=1)
        alone = 1 / (1 + math.exp(-row[0, -1]))
        y = np.array([float(rng.random() < alone)])
        loss += [log_loss(hazard.hazards("X", row), y)[0], log_loss(np.array([alone]), y)[0]]
        hazard.apply(k, "X", row, y)
    assert loss[0] < loss[1] + 1.0


def test_a_learner_goes_on_where_it_was_saved():
    found = run(CONTAGION[0])
    learner = CascadeLearner.from_state(ChainSettings(), found.learner.state())
    twin = CascadeLearner.from_state(ChainSettings(), found.learner.state())
    for i in range(50):
        for one in (learner, twin):
            one.apply(
                outcome(found.situations[i], found.reached[i], found.delays[i], found.released[i], [0.5] * 10)
            )
        learner = CascadeLearner.from_state(ChainSettings(), learner.state())
    a, b = learner.forecast(found.situations[0]), twin.forecast(found.situations[0])
    assert msgspec.json.encode(a) == msgspec.json.encode(b)
    assert msgspec.json.decode(msgspec.json.encode(a), type=ChainForecast) == a


def test_a_state_of_another_version_is_refused():
    state = CascadeLearner().state() | {"version": np.array([99])}
    with pytest.raises(StoreError, match="version 99"):
        CascadeLearner.from_state(ChainSettings(), state)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_a_situation_without_volume_is_refused(bad):
    (situation,), *_ = simulate(QUIET, 1, 3)
    with pytest.raises(RequestError, match="no cascade"):
        msgspec.structs.replace(situation, volume_day_usd=bad)


def test_a_zone_with_nothing_beyond_it_has_an_empty_chain():
    (situation,), *_ = simulate(QUIET, 1, 3)
    levels = msgspec.structs.replace(situation.levels, distance=(), mass_usd=(1e6,), edges=(0.0, 0.001))
    forecast = CascadeLearner().forecast(msgspec.structs.replace(situation, levels=levels))
    assert forecast.prob == ()
    assert forecast.delay_s == ()
    assert len(forecast.expected_usd) == 1


@pytest.mark.parametrize(
    ("kind", "values", "word"),
    [
        (ChainSettings, {"draws": 3}, "draws"),
        (ChainSettings, {"reported_ratio": 1.5}, "reported_ratio"),
        (ChainSettings, {"half_life_ns": 0}, "half_life_ns"),
        (ChainSettings, {"hazard": {"prior_sd": -0.1}}, "prior_sd"),
        (ChainSettings, {"delay": {"tau_min_ns": 20, "tau_max_ns": 10}}, "tau_min_ns"),
        (ChainSettings, {"levels": {"reach": 0}}, "reach"),
    ],
)
def test_impossible_settings_are_named(kind, values, word):
    with pytest.raises(msgspec.ValidationError, match=word):
        msgspec.convert(values, kind)
