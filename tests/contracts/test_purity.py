"""One place knows a contract size, one reads the wall clock, and the core does neither chance nor time."""

from __future__ import annotations

import ast
import re

from tests.contracts.tree import NUMERIC_CORE, at, package_modules

#: Modules that may name the field: its definition and its column.
SIZE_OWNERS = {"src/faultline/instruments.py", "src/faultline/messages.py"}
#: Stages that construct instruments, and may therefore give the field a value.
SIZE_WRITERS = {"sources", "simulator"}
CLOCK_CALLS = {
    "time.time",
    "time.time_ns",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "dt.datetime.now",
}
MARGIN_WORDS = {"liquidation_price_usd", "bankruptcy_price_usd"}


def size_uses(module):
    """Nodes that name ``contract_size`` other than as a keyword argument, or a column that a writer fills."""
    filled = {
        node.slice
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Subscript)
        and isinstance(node.ctx, ast.Store)
        and module.stage in SIZE_WRITERS
    }
    for node in ast.walk(module.tree):
        if node in filled:
            continue
        named = (
            (isinstance(node, ast.Attribute) and node.attr == "contract_size")
            or (isinstance(node, ast.Name) and node.id == "contract_size")
            or (isinstance(node, ast.Constant) and node.value == "contract_size")
            or (isinstance(node, ast.arg) and node.arg == "contract_size")
        )
        if named:
            yield node


def test_no_other_file_multiplies_by_a_contract_size():
    found = []
    for module in package_modules():
        # A made-up venue has units of its own, and payloads are spelt as the venue spells them.
        if module.name in SIZE_OWNERS or module.stage == "testing" or module.name.endswith("/payloads.py"):
            continue
        found += [at(module, node, "names contract_size") for node in size_uses(module)]
        if module.stage not in SIZE_WRITERS:
            found += [
                at(module, node.value, "gives contract_size a value")
                for node in ast.walk(module.tree)
                if isinstance(node, ast.keyword) and node.arg == "contract_size"
            ]
    assert not found, "\n".join(found)


def test_the_simulated_market_shares_no_margin_formula_with_the_engine():
    found = []
    for module in package_modules():
        if module.stage != "simulator":
            continue
        for node in ast.walk(module.tree):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Attribute) and called.attr in MARGIN_WORDS:
                found.append(at(module, node, called.attr))
    assert not found, "\n".join(found)


def test_only_the_clock_reads_the_wall_clock():
    found = []
    for module in package_modules():
        if module.stage == "clock":
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in CLOCK_CALLS:
                found.append(at(module, node, ast.unparse(node.func)))
    assert not found, "\n".join(found)


def test_the_core_knows_neither_time_nor_chance():
    found = []
    for module in package_modules():
        if module.stage not in NUMERIC_CORE:
            continue
        for node in ast.walk(module.tree):
            match node:
                case ast.Import(names=names) if {alias.name for alias in names} & {
                    "time",
                    "random",
                    "secrets",
                }:
                    found.append(at(module, node, ast.unparse(node)))
                case ast.ImportFrom(module="time" | "random" | "secrets"):
                    found.append(at(module, node, ast.unparse(node)))
                case ast.Call(func=func, args=args):
                    called = ast.unparse(func)
                    seeded = called.endswith((".default_rng", ".Generator")) and args
                    if re.fullmatch(r"(np|numpy)\.random\.\w+", called) and not seeded:
                        found.append(at(module, node, called))
    assert not found, "\n".join(found)


def test_nothing_is_pickled():
    found = []
    for module in package_modules():
        for node in ast.walk(module.tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module]
            if {"pickle", "shelve", "marshal", "dill", "cloudpickle"} & set(names):
                found.append(at(module, node, ast.unparse(node)))
            allowed = isinstance(node, ast.keyword) and node.arg == "allow_pickle"
            if allowed and ast.unparse(node.value) != "False":
                found.append(at(module, node.value, "allow_pickle"))
    assert not found, "\n".join(found)


#: Arrow's readers that hand work to threads of its own unless told otherwise.
THREADED_READERS = {"read_table", "read_row_group", "read_row_groups", "iter_batches"}


def test_no_thread_of_arrow_outlives_a_command():
    # A thread that still lets go of a Python buffer when the interpreter ends aborts the whole process.
    found = []
    for module in package_modules():
        for node in ast.walk(module.tree):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if called and node.func.attr in THREADED_READERS:
                said = {keyword.arg: keyword.value for keyword in node.keywords}
                threads = said.get("use_threads")
                if not (isinstance(threads, ast.Constant) and threads.value is False):
                    found.append(at(module, node, f"{node.func.attr} without use_threads=False"))
    assert not found, "\n".join(found)
