"""The truth of a simulation survives writing, and scores are zero for the truth itself and grow with error."""

from __future__ import annotations

import dataclasses
import re

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contracts.tree import ROOT

from faultline.errors import NotFound, StoreError
from faultline.evaluation.truth import (
    TRUTH_TABLES,
    RecoveredMap,
    RecoveredMix,
    read_maps,
    read_mixes,
    read_truth,
    score_truth,
    worst_first,
    write_mixes,
    write_truth,
)
from faultline.evaluation.truth_chains import CAUSES_SCHEMA, ODDS_SCHEMA, score_causes, score_odds
from faultline.evaluation.truth_scores import area_under_curve, shares_on_grid
from faultline.simulator import Simulation, builtin_worlds, load_world
from faultline.units import HOUR_NS, MINUTE_NS, parse_time_ns

START_NS = parse_time_ns("2026-01-05")
ID = "simx:BTCUSDT"


def simulated(name="evaluation", **changes):
    world = load_world(name)
    changes = {"warmup_days": 0.5, "truth_map_every_s": 3600, "truth_positions_every_s": 3600, **changes}
    simulation = Simulation(msgspec.structs.replace(world, **changes), 3, START_NS)
    simulation.advance(START_NS + 3 * HOUR_NS)
    return simulation


@pytest.fixture(scope="module")
def simulation():
    return simulated()


@pytest.fixture(scope="module")
def folder(simulation, tmp_path_factory):
    path = tmp_path_factory.mktemp("truth")
    write_truth(simulation, path)
    return path


def true_mix(simulation, instrument=ID, t_ns=START_NS):
    """The mix of opens itself, on the grid of its own leverages."""
    opens = simulation.truth()["opens"]
    mine = opens["instrument"] == instrument
    leverages, which = np.unique(opens["leverage"][mine], return_inverse=True)
    shares = np.bincount(which, weights=opens["n_opens"][mine])
    shares = shares / shares.sum()
    wide = np.ones(len(shares), dtype=bool)
    return RecoveredMix(t_ns, instrument, leverages.astype(float), shares, shares * 0.9, shares * 1.1, wide)


def of_instrument(report, instrument=ID):
    return next(venue for venue in report["venues"] if venue["instrument"] == instrument)


def true_maps(simulation, instrument=ID, factor=1.0):
    """The standing maps themselves, as an engine would show them."""
    standing = simulation.truth()["standing"]
    maps = []
    for t_ns in sorted(set(standing["t_ns"].tolist())):
        for side in (1, -1):
            rows = (
                (standing["t_ns"] == t_ns)
                & (standing["side"] == side)
                & (standing["instrument"] == instrument)
            )
            low, usd = standing["price_low_usd"][rows], standing["notional_usd"][rows]
            near = np.abs(np.log(low / simulation.world.assets[0].price_usd)) < 0.15
            edges = np.exp(np.arange(np.log(low[near][0]), np.log(low[near][-1]) + 7e-4, 5e-4))
            values = np.zeros(len(edges) - 1)
            values[np.round((np.log(low[near]) - np.log(edges[0])) / 5e-4).astype(int)] = usd[near]
            maps.append(RecoveredMap(t_ns, instrument, side, edges, values * factor))
    return maps


def test_every_table_survives_writing(simulation, folder):
    manifest, tables = read_truth(folder)
    truth = simulation.truth()
    assert set(tables) == set(truth)
    assert set(TRUTH_TABLES) - set(truth) == {"winners", "odds"}
    for name, table in tables.items():
        assert manifest["rows"][name] == table.num_rows == len(next(iter(truth[name].values())))
        for column, values in truth[name].items():
            assert table[column].to_pylist() == values.tolist(), (name, column)
    assert manifest["simulated"] is True
    assert manifest["world"]["name"] == "evaluation"
    assert (manifest["start_ns"], manifest["end_ns"], manifest["seed"]) == (
        START_NS,
        START_NS + 3 * HOUR_NS,
        3,
    )


def test_every_column_is_documented(folder):
    page = (ROOT / "docs/reference/worlds.md").read_text()
    for name in read_truth(folder)[1]:
        section = page.partition(f"### `{name}.parquet`")[2].partition("\n#")[0]
        documented = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
        assert documented == pq.read_schema(folder / f"{name}.parquet").names


def test_writing_again_replaces_and_leaves_no_stale_table(tmp_path):
    write_truth(simulated(), tmp_path)
    assert (tmp_path / "positions.parquet").exists()
    write_truth(simulated(truth_positions_every_s=0), tmp_path)
    assert not (tmp_path / "positions.parquet").exists()
    assert "positions" not in read_truth(tmp_path)[1]


