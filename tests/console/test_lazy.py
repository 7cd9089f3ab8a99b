"""Commands are loaded when they are asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from qanat.console.main import main

LOADED = """
import sys
from qanat.console.main import main
try:
    main.main(sys.argv[1:], prog_name="qanat")
except SystemExit:
    print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def every_command(group: click.Group, context: click.Context) -> list[click.Command]:
    found = [group.get_command(context, name) for name in group.list_commands(context)]
    inner = [each for command in found if isinstance(command, click.Group) for each in every_command(command, context)]
    return [command for command in found if command is not None] + inner


def test_the_agent_loads_nothing_of_the_server_nor_of_the_other_commands(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LOADED, "terminal", "run", "--state", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": "src"})
    assert "holds no enrolled terminal" in done.stderr
    loaded = set(done.stdout.split())
    assert {"msgspec", "cryptography"} <= loaded
    assert not loaded & {"httpx2", "rich", "fastapi", "starlette", "sqlalchemy", "alembic", "structlog", "uvicorn"}


def test_a_server_on_a_file_loads_nothing_of_postgresql_of_migrations_or_for_people(tmp_path: Path) -> None:
    """Its address is of no machine (RFC 5737), so it ends when everything but its listener stands."""
    command = [sys.executable, "-c", LOADED, "serve", "--data", str(tmp_path), "--http", "192.0.2.1:80"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": "src"})
    assert "can't listen on 192.0.2.1:80" in done.stderr
    assert (tmp_path / "qanat.db").exists()
    loaded = set(done.stdout.split())
    assert {"fastapi", "uvicorn"} <= loaded
    assert not loaded & {"alembic", "sqlalchemy", "asyncpg", "rich"}


WITHOUT_TLS = """
import sys
from qanat.console.lazy import absent
with absent("ssl"):
    import asyncio, http.client
assert "ssl" not in sys.modules
import ssl
assert ssl.create_default_context()
"""


def test_tls_is_loaded_only_by_whoever_needs_it() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_TLS], check=True, env={"PYTHONPATH": "src"})


def test_every_command_is_found_under_the_name_it_bears() -> None:
    context = click.Context(main)
    commands = every_command(main, context)
    assert len(commands) > 30
    for group in (command for command in [main, *commands] if isinstance(command, click.Group)):
        for name in group.list_commands(context):
            found = group.get_command(context, name)
            assert found is not None
            assert found.name == name
