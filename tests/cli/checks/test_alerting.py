from __future__ import annotations

import pytest

from faultline.cli.checks.alerting import check_alerts
from faultline.cli.checks.outcome import State
from faultline.config import Settings

SECRET = "ntfys://ntfy.example.org/sesame-open-up"


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path)


def write(settings, name, text, mode=0o600):
    path = settings.home / name
    path.write_text(text)
    path.chmod(mode)
    return path


def test_without_targets_nothing_is_wrong(settings):
    found = check_alerts(settings, {})
    assert (found.state, found.found) == (State.OK, "targets: none; rules in alerts.toml: 0")


def test_targets_are_named_and_their_addresses_are_not_shown(settings):
    write(settings, "targets.toml", f'[targets]\nphone = "{SECRET}"\n')
    found = check_alerts(settings, {"FAULTLINE_TARGET_DESK": SECRET})
    assert found.state is State.OK
    assert "targets: desk, phone;" in found.found
    assert "sesame" not in found.found + found.fix


def test_a_file_of_secrets_that_everybody_can_read_is_mentioned(settings):
    write(settings, "targets.toml", f'[targets]\nphone = "{SECRET}"\n', mode=0o644)
    found = check_alerts(settings, {})
    assert found.state is State.WARN
    assert "chmod 600" in found.fix
    assert "sesame" not in found.found + found.fix


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (f'[targets]\nphone = "{SECRET}', "not TOML"),
        (f'[tragets]\nphone = "{SECRET}"\n', "tragets"),
        ('[targets]\nphone = "sesame"\n', "phone"),
        ('[targets]\nphone = "exec://sesame-open-up"\n', "exec"),
    ],
)
def test_targets_that_cannot_be_used_fail_without_showing_addresses(settings, text, word):
    path = write(settings, "targets.toml", text)
    found = check_alerts(settings, {})
    assert found.state is State.FAIL
    assert word in found.found
    assert str(path) in found.found
    assert found.fix
    assert "sesame" not in found.found + found.fix


def test_rules_that_cannot_be_read_fail(settings):
    write(settings, "alerts.toml", "[[rule")
    found = check_alerts(settings, {})
    assert found.state is State.FAIL
    assert "alerts.toml" in found.found