def test_a_folder_that_cannot_be_written_is_named(simulation, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError) as caught:
        write_truth(simulation, tmp_path / "file")
    assert "file" in caught.value.where


@pytest.mark.parametrize(
    "content",
    [None, b"", b"[1]", b'{"schema": "else"}', b'{"schema": "faultline-truth", "rows": {"opens": 1}}'],
)
def test_a_folder_without_truth_is_an_error_with_a_hint(tmp_path, content):
    if content is not None:
        (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(NotFound) as caught:
        read_truth(tmp_path)
    assert "--truth" in caught.value.hint


def test_the_truth_scores_perfectly_against_itself(simulation, folder):
    report = score_truth(([true_mix(simulation)], true_maps(simulation)), folder)
    venue = next(venue for venue in report["venues"] if venue["instrument"] == ID)
    assert venue["venue"] == "simx"
    assert venue["mix_source"] == "recovered"
    assert venue["tv"] == pytest.approx(0.0, abs=1e-12)
    assert venue["w1_log"] == pytest.approx(0.0, abs=1e-12)
    assert venue["coverage95"] == 1.0
    assert venue["recovered_mass"] == pytest.approx(1.0, rel=1e-6)
    assert len(venue["identified"]) > 10
    assert report["standing_kl"] == pytest.approx(0.0, abs=0.02)
    assert report["standing_maps"] == 8


def test_where_nothing_was_recovered_the_prior_is_scored_and_named(folder):
    report = score_truth(([], []), folder)
    assert sorted(venue["instrument"] for venue in report["venues"]) == ["simx:BTCUSDT", "simy:BTCUSDT"]
    assert report["venues"][0]["w1_log"] >= report["venues"][1]["w1_log"]
    for venue in report["venues"]:
        assert venue["mix_source"] == "prior"
        assert 0.05 < venue["tv"] < 0.9
        assert venue["w1_log"] > 0.05
        assert (venue["coverage95"], venue["recovered_mass"], venue["identified"]) == (None, None, [])
    assert report["standing_kl"] is None
    msgspec.json.encode(report)


def test_distances_are_those_of_the_definition(simulation, folder):
    mix = true_mix(simulation)
    moved = mix.shares.copy()
    moved[0] -= mix.shares[0]
    moved[1] += mix.shares[0]
    shifted = RecoveredMix(START_NS, ID, mix.leverages, moved, moved - 1e-9, moved + 1e-9, mix.is_identified)
    venue = of_instrument(score_truth(([shifted], []), folder))
    assert venue["tv"] == pytest.approx(mix.shares[0])
    assert venue["w1_log"] == pytest.approx(mix.shares[0] * np.log(mix.leverages[1] / mix.leverages[0]))
    assert venue["coverage95"] == pytest.approx(1 - 2 / len(moved))


def test_the_last_mix_of_an_instrument_is_the_one_that_counts(simulation, folder):
    late, early = true_mix(simulation, t_ns=START_NS + 2), true_mix(simulation, t_ns=START_NS + 1)
    early = RecoveredMix(
        early.t_ns, ID, early.leverages, early.shares[::-1], early.low, early.high, early.is_identified
    )
    venue = of_instrument(score_truth(([late, early], []), folder))
    assert venue["tv"] == pytest.approx(0.0, abs=1e-12)
    assert venue["w1_log_mean"] > venue["w1_log"]


def test_the_divergence_grows_with_the_shift_of_the_map_and_ignores_its_scale(simulation, folder):
    def divergence(shift, factor=1.0):
        maps = [
            RecoveredMap(shown.t_ns, ID, shown.side, shown.edges_usd, np.roll(shown.notional_usd, shift))
            for shown in true_maps(simulation, factor=factor)
        ]
        report = score_truth(([], maps), folder)
        return report["standing_kl"], of_instrument(report)["recovered_mass"]

    here, near, far = divergence(0), divergence(2), divergence(40)
    assert here[0] < 0.02 < near[0] < far[0]
    half = divergence(0, 0.5)
    assert half[0] == pytest.approx(here[0])
    assert half[1] == pytest.approx(0.5, rel=1e-6)


def test_rows_of_a_display_share_true_buckets_by_overlap(simulation, folder):
    """A map on coarse linear rows holds the same money as the buckets under it."""
    standing = simulation.truth()["standing"]
    rows = (standing["t_ns"] == START_NS) & (standing["side"] == 1) & (standing["instrument"] == ID)
    edges = np.arange(60_000.0, 96_001.0, 50.0)
    low, high, usd = (standing[name][rows] for name in ("price_low_usd", "price_high_usd", "notional_usd"))
    expected = np.zeros(len(edges) - 1)
    for k in range(len(expected)):
        top, bottom = np.minimum(high, edges[k + 1]), np.maximum(low, edges[k])
        expected[k] = (
            usd * np.where(top > bottom, np.log(np.maximum(top, bottom) / bottom) / np.log(high / low), 0)
        ).sum()
    report = score_truth(([], [RecoveredMap(START_NS, ID, 1, edges, expected)]), folder)
    assert report["standing_kl"] == pytest.approx(0.0, abs=0.02)
    assert of_instrument(report)["recovered_mass"] == pytest.approx(1.0, rel=1e-6)


def test_an_asset_is_the_sum_of_its_venues(simulation, folder):
    maps = [RecoveredMap(m.t_ns, "BTC", m.side, m.edges_usd, m.notional_usd) for m in true_maps(simulation)]
    alone = score_truth(([], true_maps(simulation)), folder)["standing_kl"]
    assert score_truth(([], maps), folder)["standing_kl"] > alone


def test_mixes_survive_writing(simulation, tmp_path):
    mixes = [true_mix(simulation), true_mix(simulation, "simy:BTCUSDT", START_NS + 5)]
    write_mixes(mixes, tmp_path)
    found = read_mixes(tmp_path)
    assert [(mix.t_ns, mix.instrument) for mix in found] == [(mix.t_ns, mix.instrument) for mix in mixes]
    for mix, before in zip(found, mixes, strict=True):
        for name in ("leverages", "shares", "low", "high", "is_identified"):
            assert getattr(mix, name).tolist() == getattr(before, name).tolist()
        assert np.isnan(mix.iota).all()
        assert mix.identified().tolist() == before.is_identified.tolist()


def test_bands_and_the_share_of_the_data_survive_writing_and_are_scored(simulation, folder, tmp_path):
    plain = true_mix(simulation)
    n = len(plain.shares)
    off = plain.shares + np.where(np.arange(n) % 2 == 0, 0.0, 1.0)
    iota = np.where(plain.leverages > 20, 0.9, 0.2)
    mix = dataclasses.replace(
        plain, low80=plain.shares - 1e-9, high80=plain.shares + 1e-9, low50=off, high50=off + 1e-9, iota=iota
    )
    write_mixes([mix], tmp_path)
    back = read_mixes(tmp_path)[0]
    assert back.low80.tolist() == mix.low80.tolist()
    assert back.iota.tolist() == iota.tolist()
    venue = of_instrument(score_truth(([back], []), folder))
    assert (venue["coverage95"], venue["coverage80"]) == (1.0, 1.0)
    assert venue["coverage50"] == pytest.approx((n + 1) // 2 / n)
    assert venue["identified"] == [value for value in plain.leverages.tolist() if value > 20]
    assert venue["tv_identified"] == pytest.approx(0.0, abs=1e-12)


def test_an_error_among_shares_that_are_not_identified_does_not_count(simulation, folder):
    mix = true_mix(simulation)
    moved = mix.shares.copy()
    moved[0], moved[1] = moved[1], moved[0]
    known = np.arange(len(moved)) > 3
    venue = of_instrument(
        score_truth(([dataclasses.replace(mix, shares=moved, is_identified=known)], []), folder)
    )
    assert venue["tv"] == pytest.approx(abs(mix.shares[0] - mix.shares[1]))
    assert venue["tv_identified"] == pytest.approx(0.0, abs=1e-12)


@pytest.fixture(scope="module")
def switched(tmp_path_factory):
    """Twelve hours of the world whose leverage switches, after six of them."""
    simulation = simulated("regime-switch", leverage_switch_hours=1.5, truth_map_every_s=900)
    path = tmp_path_factory.mktemp("switched")
    write_truth(simulation, path)
    return path


def test_how_late_a_switch_is_followed(switched):
    grid = np.array([2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0])
    nothing = np.full(len(grid), np.nan)
    opens = read_truth(switched)[1]["opens"]
    is_late = opens["from_ns"].to_numpy() >= START_NS + 90 * MINUTE_NS
    shares = []
    for rows in (~is_late, is_late):
        leverage, n_opens = (opens[name].to_numpy()[rows].astype(float) for name in ("leverage", "n_opens"))
        shares.append(shares_on_grid(leverage, n_opens, grid))
    mixes = []
    for minutes, share in ((60, 0.0), (90, 0.0), (100, 0.3), (120, 0.6), (150, 0.95), (180, 1.0)):
        mixed = (1 - share) * shares[0] + share * shares[1]
        t_ns = START_NS + minutes * MINUTE_NS
        mixes.append(RecoveredMix(t_ns, "simy:BTCUSDT", grid, mixed, nothing, nothing, grid > 0))
    venue = of_instrument(score_truth((mixes, []), switched), "simy:BTCUSDT")
    assert venue["lag50_h"] == pytest.approx(0.5)
    assert venue["lag90_h"] == pytest.approx(1.0)
    stuck = of_instrument(score_truth((mixes[:4], []), switched), "simy:BTCUSDT")
    assert stuck["lag90_h"] is None


def test_odds_and_causes_are_scored_against_drawn_futures_and_the_second_run(tmp_path):
    simulation = simulated(
        truth_counterfactual=True,
        truth_odds_every_s=3600,
        truth_odds_runs=8,
        truth_odds_minutes=10,
        step_s=4.0,
    )
    truth, said = tmp_path / "truth", tmp_path / "said"
    write_truth(simulation, truth)
    said.mkdir()
    write_mixes([true_mix(simulation)], said)
    tables = read_truth(truth)[1]
    odds = tables["odds"].select(ODDS_SCHEMA.names)
    pq.write_table(odds.cast(ODDS_SCHEMA), said / "odds.parquet")
    causes = tables["liquidations"].select(["ts_event_ns", "instrument", "side", "caused"])
    exact = np.clip(causes["caused"].to_numpy(), 0, 1).astype(float)
    pq.write_table(
        pa.table([*causes.columns[:3], pa.array(exact)], schema=CAUSES_SCHEMA), said / "causes.parquet"
    )
    found = (score_odds(said, tables), score_causes(said, tables))
    assert found[0]["n"] == odds.num_rows
    assert (found[0]["hit_mae"], found[0]["excess_mae"]) == (0.0, 0.0)
    assert found[1]["brier"] == pytest.approx(0.0, abs=0.01)
    assert found[1]["auc"] is None or found[1]["auc"] > 0.98
    wrong = pa.table([*causes.columns[:3], pa.array(1.0 - exact)], schema=CAUSES_SCHEMA)
    pq.write_table(wrong, said / "causes.parquet")
    assert score_causes(said, tables)["brier"] > 0.95
    assert score_odds(tmp_path, tables) is None
    assert score_causes(None, tables) is None


@given(
    prob=st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.9]), min_size=2, max_size=30),
    labels=st.lists(st.booleans(), min_size=30, max_size=30),
)
def test_the_area_under_the_curve_is_the_share_of_pairs_in_order(prob, labels):
    label = np.array(labels[: len(prob)])
    values = np.array(prob)
    true, false = values[label], values[~label]
    found = area_under_curve(values, label)
    if not len(true) or not len(false):
        assert found is None
        return
    pairs = (true[:, None] > false).mean() + 0.5 * (true[:, None] == false).mean()
    assert found == pytest.approx(pairs)


