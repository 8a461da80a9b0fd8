"""The repository's files in, parsed Python modules and plain texts out, for the contract tests."""

from __future__ import annotations

import ast
import dataclasses
import functools
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "faultline"

#: Stages whose answers depend on their arguments alone.
NUMERIC_CORE = (
    "market",
    "heatmap",
    "zones",
    "orderflow",
    "cascades",
    "whales",
    "learning",
    "probability",
    "signals",
    "strategy",
)

_SKIPPED = {"node_modules", "dist", "static", "__pycache__", "test-results", "playwright-report"}


@dataclasses.dataclass(frozen=True)
class Module:
    """One parsed Python file."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """Path from the root of the repository."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def stage(self) -> str:
        """Folder or root module of the package, e.g. ``heatmap`` or ``units``."""
        return self.path.relative_to(PACKAGE).parts[0].removesuffix(".py")

    def functions(self):
        """Every function of the file, nested ones too."""
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        return [node for node in ast.walk(self.tree) if isinstance(node, kinds)]


def files(*tops: str, suffixes: tuple[str, ...]) -> list[Path]:
    """Files below folders of the repository (or single files) that people write."""
    found = []
    for top in tops:
        start = ROOT / top
        paths = [start] if start.is_file() else start.rglob("*")
        for path in paths:
            if path.is_file() and path.suffix in suffixes and not _SKIPPED & set(path.parts):
                found.append(path)
    return sorted(found)


@functools.cache
def parse(path: Path) -> Module:
    """Read and parse one file."""
    text = path.read_text(encoding="utf-8")
    return Module(path, text, ast.parse(text, filename=str(path)))


def package_modules() -> list[Module]:
    """Every module of the package."""
    return [parse(path) for path in files("src/faultline", suffixes=(".py",))]


def all_modules() -> list[Module]:
    """Every Python file of the repository."""
    tops = ("src", "tests", "tools", "benchmarks", "examples")
    return [parse(path) for path in files(*tops, suffixes=(".py",))]


def at(module: Module, node: ast.AST, what: str) -> str:
    """One finding, as an editor can jump to it."""
    return f"{module.name}:{node.lineno}: {what}"
