"""Templates, ready to be filled in: those of the first pages when the server is, each other one when it is first asked for.

What was compiled is kept beside the database for the next start; a template that changed is compiled anew.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemBytecodeCache, PackageLoader, StrictUndefined
from jinja2.bccache import Bucket

from qanat.languages import LANGUAGES, TAGS
from qanat.server.web import figures, static
from qanat.system import fresh_token
from qanat.units import format_amount

_FIRST: Final = (
    *("base.html", "icons.html", "parts.html", "door.html", "operators/frame.html", "operators/pieces.html"),
    *("sign_in.html", "operators/overview.html", "people/home.html", "people/left.html"),
)
"""What people look at first, and what every page is made of."""


@cache
def templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("qanat.server.web"),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        languages=LANGUAGES,
        tags=TAGS,
        address=static.address,
        once=fresh_token,
        money=figures.money,
        format_amount=format_amount,
        share=figures.share,
        coded=figures.coded,
    )
    return environment


def prepare(folder: Path) -> None:
    """Keep in the folder what is compiled, and compile what people look at first. Without a folder it only takes longer."""
    environment = templates()
    environment.bytecode_cache = _Kept(folder)
    for name in _FIRST:
        environment.get_template(name)


class _Kept(FileSystemBytecodeCache):
    """A disk that is full or not ours keeps nobody from a page."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        with suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)

    def load_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            super().load_bytecode(bucket)

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            super().dump_bytecode(bucket)
