"""Each switch of a world does what its sentence says."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.simulator.conftest import START_NS, small

from faultline.market.book import ASKS, BIDS, Book
from faultline.messages import Kind
from faultline.simulator import Simulation, load_world
from faultline.simulator.asset_market import AssetMarket
from faultline.simulator.book import displacement_kernel
from faultline.simulator.liquidations import deleverage_kernel
from faultline.simulator.state import CLOSED_WINNER, HANDED_OVER
from faultline.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

replace = msgspec.structs.replace


def wild(venue=(), trader=(), **changes):
    """One venue and a market that moves two percent an hour, so that every mechanism is met within an hour."""
    changes = {"step_s": 2.0, "trades": False, "warmup_days": 0.2, "marks_every_s": 10, **changes}
    world = small(**{"open_interest_every_s": 60, "funding_every_s": 0, **changes})
    regime = replace(world.regimes[0], mean_hours=1e5, vol_ratio=5.0, reversion_per_hour=0.0, next={})
    traders = tuple(replace(kind, **dict(trader)) for kind in world.traders)
    venues = (replace(world.venues[0], **dict(venue)),)
    return replace(world, regimes=(regime,), traders=traders, venues=venues)


def run(world, hours=2, seed=1):
    simulation = Simulation(world, seed, START_NS)
    return simulation, simulation.advance(START_NS + hours * HOUR_NS)


def rows_of(batches, kind):
    parts = [batch.rows for batch in batches if batch.kind is kind]
    return np.concatenate(parts) if parts else None


def test_a_position_taken_in_steps_prints_each_with_a_level_farther_away():
    steps = {"partial_steps": 3, "partial_ratio": 0.4, "partial_from_usd": 0.0}
    simulation, _ = run(wild(steps, {"margin_noise": 0.0}))
    table = simulation.truth()["liquidations"]
    order = np.lexsort((table["step"], table["position_id"]))
    ids, step, side, level, qty = (
        table[name][order] for name in ("position_id", "step", "side", "level_price_usd", "qty_base")
    )
    follows = np.flatnonzero(ids[1:] == ids[:-1]) + 1
    assert len(follows) > 50
    assert (step[follows] == step[follows - 1] + 1).all()
    assert set(step.tolist()) == {0, 1, 2, 3}
    assert (side[follows] * (level[follows - 1] - level[follows]) > 0).all()
    assert (qty[follows][step[follows] < 3] <= qty[follows - 1][step[follows] < 3]).all()
    assert (table["step"] > 0).mean() < 0.75


def test_steps_keep_the_equity_of_a_position():
    """Closing a share at the level leaves the equity: the rest's margin solves the same equation."""
    steps = {"partial_steps": 1, "partial_ratio": 0.5, "partial_from_usd": 0.0}
    market = AssetMarket(wild(steps, {"margin_noise": 0.0, "cross_prob": 0.0}), wild().assets[0], 1, START_NS)
    before = {int(row["id"]): row for row in market.open_positions()}
    market.run(START_NS + HOUR_NS)
    n_checked = 0
    for row in market.open_positions():
        was = before.get(int(row["id"]))
        if was is None or row["n_steps"] != 1 or was["n_steps"] != 0 or was["trigger"] == 2:
            continue
        reached = np.exp(was["level_log"] - was["entry_log"]) - 1.0
        equity = was["margin_ratio"] + was["side"] * reached
        kept = row["margin_ratio"] + row["side"] * reached
        assert kept >= equity
        n_checked += 1
        if was["lots"] == 2 * row["lots"]:
            assert kept == pytest.approx(2 * equity, rel=1e-9)
    assert n_checked > 3


def test_take_profits_close_on_the_winning_side_and_no_open_one_is_passed():
    market = AssetMarket(wild((), {"take_profit_prob": 0.8}), wild().assets[0], 2, START_NS)
    for _ in range(50):
        market.run(market.now_ns + 10 * SECOND_NS)
        rows = market.open_positions()
        mine = rows[rows["has_profit"] == 1]
        mark = market.state.venues["mark_log"][mine["venue"]]
        assert (mine["side"] * (mine["profit_log"] - mine["entry_log"]) > 0).all()
        assert (mine["side"] * (mine["profit_log"] - mark) > 0).all()
    assert 0.3 < len(mine) / len(rows) < 0.85
    heads = market.state.profit_head.ravel()
    found = []
    for head in heads[heads >= 0]:
        row = int(head)
        while row >= 0:
            found.append(row)
            row = int(market.state.positions["next_profit"][row])
    positions = market.state.positions
    assert (
        sorted(found) == np.flatnonzero((positions["is_open"] == 1) & (positions["has_profit"] == 1)).tolist()
    )


