from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from tests.learning.small_worlds import distance_between, make_world, published

from faultline.errors import RequestError, StoreError
from faultline.heatmap.ledger import Ledger, LedgerParameters
from faultline.learning.bank import Hypothesis, star_bank
from faultline.learning.constants import LearnerSettings
from faultline.learning.leverage import LeverageLearner
from faultline.learning.leverage_kernels import judge_kernel
from faultline.learning.prior import generic_prior
from faultline.learning.reporting import EVENT, Likelihood, Reporting
from faultline.units import HOUR_NS, MINUTE_NS

GRID = (5.0, 7.0, 10.0, 15.0, 25.0, 50.0)
SHARES = np.array([0.15, 0.2, 0.25, 0.2, 0.15, 0.05])
FAST_GRID = (10.0, 15.0, 20.0, 33.0, 50.0, 100.0)
FAST_SHARES = np.array([0.1, 0.15, 0.25, 0.25, 0.15, 0.1])
SHARP = LearnerSettings(blur_bps=0.0)


@functools.cache
def slow_world(seed=2, steps=16_000, **changes):
    return make_world(seed, GRID, SHARES, steps=steps, spread=0.1, sigma=9e-4, **changes)


@functools.cache
def fast_world(seed=2):
    return make_world(
        seed,
        FAST_GRID,
        FAST_SHARES,
        steps=20_000,
        step_s=1,
        sigma=3e-4,
        opens=0.8,
        spread=0.1,
        hazard_per_h=0.5,
    )


def member(grid=GRID, hazard=1 / 36, half_life=1e4, **changes):
    kernel = LedgerParameters(
        leverages=grid, maintenance_ratio=0.004, dispersion=0.1, hazard_per_hour_at_10x=hazard, **changes
    )
    return Hypothesis(kernel=kernel, half_life_h=half_life)


def learner(reporting=None, bank=None, centre=20.0, settings=SHARP):
    bank = bank or [member()]
    return LeverageLearner(reporting, bank, generic_prior(bank[0].kernel.leverages, centre), settings)


def parts(world, cuts):
    """The world in pieces that end with whole windows of six bars."""
    edges = [0, *(cut * 6 for cut in cuts), len(world.bars)]
    for begin, end in itertools.pairwise(edges):
        bars = world.bars[begin:end]
        inside = (world.events["time_ns"] >= bars["start_ns"][0]) & (
            world.events["time_ns"] < bars["end_ns"][-1]
        )
        yield bars, world.events[inside]


