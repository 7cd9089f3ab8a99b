"""Templates, ready to be filled in: compiled behind the start, so that nobody's first page waits for it.

What was compiled is kept beside the database for the next start; a template that changed is compiled anew.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import structlog
from jinja2 import Environment, FileSystemBytecodeCache, PackageLoader, StrictUndefined

from qanat.server.web import figures, static
from qanat.server.web.language import LANGUAGES, TAGS
from qanat.system import fresh_token

_FIRST: Final = ("sign_in.html", "operators/overview.html", "people/home.html")
"""What people look at first."""
_log: Final = structlog.get_logger("web")


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
        share=figures.share,
        coded=figures.coded,
    )
    return environment


def compile_all(folder: Path) -> None:
    """Compile every template or read what an earlier start left in the folder. Without a folder it only takes longer."""
    environment = templates()
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        environment.bytecode_cache = FileSystemBytecodeCache(str(folder))
        for name in (*_FIRST, *environment.list_templates()):
            environment.get_template(name)
    except OSError as fault:
        environment.bytecode_cache = None
        _log.warning("compiled templates are not kept", folder=str(folder), sentence=str(fault))