def test_cross_levels_wander_and_isolated_ones_stay():
    world = wild((), {"cross_prob": 0.5, "topup_prob": 0.0}, wallet_changes_per_day=48.0)
    market = AssetMarket(world, world.assets[0], 1, START_NS)
    before = market.open_positions()
    market.run(START_NS + HOUR_NS)
    after = market.open_positions()
    _, old, now = np.intersect1d(before["id"], after["id"], return_indices=True)
    moved = before["level_log"][old] != after["level_log"][now]
    is_cross = after["is_cross"][now] == 1
    assert not moved[~is_cross].any()
    assert 0.6 < moved[is_cross].mean() < 0.95
    mark = market.state.venues["mark_log"][after["venue"]]
    assert (after["side"] * (mark - after["trigger_log"]) > 0).all()


def test_the_insurance_fund_takes_what_fills_bring_and_pays_what_they_lack():
    world = wild({"insurance_fund_usd": 1e7, "insurance_gain_ratio": 1.0}, {"margin_noise": 0.0})
    simulation, _ = run(world)
    table, path = simulation.truth()["liquidations"], simulation.truth()["path"]
    gain = table["side"] * (table["fill_price_usd"] - table["bankruptcy_price_usd"]) * table["qty_base"]
    within = table["ts_event_ns"] < path["t_ns"][-1]
    assert gain.min() < 0 < gain.max()
    assert path["insurance_fund_usd"][-1] == pytest.approx(1e7 + gain[within].sum(), rel=1e-6)


def test_an_empty_fund_closes_the_best_winners_and_sends_no_order_to_the_market():
    venue = {"insurance_fund_usd": 1.0, "insurance_gain_ratio": 0.0, "auto_deleveraging": True}
    simulation, batches = run(wild(venue, trades=True))
    truth = simulation.truth()
    taken, winners = truth["liquidations"], truth["winners"]
    handed = taken["is_handed_over"]
    assert handed.sum() > 100
    assert taken["fill_price_usd"][handed] == pytest.approx(taken["bankruptcy_price_usd"][handed])
    assert (winners["side"] * (winners["price_usd"] - winners["entry_price_usd"]) > 0).all()
    for side in (1, -1):
        closed = winners["qty_base"][winners["side"] == side].sum()
        assert 0 < closed <= taken["qty_base"][handed & (taken["side"] == -side)].sum() + 1e-9
    rows = rows_of(batches, Kind.ADL)
    assert len(rows) == len(winners["side"])
    assert rows["qty_base"].sum() == pytest.approx(winners["qty_base"].sum())
    state = simulation._markets[0].state
    positions = state.positions[state.positions["is_open"] == 1]
    for side, name in ((1, "long_lots"), (-1, "short_lots")):
        assert state.venues[name][0] == positions["lots"][positions["side"] == side].sum()


