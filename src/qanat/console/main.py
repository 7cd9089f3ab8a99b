"""The ``qanat`` command: every command in its chapter, so that a newcomer finds the first one to type."""

from __future__ import annotations

import errno
import sys
from collections.abc import Mapping, Set
from typing import Any, Final

import click

from qanat.console.lazy import LazyGroup
from qanat.console.standard import give_output_up, stand_in
from qanat.errors import Fault

CHAPTERS: Final[Mapping[str, Mapping[str, str]]] = {
    "Run the server": {
        "serve": "qanat.console.serving:serve",
        "check-config": "qanat.console.serving:check_config",
        "backup": "qanat.console.database:backup",
        "restore": "qanat.console.database:restore",
        "archive": "qanat.console.database:archive",
        "database": "qanat.console.database:database",
    },
    "Work for an operator": {
        "operator": "qanat.console.offices:operator",
        "plan": "qanat.console.offices:plan",
        "subscriber": "qanat.console.people:subscriber",
        "sim": "qanat.console.offices:sim",
        "peer": "qanat.console.peers:peer",
        "voucher": "qanat.console.vouchers:voucher",
        "pay-in": "qanat.console.people:pay_in",
        "top-up": "qanat.console.people:top_up",
    },
    "Subscribers and their terminals": {
        "sign-up": "qanat.console.people:sign_up",
        "sign-in": "qanat.console.people:sign_in",
        "password": "qanat.console.people:password",
        "buy": "qanat.console.people:buy",
        "balance": "qanat.console.people:balance",
        "usage": "qanat.console.people:usage",
        "terminal": "qanat.console.device_groups:terminal",
    },
    "Exchange traffic": {
        "supply": "qanat.console.exchange:supply",
        "demand": "qanat.console.exchange:demand",
        "trades": "qanat.console.exchange:trades",
        "disputes": "qanat.console.exchange:disputes",
        "pay": "qanat.console.exchange:pay",
        "identity": "qanat.console.exchange:identity",
        "settle": "qanat.console.settling:settle",
        "station": "qanat.console.device_groups:station",
    },
    "Look into it": {
        "sessions": "qanat.console.watching:sessions",
        "top": "qanat.console.watching:top",
        "search": "qanat.console.watching:search",
        "reservations": "qanat.console.watching:reservations",
        "refusals": "qanat.console.watching:refusals",
        "why": "qanat.console.watching:why",
        "changes": "qanat.console.watching:changes",
        "audit": "qanat.console.watching:audit",
    },
    "Try and measure": {
        "lab": "qanat.console.lab:lab",
        "simulate": "qanat.console.simulate:simulate_world",
        "bench": "qanat.console.bench:bench",
    },
}


class Chapters(LazyGroup):
    def __init__(self, *arguments: Any, **more: Any) -> None:
        where = {name: place for chapter in CHAPTERS.values() for name, place in chapter.items()}
        super().__init__(*arguments, where=where, **more)

    def main(self, *arguments: Any, **more: Any) -> Any:
        unprintable = {errno.ENOSPC, errno.EBADF} if stand_in() else {errno.ENOSPC}
        try:
            return super().main(*arguments, **more)
        except (Fault, OSError) as error:
            click.echo(f"Error: {_said(error, unprintable)}", err=True)
            sys.exit(1)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, chapter in CHAPTERS.items():
            with formatter.section(title):
                formatter.write_dl([(name, self.sentence(ctx, name)) for name in chapter])


def _said(error: Fault | OSError, unprintable: Set[int]) -> str:
    """Say what happened in a sentence; what has none is a mistake of ours, and raised again."""
    if isinstance(error, Fault):
        return str(error)
    if error.filename:
        return f"{error.filename} can't be used: {error.strerror}. Make it accessible, or name another."
    if error.errno not in unprintable:
        raise error
    give_output_up()
    return f"What is printed can't be written: {error.strerror}."


@click.group(cls=Chapters, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="qanat")
def main() -> None:
    """Qanat measures mobile data to the octet, grants it in quotas, and takes back what is left.

    \b
    First steps:
      qanat serve --data data                     in one shell, and in another:
      qanat plan create day --octets 1GB --valid-days 1 --price 0
      qanat subscriber create alice
      qanat buy --subscriber alice --plan day
      qanat balance --subscriber alice
    """


if __name__ == "__main__":
    main()
