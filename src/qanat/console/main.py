"""The ``qanat`` command: every command in its chapter, so that a newcomer finds the first one to type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from qanat.console import (
    base_stations,
    bench,
    exchange,
    lab,
    offices,
    people,
    serving,
    settling,
    terminals,
    watching,
)
from qanat.console.station import station as on_base_station
from qanat.console.terminal import terminal as on_device

CHAPTERS: Final[Mapping[str, tuple[click.Command, ...]]] = {
    "Run the server": (serving.serve, serving.check_config),
    "Work for an operator": (
        offices.operator,
        offices.plan,
        people.subscriber,
        offices.sim,
        people.pay_in,
        people.top_up,
    ),
    "Subscribers and their terminals": (people.sign_up, people.sign_in, people.buy, people.balance),
    "Exchange traffic": (
        exchange.supply,
        exchange.demand,
        exchange.trades,
        exchange.disputes,
        exchange.pay,
        exchange.identity,
        settling.settle,
    ),
    "Look into it": (watching.sessions, watching.refusals, watching.why, watching.audit),
    "Try and measure": (lab.lab, bench.bench),
}


class Chapters(click.Group):
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        shown: set[str] = set()
        chapters = {title: [command.name or "" for command in commands] for title, commands in CHAPTERS.items()}
        chapters["Subscribers and their terminals"].append("terminal")
        chapters["Exchange traffic"].append("station")
        for title, names in chapters.items():
            shown.update(names)
            self._chapter(formatter, title, names)
        rest = [name for name in self.list_commands(ctx) if name not in shown]
        if rest:
            self._chapter(formatter, "More", rest)

    def _chapter(self, formatter: click.HelpFormatter, title: str, names: list[str]) -> None:
        with formatter.section(title):
            formatter.write_dl([(name, self.commands[name].get_short_help_str(80)) for name in names])


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


def _terminal_group() -> click.Group:
    """Put what the server and what the device does with terminals under one name."""
    group = click.Group("terminal", help="Terminals: at the server, and on the device itself.")
    for command in (*terminals.COMMANDS, *on_device.commands.values()):
        group.add_command(command)
    return group


def _station_group() -> click.Group:
    group = click.Group("station", help="Base stations: at the server, and on the device itself.")
    for command in (*base_stations.COMMANDS, *on_base_station.commands.values()):
        group.add_command(command)
    return group


for _commands in CHAPTERS.values():
    for _command in _commands:
        main.add_command(_command)
main.add_command(_terminal_group())
main.add_command(_station_group())

if __name__ == "__main__":
    main()
