"""The package's sources in, a folder for its compiled kernels out.

numba keeps a compiled kernel for as long as the kernel's own file is unchanged, although code of other files was
compiled into it: after an update it would go on running the old code. So the folder's name is a fingerprint of every
file with kernels and of everything that those import, and a kernel is found again only while none of it changed.
``NUMBA_CACHE_DIR`` overrules it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ("KEPT_MAX", "is_cold", "kernel_cache_folder", "use_kernel_cache")

#: Folders of earlier sources that are kept, newest first.
KEPT_MAX: Final = 3
_NUMBA: Final = re.compile(r"^(?:from|import) numba", re.MULTILINE)
_IMPORT: Final = re.compile(r"^from (?P<module>[\w.]+) import (?P<names>\([^)]*\)|[^\n#]*)", re.MULTILINE)


def kernel_cache_folder(base: Path, package: Path) -> Path:
    """Folder below ``base`` for the kernels of ``package`` as they are now.

    Imports inside functions and behind ``TYPE_CHECKING`` do not count: nothing of them is compiled in.
    """
    texts = {_module(path, package): path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    waiting = [name for name, text in texts.items() if _NUMBA.search(text)]
    counted: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in counted:
            counted.add(name)
            waiting += _imported(texts[name], texts.keys())
    digest = hashlib.sha256(sys.version.encode())
    for name in sorted(counted):
        digest.update(f"{name}\n{texts[name]}".encode())
    return base / digest.hexdigest()[:16]


def _module(path: Path, package: Path) -> str:
    """Name of a file's module, e.g. ``faultline.heatmap.grid``."""
    parts = (package.name, *path.relative_to(package).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(text: str, known: Collection[str]) -> list[str]:
    """Modules of the package that a source imports at its top level."""
    names = []
    for match in _IMPORT.finditer(text):
        members = (word.strip() for word in match["names"].strip("()").replace("\n", ",").split(","))
        names += [match["module"], *(f"{match['module']}.{member}" for member in members)]
    return [name for name in names if name in known]


def is_cold() -> bool:
    """Whether no kernel of these sources has been compiled yet: the first that is called will take its time."""
    folder = os.environ.get("NUMBA_CACHE_DIR")
    return folder is None or next(Path(folder).rglob("*.nbi"), None) is None


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
