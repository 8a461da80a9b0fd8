"""The slug of a venue in, the empty files of its folder out, once the live venues are part of the project."""

from __future__ import annotations

import sys
from pathlib import Path

VENUES = Path(__file__).resolve().parent.parent / "src" / "faultline" / "sources" / "venues"


def main() -> int:
    """Say what is missing; exit code 2, as for every request that cannot be answered as asked."""
    folder = VENUES.relative_to(VENUES.parents[3])
    print(
        f"Live venues are not part of this version: there is no {folder} to add one to.\n"
        "Recorded data comes in by `faultline tape import`; formats live in src/faultline/sources/archives.",
        file=sys.stderr,
    )
    return 2


if __name__ == "__main__":
    sys.exit(main())
