"""The slug of a venue in, the files of its folder, of its script and of its tests out, from ``tools/venue_template``.

What is written runs: a made-up venue with trades, which the contract suite takes once its slug is in the registry.
Every file is then replaced, one after the other, by what the venue's documentation says.
"""

from __future__ import annotations

import argparse
import re
import string
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = Path(__file__).resolve().parent / "venue_template"
FOLDER = Path("src/faultline/sources/venues")


def main() -> int:
    """Write the files; exit code 2 where the name cannot be used."""
    parser = argparse.ArgumentParser(description="Write the folder of a new venue.")
    parser.add_argument("slug", nargs="?", default="", help="as in instrument ids, e.g. some-venue")
    parser.add_argument("--root", type=Path, default=ROOT, help="root of the repository")
    arguments = parser.parse_args()
    slug, root = arguments.slug, arguments.root
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", slug):
        print(
            f"{slug!r} is no slug: small letters and digits, with hyphens between them (NAME=slug).",
            file=sys.stderr,
        )
        return 2
    module = slug.replace("-", "_")
    if (root / FOLDER / module).exists():
        print(f"{FOLDER / module} is there already.", file=sys.stderr)
        return 2
    words = {"slug": slug, "module": module, "name": slug.title(), "cls": slug.title().replace("-", "")}
    for template in sorted(TEMPLATE.glob("*.txt")):
        path = target(module, template.name.removesuffix(".txt"))
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        text = string.Template(template.read_text(encoding="utf-8")).substitute(words)
        (root / path).write_text(text, encoding="utf-8")
        print(path)
    print(
        f'Add "{slug}" to SLUGS in src/faultline/sources/registry.py, then read docs/how-to/add-a-venue.md.'
    )
    return 0


def target(module: str, name: str) -> Path:
    """Where a file of the template belongs."""
    if name == "script.py":
        return Path("src/faultline/testing/venues") / f"{module}.py"
    if name.startswith("test_"):
        return Path("tests/sources/venues") / module / name
    return FOLDER / module / name


if __name__ == "__main__":
    sys.exit(main())
