"""The locks, the installed packages and the built dashboard in, ``THIRD_PARTY_NOTICES.txt`` and a version table out.

``python tools/write_notices.py`` writes them; with ``--check`` it exits 1 where one differs.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING

from licences import expression_of, is_allowed, texts_of
from locked import LOCK, ROOT, Locked, runtime_packages

if TYPE_CHECKING:
    from pathlib import Path

NOTICES = ROOT / "THIRD_PARTY_NOTICES.txt"
VERSIONS = ROOT / "src" / "faultline" / "cli" / "tested_versions.py"
WEB_LOCK = ROOT / "web" / "package-lock.json"
#: Licence texts of what is inside the dashboard's files, collected when it is built.
WEB_NOTICES = ROOT / "src" / "faultline" / "api" / "static" / "THIRD_PARTY_NOTICES.txt"

RULE = "=" * 78
INTRODUCTION = f"""\
Third-party notices of Faultline
{RULE}
Written by tools/write_notices.py from the lock files: run `make notices` after a change of them.

Part 1 lists the Python packages that Faultline needs to run. They are installed beside it, not inside it. Part 2
lists what is inside the files of the dashboard. A text that several packages share stands once."""


def notices(locked: dict[str, Locked], web: str) -> str:
    """The whole document.

    Raises:
        ValueError: a package is not installed as locked, or its licence is unknown or not allowed.
    """
    _check_web(web)
    shown: dict[str, str] = {}
    entries = [_entry(name, package, shown) for name, package in locked.items()]
    table = "\n".join(title for title, _ in entries)
    texts = "\n\n".join(f"{RULE}\n{title}\n{RULE}\n\n{body}" for title, body in entries)
    heads = [f"Part 1: Python packages\n{RULE}", f"Part 2: packages inside the dashboard\n{RULE}"]
    return "\n\n".join([INTRODUCTION, f"{heads[0]}\n{table}", texts, heads[1], web.strip()]) + "\n"


def _entry(name: str, package: Locked, shown: dict[str, str]) -> tuple[str, str]:
    try:
        found = distribution(name)
    except PackageNotFoundError as exc:
        raise ValueError(f"{name} is not installed: run `make setup`") from exc
    if found.version not in package.versions:
        raise ValueError(
            f"{name} {found.version} is installed, the lock says {package.versions}: run `make setup`"
        )
    expression = expression_of(name, found)
    if not is_allowed(expression):
        raise ValueError(f"{name} is under {expression}, which tools/licences.py does not allow")
    title = f"{name} {' / '.join(package.versions)} ({expression})"
    texts = []
    for text in texts_of(found):
        key = " ".join(text.split())
        texts.append(f"The text is the one that stands under {shown[key]}." if key in shown else text)
        shown.setdefault(key, name)
    return title, "\n\n".join(texts) or "The package carries no licence text in its metadata."


def web_packages(lock: str) -> dict[str, tuple[str, str]]:
    """Version and licence of every package that the dashboard ships, from its lock."""
    packages = json.loads(lock)["packages"]
    return {
        path.removeprefix("node_modules/"): (entry["version"], entry["license"])
        for path, entry in packages.items()
        if path and not entry.get("dev") and not entry.get("optional")
    }


def _check_web(web: str) -> None:
    for name, (version, licence) in web_packages(WEB_LOCK.read_text(encoding="utf-8")).items():
        if not is_allowed(licence):
            raise ValueError(f"{name} is under {licence}, which tools/licences.py does not allow")
        if f"{name} {version} ({licence})\n" not in web:
            raise ValueError(f"the built dashboard's notices lack {name} {version}: run `make web`")


def versions_module(locked: dict[str, Locked]) -> str:
    """Source of the module with the locked versions of the project's own dependencies."""
    rows = []
    for name, package in locked.items():
        if package.is_direct:
            versions = ", ".join(f'"{version}"' for version in package.versions)
            rows.append(f'    "{name}": ({versions}{"," if len(package.versions) == 1 else ""}),')
    return "\n".join(
        [
            '"""Nothing in, locked versions of dependencies out; written by tools/write_notices.py."""',
            "",
            "from __future__ import annotations",
            "",
            "from typing import Final",
            "",
            '__all__ = ("TESTED_VERSIONS",)',
            "",
            "#: Locked versions by package; several where they depend on the version of Python.",
            "TESTED_VERSIONS: Final[dict[str, tuple[str, ...]]] = {",
            *rows,
            "}",
            "",
        ]
    )


def main() -> int:
    """Write or check both files."""
    locked = runtime_packages(LOCK.read_text(encoding="utf-8"))
    try:
        web = WEB_NOTICES.read_text(encoding="utf-8")
        files: dict[Path, str] = {NOTICES: notices(locked, web), VERSIONS: versions_module(locked)}
    except FileNotFoundError:
        print("the dashboard is not built: run `make web`", file=sys.stderr)
        return 1
    except ValueError as exc:
        print(exc, file=sys.stderr)
        return 1
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text("utf-8") != text]
    for path in stale:
        if "--check" in sys.argv[1:]:
            print(f"{path.name} is not what the locks say: run `make notices`", file=sys.stderr)
        else:
            path.write_text(files[path], encoding="utf-8")
    return 1 if stale and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
