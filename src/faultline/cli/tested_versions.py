"""Nothing in, locked versions of dependencies out; written by tools/write_notices.py."""

from __future__ import annotations

from typing import Final

__all__ = ("TESTED_VERSIONS",)

#: Locked versions by package; several where they depend on the version of Python.
TESTED_VERSIONS: Final[dict[str, tuple[str, ...]]] = {
    "apprise": ("2.2.0",),
    "duckdb": ("2.0.0",),
    "granian": ("2.8.7",),
    "httpx": ("0.28.1",),
    "litestar": ("2.25.0",),
    "msgspec": ("0.22.0",),
    "numba": ("0.68.1",),
    "numpy": ("2.4.6", "2.5.5"),
    "picows": ("2.3.1",),
    "prometheus-client": ("0.26.0",),
    "pyarrow": ("26.0.1",),
    "rich": ("15.0.0",),
    "scipy": ("1.17.1", "1.18.1"),
    "sqlalchemy": ("2.1.9",),
    "structlog": ("26.1.0",),
    "typer": ("0.29.2",),
    "uvloop": ("0.23.0",),
}