def test_worlds_are_listed_worst_first_and_failed_nulls_before_all(folder):
    good = score_truth(([], []), folder)
    worse = {**good, "world": "worse", "venues": [{**venue, "w1_log": 9.0} for venue in good["venues"]]}
    failed = {**good, "world": "failed", "null_checks": [{"name": "no_contagion", "passed": False}]}
    lines = worst_first([good, failed, worse])
    assert [line["world"] for line in lines] == ["failed", "worse", "evaluation"]
    assert lines[0]["failed_nulls"] == ["no_contagion"]


def test_columns_of_a_replay_are_read_where_they_end_at_a_true_map(folder, tmp_path):
    outputs = pytest.importorskip("faultline.store.replay_outputs")
    with outputs.ReplayOutputs(tmp_path, simulated=True) as written:
        for timeframe, minutes in (("1m", 1), ("1h", 60)):
            start_ns = START_NS + HOUR_NS - minutes * MINUTE_NS
            written.write_columns(
                scope=ID,
                timeframe=timeframe,
                plane="synthetic",
                row_usd=50.0,
                first_row=1800,
                start_ns=np.array([start_ns, start_ns + minutes * MINUTE_NS]),
                usd=np.full((2, 2, 200), 1e6),
            )
        written.close({})
    maps = read_maps(tmp_path, {START_NS + HOUR_NS})
    assert [(shown.t_ns, shown.scope, shown.side) for shown in maps] == [
        (START_NS + HOUR_NS, ID, 1),
        (START_NS + HOUR_NS, ID, -1),
    ]
    assert (maps[0].edges_usd[0], maps[0].edges_usd[-1]) == (90_000.0, 100_000.0)
    report = score_truth(tmp_path, folder)
    assert report["standing_kl"] > 0.1
    assert report["venues"][0]["mix_source"] == "prior"


