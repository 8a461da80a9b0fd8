from __future__ import annotations

import os
import subprocess
import sys

import pytest

from faultline.kernel_cache import KEPT_MAX, is_cold, kernel_cache_folder


def package(tmp_path, **changed: str):
    """A package with a kernel, a constant compiled into it, one behind that, and a bystander."""
    files = {
        "kernel": "from numba import njit\nfrom package.inner import (\n    b,\n)\n",
        "inner/b": "from package.deep import C\n\nB = C\n",
        "deep": "C = 1\n",
        "bystander": "from package import kernel\n",
        "inner/__init__": "",
    }
    folder = tmp_path / "package"
    for name, text in (files | {key.replace("__", "/"): value for key, value in changed.items()}).items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_the_same_sources_share_a_folder(tmp_path) -> None:
    first = kernel_cache_folder(tmp_path, package(tmp_path))
    assert kernel_cache_folder(tmp_path, package(tmp_path)) == first


@pytest.mark.parametrize("name", ["kernel", "inner__b", "deep"])
def test_a_change_of_a_kernel_or_of_what_it_imports_changes_the_folder(tmp_path, name) -> None:
    first = kernel_cache_folder(tmp_path, package(tmp_path))
    folder = package(tmp_path)
    path = folder / f"{name.replace('__', '/')}.py"
    path.write_text(path.read_text() + "D = 2\n")
    assert kernel_cache_folder(tmp_path, folder) != first


def test_a_change_that_no_kernel_can_see_keeps_the_folder(tmp_path) -> None:
    first = kernel_cache_folder(tmp_path, package(tmp_path))
    assert kernel_cache_folder(tmp_path, package(tmp_path, bystander="E = 3\n")) == first


def run(code: str, **extra: str) -> str:
    environment = {
        k: v for k, v in os.environ.items() if k not in {"NUMBA_CACHE_DIR", "XDG_CACHE_HOME"}
    } | extra
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_importing_the_package_points_numba_to_the_folder_and_forgets_old_ones(tmp_path) -> None:
    kernels = tmp_path / "faultline" / "kernels"
    for k in range(KEPT_MAX + 2):
        (kernels / f"old{k}").mkdir(parents=True)
    shown = run(
        "import faultline, os; print(os.environ['NUMBA_CACHE_DIR'])", XDG_CACHE_HOME=str(tmp_path)
    ).strip()
    assert shown.startswith(str(kernels))
    assert len(list(kernels.iterdir())) == KEPT_MAX + 1


def test_a_folder_of_ones_own_is_left_alone(tmp_path) -> None:
    shown = run(
        "import faultline, os; print(os.environ['NUMBA_CACHE_DIR'])", NUMBA_CACHE_DIR=str(tmp_path)
    ).strip()
    assert shown == str(tmp_path)


def test_a_folder_without_kernels_is_cold(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert is_cold()
    (tmp_path / "heatmap").mkdir()
    (tmp_path / "heatmap" / "grid.kernel.nbi").touch()
    assert not is_cold()
