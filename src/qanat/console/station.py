"""``qanat station`` on the base station itself: enrol it, run its agent, look at it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from qanat.console.device_options import or_exit, state_option, to_run
from qanat.console.lazy import Group
from qanat.console.parameters import LABEL
from qanat.printed import plain

if TYPE_CHECKING:
    from qanat.agents.base_station.page_tls import PageTls

T = TypeVar("T")


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_state_option = state_option("the base station's key, identity and journal")


@click.group(cls=Group)
def station() -> None:
    """The base station: admits demanders, meters and enforces each grant in the kernel, reports."""


@station.command()
@click.option("--server", required=True, metavar="URL", help="The Qanat server, as in http://10.0.0.1:8080.")
@click.option("--code", required=True, help="The one-time code: `qanat station code`.")
@click.option("--access", required=True, metavar="IFACE", help="The interface on which demanders are, as in br0.")
@click.option("--uplink", required=True, metavar="IFACE", help="The interface on which the internet is.")
@click.option("--place", type=LABEL, default="", help="Where it stands, for people to read.")
@click.option("--serial", help="A serial number; made from the key when not given.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_state_option
def enrol(
    *,
    server: str,
    code: str,
    access: str,
    uplink: str,
    place: str,
    serial: str | None,
    as_json: bool,
    state: Path | None,
) -> None:
    """Register this base station. Repeating with the same code is safe."""
    import msgspec  # noqa: PLC0415  # each command loads what it needs: the agent is to stay small

    from qanat.agents.base_station.enrol import enrol as register  # noqa: PLC0415
    from qanat.agents.base_station.identity import state_folder  # noqa: PLC0415
    from qanat.system import SystemClock  # noqa: PLC0415

    folder = state or state_folder()
    identity = _or_exit(
        lambda: register(
            folder,
            server=server,
            code=code,
            access=access,
            uplink=uplink,
            place=place,
            serial=serial,
            clock=SystemClock(),
        )
    )
    if as_json:
        click.echo(msgspec.json.encode(identity).decode())
        return
    click.echo(f"base station  {identity.base_station} of {identity.subscriber} at {identity.operator}")
    click.echo(f"identity code {identity.identity}  (show it where demanders see it)")
    click.echo(f"next          {to_run('station', state)}")


@station.command()
@click.option("--access", metavar="IFACE", help="Instead of the enrolled one.")
@click.option("--uplink", metavar="IFACE", help="Instead of the enrolled one.")
@click.option("--portal-port", type=click.IntRange(1, 65_535), default=8910, show_default=True, metavar="PORT")
@click.option(
    "--page-tls-port", type=click.IntRange(1, 65_535), metavar="PORT", help="Serve the page over HTTPS here as well."
)
@click.option("--page-name", metavar="NAME", help="The name in a certificate that the base station makes itself.")
@click.option("--page-cert", type=_FILE, metavar="FILE", help="The page's certificate and chain, in PEM.")
@click.option("--page-key", type=_FILE, metavar="FILE", help="Its key, in PEM.")
@click.option("--free", multiple=True, metavar="URL", help="Another server that is reached uncharged; repeatable.")
@click.option("--report-interval", type=click.IntRange(1, 86_400), metavar="SECONDS", help="Overrules the server's.")
@click.option(
    "--idle-end",
    type=click.IntRange(1, 86_400),
    default=1_800,
    show_default=True,
    metavar="SECONDS",
    help="End a session when not one octet has passed for so long.",
)
@click.option("--json", "as_json", is_flag=True, help="Log JSON lines.")
@_state_option
def run(
    *,
    access: str | None,
    uplink: str | None,
    portal_port: int,
    page_tls_port: int | None,
    page_name: str | None,
    page_cert: Path | None,
    page_key: Path | None,
    free: tuple[str, ...],
    report_interval: int | None,
    idle_end: int,
    as_json: bool,
    state: Path | None,
) -> None:
    """Serve demanders until SIGTERM or Ctrl-C, which end every session and return what is left.

    Afterwards the access side stays shut: `qanat station release` opens it again.
    """
    from qanat.agents.base_station.assemble import run_base_station  # noqa: PLC0415
    from qanat.agents.base_station.identity import state_folder  # noqa: PLC0415
    from qanat.agents.log import JsonLog, PlainLog  # noqa: PLC0415
    from qanat.system import SystemClock  # noqa: PLC0415
    from qanat.units import SECOND, Millis  # noqa: PLC0415

    clock = SystemClock()
    _or_exit(
        lambda: run_base_station(
            state or state_folder(),
            access=access,
            uplink=uplink,
            portal_port=portal_port,
            page_tls=_page_tls(page_tls_port, page_name, page_cert, page_key),
            free=list(free),
            report_interval_s=report_interval,
            idle_end=Millis(idle_end * SECOND),
            log=JsonLog(clock) if as_json else PlainLog(clock),
            clock=clock,
        )
    )


@station.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_state_option
def status(*, as_json: bool, state: Path | None) -> None:
    """Show who is served, what is left, and what is not reported yet."""
    import msgspec  # noqa: PLC0415

    from qanat.agents.base_station.identity import state_folder  # noqa: PLC0415
    from qanat.agents.base_station.status import status_of  # noqa: PLC0415

    found = _or_exit(lambda: status_of(state or state_folder()))
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    from qanat.agents.base_station.status import lines  # noqa: PLC0415

    for line in lines(found, to_run=to_run("station", state)):
        click.echo(plain(line))


@station.command()
@click.option("--access", metavar="IFACE", help="Instead of the enrolled one.")
@click.option("--uplink", metavar="IFACE", help="Instead of the enrolled one.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_state_option
def shut(*, access: str | None, uplink: str | None, as_json: bool, state: Path | None) -> None:
    """Let nobody online until `qanat station run`, also when the interfaces are not there yet: for the boot.

    A gate that stands already is left as it is.
    """
    import msgspec  # noqa: PLC0415

    from qanat.agents.base_station.gateway import shut_in_advance  # noqa: PLC0415
    from qanat.agents.base_station.identity import load, state_folder  # noqa: PLC0415

    identity = _or_exit(lambda: load(state or state_folder()))
    side = access or identity.access
    is_new = _or_exit(lambda: shut_in_advance(access=side, uplink=uplink or identity.uplink))
    if as_json:
        click.echo(msgspec.json.encode({"access": side, "laid": is_new}).decode())
    elif is_new:
        click.echo(f"{side} is shut: nobody goes online there until `{to_run('station', state)}`.")
    else:
        click.echo(f"The gate of {side} stands already and is left as it is.")


@station.command()
@click.option("--access", metavar="IFACE", help="Release this access side instead of the enrolled one.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_state_option
def release(*, access: str | None, as_json: bool, state: Path | None) -> None:
    """Open the access side again after a stop: it is as it was found, and nobody is metered any more.

    One that is away comes back open.
    What was counted and not reported yet waits in the journal for the next `qanat station run`.
    """
    import msgspec  # noqa: PLC0415

    from qanat.agents.base_station.identity import state_folder  # noqa: PLC0415
    from qanat.agents.base_station.release import release as let_go  # noqa: PLC0415
    from qanat.system import SystemClock  # noqa: PLC0415

    found = _or_exit(lambda: let_go(state or state_folder(), access=access, clock=SystemClock()))
    click.echo(msgspec.json.encode(found).decode() if as_json else found.sentence)


def _page_tls(port: int | None, name: str | None, certificate: Path | None, key: Path | None) -> PageTls | None:
    if port is None:
        if name or certificate or key:
            raise click.UsageError("the page is served over HTTPS on a port of its own: give --page-tls-port")
        return None
    from qanat.agents.base_station.page_tls import PageTls  # noqa: PLC0415

    return PageTls(port=port, name=name or "portal.qanat.test", certificate=certificate, key=key)


def _or_exit(action: Callable[[], T]) -> T:
    return or_exit("station", action)


if __name__ == "__main__":
    station(prog_name="qanat station")
