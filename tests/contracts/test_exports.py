"""What a module offers is what its ``__all__`` says: a sorted tuple of its public names."""

from __future__ import annotations

import ast
import importlib
import re

import pytest
from tests.contracts.tree import PACKAGE, package_modules

MODULES = package_modules()


def declared(tree):
    """Value of ``__all__``, or None where there is none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return ast.literal_eval(node.value)
    return None


def is_command(node):
    """Whether a function is reached through the command line that it is registered with, not by its name."""
    decorators = [ast.unparse(decorator) for decorator in getattr(node, "decorator_list", [])]
    return any(re.search(r"\.(command|callback)\(", text) for text in decorators)


def is_type_variable(node):
    """Whether an assignment makes a type variable, which only its own module needs."""
    called = node.value.func if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) else None
    return called is not None and ast.unparse(called).endswith(("TypeVar", "ParamSpec"))


def defined(tree):
    """Public names that the module itself binds at its top level; imports and commands aside."""
    names = set()
    for node in tree.body:
        if is_command(node) or is_type_variable(node):
            continue
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Assign(targets=targets):
                for target in targets:
                    names |= {part.id for part in ast.walk(target) if isinstance(part, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
    return {name for name in names if not name.startswith("_")}


def imported(tree):
    """Names that the module takes from elsewhere at its top level."""
    nodes = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    return {alias.asname or alias.name for node in nodes for alias in node.names}


def order(name):
    """Constants, then classes, then the rest, each by name with numbers as numbers."""
    rank = 0 if name.isupper() else 1 if name[0].isupper() else 2
    return rank, [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name.removeprefix("src/faultline/"))
def test_exports_are_a_sorted_tuple_of_the_public_names(module):
    exports = declared(module.tree)
    public = defined(module.tree)
    if exports is None:
        assert public == set(), "public names but no __all__"
        return
    assert isinstance(exports, tuple), "__all__ must be a tuple"
    assert list(exports) == sorted(set(exports), key=order)
    own = {name for name in exports if name != "__version__"}
    assert public <= own, f"public but not exported: {sorted(public - own)}"
    assert own <= public | imported(module.tree), "exported but not there"


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name.removeprefix("src/faultline/"))
def test_every_module_imports_alone_and_has_what_it_exports(module):
    parts = module.path.relative_to(PACKAGE.parent).with_suffix("").parts
    if parts[-1] == "__main__":
        pytest.skip("running it is its purpose")
    loaded = importlib.import_module(".".join(part for part in parts if part != "__init__"))
    for name in getattr(loaded, "__all__", ()):
        assert hasattr(loaded, name)
