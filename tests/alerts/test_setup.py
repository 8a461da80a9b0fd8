"""Rules and targets from files and environment: what is wrong is named, and never with an address in it."""

from __future__ import annotations

import os

import pytest
from tests.contracts.tree import ROOT

from faultline.alerts.rules import RULES_MAX
from faultline.alerts.targets import TARGET_SCHEMES, TARGETS_MAX, nearest
from faultline.config import SETTINGS, Settings, read_alerts
from faultline.errors import ConfigError

SECRET = "hunter2-s3cr3t"


@pytest.fixture
def home(tmp_path):
    return tmp_path


@pytest.fixture
def read(home):
    def read_with(*, rules=None, targets=None, **environment):
        for name, text in (("alerts.toml", rules), ("targets.toml", targets)):
            if text is not None:
                (home / name).write_text(text, encoding="utf-8")
                (home / name).chmod(0o600)
        return read_alerts(Settings(home=home), environment)

    return read_with


def test_without_files_and_variables_there_is_nothing(read):
    setup = read(HOME="x")
    assert (setup.rules, setup.targets, setup.warnings) == ((), (), ())


def test_targets_come_from_the_environment_and_from_a_file_and_the_environment_wins(read):
    setup = read(
        targets=f'[targets]\nphone = "ntfy://{SECRET}"\nmail = "mailtos://u:{SECRET}@example.com"\n',
        FAULTLINE_TARGET_PHONE=f" json://user:{SECRET}@127.0.0.1 ",
        FAULTLINE_TARGET_NIGHT_DESK="slack://a/b/c",
        FAULTLINE_TARGET_EMPTY=" ",
    )
    assert {item.name: item.scheme for item in setup.targets} == {
        "phone": "json",
        "mail": "mailtos",
        "night_desk": "slack",
    }
    assert next(item for item in setup.targets if item.name == "phone").secret_url().startswith("json://user")
    assert SECRET not in repr(setup)
    assert any(name.startswith("FAULTLINE_TARGET_") for name in SETTINGS)


def test_rules_come_from_a_file(read):
    setup = read(
        rules="""
        [[rules]]
        name = "BTC at night"
        types = ["ZONE_HIT", "LIQUIDATION_LARGE"]
        assets = ["BTC"]
        sides = ["LONG"]
        max_distance_ratio = 0.01
        min_notional_usd = 5_000_000
        min_density_level = 7
        priorities = [0, 1]
        modes = ["live", "simulated"]
        p0_ignores_quiet = true
        dedupe_s = 60
        targets = ["phone"]
        rate_limit = { n = 3, per_s = 60 }
        [[rules.quiet_hours]]
        from = "22:00"
        to = "07:00"
        tz = "Europe/Berlin"
        [[rules]]
        name = "all"
        targets = ["phone"]
        """,
        FAULTLINE_TARGET_PHONE="ntfy://x",
    )
    night, everything = setup.rules
    assert (night.name, night.types, night.quiet_hours[0].from_) == (
        "BTC at night",
        ["ZONE_HIT", "LIQUIDATION_LARGE"],
        "22:00",
    )
    assert (night.min_notional_usd, night.rate_limit.n) == (5_000_000.0, 3)
    assert (everything.modes, everything.dedupe_s, everything.enabled) == (["live"], 900, True)


HEAD = '[[rules]]\nname = "a"\ntargets = ["phone"]\n'


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("[[rule]]", ["'rule'", "did you mean 'rules'"]),
        (HEAD + "type = ['ZONE_HIT']", ["'type'", "did you mean 'types'", "rule 1"]),
        (HEAD + "types = ['ZONE_HITS']", ["ZONE_HITS", "did you mean 'ZONE_HIT'", "types[0]", "rule 1"]),
        (HEAD + "sides = ['LNG']", ["LNG", "did you mean 'LONG'", "sides"]),
        (HEAD + "modes = ['lives']", ["did you mean 'live'"]),
        (HEAD + "min_density_level = 12", ["12", "min_density_level"]),
        (HEAD + "min_notional_usd = nan", ["nan", "min_notional_usd"]),
        (HEAD + "max_distance_ratio = '1%'", ["1%", "max_distance_ratio"]),
        (HEAD + "rate_limit = { n = 1, pers = 2 }", ["'pers'", "did you mean 'per_s'"]),
        (HEAD + "[[rules.quiet_hours]]\nfrom = '1:00'\nto = '02:00'", ["quiet_hours[0].from"]),
        (HEAD + "[[rules.quiet_hours]]\nstart = '01:00'\nto = '02:00'", ["'start'", "from"]),
        (
            HEAD + "[[rules.quiet_hours]]\nfrom = '01:00'\nto = '02:00'\ntz = 'Europe/Berln'",
            ["Europe/Berln", "Europe/Berlin", "quiet_hours[0]"],
        ),
        ('[[rules]]\nname = "a"\ntargets = ["fone"]', ["'fone'", "did you mean 'phone'"]),
        ('[[rules]]\nname = "a"', ["targets"]),
        ('[[rules]]\ntargets = ["phone"]', ["name"]),
        ('[[rules]]\nname = "<a>"\ntargets = ["phone"]', ["<a>", "name"]),
        (HEAD + HEAD, ["two rules", "'a'"]),
        ("rules = 3", ["[[rules]]"]),
        ("rules = [3]", ["not a table"]),
        ("[[rules]", ["not TOML", "line 1"]),
        ("".join(f'[[rules]]\nname = "r{n}"\ntargets = ["phone"]\n' for n in range(RULES_MAX + 1)), ["100"]),
    ],
)
def test_what_is_wrong_with_a_rule_is_named(read, rules, said):
    with pytest.raises(ConfigError) as raised:
        read(rules=rules, FAULTLINE_TARGET_PHONE="ntfy://x")
    assert "alerts.toml" in raised.value.where
    for word in said:
        assert word in str(raised.value)


