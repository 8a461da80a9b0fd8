"""The API's own description in, ``docs/reference/routes.md`` out."""

from __future__ import annotations

from typing import Any

from faultline.api.app import build_app
from faultline.api.settings import ApiSettings
from faultline.store.maps import MapStore
from pages import GENERATED, page, plain, table

INTRODUCTION = """\
Every JSON body carries `simulated`, `as_of_ns` and `stale`. Errors are problem documents with `code`, `where` and
`hint` (see [error codes](errors.md)). The running engine serves the machine-readable description at
`/api/v1/openapi.json`. A scope is an asset (`BTC`) or an instrument (`binance:BTCUSDT`)."""


def routes_page() -> str:
    """Every path and method with its parameters, then the paths that no OpenAPI document can describe."""
    app = build_app(MapStore(), None, ApiSettings())
    document = app.openapi_schema.to_schema()
    out = ["# Routes", GENERATED, INTRODUCTION]
    described = set()
    for path, methods in sorted(document["paths"].items()):
        described.add(path)
        for method, operation in methods.items():
            out += [f"## `{method.upper()} {path}`", plain(operation.get("summary", "")) + "."]
            out.append(plain(operation.get("description", "")))
            parameters = operation.get("parameters", [])
            if parameters:
                out.append(table(("parameter", "in", "meaning"), map(_row, parameters)))
    others = sorted({route.path for route in app.routes if _is_other(route.path, described)})
    out += ["## Other paths", "\n".join(f"- `{path}`" for path in others)]
    return page(out)


def _row(parameter: Any) -> tuple[str, str, str]:
    needed = "" if parameter.get("required") else " (optional)"
    return f"`{parameter['name']}`", parameter["in"] + needed, plain(parameter.get("description", ""))


def _is_other(path: str, described: set[str]) -> bool:
    """Whether a route is neither described above nor part of serving that description."""
    bare = "/".join(part.partition(":")[0] + "}" if ":" in part else part for part in path.split("/"))
    return bare not in described and "openapi.json/" not in path