def naive_windows(world, prior, windows, share=0.9, starting=30):
    """Rates before each window and its log likelihood, from the ledger's public methods and plain algebra."""
    ledger = Ledger([member().kernel])
    size = len(GRID) + 1
    mix = prior.mix
    precision0 = np.eye(size) * 0.25
    x, precision = np.full(size, -30.0), precision0.copy()
    seen, swept, area = 0.0, 0.0, 0.0
    squares, foretold = 20.0, 20.0
    found = []
    for w in range(windows):
        rows, total = [], np.zeros(size)
        for bar in world.bars[6 * w : 6 * w + 6]:
            ledger.decay_to(int(bar["start_ns"]))
            inside = ledger.sweep(float(bar["low_usd"]), float(bar["high_usd"]))
            reach = np.maximum(inside.covered_ratio, 1e-3)
            here = np.floor(np.log([bar["low_usd"], bar["high_usd"]]) / 5e-4 + 1e-8)
            bucket = np.clip(inside.bucket, *here.astype(int))
            of_bar = {}
            for side, at, cover, exposure in zip(inside.side, bucket, reach, inside.exposure[0], strict=True):
                cell = of_bar.setdefault((int(side), int(at)), np.zeros(size))
                cell[:-1] += exposure
                cell[-1] = max(cell[-1], cover)
            total += np.sum(list(of_bar.values()), axis=0)
            now = world.events["time_ns"]
            for event in world.events[(now >= bar["start_ns"]) & (now < bar["end_ns"])]:
                at = int(np.clip(np.floor(np.log(event["trigger_usd"]) / 5e-4 + 1e-8), *here))
                rows.append(of_bar[int(event["side"]), at])
            ledger.decay_to(int(bar["end_ns"]))
            ledger.deposit([bar["close_usd"]], bar["units_long"], bar["units_short"])
        level = np.append(
            np.log(mix * share * max(seen, 0.5) / (swept if swept > 0 else max(mix @ total[:-1], 1e-12))),
            np.log((1 - share) * max(seen, 0.5) / (area if area > 0 else total[-1])),
        )
        starts = seen < starting or swept < 0.01
        if starts:
            x = level.copy()
        theta = np.exp(x)
        rates = np.array(rows).reshape(-1, size) @ theta
        found.append((theta, 0.0 if starts else np.log(rates).sum() - theta @ total))
        fade, slow = 0.5 ** (1 / 60 / 1e4), 0.5 ** (1 / 60 / 720)
        if not starts:
            dispersion, memory = max(1.0, squares / foretold), 0.5 ** (1 / 60 / SHARP.score_half_life_h)
            squares = 20.0 + memory * (squares - 20.0) + (len(rows) - theta @ total) ** 2
            foretold = 20.0 + memory * (foretold - 20.0) + theta @ total
            weight = np.array(rows).reshape(-1, size) * theta / rates[:, None]
            used = (weight.T @ weight + 0.05 * np.diag(theta * total)) / dispersion
            precision = fade * precision + (1 - fade) * precision0 + used
            pull = (weight.sum(axis=0) - theta * total) / dispersion + (1 - fade) * precision0 @ (level - x)
            step = np.linalg.solve(precision, pull)
            x = x + np.clip(step, -0.5, 0.5)
            if np.abs(step).max() > 0.5:
                precision -= (1 - 0.5 / np.abs(step).max()) * used
        seen = slow * seen + len(rows)
        swept, area = slow * swept + mix @ total[:-1], slow * area + total[-1]
    return found


def test_the_learner_equals_its_slow_twin():
    world, windows = slow_world(), 240
    bars = world.bars[: 6 * windows]
    events = world.events[world.events["time_ns"] < bars["end_ns"][-1]]
    fast = learner()
    out = fast.learn(bars, events)
    slow = naive_windows(world, fast.prior, windows)
    assert len(events) > 100
    np.testing.assert_allclose(out.theta[:, 0], [theta for theta, _ in slow], rtol=2e-3, atol=1e-9)
    np.testing.assert_allclose(out.log_likelihood, [fit for _, fit in slow], rtol=2e-3, atol=2e-3)


