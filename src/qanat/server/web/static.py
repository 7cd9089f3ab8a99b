"""Static files: read once, named by their content, cached for a year. A changed file has another name."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "woff2": "font/woff2"}
_USES: Final = re.compile(rb'url\("([\w./]+)"\)')
_FOR_EVER: Final = {"cache-control": "public, max-age=31536000, immutable"}


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    type: str


def address(name: str) -> str:
    """Return the address of ``qanat.css`` or ``vendor/htmx.js``."""
    return _addresses()[name]


async def serve(request: Request) -> Response:
    found = _by_address().get(request.url.path)
    if found is None:
        return Response("There is no such file.\n", 404, media_type="text/plain")
    return Response(found.content, 200, _FOR_EVER, found.type)


@cache
def _contents() -> dict[str, bytes]:
    root = files("qanat.server.web") / "static"
    folders = {"": root, "vendor/": root / "vendor"}
    found = {
        prefix + file.name: file.read_bytes()
        for prefix, folder in folders.items()
        for file in folder.iterdir()
        if file.name.rpartition(".")[2] in _TYPES
    }
    return {
        name: _with_addresses(content, found) if name.endswith(".css") else content for name, content in found.items()
    }


def _with_addresses(sheet: bytes, found: dict[str, bytes]) -> bytes:
    """Let a style sheet name the files it uses by their addresses."""

    def addressed(use: re.Match[bytes]) -> bytes:
        name = use[1].decode()
        return f'url("{_address(name, found[name])}")'.encode()

    return _USES.sub(addressed, sheet)


@cache
def _addresses() -> dict[str, str]:
    return {name: _address(name, content) for name, content in _contents().items()}


@cache
def _by_address() -> dict[str, _File]:
    kinds = {name: _TYPES[name.rpartition(".")[2]] for name in _contents()}
    return {_addresses()[name]: _File(content, kinds[name]) for name, content in _contents().items()}


def _address(name: str, content: bytes) -> str:
    stem, _, ending = name.rpartition(".")
    return f"/static/{stem}.{hashlib.sha256(content).hexdigest()[:12]}.{ending}"
