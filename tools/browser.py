"""A machine in, the path of a Chromium for the browser tests out; installs Debian's where it may."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """Path of an installed Chromium, FAULTLINE_CHROMIUM first."""
    names = (os.environ.get("FAULTLINE_CHROMIUM", ""), *NAMES)
    return next(filter(None, map(shutil.which, names)), None)


def main() -> int:
    """Print the path; exit code 0 found, 3 skipped by FAULTLINE_BROWSER=skip, 1 missing."""
    if os.environ.get("FAULTLINE_BROWSER") == "skip":
        print("Browser tests are skipped: FAULTLINE_BROWSER=skip", file=sys.stderr)
        return 3
    path = find()
    apt = shutil.which("apt-get")
    if path is None and apt and os.geteuid() == 0:
        print("Installing chromium ...", file=sys.stderr)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for step in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
            subprocess.run([apt, *step], check=False, env=quiet, stdout=sys.stderr)
        path = find()
    if path is None:
        print(
            "No Chromium for the browser tests: install the package chromium or set FAULTLINE_BROWSER=skip",
            file=sys.stderr,
        )
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
