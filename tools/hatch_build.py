"""A wheel or source archive being built in, the dashboard inside it out: as it is, newly built, or a refusal."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: Folder of the built dashboard, inside the package.
STATIC = Path("src", "faultline", "api", "static")


class DashboardHook(BuildHookInterface[Any]):
    """Sees to ``src/faultline/api/static`` before anything is packed; editable installs are let through.

    A complete build is taken as it is, so that an archive with one needs no Node. Without one, npm builds it where
    there is npm and its sources; ``FAULTLINE_NO_WEB=1`` asks for a package without a dashboard.
    """

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - the hook's signature
        """Check, or build and check.

        Raises:
            RuntimeError: the dashboard is incomplete, or there is none and it cannot be built here.
        """
        if version == "editable":
            return
        static = Path(self.root, STATIC)
        if not (static / "index.html").is_file():
            if os.environ.get("FAULTLINE_NO_WEB") == "1":
                return
            _build(Path(self.root, "web"))
        missing = missing_files(static)
        if missing:
            raise RuntimeError(f"the dashboard in {STATIC} lacks {', '.join(missing)}: run `make web`")


def missing_files(static: Path) -> list[str]:
    """Files that a complete dashboard has and this one lacks: what the manifest names, with compressed siblings."""
    manifest = static / ".vite" / "manifest.json"
    wanted = {"index.html", "THIRD_PARTY_NOTICES.txt"}
    if not manifest.is_file():
        return [".vite/manifest.json"]
    for chunk in json.loads(manifest.read_text(encoding="utf-8")).values():
        wanted.update([chunk["file"], *chunk.get("css", []), *chunk.get("assets", [])])
    text = (".js", ".css", ".html", ".txt", ".json", ".svg")
    wanted |= {name + suffix for name in wanted if name.endswith(text) for suffix in (".gz", ".br")}
    return sorted(name for name in wanted if not (static / name).is_file())


def _build(web: Path) -> None:
    npm = shutil.which("npm")
    if npm is None or not (web / "package.json").is_file():
        lacks = "npm" if npm is None else "its sources in web/"
        raise RuntimeError(
            f"the dashboard is not built and {lacks} is missing here: run `make web` in a checkout first, "
            "or set FAULTLINE_NO_WEB=1 for a package without it"
        )
    installed = (web / "node_modules" / ".package-lock.json").is_file()
    for words in ([] if installed else [["install", "--no-save"]]) + [["run", "build"]]:
        done = subprocess.run([npm, *words], cwd=web, check=False)
        if done.returncode:
            raise RuntimeError(f"`npm {' '.join(words)}` in web/ failed with exit code {done.returncode}")
