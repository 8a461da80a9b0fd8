"""The running Python in, whether everything that Faultline consists of is there and works out.

Imports nothing but the standard library at the top: it has to run where a dependency does not.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from faultline.cli.checks.outcome import Outcome, fail, ok, warn
from faultline.cli.tested_versions import TESTED_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ("check_cpu", "check_dashboard", "check_dependencies", "check_kernels", "check_python")

_OLDEST_PYTHON: Final = (3, 11)
_NEWEST_TESTED_PYTHON: Final = (3, 13)
#: What the compiled packages expect of a processor of this family.
_X86_NEEDED: Final = ("cx16", "popcnt", "ssse3", "sse4_1", "sse4_2")
_X86_WANTED: Final = ("avx2", "fma")
_IMPORT_LIMIT_S: Final = 180
#: Imports each named module and says so at once: a processor without an instruction kills the process in the middle.
_IMPORT_SCRIPT: Final = """
import importlib, json, sys
for name in sys.argv[1:]:
    print(json.dumps({"trying": name}), flush=True)
    try:
        importlib.import_module(name)
    except BaseException as exc:
        print(json.dumps({"failed": name, "why": f"{type(exc).__name__}: {exc}"[:200]}), flush=True)
print(json.dumps({"done": True}), flush=True)
"""
_REINSTALL: Final = (
    "install again: `make setup` in a checkout, else `pip install --force-reinstall` of the wheel"
)


def check_python(
    version: tuple[int, ...] = sys.version_info[:3], *, is_64_bit: bool = sys.maxsize > 2**32
) -> Outcome:
    """Version and width of the interpreter."""
    found = f"{platform.python_implementation()} {'.'.join(map(str, version))}"
    if version[:2] < _OLDEST_PYTHON or not is_64_bit:
        return fail("python", found if is_64_bit else f"{found}, 32 bit", "use a 64-bit Python 3.11 or newer")
    if version[:2] > _NEWEST_TESTED_PYTHON:
        return warn(
            "python", f"{found}, newer than what the tests run with", "use 3.11 to 3.13 if something fails"
        )
    return ok("python", found)


def check_dependencies(
    tested: Mapping[str, tuple[str, ...]] = TESTED_VERSIONS, requirements: Iterable[str] | None = None
) -> Outcome:
    """Whether every package that Faultline imports is there, new enough, and loads.

    Args:
        tested: versions the tests run with, by package.
        requirements: lines like ``numpy>=2.2``; by default those of the installed package.
    """
    oldest = _oldest(_requirements() if requirements is None else requirements)
    broken, other, versions = [], [], {}
    for name in tested:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            broken.append(f"{name} is not installed")
    for name, version in versions.items():
        if _numbers(version) < _numbers(oldest.get(name, "0")):
            broken.append(f"{name} {version} is older than {oldest[name]}")
        elif _numbers(version)[:2] not in {_numbers(known)[:2] for known in tested[name]}:
            other.append(f"{name} {version} (tested: {', '.join(tested[name])})")
    broken += _not_importable([name.replace("-", "_") for name in versions])
    if broken:
        return fail("dependencies", "; ".join(broken), _REINSTALL)
    if other:
        fix = "if something misbehaves, use the tested versions: `make setup` in a checkout"
        return warn("dependencies", f"other versions than the tests run with: {', '.join(other)}", fix)
    return ok("dependencies", f"{len(versions)} packages load, at the versions the tests run with")


def _requirements() -> list[str]:
    try:
        return importlib.metadata.requires("faultline") or []
    except importlib.metadata.PackageNotFoundError:
        # Run from a checkout that was never installed: there are no ranges to hold the versions against.
        return []


def _oldest(requirements: Iterable[str]) -> dict[str, str]:
    found = (re.match(r"([\w.-]+)\s*>=\s*([\d.]+)", line) for line in requirements)
    return {match[1].lower(): match[2] for match in found if match}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])


def _not_importable(modules: list[str]) -> list[str]:
    """What cannot be imported and why, tried in a process of its own."""
    command = [sys.executable, "-P", "-c", _IMPORT_SCRIPT, *modules]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and our own script
            command, capture_output=True, text=True, timeout=_IMPORT_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return [f"importing them took longer than {_IMPORT_LIMIT_S} s"]
    broken, trying, is_done = [], "the first package", False
    for line in done.stdout.splitlines():
        try:
            step = json.loads(line)
        except ValueError:
            # A package that prints while it is imported.
            continue
        if isinstance(step, dict):
            trying = step.get("trying", trying)
            is_done = is_done or "done" in step
            if "failed" in step:
                broken.append(f"{step['failed']} cannot be imported ({step['why']})")
    if not is_done:
        broken.append(f"importing {trying} ends the process (exit code {done.returncode})")
    return broken


def check_cpu(machine: str | None = None, cpuinfo: Path = Path("/proc/cpuinfo")) -> Outcome:
    """Whether the processor has the instructions that the compiled packages use."""
    name = platform.machine() if machine is None else machine
    cores = f"{name}, {os.cpu_count() or '?'} cores"
    if name.lower() not in {"x86_64", "amd64"}:
        return ok("cpu", f"{cores}; no instructions are known to be needed here")
    try:
        line = re.search(r"^flags\s*:(.*)$", cpuinfo.read_text(encoding="utf-8"), flags=re.MULTILINE)
    except OSError:
        line = None
    if line is None:
        return warn("cpu", f"{cores}; its features cannot be read", f"it needs {', '.join(_X86_NEEDED)}")
    flags = set(line[1].split())
    lacks = [flag for flag in _X86_NEEDED if flag not in flags]
    if lacks:
        fix = "use a processor of the x86-64-v2 level; in a virtual machine choose the CPU model `host`"
        return fail("cpu", f"{cores}, without {', '.join(lacks)}", fix)
    slow = [flag for flag in _X86_WANTED if flag not in flags]
    if slow:
        fix = "it runs, more slowly; in a virtual machine choose the CPU model `host`"
        return warn("cpu", f"{cores}, without {', '.join(slow)}", fix)
    return ok("cpu", f"{cores}, {', '.join((*_X86_NEEDED, *_X86_WANTED))}")


def check_kernels(environment: Mapping[str, str] = os.environ) -> Outcome:
    """Whether numba compiles here, and whether what it compiled is kept for the next start."""
    begun_s = time.perf_counter()
    try:
        from faultline.cli.checks.probe_kernels import sum_of_squares

        value = sum_of_squares(1000)
    except Exception as exc:  # noqa: BLE001 - whatever LLVM or numba raise here is what is to be reported
        return fail("kernels", f"numba cannot compile: {type(exc).__name__}: {exc}"[:300], _REINSTALL)
    took_s = time.perf_counter() - begun_s
    if not math.isclose(value, 332_833_500.0):
        return fail("kernels", f"a compiled sum is {value}, not 332833500", _REINSTALL)
    fix = "make that folder writable, or point XDG_CACHE_HOME to one that is; until then every start compiles again"
    folder = environment.get("NUMBA_CACHE_DIR")
    if folder is None:
        base = environment.get("XDG_CACHE_HOME", "~/.cache")
        return warn("kernels", f"compile, and cannot be kept: {base} cannot be written", fix)
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as exc:
        return warn("kernels", f"compile, and cannot be kept: {folder}: {exc.strerror}", fix)
    return ok("kernels", f"compile ({took_s:.1f} s), kept in {folder}")


def check_dashboard(static: Path) -> Outcome:
    """Whether the built dashboard is inside the package, complete."""
    if not (static / "index.html").is_file():
        fix = "`make web` in a checkout; a published wheel has it inside. The API works without it"
        return warn("dashboard", "it has not been built", fix)
    try:
        chunks = json.loads((static / ".vite" / "manifest.json").read_text(encoding="utf-8")).values()
        wanted = {name for chunk in chunks for name in (chunk["file"], *chunk.get("css", []))}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as exc:
        return fail("dashboard", f"its manifest cannot be read ({type(exc).__name__})", _rebuild())
    lost = sorted(name for name in wanted if not (static / name).is_file())
    if lost:
        return fail("dashboard", f"lacks {', '.join(lost)}", _rebuild())
    return ok("dashboard", f"{len(wanted) + 1} files in {static}")


def _rebuild() -> str:
    return "build it again: `make web` in a checkout, or install the wheel again"