def test_a_feed_that_is_first_heard_in_a_burst_learns_no_level_from_an_empty_ledger():
    world = slow_world()
    burst = np.repeat(world.events[:1], 200)
    burst["time_ns"] = world.bars["start_ns"][0] + 1
    burst["trigger_usd"] = world.bars["close_usd"][0]
    events = np.concatenate([burst, world.events[world.events["time_ns"] >= world.bars["start_ns"][6]]])
    windows = len(world.bars) // 6
    out = learner().learn(world.bars[: 6 * windows], events)
    usual = learner().learn(world.bars[: 6 * windows], events[200:])
    # Without a level of its own a minute is not scored, and no rate runs away.
    assert out.log_likelihood[0] == 0.0
    assert out.member_log_likelihood.min() > -1_000.0
    later = out.start_ns >= out.start_ns[windows // 2]
    ratio = out.expected[later].sum() / usual.expected[later].sum()
    assert 0.5 < ratio < 2.0


@pytest.mark.parametrize("scheme", ["all", "batched"])
def test_shares_of_opens_are_recovered_where_all_events_are_published(scheme):
    world = slow_world()
    reporting = Reporting(scheme=scheme, window_ns=500_000_000)
    found = learner(reporting)
    events = published(world.events, scheme, reporting.window_ns)
    out = found.learn(world.bars, events)
    assert 5_000 < len(events) < 12_000
    assert distance_between(found.mix(), SHARES) <= 0.05
    assert found.posterior().basis == "bank"
    assert out.expected.sum() == pytest.approx(out.observed.sum(), rel=0.05)
    assert out.observed.sum() + sum(found.excluded.values()) == len(events)
    assert set(out.likelihood) == {Likelihood.ALL}


@pytest.mark.parametrize("scheme", ["latest", "largest"])
def test_one_event_per_second_is_enough_where_the_path_is_known(scheme):
    world = fast_world()
    told = published(world.events, scheme)
    assert len(world.events) / len(told) > 3
    bank = [member(FAST_GRID, hazard=0.5)]
    exact = learner(Reporting(scheme=scheme), bank, centre=30.0)
    blind = learner(Reporting(scheme="all"), bank, centre=30.0)
    everything = learner(Reporting(scheme="all"), bank, centre=30.0)
    out = exact.learn(world.bars, told)
    blind.learn(world.bars, told)
    everything.learn(world.bars, world.events)
    mass, naive, full = (np.exp(one._bank.x[0, :-1]).sum() for one in (exact, blind, everything))
    assert mass == pytest.approx(0.8, rel=0.1)
    assert mass > 0.9 * full
    assert naive < 0.2 * full
    assert distance_between(exact.mix(), FAST_SHARES) < 0.1
    assert distance_between(blind.mix(), FAST_SHARES) > 0.25
    assert set(out.likelihood) == {Likelihood.EXACT}


def coarse(bars, step):
    """The same path in bars of ``step`` old ones."""
    out = bars[step - 1 :: step].copy()
    out["start_ns"] = bars["start_ns"][::step]
    out["low_usd"] = bars["low_usd"].reshape(-1, step).min(axis=1)
    out["high_usd"] = bars["high_usd"].reshape(-1, step).max(axis=1)
    for name in ("units_long", "units_short"):
        out[name] = bars[name].reshape(-1, step).sum(axis=1)
    return out


def test_coarse_bars_say_that_events_were_taken_as_spread_evenly():
    world = fast_world()
    bars = coarse(world.bars[:19_980], 60)
    told = published(world.events, "latest")
    told = told[told["time_ns"] < bars["end_ns"][-1]]
    bank = [member(FAST_GRID, hazard=0.5)]
    one, other = learner(Reporting(scheme="latest"), bank), learner(Reporting(scheme="all"), bank)
    out = one.learn(bars, told)
    other.learn(bars, told)
    assert set(out.likelihood) == {Likelihood.SPREAD}
    assert np.exp(one._bank.x[0, :-1]).sum() > 1.05 * np.exp(other._bank.x[0, :-1]).sum()


def test_a_venue_that_publishes_nothing_teaches_nothing():
    world = slow_world()
    silent = learner(Reporting(scheme="none"))
    out = silent.learn(world.bars, world.events)
    assert set(out.likelihood) == {Likelihood.SILENT}
    assert silent.posterior().basis == "pooled"
    np.testing.assert_allclose(silent.mix(), silent.prior.mix)
    assert silent.effective_events == 0


def test_windows_without_a_feed_move_the_map_and_teach_nothing():
    world = slow_world()
    seen, blind = learner(), learner()
    half = len(world.bars) // 12
    (bars, events), (rest, later) = parts(world, [half])
    for one in (seen, blind):
        one.learn(bars, events)
    before = blind.mix()
    blind.learn(rest)
    np.testing.assert_array_equal(blind.mix(), before)
    seen.learn(rest, later, np.zeros(-(-len(rest) // 6), dtype=bool))
    np.testing.assert_array_equal(seen.mix(), before)


@pytest.mark.parametrize("scheme", ["all", "latest", "largest"])
def test_any_cut_into_calls_gives_the_same_bytes(scheme):
    world = slow_world()
    bars, reporting = world.bars[:4_800], Reporting(scheme=scheme)
    world = world._replace(bars=bars, events=world.events[world.events["time_ns"] < bars["end_ns"][-1]])
    bank = star_bank(member())[:4]
    whole, cut = learner(reporting, bank), learner(reporting, bank)
    out = whole.learn(world.bars, world.events)
    pieces = []
    for number, (some, events) in enumerate(parts(world, [1, 2, 59, 60, 61, 400, 777])):
        if number % 2:
            cut = LeverageLearner.from_state(cut.state(), reporting, bank, SHARP)
        pieces.append(cut.learn(some, events))
    for name in ("theta", "weights", "log_likelihood", "expected", "likelihood"):
        np.testing.assert_array_equal(
            np.concatenate([getattr(piece, name) for piece in pieces]), getattr(out, name)
        )
    one, two = whole.state(), cut.state()
    assert one.keys() == two.keys()
    for key, value in one.items():
        np.testing.assert_array_equal(value, two[key], err_msg=key)


def test_a_foreign_state_is_refused():
    found = learner()
    with pytest.raises(StoreError, match="other settings"):
        LeverageLearner.from_state(found.state(), Reporting(scheme="latest"), [member()], SHARP)
    with pytest.raises(StoreError, match="version"):
        LeverageLearner.from_state({**found.state(), "version": np.array([0])}, None, [member()], SHARP)
    with pytest.raises(StoreError, match="state"):
        LeverageLearner.from_state({}, None, [member()], SHARP)


def test_the_bank_finds_how_fast_positions_close():
    world = slow_world(seed=5, hazard_per_h=1 / 6)
    bank = [member(hazard=hazard) for hazard in (1 / 36, 1 / 6, 1 / 1.5)]
    found = learner(bank=bank)
    found.learn(world.bars, world.events)
    assert int(np.argmax(found.weights)) == 1
    assert found.weights[1] > 0.9


def test_constant_leverage_shows_no_drift():
    world = slow_world(seed=2)
    found = learner(bank=[member(half_life=24.0)])
    found.learn(world.bars, world.events)
    table = found.history()
    late = table["mix"][len(table["mix"]) // 2 :]
    identified = found.posterior().iota > 0.9
    assert identified.sum() >= 4
    assert np.abs(late - SHARES)[:, identified].max() < 0.1
    assert np.abs(np.diff(late, axis=0)).mean() < 0.01


def test_bands_of_nineteen_in_twenty_cover():
    inside, total = 0, 0
    truth = np.array([SHARES[:2].sum(), SHARES[2:4].sum(), SHARES[4:].sum()])
    for seed in (2, 5, 6, 7, 8):
        for steps in (5_000, 9_000):
            world = slow_world(seed=seed, steps=steps)
            found = learner()
            found.learn(world.bars, world.events)
            for part, share in zip(found.posterior().bins, truth, strict=True):
                inside += part.low < share < part.high
                total += 1
    assert total == 30
    assert inside / total >= 0.85


def test_leverage_that_price_never_reached_is_the_priors_and_says_so():
    world = slow_world(seed=3, steps=4_000)
    found = learner()
    found.learn(world.bars, world.events)
    belief = found.posterior()
    by_label = {part.label: part for part in belief.bins}
    assert not by_label["<10x"].identified
    assert by_label["<10x"].iota < 0.1
    assert by_label["25-60x"].identified
    for part in belief.bins:
        assert part.low <= part.share <= part.high
    assert sum(part.share for part in belief.bins) == pytest.approx(1.0)
    assert belief.mix.sum() == pytest.approx(1.0)


def test_few_events_leave_one_hypothesis_and_the_prior():
    world = slow_world()
    found = learner(bank=star_bank(member()))
    few = world.events[:200]
    out = found.learn(world.bars[world.bars["end_ns"] <= few["time_ns"][-1]], few[:-1])
    belief = found.posterior()
    assert out.observed.sum() < 300
    assert belief.basis == "pooled"
    theta = np.exp(found._bank.x[0, :-1])
    np.testing.assert_allclose(belief.mix, theta / theta.sum())


def switched(seed=4):
    """Most is opened at 50x at first, at 5x to 10x later."""
    other = np.array([0.3, 0.3, 0.3, 0.04, 0.03, 0.03])
    first = np.array([0.01, 0.01, 0.03, 0.05, 0.2, 0.7])
    return make_world(
        seed,
        GRID,
        SHARES,
        steps=16_000,
        spread=0.1,
        sigma=9e-4,
        mass_at=lambda step: first if step < 8_000 else other,
    )


def test_the_prior_takes_over_when_the_learned_mix_scores_worse_and_says_so():
    world = switched()
    settings = LearnerSettings(blur_bps=0.0, score_half_life_h=6.0)
    prior = generic_prior(GRID, 8.0, 0.7)
    stiff = LeverageLearner(None, [member()], prior, settings)
    # By the end the prior, which follows the level only, scores worse again.
    (bars, events), (rest, later), _ = parts(world, [8_000 // 6, 8_000 // 6 + 1_125])
    stiff.learn(bars, events)
    assert stiff.posterior().advantage_nats > 5
    stiff.freeze()
    out = stiff.learn(rest, later)
    kinds = [fact.kind for fact in out.facts]
    assert kinds[:1] == ["fallback"]
    fact = out.facts[0]
    assert fact.balance_nats < -fact.threshold_nats
    index = int(np.searchsorted(out.start_ns, fact.time_ns))
    assert out.prior_in_force[index]
    assert not out.prior_in_force[index - 1]
    assert stiff.posterior().basis == "prior"
    np.testing.assert_array_equal(stiff.mix(), prior.mix)


def test_freezing_keeps_rates_and_going_back_restores_them():
    world = slow_world()
    found = learner()
    (bars, events), (middle, more), (rest, last) = parts(world, [1_000, 1_600])
    found.learn(bars, events)
    kept = found.mix()
    assert found.freeze().kind == "frozen"
    out = found.learn(middle, more)
    np.testing.assert_array_equal(found.mix(), kept)
    np.testing.assert_array_equal(out.theta[0], out.theta[-1])
    assert found.thaw().kind == "thawed"
    found.learn(rest, last)
    assert not np.array_equal(found.mix(), kept)
    fact = found.roll_back(int(bars["end_ns"][-1]))
    assert (fact.kind, fact.time_ns) == ("rolled_back", int(bars["end_ns"][-1]))
    np.testing.assert_array_equal(found.mix(), kept)
    with pytest.raises(RequestError, match="no state"):
        found.roll_back(0)


def test_the_history_has_a_row_per_hour():
    world = slow_world()
    found = learner()
    found.learn(world.bars, world.events)
    table = found.history()
    hours = (world.bars["start_ns"][-1] // HOUR_NS) - (world.bars["start_ns"][0] // HOUR_NS) + 1
    assert len(table["time_ns"]) == hours
    assert np.all(table["time_ns"][1:] % HOUR_NS == 0)
    np.testing.assert_allclose(table["mix"].sum(axis=1), 1.0)
    assert np.all(np.diff(table["effective_events"]) >= -1)


def test_sizes_are_marks_beside_the_counts():
    world = slow_world()
    events = world.events.copy()
    high = world.leverage >= 3
    events["notional_usd"][high] *= 4.0
    found, plain = learner(), learner()
    found.learn(world.bars, events)
    plain.learn(world.bars, world.events)
    np.testing.assert_array_equal(found.mix(), plain.mix())
    sizes = found.posterior().sizes_usd
    assert sizes[3:].min() > 2.5 * sizes[1:3].max()
    shares = found.posterior().notional_mix
    assert shares.sum() == pytest.approx(1.0)
    assert shares[3:].sum() > found.mix()[3:].sum() + 0.15


def test_another_prior_moves_only_what_events_do_not_tell():
    world = slow_world(seed=3, steps=4_000)
    found = learner(centre=20.0)
    found.learn(world.bars, world.events)
    taught = found.posterior().iota > 0.9
    before = np.exp(found._bank.x[0, :-1])
    found.set_prior(generic_prior(GRID, 8.0))
    after = np.exp(found._bank.x[0, :-1])
    np.testing.assert_allclose(after[taught], before[taught], rtol=0.05)
    assert after[0] > 2 * before[0]
    with pytest.raises(RequestError, match="6 leverages"):
        found.set_prior(generic_prior((10.0, 20.0)))


def test_open_interest_sets_the_shares_that_price_never_reached():
    world = slow_world(seed=3, steps=4_000)
    found = learner()
    found.learn(world.bars, world.events)
    standing = found._tracks[0].standing[0].mean(axis=0)
    size = np.exp(8.0 + 0.5)
    prior = found.closed_prior(float((SHARES * standing).sum() * size), below=12.0)
    found.set_prior(prior)
    truth, low = SHARES[:3].sum(), np.arange(len(GRID)) < 3
    open_share = generic_prior(GRID, 20.0).mix[low].sum()
    assert abs(found.mix()[low].sum() - truth) < 0.2
    assert abs(found.mix()[low].sum() - truth) < abs(open_share - truth)
    with pytest.raises(RequestError, match="open interest"):
        found.closed_prior(-1.0)


def test_impossible_windows_are_refused():
    world = slow_world()
    found = learner()
    found.learn(world.bars[:60], world.events[:0])
    with pytest.raises(RequestError, match="older"):
        found.learn(world.bars[:60], world.events[:0])
    crossed = world.bars[60:120].copy()
    crossed["low_usd"] = 2 * crossed["high_usd"]
    with pytest.raises(RequestError, match="above its high"):
        found.learn(crossed, world.events[:0])
    with pytest.raises(RequestError, match="flags"):
        found.learn(world.bars[60:120], world.events[:0], np.ones(3, dtype=bool))
    with pytest.raises(RequestError, match="grid"):
        LeverageLearner(None, [member()], generic_prior((10.0, 20.0)))
    with pytest.raises(RequestError, match="divide"):
        LeverageLearner(Reporting(scheme="latest", window_ns=7 * MINUTE_NS), [member()], generic_prior(GRID))


def test_no_windows_are_no_result():
    found = learner()
    out = found.learn(slow_world().bars[:0], np.zeros(0, dtype=EVENT))
    assert out.theta.shape == (0, 1, len(GRID) + 1)
    assert out.facts == ()


def test_a_full_bank_stays_within_its_memory():
    found = LeverageLearner()
    assert len(found.bank) == 13
    assert found.nbytes < 5.4e6


def judged(gains, threshold=5.0, dispersion=1.0, hours=None):
    """Whether the prior is in force before each window, when the bank gains so many nats on it per window."""
    fits, static = np.zeros((len(gains), 2, 6)), np.zeros((len(gains), 1, 6))
    fits[:, :, 0], fits[:, :, 5] = np.asarray(gains)[:, None], dispersion
    weights, out, guard = np.zeros((len(gains), 2)), np.zeros((len(gains), 4)), np.zeros(3)
    hours = np.full(len(gains), 1 / 60) if hours is None else hours
    judge_kernel(fits, static, hours, 1e9, threshold, guard, weights, out)
    np.testing.assert_allclose(weights, 0.5)
    return out[:, 2] > 0, guard


def test_the_prior_takes_over_below_the_threshold_and_gives_back_above_nothing():
    in_force, guard = judged([-1.0] * 8 + [0.9] * 20)
    # The sixth loss passes the threshold; nine smaller gains outweigh eight losses.
    np.testing.assert_array_equal(np.flatnonzero(np.diff(in_force.astype(int))), [5, 16])
    assert guard[0] == pytest.approx(10.0)


def test_past_merit_does_not_cover_for_the_present():
    in_force, _ = judged([10.0] * 100 + [-1.0] * 12)
    assert in_force[-1]
    assert not judged([10.0] * 100 + [-1.0] * 10)[0][-1]


def test_bursts_and_silence_count_less_for_the_verdict():
    assert not judged([-1.0] * 50, dispersion=20.0)[0].any()
    assert not judged([-1.0] * 50, hours=np.full(50, np.nan))[0].any()
