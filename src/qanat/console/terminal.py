"""``qanat terminal``: enrol this device, run its agent, look at it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from qanat.console.device_options import or_exit, state_option, to_run
from qanat.console.lazy import Group, absent
from qanat.console.parameters import CURRENCY, MONEY, SIZE
from qanat.errors import Fault
from qanat.printed import plain, plain_lines

T = TypeVar("T")


_state_option = state_option("the terminal's key, identity and usage journal")


@click.group(cls=Group)
def terminal() -> None:
    """The device with the cloud SIM: registers, holds quotas, meters, reports."""


@terminal.command()
@click.option(
    "--server",
    required=True,
    metavar="URL",
    help="The Qanat server, as in http://10.0.0.1:8080; for https, SSL_CERT_FILE may name an authority of your own.",
)
@click.option("--code", required=True, help="The one-time enrolment code.")
@click.option("--interface", required=True, metavar="IFACE", help="The cloud SIM's interface: the one that is metered.")
@click.option("--channel", "channels", multiple=True, metavar="IFACE", help="Another way to the server; repeatable.")
@click.option("--serial", help="IMEI or another serial number; made from the key when not given.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_state_option
def enrol(
    *,
    server: str,
    code: str,
    interface: str,
    channels: tuple[str, ...],
    serial: str | None,
    as_json: bool,
    state: Path | None,
) -> None:
    """Register this device and be lent a cloud SIM. Repeating with the same code is safe."""
    import msgspec  # noqa: PLC0415  # each command loads what it needs: the agent is to stay small

    from qanat.agents.terminal.enrol import enrol as register  # noqa: PLC0415
    from qanat.agents.terminal.identity import state_folder  # noqa: PLC0415
    from qanat.system import SystemClock  # noqa: PLC0415

    folder = state or state_folder()
    identity = _or_exit(
        lambda: register(
            folder,
            server=server,
            code=code,
            interface=interface,
            channels=list(channels),
            serial=serial,
            clock=SystemClock(),
        )
    )
    if as_json:
        click.echo(msgspec.json.encode(identity).decode())
        return
    click.echo(f"terminal      {identity.terminal}")
    click.echo(f"cloud SIM     ICCID {identity.sim.iccid}, IMSI {identity.sim.imsi}, account {identity.sim.account}")
    if identity.subscriber is None:
        click.echo(f"binding code  {identity.binding_code}  (a subscriber binds this terminal with it)")
    else:
        click.echo(f"subscriber    {identity.subscriber}")
    click.echo(f"next          {to_run('terminal', state)}")


@terminal.command()
@click.option("--interface", metavar="IFACE", help="Meter this interface instead of the enrolled one.")
@click.option("--channel", "channels", multiple=True, metavar="IFACE", help="Another way to the server; repeatable.")
@click.option("--report-interval", type=click.IntRange(1, 86_400), metavar="SECONDS", help="Overrules the server's.")
@click.option("--json", "as_json", is_flag=True, help="Log JSON lines.")
@_state_option
def run(
    *,
    interface: str | None,
    channels: tuple[str, ...],
    report_interval: int | None,
    as_json: bool,
    state: Path | None,
) -> None:
    """Meter the interface within quotas until SIGTERM or Ctrl-C, which return what is left.

    Afterwards the interface stays shut: `qanat terminal release` opens it again.
    """
    from qanat.agents.log import JsonLog, PlainLog  # noqa: PLC0415

    with absent("ssl"):  # asyncio and http.client would load it, 5 MB, even for a server without TLS
        from qanat.agents.terminal.assemble import run_terminal  # noqa: PLC0415
    from qanat.agents.terminal.identity import state_folder  # noqa: PLC0415
    from qanat.system import SystemClock  # noqa: PLC0415

    clock = SystemClock()
    _or_exit(
        lambda: run_terminal(
            state or state_folder(),
            interface=interface,
            channels=list(channels),
            report_interval_s=report_interval,
            log=JsonLog(clock) if as_json else PlainLog(clock),
            clock=clock,
        )
    )


@terminal.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_state_option
def status(*, as_json: bool, state: Path | None) -> None:
    """Show the session, what is left of the quota and of the plans, and what is not reported yet."""
    import msgspec  # noqa: PLC0415

    from qanat.agents.terminal.ask import ask  # noqa: PLC0415
    from qanat.agents.terminal.identity import state_folder  # noqa: PLC0415
    from qanat.agents.terminal.status import status_of  # noqa: PLC0415
    from qanat.system import SystemClock  # noqa: PLC0415

    folder = state or state_folder()
    found = _or_exit(lambda: status_of(folder, ask(folder, clock=SystemClock())))
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    from qanat.agents.terminal.status_text import lines  # noqa: PLC0415

    for line in lines(found, to_run=to_run("terminal", state)):
        click.echo(plain(line))


@terminal.command()
@click.option("--interface", metavar="IFACE", help="Shut this interface instead of the enrolled one.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_state_option
def shut(*, interface: str | None, as_json: bool, state: Path | None) -> None:
    """Let nothing pass on the interface until `qanat terminal run`, also when it is not there yet: for the boot.

    A gate that stands already is left as it is.
    """
    import msgspec  # noqa: PLC0415

    from qanat.agents.terminal.choose_gate import shut_in_advance  # noqa: PLC0415
    from qanat.agents.terminal.identity import load, state_folder  # noqa: PLC0415

    name = interface or _or_exit(lambda: load(state or state_folder())).interface
    is_new = _or_exit(lambda: shut_in_advance(name))
    if as_json:
        click.echo(msgspec.json.encode({"interface": name, "laid": is_new}).decode())
    elif is_new:
        click.echo(f"{name} is shut: nothing passes until `{to_run('terminal', state)}`.")
    else:
        click.echo(f"The gate of {name} stands already and is left as it is.")


@terminal.command()
@click.option("--interface", metavar="IFACE", help="Release this interface instead of the enrolled one.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_state_option
def release(*, interface: str | None, as_json: bool, state: Path | None) -> None:
    """Open the interface again after a stop: it is as it was found, and nothing is metered any more.

    One that is away comes back open.
    What was counted and not reported yet waits in the journal for the next `qanat terminal run`.
    """
    import msgspec  # noqa: PLC0415

    from qanat.agents.log import PlainLog  # noqa: PLC0415
    from qanat.agents.terminal.identity import state_folder  # noqa: PLC0415
    from qanat.agents.terminal.release import release as let_go  # noqa: PLC0415
    from qanat.system import SystemClock  # noqa: PLC0415

    folder, clock = state or state_folder(), SystemClock()
    found = _or_exit(lambda: let_go(folder, interface=interface, log=PlainLog(clock), clock=clock))
    click.echo(msgspec.json.encode(found).decode() if as_json else found.sentence)


@terminal.command()
@click.option("--station", required=True, metavar="URL", help="The base station's page, as in http://10.0.0.1:8910.")
@click.option("--supplier", metavar="CODE", help="Identity code of the supplier; without it, the best offer there.")
@click.option("--octets", type=SIZE, metavar="SIZE", help="Need so many at least, and use no more: 1GB, 500MB.")
@click.option(
    "--most-per-gb", type=MONEY, metavar="AMOUNT", help="The highest price for 1 GB; without it, octet for octet only."
)
@CURRENCY
@click.option("--interface", metavar="IFACE", help="The one towards the base station; found when not given.")
@click.option("--json", "as_json", is_flag=True, help="Log JSON lines.")
@_state_option
def join(
    *,
    station: str,
    supplier: str | None,
    octets: int | None,
    most_per_gb: int | None,
    currency: str,
    interface: str | None,
    as_json: bool,
    state: Path | None,
) -> None:
    """Go online at a base station on somebody else's traffic, until Ctrl-C or its end."""
    from qanat.agents.log import JsonLog, PlainLog  # noqa: PLC0415
    from qanat.agents.reporter import Rejected  # noqa: PLC0415
    from qanat.agents.terminal.identity import state_folder  # noqa: PLC0415
    from qanat.agents.terminal.join import join as go_online  # noqa: PLC0415
    from qanat.system import SystemClock  # noqa: PLC0415
    from qanat.wire.base_station import Wish  # noqa: PLC0415

    wish = Wish(supplier=supplier, octets=octets, most_per_gb=most_per_gb, currency=currency)
    clock = SystemClock()
    log = JsonLog(clock) if as_json else PlainLog(clock)
    try:
        go_online(state or state_folder(), station=station, wish=wish, interface=interface, log=log, clock=clock)
    except Rejected as fault:
        problem = fault.problem
        for line in (f"refused: {problem.detail}", problem.cure, problem.detail_zh, problem.cure_zh, problem.reason):
            click.echo(plain(line), err=True)
        sys.exit(1)
    except Fault as fault:
        click.echo(plain_lines(f"qanat terminal: {fault}"), err=True)
        sys.exit(1)


def _or_exit(action: Callable[[], T]) -> T:
    return or_exit("terminal", action)


if __name__ == "__main__":
    terminal(prog_name="qanat terminal")
