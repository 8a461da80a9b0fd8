"""Worlds load, say what is wrong with them, and every key of them is documented."""

from __future__ import annotations

import re

import msgspec
import pytest
from tests.contracts.tree import ROOT

from faultline.errors import ConfigError
from faultline.simulator import builtin_worlds, load_world
from faultline.simulator.worlds import world_from_dict, world_keys

NAMES = tuple(sorted(path.stem for path in (ROOT / "src/faultline/simulator/worlds").glob("*.toml")))


def test_the_builtin_worlds_are_these():
    assert tuple(builtin_worlds()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_builtin_world_loads_under_its_own_name(name):
    world = load_world(name)
    assert world.name == name
    assert all(venue.slug.startswith("sim") for venue in world.venues)


def test_a_world_loads_from_any_path(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\ntitle = "Mine."\nextends = "calm"\nwarmup_days = 1.5\n')
    world = load_world(path)
    assert (world.name, world.warmup_days, world.extends) == ("mine", 1.5, "calm")
    assert world.assets == load_world("calm").assets
    assert load_world(str(path)) == world


def test_an_unknown_world_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'calm'"):
        load_world("clam")


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ConfigError, match="cannot read the world") as caught:
        load_world(tmp_path / "absent.toml")
    assert "absent.toml" in caught.value.where


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"#" * 1_000_001])
def test_a_file_that_is_no_world_is_refused(tmp_path, content):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError):
        load_world(path)


@pytest.mark.parametrize(
    ("path", "key", "nearest"),
    [
        ((), "contagio", "contagion"),
        (("assets", 0), "tick_us", "assets[0].tick_usd"),
        (("venues", 0, "tiers", 1), "cap", "venues[0].tiers[1].cap_usd"),
        (("traders", 2), "leverage_medium", "traders[2].leverage_median"),
        (("regimes", 0), "drift", "regimes[0].drift_vols_per_day"),
    ],
)
def test_an_unknown_key_names_the_nearest_valid_one(path, key, nearest):
    raw = msgspec.to_builtins(load_world("three-assets"))
    raw["venues"] = [dict(venue, tiers=list(venue["tiers"])) for venue in raw["venues"]]
    place = raw
    for part in path:
        place[part] = list(place[part]) if isinstance(place[part], tuple) else place[part]
        place = place[part]
    place[key] = 1.0
    with pytest.raises(ConfigError, match="unknown key") as caught:
        world_from_dict(raw, where="mine.toml")
    assert key in str(caught.value)
    assert caught.value.hint.endswith(nearest)
    assert caught.value.where == "mine.toml"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"step_s": 7.0}, "divide 60 s"),
        ({"step_s": -1.0}, "step_s"),
        ({"marks_every_s": 7}, "divide 60 s"),
        ({"open_interest_every_s": 7, "marks_every_s": 2}, "multiple of 2 s"),
        ({"assets": []}, "assets"),
        ({"contagion": "yes"}, "contagion"),
        ({"schedule": [{"regime": "flood", "at_hours": 1.0, "for_hours": 1.0}]}, "no regime 'flood'"),
        ({"impact_exponent": 1.5}, "impact_exponent"),
        ({"warmup_days": float("nan")}, "finite"),
        ({"jumps_per_day": float("inf")}, "finite"),
        ({"extends": "clam"}, "no world is called"),
    ],
)
def test_impossible_values_are_refused_with_their_key(changes, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        world_from_dict(msgspec.to_builtins(load_world("three-assets")) | changes, where="mine.toml")


@pytest.mark.parametrize(
    ("tiers", "said"),
    [
        ([(2e6, 0.01, 50), (1e6, 0.02, 25)], "rise"),
        ([(1e6, 0.02, 25), (2e6, 0.01, 50)], "rise"),
        ([(1e6, 0.01, 100)], "no room"),
    ],
)
def test_impossible_tiers_are_refused(tiers, said):
    raw = msgspec.to_builtins(load_world("three-assets"))
    rows = [{"cap_usd": cap, "maintenance_ratio": ratio, "max_leverage": most} for cap, ratio, most in tiers]
    raw["venues"] = [dict(raw["venues"][0], tiers=rows)]
    with pytest.raises(ConfigError, match=said):
        world_from_dict(raw, where="mine.toml")


@pytest.mark.parametrize("table", ["assets", "venues", "traders", "regimes"])
def test_two_entries_of_one_name_are_refused(table):
    raw = msgspec.to_builtins(load_world("three-assets"))
    raw[table] = [raw[table][0], raw[table][0]]
    if table == "regimes":
        raw[table] = [dict(raw[table][0], next={})] * 2
    with pytest.raises(ConfigError, match="same name"):
        world_from_dict(raw, where="mine.toml")


def test_every_key_is_documented_with_its_meaning_and_default():
    page = (ROOT / "docs/reference/worlds.md").read_text()
    keys = world_keys()
    assert len(keys) > 80
    for key in keys:
        assert key.meaning.endswith("."), key.path
        default = f"`{key.default}`" if key.default else "required"
        assert f"| `{key.path}` | {key.type} | {default} | {key.meaning} |" in page, key.path


def test_the_page_documents_no_key_that_does_not_exist():
    page = (ROOT / "docs/reference/worlds.md").read_text().partition("## Truth")[0]
    assert set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)) - {
        key.path for key in world_keys()
    } == set(builtin_worlds())
