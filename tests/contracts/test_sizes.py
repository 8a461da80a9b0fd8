"""Size budgets: a file that is too long has two subjects, a function that is too long does two things."""

from __future__ import annotations

import ast

from tests.contracts.tree import ROOT, all_modules, at, files

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
KERNEL_LINES_MAX = 90
WEB_FILE_LINES_MAX = 250


def function_lines(node):
    """Lines of a function without its decorators and its docstring."""
    lines = node.end_lineno - node.lineno + 1
    if ast.get_docstring(node, clean=False) is not None:
        text = node.body[0]
        lines -= text.end_lineno - text.lineno + 1
    return lines


def test_no_python_file_is_longer_than_its_budget():
    assert [
        f"{module.name}: {lines} lines"
        for module in all_modules()
        if (lines := module.text.count("\n")) > FILE_LINES_MAX
    ] == []


def test_no_function_is_longer_than_its_budget():
    found = []
    for module in all_modules():
        for node in module.functions():
            limit = KERNEL_LINES_MAX if node.name.endswith("_kernel") else FUNCTION_LINES_MAX
            if (lines := function_lines(node)) > limit:
                found.append(at(module, node, f"{node.name} has {lines} lines, at most {limit}"))
    assert not found, "\n".join(found)


def test_no_file_of_the_dashboard_is_longer_than_its_budget():
    found = []
    for path in files("web/src", suffixes=(".ts", ".tsx")):
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > WEB_FILE_LINES_MAX:
            found.append(f"{path.relative_to(ROOT)}: {lines} lines")
    assert not found, "\n".join(found)


def test_the_measure_counts_the_body_and_not_the_docstring():
    text = 'def f(\n    a,\n):\n    """One.\n\n    Two.\n    """\n    b = a\n    return b\n'
    assert function_lines(ast.parse(text).body[0]) == 5
