"""Data flows one way: the import contracts hold, and each of them turns red when it should."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib

import pytest
from tests.contracts.tree import NUMERIC_CORE, PACKAGE, ROOT

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
LAYERS = next(contract for contract in CONTRACTS if contract["type"] == "layers")["layers"]


def lint(folder):
    """Exit code and output of import-linter on the package in ``folder/src``."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-cache", "--no-logo", "--config", str(ROOT / "pyproject.toml")],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def planted(tmp_path):
    """A copy of the package in which a file can be written."""
    source = tmp_path / "src" / "faultline"
    shutil.copytree(
        PACKAGE, source, ignore=lambda _, names: [n for n in names if "." in n and not n.endswith(".py")]
    )

    def plant(path, text):
        file = source / path
        file.parent.mkdir(parents=True, exist_ok=True)
        for folder in file.parents:
            if folder == source:
                break
            (folder / "__init__.py").touch()
        with file.open("a", encoding="utf-8") as out:
            out.write(f"\n{text}\n")
        return lint(tmp_path)

    return plant


def test_the_contracts_hold():
    code, output = lint(ROOT)
    assert code == 0, output
    assert "0 broken" in output


PLANTS = {
    "a folder nobody listed": ("utils/text.py", "X = 1", "data flows one way"),
    "a stage reading config": ("heatmap/planted.py", "import faultline.config", "data flows one way"),
    "a lower stage importing a higher": (
        "tape/planted.py",
        "import faultline.pipeline",
        "data flows one way",
    ),
    "a sibling importing a sibling": (
        "sources/planted.py",
        "import faultline.simulator",
        "data flows one way",
    ),
    "the vocabulary importing a stage": ("units.py", "import faultline.tape", "data flows one way"),
    "the api importing the pipeline": ("api/planted.py", "import faultline.pipeline.planted", "never meet"),
    "a venue importing a venue": (
        "sources/venues/b.py",
        "import faultline.sources.venues.a",
        "venues do not",
    ),
    "duckdb in the core": ("learning/planted.py", "import duckdb", "the numeric core does no I/O"),
    "asyncio in the core": ("market/planted.py", "import asyncio", "the numeric core does no I/O"),
    "the core reading a tape": (
        "heatmap/planted.py",
        "import faultline.tape.planted",
        "numeric core does no",
    ),
    "the core knowing the simulator": (
        "zones/planted.py",
        "import faultline.simulator",
        "numeric core does no",
    ),
    "pyarrow in the pipeline": ("pipeline/planted.py", "import pyarrow.parquet", "pyarrow and duckdb stay"),
    "apprise in the api": ("api/planted.py", "import apprise", "apprise only in alerts"),
    "nats in the pipeline": ("pipeline/planted.py", "from nats.aio import client", "nats only in bus"),
    "ccxt in the market": (
        "evaluation/planted.py",
        "import ccxt.async_support",
        "only sources talk to venues",
    ),
    "sqlalchemy in the api": ("api/planted.py", "import sqlalchemy", "sqlalchemy only in store"),
    "litestar in the cli": ("cli/planted.py", "import litestar", "litestar and granian only in api"),
    "a made-up market in the engine": (
        "store/planted.py",
        "import faultline.testing",
        "does not import its test",
    ),
    "an I/O library in the simulator": ("simulator/planted.py", "import httpx", "knows only the vocabulary"),
}
#: Targets that a planted import needs to be there.
TARGETS = (
    "config.py",
    "pipeline/planted.py",
    "tape/planted.py",
    "sources/venues/a.py",
    "simulator/planted.py",
)


@pytest.mark.parametrize(("path", "text", "contract"), PLANTS.values(), ids=PLANTS)
def test_a_planted_violation_turns_its_contract_red(planted, tmp_path, path, text, contract):
    for target in TARGETS:
        file = tmp_path / "src" / "faultline" / target
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        for folder in file.relative_to(tmp_path / "src" / "faultline").parents:
            (tmp_path / "src" / "faultline" / folder / "__init__.py").touch()
    code, output = planted(path, text)
    assert code == 1, output
    broken = output.partition("Broken contracts")[2]
    assert contract in broken, output


def test_a_stage_that_is_there_is_not_an_optional_layer():
    """Parentheses say "not there yet"; a stage that exists may not hide behind them."""
    optional = {
        name.strip()[1:-1] for layer in LAYERS for name in layer.split("|") if name.strip().startswith("(")
    }
    present = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert sorted(optional & present) == []


def test_the_core_contract_lists_every_stage_of_the_core():
    core = next(contract for contract in CONTRACTS if contract["name"] == "the numeric core does no I/O")
    assert core["source_modules"] == [f"faultline.{stage}.*" for stage in NUMERIC_CORE]
