"""A path in, a file of the built dashboard out; any other page path answers with its ``index.html``.

Hashed files are immutable; ``index.html`` is asked for again each time. Precompressed siblings (``.br``,
``.gz``) are sent where the client takes them. Without a build, ``/`` says how to make one.
"""

from __future__ import annotations

import mimetypes
import re
from pathlib import Path
from typing import Any, Final

from litestar import MediaType, Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from faultline.api.context import ApiContext
from faultline.errors import NotFound

__all__ = ("STATIC_FOLDER", "page")

#: Where the dashboard's build is put.
STATIC_FOLDER: Final = Path(__file__).parent / "static"

_HASHED: Final = re.compile(r"[-.][A-Za-z0-9_-]{8,}\.[a-z0-9]+$")
_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_SIBLINGS: Final = (("br", ".br"), ("gzip", ".gz"))
_TYPES: Final = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_NO_BUILD: Final = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Faultline</title>"
    "<h1>Faultline is running</h1><p>The dashboard has not been built. Run <code>make web</code> in a "
    "checkout and load this page again.</p><p>The API works without it: <a href=/api/v1/status>status</a>, "
    "<a href=/api/v1/openapi.json>OpenAPI</a>.</p></html>"
)


@get(["/", "/{path:path}"], include_in_schema=False)
async def page(
    request: Request[Any, Any, Any], context: NamedDependency[ApiContext], path: FromPath[Path | None] = None
) -> Response[bytes]:
    """A file of the dashboard, or its start page for any address the dashboard itself knows."""
    name = path.as_posix().lstrip("/") if path and path.parts else ""
    name = "" if name == "." else name
    if name == "api" or name.startswith("api/"):
        raise NotFound(f"there is no route /{name[:64]}", where="path", hint="see /api/v1/openapi.json")
    if ".." in name.split("/"):
        raise NotFound("a path cannot go up", where="path", hint="the dashboard is at /")
    found = await context.in_thread(_find, context.static_folder, name)
    if found is None and not _wants_page(request, name):
        raise NotFound(f"there is no file /{name[:64]}", where="path", hint="the dashboard is at /")
    if found is None:
        found = await context.in_thread(_find, context.static_folder, "index.html")
    if found is None:
        return Response(_NO_BUILD.encode(), media_type=MediaType.HTML, headers={"cache-control": "no-cache"})
    return await context.in_thread(_answer, found, request.headers.get("accept-encoding", ""))


def _find(folder: Path, name: str) -> Path | None:
    """The file of that name inside ``folder``, never outside it."""
    if not name or "\x00" in name:
        return None
    root = folder.resolve()
    target = (root / name).resolve()
    return target if target.is_relative_to(root) and target.is_file() else None


def _wants_page(request: Request[Any, Any, Any], name: str) -> bool:
    accepted = request.headers.get("accept", "*/*")
    return "." not in name.rpartition("/")[2] and ("text/html" in accepted or "*/*" in accepted)


def _answer(file: Path, accepted: str) -> Response[bytes]:
    is_hashed = _HASHED.search(file.name) is not None and file.suffix != ".html"
    headers = {"cache-control": _IMMUTABLE if is_hashed else "no-cache", "vary": "Accept-Encoding"}
    media_type = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    if media_type.startswith("text/"):
        media_type += "; charset=utf-8"
    names = {part.strip().partition(";")[0] for part in accepted.lower().split(",")}
    for encoding, suffix in _SIBLINGS:
        sibling = file.with_name(file.name + suffix)
        if encoding in names and sibling.is_file():
            headers["content-encoding"] = encoding
            return Response(sibling.read_bytes(), media_type=media_type, headers=headers)
    return Response(file.read_bytes(), media_type=media_type, headers=headers)
