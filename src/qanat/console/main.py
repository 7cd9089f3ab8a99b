"""The ``qanat`` command."""

from __future__ import annotations

import click

from qanat.console.serving import check_config, serve


@click.group()
def main() -> None:
    """Qanat measures mobile data to the octet."""


main.add_command(serve)
main.add_command(check_config)

if __name__ == "__main__":
    main()
