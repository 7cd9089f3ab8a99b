"""Whether Citus is installed beside the PostgreSQL that the tests start. Nothing installs it: it is built from source."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def citus_is_here() -> bool:
    return any(Path("/usr/share/postgresql").glob("*/extension/citus.control"))
