"""The package's sources in, a folder for its compiled kernels out.

numba keeps a compiled kernel for as long as the kernel's own file is unchanged, although code of other files was
compiled into it: after an update it would go on running the old code. So the folder's name is a fingerprint of all
sources, and a kernel is found again only while nothing changed. ``NUMBA_CACHE_DIR`` overrules it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path
from typing import Final

__all__ = ("KEPT_MAX", "kernel_cache_folder", "use_kernel_cache")

#: Folders of earlier sources that are kept, newest first.
KEPT_MAX: Final = 3


def kernel_cache_folder(base: Path, package: Path) -> Path:
    """Folder below ``base`` for the sources as they are now: every byte of every ``*.py`` of ``package`` counts."""
    digest = hashlib.sha256(sys.version.encode())
    for source in sorted(package.rglob("*.py")):
        digest.update(str(source.relative_to(package)).encode())
        digest.update(source.read_bytes())
    return base / digest.hexdigest()[:16]


def use_kernel_cache() -> None:
    """Point numba to the folder; forget folders of older sources. Must run before numba is imported."""
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    base = os.environ.get("XDG_CACHE_HOME")
    root = Path(base) if base else Path.home() / ".cache"
    root = root / "faultline" / "kernels"
    folder = kernel_cache_folder(root, Path(__file__).parent)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.touch()
        older = sorted(
            (path for path in root.iterdir() if path != folder), key=lambda path: -path.stat().st_mtime
        )
        for path in older[KEPT_MAX:]:
            shutil.rmtree(path, ignore_errors=True)
    except OSError:
        # Without a folder that can be written numba compiles into memory: slower to start, and right.
        return
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