@pytest.mark.parametrize(
    ("targets", "environment", "said"),
    [
        (
            None,
            {"FAULTLINE_TARGET_PHONE": f"ntfi://{SECRET}"},
            ["FAULTLINE_TARGET_PHONE", "did you mean 'ntfy'"],
        ),
        (None, {"FAULTLINE_TARGET_PHONE": f"https://{SECRET}"}, ["https://", "phone"]),
        (None, {"FAULTLINE_TARGET_PHONE": f"file:///etc/{SECRET}"}, ["file://"]),
        (None, {"FAULTLINE_TARGET_PHONE": f"syslog://{SECRET}"}, ["syslog://"]),
        (None, {"FAULTLINE_TARGET_PHONE": SECRET}, ["phone", "not shown"]),
        (None, {"FAULTLINE_TARGET_PHONE": f"{SECRET}://x"}, ["not shown"]),
        (None, {"FAULTLINE_TARGET_PHONE": f"json://{SECRET}\nx"}, ["not shown"]),
        (None, {"FAULTLINE_TARGET_PHONE": f"json://{SECRET}" + "x" * 5000}, ["not shown"]),
        (None, {"FAULTLINE_TARGET_": f"json://{SECRET}"}, ["name of a target"]),
        (None, {"FAULTLINE_TARGET_Ä": f"json://{SECRET}"}, ["name of a target"]),
        (f'[targets]\nphone = "nope://{SECRET}"', {}, ["targets.toml", "targets.phone", "nope://"]),
        (f'[targets]\n"a b" = "json://{SECRET}"', {}, ["'a b'", "targets.toml"]),
        (f'[target]\nphone = "json://{SECRET}"', {}, ["'target'", "did you mean 'targets'"]),
        (f'phone = "json://{SECRET}"', {}, ["'phone'"]),
        (f'[targets]\nphone = ["json://{SECRET}"]', {}, ["table of texts"]),
        (f"[targets]\nphone = json://{SECRET}", {}, ["not TOML", "line 2"]),
        (f'[targets]\nphone = "json://{SECRET}', {}, ["not TOML"]),
        (f'[targets]\nphone = "json://{SECRET}"\nphone = "json://{SECRET}"', {}, ["not TOML"]),
        ("#" * (257 * 1024), {}, ["too large"]),
        (None, {f"FAULTLINE_TARGET_T{n}": "json://x" for n in range(TARGETS_MAX + 1)}, ["at most 32"]),
    ],
)
def test_what_is_wrong_with_a_target_is_named_without_its_address(read, targets, environment, said):
    with pytest.raises(ConfigError) as raised:
        read(targets=targets, **environment)
    chain, words = raised.value, ""
    while chain is not None:
        words += f"{chain} {vars(chain)}"
        chain = None if chain.__suppress_context__ else chain.__cause__ or chain.__context__
    assert SECRET not in words
    for word in said:
        assert word in str(raised.value)


def test_a_file_that_is_not_text_is_refused_without_its_bytes(read, home):
    (home / "targets.toml").write_bytes(b"[targets]\n" + SECRET.encode() + b"\xff")
    with pytest.raises(ConfigError, match="UTF-8") as raised:
        read()
    assert raised.value.__suppress_context__
    (home / "targets.toml").unlink()
    (home / "targets.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        read()


@pytest.mark.skipif(os.name != "posix", reason="file modes are a thing of POSIX")
@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o602, True)])
def test_a_file_of_secrets_that_everybody_can_open_is_complained_about(read, home, mode, warned):
    (home / "targets.toml").write_text('[targets]\nphone = "ntfy://x"\n')
    (home / "targets.toml").chmod(mode)
    setup = read()
    assert [item.name for item in setup.targets] == ["phone"]
    assert bool(setup.warnings) is warned
    assert all("chmod 600" in text and "ntfy" not in text for text in setup.warnings)


def test_the_guide_lists_every_scheme_and_every_field_of_a_rule():
    from faultline.store.alert_rules import AlertRule

    text = (ROOT / "docs" / "how-to" / "alerts.md").read_text(encoding="utf-8")
    missing = [
        name for name in (*TARGET_SCHEMES, *AlertRule.__struct_encode_fields__) if f"`{name}`" not in text
    ]
    assert not missing


def test_a_hint_without_anything_known_says_so():
    assert nearest("x", ()) == "known: there is none yet"