def test_a_folder_without_columns_is_an_error(folder, tmp_path):
    with pytest.raises(NotFound, match="no columns"):
        score_truth(tmp_path, folder)


def test_null_worlds_are_checked_for_what_they_lack(tmp_path):
    simulation = simulated("null-contagion")
    write_truth(simulation, tmp_path)

    def checks(mixes):
        return {check["name"]: check for check in score_truth((mixes, []), tmp_path)["null_checks"]}

    found = checks([])
    assert found["no_contagion"]["passed"] is True
    assert found["constant_leverage"]["passed"] is None
    mix = true_mix(simulation)
    grid = np.array([25.0, 50.0])
    steady = [
        RecoveredMix(t_ns, ID, grid, np.array([0.1, 0.9]), mix.low, mix.high, np.ones(2, dtype=bool))
        for t_ns in (1, 2)
    ]
    nothing = np.full(2, np.nan)
    steady = [RecoveredMix(m.t_ns, ID, grid, m.shares, nothing, nothing, m.is_identified) for m in steady]
    assert checks(steady)["constant_leverage"]["passed"] is True
    drifting = [
        *steady,
        RecoveredMix(3, ID, grid, np.array([0.3, 0.7]), nothing, nothing, np.ones(2, dtype=bool)),
    ]
    assert checks(drifting)["constant_leverage"]["value"] == pytest.approx(0.2)
    assert checks(drifting)["constant_leverage"]["passed"] is False
    unsure = [
        RecoveredMix(m.t_ns, ID, grid, m.shares, np.array([0.0, 0.6]), np.array([0.28, 1.0]), m.is_identified)
        for m in drifting
    ]
    assert checks(unsure)["constant_leverage"]["value"] == pytest.approx(0.02)
    assert checks(unsure)["constant_leverage"]["passed"] is True
    # Small steps add up to a change that the first band did not allow for.
    creeping = [
        RecoveredMix(
            t,
            ID,
            grid,
            np.array([a, 1 - a]),
            np.array([0, 0.6]),
            np.array([a + 0.05, 1]),
            np.ones(2, dtype=bool),
        )
        for t, a in enumerate((0.1, 0.14, 0.18, 0.22), start=1)
    ]
    assert checks(creeping)["constant_leverage"]["value"] == pytest.approx(0.07)
    assert checks(creeping)["constant_leverage"]["passed"] is False


