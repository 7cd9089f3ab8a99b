"""``qanat lab up | down | status | exec``: the network-namespace lab of ``make run``, left standing."""

from __future__ import annotations

import os
from pathlib import Path

import click
import msgspec

from qanat.console.lazy import Group
from qanat.errors import Fault
from qanat.lab import private, standing
from qanat.lab.private import Place
from qanat.lab.programs import QANAT
from qanat.lab.standing import Standing
from qanat.lab.topology import HOSTS


@click.group(cls=Group)
def lab() -> None:
    """A small world of network namespaces to try things in.

    It has a terminal with two ways out, a base station with a supplier and demanders, a server and an internet.
    """


@lab.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def up(as_json: bool) -> None:
    """Lay the lab and leave it standing, with a server, a base station and a file server running in it."""
    folder = standing.folder_of_user()
    stands = standing.find(folder)
    if stands is None:
        place = private.find_place()
        if place is Place.NOWHERE:
            raise click.ClickException(
                f"No network namespace can be made here ({private.why_nowhere()}): install iproute2 and util-linux, "
                "and run it as root or permit user namespaces (`sysctl user.max_user_namespaces`)."
            )
        try:
            stands = standing.up(folder, place)
        except Fault as fault:
            raise click.ClickException(str(fault)) from fault
    _show(stands, as_json=as_json)


@lab.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def down(as_json: bool) -> None:
    """Take the lab down; nothing of it stays but its data folder."""
    try:
        stood = standing.down(standing.folder_of_user())
    except Fault as fault:
        raise click.ClickException(str(fault)) from fault
    said = "The lab is down." if stood else "There was no lab."
    click.echo(msgspec.json.encode({"stood": stood}).decode() if as_json else said)


@lab.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def status(as_json: bool) -> None:
    """Tell whether the lab stands and how to use it; exit 1 when it does not."""
    stands = standing.find(standing.folder_of_user())
    if stands is not None:
        _show(stands, as_json=as_json)
        return
    click.echo('{"stands":false}' if as_json else "No lab stands: `qanat lab up` lays one.")
    raise SystemExit(1)


@lab.command(context_settings={"allow_interspersed_args": False})
@click.argument("host", type=click.Choice(HOSTS))
@click.argument("words", nargs=-1, type=click.UNPROCESSED, required=True)
def exec(host: str, words: tuple[str, ...]) -> None:
    """Run a command in a host of the lab, as in `qanat lab exec terminal ip address`; `qanat` is this very one."""
    stands = standing.find(standing.folder_of_user())
    if stands is None:
        raise click.ClickException("No lab stands: `qanat lab up` lays one.")
    known = {"QANAT_URL": stands.server, "QANAT_TOKEN": Path(stands.token_file).read_text().strip()}
    command = stands.command(host, *(QANAT if words[0] == "qanat" else words[:1]), *words[1:])
    os.execvpe(command[0], command, {**os.environ, **known})  # noqa: S606  # there is no shell in it


def _show(stands: Standing, *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode({"stands": True, **msgspec.to_builtins(stands)}).decode())
        return
    files = ", ".join(f"{name} ({octets:,} octets)" for name, octets in stands.files.items())
    click.echo(
        f"The lab stands, {stands.place.value}. Hosts: {', '.join(HOSTS)}.\n"
        f"  server        {stands.server}, administrator's token in {stands.token_file}\n"
        f"  console       {stands.console} in a browser; sign in as {_sign_ins(stands)}\n"
        f"  internet      {stands.internet} with {files}\n"
        f"  terminal      reaches both over cell0 (the cloud SIM) and wifi0; not enrolled yet\n"
        f"  base-station  {stands.base_station} on its access side, where guest and laptop are\n"
        f"Subscribers: alice (supplies; her terminal is the phone) and carol (owns the base station) of north,\n"
        f"bob (his terminal is the guest) and dora of south.\n"
        f"Go online on alice's traffic:\n"
        f"  qanat lab exec server qanat supply offer --subscriber alice --octets 20MB --to bob\n"
        f"  qanat lab exec guest qanat terminal join --station {stands.base_station} --state {stands.states['guest']}\n"
        f"  qanat lab exec guest curl -o /dev/null {stands.internet}/song.ogg      (in another shell)\n"
        f"  qanat lab exec server qanat sessions\n"
        f"Enrol the terminal and buy (T is any folder):\n"
        f"  qanat lab exec server qanat plan create trip --octets 50MB --valid-days 7 --price 0\n"
        f"  qanat lab exec server qanat subscriber create wanda\n"
        f"  qanat lab exec server qanat buy --subscriber wanda --plan trip\n"
        f"  qanat lab exec server qanat terminal code --subscriber wanda\n"
        f"  qanat lab exec terminal qanat terminal enrol --server {stands.server} --code CODE"
        f" --interface cell0 --channel wifi0 --state T\n"
        f"  qanat lab exec terminal qanat terminal run --state T\n"
        f"  qanat lab exec terminal curl -o /dev/null {stands.internet}/photo.jpg\n"
        f"In the end: qanat lab down. More: docs/guides/exchange-by-hand.md"
    )


def _sign_ins(stands: Standing) -> str:
    return " or ".join(f"{name} ({password})" for name, password in stands.sign_ins.items())
