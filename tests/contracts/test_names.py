"""Names say what a thing is; a name that fits anything is forbidden."""

from __future__ import annotations

import ast
import re

from tests.contracts.tree import PACKAGE, ROOT, all_modules, at, files, package_modules

FORBIDDEN_WORDS = {
    "util",
    "utils",
    "helper",
    "helpers",
    "common",
    "misc",
    "manager",
    "processor",
    "service",
    "services",
    "handler",
    "handlers",
}
FORBIDDEN_SUFFIX = re.compile(r"(?<!_is)_(v\d+|new)$")


FORBIDDEN_FILE_SUFFIX = re.compile(r"[_-](fixed|backup|old|copy|legacy)$")


def words(name):
    """Words of a snake_case, kebab-case or CamelCase name."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return set(re.split(r"[_\W]+", spaced.lower()))


def complaint(name):
    """What is wrong with a name, or None."""
    bad = words(name) & FORBIDDEN_WORDS
    if bad:
        return f"{name!r} contains {bad.pop()!r}"
    if name == "data" or FORBIDDEN_SUFFIX.search(name):
        return f"{name!r} says nothing"
    return None


def names_of(node, path):
    """Names that a node defines."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.arg():
            # A request's body reaches a litestar route under this name and no other; an event's own field has it too.
            return [] if node.arg == "data" and ("api/routes" in path or "signals/" in path) else [node.arg]
        case ast.Name(ctx=ast.Store()):
            # Payloads spell fields as the venue does.
            return [] if node.id == "data" and ("signals/" in path or "/payloads.py" in path) else [node.id]
        case ast.Attribute(ctx=ast.Store(), value=ast.Name(id="self")):
            return [node.attr]
    return []


def test_no_name_in_the_package_is_a_drawer():
    found = []
    for module in package_modules():
        for node in ast.walk(module.tree):
            found += [
                at(module, node, text) for name in names_of(node, module.name) if (text := complaint(name))
            ]
    assert not found, "\n".join(found)


def test_no_file_or_folder_is_a_drawer():
    paths = files("src", "tests", "tools", "benchmarks", "examples", "docs", suffixes=(".py", ".toml", ".md"))
    paths += files("web/src", suffixes=(".ts", ".tsx", ".css"))
    found = set()
    for path in paths:
        for part in path.relative_to(ROOT).parts:
            stem = part.partition(".")[0]
            if text := complaint(stem):
                found.add(f"{path.relative_to(ROOT)}: {text}")
            if FORBIDDEN_FILE_SUFFIX.search(stem):
                found.add(f"{path.relative_to(ROOT)}: git keeps the other one")
    assert not found, "\n".join(sorted(found))


def test_a_caught_exception_is_called_exc():
    found = []
    for module in all_modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ExceptHandler) and node.name not in (None, "exc"):
                found.append(at(module, node, f"called {node.name!r}"))
    assert not found, "\n".join(found)


def test_every_module_says_what_goes_in_and_what_comes_out():
    modules = [module for module in all_modules() if not module.name.startswith("tests/")]
    found = [module.name for module in modules if not ast.get_docstring(module.tree)]
    assert not found, "\n".join(found)


def test_every_package_says_it_first_and_in_one_sentence():
    found = []
    for path in sorted(PACKAGE.rglob("__init__.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        text = docstring.partition("\n\n")[0]
        sentences = re.findall(r"[.!?](?=\s+[A-Z]|\s*$)", text)
        if not text.endswith(".") or len(sentences) != 1:
            found.append(f"{path.relative_to(ROOT)}: {text!r}")
    assert not found, "\n".join(found)


def test_compiled_functions_are_called_kernels_and_carry_their_mathematics():
    found = []
    for module in package_modules():
        for node in module.functions():
            decorators = " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
            if not re.search(r"\b(njit|jit|guvectorize|vectorize)\b", decorators):
                continue
            if not node.name.endswith("_kernel"):
                found.append(at(module, node, f"{node.name} is compiled and not called _kernel"))
            if not ast.get_docstring(node):
                found.append(at(module, node, f"{node.name} has no docstring"))
    assert not found, "\n".join(found)


def test_the_check_itself_sees_bad_names():
    bad = ("io_utils", "TradeManager", "data", "parse_v2", "rows_new", "request-handlers", "commonThings")
    good = ("database", "dataset", "utility_usd", "newest", "commonality", "serviced", "olds", "metadata")
    assert [name for name in bad if complaint(name) is None] == []
    assert [name for name in good if complaint(name) is not None] == []