def test_an_ordinary_world_has_no_null_to_check(folder):
    assert score_truth(([], []), folder)["null_checks"] == []


@pytest.mark.parametrize("name", sorted(builtin_worlds()))
def test_every_world_can_be_scored_and_its_own_truth_is_perfect(name, tmp_path):
    world = load_world(name)
    changes = {"warmup_days": 0.05, "truth_map_every_s": 600, "trades": False, "assets": world.assets[:1]}
    changes |= {"truth_counterfactual": False, "truth_odds_every_s": 0}
    simulation = Simulation(msgspec.structs.replace(world, **changes), 3, START_NS)
    simulation.advance(START_NS + 20 * MINUTE_NS)
    write_truth(simulation, tmp_path)
    ids = simulation.instrument_ids
    mixes = [true_mix(simulation, iid) for iid in ids]
    report = score_truth((mixes, [shown for iid in ids for shown in true_maps(simulation, iid)]), tmp_path)
    assert report["world"] == name
    assert {venue["instrument"] for venue in report["venues"]} == set(ids)
    for venue in report["venues"]:
        assert venue["tv"] == pytest.approx(0.0, abs=1e-9)
        assert venue["tv_identified"] == pytest.approx(0.0, abs=1e-9)
        assert venue["coverage95"] == 1.0
        assert venue["recovered_mass"] == pytest.approx(1.0, rel=1e-6)
    assert report["standing_kl"] == pytest.approx(0.0, abs=0.02)
    assert worst_first([report])[0]["failed_nulls"] == []