def test_winners_are_closed_in_the_order_of_profit_over_margin():
    market = AssetMarket(
        wild({"auto_deleveraging": True, "insurance_fund_usd": 1e12}), wild().assets[0], 1, START_NS
    )
    before = market.open_positions()
    state = market.state
    profit = (state.venues["last_log"][0] - before["entry_log"]) / before["margin_ratio"]
    longs = before["side"] == 1
    wins = longs & (profit > 0)
    owed = int(before["lots"][wins].sum() // 4)
    state.venues["owed_long_lots"] = owed
    out = market._buffers
    deleverage_kernel(state, out, 0)
    exits = out.liquidations[: out.counts[1]]
    assert (exits["kind"] == CLOSED_WINNER).all()
    assert exits["lots"].sum() == owed
    rank = {int(row["id"]): value for row, value in zip(before, profit, strict=True)}
    closed = [rank[int(pid)] for pid in exits["position_id"]]
    left = market.open_positions()
    kept = [rank[int(row["id"])] for row in left if row["side"] == 1]
    assert min(closed) > 0
    assert max(kept) < min(closed) + 1 / 32 + 1e-9
    assert HANDED_OVER not in exits["kind"]


@pytest.mark.parametrize(("rule", "nearest"), [("index", "index"), ("last", "last")])
def test_the_mark_follows_what_its_rule_names(rule, nearest):
    world = wild({"mark_rule": rule, "mark_lag_s": 0.5, "basis_bps": 20.0})
    simulation, _ = run(world, hours=1)
    market = simulation._markets[0]
    apart = {"index": [], "last": []}
    for _ in range(60):
        market.run(market.now_ns + 10 * SECOND_NS)
        here = market.state.venues[0]
        apart["index"].append(abs(here["mark_log"] - market.state.market["index_log"][0]))
        apart["last"].append(abs(here["mark_log"] - here["last_log"]))
    other = "last" if nearest == "index" else "index"
    assert np.mean(apart[nearest]) < 0.3 * np.mean(apart[other])


def test_a_lagging_venue_follows_the_others_late():
    world = small(step_s=1.0, trades=False, warmup_days=0.05)
    lagging = replace(world.venues[1], arbitrage_lag_s=20.0, basis_bps=0.0)
    world = replace(world, venues=(replace(world.venues[0], basis_bps=0.0), lagging))
    market = AssetMarket(world, world.assets[0], 1, START_NS)
    last = np.array(
        [
            market.run(market.now_ns + SECOND_NS) and market.state.venues["last_log"].copy()
            for _ in range(1200)
        ]
    )
    leads = [np.std(last[60 - lag : len(last) - lag, 0] - last[60:, 1]) for lag in range(40)]
    assert 8 <= int(np.argmin(leads)) <= 25


BOOK = {"book_usd": 2e7, "book_withdrawal": 0.0, "book_resilience_s": 30.0}


@pytest.fixture(scope="module")
def booked():
    world = wild(BOOK)
    return AssetMarket(world, world.assets[0], 1, START_NS)


@given(flow=st.floats(1e3, 1e9), factor=st.floats(1.5, 10.0), sign=st.sampled_from([1.0, -1.0]))
def test_walking_the_book_is_the_inverse_of_its_depth(booked, flow, factor, sign):
    """C(x) = D (x / 1 %)^g: doubling the flow multiplies the push by 2^(1/g)."""
    booked.state.venues["depth"] = 1.0
    push = displacement_kernel(booked._parameters, booked.state, 0, sign * flow)
    assert np.sign(push) == sign
    assert (abs(push) / 0.01) ** 2.0 * 2e7 == pytest.approx(flow, rel=1e-9)
    more = displacement_kernel(booked._parameters, booked.state, 0, sign * flow * factor)
    assert more / push == pytest.approx(factor**0.5, rel=1e-9)


def test_a_wall_holds_the_price_until_it_is_eaten():
    world = wild({**BOOK, "wall_usd": 5e6})
    market = AssetMarket(world, world.assets[0], 1, START_NS)
    flows = np.linspace(1e4, 6e7, 2000)
    push = np.array([displacement_kernel(market._parameters, market.state, 0, flow) for flow in flows])
    assert (np.diff(push) >= 0).all()
    held = flows[1:][np.diff(push) == 0]
    assert held[-1] - held[0] == pytest.approx(5e6, rel=0.05)


def test_icebergs_make_the_book_deeper_than_it_looks():
    pushes = []
    for ratio in (0.0, 3.0):
        market = AssetMarket(wild({**BOOK, "iceberg_ratio": ratio}), wild().assets[0], 1, START_NS)
        market.state.venues["depth"] = 1.0
        pushes.append(displacement_kernel(market._parameters, market.state, 0, 1e7))
    assert pushes[0] / pushes[1] == pytest.approx(2.0)


def test_the_push_of_an_order_is_refilled_with_the_books_time_constant():
    world = wild(BOOK, flow_impact=False)
    asset = replace(world.assets[0], opens_per_hour=0.0, background_trades_per_minute=0.0)
    market = AssetMarket(replace(world, assets=(asset,), warmup_days=0.0), asset, 1, START_NS)
    market.state.venues["eaten_usd"] = 4e6
    market.run(START_NS + 2 * SECOND_NS)
    first = float(market.state.venues["displacement"][0])
    market.run(START_NS + 62 * SECOND_NS)
    assert float(market.state.venues["displacement"][0]) / first == pytest.approx(
        np.exp(-60 / 30 / 2), rel=1e-6
    )


def test_makers_withdraw_when_the_market_is_wild():
    calm, stormy = (
        run(replace(world, venues=(replace(world.venues[0], **BOOK | {"book_withdrawal": 1.5}),)), hours=1)[0]
        for world in (small(trades=False, step_s=2.0, marks_every_s=10, open_interest_every_s=60), wild())
    )
    depth = [np.median(s.truth()["path"]["depth_ratio"]) for s in (calm, stormy)]
    assert depth[1] < 0.25 * depth[0]


def test_book_snapshots_show_depth_walls_and_spoofs_but_no_icebergs():
    venue = {**BOOK, "wall_usd": 3e6, "spoof_usd": 7e6, "spoof_bps": 42.0, "iceberg_ratio": 5.0}
    world = wild(
        venue, book_every_s=60, book_levels=200, book_level_bps=5.0, flow_impact=False, contagion=False
    )
    asset = replace(
        world.assets[0], opens_per_hour=0.0, background_trades_per_minute=0.0, round_step_usd=500.0
    )
    _, batches = run(replace(world, assets=(asset,), warmup_days=0.0), hours=1)
    rows = rows_of(batches, Kind.BOOK_LEVEL)
    for number in np.unique(rows["seq"]):
        alike = rows[rows["seq"] == number]
        assert (len(alike), len(np.unique(alike["ts_event_ns"]))) == (400, 1)
    book = Book(asset.tick_usd)
    book.apply_rows(rows)
    assert [len(book.levels(side)) for side in (BIDS, ASKS)] == [200, 200]
    snapshot = rows[rows["ts_event_ns"] == rows["ts_event_ns"][0]]
    for side in (1, -1):
        levels = snapshot[snapshot["side"] == side]
        assert len(levels) == 200
        assert (np.diff(levels["price_usd"]) * side < 0).all()
        usd = levels["qty_base"] * levels["price_usd"]
        plain = np.diff((np.arange(201) * 0.0005 / 0.01) ** 2) * 2e7
        extra = usd - plain
        assert extra[8] == pytest.approx(7e6, rel=1e-3) or extra[8] == pytest.approx(1e7, rel=1e-3)
        walls = np.flatnonzero(extra[np.arange(200) != 8] > 2.9e6)
        assert len(walls) == pytest.approx(96_000 * 0.1 / 500, abs=3)


def test_stress_delays_messages_and_outages_lose_them_and_leave_a_gap():
    venue = {"outages_per_hour": 20.0, "outage_s": 45, "stress_latency_ms": 300}
    simulation, batches = run(wild(venue), hours=3)
    gaps = rows_of(batches, Kind.GAP)
    assert len(gaps) > 3
    assert set((gaps["to_ns"] - gaps["from_ns"]).tolist()) == {45 * SECOND_NS}
    marks = rows_of(batches, Kind.MARK)
    liquidations = rows_of(batches, Kind.LIQUIDATION)
    for gap in gaps:
        for rows in (marks, liquidations):
            assert not ((rows["ts_event_ns"] >= gap["from_ns"]) & (rows["ts_event_ns"] < gap["to_ns"])).any()
    for rows in (marks, liquidations):
        assert (np.diff(rows["ts_received_ns"]) >= 0).all()
    assert np.median(marks["ts_received_ns"] - marks["ts_event_ns"]) > 500_000_000
    published = simulation.truth()["liquidations"]
    lost = np.zeros(len(published["side"]), dtype=bool)
    for gap in gaps:
        lost |= (published["ts_event_ns"] >= gap["from_ns"]) & (published["ts_event_ns"] < gap["to_ns"])
    assert lost.any()
    assert not published["is_reported"][lost].any()


@pytest.mark.parametrize(
    "name", ["adl-crash", "thin-book", "six-venues", "partial-liquidation", "cross-margin"]
)
def test_rows_of_the_new_worlds_do_not_depend_on_how_they_are_advanced(name):
    world = load_world(name)
    changes = {"warmup_days": 0.05, "truth_counterfactual": False, "truth_odds_every_s": 0, "schedule": ()}
    crash = tuple(kind for kind in world.regimes if kind.name == "crash")
    if crash:
        changes["regimes"] = (replace(crash[0], mean_hours=1e5, next={}),)
    found = []
    for cuts in ((600,), (1, 2, 17, 60, 61, 299, 300, 451, 600)):
        simulation = Simulation(replace(world, **changes), 7, START_NS)
        batches = [b for cut in cuts for b in simulation.advance(START_NS + cut * SECOND_NS)]
        found.append({})
        for batch in batches:
            found[-1].setdefault((batch.kind, batch.instrument_id), []).append(batch.rows)
    whole, parts = ({key: np.concatenate(rows).tobytes() for key, rows in run.items()} for run in found)
    assert whole == parts


def test_nothing_is_caused_where_forced_orders_leave_no_trace():
    world = small(contagion=False, truth_counterfactual=True, step_s=2.0, trades=False, marks_every_s=10)
    simulation, _ = run(replace(world, open_interest_every_s=60), hours=3)
    caused = simulation.truth()["liquidations"]["caused"]
    assert (caused == 0).sum() > 50
    assert not (caused == 1).any()


def test_the_second_run_tells_what_forced_orders_caused():
    simulation, _ = run(wild(truth_counterfactual=True, impact_coefficient=4.0), hours=3)
    table = simulation.truth()["liquidations"]
    known = table["caused"] >= 0
    assert known.sum() > 300
    assert 0.05 < table["caused"][known].mean() < 0.9
    both = known & (table["contagion"] >= 0)
    agree = np.corrcoef(table["caused"][both], table["contagion"][both])[0, 1]
    assert agree > 0.2


def test_odds_fall_with_distance_and_forced_orders_only_add():
    world = wild(truth_odds_every_s=3600, truth_odds_runs=24, truth_odds_minutes=30, impact_coefficient=4.0)
    simulation, _ = run(world, hours=1)
    odds = simulation.truth()["odds"]
    n = len(odds["side"]) // 2
    for side in (odds["side"][:n], odds["side"][n:]):
        assert len(set(side.tolist())) == 1
    for part in (slice(0, n), slice(n, 2 * n)):
        for name in ("hit_prob", "unforced_hit_prob"):
            assert (np.diff(odds[name][part]) <= 0).all()
    excess = odds["hit_prob"] - odds["unforced_hit_prob"]
    assert excess.min() > -0.1
    assert excess.max() > 0.0
    assert excess.mean() >= 0.0
    assert (odds["n_runs"] == 24).all()


def test_odds_do_not_disturb_the_market():
    plain, asked = (
        run(wild(truth_odds_every_s=every_s, truth_odds_runs=2), hours=1)[1] for every_s in (0, 600)
    )
    assert [batch.rows.tobytes() for batch in plain] == [batch.rows.tobytes() for batch in asked]


def test_the_deleveraging_crash_lies_in_the_published_ranges():
    """October 2025: 70 % of liquidations in 40 minutes, 84 to 87 % longs, open interest -43 %, depth -90 %."""
    simulation = Simulation(
        replace(load_world("adl-crash"), truth_counterfactual=False, warmup_days=2.0, trades=False),
        3,
        START_NS,
    )
    simulation.advance(START_NS + DAY_NS // 4)
    truth = simulation.truth()
    table, path = truth["liquidations"], truth["path"]
    hour = (table["ts_event_ns"] - START_NS) / HOUR_NS
    crash = (hour >= 4.0) & (hour < 4.67)
    usd = table["notional_usd"]
    assert usd[crash].sum() / usd.sum() > 0.6
    assert 0.65 < usd[crash & (table["side"] > 0)].sum() / usd[crash].sum() < 0.98
    mine = path["instrument"] == "simx:BTCUSDT"
    when, interest, depth = (
        ((path["t_ns"] - START_NS) / HOUR_NS)[mine],
        path["oi_base"][mine],
        path["depth_ratio"][mine],
    )
    assert 0.45 < interest[when > 4.7][0] / interest[when < 4.0][-1] < 0.75
    assert 0.05 < depth[(when > 4.0) & (when < 4.67)].min() / np.median(depth[when < 4.0]) < 0.15
    assert table["is_handed_over"][crash].mean() > 0.1
    assert len(truth["winners"]["side"]) > 100


@pytest.mark.parametrize(
    "name", ["six-venues", "cross-margin", "partial-liquidation", "thin-book", "regime-leverage"]
)
def test_worlds_made_like_markets_lie_in_the_published_ranges(name):
    """Volatility 1.2 to 4.5 % a day, 1 to 6.5 % of open interest liquidated a day, most of it at low leverage."""
    world = replace(
        load_world(name), truth_counterfactual=False, truth_odds_every_s=0, step_s=4.0, warmup_days=3.0
    )
    simulation = Simulation(world, 1, START_NS)
    simulation.advance(START_NS + 2 * DAY_NS)
    truth = simulation.truth()
    table, path = truth["liquidations"], truth["path"]
    ids = sorted(set(path["instrument"].tolist()))
    interest = sum(
        (path["oi_base"] * path["mark_price_usd"])[path["instrument"] == iid].mean() for iid in ids
    )
    assert 0.008 < table["notional_usd"].sum() / 2 / interest < 0.075
    price = path["last_price_usd"][path["instrument"] == ids[0]]
    assert 0.01 < np.diff(np.log(price)).std() * np.sqrt(DAY_NS / MINUTE_NS) < 0.05
    standing = simulation.positions()["BTC"]
    low = standing["notional_usd"][standing["leverage"] <= 7].sum() / standing["notional_usd"].sum()
    assert 0.55 < low < 0.97
