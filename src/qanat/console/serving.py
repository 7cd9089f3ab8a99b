"""``qanat serve`` and ``qanat check-config``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from qanat.console.lazy import absent
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

Command = Callable[..., Any]


def _settings_options(command: Command) -> Command:
    """Add what says where settings stand and what overrides them: to serve and to check are typed alike."""
    options = (
        click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Settings in TOML."),
        click.option("--data", metavar="DIR", help="Database and admin.token live here (default: data)."),
        click.option(
            "--database",
            metavar="URL",
            help="sqlite:///PATH, postgresql://USER@HOST/NAME or memory: (default: DIR/qanat.db).",
        ),
        click.option(
            "--workers", metavar="N", help="Server processes on the same ports; needs PostgreSQL (default: 1)."
        ),
        click.option(
            "--http", metavar="HOST:PORT", help="Where to listen (default: 127.0.0.1:8080; port 0: any free one)."
        ),
        click.option("--gy", metavar="HOST:PORT", help="Serve Diameter Gy there, usually on port 3868 (default: not)."),
        click.option("--gy-tls", metavar="HOST:PORT", help="Serve it over TLS too, usually on port 5658."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@_settings_options
def serve(config: Path | None, **given: str | None) -> None:
    """Run the server until SIGTERM. Prints one line `ready http=HOST:PORT` once it listens."""
    if not __debug__:
        raise click.ClickException("The server does not run under python -O: its assertions guard the books.")
    with absent("rich"):  # structlog would load it to print errors, which are text here before they are logged
        from qanat.server import main  # noqa: PLC0415 - the server's imports cost most of a second

    flags = _flags(given)
    try:
        status = main.run(_settings(config, flags), announce=click.echo)
    except Fault as fault:
        raise click.ClickException(_located(fault, config, flags)) from fault
    click.get_current_context().exit(status)


def _flags(given: dict[str, str | None]) -> dict[str, str]:
    return {setting: value for flag, setting in _SETTING_OF.items() if (value := given[flag]) is not None}


def _settings(config: Path | None, flags: dict[str, str]) -> Settings:
    """Return the settings in force. What a flag says wrong is a usage error, what a file says a fault."""
    from qanat.server import settings  # noqa: PLC0415 - as above

    try:
        return settings.load(config, flags=flags)
    except BadInput as bad:
        if flags.get(bad.field):
            raise click.UsageError(str(bad)) from bad
        raise click.ClickException(str(bad)) from bad


def _located(fault: Fault, config: Path | None, flags: dict[str, str]) -> str:
    """Say of a setting that the start could do nothing with where it stands, too."""
    from qanat.server.settings import origin_of  # noqa: PLC0415 - as above

    field = fault.field if isinstance(fault, BadInput) else ""
    setting = _SETTING_OF.get(field, field)
    origin = origin_of(setting, config, flags=flags) if setting else ""
    return f"{setting} {origin}: {fault}" if origin else str(fault)


@click.command("check-config")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@_settings_options
@click.option("--example", is_flag=True, help="Print a file with every setting and its default.")
@click.option("--json", "as_json", is_flag=True, help="Print the settings in force as JSON.")
def check_config(file: Path | None, config: Path | None, example: bool, as_json: bool, **given: str | None) -> None:
    """Check settings as `qanat serve` would take them, with the environment, and say what is wrong and how to cure it.

    FILE is what --config names.
    """
    import msgspec  # noqa: PLC0415 - as above

    if example:
        from qanat.server import settings  # noqa: PLC0415 - as above

        click.echo(settings.as_toml(), nl=False)
        return
    if file and config:
        raise click.UsageError("The settings are named twice: leave FILE or --config out.")
    loaded = _settings(config or file, _flags(given))
    click.echo(msgspec.json.encode(loaded).decode() if as_json else f"{config or file or 'Settings'}: good")
