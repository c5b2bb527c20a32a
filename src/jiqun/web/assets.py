"""Static files 静态文件: read once, compressed once, addressed by what they hold and therefore kept by browsers for good."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from jiqun.report.fragment import stylesheet

TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "py": "text/x-python; charset=utf-8",
}
_FOREVER = "public, max-age=31536000, immutable"

router = APIRouter()


@dataclass(frozen=True)
class Asset:
    """One static file: its content, the same compressed, its type and the address that names its content."""

    content: bytes
    small: bytes
    type: str
    url: str


def _asset(name: str, content: bytes) -> Asset:
    digest = hashlib.sha256(content).hexdigest()[:16]
    small = gzip.compress(content, 9, mtime=0)
    return Asset(content, small, TYPES[name.rpartition(".")[2]], f"/static/{digest}/{name}")


@cache
def assets() -> dict[str, Asset]:
    """Every static file by name. The style of document fragments and that of the console are one file: one request."""
    found = {
        path.name: path.read_bytes()
        for path in files("jiqun.web").joinpath("static").iterdir()
        if path.name.rpartition(".")[2] in TYPES
    }
    found["console.css"] = stylesheet().encode() + found["console.css"]
    return {name: _asset(name, content) for name, content in found.items()}


def static(name: str) -> str:
    """The address of a static file."""
    return assets()[name].url


@router.get("/static/{digest}/{name}")
async def file(request: Request, digest: str, name: str) -> Response:
    """A static file; the address of another content of it is not found."""
    asset = assets().get(name)
    if asset is None or asset.url != f"/static/{digest}/{name}":
        raise HTTPException(404)
    headers = {"Cache-Control": _FOREVER, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.small, media_type=asset.type, headers={**headers, "Content-Encoding": "gzip"})
    return Response(asset.content, media_type=asset.type, headers=headers)
