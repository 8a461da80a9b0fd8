from __future__ import annotations

import os
import subprocess
import sys

from faultline.kernel_cache import KEPT_MAX, kernel_cache_folder


def package(tmp_path, text: str):
    folder = tmp_path / "package"
    (folder / "inner").mkdir(parents=True, exist_ok=True)
    (folder / "a.py").write_text("A = 1\n")
    (folder / "inner" / "b.py").write_text(text)
    return folder


def test_the_same_sources_share_a_folder(tmp_path) -> None:
    first = kernel_cache_folder(tmp_path, package(tmp_path, "B = 1\n"))
    assert kernel_cache_folder(tmp_path, package(tmp_path, "B = 1\n")) == first


def test_a_change_of_any_file_changes_the_folder(tmp_path) -> None:
    first = kernel_cache_folder(tmp_path, package(tmp_path, "B = 1\n"))
    assert kernel_cache_folder(tmp_path, package(tmp_path, "B = 2\n")) != first


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
