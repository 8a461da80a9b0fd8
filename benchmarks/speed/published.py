"""A measured result in, the same in ``results`` and on stdout out, with the exit code of its gates."""

from __future__ import annotations

import json
from pathlib import Path

__all__ = ("publish",)


def publish(name, result):
    """Write ``results/<name>.json`` and print it; returns 1 where a gate does not hold (``result["passed"]``)."""
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    text = json.dumps(result, indent=1)
    (folder / f"{name}.json").write_text(text + "\n")
    print(text)
    return 0 if result["passed"] else 1
