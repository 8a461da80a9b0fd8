"""Words typed in a terminal in, results on stdout and an exit code out."""

from __future__ import annotations

from faultline.cli.app import main

__all__ = ("main",)
