"""Words typed in a terminal in, results on stdout and an exit code out."""

from __future__ import annotations

import sys

__all__ = ("main",)


def main() -> None:
    """Run the command line; where a package it needs cannot be imported, say which and what to do."""
    try:
        from faultline.cli.app import main as run

        run()
    except ImportError as exc:
        from faultline.cli.broken import explain

        sys.exit(explain(exc, as_json="--json" in sys.argv))
