"""Addresses of databases, as ``--database`` takes them: which kind one names, and where its file is."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_SQLITE: Final = "sqlite:///"
_POSTGRES: Final = ("postgresql://", "postgres://")


def file_at(url: str) -> Path | None:
    """Return the SQLite file that an address names; None if it names another kind of database."""
    return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None


def is_postgres(url: str) -> bool:
    return url.startswith(_POSTGRES)
