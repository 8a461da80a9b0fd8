"""Chains followed bar by bar: what is at risk, what was reached, which episodes are told, once, however it is cut."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from faultline.cascades.chain import CascadeLearner, ChainSettings
from faultline.cascades.collector import CascadeCollector
from faultline.cascades.episodes import OpenEpisode
from faultline.cascades.first_passage import Volatility
from faultline.cascades.levels import Levels
from faultline.cascades.situation import Situation
from faultline.cascades.sweeps import FORCED
from faultline.errors import RequestError, StoreError
from faultline.market.path import PATH_ROW
from faultline.units import DAY_NS, MINUTE_NS, SECOND_NS

START = 20_000 * DAY_NS
PRICE = 50_000.0
GAPS = (0.002, 0.002, 0.003)


def situation(minute=1, side=0, gaps=GAPS, name="BTC-L-x-0", start=PRICE):
    distance = tuple(np.cumsum(gaps).tolist())
    edges = (0.0, *(d - 0.001 for d in distance), distance[-1] + 0.001) if gaps else (0.0, 0.001)
    return Situation(
        id=name,
        symbol="BTC",
        time_ns=START + minute * MINUTE_NS,
        levels=Levels(side, start, distance, (1e6,) * (len(gaps) + 1), edges),
        moves=Volatility(variance_per_day=0.02**2),
        volume_day_usd=2e10,
        tau_ns=MINUTE_NS,
    )


def bars(*reaches, side=0, first=0, start=PRICE):
    """Minute bars whose extremes lie at log distances ahead of ``start``."""
    out = np.zeros(len(reaches), dtype=PATH_ROW)
    out["start_ns"] = START + (first + np.arange(len(reaches))) * MINUTE_NS
    out["end_ns"] = out["start_ns"] + MINUTE_NS
    far = start * np.exp(np.array(reaches) * (-1 if side == 0 else 1))
    out["low_usd"], out["high_usd"] = (far, start) if side == 0 else (start, far)
    out["close_usd"] = far
    return out


def forced(*rows, side=0):
    out = np.zeros(len(rows), dtype=FORCED)
    for k, (second, ahead, usd) in enumerate(rows):
        out[k] = (
            START + round(second * SECOND_NS),
            side,
            PRICE * math.exp(-ahead if side == 0 else ahead),
            usd,
        )
    return out


def followed(hits, path, flow=None, learner=None):
    collector = CascadeCollector(learner or CascadeLearner())
    for hit in hits:
        collector.add_hit(hit)
    if flow is not None:
        collector.add_liquidations(flow)
    collector.apply_path(path)
    return collector


@pytest.mark.parametrize("side", [0, 1])
def test_levels_are_reached_in_turn_until_one_is_not_in_time(side):
    collector = followed([situation(side=side)], bars(0.0, 0.0021, 0.0021, 0.0045, *[0.001] * 40, side=side))
    (outcome,), _ = collector.take()
    assert (outcome.reached, outcome.resolved, outcome.is_cut) == (2, 3, False)
    assert outcome.delay_s == (60.0, 120.0)
    tau_s = outcome.situation.tau_ns / SECOND_NS
    assert outcome.waited_s == tau_s
    assert outcome.end_ns - (START + 4 * MINUTE_NS) > outcome.situation.tau_ns
    assert outcome.situation.tau_ns == CascadeLearner().tau_ns()


def test_a_race_tells_which_way_price_went_first():
    def races(*bars_of):
        path = bars(*[ahead for ahead, _ in bars_of])
        path["high_usd"] = PRICE * np.exp([back for _, back in bars_of])
        tail = bars(*[0.0] * 40, first=len(bars_of))
        return followed([situation(gaps=(0.003, 0.003))], np.concatenate([path, tail])).take()[0][0].races

    assert races((0.0, -0.0001), (0.0031, -0.0001), (0.002, 0.0001)) == (1, -1)
    assert races((0.0, -0.0001), (0.001, 0.0031), (0.0031, -0.0001), (0.0061, -0.002)) == (-1, 1)
    # Both ways in one bar: nobody knows which was first. What came before the hit, in its bar, does not count.
    assert races((0.0, -0.0001), (0.0031, 0.0031), (0.002, 0.0001)) == (0, -1)
    assert races((0.0, 0.02), (0.001, 0.001)) == (0,)


@pytest.mark.parametrize("push", [0.0, 0.0004])
def test_races_are_even_where_nothing_pushes(push):
    rng = np.random.default_rng(6)
    collector = CascadeCollector(CascadeLearner())
    for k in range(250):
        moves = push + 0.0008 * rng.standard_normal((60, 20))
        walk_ = np.cumsum(moves, axis=None).reshape(60, 20)
        path = bars(*walk_.max(axis=1), first=100 * k)
        path["high_usd"] = PRICE * np.exp(-walk_.min(axis=1))
        hit = msgspec.structs.replace(situation(100 * k, gaps=(0.015, 0.015)), id=f"Z-{k}")
        collector.add_hit(hit)
        collector.apply_path(np.concatenate([bars(0.0, first=100 * k - 1), path]))
    share = collector.tally.race_share
    assert collector.tally.races > 100
    if push:
        assert share > 0.6
        assert collector.tally.race_tail_prob < 1e-3
    else:
        assert share == pytest.approx(0.5, abs=0.08)
        assert collector.tally.race_tail_prob > 0.02


def test_the_bar_of_the_hit_counts_and_hops_inside_one_bar_are_short():
    collector = followed([situation()], bars(0.0045, 0.01))
    (outcome,), _ = collector.take()
    assert (outcome.reached, outcome.resolved, outcome.waited_s) == (3, 3, None)
    assert outcome.delay_s == (15.0, 15.0, 60.0)


def test_a_level_reached_one_bar_too_late_was_not_reached():
    tau_min = CascadeLearner().tau_ns() // MINUTE_NS
    late = followed([situation()], bars(0.0, *[0.001] * tau_min, 0.005))
    intime = followed([situation()], bars(0.0, *[0.001] * (tau_min - 1), 0.005))
    assert late.take()[0][0].reached == 0
    assert intime.open_chains()[0][1] == 2


def test_hits_inside_an_open_chain_belong_to_it():
    collector = followed(
        [situation(1), situation(2, name="BTC-L-y-0"), situation(2, side=1, name="BTC-S-y-0")],
        bars(0.0, 0.0005, 0.001),
    )
    assert [item.id for item, _ in collector.open_chains()] == ["BTC-L-x-0", "BTC-S-y-0"]
    assert collector.counts["overlapping"] == 1


def test_a_gap_cuts_a_chain_and_its_open_hop_is_not_known():
    collector = followed([situation()], np.concatenate([bars(0.0, 0.0021), bars(0.01, first=30)]))
    (outcome,), _ = collector.take()
    assert (outcome.reached, outcome.resolved, outcome.is_cut) == (1, 1, True)
    assert outcome.waited_s is None
    assert collector.counts["cut"] == 1
    assert collector.learner.hazard.observations(START)[0] == 1.0


def test_a_bar_without_a_price_reaches_nothing():
    path = bars(0.0, 0.01, 0.001)
    path["low_usd"][1] = np.nan
    assert followed([situation()], path).open_chains()[0][1] == 0


def test_liquidations_are_counted_where_and_when_they_belong():
    flow = forced(
        (-5, 0.0005, 1.0), (30, 0.0005, 10.0), (70, 0.0015, 100.0), (80, -0.001, 1000.0), (90, 0.5, 5000.0)
    )
    other = forced((70, 0.0015, 7.0), side=1)
    path = bars(0.0, 0.0021, 0.0045, 0.01)
    collector = followed([situation()], path, np.concatenate([flow, other]))
    (outcome,), _ = collector.take()
    # Before the hit's own bar nothing counts; behind the hit and beyond the levels only in the total.
    assert outcome.level_usd == (10.0, 100.0, 0.0, 0.0)
    assert outcome.liquidated_usd == 6110.0


def test_a_chain_knows_of_deleveraging():
    collector = CascadeCollector(CascadeLearner())
    collector.add_hit(situation())
    collector.apply_path(bars(0.0))
    collector.add_deleveraging(START + 90 * SECOND_NS)
    collector.apply_path(bars(0.0021, 0.0045, 0.01, first=1))
    assert collector.take()[0][0].deleveraging


def test_hits_without_levels_and_hits_that_come_late_are_counted():
    collector = followed([situation(gaps=())], bars(0.0))
    assert collector.counts["without_levels"] == 1
    collector.add_hit(situation(1))
    assert collector.counts["late"] == 1


def kinds(collector):
    return [(change.kind, change.episode.depth) for change in collector.take()[1]]


def test_an_episode_starts_extends_and_ends_exactly_once():
    flow = forced((70, 0.001, 1e6))
    collector = followed([situation()], bars(0.0, 0.0021, 0.0021, 0.0045, *[0.001] * 40), flow)
    assert kinds(collector) == [("started", 1), ("extended", 2), ("ended", 2)]


def test_an_episode_needs_forced_flow():
    assert kinds(followed([situation()], bars(0.0, 0.0021, 0.0045, 0.01))) == []
    # The flow may come after the level: told is when both are there, with the depth there was by then.
    late = followed([situation()], bars(0.0, 0.0045, 0.001, 0.001), forced((170, 0.003, 1e6)))
    assert kinds(late) == [("started", 1), ("extended", 2)]


def test_the_flow_that_starts_an_episode_grows_with_what_is_known():
    learner = CascadeLearner()
    path, trickle = bars(0.0, 0.0021, 0.001), forced((70, 0.001, 1000.0))
    assert kinds(followed([situation()], path, trickle, learner)) == [("started", 1)]
    for _ in range(100):
        learner.fraction.apply(START, 5e5, 1e6)
    assert kinds(followed([situation()], path, trickle, learner)) == []
    # About half of a million is released: a tenth of a little less must be seen.
    assert kinds(followed([situation()], path, forced((70, 0.001, 6e4)), learner)) == [("started", 1)]


def test_a_deep_chain_in_a_calm_market_is_an_excess_once():
    gaps = (0.006,) * 6
    flow = forced((30, 0.001, 1e6))
    path = bars(0.0, 0.006, 0.012, 0.018, 0.024, 0.03, 0.04)
    collector = followed([situation(gaps=gaps)], path, flow)
    changes = collector.take()[1]
    assert [change.kind for change in changes].count("excess") == 1
    first = next(change.episode for change in changes if change.kind == "excess")
    assert first.tail_prob <= 0.05
    assert changes[-1].kind == "ended"
    assert changes[-1].episode.depth == 6
    assert changes[-1].episode.expected_depth < 1.0
    assert changes[-1].episode.next_prob is None
    assert len({change.episode.id for change in changes}) == 1


def test_the_chance_of_a_depth_is_the_product_of_its_hops():
    episode = OpenEpisode((0.5, 0.4, 0.1), (1.0,) * 4)
    assert [episode.tail_prob(k) for k in range(4)] == pytest.approx([1.0, 0.5, 0.2, 0.02])
    assert episode.expected_depth() == pytest.approx(0.72)


def busy_market(seed, minutes=1500):
    """A random path with hits of both sides and liquidations, some hits overlapping, with a gap and missing prices."""
    rng = np.random.default_rng(seed)
    close = PRICE * np.exp(np.cumsum(0.0008 * rng.standard_normal(minutes)))
    path = np.zeros(minutes, dtype=PATH_ROW)
    path["end_ns"] = START + MINUTE_NS * np.arange(1, minutes + 1)
    path["start_ns"] = path["end_ns"] - MINUTE_NS
    path["low_usd"], path["high_usd"] = close * 0.9995, close * 1.0005
    path["close_usd"] = close
    path["low_usd"][rng.integers(0, minutes, 20)] = np.nan
    path = np.delete(path, np.s_[700:730])
    hits = []
    for k, i in enumerate([*np.sort(rng.choice(len(path), 60, replace=False)).tolist(), 698, 699]):
        side = int(rng.integers(2))
        gaps = tuple((0.0015 * np.exp(rng.standard_normal(int(rng.integers(1, 11))))).tolist())
        hit = situation(0, side, gaps, f"Z-{k}", float(path["close_usd"][i]))
        hits.append(msgspec.structs.replace(hit, time_ns=int(path["end_ns"][i])))
    flow = np.zeros(800, dtype=FORCED)
    flow["time_ns"] = START + np.sort(rng.integers(0, minutes * MINUTE_NS, 800))
    flow["side"] = rng.integers(0, 2, 800)
    flow["price_usd"] = close[((flow["time_ns"] - START) // MINUTE_NS).astype(int)]
    flow["notional_usd"] = np.exp(11 + rng.standard_normal(800))
    return path, hits, flow


def walk(path, hits, flow, cuts, *, restarts=False):
    collector = CascadeCollector(CascadeLearner())
    outcomes, changes = [], []
    before = 0
    for cut in [*cuts, len(path)]:
        part = path[before:cut]
        before = cut
        if not len(part):
            continue
        last = int(part["end_ns"][-1])
        for hit in [hit for hit in hits if hit.time_ns <= last]:
            collector.add_hit(hit)
        hits = [hit for hit in hits if hit.time_ns > last]
        due = flow["time_ns"] <= last
        collector.add_liquidations(flow[due])
        flow = flow[~due]
        collector.apply_path(part)
        got = collector.take()
        outcomes += got[0]
        changes += got[1]
        if restarts:
            learner = CascadeLearner.from_state(ChainSettings(), collector.learner.state())
            collector = CascadeCollector.from_state(learner, collector.state())
    return collector, outcomes, changes


@pytest.mark.parametrize("restarts", [False, True])
def test_chains_do_not_depend_on_cuts_or_restarts(restarts):
    path, hits, flow = busy_market(3)
    whole, outcomes, changes = walk(path, hits, flow, [])
    assert len(outcomes) > 20
    assert {change.kind for change in changes} >= {"started", "extended", "ended"}
    assert whole.counts["cut"] > 0
    assert whole.counts["overlapping"] > 0
    cuts = np.sort(np.random.default_rng(1).integers(0, len(path), 90)).tolist()
    parts, outcomes2, changes2 = walk(path, hits, flow, cuts, restarts=restarts)
    assert outcomes == outcomes2
    assert changes == changes2
    for one, other in ((whole, parts), (whole.learner, parts.learner)):
        left, right = one.state(), other.state()
        assert left.keys() == right.keys()
        for key, value in left.items():
            assert value.tobytes() == right[key].tobytes(), key


def outcome_twin(hit, path, tau_ns):
    """Levels reached, by scanning the path for each level anew."""
    levels, since = hit.levels, hit.time_ns
    for j, distance in enumerate(levels.distance):
        wall = levels.start_usd * math.exp(-distance if levels.side == 0 else distance)
        for bar in path[path["end_ns"] >= since]:
            if bar["end_ns"] > since + tau_ns:
                return j, j + 1
            beyond = bar["low_usd"] <= wall if levels.side == 0 else bar["high_usd"] >= wall
            if beyond:
                since = int(bar["end_ns"])
                break
        else:
            return j, j
    return levels.n, levels.n


def test_what_was_reached_is_what_scanning_the_path_finds():
    path, hits, flow = busy_market(8)
    # Extremes exactly on a wall aside, which rounding decides.
    _, outcomes, _ = walk(path, hits, flow, [300, 800])
    assert len(outcomes) > 20
    for outcome in outcomes:
        if not outcome.is_cut:
            found = outcome_twin(outcome.situation, path, outcome.situation.tau_ns)
            assert (outcome.reached, outcome.resolved) == found


def test_bars_that_go_back_are_refused():
    collector = followed([], bars(0.0, 0.0))
    with pytest.raises(RequestError, match="go back"):
        collector.apply_path(bars(0.0))


def test_a_state_of_another_version_is_refused():
    state = CascadeCollector(CascadeLearner()).state()
    state["head"] = np.frombuffer(
        state["head"].tobytes().replace(b'"version":1', b'"version":7'), dtype=np.uint8
    )
    with pytest.raises(StoreError, match="version 7"):
        CascadeCollector.from_state(CascadeLearner(), state)
