"""A machine with Python in, a virtual environment with exactly the locked packages out."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Create the environment where there is none, then install a lock file or the project into it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", type=Path, required=True)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--lock", type=Path, help="install the packages of this file, hashes required")
    what.add_argument("--project", action="store_true", help="install the project itself, editable")
    args = parser.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is what an older Python gets to read
        print(f"Faultline needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}")
        return 1
    uv = shutil.which("uv")
    python = args.venv / "bin" / "python"
    if not python.exists() and not _create(args.venv, uv):
        return 1
    if uv:
        install = [uv, "pip", "install", "--quiet", "--python", str(python)]
    else:
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if args.project:
        install += ["--no-build-isolation", "--no-deps", "--editable", str(ROOT)]
    else:
        print(f"Installing the packages of {args.lock} into {args.venv} ...")
        install += ["--require-hashes", "--requirement", str(args.lock)]
    return subprocess.run(install, check=False).returncode


def _create(venv: Path, uv: str | None) -> bool:
    create = [uv, "venv", "--quiet", "--python", sys.executable] if uv else [sys.executable, "-m", "venv"]
    if subprocess.run([*create, str(venv)], check=False).returncode == 0:
        return True
    print(
        f"Could not create {venv}: install the package that holds Python's venv module (Debian: python3-venv)"
    )
    return False


if __name__ == "__main__":
    sys.exit(main())
