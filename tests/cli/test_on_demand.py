"""A command imports what it needs and nothing of the others."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer

from faultline.cli.app import APP


def loaded_after(*words: str) -> set[str]:
    program = (
        "import sys; from faultline.cli import main\n"
        f"sys.argv = ['faultline', *{list(words)!r}]\n"
        "try:\n    main()\nexcept SystemExit as exc:\n    assert not exc.code, exc.code\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    return set(done.stderr.split())


def test_the_version_is_told_without_the_engine():
    assert not {
        name for name in loaded_after("--version") if name.split(".")[0] in {"numba", "pyarrow", "scipy"}
    }


def test_one_command_does_not_import_another():
    loaded = loaded_after("venues", "--help")
    assert "faultline.cli.venues" in loaded
    assert not {"faultline.cli.serve", "faultline.cli.evaluate", "faultline.api.server"} & loaded


@pytest.mark.parametrize("name", typer.main.get_command(APP).list_commands(None))
def test_every_name_leads_to_a_command_of_that_name(name):
    command = typer.main.get_command(APP).get_command(None, name)
    assert command.name == name
    assert command.help


def test_a_name_that_is_none_leads_nowhere():
    assert typer.main.get_command(APP).get_command(None, "no-such-command") is None
