"""``qanat serve`` and ``qanat check-config``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from qanat.errors import BadInput, Fault

if TYPE_CHECKING:
    from qanat.server.settings import Settings

_SETTING_OF: Final = {
    "data": "data",
    "database": "store.database",
    "workers": "workers",
    "http": "http.listen",
    "gy": "gy.listen",
    "gy_tls": "gy.tls_listen",
}


@click.command()
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Settings in TOML.")
@click.option("--data", metavar="DIR", help="Database and admin.token live here (default: data).")
@click.option(
    "--database", metavar="URL", help="sqlite:///PATH, postgresql://USER@HOST/NAME or memory: (default: DIR/qanat.db)."
)
@click.option("--workers", metavar="N", help="Server processes on the same ports; needs PostgreSQL (default: 1).")
